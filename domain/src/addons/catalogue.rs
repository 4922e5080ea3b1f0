use rust_decimal::Decimal;
use serde::Serialize;

use super::entity::{Addon, AddonCharging};
use super::events::{AddonCreated, AddonRetired, AddonUpdated};
use super::of_service::check_price;
use super::queries;
use crate::kernel::Permission;
use crate::kernel::check::Checks;
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, ErrorCode, Result};
use crate::kernel::ids::{AddonId, PlanId};
use crate::kernel::patch::Patch;
use crate::plans;

#[derive(Clone, Debug, Serialize)]
pub struct CreateAddon {
    pub code: String,
    pub name: String,
    pub charged: AddonCharging,
    pub price: Decimal,
    pub tax_inclusive: bool,
    pub tax_code: Option<String>,
    /// Empty: all.
    pub plan_ids: Vec<PlanId>,
}

/// Absent fields stay as they are.
#[derive(Clone, Debug, Serialize)]
pub struct UpdateAddon {
    pub id: AddonId,
    pub expected_version: i32,
    pub name: Patch<String>,
    pub price: Patch<Decimal>,
    pub tax_inclusive: Patch<bool>,
    pub tax_code: Patch<String>,
    /// `Clear`: all.
    pub plan_ids: Patch<Vec<PlanId>>,
}

/// An add-on goes with so many plans at most, if not with all.
const MAX_PLANS: usize = 200;

/// Puts an add-on on sale. TAKEN when the code is in use, whatever its case.
pub async fn create(tx: &TenantTx, mut cmd: CreateAddon) -> Result<Addon> {
    tx.require(Permission::PlanWrite)?;
    let mut checks = Checks::new();
    cmd.code = checks.line(&cmd.code, 40, "code");
    cmd.name = checks.line(&cmd.name, 120, "name");
    cmd.price = check_price(tx, cmd.price, "price", &mut checks);
    cmd.tax_code = checks.optional_line(cmd.tax_code.as_deref(), 20, "taxCode");
    checks.done()?;
    let id = AddonId::new();
    let inserted = tx
        .sql(
            "INSERT INTO addon (id, code, name, charged, price, currency, tax_inclusive, tax_code, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (lower(code)) DO NOTHING",
        )
        .bind(id)
        .bind(cmd.code.as_str())
        .bind(cmd.name.as_str())
        .bind(cmd.charged)
        .bind(cmd.price)
        .bind(tx.tenant().currency().code())
        .bind(cmd.tax_inclusive)
        .bind(cmd.tax_code.clone())
        .bind(tx.now())
        .run()
        .await?;
    if inserted == 0 {
        return Err(Error::user(ErrorCode::Taken, "code", "Another add-on has this code."));
    }
    set_plans(tx, id, &cmd.plan_ids).await?;
    tx.audit("addonCreate", id.0, &cmd).await?;
    tx.emit(&AddonCreated { addon_id: id }).await?;
    queries::get(tx, id).await
}

/// Changes an add-on. Services that have it are charged the new price with their next period, save where another was agreed.
pub async fn update(tx: &TenantTx, cmd: UpdateAddon) -> Result<Addon> {
    tx.require(Permission::PlanWrite)?;
    let old = queries::lock(tx, cmd.id).await?;
    if old.version != cmd.expected_version {
        return Err(Error::stale("expectedVersion"));
    }
    if old.retired_at.is_some() {
        return Err(Error::state("id", "The add-on is retired."));
    }
    let mut checks = Checks::new();
    let name = cmd.name.clone().required(old.name, "name", &mut checks);
    let name = checks.line(&name, 120, "name");
    let price = cmd.price.clone().required(old.price, "price", &mut checks);
    let price = check_price(tx, price, "price", &mut checks);
    let inclusive = (cmd.tax_inclusive.clone()).required(old.tax_inclusive, "taxInclusive", &mut checks);
    let code = checks.optional_line(cmd.tax_code.clone().or(old.tax_code).as_deref(), 20, "taxCode");
    checks.done()?;
    match &cmd.plan_ids {
        Patch::Keep => {}
        Patch::Clear => set_plans(tx, cmd.id, &[]).await?,
        Patch::Set(plans) => set_plans(tx, cmd.id, plans).await?,
    }
    tx.sql("UPDATE addon SET name = $2, price = $3, tax_inclusive = $4, tax_code = $5, version = version + 1 WHERE id = $1")
        .bind(cmd.id)
        .bind(name)
        .bind(price)
        .bind(inclusive)
        .bind(code)
        .run()
        .await?;
    tx.audit("addonUpdate", cmd.id.0, &cmd).await?;
    tx.emit(&AddonUpdated { addon_id: cmd.id }).await?;
    queries::get(tx, cmd.id).await
}

/// Takes an add-on off sale. Services that have it keep it. Retiring it again changes nothing.
pub async fn retire(tx: &TenantTx, id: AddonId) -> Result<Addon> {
    tx.require(Permission::PlanWrite)?;
    if queries::lock(tx, id).await?.retired_at.is_none() {
        tx.sql("UPDATE addon SET retired_at = $2, version = version + 1 WHERE id = $1")
            .bind(id)
            .bind(tx.now())
            .run()
            .await?;
        tx.audit("addonRetire", id.0, ()).await?;
        tx.emit(&AddonRetired { addon_id: id }).await?;
    }
    queries::get(tx, id).await
}

async fn set_plans(tx: &TenantTx, id: AddonId, given: &[PlanId]) -> Result<()> {
    let mut checks = Checks::new();
    checks.ensure(
        given.len() <= MAX_PLANS,
        "planIds",
        "Must be at most 200; leave it out for all plans.",
    );
    let known = plans::by_ids(tx, &given[..given.len().min(MAX_PLANS)]).await?;
    for (n, plan) in given.iter().take(MAX_PLANS).enumerate() {
        if !known.iter().any(|k| k.id == *plan) {
            checks.add(ErrorCode::NotFound, &format!("planIds.{n}"), "There is no such plan.");
        }
    }
    checks.done()?;
    tx.sql("DELETE FROM addon_plan WHERE addon_id = $1").bind(id).run().await?;
    tx.sql("INSERT INTO addon_plan (addon_id, plan_id) SELECT $1, p.id FROM unnest($2::uuid[]) AS p(id) ON CONFLICT DO NOTHING")
        .bind(id)
        .bind(PlanId::array(given))
        .run()
        .await?;
    Ok(())
}
