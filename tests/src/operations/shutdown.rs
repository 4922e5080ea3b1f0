//! Told to stop, it says so first, answers what it was asked, finishes what it works on, and ends well.

use std::time::Duration;

use serde_json::json;
use sqlx::{AssertSqlSafe, Executor, PgConnection};

use super::process::{Running, http_client};
use crate::harness::TestApp;
use crate::jobs::probe::{enqueue, until};

/// The job of this test: the day's own, which have a key, may be waiting as well, and are given back when nobody began them.
const OURS: &str = "FROM platform.job WHERE kind = 'upkeep.forget_keys' AND dedup_key IS NULL";

/// Until a worker has begun with our job.
async fn begun(observer: &mut PgConnection) {
    let claimed = format!("SELECT EXISTS (SELECT {OURS} AND lease IS NOT NULL)");
    until("our job is begun", Duration::from_secs(30), async || {
        sqlx::query_scalar(AssertSqlSafe(claimed.clone()))
            .fetch_one(&mut *observer)
            .await
            .unwrap()
    })
    .await;
}

/// Until a statement like this waits for somebody's lock.
async fn waits(observer: &mut PgConnection, statement: &str) {
    let waiting = "SELECT EXISTS (SELECT FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE $1)";
    until(statement, Duration::from_secs(30), async || {
        sqlx::query_scalar(waiting)
            .bind(statement)
            .fetch_one(&mut *observer)
            .await
            .unwrap()
    })
    .await;
}

const RENAME: &str = "mutation { brandingUpdate(input: { expectedVersion: 1, displayName: \"Asha at last\" }) {
    branding { displayName } userErrors { code message } } }";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn told_to_stop_it_finishes_what_it_was_asked_and_ends_well() {
    let app = TestApp::new().await;
    app.jobs_may_remain();
    let mut server = Running::start(&app.db, &[("TRUNKLINE_DRAIN_SECONDS", "5")]).await;
    let owner = server.sign_in("asha.localhost", "owner@asha.example").await;
    // A request and a job that are under way: they wait for what somebody else holds.
    let tenant = &app.db.tenants[0];
    let (mut of_request, mut of_job) = (app.db.admin().await, app.db.admin().await);
    let hold = format!("BEGIN; SELECT 1 FROM {}.branding FOR UPDATE", tenant.role);
    of_request.execute(AssertSqlSafe(hold)).await.unwrap();
    let hold = format!("BEGIN; LOCK TABLE {}.idempotency IN ACCESS EXCLUSIVE MODE", tenant.role);
    of_job.execute(AssertSqlSafe(hold)).await.unwrap();
    enqueue(&app.db, tenant, "upkeep.forget_keys", "'{\"date\": \"2026-04-01\"}'", 0, 1).await;
    let mut observer = app.db.admin().await;
    begun(&mut observer).await;
    waits(&mut observer, "DELETE FROM idempotency%").await;
    let (url, http) = (format!("{}/graphql", server.public), server.http.clone());
    let under_way = tokio::spawn(async move {
        let request = http.post(url).header("host", "asha.localhost").bearer_auth(owner);
        let answer = request.json(&json!({ "query": RENAME })).send().await.unwrap();
        answer.text().await.unwrap()
    });
    waits(&mut observer, "%branding%").await;
    server.process.signal("TERM");
    // Neither waits for a lock for longer than ten seconds, which pass quickly on a busy machine.
    of_job.execute("COMMIT").await.unwrap();

    // Those who balance load hear of it while everything is still answered.
    until("it is not ready", Duration::from_secs(4), async || {
        server.ready().await == Some(503)
    })
    .await;
    let (status, body) = server.ask("asha.localhost", None, "{ __typename }", json!({})).await;
    assert_eq!((status, &body["data"]["__typename"]), (200, &json!("Query")));
    // Then nobody new is let in, and what is under way goes on. Operators are answered to the last.
    until("nobody new is let in", Duration::from_secs(30), async || {
        // Without connections of before.
        let anew = http_client().get(format!("{}/healthz", server.public));
        anew.send().await.is_err()
    })
    .await;
    assert_eq!(server.ready().await, Some(503));
    assert!(server.process.0.try_wait().unwrap().is_none(), "a request is under way");
    of_request.execute("COMMIT").await.unwrap();
    let answer = under_way.await.unwrap();
    assert!(answer.contains("Asha at last"), "{answer}");
    let status = server.ended(Duration::from_secs(60)).await;
    assert!(status.success(), "{status}\n{}", server.log());
    let left = format!("SELECT count(*) {OURS}");
    let left: i64 = sqlx::query_scalar(AssertSqlSafe(left))
        .fetch_one(&mut observer)
        .await
        .unwrap();
    assert_eq!(left, 0, "the job was finished");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn told_twice_it_ends_at_once() {
    let app = TestApp::new().await;
    app.jobs_may_remain();
    let mut server = Running::start(&app.db, &[("TRUNKLINE_DRAIN_SECONDS", "60")]).await;
    server.process.signal("TERM");
    until("it is not ready", Duration::from_secs(30), async || {
        server.ready().await == Some(503)
    })
    .await;
    assert!(server.process.0.try_wait().unwrap().is_none());
    server.process.signal("TERM");
    let status = server.ended(Duration::from_secs(30)).await;
    assert_eq!(status.code(), Some(143), "{}", server.log());
    // Ctrl-C is somebody who waits: no drain.
    let mut server = Running::start(&app.db, &[("TRUNKLINE_DRAIN_SECONDS", "60")]).await;
    server.process.signal("INT");
    let status = server.ended(Duration::from_secs(30)).await;
    assert!(status.success(), "{status}\n{}", server.log());
}
