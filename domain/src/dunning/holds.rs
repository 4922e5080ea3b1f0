use chrono::{DateTime, Days, Utc};
use sea_orm::FromQueryResult;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::entity::CollectionHold;
use super::events::{CollectionHeld, CollectionHoldReleased};
use super::settings;
use crate::kernel::Permission;
use crate::kernel::check::Checks;
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, Result};
use crate::kernel::ids::CollectionHoldId;

/// How far ahead a hold may reach: longer, and somebody has forgotten it.
const MAX_DAYS: u64 = 31;

macro_rules! select {
    ($tail:literal) => {
        concat!(
            "SELECT h.id, h.gateway, h.reason, h.prepaid, h.until, h.created_at, h.ended_at FROM collection_hold h ",
            $tail
        )
    };
}

/// A time to come in which nobody is to be cut.
#[derive(Clone, Debug, Serialize)]
pub struct CreateHold {
    pub reason: String,
    /// The gateway that is down, if one is.
    pub gateway: Option<String>,
    pub until: DateTime<Utc>,
    /// Prepaid time does not run out either.
    pub prepaid: bool,
    pub idempotency_key: Uuid,
}

/// The holds, newest first: those in force, or all of the last year.
pub async fn holds(tx: &TenantTx, in_force: bool) -> Result<Vec<CollectionHold>> {
    tx.require(Permission::SettingsRead)?;
    let since = tx.now().checked_sub_days(Days::new(366));
    tx.sql(select!(
        "WHERE h.created_at >= $1 AND (NOT $2 OR (h.ended_at IS NULL AND h.until > $3)) ORDER BY h.id DESC LIMIT 500"
    ))
    .bind(since)
    .bind(in_force)
    .bind(tx.now())
    .all()
    .await
}

/// A hold that must exist.
pub async fn hold_by_id(tx: &TenantTx, id: CollectionHoldId) -> Result<CollectionHold> {
    let found = tx.sql(select!("WHERE h.id = $1")).bind(id).optional().await?;
    found.ok_or_else(|| Error::not_found("id"))
}

/// From now until then nobody who is served is switched off for want of money. What follows for services is the caller's.
pub async fn hold_create(tx: &TenantTx, id: CollectionHoldId, cmd: &CreateHold) -> Result<CollectionHold> {
    tx.require(Permission::DunningWrite)?;
    let mut checks = Checks::new();
    let reason = checks.line(&cmd.reason, 200, "reason");
    let last = tx.now().checked_add_days(Days::new(MAX_DAYS));
    checks.ensure(cmd.until > tx.now(), "until", "Must be in the future.");
    checks.ensure(Some(cmd.until) <= last, "until", "Must be within 31 days.");
    let gateway = checks.optional_line(cmd.gateway.as_deref(), 60, "gateway");
    checks.done()?;
    settings::lock(tx).await?;
    tx.sql("INSERT INTO collection_hold (id, gateway, reason, prepaid, until, created_at) VALUES ($1, $2, $3, $4, $5, $6)")
        .bind(id)
        .bind(gateway)
        .bind(reason)
        .bind(cmd.prepaid)
        .bind(cmd.until)
        .bind(tx.now())
        .run()
        .await?;
    tx.audit("collectionHoldCreate", id.0, cmd).await?;
    tx.emit(&CollectionHeld {
        hold_id: id,
        until: cmd.until,
    })
    .await?;
    hold_by_id(tx, id).await
}

/// Takes a hold back before its end.
pub async fn hold_release(tx: &TenantTx, id: CollectionHoldId) -> Result<CollectionHold> {
    tx.require(Permission::DunningWrite)?;
    settings::lock(tx).await?;
    let hold: Option<CollectionHold> = tx.sql(select!("WHERE h.id = $1 FOR UPDATE")).bind(id).optional().await?;
    let hold = hold.ok_or_else(|| Error::not_found("id"))?;
    if hold.ended_at.is_some() || hold.until <= tx.now() {
        return Err(Error::state("id", "The hold is over already."));
    }
    tx.sql("UPDATE collection_hold SET ended_at = $2 WHERE id = $1")
        .bind(id)
        .bind(tx.now())
        .run()
        .await?;
    tx.audit("collectionHoldRelease", id.0, serde_json::json!({})).await?;
    tx.emit(&CollectionHoldReleased { hold_id: id }).await?;
    hold_by_id(tx, id).await
}

/// Until when nobody is cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromQueryResult, Serialize, Deserialize)]
pub struct Kept {
    /// Nobody is switched off for arrears, and nothing ends for them.
    pub cut_nobody_before: Option<DateTime<Utc>>,
    /// No prepaid time of days or longer runs out.
    pub expire_nobody_before: Option<DateTime<Utc>>,
}

/// Lets the holds in force and the open brake count from now on; none of those that were there when staff released today's
/// run. Answers what that comes to.
pub async fn apply_holds(tx: &TenantTx) -> Result<Kept> {
    let prepaid = settings(tx).await?.brake_prepaid;
    let row: Kept = tx
        .sql(
            "WITH in_force AS (
                 SELECT until, prepaid, created_at FROM collection_hold WHERE ended_at IS NULL AND until > $1
                 UNION ALL SELECT until, $3, braked_at FROM dunning_brake WHERE ended_at IS NULL AND until > $1
             ), kept AS (
                 SELECT max(until) AS cut, max(until) FILTER (WHERE prepaid) AS expire FROM in_force f
                 WHERE NOT EXISTS (SELECT FROM dunning_brake b WHERE b.released_on = $2 AND b.ended_at >= f.created_at)
             )
             UPDATE billing_settings SET cut_nobody_before = kept.cut, expire_nobody_before = kept.expire FROM kept
             RETURNING cut_nobody_before, expire_nobody_before",
        )
        .bind(tx.now())
        .bind(tx.today())
        .bind(prepaid)
        .one()
        .await?;
    Ok(row)
}

/// Until when prepaid time is given now that would have run out.
pub async fn last_kept(tx: &TenantTx) -> Result<Option<DateTime<Utc>>> {
    let kept = tx.sql("SELECT expire_nobody_before FROM billing_settings");
    Ok(kept.scalar::<Option<DateTime<Utc>>>().await?.flatten())
}

/// Whether some hold is in force.
pub async fn on_hold(tx: &TenantTx) -> Result<bool> {
    let held = tx
        .sql("SELECT EXISTS (SELECT FROM collection_hold WHERE ended_at IS NULL AND until > $1)")
        .bind(tx.now());
    Ok(held.scalar().await?.unwrap_or(false))
}
