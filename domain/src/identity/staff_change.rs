use serde::Serialize;

use super::authority::Authority;
use super::events::{StaffDisabled, StaffEnabled, StaffUpdated};
use super::principal::Principal;
use super::roles::{OWNER, Role, role_find};
use super::sessions::{EndReason, end_all};
use super::staff::{Staff, select_staff};
use crate::kernel::actor::Permission;
use crate::kernel::check::Checks;
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, Result};
use crate::kernel::ids::StaffId;
use crate::kernel::patch::Patch;

/// Absent fields stay as they are.
#[derive(Clone, Serialize)]
pub struct UpdateStaff {
    pub id: StaffId,
    pub expected_version: i32,
    pub name: Patch<String>,
    /// Code of a role.
    pub role: Patch<String>,
}

/// Changes somebody's name or role. Nobody changes somebody who has more than they have, or gives what they lack.
pub async fn staff_update(tx: &TenantTx, cmd: UpdateStaff) -> Result<Staff> {
    let authority = Authority::hold(tx, Permission::StaffWrite).await?;
    let staff = changeable(tx, &authority, cmd.id).await?;
    if staff.version != cmd.expected_version {
        return Err(Error::stale("expectedVersion"));
    }
    let mut checks = Checks::new();
    let name = cmd.name.clone().required(staff.name.clone(), "name", &mut checks);
    let name = checks.line(&name, 120, "name");
    let code = cmd.role.clone().required(staff.role_code.clone(), "role", &mut checks);
    checks.done()?;
    let role = role_find(tx, &code).await?.ok_or_else(|| Error::not_found("role"))?;
    authority.require(&role)?;
    if role.code != OWNER {
        keep_an_owner(tx, &staff, "role").await?;
    }
    tx.sql("UPDATE staff SET name = $2, role_code = $3, version = version + 1 WHERE id = $1")
        .bind(staff.id)
        .bind(name)
        .bind(code)
        .run()
        .await?;
    tx.audit("staffUpdate", staff.id.0, &cmd).await?;
    tx.emit(&StaffUpdated { staff_id: staff.id }).await?;
    read(tx, staff.id).await
}

/// Keeps somebody out from now on, whatever they are signed in with. Nothing changes for who is disabled already.
pub async fn staff_disable(tx: &TenantTx, id: StaffId) -> Result<Staff> {
    let authority = Authority::hold(tx, Permission::StaffWrite).await?;
    let staff = changeable(tx, &authority, id).await?;
    if staff.disabled_at.is_some() {
        return Ok(staff);
    }
    keep_an_owner(tx, &staff, "id").await?;
    tx.sql("UPDATE staff SET disabled_at = $2, version = version + 1 WHERE id = $1")
        .bind(id)
        .bind(tx.now())
        .run()
        .await?;
    end_all(tx.into(), Principal::Staff(id), None, EndReason::Disabled).await?;
    tx.audit("staffDisable", id.0, serde_json::json!({})).await?;
    tx.emit(&StaffDisabled { staff_id: id }).await?;
    read(tx, id).await
}

/// Lets somebody in again who was disabled.
pub async fn staff_enable(tx: &TenantTx, id: StaffId) -> Result<Staff> {
    let authority = Authority::hold(tx, Permission::StaffWrite).await?;
    let staff = changeable(tx, &authority, id).await?;
    if staff.disabled_at.is_none() {
        return Ok(staff);
    }
    tx.sql("UPDATE staff SET disabled_at = NULL, version = version + 1 WHERE id = $1")
        .bind(id)
        .run()
        .await?;
    tx.audit("staffEnable", id.0, serde_json::json!({})).await?;
    tx.emit(&StaffEnabled { staff_id: id }).await?;
    read(tx, id).await
}

/// Somebody that the actor may change: who has nothing that the actor lacks.
pub(super) async fn changeable(tx: &TenantTx, authority: &Authority, id: StaffId) -> Result<Staff> {
    let staff: Staff = tx
        .sql(select_staff!("WHERE id = $1 FOR NO KEY UPDATE"))
        .bind(id)
        .optional()
        .await?
        .ok_or_else(|| Error::not_found("id"))?;
    let role: Role = role_find(tx, &staff.role_code)
        .await?
        .ok_or_else(|| Error::internal("somebody has a role that there is not"))?;
    authority.require(&role)?;
    Ok(staff)
}

/// Refuses to take the last owner who can sign in.
async fn keep_an_owner(tx: &TenantTx, staff: &Staff, field: &str) -> Result<()> {
    if staff.role_code != OWNER || staff.disabled_at.is_some() {
        return Ok(());
    }
    let others: Option<bool> = tx
        .sql("SELECT EXISTS (SELECT 1 FROM staff WHERE role_code = $1 AND disabled_at IS NULL AND id <> $2)")
        .bind(OWNER)
        .bind(staff.id)
        .scalar()
        .await?;
    if others == Some(true) {
        return Ok(());
    }
    Err(Error::state(
        field,
        "This is the last owner; make somebody else an owner first.",
    ))
}

async fn read(tx: &TenantTx, id: StaffId) -> Result<Staff> {
    tx.sql(select_staff!("WHERE id = $1")).bind(id).one().await
}
