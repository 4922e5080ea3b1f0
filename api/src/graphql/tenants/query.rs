use async_graphql::{Context, ID, Object};
use trunkline_domain::kernel::page::PageRequest;
use trunkline_domain::tenants::{self, TenantFilter};

use super::types::{Director, DirectorConnection, Domain, Tenant, TenantConnection, TenantStatus};
use crate::graphql::ctx::{CtxExt, RequestCtx};
use crate::graphql::error::ApiResult;
use crate::graphql::{ids, page};

#[derive(Default)]
pub struct TenantsQuery;

#[Object]
impl TenantsQuery {
    /// Platform host: a tenant by its id; a director sees its own.
    async fn tenant(&self, ctx: &Context<'_>, #[graphql(desc = "Which.")] id: ID) -> ApiResult<Option<Tenant>> {
        find(ctx.rq(), &id).await
    }

    /// Platform host: the tenants, in the order in which they were opened; a director sees its own.
    #[graphql(complexity = "page::cost(first, child_complexity)")]
    async fn tenants(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many at most, 0 to 100.")] first: i32,
        #[graphql(desc = "Begins behind the object that this cursor names.")] after: Option<String>,
        #[graphql(desc = "Part of the name or slug.")] search: Option<String>,
        #[graphql(desc = "In this state; in any when absent.")] status: Option<TenantStatus>,
    ) -> ApiResult<Option<TenantConnection>> {
        let filter = TenantFilter {
            search: search.map(|s| s.trim().to_owned()).filter(|s| !s.is_empty()),
            status: status.map(Into::into),
            director: None,
        };
        Ok(Some(page(ctx, first, after, filter).await?))
    }

    /// Platform host, platform staff: a director by its id. A director sees itself.
    async fn director(&self, ctx: &Context<'_>, #[graphql(desc = "Which.")] id: ID) -> ApiResult<Option<Director>> {
        find_director(ctx.rq(), &id).await
    }

    /// Platform host, platform staff: the directors, in the order in which they came.
    #[graphql(complexity = "page::cost(first, child_complexity)")]
    async fn directors(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many at most, 0 to 100.")] first: i32,
        #[graphql(desc = "Begins behind the object that this cursor names.")] after: Option<String>,
    ) -> ApiResult<Option<DirectorConnection>> {
        let request = PageRequest::new(first, after.as_deref())?;
        let tx = ctx.rq().platform().await?;
        let rows = tenants::director_list(&tx, request).await?;
        let total = if page::wants_total(ctx) {
            Some(tenants::director_count(&tx).await?)
        } else {
            None
        };
        Ok(Some(DirectorConnection::of(ctx, rows, total, |d| (d.created_at, d.id))))
    }
}

pub async fn page(ctx: &Context<'_>, first: i32, after: Option<String>, filter: TenantFilter) -> ApiResult<TenantConnection> {
    let request = PageRequest::new(first, after.as_deref())?;
    let tx = ctx.rq().platform().await?;
    let rows = tenants::list(&tx, request, &filter).await?;
    let total = if page::wants_total(ctx) {
        Some(tenants::count(&tx, &filter).await?)
    } else {
        None
    };
    Ok(TenantConnection::of(ctx, rows, total, |t| (t.created_at, t.id)))
}

/// A tenant by a global id, for `tenant` and `node`.
pub async fn find(rq: &RequestCtx, id: &ID) -> ApiResult<Option<Tenant>> {
    let Some(id) = ids::query(id)? else { return Ok(None) };
    Ok(tenants::find(&rq.platform().await?, id).await?.map(Tenant))
}

pub async fn find_director(rq: &RequestCtx, id: &ID) -> ApiResult<Option<Director>> {
    let Some(id) = ids::query(id)? else { return Ok(None) };
    Ok(tenants::director_find(&rq.platform().await?, id).await?.map(Director))
}

pub async fn find_domain(rq: &RequestCtx, id: &ID) -> ApiResult<Option<Domain>> {
    let Some(id) = ids::query(id)? else { return Ok(None) };
    Ok(tenants::domain_find(&rq.platform().await?, id).await?.map(Domain))
}
