use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;

use super::entity::{Service, ServiceStatus, SuspensionCause};
use super::events::{
    ServiceActivated, ServiceChangeCancelled, ServiceChangePlanned, ServiceEndCancelled, ServiceEndPlanned, ServicePlanChanged,
    ServiceResumed, ServiceSuspended, ServiceTerminated, ServiceVersionKept,
};
use super::queries;
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, Result};
use crate::kernel::event::Fact;
use crate::kernel::ids::{PlanId, PlanVersionId, ServiceId};

/// Writes a changed service; see [`save_all`]. Answers it as it is now.
pub async fn save(tx: &TenantTx, before: &Service, after: Service) -> Result<Service> {
    if *before == after {
        return Ok(after);
    }
    save_all(tx, &[(before, &after)]).await?;
    queries::get(tx, before.id).await
}

/// Writes changed services, which the caller has locked, as they were read first; nothing happens where nothing changed. A
/// state that may not follow is refused by name. Later modules hear when a service went on or off.
pub async fn save_all(tx: &TenantTx, services: &[(&Service, &Service)]) -> Result<()> {
    let changed: Vec<(&Service, &Service)> = services.iter().copied().filter(|(before, after)| before != after).collect();
    if changed.is_empty() {
        return Ok(());
    }
    let mut facts = Vec::new();
    for (before, after) in &changed {
        if before.state != after.state {
            before.state.check_becomes(&after.state)?;
        }
        tell(before, after, &mut facts)?;
    }
    update(tx, &changed).await?;
    tx.emit_all(facts).await
}

#[derive(Serialize)]
struct Row<'s> {
    id: ServiceId,
    version: i32,
    plan_id: PlanId,
    plan_version_id: PlanVersionId,
    status: ServiceStatus,
    suspension_cause: Option<SuspensionCause>,
    suspension_since: Option<DateTime<Utc>>,
    suspension_reason: Option<&'s str>,
    started_on: Option<NaiveDate>,
    anchor_at: Option<DateTime<Utc>>,
    period_starts_at: Option<DateTime<Utc>>,
    period_ends_at: Option<DateTime<Utc>>,
    billed_until: Option<DateTime<Utc>>,
    billed_version_id: Option<PlanVersionId>,
    paid_until: Option<DateTime<Utc>>,
    access_until: Option<DateTime<Utc>>,
    next_billing_on: Option<NaiveDate>,
    awaits_payment: bool,
    pending_plan_id: Option<PlanId>,
    pending_on: Option<NaiveDate>,
    pause_starts_on: Option<NaiveDate>,
    pause_ends_on: Option<NaiveDate>,
    ends_on: Option<NaiveDate>,
    end_reason: Option<&'s str>,
    version_kept_until: Option<NaiveDate>,
}

fn row<'s>(before: &Service, after: &'s Service) -> Row<'s> {
    let suspension = after.state.suspension();
    Row {
        id: before.id,
        version: before.version,
        plan_id: after.plan_id,
        plan_version_id: after.plan_version_id,
        status: after.state.status(),
        suspension_cause: suspension.map(|s| s.cause),
        suspension_since: suspension.map(|s| s.since),
        suspension_reason: suspension.and_then(|s| s.reason.as_deref()),
        started_on: after.started_on,
        anchor_at: after.anchor_at,
        period_starts_at: after.period_starts_at,
        period_ends_at: after.period_ends_at,
        billed_until: after.billed_until,
        billed_version_id: after.billed_version_id,
        paid_until: after.paid_until,
        access_until: after.access_until,
        next_billing_on: after.next_billing_on,
        awaits_payment: after.awaits_payment,
        pending_plan_id: after.pending_change.map(|p| p.plan_id),
        pending_on: after.pending_change.map(|p| p.effective_on),
        pause_starts_on: after.pause.map(|p| p.starts_on),
        pause_ends_on: after.pause.and_then(|p| p.ends_on),
        ends_on: after.ends_on,
        end_reason: after.end_reason.as_deref(),
        version_kept_until: after.version_kept_until,
    }
}

async fn update(tx: &TenantTx, changed: &[(&Service, &Service)]) -> Result<()> {
    let rows: Vec<Row> = changed.iter().map(|(before, after)| row(before, after)).collect();
    let written = tx
        .sql(
            "UPDATE service s SET plan_id = r.plan_id, plan_version_id = r.plan_version_id, status = r.status,
                 suspension_cause = r.suspension_cause, suspension_since = r.suspension_since,
                 suspension_reason = r.suspension_reason, started_on = r.started_on, anchor_at = r.anchor_at,
                 period_starts_at = r.period_starts_at, period_ends_at = r.period_ends_at, billed_until = r.billed_until,
                 billed_version_id = r.billed_version_id, paid_until = r.paid_until, access_until = r.access_until,
                 next_billing_on = r.next_billing_on, awaits_payment = r.awaits_payment, pending_plan_id = r.pending_plan_id,
                 pending_on = r.pending_on, pause_starts_on = r.pause_starts_on, pause_ends_on = r.pause_ends_on,
                 ends_on = r.ends_on, end_reason = r.end_reason,
                 version_kept_until = r.version_kept_until, version = s.version + 1
             FROM jsonb_to_recordset($1) AS r(id uuid, version integer, plan_id uuid, plan_version_id uuid, status text,
                 suspension_cause text, suspension_since timestamptz, suspension_reason text, started_on date,
                 anchor_at timestamptz, period_starts_at timestamptz, period_ends_at timestamptz, billed_until timestamptz,
                 billed_version_id uuid, paid_until timestamptz, access_until timestamptz, next_billing_on date,
                 awaits_payment boolean, pending_plan_id uuid, pending_on date, pause_starts_on date,
                 pause_ends_on date, ends_on date, end_reason text,
                 version_kept_until date)
             WHERE s.id = r.id AND s.version = r.version",
        )
        .bind(serde_json::to_value(rows)?)
        .run()
        .await?;
    match usize::try_from(written) {
        Ok(written) if written == changed.len() => Ok(()),
        _ => Err(Error::internal("a service was changed without its lock")),
    }
}

fn tell(before: &Service, service: &Service, facts: &mut Vec<Fact>) -> Result<()> {
    let (service_id, version) = (before.id, before.version + 1);
    if before.plan_id != service.plan_id {
        facts.push(Fact::of(&ServicePlanChanged { service_id, version })?);
    }
    tell_plans(before, service, facts)?;
    match (before.state.status(), service.state.status()) {
        (ServiceStatus::Pending, ServiceStatus::Active) => facts.push(Fact::of(&ServiceActivated { service_id, version })?),
        (ServiceStatus::Active | ServiceStatus::Grace, ServiceStatus::Suspended) => {
            facts.push(Fact::of(&ServiceSuspended { service_id, version })?);
        }
        (ServiceStatus::Suspended, ServiceStatus::Active | ServiceStatus::Grace) => {
            facts.push(Fact::of(&ServiceResumed { service_id, version })?);
        }
        (ServiceStatus::Terminated, _) => {}
        (_, ServiceStatus::Terminated) => facts.push(Fact::of(&ServiceTerminated { service_id, version })?),
        _ => {}
    }
    Ok(())
}

/// What is to come, and what is not to come any more. What has come is told as that.
fn tell_plans(before: &Service, service: &Service, facts: &mut Vec<Fact>) -> Result<()> {
    let (service_id, version) = (before.id, before.version + 1);
    let follows = |of: &Service| of.pending_change.map(|change| change.plan_id);
    match (follows(before), follows(service)) {
        (old, Some(new)) if old != Some(new) => facts.push(Fact::of(&ServiceChangePlanned { service_id, version })?),
        (Some(old), None) if service.plan_id != old => facts.push(Fact::of(&ServiceChangeCancelled { service_id, version })?),
        _ => {}
    }
    match (before.ends_on, service.ends_on) {
        _ if service.state.status() == ServiceStatus::Terminated => {}
        (old, Some(new)) if old != Some(new) => facts.push(Fact::of(&ServiceEndPlanned { service_id, version })?),
        (Some(_), None) => facts.push(Fact::of(&ServiceEndCancelled { service_id, version })?),
        _ => {}
    }
    if before.version_kept_until != service.version_kept_until {
        facts.push(Fact::of(&ServiceVersionKept { service_id, version })?);
    }
    Ok(())
}

/// Counts a change that the service's row does not hold, such as that of its network password.
pub async fn touch(tx: &TenantTx, id: ServiceId) -> Result<Service> {
    tx.sql("UPDATE service SET version = version + 1 WHERE id = $1")
        .bind(id)
        .run()
        .await?;
    queries::get(tx, id).await
}
