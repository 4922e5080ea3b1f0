use std::sync::Arc;

use chrono::{DateTime, Utc};
use strum::IntoEnumIterator;

use super::entity::{TenantDetails, TenantStatus};
use crate::kernel::actor::Actor;
use crate::kernel::db::{Database, PlatformTx};
use crate::kernel::error::{Error, Result};
use crate::kernel::ids::{DirectorId, TenantId};
use crate::kernel::page::{Page, PageRequest};

/// ISPs are listed in the order in which they were opened.
pub type TenantKey = (DateTime<Utc>, TenantId);

#[derive(Clone, Debug, Default)]
pub struct TenantFilter {
    /// Part of a name or slug.
    pub search: Option<String>,
    pub status: Option<TenantStatus>,
    /// Those of one director.
    pub director: Option<DirectorId>,
}

macro_rules! select_tenant {
    ($tail:literal) => {
        concat!(
            "SELECT t.uid AS id, t.id AS number, t.slug, t.name, t.country, t.currency, t.timezone, t.status,
                 t.suspension_reason, t.template, t.director_id, t.schema_version, t.created_at
             FROM platform.tenant t ",
            $tail
        )
    };
}

/// Whose ISPs the actor may see: one director's, or (none) everybody's.
pub(super) fn scope(tx: &PlatformTx) -> Result<Option<DirectorId>> {
    match tx.actor() {
        Actor::System | Actor::PlatformStaff { .. } => Ok(None),
        Actor::Director { director, .. } => Ok(Some(*director)),
        Actor::Anonymous => Err(Error::Unauthenticated),
        Actor::Person { .. } | Actor::Staff { .. } | Actor::Subscriber { .. } => Err(Error::Forbidden),
    }
}

#[derive(sea_orm::FromQueryResult)]
struct Counted {
    status: TenantStatus,
    count: i64,
}

/// How many ISPs there are of each status; for operators.
pub async fn count_by_status(tx: &PlatformTx) -> Result<Vec<(TenantStatus, i64)>> {
    tx.require_platform_staff()?;
    let rows: Vec<Counted> = tx
        .sql("SELECT status, count(*) AS count FROM platform.tenant GROUP BY status")
        .all()
        .await?;
    let count = |status| rows.iter().find(|c| c.status == status).map_or(0, |c| c.count);
    Ok(TenantStatus::iter().map(|status| (status, count(status))).collect())
}

/// How many ISPs' schemas could not be migrated; for operators.
pub async fn quarantined(tx: &PlatformTx) -> Result<i64> {
    tx.require_platform_staff()?;
    let n = tx.sql("SELECT count(*) FROM platform.tenant_quarantine").scalar().await?;
    Ok(n.unwrap_or(0))
}

/// A page of the ISPs that the actor may see: platform staff all, a director its own.
pub async fn list(tx: &PlatformTx, page: PageRequest<TenantKey>, filter: &TenantFilter) -> Result<Page<TenantDetails>> {
    let scope = scope(tx)?;
    let (created_at, id) = page.after.unzip();
    let rows = tx
        .sql(select_tenant!(
            "WHERE ($1::uuid IS NULL OR t.director_id = $1) AND ($2::uuid IS NULL OR t.director_id = $2)
               AND ($3::text IS NULL OR strpos(lower(t.name), lower($3)) > 0 OR strpos(t.slug, lower($3)) > 0)
               AND ($4::text IS NULL OR t.status = $4)
               AND ($5::timestamptz IS NULL OR (t.created_at, t.uid) > ($5, $6))
             ORDER BY t.created_at, t.uid LIMIT $7"
        ))
        .bind(scope)
        .bind(filter.director)
        .bind(filter.search.clone())
        .bind(filter.status)
        .bind(created_at)
        .bind(id)
        .bind(page.limit() as i64)
        .all()
        .await?;
    Ok(Page::from_rows(&page, rows))
}

pub async fn count(tx: &PlatformTx, filter: &TenantFilter) -> Result<i64> {
    let scope = scope(tx)?;
    let n = tx
        .sql(
            "SELECT count(*) FROM platform.tenant t
             WHERE ($1::uuid IS NULL OR t.director_id = $1) AND ($2::uuid IS NULL OR t.director_id = $2)
               AND ($3::text IS NULL OR strpos(lower(t.name), lower($3)) > 0 OR strpos(t.slug, lower($3)) > 0)
               AND ($4::text IS NULL OR t.status = $4)",
        )
        .bind(scope)
        .bind(filter.director)
        .bind(filter.search.clone())
        .bind(filter.status)
        .scalar()
        .await?;
    Ok(n.unwrap_or(0))
}

/// An ISP that the actor may see, or none.
pub async fn find(tx: &PlatformTx, id: TenantId) -> Result<Option<TenantDetails>> {
    let scope = scope(tx)?;
    tx.sql(select_tenant!(
        "WHERE t.uid = $1 AND ($2::uuid IS NULL OR t.director_id = $2)"
    ))
    .bind(id)
    .bind(scope)
    .optional()
    .await
}

/// For loaders: those of the ISPs that the actor may see.
pub async fn by_ids(tx: &PlatformTx, ids: &[TenantId]) -> Result<Vec<TenantDetails>> {
    let scope = scope(tx)?;
    tx.sql(select_tenant!(
        "WHERE t.uid = ANY($1) AND ($2::uuid IS NULL OR t.director_id = $2)"
    ))
    .bind(TenantId::array(ids))
    .bind(scope)
    .all()
    .await
}

/// An ISP that must be there, as it is now.
pub async fn get(database: &Database, actor: &Arc<Actor>, id: TenantId) -> Result<TenantDetails> {
    let tx = database.begin_platform(actor.clone()).await?;
    find(&tx, id).await?.ok_or_else(|| Error::not_found("id"))
}

/// As [`find`], held against changes until the transaction ends.
pub(super) async fn lock(tx: &PlatformTx, id: TenantId) -> Result<Option<TenantDetails>> {
    tx.sql("SELECT id FROM platform.tenant WHERE uid = $1 FOR NO KEY UPDATE")
        .bind(id)
        .run()
        .await?;
    find(tx, id).await
}
