use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sea_orm::FromQueryResult;
use serde::Serialize;

use crate::kernel::actor::{Actor, Permission, Permissions};
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
    pub created_at: DateTime<Utc>,
    pub version: i32,
}

/// A named set of permissions.
#[derive(Clone, Debug, PartialEq, FromQueryResult)]
pub struct Role {
    pub code: String,
    pub name: String,
    permissions: Vec<String>,
}

impl Role {
    /// Those of its permissions that this version knows.
    pub fn permissions(&self) -> Permissions {
        Permissions::parse(self.permissions.iter().map(String::as_str))
    }
}

macro_rules! select_staff {
    ($tail:literal) => {
        concat!(
            "SELECT id, name, email, role_code, disabled_at, created_at, version FROM staff ",
            $tail
        )
    };
}
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
    let role: Role = tx
        .sql("SELECT code, name, permissions FROM role WHERE code = $1")
        .bind(cmd.role.as_str())
        .optional()
        .await?
        .ok_or_else(|| Error::not_found("role"))?;
    let covered = match tx.actor() {
        Actor::System => true,
        // By name and not by what this version knows: a later version may know more of them. From the table, for what the
        // actor carries may be some seconds old.
        Actor::Staff { id, .. } => tx
            .sql("SELECT r.permissions @> $2::text[] FROM staff s JOIN role r ON r.code = s.role_code WHERE s.id = $1")
            .bind(*id)
            .bind(role.permissions)
            .scalar()
            .await?
            .unwrap_or(false),
        _ => false,
    };
    if !covered {
        return Err(Error::Forbidden);
    }
    let id = StaffId::new();
    let staff = NewStaff {
        name: &cmd.name,
        email: &cmd.email,
        password_hash: hash_password(&cmd.password).await?,
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

/// Gives a new ISP the roles of its template.
pub async fn adopt_roles(tx: &TenantTx, roles: &BTreeMap<String, Vec<String>>) -> Result<()> {
    for (code, permissions) in roles {
        tx.sql("INSERT INTO role (code, name, permissions) VALUES ($1, $2, $3)")
            .bind(code.as_str())
            .bind(title(code))
            .bind(permissions.clone())
            .run()
            .await?;
    }
    Ok(())
}

/// `read-only` is shown as `Read only`.
fn title(code: &str) -> String {
    let words = code.replace('-', " ");
    let mut letters = words.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
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

pub async fn roles(tx: &TenantTx) -> Result<Vec<Role>> {
    tx.require(Permission::StaffRead)?;
    tx.sql("SELECT code, name, permissions FROM role ORDER BY code").all().await
}

#[cfg(test)]
mod tests {
    #[test]
    fn codes_are_shown_as_words() {
        assert_eq!(super::title("read-only"), "Read only");
    }
}
