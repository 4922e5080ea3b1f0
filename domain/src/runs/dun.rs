use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::dunning;
use crate::kernel::db::TenantDb;
use crate::kernel::error::Result;
use crate::kernel::event::Job;

/// Asks for the day's look at promises and reminders.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DunDue {
    pub date: NaiveDate,
}

impl Job for DunDue {
    const KIND: &'static str = "dunning.remind";

    fn dedup_key(&self) -> Option<String> {
        Some(self.date.to_string())
    }
}

const BATCH: i64 = 500;

/// Judges the promises whose last day has passed, then reminds of what is at a step of the ladder, as of today: a job that
/// comes days late says what is so now. Doing it again changes nothing.
pub async fn dun(db: &TenantDb) -> Result<()> {
    loop {
        let over = db.read(async move |tx| dunning::over(tx, BATCH).await).await?;
        for id in over.iter().copied() {
            db.write(async move |tx| dunning::judge(tx, id).await).await?;
        }
        if over.is_empty() {
            break;
        }
    }
    let mut after = None;
    loop {
        after = db.write(async move |tx| dunning::remind(tx, after, BATCH).await).await?;
        if after.is_none() {
            return Ok(());
        }
    }
}
