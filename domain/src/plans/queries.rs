use chrono::{DateTime, NaiveDate, Utc};

use super::entity::Plan;
use crate::kernel::actor::{Actor, Permission};
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, Result};
use crate::kernel::ids::{PlanId, PlanVersionId};
use crate::kernel::page::{Page, PageRequest};

/// Plans are listed in the order of their creation.
pub type PlanKey = (DateTime<Utc>, PlanId);

macro_rules! select_version {
    ($from:literal, $tail:literal) => {
        concat!(
            "SELECT p.id, p.code, p.name, p.kind, p.payment_mode, p.bill_in, p.period_unit, p.period_count, p.retired_at,
                 p.created_at, p.version, v.id AS version_id, v.number AS version_number, v.effective_on, v.new_services_only,
                 w.withdrawn_at, v.created_at AS version_created_at, v.price, v.currency, v.tax_inclusive,
                 v.tax_code, v.download_kbps, v.upload_kbps, v.data_cap_bytes, v.fair_use_download_kbps,
                 v.fair_use_upload_kbps, v.simultaneous_sessions, v.trial_days, v.term_unit, v.term_count, v.exit_kind, v.exit_value ",
            $from,
            " LEFT JOIN plan_version_withdrawal w ON w.plan_version_id = v.id ",
            $tail
        )
    };
}

/// Plans with the version that counts on the day $1.
macro_rules! select_plan {
    ($tail:literal) => {
        select_version!(
            "FROM plan p JOIN LATERAL (
                 SELECT x.* FROM plan_version x WHERE x.plan_id = p.id AND (x.effective_on IS NULL OR x.effective_on <= $1)
                     AND NOT EXISTS (SELECT FROM plan_version_withdrawal y WHERE y.plan_version_id = x.id)
                 ORDER BY x.effective_on DESC NULLS LAST, x.number DESC LIMIT 1) v ON true",
            $tail
        )
    };
}

/// Who may look into the catalogue: subscribers, who are to buy from it, and staff with `plan:read`.
fn require_catalogue(tx: &TenantTx) -> Result<()> {
    match tx.actor() {
        Actor::Subscriber { .. } => Ok(()),
        _ => tx.require(Permission::PlanRead),
    }
}

/// A page of plans.
pub async fn list(tx: &TenantTx, page: PageRequest<PlanKey>, include_retired: bool) -> Result<Page<Plan>> {
    require_catalogue(tx)?;
    let (created_at, id) = page.after.unzip();
    let rows = tx
        .sql(select_plan!(
            "WHERE ($2 OR p.retired_at IS NULL) AND ($3::timestamptz IS NULL OR (p.created_at, p.id) > ($3, $4))
             ORDER BY p.created_at, p.id LIMIT $5"
        ))
        .bind(tx.today())
        .bind(include_retired)
        .bind(created_at)
        .bind(id)
        .bind(page.limit() as i64)
        .all()
        .await?;
    Ok(Page::from_rows(&page, rows))
}

pub async fn count(tx: &TenantTx, include_retired: bool) -> Result<i64> {
    require_catalogue(tx)?;
    Ok(tx
        .sql("SELECT count(*) FROM plan WHERE ($1 OR retired_at IS NULL)")
        .bind(include_retired)
        .scalar()
        .await?
        .unwrap_or(0))
}

/// A plan that the actor may see, or none.
pub async fn find(tx: &TenantTx, id: PlanId) -> Result<Option<Plan>> {
    require_catalogue(tx)?;
    at(tx, id, tx.today()).await
}

async fn at(tx: &TenantTx, id: PlanId, on: NaiveDate) -> Result<Option<Plan>> {
    tx.sql(select_plan!("WHERE p.id = $2")).bind(on).bind(id).optional().await
}

/// A plan that must exist; for use cases that hold its id.
pub async fn get(tx: &TenantTx, id: PlanId) -> Result<Plan> {
    on(tx, id, tx.today()).await
}

/// A plan that must exist, with the version that is sold on that day.
pub async fn on(tx: &TenantTx, id: PlanId, on: NaiveDate) -> Result<Plan> {
    at(tx, id, on).await?.ok_or_else(|| Error::not_found("planId"))
}

/// All versions of a plan, in the order in which they begin to count; also those that were withdrawn.
pub async fn versions_of(tx: &TenantTx, id: PlanId) -> Result<Vec<Plan>> {
    versions_of_all(tx, &[id]).await
}

/// As [`versions_of`], of many plans.
pub async fn versions_of_all(tx: &TenantTx, ids: &[PlanId]) -> Result<Vec<Plan>> {
    tx.sql(select_version!(
        "FROM plan_version v JOIN plan p ON p.id = v.plan_id",
        "WHERE p.id = ANY($1) ORDER BY p.id, v.effective_on NULLS FIRST, v.number"
    ))
    .bind(PlanId::array(ids))
    .all()
    .await
}

/// As [`versions_of`], for those who may see what is planned.
pub async fn versions(tx: &TenantTx, id: PlanId) -> Result<Vec<Plan>> {
    tx.require(Permission::PlanRead)?;
    versions_of(tx, id).await
}

pub(super) async fn find_version(tx: &TenantTx, id: PlanVersionId) -> Result<Option<Plan>> {
    tx.sql(select_version!(
        "FROM plan_version v JOIN plan p ON p.id = v.plan_id",
        "WHERE v.id = $1"
    ))
    .bind(id)
    .optional()
    .await
}

/// A plan with one particular version: what a service was sold.
pub async fn version(tx: &TenantTx, id: PlanVersionId) -> Result<Plan> {
    let found = find_version(tx, id).await?;
    found.ok_or_else(|| Error::internal(format!("there is no version {id}")))
}

/// For loaders, as [`by_ids`]: versions with their plans.
pub async fn by_version_ids(tx: &TenantTx, ids: &[PlanVersionId]) -> Result<Vec<Plan>> {
    tx.require_signed_in()?;
    tx.sql(select_version!(
        "FROM plan_version v JOIN plan p ON p.id = v.plan_id",
        "WHERE v.id = ANY($1)"
    ))
    .bind(PlanVersionId::array(ids))
    .all()
    .await
}

/// For loaders, which follow references from what the actor was allowed to read: those of the plans that exist. Whoever
/// sees a service sees what it is.
pub async fn by_ids(tx: &TenantTx, ids: &[PlanId]) -> Result<Vec<Plan>> {
    tx.require_signed_in()?;
    tx.sql(select_plan!("WHERE p.id = ANY($2)"))
        .bind(tx.today())
        .bind(PlanId::array(ids))
        .all()
        .await
}

pub(super) async fn lock(tx: &TenantTx, id: PlanId) -> Result<Option<Plan>> {
    tx.sql("SELECT id FROM plan WHERE id = $1 FOR UPDATE").bind(id).run().await?;
    at(tx, id, tx.today()).await
}
