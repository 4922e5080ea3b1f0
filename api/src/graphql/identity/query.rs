use async_graphql::{Context, Object};
use trunkline_domain::identity;
use trunkline_domain::kernel::actor::Actor;

use super::types::{TenantProfile, Viewer};
use crate::graphql::ctx::{CtxExt, Host};
use crate::graphql::error::ApiResult;

#[derive(Default)]
pub struct IdentityQuery;

#[Object]
impl IdentityQuery {
    /// Who is signed in; null when nobody is.
    async fn viewer(&self, ctx: &Context<'_>) -> ApiResult<Option<Viewer>> {
        let rq = ctx.rq();
        if matches!(*rq.actor, Actor::Anonymous) {
            return Ok(None);
        }
        let viewer = match rq.host {
            Host::Platform => identity::platform_viewer(&rq.platform().await?).await?,
            Host::Tenant(_) => rq.read(async |tx| identity::viewer(tx).await).await?,
        };
        Ok(viewer.and_then(Viewer::of))
    }

    /// Public: what this host serves; null on the platform host.
    async fn tenant_profile(&self, ctx: &Context<'_>) -> Option<TenantProfile> {
        ctx.rq().tenant().map(TenantProfile::from)
    }
}
