use async_graphql::{Context, Object};
use trunkline_domain::network::{self, CreateNas};

use super::types::{NasCreateInput, NasCreatePayload, NasUpdateInput, NasUpdatePayload};
use crate::graphql::ctx::CtxExt;
use crate::graphql::error::ApiResult;

#[derive(Default)]
pub struct NetworkMutation;

#[Object]
impl NetworkMutation {
    /// Lets a router ask about the ISP's subscribers.
    async fn nas_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: NasCreateInput,
    ) -> ApiResult<NasCreatePayload> {
        let cmd = CreateNas::from(input);
        NasCreatePayload::of(ctx.rq().write(async move |tx| network::create(tx, cmd.clone()).await).await)
    }

    /// Changes a router. RADIUS learns a new address or secret within a minute.
    async fn nas_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: NasUpdateInput,
    ) -> ApiResult<NasUpdatePayload> {
        let result = match input.command() {
            Ok(cmd) => ctx.rq().write(async move |tx| network::update(tx, cmd.clone()).await).await,
            Err(e) => Err(e),
        };
        NasUpdatePayload::of(result)
    }
}
