use std::collections::HashMap;

use async_graphql::dataloader::Loader;
use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};
use trunkline_domain::jobs::{self, JobDetails};
use trunkline_domain::kernel::ids::TenantId;
use trunkline_domain::tenants::{self, TenantDetails};
use trunkline_domain::{Error, Result};

use crate::graphql::ctx::{CtxExt, PlatformLookup};
use crate::graphql::error::{ApiError, ApiResult, UserError, payload, settle};
use crate::graphql::ids;
use crate::graphql::page::connection;
use crate::graphql::scalars::DateTime;
use crate::graphql::tenants::Tenant;

/// Where a job stands.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "jobs::JobState")]
pub enum JobState {
    /// It is due later.
    Scheduled,
    /// It is due and has not been tried.
    Due,
    /// A worker has it.
    Running,
    /// It has failed and is tried again.
    Retrying,
    /// It kept failing, and is not tried again until somebody says so.
    Parked,
}

#[derive(Clone)]
pub struct Job(pub JobDetails);

impl From<JobDetails> for Job {
    fn from(job: JobDetails) -> Self {
        Self(job)
    }
}

/// A piece of work that is not done. What it is to work on is not shown.
#[Object]
impl Job {
    /// Names it.
    pub async fn id(&self) -> ID {
        ids::out(self.0.id)
    }

    /// Whose work it is.
    async fn tenant(&self, ctx: &Context<'_>) -> ApiResult<Tenant> {
        let found = ctx.rq().platform_loader().load_one(Whose(self.0.tenant_id)).await?;
        Ok(Tenant(found.ok_or_else(|| Error::not_found("id"))?))
    }

    /// What it does, such as `billing.renew`, or which handler reacts to an event, such as `settlement.invoice_paid`.
    async fn kind(&self) -> &str {
        &self.0.kind
    }

    /// Where it stands.
    async fn state(&self) -> JobState {
        self.0.state.into()
    }

    /// How often it was begun.
    async fn attempts(&self) -> i32 {
        self.0.attempts
    }

    /// Why the last attempt failed. Holds no personal data.
    async fn reason(&self) -> Option<&str> {
        self.0.reason.as_deref()
    }

    /// From when on it is due, by the product's clock.
    async fn run_at(&self) -> DateTime {
        DateTime(self.0.run_at)
    }

    /// When it is tried again, if it has failed, by the machine's clock.
    async fn next_attempt_at(&self) -> Option<DateTime> {
        self.0.next_attempt_at.map(DateTime)
    }

    /// When it was parked, by the product's clock.
    async fn parked_at(&self) -> Option<DateTime> {
        self.0.parked_at.map(DateTime)
    }
}

connection!(JobConnection, JobEdge, Job);

/// The tenant itself, where its id alone is the key of its domains.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Whose(TenantId);

impl Loader<Whose> for PlatformLookup {
    type Value = TenantDetails;
    type Error = ApiError;

    async fn load(&self, of: &[Whose]) -> Result<HashMap<Whose, Self::Value>, ApiError> {
        let ids: Vec<TenantId> = of.iter().map(|w| w.0).collect();
        let found = tenants::by_ids(&self.begin().await?, &ids).await?;
        Ok(found.into_iter().map(|t| (Whose(t.id), t)).collect())
    }
}

/// Which jobs to list; what is absent does not narrow.
#[derive(InputObject)]
pub struct JobFilter {
    /// Those of one tenant.
    tenant_id: Option<ID>,
    /// Those of one kind.
    kind: Option<String>,
    /// Those that stand so.
    state: Option<JobState>,
}

impl JobFilter {
    pub fn read(self) -> Result<jobs::JobFilter> {
        Ok(jobs::JobFilter {
            tenant: self.tenant_id.map(|id| ids::input(&id, "tenantId")).transpose()?,
            kind: self.kind,
            state: self.state.map(Into::into),
        })
    }
}

/// Which failed job is to be tried again.
#[derive(InputObject)]
pub struct JobRetryInput {
    /// The job.
    pub id: ID,
}

/// Which failed job is given up.
#[derive(InputObject)]
pub struct JobDiscardInput {
    /// The job.
    pub id: ID,
}

payload!(JobRetryPayload { job: Job });

/// What became of the request.
#[derive(SimpleObject)]
pub struct JobDiscardPayload {
    /// The job that is gone; null when refused.
    pub discarded_id: Option<ID>,
    /// Business refusals; empty when it was done.
    pub user_errors: Vec<UserError>,
}

impl JobDiscardPayload {
    pub fn of(result: Result<ID>) -> ApiResult<Self> {
        let (discarded_id, user_errors) = settle(result)?;
        Ok(Self {
            discarded_id,
            user_errors,
        })
    }
}
