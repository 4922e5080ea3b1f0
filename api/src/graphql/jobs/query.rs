use async_graphql::{Context, ID, Object};
use trunkline_domain::jobs;
use trunkline_domain::kernel::page::PageRequest;

use super::types::{Job, JobConnection, JobFilter};
use crate::graphql::ctx::{CtxExt, RequestCtx};
use crate::graphql::error::ApiResult;
use crate::graphql::{ids, page};

#[derive(Default)]
pub struct JobsQuery;

#[Object]
impl JobsQuery {
    /// Platform host, platform staff: a job that is not done, by its id.
    async fn job(&self, ctx: &Context<'_>, #[graphql(desc = "Which.")] id: ID) -> ApiResult<Option<Job>> {
        find(ctx.rq(), &id).await
    }

    /// Platform host, platform staff: the jobs that are not done, in the order in which they were asked for.
    #[graphql(complexity = "page::cost(first, child_complexity)")]
    async fn jobs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many at most, 0 to 100.")] first: i32,
        #[graphql(desc = "Begins behind the object that this cursor names.")] after: Option<String>,
        #[graphql(desc = "Which ones; all when absent.")] filter: Option<JobFilter>,
    ) -> ApiResult<Option<JobConnection>> {
        let request = PageRequest::new(first, after.as_deref())?;
        let filter = filter.map(JobFilter::read).transpose()?.unwrap_or_default();
        let tx = ctx.rq().platform().await?;
        let rows = jobs::list(&tx, request, &filter).await?;
        let total = if page::wants_total(ctx) {
            Some(jobs::count(&tx, &filter).await?)
        } else {
            None
        };
        Ok(Some(JobConnection::of(ctx, rows, total, |j| j.id.number())))
    }
}

/// A job by a global id, for `job` and `node`.
pub async fn find(rq: &RequestCtx, id: &ID) -> ApiResult<Option<Job>> {
    let Some(id) = ids::query(id)? else { return Ok(None) };
    Ok(jobs::find(&rq.platform().await?, id).await?.map(Job))
}
