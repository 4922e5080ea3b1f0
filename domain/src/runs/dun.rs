use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::hour::{self, Turn};
use crate::dunning;
use crate::kernel::db::TenantDb;
use crate::kernel::error::Result;
use crate::kernel::event::Job;

/// Asks for the day's look at promises and reminders.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DunDue {
    pub date: NaiveDate,
    /// It was put off until this hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hour: Option<u32>,
}

impl Job for DunDue {
    const KIND: &'static str = "dunning.remind";

    fn dedup_key(&self) -> Option<String> {
        Some(hour::key(self.date, self.hour))
    }
}

const BATCH: i64 = 500;

/// Judges the promises whose last day has passed, then reminds of what is at a step of the ladder, as of today: a job that
/// comes days late says what is so now. Doing it again changes nothing.
pub async fn dun(db: &TenantDb, job: DunDue) -> Result<()> {
    let turn = db
        .write(async move |tx| {
            let turn = hour::turn(tx, job.date, job.hour).await?;
            if let Turn::Later(hour, at) = turn {
                let hour = Some(hour);
                tx.enqueue(&DunDue { hour, ..job }, at).await?;
            }
            Ok(turn)
        })
        .await?;
    if turn != Turn::Now {
        return Ok(());
    }
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
