use async_graphql::{Enum, InputObject, SimpleObject};
use trunkline_domain::plans;

use super::types::{Interval, IntervalInput};
use crate::graphql::scalars::Decimal;

/// What the end of a service before its minimum term costs.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "plans::ExitKind")]
pub enum EarlyEndCharge {
    /// An amount.
    Fixed,
    /// Of an amount, the share of the term's days that is left.
    Declining,
    /// So much of each hundred that the rest of the term would have cost.
    Remaining,
}

/// How long a new service is to last, and what its end before costs.
#[derive(SimpleObject)]
pub struct MinimumTerm {
    /// How long.
    pub length: Interval,
    /// How the charge is found.
    pub charge: EarlyEndCharge,
    /// An amount in the ISP's currency; with REMAINING a percentage.
    pub value: Decimal,
}

impl From<plans::MinimumTerm> for MinimumTerm {
    fn from(term: plans::MinimumTerm) -> Self {
        Self {
            length: Interval {
                unit: term.unit.into(),
                count: term.count,
            },
            charge: term.exit_kind.into(),
            value: Decimal(term.exit_value.normalize()),
        }
    }
}

/// How long a new service is to last, and what its end before costs.
#[derive(InputObject)]
pub struct MinimumTermInput {
    /// How long, from the first day that is charged; days, weeks, months or years.
    pub length: IntervalInput,
    /// How the charge is found.
    pub charge: EarlyEndCharge,
    /// An amount in the ISP's currency; with REMAINING a percentage.
    pub value: Decimal,
}

impl From<MinimumTermInput> for plans::MinimumTerm {
    fn from(input: MinimumTermInput) -> Self {
        Self {
            unit: input.length.unit.into(),
            count: input.length.count,
            exit_kind: input.charge.into(),
            exit_value: input.value.0,
        }
    }
}
