use chrono::{DateTime, Utc};
use sea_orm::FromQueryResult;
use serde::Serialize;

use super::authority::Authority;
use super::roles::role_find;
use crate::kernel::actor::{Actor, Permission};
use crate::kernel::check::Checks;
use crate::kernel::crypto::hash_password;
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, ErrorCode, Result};
use crate::kernel::ids::StaffId;
use crate::kernel::page::{Page, PageRequest};

/// A person who works for an ISP.
#[derive(Clone, Debug, PartialEq, FromQueryResult)]
pub struct Staff {
    pub id: StaffId,
    pub name: String,
    pub email: String,
    pub role_code: String,
    pub disabled_at: Option<DateTime<Utc>>,
    /// May come in from the platform's host.
    pub linked: bool,
    pub created_at: DateTime<Utc>,
    pub version: i32,
}

/// Columns of a [`Staff`], with what follows them.
macro_rules! select_staff {
    ($tail:literal) => {
        concat!(
            "SELECT id, name, email, role_code, disabled_at, membership_link IS NOT NULL AS linked, created_at, version FROM staff ",
            $tail
        )
    };
}
pub(super) use select_staff;

#[derive(Clone, Serialize)]
pub struct CreateStaff {
    pub name: String,
    pub email: String,
    #[serde(skip)]
    pub password: String,
    pub role: String,
}

/// Takes somebody on. Nobody grants what they lack; TAKEN when the address is in use in this ISP.
pub async fn staff_create(tx: &TenantTx, mut cmd: CreateStaff) -> Result<Staff> {
    tx.require(Permission::StaffWrite)?;
    let mut checks = Checks::new();
    cmd.name = checks.line(&cmd.name, 120, "name");
    cmd.email = checks.email(&cmd.email, "email");
    checks.password(&cmd.password, "password");
    checks.done()?;
    let password_hash = hash_password(&cmd.password).await?;
    let authority = Authority::hold(tx, Permission::StaffWrite).await?;
    let role = role_find(tx, &cmd.role).await?.ok_or_else(|| Error::not_found("role"))?;
    authority.require(&role)?;
    let id = StaffId::new();
    let staff = NewStaff {
        name: &cmd.name,
        email: &cmd.email,
        password_hash,
        role: &cmd.role,
    };
    insert(tx, id, staff).await?;
    tx.audit("staffCreate", id.0, &cmd).await?;
    tx.sql(select_staff!("WHERE id = $1")).bind(id).one().await
}

/// Somebody whose name, address and role have been checked.
pub struct NewStaff<'a> {
    pub name: &'a str,
    pub email: &'a str,
    pub password_hash: String,
    pub role: &'a str,
}

/// Writes a person down. For use cases that have checked who may.
pub async fn insert(tx: &TenantTx, id: StaffId, staff: NewStaff<'_>) -> Result<()> {
    let inserted = tx
        .sql(
            "INSERT INTO staff (id, name, email, password_hash, role_code, created_at) VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (lower(email)) DO NOTHING",
        )
        .bind(id)
        .bind(staff.name)
        .bind(staff.email)
        .bind(staff.password_hash)
        .bind(staff.role)
        .bind(tx.now())
        .run()
        .await?;
    if inserted == 0 {
        return Err(Error::user(ErrorCode::Taken, "email", "Somebody else here has this address."));
    }
    Ok(())
}

/// Staff are listed in the order in which they came.
pub type StaffKey = (DateTime<Utc>, StaffId);

pub async fn staff_list(tx: &TenantTx, page: PageRequest<StaffKey>) -> Result<Page<Staff>> {
    tx.require(Permission::StaffRead)?;
    let (created_at, id) = page.after.unzip();
    let rows = tx
        .sql(select_staff!(
            "WHERE $1::timestamptz IS NULL OR (created_at, id) > ($1, $2) ORDER BY created_at, id LIMIT $3"
        ))
        .bind(created_at)
        .bind(id)
        .bind(page.limit() as i64)
        .all()
        .await?;
    Ok(Page::from_rows(&page, rows))
}

pub async fn staff_count(tx: &TenantTx) -> Result<i64> {
    tx.require(Permission::StaffRead)?;
    Ok(tx.sql("SELECT count(*) FROM staff").scalar().await?.unwrap_or(0))
}

/// A colleague that the actor may see, or oneself.
pub async fn staff_find(tx: &TenantTx, id: StaffId) -> Result<Option<Staff>> {
    let oneself = matches!(tx.actor(), Actor::Staff { id: own, .. } if *own == id);
    if !oneself {
        tx.require(Permission::StaffRead)?;
    }
    tx.sql(select_staff!("WHERE id = $1")).bind(id).optional().await
}

/// For loaders: those of the colleagues that exist.
pub async fn staff_by_ids(tx: &TenantTx, ids: &[StaffId]) -> Result<Vec<Staff>> {
    tx.require(Permission::StaffRead)?;
    tx.sql(select_staff!("WHERE id = ANY($1)"))
        .bind(StaffId::array(ids))
        .all()
        .await
}
