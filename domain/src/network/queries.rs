use super::entity::Nas;
use crate::kernel::Permission;
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, Result};
use crate::kernel::ids::NasId;
use crate::kernel::page::{Page, PageRequest};

/// Listed in the order in which they were added, which is that of their ids.
pub type NasKey = (NasId,);

/// `$1`: now.
macro_rules! select {
    ($tail:literal) => {
        concat!(
            "SELECT uid AS id, name, host(src_ip) AS address, vendor, coa_port, last_seen_at,
                 COALESCE(last_seen_at > $1 - interval '5 minutes', false) AS online, version FROM radius.nas ",
            $tail
        )
    };
}

pub async fn list(tx: &TenantTx, page: PageRequest<NasKey>) -> Result<Page<Nas>> {
    tx.require(Permission::NasRead)?;
    let rows = tx
        .sql(select!("WHERE $2::uuid IS NULL OR uid > $2 ORDER BY uid LIMIT $3"))
        .bind(tx.now())
        .bind(page.after.map(|(id,)| id))
        .bind(page.limit() as i64)
        .all()
        .await?;
    Ok(Page::from_rows(&page, rows))
}

pub async fn count(tx: &TenantTx) -> Result<i64> {
    tx.require(Permission::NasRead)?;
    Ok(tx.sql("SELECT count(*) FROM radius.nas").scalar().await?.unwrap_or(0))
}

pub async fn find(tx: &TenantTx, id: NasId) -> Result<Option<Nas>> {
    tx.require(Permission::NasRead)?;
    tx.sql(select!("WHERE uid = $2")).bind(tx.now()).bind(id).optional().await
}

/// For loaders: those that exist.
pub async fn by_ids(tx: &TenantTx, ids: &[NasId]) -> Result<Vec<Nas>> {
    tx.require(Permission::NasRead)?;
    tx.sql(select!("WHERE uid = ANY($2)"))
        .bind(tx.now())
        .bind(NasId::array(ids))
        .all()
        .await
}

/// For use cases, which have checked the permission to write.
pub(super) async fn get(tx: &TenantTx, id: NasId) -> Result<Nas> {
    tx.sql(select!("WHERE uid = $2"))
        .bind(tx.now())
        .bind(id)
        .optional()
        .await?
        .ok_or_else(|| Error::not_found("id"))
}

pub(super) async fn lock(tx: &TenantTx, id: NasId) -> Result<Option<Nas>> {
    tx.sql(select!("WHERE uid = $2 FOR NO KEY UPDATE"))
        .bind(tx.now())
        .bind(id)
        .optional()
        .await
}
