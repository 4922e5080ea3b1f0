use chrono::{Months, NaiveDate};
use serde::Serialize;

use super::create::{NewVersion, insert_version};
use super::entity::{MinimumTerm, Plan};
use super::events::PlanUpdated;
use super::queries;
use super::rules::Terms;
use super::versions::in_force;
use crate::kernel::Permission;
use crate::kernel::check::Checks;
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, Result};
use crate::kernel::ids::PlanId;
use crate::kernel::patch::Patch;

/// What becomes of the services that have the plan when a new version begins to count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub enum ExistingServices {
    /// They get it with their next period.
    #[default]
    MoveAtNextPeriod,
    /// They keep the version that they have.
    KeepVersion,
}

/// Absent fields stay as they are; `Patch::Clear` empties what may be empty.
#[derive(Clone, Debug, Serialize)]
pub struct UpdatePlan {
    pub id: PlanId,
    pub expected_version: i32,
    pub name: Patch<String>,
    pub price: Patch<rust_decimal::Decimal>,
    pub tax_inclusive: Patch<bool>,
    pub tax_code: Patch<String>,
    pub download_kbps: Patch<i32>,
    pub upload_kbps: Patch<i32>,
    pub data_cap_bytes: Patch<i64>,
    pub fair_use_download_kbps: Patch<i32>,
    pub fair_use_upload_kbps: Patch<i32>,
    pub simultaneous_sessions: Patch<i32>,
    pub trial_days: Patch<i32>,
    pub minimum_term: Patch<MinimumTerm>,
    /// From which day on; None: today.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effective_on: Option<NaiveDate>,
    pub existing_services: ExistingServices,
}

/// A change that lies further ahead is a slip of the finger.
const MAX_MONTHS_AHEAD: Months = Months::new(60);

/// Changes a plan. A new price or speed makes a new version, which counts from its day on; running services keep theirs until
/// their next period, or for good where they are to. What it does not mention is as it will be on that day.
pub async fn update(tx: &TenantTx, cmd: UpdatePlan) -> Result<Plan> {
    tx.require(Permission::PlanWrite)?;
    let plan = queries::lock(tx, cmd.id).await?.ok_or_else(|| Error::not_found("id"))?;
    if plan.version != cmd.expected_version {
        return Err(Error::stale("expectedVersion"));
    }
    if plan.retired_at.is_some() {
        return Err(Error::state("id", "The plan is retired."));
    }
    let from = check_day(tx, &cmd)?;
    let versions = queries::versions_of(tx, plan.id).await?;
    let then = in_force(&versions, from).ok_or_else(|| Error::internal(format!("{} has no version", plan.id)))?;
    let (name, terms) = changed(tx, then, &cmd)?;
    if terms != Terms::of(then) {
        let new = NewVersion {
            number: versions.iter().map(|v| v.version_number).max().unwrap_or_default() + 1,
            effective_on: Some(from),
            new_services_only: cmd.existing_services == ExistingServices::KeepVersion,
            terms: &terms,
        };
        insert_version(tx, plan.id, new).await?;
    } else if cmd.effective_on.is_some() {
        return Err(Error::invalid(
            "effectiveFrom",
            "Neither price nor speed changes on that day.",
        ));
    }
    tx.sql("UPDATE plan SET name = $2, version = version + 1 WHERE id = $1")
        .bind(plan.id)
        .bind(name)
        .run()
        .await?;
    tx.audit("planUpdate", plan.id.0, &cmd).await?;
    tx.emit(&PlanUpdated { plan_id: plan.id }).await?;
    queries::get(tx, plan.id).await
}

/// What has been billed is not changed any more: a version counts from today on, or later.
fn check_day(tx: &TenantTx, cmd: &UpdatePlan) -> Result<NaiveDate> {
    let today = tx.today();
    let from = cmd.effective_on.unwrap_or(today);
    if from < today {
        return Err(Error::invalid(
            "effectiveFrom",
            "Must not be before today: what was billed stays as it is.",
        ));
    }
    if today.checked_add_months(MAX_MONTHS_AHEAD).is_none_or(|last| from > last) {
        return Err(Error::invalid("effectiveFrom", "Must be within five years."));
    }
    Ok(from)
}

fn changed(tx: &TenantTx, plan: &Plan, cmd: &UpdatePlan) -> Result<(String, Terms)> {
    let mut checks = Checks::new();
    let old = Terms::of(plan);
    let name = cmd.name.clone().required(plan.name.clone(), "name", &mut checks);
    let name = checks.line(&name, 120, "name");
    let mut terms = Terms {
        price: cmd.price.clone().required(old.price, "price", &mut checks),
        tax_inclusive: cmd
            .tax_inclusive
            .clone()
            .required(old.tax_inclusive, "taxInclusive", &mut checks),
        tax_code: cmd.tax_code.clone().or(old.tax_code),
        download_kbps: cmd.download_kbps.clone().or(old.download_kbps),
        upload_kbps: cmd.upload_kbps.clone().or(old.upload_kbps),
        data_cap_bytes: cmd.data_cap_bytes.clone().or(old.data_cap_bytes),
        fair_use_download_kbps: cmd.fair_use_download_kbps.clone().or(old.fair_use_download_kbps),
        fair_use_upload_kbps: cmd.fair_use_upload_kbps.clone().or(old.fair_use_upload_kbps),
        simultaneous_sessions: cmd.simultaneous_sessions.clone().required(
            old.simultaneous_sessions,
            "simultaneousSessions",
            &mut checks,
        ),
        trial_days: cmd.trial_days.clone().or(old.trial_days),
        minimum_term: cmd.minimum_term.clone().or(old.minimum_term),
    };
    terms.check(&mut checks, tx.tenant().currency());
    checks.done()?;
    Ok((name, terms))
}
