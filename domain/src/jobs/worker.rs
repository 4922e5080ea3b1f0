use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use futures::StreamExt;
use futures::stream;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::registry::{Registry, Work};
use crate::kernel::Actor;
use crate::kernel::db::{Database, PlatformTx, Tenant, TenantDb, TenantRecord};
use crate::kernel::error::{Error, Result};

/// Failures after which a job is parked with its reason.
const MAX_ATTEMPTS: i32 = 8;
/// Jobs that one worker runs side by side.
const CONCURRENCY: usize = 4;
const BATCH: i64 = 50;

/// Runs what is due. Cheap to clone; any number may work on one database.
#[derive(Clone)]
pub struct Worker {
    database: Database,
    registry: Arc<Registry>,
}

/// What [`Worker::drain`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Drained {
    pub ran: u64,
    /// Jobs that keep failing, or that failed and wait for their next attempt.
    pub parked: u64,
}

#[derive(sea_orm::FromQueryResult)]
struct Fact {
    tenant_id: i32,
    event_id: Uuid,
    kind: String,
    payload: Value,
}

#[derive(sea_orm::FromQueryResult)]
struct Claimed {
    id: i64,
    tenant_id: Option<i32>,
    kind: String,
    payload: Value,
    attempts: i32,
}

/// An event on its way to one handler.
#[derive(Serialize, Deserialize)]
struct Delivery {
    event_id: Uuid,
    event: Value,
}

impl Worker {
    pub fn new(database: Database, registry: Arc<Registry>) -> Self {
        Self { database, registry }
    }

    /// Works until the future is dropped: at once when a transaction of this process left work behind, else every half second.
    pub async fn run(&self) {
        loop {
            match self.round().await {
                Ok(0) => {
                    let wake = self.database.wake().notified();
                    let _ = tokio::time::timeout(Duration::from_millis(500), wake).await;
                }
                Ok(_) => {}
                Err(e) => {
                    tracing::error!(error = %e, "worker round failed");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
    }

    /// Runs everything that is due now, also what its running makes due, and waits for what other workers hold.
    pub async fn drain(&self) -> Result<Drained> {
        let mut drained = Drained::default();
        loop {
            let ran = self.round().await?;
            drained.ran += ran;
            if ran == 0 {
                let tx = self.platform().await?;
                let busy: i64 = tx
                    .sql(
                        "SELECT count(*) FROM platform.job WHERE finished_at IS NULL AND parked_at IS NULL AND run_at <= $1
                         AND attempts = 0 OR locked_until > statement_timestamp() AND finished_at IS NULL AND parked_at IS NULL",
                    )
                    .bind(tx.now())
                    .scalar()
                    .await?
                    .unwrap_or(0);
                if busy == 0 {
                    let parked: Option<i64> = tx
                        .sql("SELECT count(*) FROM platform.job WHERE finished_at IS NULL AND (parked_at IS NOT NULL OR last_error IS NOT NULL)")
                        .scalar()
                        .await?;
                    drained.parked = u64::try_from(parked.unwrap_or(0)).unwrap_or(0);
                    return Ok(drained);
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }

    /// Dispatches events, then claims and runs one batch; how many jobs it ran.
    async fn round(&self) -> Result<u64> {
        while self.dispatch().await? {}
        let claimed = self.claim().await?;
        let count = claimed.len() as u64;
        stream::iter(claimed)
            .for_each_concurrent(CONCURRENCY, |job| self.attempt(job))
            .await;
        Ok(count)
    }

    /// Turns a batch of events into jobs, one per handler; whether there may be more.
    async fn dispatch(&self) -> Result<bool> {
        let tx = self.platform().await?;
        let facts: Vec<Fact> = tx
            .sql(
                "DELETE FROM platform.outbox WHERE id IN (SELECT id FROM platform.outbox ORDER BY id LIMIT 200 FOR UPDATE SKIP LOCKED)
                 RETURNING tenant_id, event_id, kind, payload",
            )
            .all()
            .await?;
        let more = !facts.is_empty();
        for fact in facts {
            for handler in self.registry.handlers(&fact.kind) {
                let delivery = Delivery {
                    event_id: fact.event_id,
                    event: fact.payload.clone(),
                };
                tx.sql(
                    "INSERT INTO platform.job (tenant_id, kind, dedup_key, payload, run_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
                )
                .bind(fact.tenant_id)
                .bind(*handler)
                .bind(fact.event_id.to_string())
                .bind(serde_json::to_value(delivery)?)
                .bind(tx.now())
                .run()
                .await?;
            }
        }
        tx.commit().await?;
        Ok(more)
    }

    /// Takes due jobs under a lease: a worker that dies leaves them to others when it runs out.
    async fn claim(&self) -> Result<Vec<Claimed>> {
        let tx = self.platform().await?;
        let claimed = tx
            .sql(
                "UPDATE platform.job SET locked_until = statement_timestamp() + interval '60 seconds', attempts = attempts + 1
                 WHERE id IN (SELECT id FROM platform.job WHERE finished_at IS NULL AND parked_at IS NULL AND run_at <= $1
                     AND (locked_until IS NULL OR locked_until < statement_timestamp())
                     ORDER BY run_at, id LIMIT $2 FOR UPDATE SKIP LOCKED)
                 RETURNING id, tenant_id, kind, payload, attempts",
            )
            .bind(tx.now())
            .bind(BATCH)
            .all()
            .await?;
        tx.commit().await?;
        Ok(claimed)
    }

    async fn attempt(&self, job: Claimed) {
        let outcome = tokio::select! {
            outcome = self.perform(&job) => outcome,
            lost = self.hold(&job) => Err(lost),
        };
        let noted = match &outcome {
            Ok(()) => self.finish(&job).await,
            Err(e) => {
                tracing::warn!(job = job.id, kind = job.kind, tenant = job.tenant_id, error = %e, "job failed");
                self.put_back(&job, e).await
            }
        };
        if let Err(e) = noted {
            tracing::error!(job = job.id, error = %e, "job's outcome was not noted; it will run again");
        }
    }

    /// Renews the lease while the job runs; ends only when that fails.
    async fn hold(&self, job: &Claimed) -> Error {
        loop {
            tokio::time::sleep(Duration::from_secs(20)).await;
            let renewed = async {
                let tx = self.platform().await?;
                tx.sql("UPDATE platform.job SET locked_until = statement_timestamp() + interval '60 seconds' WHERE id = $1")
                    .bind(job.id)
                    .run()
                    .await?;
                tx.commit().await
            };
            if let Err(e) = renewed.await {
                return e;
            }
        }
    }

    async fn perform(&self, job: &Claimed) -> Result<()> {
        let work = self
            .registry
            .work(&job.kind)
            .ok_or_else(|| Error::internal(format!("nothing runs jobs of kind {}", job.kind)))?;
        let number = job.tenant_id.ok_or_else(|| Error::internal("a job without an ISP"))?;
        let tenant = self
            .tenant(number)
            .await?
            .ok_or_else(|| Error::internal(format!("there is no tenant {number}")))?;
        let db = TenantDb::new(self.database.clone(), tenant, Arc::new(Actor::System));
        match work {
            Work::WithDatabase(run) => run(db, job.payload.clone()).await,
            Work::InTransaction(run) => {
                let Delivery { event_id, event } = serde_json::from_value(job.payload.clone())?;
                let tx = db.begin(false).await?;
                let first = tx
                    .sql("INSERT INTO handled_event (handler, event_id, handled_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING")
                    .bind(job.kind.as_str())
                    .bind(event_id)
                    .bind(tx.now())
                    .run()
                    .await?;
                if first == 1 {
                    run(&tx, event).await?;
                }
                tx.commit().await
            }
        }
    }

    /// A finished job's key stays, so that it never fires again.
    async fn finish(&self, job: &Claimed) -> Result<()> {
        let tx = self.platform().await?;
        tx.sql("UPDATE platform.job SET finished_at = $2, locked_until = NULL, last_error = NULL WHERE id = $1")
            .bind(job.id)
            .bind(tx.now())
            .run()
            .await?;
        tx.commit().await
    }

    /// Back-off doubles from two seconds; what keeps failing is parked.
    async fn put_back(&self, job: &Claimed, e: &Error) -> Result<()> {
        let tx = self.platform().await?;
        let parked = job.attempts >= MAX_ATTEMPTS;
        let pause = TimeDelta::seconds(1_i64 << job.attempts.clamp(1, 12));
        tx.sql("UPDATE platform.job SET locked_until = NULL, last_error = $2, parked_at = $3, run_at = $4 WHERE id = $1")
            .bind(job.id)
            .bind(e.to_string())
            .bind(parked.then(|| tx.now()))
            .bind(tx.now() + pause)
            .run()
            .await?;
        tx.commit().await
    }

    async fn tenant(&self, number: i32) -> Result<Option<Tenant>> {
        let tx = self.platform().await?;
        let record: Option<TenantRecord> = tx
            .sql(
                "SELECT id, uid, slug, name, country, currency, timezone, status, template, cell_id, role_name::text, schema_version
                 FROM platform.tenant WHERE id = $1",
            )
            .bind(number)
            .optional()
            .await?;
        record.map(Tenant::new).transpose()
    }

    async fn platform(&self) -> Result<PlatformTx> {
        self.database.begin_platform(Arc::new(Actor::System)).await
    }
}
