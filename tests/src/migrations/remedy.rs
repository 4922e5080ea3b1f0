//! "cached plan must not change result type": a connection's prepared statements meet another schema.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use serde_json::json;
use sqlx::PgConnection;
use trunkline_domain::kernel::Clock;
use trunkline_domain::kernel::db::{Database, TenantDb, TenantTx};
use trunkline_domain::tenants::Directory;
use trunkline_domain::{Actor, Result};

use crate::harness::{TestApp, TestDb, execute, settings};

async fn retype(admin: &mut PgConnection, role: &str, to: &str) {
    execute(admin, format!("ALTER TABLE {role}.plan ALTER COLUMN name TYPE {to}")).await;
}

async fn names(tx: &TenantTx) -> Result<Vec<String>> {
    tx.sql("SELECT name FROM plan ORDER BY name").scalars().await
}

async fn backend(tx: &TenantTx) -> Result<i32> {
    Ok(tx.sql("SELECT pg_backend_pid()").scalar().await?.unwrap())
}

#[tokio::test]
async fn stale_statements_are_forgotten_and_the_work_is_repeated() {
    let db = TestDb::new().await;
    let mut admin = db.admin().await;
    let one_connection = trunkline_domain::kernel::db::DatabaseSettings {
        max_connections: 1,
        ..settings(&db)
    };
    let database = Database::open(one_connection, Clock::system()).await.unwrap();
    let tenant = Directory::new(database.clone(), "localhost")
        .by_slug("asha")
        .await
        .unwrap()
        .unwrap();
    let inside = TenantDb::new(database, tenant, Arc::new(Actor::System));
    let role = db.tenants[0].role.clone();

    let (before, pid) = inside
        .read(async |tx| Ok((names(tx).await?, backend(tx).await?)))
        .await
        .unwrap();
    assert!(!before.is_empty());

    // The control: a transaction without the remedy runs into it, and its connection is not used again.
    retype(&mut admin, &role, "varchar(300)").await;
    let tx = inside.begin(true).await.unwrap();
    let stale = names(&tx).await.unwrap_err();
    assert_eq!(stale.sqlstate(), Some("0A000"), "{stale:?}");
    drop(tx);
    let (after, other) = inside
        .read(async |tx| Ok((names(tx).await?, backend(tx).await?)))
        .await
        .unwrap();
    assert_eq!(after, before);
    assert_ne!(other, pid, "the spoilt connection was closed");

    // The remedy, for reads: the same connection, once more.
    retype(&mut admin, &role, "text").await;
    let tries = AtomicUsize::new(0);
    let (after, pid) = inside
        .read(async |tx| {
            tries.fetch_add(1, Relaxed);
            Ok((names(tx).await?, backend(tx).await?))
        })
        .await
        .unwrap();
    assert_eq!((after, pid, tries.load(Relaxed)), (before.clone(), other, 2));

    // For writes: what the first attempt had done is gone when the second begins.
    retype(&mut admin, &role, "varchar(300)").await;
    let tries = AtomicUsize::new(0);
    inside
        .write(async |tx| {
            tries.fetch_add(1, Relaxed);
            tx.audit("test", uuid::Uuid::now_v7(), json!({})).await?;
            names(tx).await?;
            Ok(())
        })
        .await
        .unwrap();
    assert_eq!(tries.load(Relaxed), 2);
    let audited: Option<i64> = inside
        .read(async |tx| {
            tx.sql("SELECT count(*) FROM audit_entry WHERE action = 'test'")
                .scalar()
                .await
        })
        .await
        .unwrap();
    assert_eq!(audited, Some(1), "once");
}

/// Resolvers share the request's reader: when one of them breaks the transaction, the others must not be told so.
#[tokio::test]
async fn fields_that_share_a_reader_recover_together() {
    let app = TestApp::new().await;
    let mut admin = app.db.admin().await;
    let owner = app.on("asha").as_owner();
    let query = "{ a: plans(first: 5) { nodes { name } } b: subscribers(first: 5) { nodes { name } }
        c: plans(first: 4) { nodes { name } } d: taxRegistrations { taxId } e: plans(first: 3) { nodes { name } } }";
    let ask = async || {
        let answers = futures::future::join_all((0..8).map(|_| owner.gql(query, json!({})))).await;
        for answer in &answers {
            assert!(
                answer.at("a.nodes").as_array().is_some_and(|n| !n.is_empty()),
                "{}",
                answer.text
            );
        }
        answers[0].text.clone()
    };
    let before = ask().await;
    for to in ["varchar(300)", "text", "varchar(200)", "text"] {
        retype(&mut admin, &app.db.tenants[0].role, to).await;
        assert_eq!(ask().await, before, "{to}");
    }
}
