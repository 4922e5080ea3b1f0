//! Requests whose callers go away: futures dropped at random points, the prologue included, must leave nothing behind on
//! the connection. The control without the guard must see leaks, or this test proves nothing.

use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::Poll;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use futures::StreamExt;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sqlx::{AssertSqlSafe, PgConnection};
use trunkline_domain::kernel::db::{Database, DatabaseSettings, TenantDb, TenantTx};
use trunkline_domain::kernel::{Actor, Clock};
use trunkline_domain::tenants::Directory;

use crate::harness::{TestDb, env, execute, open_bare_tenant, settings};

const TENANTS: usize = 20;
const CONNECTIONS: u32 = 4;
/// Callers at once: more than connections, so that some are dropped while they wait for one.
const CALLERS: usize = 12;
/// Between batches nothing runs, and every connection must stand idle outside a transaction.
const BATCH: usize = 50;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_thousand_requests_half_of_them_dropped_leave_nothing_behind() {
    let requests = env("TRUNKLINE_STORM_REQUESTS").and_then(|n| n.parse().ok()).unwrap_or(5_000);
    let outcome = storm(requests, true).await;
    assert_eq!(
        outcome.inherited, 0,
        "transactions begun inside somebody's transaction: {outcome:?}"
    );
    assert_eq!(outcome.left_open, 0, "connections left in a transaction: {outcome:?}");
    // Which of them are still there when their time has come is the machine's affair.
    assert!(
        outcome.finished as usize > requests / 5 && outcome.dropped as usize > requests / 5,
        "{outcome:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_guard_the_same_storm_leaks() {
    let outcome = storm(2_000, false).await;
    assert!(
        outcome.inherited > 0,
        "the control sees no leak, so the test proves nothing: {outcome:?}"
    );
    assert!(outcome.left_open > 0, "the control sees no open transaction: {outcome:?}");
}

#[derive(Debug, Default)]
struct Outcome {
    finished: u64,
    dropped: u64,
    /// Requests that ran in a transaction which had been begun before they came.
    inherited: u64,
    /// Connections that stood in a transaction while nobody used them.
    left_open: u64,
}

async fn storm(requests: usize, guard: bool) -> Outcome {
    let db = TestDb::new().await;
    let mut admin = db.admin().await;
    let slugs = canaries(&db, &mut admin).await;
    let settings = DatabaseSettings {
        max_connections: CONNECTIONS,
        cancellation_guard: guard,
        ..settings(&db)
    };
    let database = Database::open(settings, Clock::system()).await.unwrap();
    let directory = Directory::new(database.clone(), "localhost");
    let mut tenants = Vec::new();
    for slug in &slugs {
        let tenant = directory.by_slug(slug).await.unwrap().expect("an ISP that was opened");
        tenants.push(TenantDb::new(database.clone(), tenant, Arc::new(Actor::System)));
    }

    let storm = Storm {
        tenants,
        guard,
        inherited: AtomicU64::new(0),
    };
    // Without the guard nobody rolls back what stands open: it is enough to look for a moment.
    let patience = match guard {
        true => Duration::from_secs(10),
        false => Duration::from_millis(200),
    };
    let mut outcome = Outcome::default();
    let mut rng = StdRng::seed_from_u64(20_260_401);
    let mut left = requests;
    while left > 0 {
        let batch = left.min(BATCH);
        left -= batch;
        let calls: Vec<Call> = (0..batch).map(|_| Call::random(&mut rng)).collect();
        let done: Vec<bool> = futures::stream::iter(calls)
            .map(|call| call.run(&storm))
            .buffer_unordered(CALLERS)
            .collect()
            .await;
        let finished = done.iter().filter(|d| **d).count() as u64;
        outcome.finished += finished;
        outcome.dropped += batch as u64 - finished;
        outcome.left_open += standing_open(&mut admin, patience).await;
    }
    outcome.inherited = storm.inherited.into_inner();
    database.close().await;
    // Whatever was committed was committed where it belongs.
    let mut written = 0;
    for (slug, role) in tenant_roles(&mut admin).await {
        let sql = format!("SELECT count(*), count(*) FILTER (WHERE action <> '{slug}') FROM {role}.audit_entry");
        let (all, foreign): (i64, i64) = sqlx::query_as(AssertSqlSafe(sql)).fetch_one(&mut admin).await.unwrap();
        assert_eq!(foreign, 0, "{slug} holds rows of others");
        written += all;
    }
    assert!(written as u64 > outcome.finished / 4, "{written} rows written: {outcome:?}");
    eprintln!("storm of {requests} (guard: {guard}): {outcome:?}");
    outcome
}

/// Twenty ISPs, each with a row that names it.
async fn canaries(db: &TestDb, admin: &mut PgConnection) -> Vec<String> {
    let mut slugs = Vec::new();
    for number in 0..TENANTS {
        let slug = format!("storm-{number}");
        let tenant = open_bare_tenant(admin, &slug).await;
        execute(
            admin,
            format!(
                "INSERT INTO {}.role (code, name, permissions) VALUES ('canary', '{slug}', '{{}}')",
                tenant.role
            ),
        )
        .await;
        slugs.push(slug);
    }
    assert!(slugs.len() + db.tenants.len() > TENANTS);
    slugs
}

async fn tenant_roles(admin: &mut PgConnection) -> Vec<(String, String)> {
    sqlx::query_as("SELECT slug, role_name::text FROM platform.tenant WHERE slug LIKE 'storm-%' ORDER BY id")
        .fetch_all(admin)
        .await
        .unwrap()
}

/// Connections of the cell that are in a transaction although nothing runs. A rollback that is under way is waited for, so long.
async fn standing_open(admin: &mut PgConnection, patience: Duration) -> u64 {
    let begun = Instant::now();
    loop {
        tokio::time::sleep(Duration::from_millis(10)).await;
        let open = sqlx::query_scalar::<_, i64>(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND usename LIKE '%\\_cell\\_%' AND state <> 'idle'",
        )
        .fetch_one(&mut *admin)
        .await
        .unwrap();
        if open == 0 || begun.elapsed() > patience {
            return open as u64;
        }
    }
}

/// One request, and when its caller goes away.
struct Call {
    tenant: usize,
    write: bool,
    /// Goes away at the n-th time that the future has to wait.
    waits: Option<u32>,
    /// Or after this long.
    patience: Option<Duration>,
}

impl Call {
    fn random(rng: &mut StdRng) -> Self {
        let dropped = rng.random_bool(0.75);
        let by_waits = rng.random_bool(0.7);
        Self {
            tenant: rng.random_range(0..TENANTS),
            write: rng.random_bool(0.5),
            waits: (dropped && by_waits).then(|| rng.random_range(0..9)),
            patience: (dropped && !by_waits).then(|| Duration::from_micros(rng.random_range(0..5_000))),
        }
    }

    /// True when it ran to its end.
    async fn run(self, storm: &Storm) -> bool {
        let work = storm.request(self.tenant, self.write);
        match (self.waits, self.patience) {
            (Some(waits), _) => drop_after(waits, work).await.is_some(),
            (None, Some(patience)) => tokio::time::timeout(patience, work).await.is_ok(),
            (None, None) => {
                work.await;
                true
            }
        }
    }
}

/// Polls `work` until it has had to wait `waits` times more, then drops it where it stands.
async fn drop_after<F: Future>(waits: u32, work: F) -> Option<F::Output> {
    let mut work = Box::pin(work);
    let mut left = waits;
    poll_fn(move |cx| match work.as_mut().poll(cx) {
        Poll::Ready(out) => Poll::Ready(Some(out)),
        Poll::Pending if left == 0 => Poll::Ready(None),
        Poll::Pending => {
            left -= 1;
            Poll::Pending
        }
    })
    .await
}

/// What a transaction finds where it stands.
#[derive(sea_orm::FromQueryResult)]
struct Seen {
    role: String,
    path: String,
    canary: String,
    began: DateTime<Utc>,
}

struct Storm {
    tenants: Vec<TenantDb>,
    guard: bool,
    inherited: AtomicU64,
}

impl Storm {
    async fn request(&self, tenant: usize, write: bool) {
        let db = &self.tenants[tenant];
        let started = Clock::real();
        let outcome = if write {
            db.write(async |tx| self.look(tx, started, true).await).await
        } else {
            db.read(async |tx| self.look(tx, started, false).await).await
        };
        match outcome {
            Ok(()) => {}
            // A write in a read-only transaction that somebody left behind, for one.
            Err(_) if !self.guard => _ = self.inherited.fetch_add(1, Relaxed),
            Err(e) => panic!("{e:?}"),
        }
    }

    async fn look(&self, tx: &TenantTx, started: DateTime<Utc>, write: bool) -> trunkline_domain::Result<()> {
        let seen: Seen = tx
            .sql(
                "SELECT current_user::text AS role, current_setting('search_path') AS path, now() AS began,
                        (SELECT name FROM role WHERE code = 'canary') AS canary",
            )
            .one()
            .await?;
        assert_eq!(seen.canary, tx.tenant().slug(), "a canary has crossed");
        assert_eq!(seen.role, tx.tenant().role());
        assert_eq!(seen.path.trim_matches('"'), tx.tenant().role());
        // The server reads this machine's clock: a transaction older than its request is somebody else's.
        if seen.began < started {
            self.inherited.fetch_add(1, Relaxed);
        }
        if write {
            tx.sql("INSERT INTO audit_entry (id, at, actor_kind, action, detail) VALUES (gen_random_uuid(), now(), 'SYSTEM', $1, '{}')")
                .bind(tx.tenant().slug())
                .run()
                .await?;
        }
        Ok(())
    }
}
