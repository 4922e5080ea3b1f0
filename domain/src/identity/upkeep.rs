use std::sync::Arc;

use chrono::{NaiveDate, TimeDelta};
use serde::{Deserialize, Serialize};

use super::keys;
use super::side::{Side, both};
use crate::kernel::actor::Actor;
use crate::kernel::db::{Database, TenantDb};
use crate::kernel::error::Result;
use crate::kernel::event::Job;

/// For how long sessions and one-time tokens that are over stay, so that what happened can be looked up.
const KEPT: TimeDelta = TimeDelta::days(7);
/// Messages to the platform's people that nobody sent.
const NOTICES_KEPT: TimeDelta = TimeDelta::days(30);

/// Removes what is over from one ISP, once a day.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PurgeSessions {
    /// The ISP's date.
    pub date: NaiveDate,
}

impl Job for PurgeSessions {
    const KIND: &'static str = "identity.purge";

    fn dedup_key(&self) -> Option<String> {
        Some(self.date.to_string())
    }
}

pub async fn purge_sessions(db: &TenantDb) -> Result<()> {
    db.write(async |tx| purge(Side::Tenant(tx)).await).await
}

/// Keeps signing keys fresh and removes what is over on the platform. Every minute, by whichever process runs jobs.
pub async fn upkeep(database: &Database) -> Result<()> {
    keys::keep(database).await?;
    let tx = database.begin_platform(Arc::new(Actor::System)).await?;
    purge(Side::Platform(&tx)).await?;
    tx.sql("DELETE FROM platform.sign_in_address WHERE window_ends < statement_timestamp()")
        .run()
        .await?;
    tx.sql("DELETE FROM platform.notice WHERE occurred_at < $1")
        .bind(tx.now() - NOTICES_KEPT)
        .run()
        .await?;
    tx.commit().await
}

async fn purge(side: Side<'_>) -> Result<()> {
    let before = side.now() - KEPT;
    both!(side, "DELETE FROM " session " WHERE least(ended_at, idle_until, expires_at) < $1")
        .bind(before)
        .run()
        .await?;
    both!(side, "DELETE FROM " one_time_token " WHERE expires_at < $1")
        .bind(before)
        .run()
        .await?;
    both!(side, "DELETE FROM " sign_in_failure " WHERE last_at < statement_timestamp() - interval '1 day'")
        .run()
        .await?;
    Ok(())
}
