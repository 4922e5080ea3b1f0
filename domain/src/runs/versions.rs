//! Which version of its plan a service is charged by next, and for how long the ISP keeps the one that it has.

use chrono::{DateTime, Months, NaiveDate, Utc};
use serde::Serialize;

use super::held::Held;
use crate::kernel::Permission;
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, Result};
use crate::kernel::ids::{PlanId, ServiceId};
use crate::plans::{self, BillIn, Plan};
use crate::services::{self, Service, ServiceState};

/// How far ahead a version may be kept.
const MAX_MONTHS_KEPT: Months = Months::new(120);

#[derive(Clone, Debug, Serialize)]
pub struct KeepVersion {
    pub id: ServiceId,
    /// Periods that begin before this day are charged by the version that the service has; None: by the next, as usual.
    pub until: Option<NaiveDate>,
}

/// Promises a service its price: new versions of its plan do not reach it until a day, or do so again.
pub async fn service_version_keep(tx: &TenantTx, cmd: &KeepVersion) -> Result<Service> {
    tx.require(Permission::ServiceWrite)?;
    let mut held = Held::lock(tx, cmd.id).await?.ok_or_else(|| Error::not_found("id"))?;
    if held.service.state == ServiceState::Terminated {
        return Err(Error::state("id", "The service is over."));
    }
    let (today, until) = (tx.today(), cmd.until);
    if until.is_some_and(|day| day <= today || today.checked_add_months(MAX_MONTHS_KEPT).is_none_or(|last| day > last)) {
        return Err(Error::invalid("until", "Must be after today and within ten years."));
    }
    held.service.version_kept_until = until;
    let service = held.keep(tx, None).await?;
    tx.audit("serviceVersionKeep", cmd.id.0, cmd).await?;
    Ok(service)
}

/// The version by which the next period of a service is charged, as far as is known today; None when there is none to come.
pub async fn next_version(tx: &TenantTx, id: ServiceId) -> Result<Option<Plan>> {
    let service = services::find(tx, id).await?.ok_or_else(|| Error::not_found("id"))?;
    let plan = plans::version(tx, service.plan_version_id).await?;
    let held = Held::of(tx, service, plan).await?;
    let from = match held.plan.bill_in {
        BillIn::Advance => held.service.billed_until,
        // What is used is charged by the version that it has.
        BillIn::Arrears => held.service.period_ends_at,
    };
    let from = from.or(held.service.anchor_at);
    let ends = held.service.ends_on.map(|day| held.zone(tx).start_of_day(day));
    match from {
        _ if held.service.state == ServiceState::Terminated => Ok(None),
        Some(from) if ends.is_some_and(|end| end <= from) => Ok(None),
        Some(from) => held.next_plan(tx, from).await.map(Some),
        None => {
            let first = held.service.started_on.unwrap_or(tx.today()).max(tx.today());
            plans::on(tx, held.service.plan_id, first).await.map(Some)
        }
    }
}

impl Held {
    /// What a period that begins then is charged by: the plan that is to follow, if one is, else its own.
    pub(super) async fn next_plan(&self, tx: &TenantTx, from: DateTime<Utc>) -> Result<Plan> {
        let on = self.zone(tx).local_date(from);
        match self.service.pending_change.map(|p| p.plan_id) {
            // Asked for by name: the service moves, whatever it keeps otherwise.
            Some(same) if same == self.service.plan_id => {
                let versions = self.desk.versions_of(tx, same).await?;
                let sold = plans::in_force(&versions, on).cloned();
                sold.ok_or_else(|| Error::not_found("planId"))
            }
            Some(other) => self.version_for(tx, other, on).await,
            None => self.own_version(tx, on).await,
        }
    }

    /// The version of its own plan by which a period is charged that begins on that day.
    pub(super) async fn own_version(&self, tx: &TenantTx, on: NaiveDate) -> Result<Plan> {
        self.version_for(tx, self.service.plan_id, on).await
    }

    async fn version_for(&self, tx: &TenantTx, plan: PlanId, on: NaiveDate) -> Result<Plan> {
        let versions = self.desk.versions_of(tx, plan).await?;
        // What was charged in advance counts as much as what is being used.
        let known = [self.service.billed_version_id, Some(self.service.plan_version_id)];
        let is_known = |v: &&Plan| known.contains(&Some(v.version_id));
        let standing = versions.iter().rev().find(|v| is_known(v) && v.withdrawn_at.is_none());
        let current = standing.or_else(|| versions.iter().rev().find(is_known));
        let kept = self.service.version_kept_until.is_some_and(|until| on < until);
        let next = match current {
            Some(current) if kept && current.withdrawn_at.is_none() => Some(current),
            Some(current) => plans::next_for(&versions, current.version_id, on),
            None => plans::in_force(&versions, on),
        };
        next.cloned().ok_or_else(|| Error::internal(format!("{plan} has no version")))
    }
}
