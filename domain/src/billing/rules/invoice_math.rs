//! From draft lines to an invoice's amounts, with the explanation from which each line can be computed again.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::periods::DayShare;
use super::proration::prorate;
use super::steps::{Step, Steps};
use super::tax::{CarriedBase, TaxAmount, TaxLevel, TaxPool, TaxTreatment, aggregate};
use crate::kernel::calendar::{Period, Zone};
use crate::kernel::money::{Currency, Money, MoneyError, RoundingMode, decimal_text, exact};

/// Why a line or an invoice has no amount.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    #[error(transparent)]
    Money(#[from] MoneyError),
    #[error("a discount is from nothing to the whole price")]
    Discount,
    #[error("the quantity must be positive")]
    Quantity,
    #[error("totals are rounded to a positive multiple")]
    RoundTo,
}

/// What is charged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "SCREAMING_SNAKE_CASE", deny_unknown_fields)]
pub enum Charge {
    /// A plan's price for a period, or for the days of it that are charged.
    Period {
        price: Money,
        /// So many pieces at that price.
        #[serde(default = "one", skip_serializing_if = "is_one")]
        units: u32,
        period: Period,
        /// None: the whole price (hours).
        days: Option<DayShare>,
    },
    /// So many units at a price, which may be finer than the minor unit.
    Units {
        #[serde(deserialize_with = "decimal_text")]
        quantity: Decimal,
        #[serde(deserialize_with = "decimal_text")]
        unit_price: Decimal,
        currency: Currency,
    },
}

fn one() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_one(units: &u32) -> bool {
    *units == 1
}

/// Known when the invoice is issued, hence no part of the taxable value (CGST Act s.15(3)(a)). It is in the
/// price's own terms: off a tax-inclusive price it is tax-inclusive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "SCREAMING_SNAKE_CASE", deny_unknown_fields)]
pub enum Discount {
    Percent {
        #[serde(deserialize_with = "decimal_text")]
        percent: Decimal,
    },
    Amount {
        amount: Money,
    },
    /// Those that were agreed for a service, each off what the ones before left.
    Agreed {
        parts: Vec<AgreedDiscount>,
    },
}

/// A discount with its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgreedDiscount {
    /// Opaque here.
    pub id: String,
    pub name: String,
    pub off: TakenOff,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "SCREAMING_SNAKE_CASE", deny_unknown_fields)]
pub enum TakenOff {
    Percent {
        #[serde(deserialize_with = "decimal_text")]
        percent: Decimal,
    },
    /// Off a full period's price; off the price of some of its days, their share. Never more than what is left.
    Amount { amount: Money },
}

/// Which version of a plan set the price; opaque here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanVersionRef {
    pub id: String,
    pub number: u32,
    /// Its free days, whose price is nothing, whatever its own is.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub free_trial: bool,
}

/// All that a line is computed from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DraftLine {
    pub charge: Charge,
    /// Whether the price already contains tax.
    pub inclusive: bool,
    pub discount: Option<Discount>,
    pub treatment: TaxTreatment,
    /// The zone in which days were counted.
    pub zone: Option<Zone>,
    pub plan_version: Option<PlanVersionRef>,
}

/// The tenant's settings that bear on arithmetic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvoicePolicy {
    pub currency: Currency,
    pub tax_level: TaxLevel,
    pub rounding_mode: RoundingMode,
    /// Totals are rounded to a multiple of this.
    pub round_to: Option<Decimal>,
}

/// Why a line is what it is: every input and every rounding. [`replay`] computes the line from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Explanation {
    pub line: DraftLine,
    pub currency: Currency,
    pub tax_level: TaxLevel,
    pub rounding_mode: RoundingMode,
    /// With taxes rounded at invoice level: the bases of the lines before this one.
    pub carried: Vec<CarriedBase>,
    pub steps: Vec<Step>,
}

/// A line's amounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComputedLine {
    pub quantity: Decimal,
    /// For reading: the price before proration and discount.
    pub unit_price: Decimal,
    pub discount: Money,
    /// Tax excluded, after discount.
    pub amount: Money,
    pub taxes: Vec<TaxAmount>,
    /// What a tax-inclusive price leaves over.
    pub residual: Money,
    pub explanation: Explanation,
}

/// An invoice's sums. `total` = `subtotal` + `tax_total` + `rounding`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvoiceTotals {
    pub subtotal: Money,
    pub discount: Money,
    /// By name and rate.
    pub taxes: Vec<TaxAmount>,
    pub tax_total: Money,
    /// The lines' residuals and the rounding of the total.
    pub rounding: Money,
    pub total: Money,
    /// The rounding of the total, if there is one.
    pub steps: Vec<Step>,
}

/// Lines in the order given, and their sums.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComputedInvoice {
    pub lines: Vec<ComputedLine>,
    pub totals: InvoiceTotals,
}

/// Computes a whole invoice or credit note.
pub fn compute_invoice(drafts: Vec<DraftLine>, policy: &InvoicePolicy) -> Result<ComputedInvoice, LineError> {
    let mut pool = TaxPool::new(policy.tax_level);
    let lines = (drafts.into_iter())
        .map(|draft| compute_line(draft, policy.currency, policy.rounding_mode, &mut pool))
        .collect::<Result<Vec<_>, _>>()?;
    let totals = total(&lines, policy)?;
    Ok(ComputedInvoice { lines, totals })
}

/// Computes a line again from its explanation; the result equals the line that was issued.
pub fn replay(explanation: &Explanation) -> Result<ComputedLine, LineError> {
    let mut pool = TaxPool::resume(explanation.tax_level, explanation.carried.clone());
    compute_line(
        explanation.line.clone(),
        explanation.currency,
        explanation.rounding_mode,
        &mut pool,
    )
}

pub(super) fn compute_line(
    line: DraftLine,
    currency: Currency,
    mode: RoundingMode,
    pool: &mut TaxPool,
) -> Result<ComputedLine, LineError> {
    let mut steps = Steps::new(mode);
    let carried = pool.carried().to_vec();
    let (quantity, unit_price, price) = price(&line.charge, &mut steps)?;
    let days = match &line.charge {
        Charge::Period { days, .. } => *days,
        Charge::Units { .. } => None,
    };
    let discount = discount(price, days, line.discount.as_ref(), &mut steps)?;
    let net = price.checked_sub(discount)?;
    if net.currency() != currency {
        return Err(LineError::Money(MoneyError::CurrencyMismatch {
            left: net.currency(),
            right: currency,
        }));
    }
    let taxed = (line.treatment).compute(net, line.inclusive, pool, &mut steps)?;
    Ok(ComputedLine {
        quantity,
        unit_price,
        discount,
        amount: taxed.taxable,
        taxes: taxed.taxes,
        residual: taxed.residual,
        explanation: Explanation {
            line,
            currency,
            tax_level: pool.level(),
            rounding_mode: mode,
            carried,
            steps: steps.into_list(),
        },
    })
}

/// Quantity, unit price and what they come to before discount.
fn price(charge: &Charge, steps: &mut Steps) -> Result<(Decimal, Decimal, Money), LineError> {
    match charge {
        Charge::Period { price, units, days, .. } => {
            let all = times(*price, *units)?;
            let due = match days {
                Some(share) => prorate(all, *share, "days charged", steps)?,
                None => all,
            };
            Ok((Decimal::from(*units), price.amount(), due))
        }
        Charge::Units {
            quantity,
            unit_price,
            currency,
        } => {
            if *quantity <= Decimal::ZERO {
                return Err(LineError::Quantity);
            }
            let value = exact(*quantity) * exact(*unit_price);
            let whole = quantity.checked_mul(*unit_price);
            let due = match whole.and_then(|whole| Money::new(whole, *currency).ok()) {
                Some(due) => due,
                None => {
                    let expr = format!("{quantity} * {unit_price}");
                    steps.round("quantity", expr, &value, *currency)?
                }
            };
            Ok((*quantity, *unit_price, due))
        }
    }
}

fn times(price: Money, units: u32) -> Result<Money, LineError> {
    let all = price.amount().checked_mul(Decimal::from(units));
    let all = all.ok_or(MoneyError::OutOfRange)?;
    match units {
        0 => Err(LineError::Quantity),
        _ => Ok(Money::new(all, price.currency())?),
    }
}

fn discount(price: Money, days: Option<DayShare>, discount: Option<&Discount>, steps: &mut Steps) -> Result<Money, LineError> {
    let off = match discount {
        None => return Ok(Money::zero(price.currency())),
        Some(Discount::Amount { amount }) => *amount,
        Some(Discount::Percent { percent }) => {
            let value = price.exact() * exact(*percent) / exact(Decimal::ONE_HUNDRED);
            let expr = format!("{} * {percent}%", price.amount());
            steps.round("discount", expr, &value, price.currency())?
        }
        Some(Discount::Agreed { parts }) => agreed(price, days, parts, steps)?,
    };
    if off.is_negative() || price.checked_sub(off)?.is_negative() {
        return Err(LineError::Discount);
    }
    Ok(off)
}

fn agreed(price: Money, days: Option<DayShare>, parts: &[AgreedDiscount], steps: &mut Steps) -> Result<Money, LineError> {
    let mut left = price;
    for part in parts {
        let label = format!("discount {}", part.name);
        let off = match (&part.off, days) {
            (TakenOff::Percent { percent }, _) => {
                let value = left.exact() * exact(*percent) / exact(Decimal::ONE_HUNDRED);
                steps.round(&label, format!("{} * {percent}%", left.amount()), &value, left.currency())?
            }
            (TakenOff::Amount { amount }, Some(share)) => prorate(*amount, share, &label, steps)?,
            (TakenOff::Amount { amount }, None) => *amount,
        };
        if off.is_negative() {
            return Err(LineError::Discount);
        }
        left = left.checked_sub(off.at_most(left)?)?;
    }
    Ok(price.checked_sub(left)?)
}

fn total(lines: &[ComputedLine], policy: &InvoicePolicy) -> Result<InvoiceTotals, LineError> {
    let currency = policy.currency;
    let sum = |of: fn(&ComputedLine) -> Money| Money::sum(lines.iter().map(of), currency);
    let subtotal = sum(|line| line.amount)?;
    let residual = sum(|line| line.residual)?;
    let taxes = aggregate(lines.iter().flat_map(|line| &line.taxes))?;
    let tax_total = Money::sum(taxes.iter().map(|tax| tax.amount), currency)?;
    let before = subtotal.checked_add(tax_total)?;
    let due = before.checked_add(residual)?;
    let mut steps = Steps::new(policy.rounding_mode);
    let total = match policy.round_to {
        None => due,
        Some(multiple) if multiple <= Decimal::ZERO => return Err(LineError::RoundTo),
        Some(multiple) => steps.round_to_multiple("total", due, multiple)?,
    };
    Ok(InvoiceTotals {
        subtotal,
        discount: sum(|line| line.discount)?,
        taxes,
        tax_total,
        rounding: total.checked_sub(before)?,
        total,
        steps: steps.into_list(),
    })
}

#[cfg(test)]
#[path = "invoice_math_tests.rs"]
mod tests;
