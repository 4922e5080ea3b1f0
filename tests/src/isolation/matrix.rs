//! Who may use what: every root field tried as every role, and as those who have none. Committed as text, so that a change
//! of anybody's reach is seen in review.

use std::fmt::Write;

use axum::http::StatusCode;
use serde_json::json;

use super::inputs::Inputs;
use super::schema::{RootField, Schema};
use super::world::World;
use crate::harness::{Answer, Ask, TestApp};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn roles_and_what_they_may_use() {
    let app = TestApp::new().await;
    let world = World::fill(&app, "chandra").await;
    let schema = Schema::served();
    let callers = callers(&app, &world).await;

    let mut text = String::new();
    for (n, (name, _)) in callers.iter().enumerate() {
        writeln!(text, "{:1$}{name}", "", n * 3).unwrap();
    }
    for root in schema.roots() {
        let mut line = String::new();
        for (_, ask) in &callers {
            let ids = world.ids_for(&schema, &root, None);
            let document = schema.document(&root, &Inputs::of(&schema).with_ids(ids).arguments(&root));
            let answer = ask.gql(&document, json!({})).await;
            write!(line, "{:3}", outcome(&answer, &document)).unwrap();
        }
        writeln!(text, "{line}{}", root.name()).unwrap();
        reopen(&app, &world, &root).await;
    }
    app.jobs_may_remain();
    insta::assert_snapshot!(text);
}

/// An ISP that was suspended is opened again: whatever is asked after it would meet a closed door.
pub async fn reopen(app: &TestApp, world: &World, suspended_by: &RootField) {
    if suspended_by.name() == "tenantSuspend" {
        let id = json!({ "id": world.id("tenant") });
        let staff = app.on_platform().as_platform_staff();
        staff.mutate("tenantResume", id, "tenant { id }").await.done();
    }
}

/// `+` served, `-` forbidden, `?` sign in first. Fields below the root that are refused do not count here.
pub fn outcome(answer: &Answer, document: &str) -> &'static str {
    assert_eq!(answer.status, StatusCode::OK, "{}\n{document}", answer.text);
    assert_ne!(answer.code().as_deref(), Some("TENANT_SUSPENDED"), "{document}");
    let at_root = answer.body["errors"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|e| e["path"] == json!(["answer"]));
    match at_root.map(|e| e["extensions"]["code"].as_str().unwrap_or_default()) {
        None => "+",
        Some("FORBIDDEN") => "-",
        Some("UNAUTHENTICATED") => "?",
        Some(_) => panic!("{}\n{document}", answer.text),
    }
}

/// Staff of each role, the subscriber, nobody, and whoever signs in on the platform.
pub async fn callers<'a>(app: &'a TestApp, world: &World) -> Vec<(String, Ask<'a>)> {
    let host = app.on(&world.tenant.slug);
    let roles: Vec<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(format!(
        "SELECT code FROM {}.role ORDER BY code",
        world.tenant.role
    )))
    .fetch_all(&mut app.db.admin().await)
    .await
    .unwrap();
    let mut callers: Vec<(String, Ask<'_>)> = vec![("nobody".into(), host.clone())];
    for role in &roles {
        callers.push((role.clone(), host.as_login(&format!("{role}@{}.example", world.tenant.slug))));
    }
    callers.push(("subscriber".into(), host.as_subscriber(&world.first.account_number)));
    callers.push(("platform: nobody".into(), app.on_platform()));
    callers.push(("platform: staff".into(), app.on_platform().as_platform_staff()));
    callers.push(("platform: director".into(), app.on_platform().as_director()));
    callers
}
