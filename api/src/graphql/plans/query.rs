use async_graphql::{Context, ID, Object};
use trunkline_domain::kernel::page::PageRequest;
use trunkline_domain::plans;

use super::types::{Plan, PlanConnection};
use crate::graphql::ctx::{CtxExt, RequestCtx};
use crate::graphql::error::ApiResult;
use crate::graphql::{ids, page};

#[derive(Default)]
pub struct PlansQuery;

#[Object]
impl PlansQuery {
    /// A plan by its id.
    async fn plan(&self, ctx: &Context<'_>, #[graphql(desc = "Which.")] id: ID) -> ApiResult<Option<Plan>> {
        find(ctx.rq(), &id).await
    }

    /// The plans, oldest first.
    #[graphql(complexity = "page::cost(first, child_complexity)")]
    async fn plans(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many at most, 0 to 100.")] first: i32,
        #[graphql(desc = "Begins behind the object that this cursor names.")] after: Option<String>,
        #[graphql(default = false, desc = "Also those that are no longer sold.")] include_retired: bool,
    ) -> ApiResult<Option<PlanConnection>> {
        let request = PageRequest::new(first, after.as_deref())?;
        let total = page::wants_total(ctx);
        let (rows, total) = ctx
            .rq()
            .read(async move |tx| {
                let rows = plans::list(tx, request.clone(), include_retired).await?;
                let total = if total {
                    Some(plans::count(tx, include_retired).await?)
                } else {
                    None
                };
                Ok((rows, total))
            })
            .await?;
        Ok(Some(PlanConnection::of(ctx, rows, total, |p| (p.created_at, p.id))))
    }
}

/// A plan by a global id, for `plan` and `node`.
pub async fn find(rq: &RequestCtx, id: &ID) -> ApiResult<Option<Plan>> {
    let Some(id) = ids::query(id)? else { return Ok(None) };
    Ok(rq.read(async move |tx| plans::find(tx, id).await).await?.map(Plan))
}
