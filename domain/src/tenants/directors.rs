use chrono::{DateTime, Utc};
use sea_orm::FromQueryResult;

use super::queries::scope;
use crate::kernel::check::Checks;
use crate::kernel::db::PlatformTx;
use crate::kernel::error::Result;
use crate::kernel::ids::DirectorId;
use crate::kernel::page::{Page, PageRequest};

/// A holding company, franchise head or provider that owns ISPs.
#[derive(Clone, Debug, PartialEq, FromQueryResult)]
pub struct Director {
    pub id: DirectorId,
    pub name: String,
    pub created_at: DateTime<Utc>,
}

/// Directors are listed in the order in which they came.
pub type DirectorKey = (DateTime<Utc>, DirectorId);

pub fn check_name(checks: &mut Checks, name: &str) -> String {
    checks.line(name, 120, "name")
}

/// Writes a director down. Its name has been checked.
pub async fn director_insert(tx: &PlatformTx, name: &str) -> Result<Director> {
    tx.require_platform_staff()?;
    let director = Director {
        id: DirectorId::new(),
        name: name.to_owned(),
        created_at: tx.now(),
    };
    tx.sql("INSERT INTO platform.director (id, name, created_at) VALUES ($1, $2, $3)")
        .bind(director.id)
        .bind(director.name.as_str())
        .bind(director.created_at)
        .run()
        .await?;
    Ok(director)
}

pub async fn director_list(tx: &PlatformTx, page: PageRequest<DirectorKey>) -> Result<Page<Director>> {
    tx.require_platform_staff()?;
    let (created_at, id) = page.after.unzip();
    let rows = tx
        .sql(
            "SELECT id, name, created_at FROM platform.director
             WHERE $1::timestamptz IS NULL OR (created_at, id) > ($1, $2) ORDER BY created_at, id LIMIT $3",
        )
        .bind(created_at)
        .bind(id)
        .bind(page.limit() as i64)
        .all()
        .await?;
    Ok(Page::from_rows(&page, rows))
}

pub async fn director_count(tx: &PlatformTx) -> Result<i64> {
    tx.require_platform_staff()?;
    Ok(tx.sql("SELECT count(*) FROM platform.director").scalar().await?.unwrap_or(0))
}

/// A director that the actor may see: platform staff all, a director itself.
pub async fn director_find(tx: &PlatformTx, id: DirectorId) -> Result<Option<Director>> {
    Ok(directors_by_ids(tx, &[id]).await?.pop())
}

/// For loaders: those of the directors that exist and that the actor may see.
pub async fn directors_by_ids(tx: &PlatformTx, ids: &[DirectorId]) -> Result<Vec<Director>> {
    let scope = scope(tx)?;
    tx.sql("SELECT id, name, created_at FROM platform.director WHERE id = ANY($1) AND ($2::uuid IS NULL OR id = $2)")
        .bind(DirectorId::array(ids))
        .bind(scope)
        .all()
        .await
}
