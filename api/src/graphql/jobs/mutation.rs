use async_graphql::{Context, ID, Object};
use trunkline_domain::Result;
use trunkline_domain::jobs::{self, JobDetails};
use trunkline_domain::kernel::ids::JobId;

use super::types::{JobDiscardInput, JobDiscardPayload, JobRetryInput, JobRetryPayload};
use crate::graphql::ctx::{CtxExt, RequestCtx};
use crate::graphql::error::ApiResult;
use crate::graphql::ids;

#[derive(Default)]
pub struct JobsMutation;

#[Object]
impl JobsMutation {
    /// Platform host, platform staff: has a failed job tried again from the start. INVALID_STATE when it has not failed.
    async fn job_retry(&self, ctx: &Context<'_>, #[graphql(desc = "Which.")] input: JobRetryInput) -> ApiResult<JobRetryPayload> {
        JobRetryPayload::of(retry(ctx.rq(), &input.id).await)
    }

    /// Platform host, platform staff: gives a failed job up; what it was to do is not done. INVALID_STATE when it has not
    /// failed.
    async fn job_discard(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which.")] input: JobDiscardInput,
    ) -> ApiResult<JobDiscardPayload> {
        JobDiscardPayload::of(discard(ctx.rq(), &input.id).await)
    }
}

async fn retry(rq: &RequestCtx, id: &ID) -> Result<JobDetails> {
    rq.require_platform_host()?;
    let tx = rq.platform().await?;
    tx.require_platform_staff()?;
    let id: JobId = ids::input(id, "id")?;
    let job = jobs::retry(&tx, id).await?;
    tx.commit().await?;
    Ok(job)
}

async fn discard(rq: &RequestCtx, id: &ID) -> Result<ID> {
    rq.require_platform_host()?;
    let tx = rq.platform().await?;
    tx.require_platform_staff()?;
    let id: JobId = ids::input(id, "id")?;
    let job = jobs::discard(&tx, id).await?;
    tx.commit().await?;
    Ok(ids::out(job.id))
}
