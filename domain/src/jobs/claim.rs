//! The statements that move jobs: dispatched, claimed, kept, put back, ended. All of them for many jobs at once.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::registry::Registry;
use crate::kernel::Actor;
use crate::kernel::db::{Database, Lease, PlatformTx, Tenant, TenantRecord};
use crate::kernel::error::Result;

/// A job that is this worker's for the time of its lease.
#[derive(Clone, Debug)]
pub struct Claimed {
    pub lease: Lease,
    pub tenant: Tenant,
    pub kind: String,
    pub payload: Value,
    /// This one included.
    pub attempts: i32,
    /// Since when it was due, by the product's clock.
    pub run_at: DateTime<Utc>,
}

#[derive(sea_orm::FromQueryResult)]
struct Row {
    job_id: i64,
    lease: Uuid,
    kind: String,
    payload: Value,
    attempts: i32,
    run_at: DateTime<Utc>,
    fired: bool,
    #[sea_orm(nested)]
    tenant: TenantRecord,
}

/// Which of the jobs that wait for their next attempt may be claimed.
#[derive(Clone, Debug)]
pub enum Patience {
    /// Those whose pause is over.
    Patient,
    /// All but these.
    Impatient(Vec<i64>),
}

impl Patience {
    /// Jobs that a worker is still running may have been put back already.
    fn parameters(&self, running: &[Lease]) -> (bool, Vec<i64>) {
        match self {
            Self::Patient => (false, Vec::new()),
            Self::Impatient(not) => (true, not.iter().copied().chain(jobs(running)).collect()),
        }
    }
}

/// The queue as a worker sees it.
#[derive(Clone)]
pub struct Queue {
    database: Database,
    lease: Duration,
    kinds: Vec<String>,
    events: Vec<String>,
    handlers: Vec<String>,
}

#[derive(sea_orm::FromQueryResult)]
struct Dispatched {
    tenants: Vec<i32>,
    last: Option<i32>,
}

impl Queue {
    pub fn new(database: Database, registry: &Registry, lease: Duration) -> Self {
        let (events, handlers) = registry.handlers().map(|(e, h)| (e.to_owned(), h.to_owned())).unzip();
        Self {
            database,
            lease,
            kinds: registry.events().map(str::to_owned).collect(),
            events,
            handlers,
        }
    }

    pub async fn platform(&self) -> Result<PlatformTx> {
        self.database.begin_platform(Arc::new(Actor::System)).await
    }

    /// Turns some events of the tenants after `after` into jobs. Whose they were, and behind which tenant to go on.
    pub async fn dispatch(&self, after: i32) -> Result<(Vec<i32>, Option<i32>)> {
        let tx = self.platform().await?;
        let done: Dispatched = tx
            .sql("SELECT tenants, last FROM platform.dispatch_events($1, $2, $3, $4, $5)")
            .bind(after)
            .bind(self.kinds.clone())
            .bind(self.events.clone())
            .bind(self.handlers.clone())
            .bind(tx.now())
            .one()
            .await?;
        if !done.tenants.is_empty() {
            tx.commit().await?;
        }
        Ok((done.tenants, done.last))
    }

    /// The tenants with jobs that are due.
    pub async fn due_tenants(&self, tx: &PlatformTx, patience: &Patience, running: &[Lease]) -> Result<Vec<i32>> {
        let (impatient, not) = patience.parameters(running);
        tx.sql("SELECT * FROM platform.due_tenants($1, $2, $3)")
            .bind(tx.now())
            .bind(impatient)
            .bind(not)
            .scalars()
            .await
    }

    /// Takes so many due jobs of each tenant under a lease. Those whose key has fired are ended on the spot.
    pub async fn claim(
        &self,
        tx: &PlatformTx,
        shares: &[(i32, usize)],
        patience: &Patience,
        running: &[Lease],
    ) -> Result<Vec<Claimed>> {
        let (impatient, not) = patience.parameters(running);
        let rows: Vec<Row> = tx
            .sql("SELECT * FROM platform.claim_jobs($1, $2, $3, $4, $5, $6)")
            .bind(shares.iter().map(|s| s.0).collect::<Vec<_>>())
            .bind(shares.iter().map(|s| i32::try_from(s.1).unwrap_or(1)).collect::<Vec<_>>())
            .bind(tx.now())
            .bind(i32::try_from(self.lease.as_secs()).unwrap_or(60))
            .bind(impatient)
            .bind(not)
            .all()
            .await?;
        let (fired, fresh): (Vec<Row>, Vec<Row>) = rows.into_iter().partition(|row| row.fired);
        if !fired.is_empty() {
            end(tx, &fired.iter().map(Row::lease).collect::<Vec<_>>()).await?;
        }
        Ok(fresh.into_iter().filter_map(claimed).collect())
    }

    /// Prolongs leases; those that are lost are left out of the answer.
    pub async fn keep(&self, leases: &[Lease]) -> Result<Vec<i64>> {
        let tx = self.platform().await?;
        let kept = tx
            .sql(
                "UPDATE platform.job j SET locked_until = clock_timestamp() + make_interval(secs => $3)
                 FROM unnest($1::bigint[], $2::uuid[]) AS l (job, token) WHERE j.id = l.job AND j.lease = l.token RETURNING j.id",
            )
            .bind(jobs(leases))
            .bind(tokens(leases))
            .bind(i32::try_from(self.lease.as_secs()).unwrap_or(60))
            .scalars()
            .await?;
        tx.commit().await?;
        Ok(kept)
    }

    /// Ends a job that was done in transactions of its own.
    pub async fn finish(&self, lease: Lease) -> Result<()> {
        let tx = self.platform().await?;
        end(&tx, &[lease]).await?;
        tx.commit().await
    }

    /// Leaves a job to be tried again after a pause, or parks it.
    pub async fn put_back(&self, lease: Lease, reason: String, pause: Option<Duration>) -> Result<()> {
        let tx = self.platform().await?;
        let pause = pause.map(|p| i64::try_from(p.as_millis()).unwrap_or(i64::MAX));
        tx.sql(
            "UPDATE platform.job SET lease = NULL, last_error = $3, parked_at = CASE WHEN $4 IS NULL THEN $5 END,
                 locked_until = clock_timestamp() + $4::bigint * interval '1 millisecond'
             WHERE id = $1 AND lease = $2",
        )
        .bind(lease.job)
        .bind(lease.token)
        .bind(reason)
        .bind(pause)
        .bind(tx.now())
        .run()
        .await?;
        tx.commit().await
    }

    /// Gives jobs back that were not done and are not to blame: anybody may claim them at once.
    pub async fn give_back(&self, leases: &[Lease]) -> Result<u64> {
        let tx = self.platform().await?;
        let given = tx
            .sql(
                "UPDATE platform.job j SET lease = NULL, locked_until = NULL, attempts = attempts - 1
                 FROM unnest($1::bigint[], $2::uuid[]) AS l (job, token) WHERE j.id = l.job AND j.lease = l.token",
            )
            .bind(jobs(leases))
            .bind(tokens(leases))
            .run()
            .await?;
        tx.commit().await?;
        Ok(given)
    }

    /// How many jobs are due and not yet tried, or under somebody's lease.
    pub async fn under_way(&self) -> Result<i64> {
        let tx = self.platform().await?;
        let n = tx
            .sql(
                "SELECT count(*) FROM platform.job WHERE parked_at IS NULL AND finished_at IS NULL AND tenant_id IS NOT NULL
                 AND (attempts = 0 AND run_at <= $1 OR attempts > 0 AND lease IS NOT NULL AND locked_until > statement_timestamp())",
            )
            .bind(tx.now())
            .scalar()
            .await?;
        Ok(n.unwrap_or(0))
    }

    /// How many jobs have failed and are parked or wait for their next attempt.
    pub async fn failed(&self) -> Result<i64> {
        let tx = self.platform().await?;
        let n = tx
            .sql(
                "SELECT count(*) FROM platform.job WHERE finished_at IS NULL AND (parked_at IS NOT NULL OR last_error IS NOT NULL)",
            )
            .scalar()
            .await?;
        Ok(n.unwrap_or(0))
    }
}

/// A job's row goes; of a deduplicated one the fingerprint stays, so that it never fires again.
async fn end(tx: &PlatformTx, leases: &[Lease]) -> Result<()> {
    tx.sql(
        "WITH gone AS (
             DELETE FROM platform.job j USING unnest($1::bigint[], $2::uuid[]) AS l (job, token)
             WHERE j.id = l.job AND j.lease = l.token RETURNING j.tenant_id, j.kind, j.dedup_key)
         INSERT INTO platform.job_fired (tenant_id, fingerprint)
         SELECT tenant_id, platform.job_fingerprint(kind, dedup_key) FROM gone WHERE dedup_key IS NOT NULL
         ON CONFLICT DO NOTHING",
    )
    .bind(jobs(leases))
    .bind(tokens(leases))
    .run()
    .await?;
    Ok(())
}

fn jobs(leases: &[Lease]) -> Vec<i64> {
    leases.iter().map(|l| l.job).collect()
}

fn tokens(leases: &[Lease]) -> Vec<Uuid> {
    leases.iter().map(|l| l.token).collect()
}

impl Row {
    fn lease(&self) -> Lease {
        Lease {
            job: self.job_id,
            token: self.lease,
        }
    }
}

/// None for a tenant that cannot be opened: its job is tried again when the lease is over, and parked in the end.
fn claimed(row: Row) -> Option<Claimed> {
    let lease = row.lease();
    match Tenant::new(row.tenant) {
        Ok(tenant) => Some(Claimed {
            lease,
            tenant,
            kind: row.kind,
            payload: row.payload,
            attempts: row.attempts,
            run_at: row.run_at,
        }),
        Err(e) => {
            tracing::error!(job = lease.job, error = e.summary(), "a job's tenant cannot be opened");
            None
        }
    }
}
