//! Which version of a plan counts when, and for whom.

use chrono::NaiveDate;

use super::entity::Plan;
use super::events::PlanVersionWithdrawn;
use super::queries;
use crate::kernel::Permission;
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, ErrorCode, Result};
use crate::kernel::ids::PlanVersionId;

/// The version that is sold on that day, of a plan's versions in the order in which they begin to count.
pub fn in_force(versions: &[Plan], on: NaiveDate) -> Option<&Plan> {
    versions.iter().rev().find(|v| counts(v, on))
}

/// The version by which a service that has `current` is charged for a period that begins on that day: the last one that
/// counts by then and is not for new services only, or its own. Never an earlier one than it has, unless that was withdrawn:
/// then the last one that counts and is for it, or for new services if there is no other.
pub fn next_for(versions: &[Plan], current: PlanVersionId, on: NaiveDate) -> Option<&Plan> {
    let own = versions.iter().position(|v| v.version_id == current)?;
    let is_for_it = |v: &&Plan| counts(v, on) && !v.new_services_only;
    match versions[own].withdrawn_at {
        None => versions[own + 1..].iter().rev().find(is_for_it).or(versions.get(own)),
        Some(_) => versions.iter().rev().find(is_for_it).or_else(|| in_force(versions, on)),
    }
}

fn counts(version: &Plan, on: NaiveDate) -> bool {
    version.withdrawn_at.is_none() && version.effective_on.is_none_or(|from| from <= on)
}

/// Takes back a version that does not count yet. What was invoiced in advance by it stays.
pub async fn withdraw(tx: &TenantTx, id: PlanVersionId) -> Result<Plan> {
    tx.require(Permission::PlanWrite)?;
    let known = queries::find_version(tx, id).await?.ok_or_else(|| Error::not_found("id"))?;
    let plan = queries::lock(tx, known.id).await?.ok_or_else(|| Error::not_found("id"))?;
    if known.effective_on.is_none_or(|from| from <= tx.today()) {
        return Err(Error::state("id", "The version counts already: change the plan instead."));
    }
    let written = tx
        .sql("INSERT INTO plan_version_withdrawal (plan_version_id, withdrawn_at) VALUES ($1, $2) ON CONFLICT DO NOTHING")
        .bind(id)
        .bind(tx.now())
        .run()
        .await?;
    if written == 0 {
        return Err(Error::user(
            ErrorCode::InvalidState,
            "id",
            "The version was withdrawn before.",
        ));
    }
    tx.sql("UPDATE plan SET version = version + 1 WHERE id = $1")
        .bind(plan.id)
        .run()
        .await?;
    let detail = serde_json::json!({ "planVersionId": id, "number": known.version_number });
    tx.audit("planVersionWithdraw", plan.id.0, detail).await?;
    let (plan_id, plan_version_id) = (plan.id, id);
    tx.emit(&PlanVersionWithdrawn {
        plan_id,
        plan_version_id,
    })
    .await?;
    queries::get(tx, plan.id).await
}

#[cfg(test)]
#[path = "versions_tests.rs"]
mod tests;
