use crate::billing;
use crate::kernel::Permission;
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, Result};
use crate::kernel::patch::Patch;
use crate::plans::{self, CreatePlan, Plan, UpdatePlan};

/// As [`plans::create`], for a plan that can be taxed.
pub async fn plan_create(tx: &TenantTx, cmd: CreatePlan) -> Result<Plan> {
    tx.require(Permission::PlanWrite)?;
    check_tax_code(tx, cmd.terms.tax_code.as_deref()).await?;
    plans::create(tx, cmd).await
}

/// As [`plans::update`], for a plan that can be taxed.
pub async fn plan_update(tx: &TenantTx, cmd: UpdatePlan) -> Result<Plan> {
    tx.require(Permission::PlanWrite)?;
    if let Patch::Set(code) = &cmd.tax_code {
        check_tax_code(tx, Some(code)).await?;
    }
    plans::update(tx, cmd).await
}

/// A plan with a code that the tax rules do not know could be sold and never be invoiced.
async fn check_tax_code(tx: &TenantTx, code: Option<&str>) -> Result<()> {
    let Some(code) = code.map(str::trim).filter(|code| !code.is_empty()) else {
        return Ok(());
    };
    match billing::tax_rules(tx).await?.knows(code) {
        true => Ok(()),
        false => Err(Error::invalid("taxCode", format!("{code:?} is no tax code of this ISP."))),
    }
}
