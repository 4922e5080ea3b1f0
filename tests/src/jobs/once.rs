//! Keys, retries, and what the clock has to do with them.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::join_all;
use serde_json::json;

use super::probe::{Bad, Happened, How, Steps, counted, left, spawn_worker, tenant_db, until, worker};
use crate::harness::{TestApp, execute, key, root};
use crate::tidy::rust_files;

fn keyed(n: u64) -> Steps {
    Steps {
        n,
        millis: 0,
        key: Some("the only one".into()),
    }
}

/// Asked for many times at once, and again when it is long done: it fires once, ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deduplicated_job_fires_once() {
    let app = TestApp::new().await;
    let db = tenant_db(&app, "asha").await;
    let ask = async |from: u64| {
        let asking = (from..from + 20).map(|n| {
            let db = db.clone();
            async move { db.write(async move |tx| tx.enqueue(&keyed(n), tx.now()).await).await }
        });
        join_all(asking).await.into_iter().for_each(|asked| asked.expect("asked"));
    };
    let (a, b) = (worker(&app), worker(&app));
    ask(0).await;
    let (ran_a, ran_b) = tokio::join!(a.drain(), b.drain());
    assert_eq!(ran_a.unwrap().ran + ran_b.unwrap().ran, 1);
    for clock in ["2026-04-02T04:30:00Z", "2026-03-01T04:30:00Z", "2027-04-01T04:30:00Z"] {
        app.set_clock(clock).await;
        let (_, drained) = tokio::join!(ask(100), b.drain());
        assert_eq!(drained.unwrap().ran + a.drain().await.unwrap().ran, 0, "at {clock}");
    }
    assert_eq!(counted(&app.db, &app.db.tenants[0], "first").await, (1, 1));
    // Another ISP's key is another key.
    let other = tenant_db(&app, "chandra").await;
    other.write(async |tx| tx.enqueue(&keyed(1), tx.now()).await).await.unwrap();
    assert_eq!(a.drain().await.unwrap().ran, 1);
    assert_eq!(left(&app.db).await, 0);
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM platform.job")
        .fetch_one(&mut app.db.admin().await)
        .await
        .unwrap();
    assert_eq!(rows, 0, "rows of done jobs are gone");
}

/// Each daily job runs once a day, however often the day comes back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn daily_jobs_run_once_a_day() {
    let app = TestApp::new().await;
    let first = app.run_jobs().await.ran;
    assert!(first >= 9, "three jobs for each of three ISPs: {first}");
    assert_eq!(app.run_jobs().await.ran, 0);
    app.set_clock("2026-04-02T04:30:00Z").await;
    assert_eq!(app.run_jobs().await.ran, first);
    app.set_clock("2026-04-01T05:30:00Z").await;
    assert_eq!(app.run_jobs().await.ran, 0);
}

/// The pause before the next attempt is the machine's: a clock that is set backwards holds no retry up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_set_backwards_holds_no_retry_up() {
    let app = TestApp::new().await;
    app.jobs_may_remain();
    app.set_clock("2026-06-01T04:30:00Z").await;
    let asha = app.db.tenants[0].clone();
    let db = tenant_db(&app, "asha").await;
    // Due long before either time.
    let due = "2026-01-01T00:00:00Z".parse().unwrap();
    db.write(async move |tx| tx.enqueue(&Bad { how: How::Refused }, due).await)
        .await
        .unwrap();
    let worker = worker(&app);
    let drained = worker.drain().await.unwrap();
    assert_eq!((drained.ran, drained.parked), (1, 1), "tried once, and waits");
    app.set_clock("2026-02-01T04:30:00Z").await;
    // What made it fail is mended; two other jobs, due and not.
    execute(
        &mut app.db.admin().await,
        "UPDATE platform.job SET kind = 'probe.steps', payload = '{\"n\": 7}'".into(),
    )
    .await;
    let process = spawn_worker(&app.db);
    until("the retry", Duration::from_secs(60), async || {
        counted(&app.db, &asha, "second").await.0 == 1
    })
    .await;
    drop(process);
}

/// What a drain promises: all that is due is tried, once; what is not due stays.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_tries_all_that_is_due() {
    let app = TestApp::new().await;
    app.jobs_may_remain();
    let db = tenant_db(&app, "asha").await;
    db.write(async |tx| {
        tx.enqueue(&Bad { how: How::Refused }, tx.now()).await?;
        tx.enqueue(
            &Steps {
                n: 1,
                millis: 0,
                key: None,
            },
            tx.now() + chrono::TimeDelta::days(1),
        )
        .await?;
        tx.emit(&Happened { n: 1, millis: 200 }).await
    })
    .await
    .unwrap();
    let worker = worker(&app);
    for (clock, ran) in [(None, 2), (None, 1), (Some("2026-04-02T05:00:00Z"), 2), (None, 1)] {
        if let Some(clock) = clock {
            app.set_clock(clock).await;
        }
        let drained = worker.drain().await.unwrap();
        assert_eq!((drained.ran, drained.parked), (ran, 1), "at {clock:?}");
    }
}

/// A process that only serves leaves work to another one, which hears of it soon.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_of_another_process_is_heard_of_soon() {
    let app = TestApp::new().await;
    let asha = app.db.tenants[0].clone();
    let db = tenant_db(&app, "asha").await;
    let process = spawn_worker(&app.db);
    let mut waits = Vec::new();
    for n in 0..8 {
        tokio::time::sleep(Duration::from_millis(130 * n % 400)).await;
        db.write(async move |tx| tx.emit(&Happened { n, millis: 0 }).await)
            .await
            .unwrap();
        let wait = until("the handler", Duration::from_secs(60), async || {
            counted(&app.db, &asha, "happened").await.0 == n as i64 + 1
        });
        waits.push(wait.await);
    }
    // The first waits for the process to start.
    waits.remove(0);
    waits.sort_unstable();
    let (median, longest) = (waits[waits.len() / 2], waits[waits.len() - 1]);
    eprintln!("work of another process is done after {median:?}, {longest:?} at most");
    assert!(
        median < Duration::from_secs(2) && longest < Duration::from_secs(10),
        "{waits:?}"
    );
    drop(process);
}

/// Keys are kept thirty days, as promised, and not for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idempotency_keys_are_forgotten_after_thirty_days() {
    let app = TestApp::new().await;
    let owner = app.on("asha").as_owner();
    let (subscriber, _) = owner.subscriber("Asha Rao", json!({})).await;
    let pay = json!({ "subscriberId": subscriber, "amount": "10.00", "method": "CASH", "idempotencyKey": key() });
    let first = owner.mutate("paymentRecord", pay.clone(), "payment { id }").await.done();
    app.set_clock("2026-04-30T04:00:00Z").await;
    app.run_jobs().await;
    let again = owner.mutate("paymentRecord", pay.clone(), "payment { id }").await.done();
    assert_eq!(first, again, "within thirty days it is a replay");
    app.set_clock("2026-05-02T05:00:00Z").await;
    app.run_jobs().await;
    let later = owner.mutate("paymentRecord", pay, "payment { id }").await.done();
    assert_ne!(first, later, "the key is forgotten");
    app.run_jobs().await;
}

/// An event that the registry does not name would lie in the outbox for ever.
#[test]
fn every_event_is_known_to_the_registry() {
    let known: BTreeSet<&str> = trunkline_domain::registry().events().collect();
    let mut found = BTreeSet::new();
    for file in rust_files(&root().join("domain/src")) {
        let text = std::fs::read_to_string(file).unwrap();
        let implemented = text.split("impl Event for ").skip(1);
        let literal = implemented.filter_map(|rest| Some(rest.split_once("KIND: &'static str = \"")?.1.split_once('"')?.0));
        found.extend(literal.map(str::to_owned));
        // Lists of events, for which a macro implements it.
        for list in text.split("events! {\n").skip(1) {
            let names = list.lines().take_while(|l| *l != "}").filter_map(|l| l.strip_prefix("    "));
            let names = names.filter(|l| l.starts_with(|c: char| c.is_ascii_uppercase()));
            found.extend(names.map(|l| l.chars().take_while(|c| c.is_alphanumeric()).collect::<String>()));
        }
    }
    for name in &found {
        assert!(
            known.contains(name.as_str()),
            "{name}: domain::registry() must say who hears it, or that nobody does"
        );
    }
    assert!(
        found.len() == known.len() && found.len() > 15,
        "{found:?} found, {known:?} known"
    );
}

/// An event of a later release stays in the outbox for a worker that knows it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_nobody_knows_stays() {
    let app = TestApp::new().await;
    let asha = app.db.tenants[0].clone();
    let db = tenant_db(&app, "asha").await;
    db.write(async |tx| tx.emit(&Happened { n: 1, millis: 0 }).await)
        .await
        .unwrap();
    assert_eq!(
        app.app.worker.drain().await.unwrap().ran,
        0,
        "the product's worker does not know it"
    );
    assert_eq!(left(&app.db).await, 1);
    assert_eq!(worker(&app).drain().await.unwrap().ran, 1);
    assert_eq!(counted(&app.db, &asha, "happened").await, (1, 1));
}
