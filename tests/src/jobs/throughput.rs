//! How many events a second are dispatched and handled; printed, and held against a floor that only a fault falls below.

use std::time::{Duration, Instant};

use super::probe::{counted, happen, left, spawn_worker, until};
use crate::harness::TestApp;

const EVENTS: u64 = 500;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_are_dispatched_and_handled_fast_enough() {
    let app = TestApp::new().await;
    let worker = spawn_worker(&app.db);
    happen(&app.db, &app.db.tenants[0], 0, 1, 0).await;
    until("the worker works", Duration::from_secs(30), async || left(&app.db).await == 0).await;
    for tenant in &app.db.tenants {
        happen(&app.db, tenant, 1, EVENTS, 0).await;
    }
    let begun = Instant::now();
    until("everything is handled", Duration::from_secs(240), async || {
        left(&app.db).await == 0
    })
    .await;
    let rate = 3_000 * u128::from(EVENTS) / begun.elapsed().as_millis();
    eprintln!("one worker of four places dispatched and handled {rate} events a second");
    assert!(rate > 5, "{rate}");
    assert_eq!(
        counted(&app.db, &app.db.tenants[2], "happened").await,
        (EVENTS as i64, EVENTS as i64)
    );
    drop(worker);
}
