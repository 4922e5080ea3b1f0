//! One ISP's flood does not hold up another's next job.

use std::time::Duration;

use sqlx::AssertSqlSafe;

use super::probe::{counted, enqueue, happen, spawn_worker, until};
use crate::harness::TestApp;

const FLOOD: u64 = 100_000;
const PROMISE: Duration = Duration::from_secs(1);

/// How long each of another ISP's next jobs takes to be done, one after the other.
async fn waits(app: &TestApp, rounds: u64) -> Vec<Duration> {
    let mut admin = app.db.admin().await;
    let mut waits = Vec::new();
    for n in rounds..rounds + 10 {
        for tenant in &app.db.tenants[1..] {
            let event = n % 2 == 0;
            if event {
                happen(&app.db, tenant, n, 1, 0).await;
            } else {
                enqueue(&app.db, tenant, "probe.steps", "jsonb_build_object('n', n)", n, 1).await;
            }
            let action = if event { "happened" } else { "second" };
            let sql = format!(
                "SELECT EXISTS (SELECT FROM {}.audit_entry WHERE action = '{action}' AND detail = '{{}}'
                 AND target_id = lpad(to_hex({n}), 32, '0')::uuid)",
                tenant.role
            );
            let wait = until("another's job", Duration::from_secs(20), async || {
                sqlx::query_scalar(AssertSqlSafe(sql.clone()))
                    .fetch_one(&mut admin)
                    .await
                    .unwrap()
            });
            waits.push(wait.await);
        }
    }
    waits.sort();
    waits
}

/// `flood` fills the first ISP's queue.
async fn others_wait_less_than_promised(app: &TestApp, name: &str, flood: impl Future<Output = ()>) {
    app.jobs_may_remain();
    let worker = spawn_worker(&app.db);
    let alone = waits(app, 0).await;
    flood.await;
    let flooding = app.db.tenants[0].clone();
    until("the flood is being worked off", Duration::from_secs(30), async || {
        counted(&app.db, &flooding, "first").await.0 + counted(&app.db, &flooding, "happened").await.0 > 2
    })
    .await;
    let behind = waits(app, 100).await;
    drop(worker);
    let (median, late) = (behind[behind.len() / 2], behind[behind.len() * 9 / 10]);
    eprintln!(
        "behind {name}: others' next job is done after {median:?} ({late:?} for the latest tenth), {:?} with nobody else there",
        alone[alone.len() / 2]
    );
    // What a busy machine takes by itself is not the flood's doing.
    let delay = late.saturating_sub(alone[alone.len() - 1]);
    assert!(delay < PROMISE, "{name}: {behind:?}, alone {alone:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_a_hundred_thousand_jobs() {
    let app = TestApp::new().await;
    let flood = enqueue(
        &app.db,
        &app.db.tenants[0],
        "probe.steps",
        "jsonb_build_object('n', n)",
        0,
        FLOOD,
    );
    others_wait_less_than_promised(&app, "100,000 jobs", flood).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_a_hundred_thousand_events() {
    let app = TestApp::new().await;
    let flood = happen(&app.db, &app.db.tenants[0], 0, FLOOD, 0);
    others_wait_less_than_promised(&app, "100,000 events", flood).await;
}

/// Jobs that take long leave a place free.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_jobs_that_take_long() {
    let app = TestApp::new().await;
    let payload = "jsonb_build_object('n', n, 'millis', 60000)";
    let flood = enqueue(&app.db, &app.db.tenants[0], "probe.steps", payload, 0, 50);
    others_wait_less_than_promised(&app, "jobs of a minute", flood).await;
}
