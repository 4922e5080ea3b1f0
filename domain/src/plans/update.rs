use serde::Serialize;

use super::create::insert_version;
use super::entity::Plan;
use super::queries;
use super::rules::Terms;
use crate::kernel::Permission;
use crate::kernel::check::Checks;
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, Result};
use crate::kernel::ids::PlanId;
use crate::kernel::patch::Patch;

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
}

/// Changes a plan. A new price or speed makes a new version; running services keep theirs until their next period.
pub async fn update(tx: &TenantTx, cmd: UpdatePlan) -> Result<Plan> {
    tx.require(Permission::PlanWrite)?;
    let plan = queries::lock(tx, cmd.id).await?.ok_or_else(|| Error::not_found("id"))?;
    if plan.version != cmd.expected_version {
        return Err(Error::stale("expectedVersion"));
    }
    if plan.retired_at.is_some() {
        return Err(Error::state("id", "The plan is retired."));
    }
    let (name, terms) = changed(tx, &plan, &cmd)?;
    if terms != Terms::of(&plan) {
        insert_version(tx, plan.id, plan.version_number + 1, &terms).await?;
    }
    tx.sql("UPDATE plan SET name = $2, version = version + 1 WHERE id = $1")
        .bind(plan.id)
        .bind(name)
        .run()
        .await?;
    tx.audit("planUpdate", plan.id.0, &cmd).await?;
    queries::get(tx, plan.id).await
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
    };
    terms.check(&mut checks, tx.tenant().currency());
    checks.done()?;
    Ok((name, terms))
}
