//! Work whose effect can be counted, and a worker that does nothing else: here, or as a process of its own.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::AssertSqlSafe;
use trunkline_domain::Error;
use trunkline_domain::jobs::{Registry, Worker, WorkerSettings};
use trunkline_domain::kernel::Clock;
use trunkline_domain::kernel::crypto::SecretKey;
use trunkline_domain::kernel::db::{Database, DatabaseSettings, Limits, TenantDb, TenantTx};
use trunkline_domain::kernel::event::{Event, Job};
use uuid::Uuid;

use crate::harness::{Process, SECRET, TestApp, TestDb, TestTenant, env, execute, settings};

/// An event whose handler counts it: doing it twice would show.
#[derive(Serialize, Deserialize)]
pub struct Happened {
    pub n: u64,
    /// How long the handler dwells in its transaction.
    #[serde(default)]
    pub millis: u64,
}

impl Event for Happened {
    const KIND: &'static str = "probe.Happened";
}

/// Counts in two transactions, with a pause between.
#[derive(Serialize, Deserialize)]
pub struct Steps {
    pub n: u64,
    #[serde(default)]
    pub millis: u64,
    #[serde(default)]
    pub key: Option<String>,
}

impl Job for Steps {
    const KIND: &'static str = "probe.steps";

    fn dedup_key(&self) -> Option<String> {
        self.key.clone()
    }
}

/// Never works.
#[derive(Serialize, Deserialize)]
pub struct Bad {
    pub how: How,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub enum How {
    Panic,
    Refused,
    Database,
}

impl Job for Bad {
    const KIND: &'static str = "probe.bad";
}

/// Stands in whatever text must not be seen.
pub const CANARY: &str = "Canary Devi, 9845012345";

pub fn registry() -> Registry {
    Registry::default()
        .on("probe.count", |tx, event: Happened| {
            Box::pin(async move {
                count(tx, "happened", event.n).await?;
                tokio::time::sleep(Duration::from_millis(event.millis)).await;
                Ok(())
            })
        })
        .job(|db, job: Steps| Box::pin(async move { steps(db, job).await }))
        .job(|db, job: Bad| Box::pin(async move { bad(db, job.how).await }))
}

async fn count(tx: &TenantTx, action: &'static str, n: u64) -> trunkline_domain::Result<()> {
    tx.audit(action, Uuid::from_u64_pair(0, n), json!({})).await
}

/// Idempotent as jobs must be: each step looks whether it was done, and would still count twice if two workers took it at
/// once.
async fn steps(db: TenantDb, job: Steps) -> trunkline_domain::Result<()> {
    let n = job.n;
    db.write(async move |tx| step(tx, "first", n).await).await?;
    tokio::time::sleep(Duration::from_millis(job.millis)).await;
    db.write(async move |tx| step(tx, "second", n).await).await
}

async fn step(tx: &TenantTx, step: &'static str, n: u64) -> trunkline_domain::Result<()> {
    let done: Option<i64> = tx
        .sql("SELECT count(*) FROM audit_entry WHERE action = $1 AND target_id = $2")
        .bind(step)
        .bind(Uuid::from_u64_pair(0, n))
        .scalar()
        .await?;
    match done {
        Some(0) => count(tx, step, n).await,
        _ => Ok(()),
    }
}

async fn bad(db: TenantDb, how: How) -> trunkline_domain::Result<()> {
    match how {
        How::Panic => panic!("{CANARY}"),
        How::Refused => Err(Error::invalid("name", format!("{CANARY} is no name."))),
        How::Database => db.write(async move |tx| misread(tx).await).await,
    }
}

async fn misread(tx: &TenantTx) -> trunkline_domain::Result<()> {
    tx.sql("SELECT $1::text::integer").bind(CANARY).run().await?;
    Ok(())
}

pub const SETTINGS: WorkerSettings = WorkerSettings {
    places: 4,
    lease: Duration::from_secs(2),
    grace: Duration::from_secs(5),
};

/// A worker for probes over the test's database.
pub fn worker(app: &TestApp) -> Worker {
    Worker::new(app.app.database.clone(), Arc::new(registry()), SETTINGS)
}

pub async fn tenant_db(app: &TestApp, slug: &str) -> TenantDb {
    let tenant = app.app.directory.by_slug(slug).await.unwrap().expect("an ISP");
    TenantDb::new(
        app.app.database.clone(),
        tenant,
        Arc::new(trunkline_domain::kernel::Actor::System),
    )
}

/// Leaves so many events, numbered from `from`, in the outbox.
pub async fn happen(db: &TestDb, tenant: &TestTenant, from: u64, count: u64, millis: u64) {
    let script = format!(
        "INSERT INTO platform.outbox (tenant_id, event_id, kind, payload, occurred_at)
         SELECT {}, gen_random_uuid(), 'probe.Happened', jsonb_build_object('n', n, 'millis', {millis}), platform.now()
         FROM generate_series({from}, {from} + {count} - 1) n",
        tenant.number
    );
    execute(&mut db.admin().await, script).await;
}

/// Asks for so many jobs of a kind, due now. `payload` is an expression over `n`.
pub async fn enqueue(db: &TestDb, tenant: &TestTenant, kind: &str, payload: &str, from: u64, count: u64) {
    let script = format!(
        "INSERT INTO platform.job (tenant_id, kind, payload, run_at)
         SELECT {}, '{kind}', {payload}, platform.now() FROM generate_series({from}, {from} + {count} - 1) n",
        tenant.number
    );
    execute(&mut db.admin().await, script).await;
}

/// How often each of an ISP's probes was counted: (distinct, all).
pub async fn counted(db: &TestDb, tenant: &TestTenant, action: &str) -> (i64, i64) {
    let sql = format!(
        "SELECT count(DISTINCT target_id), count(*) FROM {}.audit_entry WHERE action = '{action}'",
        tenant.role
    );
    sqlx::query_as(AssertSqlSafe(sql))
        .fetch_one(&mut db.admin().await)
        .await
        .unwrap()
}

/// Events and jobs that are neither done nor parked.
pub async fn left(db: &TestDb) -> i64 {
    sqlx::query_scalar(
        "SELECT (SELECT count(*) FROM platform.outbox) + (SELECT count(*) FROM platform.job WHERE parked_at IS NULL)",
    )
    .fetch_one(&mut db.admin().await)
    .await
    .unwrap()
}

/// Waits until `condition` holds; how long that took.
pub async fn until(what: &str, limit: Duration, mut condition: impl AsyncFnMut() -> bool) -> Duration {
    let begun = Instant::now();
    while !condition().await {
        assert!(begun.elapsed() < limit, "{what}: not within {limit:?}");
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    begun.elapsed()
}

/// A worker for probes as a process of its own.
pub fn spawn_worker(db: &TestDb) -> Process {
    spawn(db, "jobs::probe::worker_process")
}

/// A worker as a process of its own: this binary again, running the test of that name, which calls [`work`].
pub fn spawn(db: &TestDb, process: &str) -> Process {
    let me = std::env::current_exe().unwrap();
    Process::spawn(
        Command::new(me)
            .args(["--exact", process, "--ignored", "--nocapture"])
            .env("TRUNKLINE_TEST_WORKER", settings(db).url)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null()),
    )
}

/// Not a test: what [`spawn_worker`] runs until it is killed or told to terminate.
#[test]
#[ignore = "a process of other tests"]
fn worker_process() {
    work(registry());
}

/// Works as [`spawn`] asks, until the process is killed or told to terminate.
pub fn work(registry: Registry) {
    let Some(url) = env("TRUNKLINE_TEST_WORKER") else { return };
    // Whoever started it may be gone without having killed it.
    std::thread::spawn(|| {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        std::process::exit(0);
    });
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let settings = DatabaseSettings {
            url: url.clone(),
            admin_url: url.clone(),
            listen_url: url,
            max_connections: 6,
            secret: SecretKey::new(SECRET).unwrap(),
            cancellation_guard: true,
            limits: Limits::default(),
        };
        let database = Database::open(settings, Clock::system()).await.expect("the database");
        database.take_over_test_clock().await.unwrap();
        let worker = Worker::new(database, Arc::new(registry), SETTINGS);
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).unwrap();
        worker.run(async move { _ = terminate.recv().await }).await;
    });
}
