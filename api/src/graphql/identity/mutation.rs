use async_graphql::{Context, Object};
use trunkline_domain::Error;

use super::types::{SessionCreateInput, SessionCreatePayload, SubscriberSessionCreateInput, SubscriberSessionCreatePayload};
use crate::graphql::ctx::CtxExt;
use crate::graphql::error::ApiResult;

#[derive(Default)]
pub struct IdentityMutation;

#[Object]
impl IdentityMutation {
    /// Signs in: platform staff and directors on the platform host, a tenant's staff on the tenant's. Whatever is wrong, the
    /// answer is INVALID_CREDENTIALS.
    async fn session_create(&self, ctx: &Context<'_>, input: SessionCreateInput) -> ApiResult<SessionCreatePayload> {
        let rq = ctx.rq();
        SessionCreatePayload::of(rq.app.authenticator.session_create(rq.tenant(), input.into()).await)
    }

    /// Signs a subscriber in to the tenant's portal.
    async fn subscriber_session_create(
        &self,
        ctx: &Context<'_>,
        input: SubscriberSessionCreateInput,
    ) -> ApiResult<SubscriberSessionCreatePayload> {
        let rq = ctx.rq();
        let tenant = rq.tenant().ok_or(Error::Forbidden)?;
        SubscriberSessionCreatePayload::of(rq.app.authenticator.subscriber_session_create(tenant, input.into()).await)
    }
}
