//! The hour at which an ISP's daily work begins. Its jobs are asked for as the day begins, and put off until then.

use chrono::{DateTime, NaiveDate, Timelike as _, Utc};

use crate::billing;
use crate::kernel::calendar::Zone;
use crate::kernel::db::TenantTx;
use crate::kernel::error::Result;

/// When a day's job has its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Now,
    /// From that hour on, which begins then.
    Later(u32, DateTime<Utc>),
    /// That day it has none any more; another day's does its work.
    Never,
}

/// When a date's job has its turn that was put off until that hour before. While the platform has closed the ISP nothing is
/// charged and nobody is cut: the job looks again every hour of its day.
pub(super) async fn turn(tx: &TenantTx, date: NaiveDate, put_off: Option<u32>) -> Result<Turn> {
    if tx.tenant().ensure_open().is_err() {
        return Ok(next(tx, date).map_or(Turn::Never, |(hour, at)| Turn::Later(hour, at)));
    }
    let hour = billing::settings(tx).await?.settings.run_hour;
    let begins = Zone::from(tx.tenant().timezone()).hour_of_day(date, hour);
    // Once put off until that hour it is due, though clocks of different machines differ by a moment.
    match tx.now() < begins && put_off != Some(hour) {
        true => Ok(Turn::Later(hour, begins)),
        false => Ok(Turn::Now),
    }
}

/// The next hour of that date to begin, if it is today and one does.
pub(super) fn next(tx: &TenantTx, date: NaiveDate) -> Option<(u32, DateTime<Utc>)> {
    let hour = tx.now().with_timezone(&tx.tenant().timezone()).hour() + 1;
    let at = Zone::from(tx.tenant().timezone()).hour_of_day(date, hour);
    (date == tx.today() && hour < 24).then_some((hour, at))
}

/// Tells a day's job from itself when it was put off.
pub(super) fn key(date: NaiveDate, hour: Option<u32>) -> String {
    match hour {
        Some(hour) => format!("{date} {hour}"),
        None => date.to_string(),
    }
}
