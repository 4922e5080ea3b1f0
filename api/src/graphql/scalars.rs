//! Strict scalars: exactly the texts that the contract names.

use std::str::FromStr;

use async_graphql::{
    InputObject, InputType, InputValueError, InputValueResult, MaybeUndefined, Scalar, ScalarType, SimpleObject, Value,
};
use chrono::{NaiveDate, SecondsFormat, Utc};
use trunkline_domain::kernel::money::{Currency, Money as DomainMoney};
use trunkline_domain::kernel::patch::Patch;

fn text<T: InputType>(value: &Value) -> Result<&str, InputValueError<T>> {
    match value {
        Value::String(s) => Ok(s),
        _ => Err(InputValueError::custom("must be a string")),
    }
}

/// RFC 3339 instant in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DateTime(pub chrono::DateTime<Utc>);

/// RFC 3339 instant in UTC.
#[Scalar(name = "DateTime")]
impl ScalarType for DateTime {
    fn parse(value: Value) -> InputValueResult<Self> {
        let text = text(&value)?;
        let parsed = chrono::DateTime::parse_from_rfc3339(text)
            .map_err(|_| InputValueError::custom("must be an RFC 3339 instant, such as 2026-04-01T00:00:00Z"))?;
        let utc = parsed.with_timezone(&Utc);
        let sane = (1970..=9999).contains(&chrono::Datelike::year(&utc));
        if sane {
            Ok(Self(utc))
        } else {
            Err(InputValueError::custom("is out of range"))
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_rfc3339_opts(SecondsFormat::AutoSi, true))
    }
}

/// Calendar date in the tenant's own time zone, YYYY-MM-DD.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date(pub NaiveDate);

/// Calendar date in the tenant's own time zone, YYYY-MM-DD.
#[Scalar(name = "Date")]
impl ScalarType for Date {
    fn parse(value: Value) -> InputValueResult<Self> {
        let text = text(&value)?;
        let shaped = text.len() == 10;
        let parsed = NaiveDate::parse_from_str(text, "%Y-%m-%d")
            .ok()
            .filter(|d| shaped && (1970..=9999).contains(&chrono::Datelike::year(d)));
        parsed
            .map(Self)
            .ok_or_else(|| InputValueError::custom("must be a calendar date, such as 2026-04-01"))
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.format("%Y-%m-%d").to_string())
    }
}

/// Both ends inclusive; at most 800 days.
#[derive(Clone, Copy, InputObject)]
pub struct DateRange {
    /// The first day.
    pub from: Date,
    /// The last day, included.
    pub to: Date,
}

/// Exact decimal as a string, at most 15 digits before and 4 after the point, e.g. "1180.00". A JSON number is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decimal(pub rust_decimal::Decimal);

/// Exact decimal as a string, at most 15 digits before and 4 after the point, e.g. "1180.00". A JSON number is refused.
#[Scalar(name = "Decimal")]
impl ScalarType for Decimal {
    fn parse(value: Value) -> InputValueResult<Self> {
        const SHAPE: &str = "must be a decimal in a string, at most 15 digits before and 4 after the point, such as \"1180.00\"";
        let text = text(&value)?;
        let digits = text.strip_prefix('-').unwrap_or(text);
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
        let all_digits = |s: &str, max: usize| (1..=max).contains(&s.len()) && s.bytes().all(|b| b.is_ascii_digit());
        if !all_digits(whole, 15) || !all_digits(fraction, 4) {
            return Err(InputValueError::custom(SHAPE));
        }
        rust_decimal::Decimal::from_str(text)
            .map(Self)
            .map_err(|_| InputValueError::custom(SHAPE))
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// ISO 4217 alphabetic code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CurrencyCode(pub Currency);

/// ISO 4217 alphabetic code.
#[Scalar(name = "CurrencyCode")]
impl ScalarType for CurrencyCode {
    fn parse(value: Value) -> InputValueResult<Self> {
        text(&value)?
            .parse()
            .map(Self)
            .map_err(|_| InputValueError::custom("must be an ISO 4217 code, such as INR"))
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.code().to_owned())
    }
}

/// A whole number as a string, for counts beyond 2^31.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BigInt(pub i64);

/// A whole number as a string, for counts beyond 2^31.
#[Scalar(name = "BigInt")]
impl ScalarType for BigInt {
    fn parse(value: Value) -> InputValueResult<Self> {
        let text = text(&value)?;
        let canonical = text.strip_prefix('-').unwrap_or(text).bytes().all(|b| b.is_ascii_digit());
        text.parse()
            .ok()
            .filter(|_| canonical)
            .map(Self)
            .ok_or_else(|| InputValueError::custom("must be a whole number in a string"))
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// Arbitrary JSON object.
#[derive(Clone, Debug, PartialEq)]
pub struct Json(pub serde_json::Value);

/// Arbitrary JSON object.
#[Scalar(name = "JSON")]
impl ScalarType for Json {
    fn parse(value: Value) -> InputValueResult<Self> {
        Ok(Self(value.into_json()?))
    }

    fn to_value(&self) -> Value {
        Value::from_json(self.0.clone()).unwrap_or(Value::Null)
    }
}

/// Hyphenated or simple hexadecimal UUID (RFC 9562).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uuid(pub uuid::Uuid);

/// Hyphenated or simple hexadecimal UUID (RFC 9562).
#[Scalar(name = "UUID")]
impl ScalarType for Uuid {
    fn parse(value: Value) -> InputValueResult<Self> {
        uuid::Uuid::try_parse(text(&value)?)
            .map(Self)
            .map_err(|_| InputValueError::custom("must be a UUID"))
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// An amount of one currency.
#[derive(SimpleObject, Clone, Copy)]
pub struct Money {
    /// The exact amount, at the currency's scale.
    pub amount: Decimal,
    /// What it is counted in.
    pub currency: CurrencyCode,
}

impl From<DomainMoney> for Money {
    fn from(m: DomainMoney) -> Self {
        Self {
            amount: Decimal(m.amount()),
            currency: CurrencyCode(m.currency()),
        }
    }
}

/// A field of an update input: absent is left as it is, null clears it.
pub fn patch<T, U>(field: MaybeUndefined<T>, map: impl FnOnce(T) -> U) -> Patch<U> {
    match field {
        MaybeUndefined::Undefined => Patch::Keep,
        MaybeUndefined::Null => Patch::Clear,
        MaybeUndefined::Value(v) => Patch::Set(map(v)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(v: Value) -> Option<String> {
        <Decimal as ScalarType>::parse(v).ok().map(|d| d.0.to_string())
    }

    #[test]
    fn decimals_are_strict_strings() {
        for good in ["0", "1180.00", "-5.5", "999999999999999.9999"] {
            assert_eq!(decimal(Value::from(good)).as_deref(), Some(good));
        }
        for bad in [
            "",
            ".5",
            "5.",
            "1e3",
            "+1",
            "1,000",
            "1.00001",
            "1000000000000000",
            " 1",
            "NaN",
            "--1",
        ] {
            assert_eq!(decimal(Value::from(bad)), None, "{bad}");
        }
        assert_eq!(decimal(Value::from(1180)), None);
    }

    #[test]
    fn dates_exist_and_are_written_in_full() {
        for bad in ["2026-02-30", "2026-2-3", "26-01-01", "2026-01-01T00:00:00Z", "+12026-01-01"] {
            assert!(<Date as ScalarType>::parse(Value::from(bad)).is_err(), "{bad}");
        }
        assert!(<Date as ScalarType>::parse(Value::from("2028-02-29")).is_ok());
    }
}
