use async_graphql::{Context, Object};
use trunkline_domain::dunning::{self, CreateHold, UpdateDunning};
use trunkline_domain::runs;

use super::brake::{
    CollectionHoldCreateInput, CollectionHoldCreatePayload, CollectionHoldReleaseInput, CollectionHoldReleasePayload,
    DunningBrakeReleaseInput, DunningBrakeReleasePayload,
};
use super::types::{
    DunningSettingsUpdateInput, DunningSettingsUpdatePayload, PromiseToPayCancelInput, PromiseToPayCancelPayload,
    PromiseToPayCreateInput, PromiseToPayCreatePayload,
};
use crate::graphql::ctx::CtxExt;
use crate::graphql::error::ApiResult;

#[derive(Default)]
pub struct DunningMutation;

#[Object]
impl DunningMutation {
    /// Changes what this ISP does about invoices that are not paid.
    async fn dunning_settings_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: DunningSettingsUpdateInput,
    ) -> ApiResult<DunningSettingsUpdatePayload> {
        let cmd = UpdateDunning::from(input);
        let result = ctx
            .rq()
            .write(async move |tx| dunning::settings_update(tx, cmd.clone()).await)
            .await;
        DunningSettingsUpdatePayload::of(result)
    }

    /// Takes a payer's word to pay: what was switched off for want of money goes on at once, until its last day is over.
    async fn promise_to_pay_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: PromiseToPayCreateInput,
    ) -> ApiResult<PromiseToPayCreatePayload> {
        let result = match input.command() {
            Ok(cmd) => ctx.rq().write(async move |tx| runs::promise_create(tx, &cmd).await).await,
            Err(e) => Err(e),
        };
        PromiseToPayCreatePayload::of(result)
    }

    /// Takes a promise back; what it alone kept on goes off.
    async fn promise_to_pay_cancel(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: PromiseToPayCancelInput,
    ) -> ApiResult<PromiseToPayCancelPayload> {
        let result = match input.command() {
            Ok(cmd) => ctx.rq().write(async move |tx| runs::promise_cancel(tx, &cmd).await).await,
            Err(e) => Err(e),
        };
        PromiseToPayCancelPayload::of(result)
    }

    /// Lets today's run go on that was stopped, unless it would cut more by now than was looked at. Tomorrow's is looked at anew.
    async fn dunning_brake_release(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: DunningBrakeReleaseInput,
    ) -> ApiResult<DunningBrakeReleasePayload> {
        let result = match input.command() {
            Ok((id, reason)) => {
                ctx.rq()
                    .write(async move |tx| runs::brake_release(tx, id, &reason).await)
                    .await
            }
            Err(e) => Err(e),
        };
        DunningBrakeReleasePayload::of(result)
    }

    /// From now on nobody who is served is switched off for want of money, until the hold ends.
    async fn collection_hold_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: CollectionHoldCreateInput,
    ) -> ApiResult<CollectionHoldCreatePayload> {
        let cmd = CreateHold::from(input);
        let result = ctx
            .rq()
            .write(async move |tx| runs::collection_hold_create(tx, &cmd).await)
            .await;
        CollectionHoldCreatePayload::of(result)
    }

    /// Takes a hold back; whom it kept on is switched off unless something else keeps them.
    async fn collection_hold_release(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: CollectionHoldReleaseInput,
    ) -> ApiResult<CollectionHoldReleasePayload> {
        let result = match input.command() {
            Ok(id) => {
                ctx.rq()
                    .write(async move |tx| runs::collection_hold_release(tx, id).await)
                    .await
            }
            Err(e) => Err(e),
        };
        CollectionHoldReleasePayload::of(result)
    }
}
