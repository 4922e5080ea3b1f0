use super::entity::{Service, ServiceStatus};
use super::events::{ServiceActivated, ServicePlanChanged, ServiceResumed, ServiceSuspended, ServiceTerminated};
use super::queries;
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, Result};
use crate::kernel::ids::ServiceId;

/// Writes a changed service, which the caller has locked, as `before` was read; nothing happens when nothing changed. A
/// state that may not follow is refused by name. Later modules hear when the service went on or off.
pub async fn save(tx: &TenantTx, before: &Service, after: Service) -> Result<Service> {
    if *before == after {
        return Ok(after);
    }
    if before.state != after.state {
        before.state.check_becomes(&after.state)?;
    }
    let suspension = after.state.suspension();
    let written = tx
        .sql(
            "UPDATE service SET plan_id = $3, plan_version_id = $4, status = $5, suspension_cause = $6, suspension_since = $7,
                 suspension_reason = $8, started_on = $9, anchor_at = $10, period_starts_at = $11, period_ends_at = $12,
                 billed_until = $13, paid_until = $14, access_until = $15, next_billing_on = $16, awaits_payment = $17,
                 billed_version_id = $18, pending_plan_id = $19, pending_on = $20, ends_on = $21, end_reason = $22,
                 version_kept_until = $23,
                 version = version + 1
             WHERE id = $1 AND version = $2",
        )
        .bind(before.id)
        .bind(before.version)
        .bind(after.plan_id)
        .bind(after.plan_version_id)
        .bind(after.state.status())
        .bind(suspension.map(|s| s.cause))
        .bind(suspension.map(|s| s.since))
        .bind(suspension.and_then(|s| s.reason.clone()))
        .bind(after.started_on)
        .bind(after.anchor_at)
        .bind(after.period_starts_at)
        .bind(after.period_ends_at)
        .bind(after.billed_until)
        .bind(after.paid_until)
        .bind(after.access_until)
        .bind(after.next_billing_on)
        .bind(after.awaits_payment)
        .bind(after.billed_version_id)
        .bind(after.pending_change.map(|p| p.plan_id))
        .bind(after.pending_change.map(|p| p.effective_on))
        .bind(after.ends_on)
        .bind(after.end_reason)
        .bind(after.version_kept_until)
        .run()
        .await?;
    if written == 0 {
        return Err(Error::internal(format!("{} was changed without its lock", before.id)));
    }
    let saved = queries::get(tx, before.id).await?;
    tell(tx, before, &saved).await?;
    Ok(saved)
}

async fn tell(tx: &TenantTx, before: &Service, service: &Service) -> Result<()> {
    let (service_id, version) = (service.id, service.version);
    if before.plan_id != service.plan_id {
        tx.emit(&ServicePlanChanged { service_id, version }).await?;
    }
    match (before.state.status(), service.state.status()) {
        (ServiceStatus::Pending, ServiceStatus::Active) => tx.emit(&ServiceActivated { service_id, version }).await,
        (ServiceStatus::Active | ServiceStatus::Grace, ServiceStatus::Suspended) => {
            tx.emit(&ServiceSuspended { service_id, version }).await
        }
        (ServiceStatus::Suspended, ServiceStatus::Active | ServiceStatus::Grace) => {
            tx.emit(&ServiceResumed { service_id, version }).await
        }
        (ServiceStatus::Terminated, _) => Ok(()),
        (_, ServiceStatus::Terminated) => tx.emit(&ServiceTerminated { service_id, version }).await,
        _ => Ok(()),
    }
}

/// Counts a change that the service's row does not hold, such as that of its network password.
pub async fn touch(tx: &TenantTx, id: ServiceId) -> Result<Service> {
    tx.sql("UPDATE service SET version = version + 1 WHERE id = $1")
        .bind(id)
        .run()
        .await?;
    queries::get(tx, id).await
}
