//! The record of roundings that explains an amount.

use num_rational::BigRational;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::kernel::money::{Currency, Money, MoneyError, RoundingMode, decimal_text, round, round_to_multiple};

/// One rounding: what was computed, exactly and rounded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// What the amount is, e.g. "CGST".
    pub label: String,
    /// The computation for reading, e.g. "799.00 * 9%".
    pub expr: String,
    /// The exact result as a reduced fraction, e.g. "7191/100".
    pub exact: String,
    #[serde(deserialize_with = "decimal_text")]
    pub rounded: Decimal,
    pub mode: RoundingMode,
}

/// Rounds and keeps account of it; the only way from an exact value to an amount in these rules.
#[derive(Clone, Debug)]
pub struct Steps {
    mode: RoundingMode,
    list: Vec<Step>,
}

impl Steps {
    pub fn new(mode: RoundingMode) -> Self {
        let list = Vec::new();
        Self { mode, list }
    }

    pub fn mode(&self) -> RoundingMode {
        self.mode
    }

    pub fn into_list(self) -> Vec<Step> {
        self.list
    }

    /// Takes over roundings that were made elsewhere.
    pub fn extend(&mut self, steps: Vec<Step>) {
        self.list.extend(steps);
    }

    /// Rounds to the currency's minor unit.
    pub fn round(&mut self, label: &str, expr: String, exact: &BigRational, currency: Currency) -> Result<Money, MoneyError> {
        let rounded = round(exact, currency.scale(), self.mode)?;
        self.record(label, expr, exact, rounded);
        Money::new(rounded, currency)
    }

    /// Rounds to a multiple, e.g. to whole rupees.
    pub fn round_to_multiple(&mut self, label: &str, amount: Money, multiple: Decimal) -> Result<Money, MoneyError> {
        let exact = amount.exact();
        let rounded = round_to_multiple(&exact, multiple, self.mode)?;
        let expr = format!("round({} to {multiple})", amount.amount());
        self.record(label, expr, &exact, rounded);
        Money::new(rounded, amount.currency())
    }

    fn record(&mut self, label: &str, expr: String, exact: &BigRational, rounded: Decimal) {
        self.list.push(Step {
            label: label.to_owned(),
            expr,
            exact: exact.to_string(),
            rounded,
            mode: self.mode,
        });
    }
}
