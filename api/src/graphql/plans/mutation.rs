use async_graphql::{Context, Object};
use trunkline_domain::plans::{self, CreatePlan};
use trunkline_domain::runs;

use super::types::{PlanCreateInput, PlanCreatePayload, PlanRetireInput, PlanRetirePayload, PlanUpdateInput, PlanUpdatePayload};
use super::versions::{PlanVersionWithdrawInput, PlanVersionWithdrawPayload};
use crate::graphql::ctx::CtxExt;
use crate::graphql::error::ApiResult;
use crate::graphql::ids;

#[derive(Default)]
pub struct PlansMutation;

#[Object]
impl PlansMutation {
    /// Puts a new plan on sale.
    async fn plan_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: PlanCreateInput,
    ) -> ApiResult<PlanCreatePayload> {
        let cmd = CreatePlan::from(input);
        PlanCreatePayload::of(ctx.rq().write(async move |tx| runs::plan_create(tx, cmd.clone()).await).await)
    }

    /// A new price or speed makes a new version, which counts from `effectiveFrom` on; running services keep theirs until their
    /// next period, or longer if `existingServices` says so.
    async fn plan_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: PlanUpdateInput,
    ) -> ApiResult<PlanUpdatePayload> {
        let result = match input.command() {
            Ok(cmd) => ctx.rq().write(async move |tx| runs::plan_update(tx, cmd.clone()).await).await,
            Err(e) => Err(e),
        };
        PlanUpdatePayload::of(result)
    }

    /// Takes back a version of a plan whose day has not come. What was invoiced by it in advance stays.
    async fn plan_version_withdraw(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: PlanVersionWithdrawInput,
    ) -> ApiResult<PlanVersionWithdrawPayload> {
        let result = match ids::input(&input.id, "id") {
            Ok(id) => ctx.rq().write(async move |tx| plans::withdraw(tx, id).await).await,
            Err(e) => Err(e),
        };
        PlanVersionWithdrawPayload::of(result)
    }

    /// Takes a plan off sale; its services go on.
    async fn plan_retire(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: PlanRetireInput,
    ) -> ApiResult<PlanRetirePayload> {
        let result = match ids::input(&input.id, "id") {
            Ok(id) => ctx.rq().write(async move |tx| plans::retire(tx, id).await).await,
            Err(e) => Err(e),
        };
        PlanRetirePayload::of(result)
    }
}
