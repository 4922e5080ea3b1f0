use std::sync::Arc;

use crate::kernel::Actor;
use crate::kernel::db::Database;
use crate::kernel::error::Result;

/// Months of RADIUS partitions that stand ready.
const MONTHS_AHEAD: i32 = 4;

#[derive(sea_orm::FromQueryResult)]
struct Swept {
    orphans: i64,
    backlog: bool,
}

/// What the shared RADIUS tables need every minute: partitions ahead of time, and sessions closed whose router fell silent.
pub async fn upkeep(database: &Database) -> Result<()> {
    let tx = database.begin_platform(Arc::new(Actor::System)).await?;
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
