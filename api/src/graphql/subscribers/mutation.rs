use async_graphql::{Context, Object};
use trunkline_domain::{identity, runs, subscribers};

use super::types::{
    SubscriberCreateInput, SubscriberCreatePayload, SubscriberPasswordSetInput, SubscriberPasswordSetPayload,
    SubscriberUpdateInput, SubscriberUpdatePayload,
};
use crate::graphql::ctx::CtxExt;
use crate::graphql::error::ApiResult;
use crate::graphql::ids;

#[derive(Default)]
pub struct SubscribersMutation;

#[Object]
impl SubscribersMutation {
    /// Registers a customer and gives it its account number.
    async fn subscriber_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: SubscriberCreateInput,
    ) -> ApiResult<SubscriberCreatePayload> {
        let result = match input.command() {
            Ok(cmd) => {
                ctx.rq()
                    .write(async move |tx| runs::subscriber_create(tx, cmd.clone()).await)
                    .await
            }
            Err(e) => Err(e),
        };
        SubscriberCreatePayload::of(result)
    }

    /// Changes a subscriber; a new payer counts from the next invoice on.
    async fn subscriber_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: SubscriberUpdateInput,
    ) -> ApiResult<SubscriberUpdatePayload> {
        let result = match input.command() {
            Ok(cmd) => {
                ctx.rq()
                    .write(async move |tx| runs::subscriber_update(tx, cmd.clone()).await)
                    .await
            }
            Err(e) => Err(e),
        };
        SubscriberUpdatePayload::of(result)
    }

    /// Sets the password with which a subscriber signs in to the portal: its own, or by staff. Never the network one.
    async fn subscriber_password_set(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: SubscriberPasswordSetInput,
    ) -> ApiResult<SubscriberPasswordSetPayload> {
        let result = match ids::input(&input.subscriber_id, "subscriberId") {
            Ok(id) => {
                let rq = ctx.rq();
                let current = rq.asker.session;
                let set = rq
                    .write(async move |tx| {
                        identity::subscriber_password_set(tx, id, &input.password, current).await?;
                        subscribers::get(tx, id).await
                    })
                    .await;
                let whose = identity::Principal::Subscriber(id);
                rq.app.authenticator.forget_principal(rq.tenant(), whose);
                set
            }
            Err(e) => Err(e),
        };
        SubscriberPasswordSetPayload::of(result)
    }
}
