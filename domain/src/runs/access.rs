use serde::Serialize;
use uuid::Uuid;

use super::held::Held;
use crate::kernel::check::Checks;
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, Result};
use crate::kernel::ids::ServiceId;
use crate::kernel::{Actor, Permission};
use crate::radius;
use crate::services::{self, Service, ServiceState, SuspensionCause};

#[derive(Clone, Debug, Serialize)]
pub struct SuspendService {
    pub id: ServiceId,
    pub reason: String,
    pub idempotency_key: Uuid,
}

#[derive(Clone, Debug, Serialize)]
pub struct ResumeService {
    pub id: ServiceId,
    pub idempotency_key: Uuid,
}

#[derive(Clone)]
pub struct SetServicePassword {
    pub id: ServiceId,
    pub password: String,
}

/// Switches a service off until staff switch it on again; its next login is rejected.
pub async fn service_suspend(tx: &TenantTx, cmd: &SuspendService) -> Result<Service> {
    tx.require(Permission::ServiceWrite)?;
    let mut checks = Checks::new();
    let reason = services::check_reason(&cmd.reason, "reason", &mut checks);
    checks.done()?;
    if let Some(known) = tx
        .claim_key("serviceSuspend", Some(cmd.idempotency_key), cmd, cmd.id.0)
        .await?
    {
        return services::get(tx, ServiceId(known)).await;
    }
    let mut held = Held::lock(tx, cmd.id).await?.ok_or_else(|| Error::not_found("id"))?;
    // One that is off already was off from then on, whoever is to lift it now. Staff take over a pause.
    let was = held.service.state.clone();
    let since = match held.is_paused() {
        true => held.off_from(tx).map_or(tx.now(), |first| first.min(tx.now())),
        false => was.suspension().map_or(tx.now(), |s| s.since),
    };
    held.suspend(SuspensionCause::Staff, Some(reason), since);
    held.end_pause(tx, &was).await?;
    held.stop_charging();
    let service = held.keep(tx, None).await?;
    tx.audit("serviceSuspend", cmd.id.0, cmd).await?;
    Ok(service)
}

/// Lifts a suspension, whatever its cause. A service that has to be paid for first stays off, now for that reason.
pub async fn service_resume(tx: &TenantTx, cmd: &ResumeService) -> Result<Service> {
    tx.require(Permission::ServiceWrite)?;
    if let Some(known) = tx
        .claim_key("serviceResume", Some(cmd.idempotency_key), cmd, cmd.id.0)
        .await?
    {
        return services::get(tx, ServiceId(known)).await;
    }
    let mut held = Held::lock(tx, cmd.id).await?.ok_or_else(|| Error::not_found("id"))?;
    let Some(cause) = held.service.state.cause() else {
        return Err(Error::state(
            "id",
            format!("A service that is {} is not suspended.", held.service.state),
        ));
    };
    if held.is_paused() {
        held.lift_pause(tx).await?;
    } else {
        held.settle(tx, true).await?;
    }
    if held.service.state.cause() == Some(cause) {
        return Err(Error::state(
            "id",
            "The service has to be paid for first; its payment resumes it.",
        ));
    }
    let service = held.keep(tx, None).await?;
    tx.audit("serviceResume", cmd.id.0, cmd).await?;
    Ok(service)
}

/// Sets the network password, which RADIUS alone keeps. A subscriber may set that of its own services.
pub async fn service_password_set(tx: &TenantTx, cmd: &SetServicePassword) -> Result<Service> {
    if !matches!(tx.actor(), Actor::Subscriber { .. }) {
        tx.require(Permission::ServiceWrite)?;
    }
    let mut checks = Checks::new();
    services::check_network_password(&cmd.password, "password", &mut checks);
    checks.done()?;
    let held = Held::lock(tx, cmd.id).await?.ok_or_else(|| Error::not_found("id"))?;
    if !tx.actor().may_for(Permission::ServiceWrite, held.service.subscriber_id) {
        return Err(Error::not_found("id"));
    }
    if held.service.state == ServiceState::Terminated {
        return Err(Error::state("id", "The service is terminated."));
    }
    if held.service.username.is_none() {
        return Err(Error::state(
            "id",
            "The service gives no network access, so it has no password.",
        ));
    }
    let service = services::touch(tx, cmd.id).await?;
    radius::sync(tx, &service, &held.plan, Some(&cmd.password)).await?;
    tx.audit("servicePasswordSet", cmd.id.0, serde_json::json!({})).await?;
    Ok(service)
}
