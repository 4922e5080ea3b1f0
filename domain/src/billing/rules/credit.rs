//! What a credit note takes back of an invoice's lines: taxed as the line was charged, never more than is left of it.

use num_rational::BigRational;
use num_traits::Zero;
use serde::{Deserialize, Serialize};

use super::invoice_math::{Charge, Discount, Explanation, LineError, compute_line};
use super::periods::DayShare;
use super::proration::prorate;
use super::steps::{Step, Steps};
use super::tax::{CarriedBase, TaxAmount, TaxPool, Taxed};
use crate::kernel::money::{Money, MoneyError, RoundingMode};

/// Why nothing can be credited.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CreditError {
    #[error(transparent)]
    Line(#[from] LineError),
    #[error(transparent)]
    Money(#[from] MoneyError),
    #[error("only {left} is left of the line")]
    MoreThanLeft { left: Money },
    #[error("the amount must be more than nothing")]
    NotPositive,
    #[error("the line does not charge days")]
    NoDays,
    #[error("the lines are taxed in different ways")]
    TaxedDifferently,
}

/// Amounts of an invoice's line, or what is left of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LineAmounts {
    /// Tax excluded.
    pub amount: Money,
    /// In the order in which the line bears them.
    pub taxes: Vec<TaxAmount>,
    /// Of what a tax-inclusive price left over.
    pub residual: Money,
}

impl LineAmounts {
    /// All of it, tax included.
    pub fn total(&self) -> Result<Money, MoneyError> {
        let taxes = Money::sum(self.taxes.iter().map(|tax| tax.amount), self.amount.currency())?;
        self.amount.checked_add(taxes)?.checked_add(self.residual)
    }

    /// What remains when a credit note has taken `credited`.
    pub fn less(&self, credited: &Self) -> Result<Self, MoneyError> {
        let taxes = (self.taxes.iter().zip(&credited.taxes)).map(|(tax, gone)| {
            Ok(TaxAmount {
                base: tax.base.checked_sub(gone.base)?,
                amount: tax.amount.checked_sub(gone.amount)?,
                ..tax.clone()
            })
        });
        Ok(Self {
            amount: self.amount.checked_sub(credited.amount)?,
            taxes: taxes.collect::<Result<_, MoneyError>>()?,
            residual: self.residual.checked_sub(credited.residual)?,
        })
    }

    /// Whether nothing is left.
    pub fn is_nothing(&self) -> bool {
        self.amount.is_zero() && self.residual.is_zero() && self.taxes.iter().all(|tax| tax.amount.is_zero())
    }
}

/// What is to be credited of a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "SCREAMING_SNAKE_CASE", deny_unknown_fields)]
pub enum LineCredit {
    /// All that is left, taxes to the last minor unit.
    AllLeft,
    /// So much, tax excluded.
    Amount { amount: Money },
    /// The price of these days, out of the days of the full period; `price` where they do not stand at the line's own.
    Days { share: DayShare, price: Option<Money> },
    /// What these days cost less when a full period costs so much less: a cheaper plan from then on.
    Cheaper { share: DayShare, by: Money },
}

/// Why a credit note's line is what it is: all that it was computed from. [`replay_credit`] computes it again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreditExplanation {
    /// The explanation of the invoice's line.
    pub of: Explanation,
    /// What was left of that line.
    pub left: LineAmounts,
    pub credit: LineCredit,
    /// With taxes rounded at invoice level: the bases of the note's lines before this one.
    pub carried: Vec<CarriedBase>,
    pub steps: Vec<Step>,
}

/// A line of a credit note; all amounts positive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreditedLine {
    pub amounts: LineAmounts,
    pub explanation: CreditExplanation,
}

/// Computes a line again from its explanation; the result equals the line that was issued.
pub fn replay_credit(explanation: &CreditExplanation) -> Result<CreditedLine, CreditError> {
    let mut pool = TaxPool::resume(explanation.of.tax_level, explanation.carried.clone());
    let CreditExplanation { of, left, credit, .. } = explanation.clone();
    credit_line(of, left, credit, &mut pool)
}

/// Computes a line of a credit note, after those that `pool` has seen. What is asked for by days and would exceed what is
/// left takes what is left.
pub fn credit_line(
    of: Explanation,
    left: LineAmounts,
    credit: LineCredit,
    pool: &mut TaxPool,
) -> Result<CreditedLine, CreditError> {
    let mut steps = Steps::new(of.rounding_mode);
    let carried = pool.carried().to_vec();
    let asked = match &credit {
        LineCredit::AllLeft => None,
        LineCredit::Amount { amount } => Some(by_amount(&of, &left, *amount, pool, &mut steps)?),
        LineCredit::Days { share, price } => Some(by_days(&of, *share, *price, pool, &mut steps)?),
        LineCredit::Cheaper { share, by } => Some(by_days(&of, *share, Some(*by), pool, &mut steps)?),
    };
    let amounts = match asked {
        Some(asked) if asked.taxable.minor_units() < left.amount.minor_units() => at_most(asked, &left)?,
        _ => left.clone(),
    };
    let steps = steps.into_list();
    let explanation = CreditExplanation {
        of,
        left,
        credit,
        carried,
        steps,
    };
    Ok(CreditedLine { amounts, explanation })
}

fn by_amount(
    of: &Explanation,
    left: &LineAmounts,
    amount: Money,
    pool: &mut TaxPool,
    steps: &mut Steps,
) -> Result<Taxed, CreditError> {
    if !amount.is_positive() {
        return Err(CreditError::NotPositive);
    }
    if left.amount.checked_sub(amount)?.is_negative() {
        return Err(CreditError::MoreThanLeft { left: left.amount });
    }
    Ok(of.line.treatment.compute(amount, false, pool, steps)?)
}

/// As the line itself was computed, with these days in place of its own.
fn by_days(
    of: &Explanation,
    share: DayShare,
    price: Option<Money>,
    pool: &mut TaxPool,
    steps: &mut Steps,
) -> Result<Taxed, CreditError> {
    let mut line = of.line.clone();
    let Charge::Period {
        price: full,
        days: Some(charged),
        ..
    } = &mut line.charge
    else {
        return Err(CreditError::NoDays);
    };
    if let Some(Discount::Amount { amount }) = &mut line.discount {
        // It was off all the days that the line charges.
        let part = DayShare::new(share.charged() * charged.total(), share.total() * charged.charged().max(1));
        *amount = prorate(*amount, part.map_err(|_| CreditError::NoDays)?, "discount of the days", steps)?;
    }
    (*full, *charged) = (price.unwrap_or(*full), share);
    let computed = compute_line(line, of.currency, of.rounding_mode, pool)?;
    steps.extend(computed.explanation.steps);
    Ok(Taxed {
        taxable: computed.amount,
        taxes: computed.taxes,
        residual: computed.residual,
    })
}

/// Rounding may have made a part of a tax larger than what is left of it.
fn at_most(asked: Taxed, left: &LineAmounts) -> Result<LineAmounts, MoneyError> {
    let taxes = asked.taxes.into_iter().zip(&left.taxes).map(|(tax, left)| {
        Ok(TaxAmount {
            base: tax.base.at_most(left.base)?,
            amount: tax.amount.at_most(left.amount)?,
            ..tax
        })
    });
    Ok(LineAmounts {
        amount: asked.taxable,
        taxes: taxes.collect::<Result<_, MoneyError>>()?,
        residual: asked.residual,
    })
}

/// Shares an amount, tax excluded, over lines in proportion to what is left of each: to the last minor unit, and never more
/// than is left. Only lines that bear the same taxes can share one.
pub fn in_proportion(amount: Money, lines: &[(&Explanation, &LineAmounts)]) -> Result<Vec<Option<Money>>, CreditError> {
    let currency = amount.currency();
    let left = Money::sum(lines.iter().map(|(_, left)| left.amount), currency)?;
    if !amount.is_positive() {
        return Err(CreditError::NotPositive);
    }
    if left.checked_sub(amount)?.is_negative() {
        return Err(CreditError::MoreThanLeft { left });
    }
    let with_rest = lines.iter().filter(|(_, left)| !left.is_nothing());
    let mut treatments = with_rest.map(|(of, _)| &of.line.treatment);
    let first = treatments.next().map(|t| &t.taxes);
    if treatments.any(|t| Some(&t.taxes) != first) {
        return Err(CreditError::TaxedDifferently);
    }
    // Rounded sums so far, less those before: the parts sum to the amount.
    let (mut sum, mut given) = (BigRational::zero(), Money::zero(currency));
    let mut parts = Vec::with_capacity(lines.len());
    for (_, line) in lines {
        sum += line.amount.exact() * amount.exact() / left.exact();
        let until = Money::from_exact(&sum, currency, RoundingMode::HalfUp)?;
        let part = until.checked_sub(given)?;
        given = until;
        parts.push(part.is_positive().then_some(part));
    }
    Ok(parts)
}

#[cfg(test)]
#[path = "credit_tests.rs"]
mod tests;
