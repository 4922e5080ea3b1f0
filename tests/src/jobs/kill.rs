//! Workers are killed while they work: each effect is there exactly once, nothing is lost, what cannot work is parked.

use std::time::Duration;

use super::probe::{CANARY, counted, enqueue, happen, left, spawn_worker, until};
use crate::harness::{TestApp, env};

const WORKERS: usize = 2;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_again_and_again_each_effect_is_there_once() {
    let (kills, jobs): (u64, u64) = if env("TRUNKLINE_SOAK").is_some() {
        (50, 20_000)
    } else {
        (5, 1_000)
    };
    let app = TestApp::new().await;
    app.jobs_may_remain();
    let tenants = app.db.tenants.clone();
    // Of a hundred jobs eighty are deliveries of events, nineteen work in steps, one cannot work.
    let share = |of: u64| jobs * of / 100 / tenants.len() as u64;
    for tenant in &tenants {
        happen(&app.db, tenant, 0, share(80), 0).await;
        enqueue(&app.db, tenant, "probe.steps", "jsonb_build_object('n', n)", 0, share(19)).await;
        enqueue(&app.db, tenant, "probe.bad", "'{\"how\": \"Panic\"}'", 0, share(1)).await;
    }
    let total = left(&app.db).await as u64;
    let begun = std::time::Instant::now();
    let mut workers: Vec<_> = (0..WORKERS).map(|_| spawn_worker(&app.db)).collect();
    let mut done_at_kill = Vec::new();
    for kill in 0..kills {
        let enough = (total - share(1) * tenants.len() as u64) * (kill + 1) / (kills + 2);
        let mut done = 0;
        until("work goes on", Duration::from_secs(120), async || {
            done = 0;
            for tenant in &tenants {
                done += counted(&app.db, tenant, "happened").await.0 as u64 + counted(&app.db, tenant, "second").await.0 as u64;
            }
            done >= enough
        })
        .await;
        done_at_kill.push(done);
        workers.remove(0).kill();
        workers.push(spawn_worker(&app.db));
    }
    assert!(
        done_at_kill.iter().all(|done| *done < total),
        "killed while work was left: {done_at_kill:?}"
    );
    // What is left in the end are the jobs that cannot work, waiting for their next attempts.
    let bad = share(1) * tenants.len() as u64;
    until("everything is done", Duration::from_secs(300), async || {
        let mut admin = app.db.admin().await;
        let open: i64 = sqlx::query_scalar(
            "SELECT (SELECT count(*) FROM platform.outbox) + (SELECT count(*) FROM platform.job WHERE kind <> 'probe.bad')",
        )
        .fetch_one(&mut admin)
        .await
        .unwrap();
        open == 0
    })
    .await;
    let took = begun.elapsed();
    // So that the test does not wait a quarter of an hour for their last attempt.
    sqlx::query("UPDATE platform.job SET attempts = 9, locked_until = NULL, lease = NULL WHERE attempts < 9")
        .execute(&mut app.db.admin().await)
        .await
        .unwrap();
    until("what cannot work is parked", Duration::from_secs(60), async || {
        left(&app.db).await == 0
    })
    .await;
    drop(workers);

    for tenant in &tenants {
        for (action, wanted) in [("happened", share(80)), ("first", share(19)), ("second", share(19))] {
            let wanted = wanted as i64;
            assert_eq!(
                counted(&app.db, tenant, action).await,
                (wanted, wanted),
                "{}: {action}, each once",
                tenant.slug
            );
        }
    }
    let parked: Vec<(String, String)> = sqlx::query_as("SELECT kind, last_error FROM platform.job ORDER BY id")
        .fetch_all(&mut app.db.admin().await)
        .await
        .unwrap();
    assert_eq!(parked.len() as u64, bad);
    assert!(
        parked
            .iter()
            .all(|p| *p == ("probe.bad".into(), "the handler panicked".into()) && !p.1.contains(CANARY)),
        "{parked:?}"
    );
    eprintln!(
        "{kills} kills among {total} jobs: {} done, {bad} parked, in {:.1} s",
        total - bad,
        took.as_secs_f32()
    );
}
