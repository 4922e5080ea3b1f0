use chrono::{DateTime, Utc};

use super::entity::Addon;
use crate::kernel::actor::{Actor, Permission};
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, Result};
use crate::kernel::ids::AddonId;
use crate::kernel::page::{Page, PageRequest};

/// Add-ons are listed in the order of their creation.
pub type AddonKey = (DateTime<Utc>, AddonId);

macro_rules! select {
    ($tail:literal) => {
        concat!(
            "SELECT a.id, a.code, a.name, a.charged, a.price, a.currency, a.tax_inclusive, a.tax_code,
                 ARRAY(SELECT g.plan_id FROM addon_plan g WHERE g.addon_id = a.id ORDER BY g.plan_id) AS plan_ids,
                 a.retired_at, a.created_at, a.version
             FROM addon a ",
            $tail
        )
    };
}

/// Who may look into the catalogue, as with plans.
fn require_catalogue(tx: &TenantTx) -> Result<()> {
    match tx.actor() {
        Actor::Subscriber { .. } => Ok(()),
        _ => tx.require(Permission::PlanRead),
    }
}

/// A page of add-ons.
pub async fn list(tx: &TenantTx, page: PageRequest<AddonKey>, include_retired: bool) -> Result<Page<Addon>> {
    require_catalogue(tx)?;
    let (created_at, id) = page.after.unzip();
    let rows = tx
        .sql(select!(
            "WHERE ($1 OR a.retired_at IS NULL) AND ($2::timestamptz IS NULL OR (a.created_at, a.id) > ($2, $3))
             ORDER BY a.created_at, a.id LIMIT $4"
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
        .sql("SELECT count(*) FROM addon WHERE ($1 OR retired_at IS NULL)")
        .bind(include_retired)
        .scalar()
        .await?
        .unwrap_or(0))
}

/// An add-on that the actor may see, or none.
pub async fn find(tx: &TenantTx, id: AddonId) -> Result<Option<Addon>> {
    require_catalogue(tx)?;
    tx.sql(select!("WHERE a.id = $1")).bind(id).optional().await
}

/// An add-on that must exist; for use cases that hold its id.
pub async fn get(tx: &TenantTx, id: AddonId) -> Result<Addon> {
    let found = tx.sql(select!("WHERE a.id = $1")).bind(id).optional().await?;
    found.ok_or_else(|| Error::not_found("addonId"))
}

/// For loaders: whoever sees a service sees what goes with it.
pub async fn by_ids(tx: &TenantTx, ids: &[AddonId]) -> Result<Vec<Addon>> {
    tx.require_signed_in()?;
    tx.sql(select!("WHERE a.id = ANY($1)")).bind(AddonId::array(ids)).all().await
}

pub(super) async fn lock(tx: &TenantTx, id: AddonId) -> Result<Addon> {
    tx.sql("SELECT id FROM addon WHERE id = $1 FOR UPDATE").bind(id).run().await?;
    let found = tx.sql(select!("WHERE a.id = $1")).bind(id).optional().await?;
    found.ok_or_else(|| Error::not_found("id"))
}
