//! The runner: canaries, quarantine, locks, several at once, ISPs that open meanwhile.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::future::join_all;
use sqlx::Executor;
use trunkline_migration::{Error, Fingerprint, Progress, run, status};

use super::steps::{NEXT, RETYPED, having, options, quarantined};
use crate::harness::{TestApp, TestDb, env, execute, open_bare_tenant};

#[tokio::test]
async fn a_failing_isp_is_set_aside_and_helped_by_a_rerun() {
    let db = TestDb::new().await;
    let mut admin = db.admin().await;
    let role = &db.tenants[1].role;
    execute(&mut admin, format!("CREATE TABLE {role}.motto (id integer)")).await;

    let opts = options(&db, &[NEXT]);
    for attempt in 1..=2 {
        let report = run(&opts).await.unwrap();
        assert_eq!(report.failed.len(), 1, "{report:?}");
        assert_eq!(report.failed[0].0, "baraka");
        assert_eq!(report.tenants_migrated, if attempt == 1 { 2 } else { 0 });
        let set_aside = quarantined(&mut admin).await;
        let error = "relation \"motto\" already exists (42P07)".to_owned();
        assert_eq!(set_aside, [("baraka".to_owned(), error, attempt)]);
    }
    assert_eq!(having(&mut admin, &NEXT).await, ["asha", "chandra"]);
    let half: Option<String> = sqlx::query_scalar(
        "SELECT attname::text FROM pg_attribute WHERE attrelid = ($1 || '.plan')::regclass AND attname = 'motto'",
    )
    .bind(role)
    .fetch_optional(&mut admin)
    .await
    .unwrap();
    assert_eq!(half, None, "nothing of the failed step remains");

    // A start of the server leaves it alone; an operator who has mended it does not.
    execute(&mut admin, format!("DROP TABLE {role}.motto")).await;
    let mut at_start = opts.clone();
    at_start.retry_quarantined = false;
    assert_eq!(run(&at_start).await.unwrap().tenants_migrated, 0);
    let seen = status(&opts).await.unwrap();
    assert_eq!((seen.tenants, seen.waiting.len(), seen.quarantined.len()), (3, 0, 1));
    assert_eq!(
        (&*seen.quarantined[0].slug, &*seen.quarantined[0].step),
        ("baraka", NEXT.name)
    );
    assert_eq!(run(&opts).await.unwrap().tenants_migrated, 1);
    assert!(quarantined(&mut admin).await.is_empty());
    assert!(status(&opts).await.unwrap().is_clean());
}

#[tokio::test]
async fn canaries_go_first_and_stop_the_rest() {
    let db = TestDb::new().await;
    let mut admin = db.admin().await;
    let role = &db.tenants[2].role;
    execute(&mut admin, format!("CREATE TABLE {role}.motto (id integer)")).await;

    let mut opts = options(&db, &[NEXT]);
    opts.canaries = vec!["nobody".into()];
    assert!(matches!(run(&opts).await, Err(Error::Refused(why)) if why.contains("nobody")));
    opts.canaries = vec!["asha".into(), "chandra".into()];
    let report = run(&opts).await.unwrap();
    assert!(report.halted && report.failed.len() == 1, "{report:?}");
    assert_eq!(
        having(&mut admin, &NEXT).await,
        ["asha"],
        "baraka is no canary and was not touched"
    );

    execute(&mut admin, format!("DROP TABLE {role}.motto")).await;
    let order = Arc::new(Mutex::new(Vec::new()));
    let seen = order.clone();
    opts.progress = Arc::new(move |p| {
        if let Progress::Migrated { slug, .. } = p {
            seen.lock().unwrap().push((*slug).to_owned());
        }
    });
    let report = run(&opts).await.unwrap();
    assert!(!report.halted && report.failed.is_empty(), "{report:?}");
    assert_eq!(*order.lock().unwrap(), ["chandra", "baraka"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runners_share_the_work() {
    let db = TestDb::new().await;
    let mut admin = db.admin().await;
    for n in 0..9 {
        open_bare_tenant(&mut admin, &format!("isp-{n}")).await;
    }
    execute(&mut admin, format!("CREATE TABLE {}.motto (id integer)", db.tenants[0].role)).await;
    let mut opts = options(&db, &[NEXT, RETYPED]);
    opts.concurrency = 3;
    let reports = join_all((0..4).map(|_| run(&opts))).await;
    let reports: Vec<_> = reports.into_iter().map(|r| r.unwrap()).collect();
    let migrated: usize = reports.iter().map(|r| r.tenants_migrated).sum();
    assert_eq!(migrated, 11, "each once: {reports:?}");
    assert!(
        reports.iter().all(|r| r.failed.iter().all(|(slug, _)| slug == "asha")),
        "{reports:?}"
    );
    assert_eq!(quarantined(&mut admin).await.len(), 1);
    assert_eq!(having(&mut admin, &RETYPED).await.len(), 11);
}

/// A transaction of somebody else keeps the runner from one ISP's table. The others go on; nobody queues behind it for
/// long; an ISP that opens meanwhile with the last release's schema ends up current.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_holds_up_its_own_isp_only() {
    let db = TestDb::new().await;
    let (mut admin, mut holder) = (db.admin().await, db.admin().await);
    let hold = format!("BEGIN; SELECT * FROM {}.plan", db.tenants[0].role);
    execute(&mut holder, hold.clone()).await;

    let mut opts = options(&db, &[NEXT]);
    opts.lock_timeout = Duration::from_millis(50);
    opts.attempts = 3;
    let report = run(&opts).await.unwrap();
    assert_eq!(report.failed.len(), 1, "{report:?}");
    assert!(report.failed[0].1.contains("55P03"), "{report:?}");
    assert_eq!(having(&mut admin, &NEXT).await, ["baraka", "chandra"]);

    opts.attempts = 1_000;
    let running = tokio::spawn({
        let opts = opts.clone();
        async move { run(&opts).await }
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!running.is_finished());
    open_bare_tenant(&mut admin, "late").await;
    holder.execute("ROLLBACK").await.unwrap();
    let report = running.await.unwrap().unwrap();
    assert_eq!((report.tenants_migrated, report.failed.len()), (2, 0), "{report:?}");
    assert_eq!(having(&mut admin, &NEXT).await, ["asha", "baraka", "chandra", "late"]);
}

/// While a newer release rolls out, its steps are there before its replicas are.
#[tokio::test]
async fn a_newer_schema_is_served_and_an_older_one_is_not_ready() {
    let app = TestApp::new().await;
    let mut admin = app.db.admin().await;
    assert!(app.app.database.is_current().await.unwrap());
    let mut opts = options(&app.db, &[NEXT]);
    opts.plan.platform.push(trunkline_migration::Script {
        version: 9001,
        name: "platform/9001_next.sql",
        sql: "ALTER TABLE platform.tenant ADD COLUMN motto text",
    });
    run(&opts).await.unwrap();
    assert!(
        app.app.database.is_current().await.unwrap(),
        "this binary's steps are all there"
    );
    let plans = app
        .on("asha")
        .as_owner()
        .gql("{ plans(first: 5) { nodes { name } } }", serde_json::json!({}))
        .await;
    assert!(plans.at("plans.nodes").as_array().is_some_and(|n| !n.is_empty()));
    // An older binary's runner finds nothing to do, and its status says why.
    let older = options(&app.db, &[]);
    let report = run(&older).await.unwrap();
    assert_eq!((report.shared_steps, report.tenants_migrated), (0, 0));
    assert_eq!(status(&older).await.unwrap().unknown, ["platform/9001_next.sql"]);

    admin
        .execute("DELETE FROM platform.migration WHERE scope = 'radius' AND version = 4")
        .await
        .unwrap();
    assert!(!app.app.database.is_current().await.unwrap());
}

/// ADD COLUMN over many schemas, as the bench has it. `TRUNKLINE_SOAK` makes it a thousand.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn soak_add_column_over_many_schemas() {
    let tenants = if env("TRUNKLINE_SOAK").is_some() { 1_000 } else { 20 };
    let db = TestDb::new().await;
    let mut admin = db.admin().await;
    for n in 3..tenants {
        open_bare_tenant(&mut admin, &format!("isp-{n}")).await;
    }
    let add = trunkline_migration::Script {
        version: 9001,
        name: "tenant/9001_add.sql",
        sql: "ALTER TABLE plan ADD COLUMN added text",
    };
    for (concurrency, version) in [(8, 9001), (1, 9002)] {
        let sql = if version == 9001 {
            add.sql
        } else {
            "ALTER TABLE plan ADD COLUMN again text"
        };
        let mut opts = options(&db, &[add, trunkline_migration::Script { version, sql, ..add }]);
        opts.plan.tenant.dedup_by_key(|s| s.version);
        opts.concurrency = concurrency;
        let begun = Instant::now();
        let report = run(&opts).await.unwrap();
        let took = begun.elapsed();
        assert_eq!(report.tenants_migrated, tenants, "{report:?}");
        eprintln!(
            "ADD COLUMN over {tenants} schemas with {concurrency} workers: {} ms",
            took.as_millis()
        );
        let begun = Instant::now();
        assert!(status(&opts).await.unwrap().is_clean());
        eprintln!("status of {tenants} schemas: {} ms", begun.elapsed().as_millis());
    }
    let baseline = Fingerprint::of_tenant_steps(&mut admin, &db.installation, &options(&db, &[]).plan.tenant)
        .await
        .unwrap();
    let now = Fingerprint::of(&mut admin, &db.installation, &db.tenants[0].role)
        .await
        .unwrap();
    assert_eq!(now.differences(&baseline).len(), 2, "a fingerprint that sees a column");
}
