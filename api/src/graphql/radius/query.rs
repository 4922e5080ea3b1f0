use async_graphql::{Context, ID, Object};
use trunkline_domain::kernel::page::PageRequest;
use trunkline_domain::radius;

use super::types::{RadiusSession, RadiusSessionConnection, RadiusSessionFilter};
use crate::graphql::ctx::{CtxExt, RequestCtx};
use crate::graphql::error::ApiResult;
use crate::graphql::{ids, page};

#[derive(Default)]
pub struct RadiusQuery;

#[Object]
impl RadiusQuery {
    /// Sessions, newest first.
    #[graphql(complexity = "page::cost(first, child_complexity)")]
    async fn radius_sessions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many at most, 0 to 100.")] first: i32,
        #[graphql(desc = "Begins behind the object that this cursor names.")] after: Option<String>,
        #[graphql(desc = "Which sessions; all when absent.")] filter: Option<RadiusSessionFilter>,
    ) -> ApiResult<Option<RadiusSessionConnection>> {
        let request = PageRequest::new(first, after.as_deref())?;
        let total = page::wants_total(ctx);
        let filter = filter.unwrap_or_default().domain()?;
        let (rows, total) = ctx
            .rq()
            .read(async move |tx| {
                let rows = radius::sessions(tx, request.clone(), filter).await?;
                let total = match total {
                    true => Some(radius::count_sessions(tx, filter).await?),
                    false => None,
                };
                Ok((rows, total))
            })
            .await?;
        Ok(Some(RadiusSessionConnection::of(ctx, rows, total, |s| (s.started_at, s.id))))
    }
}

/// A session by a global id, for `node`.
pub async fn find_session(rq: &RequestCtx, id: &ID) -> ApiResult<Option<RadiusSession>> {
    let Some(id) = ids::query(id)? else { return Ok(None) };
    Ok(rq
        .read(async move |tx| radius::find_session(tx, id).await)
        .await?
        .map(RadiusSession))
}
