//! Pauses that were asked for: from a day on the service is off, until another, and goes on by itself then.

use chrono::{DateTime, NaiveDate, Utc};
use sea_orm::FromQueryResult;
use uuid::Uuid;

use super::events::{ServicePauseAsked, ServicePauseCancelled};
use crate::kernel::db::TenantTx;
use crate::kernel::error::Result;
use crate::kernel::ids::ServiceId;

/// The pause that a service is in or is to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pause {
    /// The first day without service.
    pub starts_on: NaiveDate,
    /// The day on which it goes on; None: when somebody says so.
    pub ends_on: Option<NaiveDate>,
}

/// A pause as it was asked for, and as it came about.
#[derive(Clone, Debug, PartialEq, FromQueryResult)]
pub struct ServicePause {
    pub starts_on: NaiveDate,
    /// The day on which it goes or went on; its first day where it never came.
    pub ends_on: Option<NaiveDate>,
    /// It will not go on any longer.
    pub ended: bool,
    /// Who asked for it: the subscriber, or else staff.
    pub by_subscriber: bool,
    pub reason: Option<String>,
    pub created_at: DateTime<Utc>,
}

/// What a service had of pauses that begin in one year.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PausesHad {
    pub pauses: u32,
    pub days: u32,
}

/// Notes a pause that was asked for. The caller has locked the service, which has no other.
pub async fn note_pause(
    tx: &TenantTx,
    service: ServiceId,
    pause: Pause,
    reason: Option<&str>,
    by_subscriber: bool,
) -> Result<()> {
    tx.sql(
        "INSERT INTO service_pause (id, service_id, starts_on, ends_on, by_subscriber, reason, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(Uuid::now_v7())
    .bind(service)
    .bind(pause.starts_on)
    .bind(pause.ends_on)
    .bind(by_subscriber)
    .bind(reason.map(str::to_owned))
    .bind(tx.now())
    .run()
    .await?;
    tx.emit(&ServicePauseAsked {
        service_id: service,
        starts_on: pause.starts_on,
        ends_on: pause.ends_on,
        by_subscriber,
    })
    .await
}

/// The pause that a service is in, or is to have, is over: from when to when it lasted. None: it never came.
pub async fn end_pause(tx: &TenantTx, service: ServiceId, lasted: Option<(NaiveDate, NaiveDate)>) -> Result<()> {
    let (first, end) = lasted.unzip();
    tx.sql(
        "UPDATE service_pause SET ended = true, starts_on = COALESCE($2, starts_on), ends_on = COALESCE($3, starts_on)
         WHERE service_id = $1 AND NOT ended",
    )
    .bind(service)
    .bind(first)
    .bind(end)
    .run()
    .await?;
    match lasted {
        Some(_) => Ok(()),
        None => tx.emit(&ServicePauseCancelled { service_id: service }).await,
    }
}

/// The pause that a service is to have, as it was asked for.
pub async fn planned_pause(tx: &TenantTx, service: ServiceId) -> Result<ServicePause> {
    tx.sql(
        "SELECT starts_on, ends_on, ended, by_subscriber, reason, created_at FROM service_pause
         WHERE service_id = $1 AND NOT ended",
    )
    .bind(service)
    .one()
    .await
}

/// What a service had of pauses that began from one day on and before another; those that never came aside.
pub async fn pauses_had(tx: &TenantTx, service: ServiceId, from: NaiveDate, before: NaiveDate) -> Result<PausesHad> {
    #[derive(FromQueryResult)]
    struct Row {
        pauses: i64,
        days: i64,
    }
    let row: Row = tx
        .sql(
            "SELECT count(*) AS pauses, COALESCE(sum(ends_on - starts_on), 0)::bigint AS days FROM service_pause
             WHERE service_id = $1 AND ended AND ends_on > starts_on AND starts_on >= $2 AND starts_on < $3",
        )
        .bind(service)
        .bind(from)
        .bind(before)
        .one()
        .await?;
    let many = |n: i64| u32::try_from(n).unwrap_or(u32::MAX);
    Ok(PausesHad {
        pauses: many(row.pauses),
        days: many(row.days),
    })
}

/// The pauses that a service had, has or is to have, the newest first; at most 100. Whoever sees the service sees them.
pub async fn pauses_of(tx: &TenantTx, service: ServiceId) -> Result<Vec<ServicePause>> {
    tx.sql(
        "SELECT starts_on, ends_on, ended, by_subscriber, reason, created_at FROM service_pause
         WHERE service_id = $1 ORDER BY id DESC LIMIT 100",
    )
    .bind(service)
    .all()
    .await
}
