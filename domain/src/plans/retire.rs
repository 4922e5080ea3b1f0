use super::entity::Plan;
use super::events::PlanRetired;
use super::queries;
use crate::kernel::Permission;
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, Result};
use crate::kernel::ids::PlanId;

/// Takes a plan off sale. Its services go on. Retiring it again changes nothing.
pub async fn retire(tx: &TenantTx, id: PlanId) -> Result<Plan> {
    tx.require(Permission::PlanWrite)?;
    let plan = queries::lock(tx, id).await?.ok_or_else(|| Error::not_found("id"))?;
    if plan.retired_at.is_none() {
        tx.sql("UPDATE plan SET retired_at = $2, version = version + 1 WHERE id = $1")
            .bind(id)
            .bind(tx.now())
            .run()
            .await?;
        tx.audit("planRetire", id.0, ()).await?;
        tx.emit(&PlanRetired { plan_id: id }).await?;
    }
    queries::get(tx, id).await
}
