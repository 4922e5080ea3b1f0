use std::sync::Arc;

use chrono::{NaiveDate, TimeDelta};
use serde::{Deserialize, Serialize};

use crate::kernel::Actor;
use crate::kernel::db::{Database, TenantDb};
use crate::kernel::error::Result;
use crate::kernel::event::Job;

/// Months of RADIUS partitions that stand ready.
const MONTHS_AHEAD: i32 = 4;

/// Idempotency keys are kept for so many days, as the API promises.
const KEYS_ARE_KEPT: TimeDelta = TimeDelta::days(30);
/// Rows that one transaction deletes.
const BATCH: i64 = 5_000;

/// Asks for one ISP's keys that have served their time to be forgotten.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ForgetKeys {
    pub date: NaiveDate,
}

impl Job for ForgetKeys {
    const KIND: &'static str = "upkeep.forget_keys";

    fn dedup_key(&self) -> Option<String> {
        Some(self.date.to_string())
    }
}

/// Deletes one ISP's idempotency keys that are older than promised.
pub async fn forget_keys(db: &TenantDb) -> Result<()> {
    loop {
        let gone = db.write(async |tx| {
            tx.sql(
                "DELETE FROM idempotency WHERE ctid = ANY (ARRAY(SELECT ctid FROM idempotency WHERE created_at < $1 LIMIT $2))",
            )
            .bind(tx.now() - KEYS_ARE_KEPT)
            .bind(BATCH)
            .run()
            .await
        });
        if gone.await? < BATCH.unsigned_abs() {
            return Ok(());
        }
    }
}

#[derive(sea_orm::FromQueryResult)]
struct Swept {
    orphans: i64,
    backlog: bool,
}

/// What the shared tables need every minute: RADIUS partitions ahead of time, sessions closed whose router fell silent, the
/// platform's own idempotency keys forgotten.
pub async fn upkeep(database: &Database) -> Result<()> {
    let tx = database.begin_platform(Arc::new(Actor::System)).await?;
    tx.sql("DELETE FROM platform.idempotency WHERE created_at < $1")
        .bind(tx.now() - KEYS_ARE_KEPT)
        .run()
        .await?;
    tx.sql("SELECT radius.ensure_partitions($1::date, $2)")
        .bind(tx.now().date_naive())
        .bind(MONTHS_AHEAD)
        .scalar::<i32>()
        .await?;
    tx.commit().await?;
    loop {
        let tx = database.begin_platform(Arc::new(Actor::System)).await?;
        let swept: Swept = tx.sql("SELECT orphans, backlog FROM radius.sweep()").one().await?;
        tx.commit().await?;
        if swept.orphans > 0 {
            tracing::warn!(orphans = swept.orphans, "accounting records without a partition");
        }
        if !swept.backlog {
            return Ok(());
        }
    }
}
