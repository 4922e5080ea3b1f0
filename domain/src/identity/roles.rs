use std::collections::{BTreeMap, BTreeSet};

use sea_orm::FromQueryResult;
use serde::Serialize;

use super::authority::Authority;
use super::events::{RoleCreated, RoleDeleted, RoleUpdated};
use crate::kernel::actor::{Permission, Permissions};
use crate::kernel::check::Checks;
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, ErrorCode, Result};
use crate::kernel::ids::StaffId;
use crate::kernel::patch::Patch;

/// The role that every ISP has. It keeps all that its template gave it, and somebody always holds it.
pub const OWNER: &str = "owner";
/// An ISP has no more roles than this.
const MAX_ROLES: i64 = 100;

/// A named set of permissions.
#[derive(Clone, Debug, PartialEq, FromQueryResult)]
pub struct Role {
    pub code: String,
    pub name: String,
    pub(super) permissions: Vec<String>,
    pub version: i32,
}

impl Role {
    /// Those of its permissions that this version knows.
    pub fn permissions(&self) -> Permissions {
        Permissions::parse(self.permissions.iter().map(String::as_str))
    }
}

#[derive(Clone, Serialize)]
pub struct CreateRole {
    /// Lower-case letters, digits and inner hyphens.
    pub code: String,
    pub name: String,
    pub permissions: Vec<String>,
}

/// Absent fields stay as they are.
#[derive(Clone, Serialize)]
pub struct UpdateRole {
    pub code: String,
    pub expected_version: i32,
    pub name: Patch<String>,
    pub permissions: Patch<Vec<String>>,
}

/// Makes a role that gives nothing that its maker lacks. TAKEN when there is one of that code.
pub async fn role_create(tx: &TenantTx, mut cmd: CreateRole) -> Result<Role> {
    let authority = Authority::hold(tx, Permission::RoleWrite).await?;
    let mut checks = Checks::new();
    cmd.code = cmd.code.trim().to_owned();
    checks.ensure(
        is_code(&cmd.code),
        "code",
        "Must have 2 to 40 lower-case letters, digits and inner hyphens.",
    );
    cmd.name = checks.line(&cmd.name, 60, "name");
    cmd.permissions = asked(&cmd.permissions, &[], &mut checks);
    checks.done()?;
    let role = Role {
        code: cmd.code.clone(),
        name: cmd.name.clone(),
        permissions: cmd.permissions.clone(),
        version: 1,
    };
    authority.require(&role)?;
    let count: i64 = tx.sql("SELECT count(*) FROM role").scalar().await?.unwrap_or(0);
    if count >= MAX_ROLES {
        let message = format!("A provider has at most {MAX_ROLES} roles.");
        return Err(Error::user(ErrorCode::LimitExceeded, "", message));
    }
    let inserted = tx
        .sql("INSERT INTO role (code, name, permissions) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING")
        .bind(role.code.as_str())
        .bind(role.name.as_str())
        .bind(role.permissions.clone())
        .run()
        .await?;
    if inserted == 0 {
        return Err(Error::user(ErrorCode::Taken, "code", "There is a role with this code."));
    }
    tx.audit("roleCreate", tx.tenant().id().0, &cmd).await?;
    tx.emit(&RoleCreated { code: cmd.code }).await?;
    Ok(role)
}

/// Changes a role, and with it what everybody may do who holds it: both what it gave and what it will give must be the
/// changer's own.
pub async fn role_update(tx: &TenantTx, cmd: UpdateRole) -> Result<Role> {
    let authority = Authority::hold(tx, Permission::RoleWrite).await?;
    let old = changeable(tx, &authority, &cmd.code).await?;
    if old.version != cmd.expected_version {
        return Err(Error::stale("expectedVersion"));
    }
    let mut checks = Checks::new();
    let name = cmd.name.clone().required(old.name.clone(), "name", &mut checks);
    let name = checks.line(&name, 60, "name");
    let permissions = match &cmd.permissions {
        Patch::Set(names) => merged(&asked(names, &old.permissions, &mut checks), &old.permissions),
        kept => kept.clone().required(old.permissions.clone(), "permissions", &mut checks),
    };
    checks.done()?;
    let new = Role {
        name,
        permissions,
        version: old.version + 1,
        ..old.clone()
    };
    authority.require(&new)?;
    tx.sql("UPDATE role SET name = $2, permissions = $3, version = $4 WHERE code = $1")
        .bind(new.code.as_str())
        .bind(new.name.as_str())
        .bind(new.permissions.clone())
        .bind(new.version)
        .run()
        .await?;
    let detail = serde_json::json!({
        "code": new.code, "name": new.name, "permissions": new.permissions, "before": { "name": old.name, "permissions": old.permissions },
    });
    tx.audit("roleUpdate", tx.tenant().id().0, detail).await?;
    tx.emit(&RoleUpdated { code: cmd.code }).await?;
    Ok(new)
}

/// Takes a role away that nobody holds and nobody is invited to.
pub async fn role_delete(tx: &TenantTx, code: String) -> Result<String> {
    let authority = Authority::hold(tx, Permission::RoleWrite).await?;
    let role = changeable(tx, &authority, &code).await?;
    let used: Option<bool> = tx
        .sql(
            "SELECT EXISTS (SELECT 1 FROM staff WHERE role_code = $1)
                 OR EXISTS (SELECT 1 FROM staff_invitation WHERE role_code = $1 AND expires_at > $2)",
        )
        .bind(code.as_str())
        .bind(tx.now())
        .scalar()
        .await?;
    if used != Some(false) {
        let message = "Somebody has this role or is invited to it; give them another one first.";
        return Err(Error::state("code", message));
    }
    tx.sql("DELETE FROM staff_invitation WHERE role_code = $1")
        .bind(code.as_str())
        .run()
        .await?;
    tx.sql("DELETE FROM role WHERE code = $1").bind(code.as_str()).run().await?;
    let detail = serde_json::json!({ "code": role.code, "name": role.name, "permissions": role.permissions });
    tx.audit("roleDelete", tx.tenant().id().0, detail).await?;
    tx.emit(&RoleDeleted { code: code.clone() }).await?;
    Ok(code)
}

/// A role that the actor may change.
async fn changeable(tx: &TenantTx, authority: &Authority, code: &str) -> Result<Role> {
    let role = role_find(tx, code).await?.ok_or_else(|| Error::not_found("code"))?;
    authority.require(&role)?;
    if role.code == OWNER {
        return Err(Error::state(
            "code",
            "The owner's role stays as it is: it has every permission.",
        ));
    }
    Ok(role)
}

pub(super) async fn role_find(tx: &TenantTx, code: &str) -> Result<Option<Role>> {
    tx.sql("SELECT code, name, permissions, version FROM role WHERE code = $1")
        .bind(code)
        .optional()
        .await
}

pub async fn roles(tx: &TenantTx) -> Result<Vec<Role>> {
    tx.require(Permission::StaffRead)?;
    tx.sql("SELECT code, name, permissions, version FROM role ORDER BY code")
        .all()
        .await
}

/// Who holds a role; for forgetting what is remembered of their rights.
pub async fn role_holders(tx: &TenantTx, code: &str) -> Result<Vec<StaffId>> {
    tx.sql("SELECT id FROM staff WHERE role_code = $1").bind(code).scalars().await
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

/// The names that a caller asks for, each once: permissions that this version knows, or that the role has already.
fn asked(names: &[String], old: &[String], checks: &mut Checks) -> Vec<String> {
    for (n, name) in names.iter().enumerate() {
        let known = Permission::names().contains(&name.as_str()) || old.contains(name);
        checks.ensure(known, &format!("permissions.{n}"), "There is no such permission.");
    }
    let each: BTreeSet<&String> = names.iter().collect();
    each.into_iter().cloned().collect()
}

/// What was asked for, and what only a later version knows: a caller that cannot see it does not take it away.
fn merged(asked: &[String], old: &[String]) -> Vec<String> {
    let unseen = old.iter().filter(|p| !Permission::names().contains(&p.as_str()));
    let all: BTreeSet<&String> = asked.iter().chain(unseen).collect();
    all.into_iter().cloned().collect()
}

fn is_code(text: &str) -> bool {
    let plain = text
        .bytes()
        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    (2..=40).contains(&text.len()) && plain && !text.starts_with('-') && !text.ends_with('-')
}

/// `read-only` is shown as `Read only`.
fn title(code: &str) -> String {
    let words = code.replace('-', " ");
    let mut letters = words.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|n| (*n).to_owned()).collect()
    }

    #[test]
    fn codes_are_shown_as_words() {
        assert_eq!(title("read-only"), "Read only");
    }

    #[test]
    fn codes_are_words() {
        for (code, good) in [
            ("clerk", true),
            ("tier-2", true),
            ("x", false),
            ("", false),
            ("-clerk", false),
            ("clerk-", false),
            ("Clerk", false),
            ("head clerk", false),
            ("clärk", false),
        ] {
            assert_eq!(is_code(code), good, "{code}");
        }
        assert!(is_code(&"a".repeat(40)) && !is_code(&"a".repeat(41)));
    }

    #[test]
    fn what_only_a_later_version_knows_stays() {
        let old = names(&["plan:read", "plan:write", "unheard:of"]);
        for (given, expected) in [
            (&["plan:read"][..], &["plan:read", "unheard:of"][..]),
            (&[], &["unheard:of"]),
            (&["nas:read", "nas:read"], &["nas:read", "unheard:of"]),
            (&["unheard:of"], &["unheard:of"]),
        ] {
            let mut checks = Checks::new();
            let given = asked(&names(given), &old, &mut checks);
            checks.done().unwrap();
            assert_eq!(merged(&given, &old), expected);
        }
        let mut checks = Checks::new();
        asked(&names(&["plan:read", "never:heard"]), &old, &mut checks);
        assert!(checks.done().is_err());
    }
}
