//! The database cannot, for a while: a full disk, a lock, a statement that takes too long. Callers hear 503 and nothing is
//! lost.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::chown;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use serde_json::json;
use trunkline_domain::kernel::db::{DatabaseSettings, Limits, TenantDb};
use trunkline_domain::{Actor, Error};

use crate::harness::{Answer, TestApp, TestDb, connect, execute, key, settings};
use crate::jobs::probe::until;
use crate::payments::books;

fn unavailable(answer: &Answer) -> bool {
    let said = answer.code().as_deref() == Some("UNAVAILABLE");
    assert_eq!(said, answer.status == StatusCode::SERVICE_UNAVAILABLE, "{}", answer.text);
    said
}

/// A disk of 96 MiB, mounted; nothing where mounting is not permitted.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let dir = tempfile::Builder::new().prefix("trunkline-disk-").tempdir().unwrap().keep();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=96m", "tmpfs"])
            .arg(&dir)
            .output();
        if !mounted.is_ok_and(|o| o.status.success()) {
            let _ = fs::remove_dir(&dir);
            return None;
        }
        let passwd = fs::read_to_string("/etc/passwd").unwrap();
        let postgres = passwd.lines().find(|l| l.starts_with("postgres:")).expect("a user postgres");
        let ids: Vec<u32> = postgres.split(':').skip(2).take(2).map(|id| id.parse().unwrap()).collect();
        let space = dir.join("space");
        fs::create_dir(&space).unwrap();
        chown(&space, Some(ids[0]), Some(ids[1])).unwrap();
        fs::set_permissions(&dir, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        Some(Self(dir))
    }

    /// Writes until nothing more fits.
    fn fill(&self) {
        let mut ballast = File::create(self.0.join("ballast")).unwrap();
        for size in [1 << 20, 1 << 12, 1] {
            while ballast.write_all(&vec![7; size]).is_ok() {}
        }
    }

    fn empty(&self) {
        fs::remove_file(self.0.join("ballast")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
        let _ = fs::remove_dir(&self.0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_and_loses_nothing() {
    let Some(disk) = SmallDisk::mount() else {
        eprintln!("\n*** SKIPPED: a_full_disk_refuses_and_loses_nothing: this user may not mount a file system ***\n");
        return;
    };
    let mut server = connect("postgres").await;
    let space = disk.0.join("space").display().to_string();
    execute(&mut server, format!("CREATE TABLESPACE small LOCATION '{space}'")).await;
    let app = TestApp::over(TestDb::new_in("small").await).await;
    let owner = app.on("asha").as_owner();
    let (subscriber, _) = owner.subscriber("Asha Rao", json!({})).await;
    let pay = async |n: usize, key: &serde_json::Value| {
        let input = json!({ "subscriberId": subscriber, "amount": format!("{n}.00"), "method": "CASH", "idempotencyKey": key });
        owner.mutate("paymentRecord", input, "payment { id }").await
    };

    disk.fill();
    let mut acknowledged: Vec<usize> = Vec::new();
    let mut refused = None;
    for n in 1..5_000 {
        let key = key();
        let answer = pay(n, &key).await;
        if unavailable(&answer) {
            assert!(
                !answer.text.contains("No space") && !answer.text.contains("extend"),
                "{}",
                answer.text
            );
            refused = Some((n, key));
            break;
        }
        answer.done();
        acknowledged.push(n);
    }
    let (n, key) = refused.expect("the disk was never full");
    eprintln!("the disk was full after {} payments", acknowledged.len());
    let plans = owner.gql("{ plans(first: 1) { nodes { name } } }", json!({})).await;
    assert!(plans.at("plans.nodes.0.name").is_string(), "what only reads goes on");
    // The worker neither stops nor spins while there is no room for what it does.
    let working = tokio::time::timeout(Duration::from_secs(3), app.app.worker.run(std::future::pending())).await;
    assert!(working.is_err(), "the worker has stopped");

    disk.empty();
    pay(n, &key).await.done();
    pay(n, &key).await.done();
    acknowledged.push(n);
    let tenant = app.app.directory.by_slug("asha").await.unwrap().unwrap();
    let inside = TenantDb::new(app.app.database.clone(), tenant, Arc::new(Actor::System));
    books::assert_hold(&inside).await;
    assert_eq!(
        books::cash_in_hand(&inside).await,
        acknowledged.iter().sum::<usize>().to_string()
    );
    // What failed meanwhile waits for its next attempt.
    app.set_clock("2026-04-01T06:30:00Z").await;
    let drained = app.run_jobs().await;
    assert_eq!(drained.parked, 0, "{drained:?}");
    app.app.database.close().await;
    let name = app.db.name.clone();
    drop(app);
    for _ in 0..100 {
        let left: Option<i32> = sqlx::query_scalar("SELECT 1 FROM pg_database WHERE datname = $1")
            .bind(&name)
            .fetch_optional(&mut server)
            .await
            .unwrap();
        if left.is_none() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    execute(&mut server, "DROP TABLESPACE small".into()).await;
}

async fn limited(limits: Limits) -> TestApp {
    let db = TestDb::new().await;
    let settings = DatabaseSettings { limits, ..settings(&db) };
    TestApp::with(db, settings, "off").await
}

/// A table that somebody else has locked: the statement ends by itself, whichever limit is the shorter, and the connection
/// serves the next request.
#[tokio::test]
async fn a_stuck_statement_is_refused_in_time() {
    let (short, long) = (Duration::from_secs(2), Duration::from_secs(60));
    for (statement, lock) in [(short, long), (long, short)] {
        let app = limited(Limits {
            statement,
            lock,
            ..Limits::default()
        })
        .await;
        let owner = app.on("asha").as_owner();
        owner.token().await;
        let mut holder = app.db.admin().await;
        let role = &app.db.tenants[0].role;
        execute(
            &mut holder,
            format!("BEGIN; LOCK TABLE {role}.plan, {role}.subscriber IN ACCESS EXCLUSIVE MODE"),
        )
        .await;
        let begun = Instant::now();
        let query = owner.gql("{ plans(first: 1) { nodes { name } } }", json!({})).await;
        assert!(unavailable(&query), "{}", query.text);
        let input = json!({ "name": "Asha", "idempotencyKey": key(),
            "address": { "line1": "1 MG Road", "city": "Bengaluru", "region": "KA", "country": "IN" } });
        let mutation = owner.mutate("subscriberCreate", input.clone(), "subscriber { id }").await;
        assert!(unavailable(&mutation), "{}", mutation.text);
        assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
        execute(&mut holder, "ROLLBACK".into()).await;
        owner.mutate("subscriberCreate", input, "subscriber { id }").await.done();
        for _ in 0..12 {
            let answer = owner
                .gql(
                    "{ plans(first: 1) { nodes { name } } subscribers(first: 2) { totalCount } }",
                    json!({}),
                )
                .await;
            assert_eq!(answer.at("subscribers.totalCount"), 1, "{}", answer.text);
        }
        app.run_jobs().await;
    }
}

#[tokio::test]
async fn a_transaction_that_stands_still_is_ended() {
    let app = limited(Limits {
        idle_in_transaction: Duration::from_secs(2),
        ..Limits::default()
    })
    .await;
    let tenant = app.app.directory.by_slug("asha").await.unwrap().unwrap();
    let inside = TenantDb::new(app.app.database.clone(), tenant, Arc::new(Actor::System));
    let tx = inside.begin(false).await.unwrap();
    let backend: i32 = tx.sql("SELECT pg_backend_pid()").scalar().await.unwrap().unwrap();
    let mut observer = app.db.admin().await;
    until("the transaction is ended", Duration::from_secs(60), async || {
        let gone = "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1)";
        sqlx::query_scalar(gone).bind(backend).fetch_one(&mut observer).await.unwrap()
    })
    .await;
    let ended = tx.sql("SELECT 1").run().await.unwrap_err();
    assert!(matches!(ended, Error::Unavailable(_)), "{ended:?}");
    drop(tx);
    for _ in 0..8 {
        inside
            .read(async |tx| tx.sql("SELECT count(*) FROM plan").scalar::<i64>().await)
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn the_limits_are_set_in_every_transaction() {
    let app = TestApp::new().await;
    let tenant = app.app.directory.by_slug("asha").await.unwrap().unwrap();
    let inside = TenantDb::new(app.app.database.clone(), tenant, Arc::new(Actor::System));
    let platform = app.app.database.begin_platform(Arc::new(Actor::System)).await.unwrap();
    let in_force = "SELECT string_agg(name || ' ' || setting, ', ' ORDER BY name) FROM pg_settings
        WHERE name IN ('statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout', 'jit')";
    let wanted = "idle_in_transaction_session_timeout 30000, jit off, lock_timeout 10000, statement_timeout 20000";
    for found in [
        inside
            .read(async |tx| tx.sql(in_force).scalar::<String>().await)
            .await
            .unwrap(),
        inside
            .write(async |tx| tx.sql(in_force).scalar::<String>().await)
            .await
            .unwrap(),
        platform.sql(in_force).scalar::<String>().await.unwrap(),
    ] {
        assert_eq!(found.as_deref(), Some(wanted));
    }
}
