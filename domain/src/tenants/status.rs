use super::directory;
use super::entity::{TenantDetails, TenantStatus};
use super::queries::lock;
use crate::kernel::check::Checks;
use crate::kernel::db::{PlatformTx, Tenant};
use crate::kernel::error::{Error, Result};
use crate::kernel::ids::TenantId;

/// Refuses what staff and subscribers of a suspended ISP ask for.
pub fn ensure_open(tenant: &Tenant) -> Result<()> {
    tenant.ensure_open()
}

/// Takes an ISP off: its staff and subscribers are refused, its network logins rejected. Nothing of it is lost.
pub async fn suspend(tx: &PlatformTx, id: TenantId, reason: &str) -> Result<TenantDetails> {
    tx.require_platform_staff()?;
    let mut checks = Checks::new();
    let reason = checks.line(reason, 500, "reason");
    checks.done()?;
    let tenant = lock(tx, id).await?.ok_or_else(|| Error::not_found("id"))?;
    if !matches!(tenant.status, TenantStatus::Active | TenantStatus::Trial) {
        return Err(Error::state("id", "Only an open ISP can be suspended."));
    }
    set(tx, &tenant, TenantStatus::Suspended, Some(&reason)).await?;
    tx.audit("tenantSuspend", id.0, serde_json::json!({ "reason": reason }))
        .await?;
    read(tx, id).await
}

/// Lets a suspended ISP go on.
pub async fn resume(tx: &PlatformTx, id: TenantId) -> Result<TenantDetails> {
    tx.require_platform_staff()?;
    let tenant = lock(tx, id).await?.ok_or_else(|| Error::not_found("id"))?;
    if tenant.status != TenantStatus::Suspended {
        return Err(Error::state("id", "It is not suspended."));
    }
    set(tx, &tenant, TenantStatus::Active, None).await?;
    tx.audit("tenantResume", id.0, serde_json::json!({})).await?;
    read(tx, id).await
}

async fn set(tx: &PlatformTx, tenant: &TenantDetails, status: TenantStatus, reason: Option<&str>) -> Result<()> {
    tx.sql("UPDATE platform.tenant SET status = $2, suspension_reason = $3 WHERE id = $1")
        .bind(tenant.number)
        .bind(status)
        .bind(reason.map(str::to_owned))
        .run()
        .await?;
    tx.sql("UPDATE radius.tenant SET status = $2 WHERE tenant_id = $1")
        .bind(tenant.number)
        .bind(if status == TenantStatus::Suspended {
            "suspended"
        } else {
            "active"
        })
        .run()
        .await?;
    directory::notify(tx, tenant.number).await
}

async fn read(tx: &PlatformTx, id: TenantId) -> Result<TenantDetails> {
    super::queries::find(tx, id).await?.ok_or_else(|| Error::not_found("id"))
}
