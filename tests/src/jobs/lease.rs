//! Who holds a job: workers that hang, come back, or are told to stop.

use std::time::Duration;

use super::probe::{SETTINGS, counted, enqueue, happen, left, spawn_worker, until, worker};
use crate::harness::TestApp;

/// Suspended in the middle of a job for longer than its lease. Another worker does it; the first, woken, does nothing twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_comes_back_does_nothing_twice() {
    let app = TestApp::new().await;
    app.jobs_may_remain();
    let tenant = app.db.tenants[0].clone();
    // One job that is between its two transactions, one in the middle of its only one.
    enqueue(&app.db, &tenant, "probe.steps", "'{\"n\": 1, \"millis\": 1500}'", 1, 1).await;
    happen(&app.db, &tenant, 1, 1, 1500).await;
    let hanging = spawn_worker(&app.db);
    until("both are under way", Duration::from_secs(60), async || {
        let open: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle in transaction'
             AND query LIKE 'INSERT INTO audit_entry%'",
        )
        .fetch_one(&mut app.db.admin().await)
        .await
        .unwrap();
        counted(&app.db, &tenant, "first").await.0 == 1 && open == 1
    })
    .await;
    hanging.signal("STOP");
    tokio::time::sleep(SETTINGS.lease + Duration::from_millis(500)).await;

    let other = spawn_worker(&app.db);
    until("the other does both", Duration::from_secs(60), async || {
        counted(&app.db, &tenant, "second").await.0 == 1 && counted(&app.db, &tenant, "happened").await.0 == 1
    })
    .await;
    hanging.signal("CONT");
    // More than what both had left to dwell.
    tokio::time::sleep(Duration::from_secs(3)).await;
    for action in ["first", "second", "happened"] {
        assert_eq!(counted(&app.db, &tenant, action).await, (1, 1), "{action}");
    }
    assert_eq!(left(&app.db).await, 0);
    drop((hanging, other));
}

/// A worker that is told to stop finishes what it can in its grace; the rest is given back and not held against it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_told_to_stop_gives_back_what_it_cannot_finish() {
    let app = TestApp::new().await;
    app.jobs_may_remain();
    let tenant = app.db.tenants[0].clone();
    enqueue(&app.db, &tenant, "probe.steps", "'{\"n\": 1, \"millis\": 600}'", 1, 1).await;
    enqueue(&app.db, &tenant, "probe.steps", "'{\"n\": 2, \"millis\": 60000}'", 2, 1).await;
    let mut stopping = spawn_worker(&app.db);
    until("both are under way", Duration::from_secs(60), async || {
        counted(&app.db, &tenant, "first").await.0 == 2
    })
    .await;
    stopping.signal("TERM");
    let took = until("it ends", Duration::from_secs(60), async || {
        stopping.0.try_wait().unwrap().is_some()
    })
    .await;
    assert!(stopping.0.wait().unwrap().success(), "it ends well");
    assert!(took < Duration::from_secs(30), "it ended after {took:?}");
    assert_eq!(counted(&app.db, &tenant, "second").await, (1, 1), "what it could finish");
    let rest: Vec<(i32, bool)> = sqlx::query_as("SELECT attempts, lease IS NULL AND locked_until IS NULL FROM platform.job")
        .fetch_all(&mut app.db.admin().await)
        .await
        .unwrap();
    assert_eq!(rest, [(0, true)], "given back");
}

/// A job that needs longer than a lease keeps it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_job_is_not_taken_over() {
    let app = TestApp::new().await;
    let tenant = app.db.tenants[0].clone();
    enqueue(&app.db, &tenant, "probe.steps", "'{\"n\": 1, \"millis\": 5000}'", 1, 1).await;
    let (a, b) = (worker(&app), worker(&app));
    let (a, b) = tokio::join!(a.drain(), b.drain());
    assert_eq!(a.unwrap().ran + b.unwrap().ran, 1);
    assert_eq!(counted(&app.db, &tenant, "second").await, (1, 1));
}
