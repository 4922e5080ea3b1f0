//! Money: exact decimal amounts that know their currency, and the only place where amounts are rounded.
//!
//! An amount always carries its currency's scale ("799.00"); intermediate results are exact rationals that
//! become amounts through [`round`], once per named step.

use std::cmp::Ordering;
use std::fmt;
use std::ops::Neg;
use std::str::FromStr;

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{ToPrimitive, Zero};
use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::text_enum;

/// Active ISO 4217 codes by number of minor-unit digits. Codes without a minor unit (metals, XDR, testing) are
/// left out: nobody can be billed in them.
const CURRENCIES: [(u32, &[&str]); 4] = [
    (
        0,
        &[
            "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF",
        ],
    ),
    (
        2,
        &[
            "AED", "AFN", "ALL", "AMD", "AOA", "ARS", "AUD", "AWG", "AZN", "BAM", "BBD", "BDT", "BMD", "BND", "BOB", "BOV",
            "BRL", "BSD", "BTN", "BWP", "BYN", "BZD", "CAD", "CDF", "CHE", "CHF", "CHW", "CNY", "COP", "COU", "CRC", "CUP",
            "CVE", "CZK", "DKK", "DOP", "DZD", "EGP", "ERN", "ETB", "EUR", "FJD", "FKP", "GBP", "GEL", "GHS", "GIP", "GMD",
            "GTQ", "GYD", "HKD", "HNL", "HTG", "HUF", "IDR", "ILS", "INR", "IRR", "JMD", "KES", "KGS", "KHR", "KPW", "KYD",
            "KZT", "LAK", "LBP", "LKR", "LRD", "LSL", "MAD", "MDL", "MGA", "MKD", "MMK", "MNT", "MOP", "MRU", "MUR", "MVR",
            "MWK", "MXN", "MXV", "MYR", "MZN", "NAD", "NGN", "NIO", "NOK", "NPR", "NZD", "PAB", "PEN", "PGK", "PHP", "PKR",
            "PLN", "QAR", "RON", "RSD", "RUB", "SAR", "SBD", "SCR", "SDG", "SEK", "SGD", "SHP", "SLE", "SOS", "SRD", "SSP",
            "STN", "SVC", "SYP", "SZL", "THB", "TJS", "TMT", "TOP", "TRY", "TTD", "TWD", "TZS", "UAH", "USD", "USN", "UYU",
            "UZS", "VED", "VES", "WST", "XAD", "XCD", "XCG", "YER", "ZAR", "ZMW", "ZWG",
        ],
    ),
    (3, &["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"]),
    (4, &["CLF", "UYW"]),
];

/// Amounts stay below this (contract: at most 15 digits before the point), so sums cannot lose digits.
const LIMIT: Decimal = Decimal::from_parts(2_764_472_320, 232_830, 0, false, 0);

/// Why an amount or a sum is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    #[error("{0:?} is not an active ISO 4217 currency")]
    UnknownCurrency(String),
    #[error("{amount} has more decimals than {currency} allows")]
    TooPrecise { amount: Decimal, currency: Currency },
    #[error("the amount is out of range")]
    OutOfRange,
    #[error("{left} and {right} cannot be added or compared")]
    CurrencyMismatch { left: Currency, right: Currency },
}

/// An ISO 4217 currency; exists only for known codes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Currency {
    code: &'static str,
    scale: u32,
}

impl Currency {
    /// The alphabetic code, e.g. "INR".
    pub fn code(self) -> &'static str {
        self.code
    }

    /// Digits after the point of the minor unit: 2 for INR, 0 for JPY.
    pub fn scale(self) -> u32 {
        self.scale
    }
}

impl FromStr for Currency {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Self, MoneyError> {
        CURRENCIES
            .iter()
            .find_map(|&(scale, codes)| {
                let code = *codes.iter().find(|code| **code == text)?;
                Some(Self { code, scale })
            })
            .ok_or_else(|| MoneyError::UnknownCurrency(text.to_owned()))
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code)
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code)
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code)
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// An amount of one currency, at that currency's scale.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "RawMoney")]
pub struct Money {
    amount: Decimal,
    currency: Currency,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMoney {
    #[serde(deserialize_with = "decimal_text")]
    amount: Decimal,
    currency: Currency,
}

impl TryFrom<RawMoney> for Money {
    type Error = MoneyError;

    fn try_from(raw: RawMoney) -> Result<Self, MoneyError> {
        Self::new(raw.amount, raw.currency)
    }
}

impl Money {
    /// Refuses an amount finer than the minor unit; pads a coarser one ("799" becomes "799.00").
    pub fn new(amount: Decimal, currency: Currency) -> Result<Self, MoneyError> {
        if amount.abs() >= LIMIT {
            return Err(MoneyError::OutOfRange);
        }
        let mut scaled = amount.normalize();
        if scaled.scale() > currency.scale {
            return Err(MoneyError::TooPrecise { amount, currency });
        }
        scaled.rescale(currency.scale);
        Ok(Self {
            amount: scaled,
            currency,
        })
    }

    /// Nothing, in that currency.
    pub fn zero(currency: Currency) -> Self {
        let amount = Decimal::new(0, currency.scale);
        Self { amount, currency }
    }

    /// From paise, cents, …, as payment gateways count.
    pub fn from_minor_units(units: i64, currency: Currency) -> Result<Self, MoneyError> {
        Self::new(Decimal::new(units, currency.scale), currency)
    }

    /// Rounds an exact value to the minor unit.
    pub fn from_exact(value: &BigRational, currency: Currency, mode: RoundingMode) -> Result<Self, MoneyError> {
        Self::new(round(value, currency.scale, mode)?, currency)
    }

    /// The sum; of nothing it is zero.
    pub fn sum(amounts: impl IntoIterator<Item = Self>, currency: Currency) -> Result<Self, MoneyError> {
        amounts.into_iter().try_fold(Self::zero(currency), Self::checked_add)
    }

    pub fn amount(self) -> Decimal {
        self.amount
    }

    pub fn currency(self) -> Currency {
        self.currency
    }

    /// Paise, cents, …
    pub fn minor_units(self) -> i128 {
        self.amount.mantissa()
    }

    /// The amount as an exact rational, for computing with.
    pub fn exact(self) -> BigRational {
        exact(self.amount)
    }

    pub fn is_zero(self) -> bool {
        self.amount.is_zero()
    }

    pub fn is_positive(self) -> bool {
        self.amount > Decimal::ZERO
    }

    pub fn is_negative(self) -> bool {
        self.amount < Decimal::ZERO
    }

    pub fn checked_add(self, other: Self) -> Result<Self, MoneyError> {
        self.same_currency(other)?;
        let sum = self.amount.checked_add(other.amount);
        Self::new(sum.ok_or(MoneyError::OutOfRange)?, self.currency)
    }

    pub fn checked_sub(self, other: Self) -> Result<Self, MoneyError> {
        self.checked_add(-other)
    }

    /// Compares like with like.
    pub fn compare(self, other: Self) -> Result<Ordering, MoneyError> {
        self.same_currency(other)?;
        Ok(self.amount.cmp(&other.amount))
    }

    /// The smaller of two like amounts.
    pub fn at_most(self, other: Self) -> Result<Self, MoneyError> {
        Ok(if self.compare(other)? == Ordering::Greater {
            other
        } else {
            self
        })
    }

    fn same_currency(self, other: Self) -> Result<(), MoneyError> {
        if self.currency == other.currency {
            return Ok(());
        }
        Err(MoneyError::CurrencyMismatch {
            left: self.currency,
            right: other.currency,
        })
    }
}

impl Neg for Money {
    type Output = Self;

    fn neg(self) -> Self {
        if self.is_zero() {
            return self;
        }
        Self {
            amount: -self.amount,
            ..self
        }
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.amount, self.currency)
    }
}

impl fmt::Debug for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

text_enum! {
    /// What happens to a tie. `HalfUp` goes away from zero (CGST Act s.170: fifty paise and more go up).
    RoundingMode { HalfUp, HalfEven }
}

/// The decimal as an exact rational.
pub fn exact(value: Decimal) -> BigRational {
    BigRational::new(BigInt::from(value.mantissa()), power_of_ten(value.scale()))
}

/// The rational as a decimal, if it is one: 9/200 is, 1/3 is not.
pub fn to_decimal(value: &BigRational) -> Option<Decimal> {
    (0..=Decimal::MAX_SCALE).find_map(|scale| {
        let scaled = value * BigRational::from_integer(power_of_ten(scale));
        scaled.is_integer().then(|| decimal(&scaled.to_integer(), scale).ok())?
    })
}

/// Rounds an exact value to `scale` decimals.
pub fn round(value: &BigRational, scale: u32, mode: RoundingMode) -> Result<Decimal, MoneyError> {
    let scaled = value * BigRational::from_integer(power_of_ten(scale));
    decimal(&to_integer(&scaled, mode), scale)
}

/// Rounds an exact value to a multiple of a positive step, e.g. to whole rupees or to 0.05.
pub fn round_to_multiple(value: &BigRational, step: Decimal, mode: RoundingMode) -> Result<Decimal, MoneyError> {
    if step <= Decimal::ZERO {
        return Err(MoneyError::OutOfRange);
    }
    let steps = BigRational::from_integer(to_integer(&(value / exact(step)), mode));
    to_decimal(&(steps * exact(step))).ok_or(MoneyError::OutOfRange)
}

/// Reads a decimal from text only; a number could have been through a binary float.
pub fn decimal_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Decimal, D::Error> {
    let text = String::deserialize(deserializer)?;
    Decimal::from_str_exact(&text).map_err(serde::de::Error::custom)
}

fn to_integer(value: &BigRational, mode: RoundingMode) -> BigInt {
    let floor = value.floor();
    let twice: BigRational = (value - &floor) * BigInt::from(2);
    let up = match twice.cmp(&BigRational::from_integer(BigInt::from(1))) {
        Ordering::Less => false,
        Ordering::Greater => true,
        Ordering::Equal => match mode {
            RoundingMode::HalfUp => *value > BigRational::zero(),
            RoundingMode::HalfEven => floor.to_integer().bit(0),
        },
    };
    floor.to_integer() + i32::from(up)
}

fn decimal(units: &BigInt, scale: u32) -> Result<Decimal, MoneyError> {
    let units = units.to_i128().ok_or(MoneyError::OutOfRange)?;
    Decimal::try_from_i128_with_scale(units, scale).map_err(|_| MoneyError::OutOfRange)
}

fn power_of_ten(exponent: u32) -> BigInt {
    BigInt::from(10).pow(exponent)
}

#[cfg(test)]
#[path = "money_tests.rs"]
mod tests;
