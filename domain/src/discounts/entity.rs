use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use sea_orm::FromQueryResult;
use serde::Serialize;

use crate::kernel::ids::{CouponId, ServiceDiscountId, ServiceId, SubscriberId};

/// What is taken off.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub enum Off {
    Percent(Decimal),
    /// Of a full period's price; of part of a period, its share.
    Amount(Decimal),
}

impl Off {
    fn of(percent: Option<Decimal>, amount: Option<Decimal>) -> Self {
        match (percent, amount) {
            (Some(percent), _) => Self::Percent(percent),
            (None, amount) => Self::Amount(amount.unwrap_or_default()),
        }
    }
}

/// What a discount is, wherever it comes from.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Terms {
    /// For people; stands in the explanation of each line.
    pub name: String,
    /// So much of each hundred; either this or `amount`.
    pub percent: Option<Decimal>,
    /// So much of a full period's price.
    pub amount: Option<Decimal>,
    /// Off the add-ons as well; only a percentage can be.
    pub with_addons: bool,
    /// None: for ever.
    pub periods: Option<i32>,
}

#[derive(Clone, Debug, PartialEq, FromQueryResult)]
pub struct Coupon {
    pub id: CouponId,
    pub code: String,
    pub name: String,
    percent: Option<Decimal>,
    amount: Option<Decimal>,
    pub currency: String,
    pub with_addons: bool,
    pub periods: Option<i32>,
    pub valid_from: Option<NaiveDate>,
    /// The last day on which it can be redeemed.
    pub valid_until: Option<NaiveDate>,
    pub max_total: Option<i32>,
    pub max_per_subscriber: Option<i32>,
    pub redeemed: i32,
    pub disabled_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
}

impl Coupon {
    pub fn off(&self) -> Off {
        Off::of(self.percent, self.amount)
    }

    pub fn terms(&self) -> Terms {
        Terms {
            name: self.name.clone(),
            percent: self.percent,
            amount: self.amount,
            with_addons: self.with_addons,
            periods: self.periods,
        }
    }
}

/// A discount that a service has.
#[derive(Clone, Debug, PartialEq, FromQueryResult)]
pub struct ServiceDiscount {
    pub id: ServiceDiscountId,
    pub service_id: ServiceId,
    pub subscriber_id: SubscriberId,
    pub coupon_id: Option<CouponId>,
    pub name: String,
    percent: Option<Decimal>,
    amount: Option<Decimal>,
    pub currency: String,
    pub with_addons: bool,
    pub periods: Option<i32>,
    /// The beginnings of the full periods for which it was given.
    pub used: Vec<DateTime<Utc>>,
    pub ended_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
}

impl ServiceDiscount {
    pub fn off(&self) -> Off {
        Off::of(self.percent, self.amount)
    }

    /// Whether it is given for a charge within the full period that begins then: while some of its periods are left, and
    /// within those for which it has been given.
    pub fn applies(&self, period_starts_at: DateTime<Utc>) -> bool {
        let left = match self.periods {
            None => true,
            Some(periods) => i64::try_from(self.used.len()).is_ok_and(|used| used < i64::from(periods)),
        };
        self.ended_at.is_none() && (left || self.used.contains(&period_starts_at))
    }

    /// Whether nothing more is to be expected of it.
    pub fn is_over(&self) -> bool {
        let used_up = self
            .periods
            .is_some_and(|n| i64::try_from(self.used.len()).is_ok_and(|used| used >= i64::from(n)));
        self.ended_at.is_some() || used_up
    }
}
