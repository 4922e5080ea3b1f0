//! The tax arithmetic: given which taxes a line bears, how much they are.
//!
//! Every component is computed from its own base and rounded by itself, never split out of a rounded sum
//! (CGST and SGST are taxes under two Acts, each at its own rate).

use chrono::NaiveDate;
use num_rational::BigRational;
use num_traits::{One, Zero};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::steps::Steps;
use super::tax_rules::{BuyerClass, InclusiveMethod, Place, Registration};
use crate::kernel::money::{Money, MoneyError, decimal_text, exact, to_decimal};
use crate::kernel::text_enum;

text_enum! {
    /// Where tax is rounded: each line's by itself, or once an invoice over the bases of one tax and rate.
    TaxLevel { Line, Invoice }
}

/// A tax that a line bears.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AppliedTax {
    pub name: String,
    #[serde(deserialize_with = "decimal_text")]
    pub percent: Decimal,
    /// Earlier taxes of the line that belong to the base.
    pub on: Vec<String>,
}

/// How a line is taxed and why. Kept with the line: a credit note is taxed by the original line's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaxTreatment {
    pub rules_version: String,
    pub code: String,
    pub date: NaiveDate,
    pub place: Place,
    pub registration: Option<Registration>,
    pub buyer: BuyerClass,
    /// Whether the buyer has a tax id, where the rules ask for that.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub registered: bool,
    pub inclusive_method: InclusiveMethod,
    /// In the order of computation.
    pub taxes: Vec<AppliedTax>,
    /// What a reader should know, e.g. why no tax is charged.
    pub notes: Vec<String>,
}

/// An amount of one tax.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaxAmount {
    pub name: String,
    /// Percent, e.g. "9".
    #[serde(deserialize_with = "decimal_text")]
    pub rate: Decimal,
    pub base: Money,
    pub amount: Money,
}

/// A line's amount with its taxes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taxed {
    pub taxable: Money,
    pub taxes: Vec<TaxAmount>,
    /// What a tax-inclusive price leaves over: price − taxable − taxes.
    pub residual: Money,
}

/// The base of one tax and rate over an invoice's lines so far.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CarriedBase {
    pub name: String,
    #[serde(deserialize_with = "decimal_text")]
    pub rate: Decimal,
    pub base: Money,
}

/// Rounds taxes at their level. At invoice level a line bears what its base adds to the rounded tax of all
/// lines so far: the lines' taxes sum to the invoice's, which is rounded once.
#[derive(Clone, Debug)]
pub struct TaxPool {
    level: TaxLevel,
    carried: Vec<CarriedBase>,
}

impl TaxPool {
    pub fn new(level: TaxLevel) -> Self {
        Self::resume(level, Vec::new())
    }

    /// As it was before some line, for replaying it.
    pub fn resume(level: TaxLevel, carried: Vec<CarriedBase>) -> Self {
        Self { level, carried }
    }

    pub fn level(&self) -> TaxLevel {
        self.level
    }

    /// The bases of the lines so far; none at line level.
    pub fn carried(&self) -> &[CarriedBase] {
        &self.carried
    }

    fn tax(&mut self, tax: &AppliedTax, base: Money, parts: &[Money], steps: &mut Steps) -> Result<Money, MoneyError> {
        let before = self.add(tax, base)?;
        let exact_before = percent(before.exact(), tax.percent);
        let value = &exact_before + percent(base.exact(), tax.percent);
        let mut terms: Vec<_> = parts.iter().map(|part| part.amount().to_string()).collect();
        if !before.is_zero() {
            terms.insert(0, before.amount().to_string());
        }
        let sum = match terms.as_slice() {
            [only] => only.clone(),
            _ => format!("({})", terms.join(" + ")),
        };
        let expr = format!("{sum} * {}%", tax.percent);
        let rounded = steps.round(&tax.name, expr, &value, base.currency())?;
        rounded.checked_sub(Money::from_exact(&exact_before, base.currency(), steps.mode())?)
    }

    /// Adds to the tax's base and answers what it was before: always zero at line level.
    fn add(&mut self, tax: &AppliedTax, base: Money) -> Result<Money, MoneyError> {
        let zero = Money::zero(base.currency());
        if self.level == TaxLevel::Line {
            return Ok(zero);
        }
        let same = |c: &&mut CarriedBase| c.name == tax.name && c.rate == tax.percent;
        if let Some(carried) = self.carried.iter_mut().find(same) {
            let before = carried.base;
            carried.base = before.checked_add(base)?;
            return Ok(before);
        }
        self.carried.push(CarriedBase {
            name: tax.name.clone(),
            rate: tax.percent,
            base,
        });
        Ok(zero)
    }
}

impl TaxTreatment {
    /// Taxes an amount, which contains the tax if `inclusive`.
    pub fn compute(&self, amount: Money, inclusive: bool, pool: &mut TaxPool, steps: &mut Steps) -> Result<Taxed, MoneyError> {
        if !inclusive || self.taxes.is_empty() {
            let taxes = self.forward(amount, pool, steps)?;
            let residual = Money::zero(amount.currency());
            return Ok(Taxed {
                taxable: amount,
                taxes,
                residual,
            });
        }
        match self.inclusive_method {
            InclusiveMethod::ForwardWithRoundOff => self.with_round_off(amount, pool, steps),
            InclusiveMethod::TopDownResidual => self.top_down(amount, steps),
        }
    }

    fn forward(&self, net: Money, pool: &mut TaxPool, steps: &mut Steps) -> Result<Vec<TaxAmount>, MoneyError> {
        let mut taxes: Vec<TaxAmount> = Vec::with_capacity(self.taxes.len());
        for tax in &self.taxes {
            let mut parts = vec![net];
            parts.extend(named(&taxes, &tax.on));
            let base = Money::sum(parts.iter().copied(), net.currency())?;
            let amount = pool.tax(tax, base, &parts, steps)?;
            taxes.push(TaxAmount {
                name: tax.name.clone(),
                rate: tax.percent,
                base,
                amount,
            });
        }
        Ok(taxes)
    }

    fn with_round_off(&self, gross: Money, pool: &mut TaxPool, steps: &mut Steps) -> Result<Taxed, MoneyError> {
        let multiplier = multiplier(&self.factors());
        let divisor = to_decimal(&multiplier).map_or(multiplier.to_string(), |d| d.to_string());
        let expr = format!("{} / {divisor}", gross.amount());
        let value = gross.exact() / multiplier;
        let taxable = steps.round("taxable", expr, &value, gross.currency())?;
        let taxes = self.forward(taxable, pool, steps)?;
        let with_tax = Money::sum(taxes.iter().map(|tax| tax.amount), gross.currency())?.checked_add(taxable)?;
        Ok(Taxed {
            taxable,
            taxes,
            residual: gross.checked_sub(with_tax)?,
        })
    }

    /// Fixed by the line's own price at either level: the advertised price contains exactly these taxes.
    fn top_down(&self, gross: Money, steps: &mut Steps) -> Result<Taxed, MoneyError> {
        let factors = self.factors();
        let mut remaining = gross;
        let mut amounts = Vec::with_capacity(self.taxes.len());
        for (index, tax) in self.taxes.iter().enumerate().rev() {
            let share = &factors[index] / multiplier(&factors[..=index]);
            let value = remaining.exact() * &share;
            let expr = format!("{} * {}", remaining.amount(), self.share_text(tax, &share));
            let amount = steps.round(&tax.name, expr, &value, gross.currency())?;
            remaining = remaining.checked_sub(amount)?;
            amounts.push(amount);
        }
        amounts.reverse();
        let mut taxes: Vec<TaxAmount> = Vec::with_capacity(amounts.len());
        for (tax, amount) in self.taxes.iter().zip(amounts) {
            let base = Money::sum(named(&taxes, &tax.on), gross.currency())?;
            taxes.push(TaxAmount {
                name: tax.name.clone(),
                rate: tax.percent,
                base: base.checked_add(remaining)?,
                amount,
            });
        }
        Ok(Taxed {
            taxable: remaining,
            taxes,
            residual: Money::zero(gross.currency()),
        })
    }

    /// "16/116" where the tax is on all that remains, as people write it.
    fn share_text(&self, tax: &AppliedTax, share: &BigRational) -> String {
        let whole = tax.percent + Decimal::ONE_HUNDRED;
        if *share == exact(tax.percent) / exact(whole) {
            return format!("{}/{whole}", tax.percent);
        }
        share.to_string()
    }

    /// Each tax as a multiple of the net amount.
    fn factors(&self) -> Vec<BigRational> {
        let mut factors: Vec<BigRational> = Vec::with_capacity(self.taxes.len());
        for tax in &self.taxes {
            let included = (self.taxes.iter().zip(&factors))
                .filter(|(earlier, _)| tax.on.contains(&earlier.name))
                .fold(BigRational::one(), |sum, (_, factor)| sum + factor);
            factors.push(percent(included, tax.percent));
        }
        factors
    }
}

/// The sums of taxes by name and rate, in the order of their first appearance.
pub fn aggregate<'a>(taxes: impl IntoIterator<Item = &'a TaxAmount>) -> Result<Vec<TaxAmount>, MoneyError> {
    let mut sums: Vec<TaxAmount> = Vec::new();
    for tax in taxes {
        match (sums.iter_mut()).find(|sum| sum.name == tax.name && sum.rate == tax.rate) {
            Some(sum) => {
                sum.base = sum.base.checked_add(tax.base)?;
                sum.amount = sum.amount.checked_add(tax.amount)?;
            }
            None => sums.push(tax.clone()),
        }
    }
    Ok(sums)
}

fn named<'a>(taxes: &'a [TaxAmount], names: &'a [String]) -> impl Iterator<Item = Money> + 'a {
    (taxes.iter()).filter(|tax| names.contains(&tax.name)).map(|tax| tax.amount)
}

fn multiplier(factors: &[BigRational]) -> BigRational {
    factors.iter().fold(BigRational::one(), |sum, factor| sum + factor)
}

fn percent(value: BigRational, percent: Decimal) -> BigRational {
    if percent.is_zero() {
        return BigRational::zero();
    }
    value * exact(percent) / exact(Decimal::ONE_HUNDRED)
}

#[cfg(test)]
#[path = "tax_tests.rs"]
mod tests;
