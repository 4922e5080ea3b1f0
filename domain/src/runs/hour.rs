//! The hour at which an ISP's daily work begins. Its jobs are asked for as the day begins, and put off until then.

use chrono::{DateTime, NaiveDate, Utc};

use crate::billing;
use crate::kernel::calendar::Zone;
use crate::kernel::db::TenantTx;
use crate::kernel::error::Result;

/// The hour, and when it begins on that date; None when it has begun.
pub(super) async fn still_to_come(tx: &TenantTx, date: NaiveDate) -> Result<Option<(u32, DateTime<Utc>)>> {
    let hour = billing::settings(tx).await?.settings.run_hour;
    let begins = Zone::from(tx.tenant().timezone()).hour_of_day(date, hour);
    Ok((tx.now() < begins).then_some((hour, begins)))
}

/// Tells a day's job from itself when it was put off.
pub(super) fn key(date: NaiveDate, hour: Option<u32>) -> String {
    match hour {
        Some(hour) => format!("{date} {hour}"),
        None => date.to_string(),
    }
}
