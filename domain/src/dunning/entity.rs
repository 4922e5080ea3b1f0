use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use sea_orm::FromQueryResult;

use super::rules::{Limits, PromiseLimits};
use crate::kernel::error::{Error, Result};
use crate::kernel::ids::{BrakeId, CollectionHoldId, PromiseId, SubscriberId};
use crate::kernel::money::Money;
use crate::kernel::text_enum;

text_enum! {
    /// Kept: all of it was paid, or credited. Broken: its last day passed and something is still due.
    PromiseStatus { Open, Kept, Broken, Cancelled }
    /// Why a run is stopped.
    BrakeReason { TooMany, UnmatchedPayments, CollectionHold }
}

/// What an ISP does about unpaid invoices, beside its billing settings.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Days from the due date, ascending; before it negative.
    pub reminders: Vec<i32>,
    pub promises: PromiseLimits,
    /// Whether subscribers may promise for themselves.
    pub promise_by_subscriber: bool,
    pub brake: Limits,
    /// Whether prepaid time that runs out counts for the brake, and is held by it.
    pub brake_prepaid: bool,
    pub version: i32,
}

/// Somebody's word to pay what is due by a day.
#[derive(Clone, Debug, PartialEq, FromQueryResult)]
pub struct Promise {
    pub id: PromiseId,
    /// Who pays.
    pub subscriber_id: SubscriberId,
    pub status: PromiseStatus,
    /// The last day.
    pub until: NaiveDate,
    /// What was due on its invoices when it was made.
    pub amount: Decimal,
    pub currency: String,
    pub note: Option<String>,
    pub by_subscriber: bool,
    pub created_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
}

impl Promise {
    pub fn amount(&self) -> Result<Money> {
        let currency = self.currency.parse().map_err(Error::internal)?;
        Money::new(self.amount, currency).map_err(Error::internal)
    }
}

/// A time in which nobody is cut for want of money.
#[derive(Clone, Debug, PartialEq, FromQueryResult)]
pub struct CollectionHold {
    pub id: CollectionHoldId,
    /// The gateway that is down, if one is.
    pub gateway: Option<String>,
    pub reason: String,
    /// Prepaid time does not run out either.
    pub prepaid: bool,
    pub until: DateTime<Utc>,
    pub created_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
}

/// A run that was stopped.
#[derive(Clone, Debug, PartialEq)]
pub struct Brake {
    pub id: BrakeId,
    pub reasons: Vec<BrakeReason>,
    pub suspensions: i32,
    pub subscribers: i32,
    pub terminations: i32,
    pub of_subscribers: i32,
    pub unmatched: i32,
    pub first_on: NaiveDate,
    pub last_on: NaiveDate,
    pub until: DateTime<Utc>,
    pub braked_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
    pub released_on: Option<NaiveDate>,
    pub release_reason: Option<String>,
}
