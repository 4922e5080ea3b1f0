//! Caches, jobs and events: what runs for one ISP touches no other, even when ids are the same.

use serde_json::json;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::poison::poison;
use super::world::{World, fingerprint};
use crate::harness::{TestApp, execute};

/// Jobs and events of one ISP carried out for another, ids and all: the first does not change by a byte.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn anothers_jobs_and_events_find_nothing() {
    let app = TestApp::new().await;
    let theirs = World::fill(&app, "asha").await;
    let ours = World::fill(&app, "chandra").await;
    let owner = app.on("asha").as_owner();
    owner.pay(&theirs.first.subscriber, "12.00").await;
    owner.pay(&theirs.second.subscriber, "7.00").await;
    let mut admin = app.db.admin().await;
    let taken = sqlx::query(
        "WITH events AS (UPDATE platform.outbox SET tenant_id = $2 WHERE tenant_id = $1 RETURNING 1),
              jobs AS (INSERT INTO platform.job (tenant_id, kind, dedup_key, payload, run_at)
                  SELECT $2, kind, 'copied ' || dedup_key, payload, platform.now() FROM platform.job WHERE tenant_id = $1 RETURNING 1)
         SELECT FROM events UNION ALL SELECT FROM jobs",
    )
    .bind(theirs.tenant.number)
    .bind(ours.tenant.number)
    .fetch_all(&mut admin)
    .await
    .unwrap();
    assert!(taken.len() >= 3, "{} jobs and events", taken.len());
    let before = fingerprint(&mut admin, &theirs.tenant).await;
    app.app.worker.drain().await.expect("jobs");
    assert_eq!(
        fingerprint(&mut admin, &theirs.tenant).await,
        before,
        "the other ISP's rows have changed"
    );
    app.jobs_may_remain();
}

/// An ISP whose every text is nonsense holds nobody else's work up, and its failures say nothing to anybody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_isp_out_of_order_harms_no_other() {
    let app = TestApp::new().await;
    let broken = World::fill(&app, "asha").await;
    let ours = World::fill(&app, "chandra").await;
    app.on("asha").as_owner().pay(&broken.first.subscriber, "700.00").await;
    let mut admin = app.db.admin().await;
    assert!(poison(&mut admin, &broken.tenant).await > 30);
    let owner = app.on("chandra").as_owner();
    owner.pay(&ours.first.subscriber, "80.00").await;
    app.app.worker.drain().await.expect("jobs");
    let waiting: Vec<(i32, String)> =
        sqlx::query_as("SELECT tenant_id, kind FROM platform.job WHERE parked_at IS NULL AND run_at <= platform.now()")
            .fetch_all(&mut admin)
            .await
            .unwrap();
    assert!(
        waiting.iter().all(|(tenant, _)| *tenant == broken.tenant.number),
        "others' work waits: {waiting:?}"
    );
    let answer = owner
        .gql("{ payments(first: 5) { nodes { amount { amount } } } }", json!({}))
        .await;
    assert!(
        answer.text.contains("80.00") && !answer.text.contains("Canary of asha"),
        "{}",
        answer.text
    );
    app.jobs_may_remain();
}

/// A subscriber, a plan and a member of staff of two ISPs that share their id, asked for side by side: whatever remembers,
/// remembers by ISP.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_id_in_two_isps_is_two_things() {
    let app = TestApp::new().await;
    let shared = Uuid::now_v7();
    let mut admin = app.db.admin().await;
    for tenant in app.db.tenants.iter().filter(|t| t.slug != "baraka") {
        let (role, slug) = (&tenant.role, &tenant.slug);
        let may = if slug == "asha" { "owner" } else { "nothing" };
        execute(
            &mut admin,
            format!(
                "INSERT INTO {role}.subscriber (id, account_number, name, status, created_at)
                 VALUES ('{shared}', 'SAME-1', 'of {slug}', 'ACTIVE', platform.now());
                 INSERT INTO {role}.staff (id, name, email, password_hash, role_code, created_at)
                 SELECT '{shared}', 'of {slug}', 'same@person.example', password_hash, '{may}', platform.now()
                 FROM {role}.staff WHERE email = 'owner@{slug}.example'"
            ),
        )
        .await;
    }
    let document = format!(
        "{{ subscriber(id: \"subscriber_{}\") {{ name }} viewer {{ id name permissions }} }}",
        shared.simple()
    );
    let asha = app.on("asha").as_login("same@person.example");
    let chandra = app.on("chandra").as_login("same@person.example");
    let owner = app.on("chandra").as_owner();
    for _ in 0..50 {
        let (a, c, o) = tokio::join!(
            asha.gql(&document, json!({})),
            chandra.gql(&document, json!({})),
            owner.gql(&document, json!({}))
        );
        assert_eq!(a.text_at("subscriber.name"), "of asha");
        assert_eq!(o.text_at("subscriber.name"), "of chandra");
        assert_eq!(c.body["data"]["viewer"]["permissions"], json!([]), "{}", c.text);
        assert_eq!(c.code().as_deref(), Some("FORBIDDEN"), "{}", c.text);
        assert!(!c.text.contains("of asha") && !o.text.contains("of asha") && !a.text.contains("of chandra"));
    }
    let names: Vec<String> = sqlx::query_scalar(AssertSqlSafe(format!(
        "SELECT name FROM {}.subscriber WHERE id = '{shared}'",
        app.db.tenants[0].role
    )))
    .fetch_all(&mut admin)
    .await
    .unwrap();
    assert_eq!(names, ["of asha"]);
}
