use chrono::{DateTime, Utc};

use super::entity::Plan;
use crate::kernel::actor::{Actor, Permission};
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, Result};
use crate::kernel::ids::{PlanId, PlanVersionId};
use crate::kernel::page::{Page, PageRequest};

/// Plans are listed in the order of their creation.
pub type PlanKey = (DateTime<Utc>, PlanId);

macro_rules! select_plan {
    ($tail:literal) => {
        concat!(
            "SELECT p.id, p.code, p.name, p.kind, p.payment_mode, p.bill_in, p.period_unit, p.period_count, p.retired_at,
                 p.created_at, p.version, v.id AS version_id, v.number AS version_number, v.price, v.currency, v.tax_inclusive,
                 v.tax_code, v.download_kbps, v.upload_kbps, v.data_cap_bytes, v.fair_use_download_kbps,
                 v.fair_use_upload_kbps, v.simultaneous_sessions
             FROM plan p JOIN LATERAL (SELECT x.* FROM plan_version x WHERE x.plan_id = p.id ORDER BY x.number DESC LIMIT 1) v ON true ",
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
            "WHERE ($1 OR p.retired_at IS NULL) AND ($2::timestamptz IS NULL OR (p.created_at, p.id) > ($2, $3))
             ORDER BY p.created_at, p.id LIMIT $4"
        ))
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
    tx.sql(select_plan!("WHERE p.id = $1")).bind(id).optional().await
}

/// A plan that must exist; for use cases that hold its id.
pub async fn get(tx: &TenantTx, id: PlanId) -> Result<Plan> {
    tx.sql(select_plan!("WHERE p.id = $1"))
        .bind(id)
        .optional()
        .await?
        .ok_or_else(|| Error::not_found("planId"))
}

/// A plan with one particular version: what a service was sold.
pub async fn version(tx: &TenantTx, id: PlanVersionId) -> Result<Plan> {
    tx.sql(
        "SELECT p.id, p.code, p.name, p.kind, p.payment_mode, p.bill_in, p.period_unit, p.period_count, p.retired_at,
             p.created_at, p.version, v.id AS version_id, v.number AS version_number, v.price, v.currency, v.tax_inclusive,
             v.tax_code, v.download_kbps, v.upload_kbps, v.data_cap_bytes, v.fair_use_download_kbps,
             v.fair_use_upload_kbps, v.simultaneous_sessions
         FROM plan_version v JOIN plan p ON p.id = v.plan_id WHERE v.id = $1",
    )
    .bind(id)
    .one()
    .await
}

/// For loaders, which follow references from what the actor was allowed to read: those of the plans that exist. Whoever
/// sees a service sees what it is.
pub async fn by_ids(tx: &TenantTx, ids: &[PlanId]) -> Result<Vec<Plan>> {
    tx.require_signed_in()?;
    tx.sql(select_plan!("WHERE p.id = ANY($1)"))
        .bind(PlanId::array(ids))
        .all()
        .await
}

pub(super) async fn lock(tx: &TenantTx, id: PlanId) -> Result<Option<Plan>> {
    tx.sql("SELECT id FROM plan WHERE id = $1 FOR UPDATE").bind(id).run().await?;
    tx.sql(select_plan!("WHERE p.id = $1")).bind(id).optional().await
}
