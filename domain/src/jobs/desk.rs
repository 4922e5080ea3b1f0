//! Jobs as platform staff see them, and what staff do about those that are parked.

use chrono::{DateTime, Utc};
use serde_json::json;

use crate::kernel::db::PlatformTx;
use crate::kernel::error::{Error, Result};
use crate::kernel::ids::{JobId, TenantId};
use crate::kernel::page::{Page, PageRequest};
use crate::kernel::text_enum;

text_enum! {
    JobState { Scheduled, Due, Running, Retrying, Parked }
}

/// A job that is not done. What it is to work on is not shown.
#[derive(Clone, Debug)]
pub struct JobDetails {
    pub id: JobId,
    pub tenant_id: TenantId,
    pub tenant_slug: String,
    pub kind: String,
    pub state: JobState,
    /// Attempts begun.
    pub attempts: i32,
    /// Why the last attempt failed; without personal data.
    pub reason: Option<String>,
    /// From when on it is due, by the product's clock.
    pub run_at: DateTime<Utc>,
    /// When the next attempt is due, by the machine's clock.
    pub next_attempt_at: Option<DateTime<Utc>>,
    pub parked_at: Option<DateTime<Utc>>,
}

/// Jobs are listed in the order in which they were asked for.
pub type JobKey = i64;

#[derive(Clone, Debug, Default)]
pub struct JobFilter {
    pub tenant: Option<TenantId>,
    pub kind: Option<String>,
    pub state: Option<JobState>,
}

#[derive(sea_orm::FromQueryResult)]
struct Row {
    number: i64,
    tenant_id: TenantId,
    tenant_slug: String,
    kind: String,
    state: String,
    attempts: i32,
    reason: Option<String>,
    run_at: DateTime<Utc>,
    next_attempt_at: Option<DateTime<Utc>>,
    parked_at: Option<DateTime<Utc>>,
}

/// Where job `j` stands at the instant `$1` of the product's clock: the text of a [`JobState`].
macro_rules! state_of_job {
    () => {
        "CASE WHEN j.parked_at IS NOT NULL THEN 'PARKED'
              WHEN j.lease IS NOT NULL AND j.locked_until > statement_timestamp() THEN 'RUNNING'
              WHEN j.attempts > 0 THEN 'RETRYING'
              WHEN j.run_at > $1 THEN 'SCHEDULED' ELSE 'DUE' END"
    };
}
pub(super) use state_of_job;

macro_rules! from_jobs {
    ($what:literal, $where:literal) => {
        concat!(
            "WITH seen AS (
                 SELECT j.id AS number, t.uid AS tenant_id, t.slug AS tenant_slug, j.kind, ",
            state_of_job!(),
            " AS state,
                     j.attempts, j.last_error AS reason, j.run_at,
                     CASE WHEN j.parked_at IS NULL AND j.lease IS NULL THEN j.locked_until END AS next_attempt_at, j.parked_at
                 FROM platform.job j JOIN platform.tenant t ON t.id = j.tenant_id WHERE j.finished_at IS NULL)
             SELECT ",
            $what,
            " FROM seen WHERE ",
            $where
        )
    };
}

/// A page of the jobs that are not done.
pub async fn list(tx: &PlatformTx, page: PageRequest<JobKey>, filter: &JobFilter) -> Result<Page<JobDetails>> {
    tx.require_platform_staff()?;
    let rows: Vec<Row> = tx
        .sql(from_jobs!(
            "*",
            "($2::uuid IS NULL OR tenant_id = $2) AND ($3::text IS NULL OR kind = $3) AND ($4::text IS NULL OR state = $4)
             AND ($5::bigint IS NULL OR number > $5) ORDER BY number LIMIT $6"
        ))
        .bind(tx.now())
        .bind(filter.tenant)
        .bind(filter.kind.clone())
        .bind(filter.state)
        .bind(page.after)
        .bind(page.limit() as i64)
        .all()
        .await?;
    let jobs = rows.into_iter().map(JobDetails::try_from).collect::<Result<Vec<_>>>()?;
    Ok(Page::from_rows(&page, jobs))
}

pub async fn count(tx: &PlatformTx, filter: &JobFilter) -> Result<i64> {
    tx.require_platform_staff()?;
    let n = tx
        .sql(from_jobs!(
            "count(*)",
            "($2::uuid IS NULL OR tenant_id = $2) AND ($3::text IS NULL OR kind = $3) AND ($4::text IS NULL OR state = $4)"
        ))
        .bind(tx.now())
        .bind(filter.tenant)
        .bind(filter.kind.clone())
        .bind(filter.state)
        .scalar()
        .await?;
    Ok(n.unwrap_or(0))
}

/// A job that is not done, or none.
pub async fn find(tx: &PlatformTx, id: JobId) -> Result<Option<JobDetails>> {
    tx.require_platform_staff()?;
    let Some(number) = id.number() else { return Ok(None) };
    let row: Option<Row> = tx
        .sql(from_jobs!("*", "number = $2"))
        .bind(tx.now())
        .bind(number)
        .optional()
        .await?;
    row.map(JobDetails::try_from).transpose()
}

/// Has a parked job tried again from the start, or one that waits for its next attempt at once.
pub async fn retry(tx: &PlatformTx, id: JobId) -> Result<JobDetails> {
    let job = lock(tx, id).await?;
    if !matches!(job.state, JobState::Parked | JobState::Retrying) {
        return Err(Error::state("id", "Only a job that has failed can be tried again."));
    }
    tx.sql("UPDATE platform.job SET parked_at = NULL, attempts = 0, lease = NULL, locked_until = NULL WHERE id = $1")
        .bind(id.number())
        .run()
        .await?;
    tx.audit("jobRetry", id.0, detail(&job)).await?;
    find(tx, id).await?.ok_or_else(|| Error::not_found("id"))
}

/// Gives a failed job up. What it was to do is not done; a deduplicated one does not fire again.
pub async fn discard(tx: &PlatformTx, id: JobId) -> Result<JobDetails> {
    let job = lock(tx, id).await?;
    if !matches!(job.state, JobState::Parked | JobState::Retrying) {
        return Err(Error::state("id", "Only a job that has failed can be discarded."));
    }
    tx.sql(
        "WITH gone AS (DELETE FROM platform.job WHERE id = $1 RETURNING tenant_id, kind, dedup_key)
         INSERT INTO platform.job_fired (tenant_id, fingerprint)
         SELECT tenant_id, platform.job_fingerprint(kind, dedup_key) FROM gone WHERE dedup_key IS NOT NULL
         ON CONFLICT DO NOTHING",
    )
    .bind(id.number())
    .run()
    .await?;
    tx.audit("jobDiscard", id.0, detail(&job)).await?;
    Ok(job)
}

/// A job that must be there, held against workers until the transaction ends.
async fn lock(tx: &PlatformTx, id: JobId) -> Result<JobDetails> {
    tx.require_platform_staff()?;
    tx.sql("SELECT id FROM platform.job WHERE id = $1 FOR UPDATE")
        .bind(id.number())
        .run()
        .await?;
    find(tx, id).await?.ok_or_else(|| Error::not_found("id"))
}

fn detail(job: &JobDetails) -> serde_json::Value {
    json!({ "tenant": job.tenant_slug, "kind": job.kind, "attempts": job.attempts, "reason": job.reason })
}

impl TryFrom<Row> for JobDetails {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            id: JobId::of(row.number),
            tenant_id: row.tenant_id,
            tenant_slug: row.tenant_slug,
            kind: row.kind,
            state: row.state.parse().map_err(Error::internal)?,
            attempts: row.attempts,
            reason: row.reason,
            run_at: row.run_at,
            next_attempt_at: row.next_attempt_at,
            parked_at: row.parked_at,
        })
    }
}
