use std::sync::Arc;
use std::time::Duration;

use metrics::{counter, histogram};
use serde::Serialize;
use tokio::time::Instant;
use tracing::Instrument;

use super::claim::{Claimed, Patience, Queue};
use super::outcome::{Failure, is_abandoned, is_final, pause};
use super::registry::{Delivery, Registry, Work};
use super::shift::Shift;
use crate::kernel::Actor;
use crate::kernel::db::{Database, TenantDb};
use crate::kernel::error::{Error, Result};

/// How often a worker looks for work that it did not hear of: of other processes, and what has become due.
const POLL: Duration = Duration::from_millis(200);
/// A worker that is woken again and again looks no more often than this.
const DEBOUNCE: Duration = Duration::from_millis(10);
/// How long it waits when the database does not answer.
const PAUSE: Duration = Duration::from_secs(1);

/// Runs what is due. Cheap to clone; any number may work on one database.
#[derive(Clone)]
pub struct Worker {
    database: Database,
    registry: Arc<Registry>,
    pub(super) queue: Queue,
    pub(super) settings: WorkerSettings,
}

#[derive(Clone, Copy, Debug)]
pub struct WorkerSettings {
    /// Jobs that one process runs side by side.
    pub places: usize,
    /// After how long without a sign of life others take a worker's jobs over.
    pub lease: Duration,
    /// How long a worker that was told to stop goes on with what it is running.
    pub grace: Duration,
}

impl Default for WorkerSettings {
    fn default() -> Self {
        Self {
            places: 4,
            lease: Duration::from_secs(60),
            grace: Duration::from_secs(20),
        }
    }
}

/// What [`Worker::drain`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Drained {
    pub ran: u64,
    /// Jobs that keep failing, or that failed and wait for their next attempt.
    pub parked: u64,
}

impl Worker {
    pub fn new(database: Database, registry: Arc<Registry>, settings: WorkerSettings) -> Self {
        Self {
            queue: Queue::new(database.clone(), &registry, settings.lease),
            database,
            registry,
            settings,
        }
    }

    /// Works until `stop`; then finishes what it is running, for as long as the grace lasts, and gives the rest back.
    pub async fn run(&self, stop: impl Future<Output = ()>) {
        let mut shift = Shift::new(self, Patience::Patient);
        let mut keep = tokio::time::interval(self.settings.lease / 4);
        let mut more = true;
        let (mut filled, mut next_round) = (Instant::now(), Instant::now());
        tokio::pin!(stop);
        loop {
            if next_round <= Instant::now() {
                shift.look_round();
                (more, next_round) = (true, Instant::now() + POLL);
            }
            if more && shift.has_place() {
                more = match shift.fill().await {
                    Ok(more) => more,
                    Err(e) => {
                        tracing::error!(error = e.summary(), "no jobs could be claimed");
                        next_round = Instant::now() + PAUSE;
                        false
                    }
                };
                filled = Instant::now();
            }
            tokio::select! {
                () = &mut stop => break,
                () = shift.one_ended() => shift.more_ended().await,
                () = self.database.wake().notified() => {
                    tokio::time::sleep_until(filled + DEBOUNCE).await;
                    more = true;
                }
                () = tokio::time::sleep_until(next_round) => {}
                _ = keep.tick() => shift.keep().await,
            }
        }
        shift.close().await;
    }

    /// Runs everything that is due now, also what its running makes due, and waits for what other workers hold. What fails
    /// is tried once; what has failed before is tried again, however long its pause.
    pub async fn drain(&self) -> Result<Drained> {
        let mut shift = Shift::new(self, Patience::Impatient(Vec::new()));
        let mut keep = tokio::time::interval(self.settings.lease / 4);
        loop {
            shift.look_round();
            let more = shift.fill().await?;
            if !shift.is_idle() {
                tokio::select! {
                    () = shift.one_ended() => shift.more_ended().await,
                    _ = keep.tick() => shift.keep().await,
                }
            } else if !more {
                if self.queue.under_way().await? == 0 {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
        Ok(Drained {
            ran: shift.ended,
            parked: u64::try_from(self.queue.failed().await?).unwrap_or(0),
        })
    }

    /// Runs a job and notes what came of it; whether it was done.
    pub(super) async fn attempt(self, job: Claimed) -> bool {
        let kind = self.registry.kind(&job.kind).unwrap_or("unknown");
        let span = tracing::error_span!(
            "job",
            job = job.lease.job,
            kind = job.kind,
            tenant = job.tenant.slug(),
            attempt = job.attempts
        );
        async move {
            let late = self.database.clock().now() - job.run_at;
            if job.attempts == 1 {
                histogram!("trunkline_job_wait_seconds").record(late.to_std().unwrap_or_default());
            }
            let begun = Instant::now();
            let outcome = if is_abandoned(job.attempts) {
                Err(Failure::Abandoned)
            } else {
                // A task of its own, so that a panic ends nothing else and dropping this one ends it too.
                let mut work = tokio::task::JoinSet::new();
                let (worker, claimed) = (self.clone(), job.clone());
                work.spawn(async move { worker.perform(&claimed).await }.in_current_span());
                match work.join_next().await {
                    Some(Ok(done)) => done.map_err(Failure::Error),
                    _ => Err(Failure::Panicked),
                }
            };
            histogram!("trunkline_job_duration_seconds", "kind" => kind).record(begun.elapsed());
            match outcome {
                Ok(()) => {
                    count(kind, "done");
                    tracing::debug!(late_ms = late.num_milliseconds(), "job done");
                    true
                }
                Err(failure) => {
                    self.note(&job, kind, &failure).await;
                    false
                }
            }
        }
        .instrument(span)
        .await
    }

    async fn note(&self, job: &Claimed, kind: &'static str, failure: &Failure) {
        let reason = failure.reason();
        let again = !is_final(job.attempts) && !matches!(failure, Failure::Abandoned);
        let pause = again.then(|| pause(job.attempts, rand::random_range(0..=1000)));
        count(kind, if pause.is_some() { "failed" } else { "parked" });
        match pause {
            Some(pause) => tracing::warn!(reason, again_in = pause.as_secs(), "job failed"),
            None => tracing::error!(reason, "job parked"),
        }
        if let Err(e) = self.queue.put_back(job.lease, reason, pause).await {
            tracing::error!(
                error = e.summary(),
                "the job's failure was not noted; it is tried again when its lease is over"
            );
        }
    }

    async fn perform(&self, job: &Claimed) -> Result<()> {
        let work = self
            .registry
            .work(&job.kind)
            .ok_or_else(|| Error::internal("this release runs no jobs of this kind"))?;
        let db = TenantDb::new(self.database.clone(), job.tenant.clone(), Arc::new(Actor::System)).under(job.lease);
        match work {
            Work::WithDatabase(run) => {
                run(db.clone(), job.payload.clone()).await?;
                match db.job_has_ended() {
                    true => Ok(()),
                    false => self.queue.finish(job.lease).await,
                }
            }
            Work::InTransaction(run) => {
                let delivery: Delivery = serde_json::from_value(job.payload.clone())?;
                let tx = db.begin(false).await?;
                run(&tx, delivery.event).await?;
                tx.end_job(&job.lease).await?;
                tx.commit().await
            }
        }
    }
}

/// `kind` is one that the registry names.
fn count(kind: &'static str, outcome: &'static str) {
    counter!("trunkline_jobs_total", "kind" => kind, "outcome" => outcome).increment(1);
}
