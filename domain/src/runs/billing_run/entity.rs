use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use sea_orm::FromQueryResult;

use crate::kernel::error::{Error, Result};
use crate::kernel::ids::{BillingRunId, ServiceId};
use crate::kernel::money::{Currency, Money};
use crate::kernel::text_enum;

text_enum! {
    /// Where a piece of work stands that takes its time.
    OperationStatus { Queued, Running, Succeeded, Failed, Cancelled }
}

/// A billing run.
#[derive(Clone, Debug, PartialEq, FromQueryResult)]
pub struct BillingRun {
    pub id: BillingRunId,
    /// What is due by this day of the ISP's calendar.
    pub billing_date: NaiveDate,
    /// What it would issue was counted; nothing was written.
    pub dry_run: bool,
    pub status: OperationStatus,
    pub requested_at: DateTime<Utc>,
    pub started_at: Option<DateTime<Utc>>,
    pub finished_at: Option<DateTime<Utc>>,
    /// How many services there were to look at when it began.
    pub services_due: i32,
    pub services_considered: i32,
    pub invoices_issued: i32,
    pub currency: String,
    /// What the invoices come to.
    pub total: Decimal,
}

impl BillingRun {
    pub fn total(&self) -> Result<Money> {
        let currency: Currency = self.currency.parse().map_err(Error::internal)?;
        Money::new(self.total, currency).map_err(Error::internal)
    }
}

/// A service that a run could not bring up to date.
#[derive(Clone, Debug, PartialEq, FromQueryResult)]
pub struct BillingFailure {
    pub service_id: ServiceId,
    pub code: String,
    pub message: String,
    pub failed_at: DateTime<Utc>,
    /// When a later run brought it up to date.
    pub resolved_at: Option<DateTime<Utc>>,
}
