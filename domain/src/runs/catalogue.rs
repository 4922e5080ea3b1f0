use crate::addons::{self, Addon, CreateAddon, UpdateAddon};
use crate::billing;
use crate::kernel::Permission;
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, Result};
use crate::kernel::patch::Patch;
use crate::plans::{self, CreatePlan, Plan, PlanCreated, UpdatePlan};

/// As [`plans::create`], for a plan that can be taxed. It is told; those that a new ISP begins with are not.
pub async fn plan_create(tx: &TenantTx, cmd: CreatePlan) -> Result<Plan> {
    tx.require(Permission::PlanWrite)?;
    check_tax_code(tx, cmd.terms.tax_code.as_deref()).await?;
    let plan = plans::create(tx, cmd).await?;
    tx.emit(&PlanCreated { plan_id: plan.id }).await?;
    Ok(plan)
}

/// As [`plans::update`], for a plan that can be taxed.
pub async fn plan_update(tx: &TenantTx, cmd: UpdatePlan) -> Result<Plan> {
    tx.require(Permission::PlanWrite)?;
    if let Patch::Set(code) = &cmd.tax_code {
        check_tax_code(tx, Some(code)).await?;
    }
    plans::update(tx, cmd).await
}

/// As [`addons::create`], for an add-on that can be taxed.
pub async fn addon_create(tx: &TenantTx, cmd: CreateAddon) -> Result<Addon> {
    tx.require(Permission::PlanWrite)?;
    check_tax_code(tx, cmd.tax_code.as_deref()).await?;
    addons::create(tx, cmd).await
}

/// As [`addons::update`], for an add-on that can be taxed.
pub async fn addon_update(tx: &TenantTx, cmd: UpdateAddon) -> Result<Addon> {
    tx.require(Permission::PlanWrite)?;
    if let Patch::Set(code) = &cmd.tax_code {
        check_tax_code(tx, Some(code)).await?;
    }
    addons::update(tx, cmd).await
}

/// A plan with a code that the tax rules do not know could be sold and never be invoiced.
pub(super) async fn check_tax_code(tx: &TenantTx, code: Option<&str>) -> Result<()> {
    let Some(code) = code.map(str::trim).filter(|code| !code.is_empty()) else {
        return Ok(());
    };
    match billing::tax_rules(tx).await?.knows(code) {
        true => Ok(()),
        false => Err(Error::invalid("taxCode", format!("{code:?} is no tax code of this ISP."))),
    }
}
