use async_graphql::{Context, ID, Object};
use trunkline_domain::identity;
use trunkline_domain::kernel::actor::Actor;
use trunkline_domain::kernel::page::PageRequest;

use super::types::{Role, Staff, StaffConnection, TenantProfile, Viewer};
use crate::graphql::ctx::{CtxExt, Host, RequestCtx};
use crate::graphql::error::ApiResult;
use crate::graphql::{ids, page};

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

    /// The people who work for the tenant, in the order in which they came.
    #[graphql(complexity = "page::cost(first, child_complexity)")]
    async fn staff(&self, ctx: &Context<'_>, first: i32, after: Option<String>) -> ApiResult<Option<StaffConnection>> {
        let request = PageRequest::new(first, after.as_deref())?;
        let total = page::wants_total(ctx);
        let (rows, total) = ctx
            .rq()
            .read(async move |tx| {
                let rows = identity::staff_list(tx, request.clone()).await?;
                let total = if total { Some(identity::staff_count(tx).await?) } else { None };
                Ok((rows, total))
            })
            .await?;
        Ok(Some(StaffConnection::of(rows, total, |s| (s.created_at, s.id))))
    }

    /// The roles that staff may have.
    async fn roles(&self, ctx: &Context<'_>) -> ApiResult<Option<Vec<Role>>> {
        let roles = ctx.rq().read(async |tx| identity::roles(tx).await).await?;
        Ok(Some(roles.into_iter().map(Role::from).collect()))
    }
}

/// A colleague by a global id, for `node`.
pub async fn find_staff(rq: &RequestCtx, id: &ID) -> ApiResult<Option<Staff>> {
    let Some(id) = ids::query(id)? else { return Ok(None) };
    Ok(rq.read(async move |tx| identity::staff_find(tx, id).await).await?.map(Staff))
}
