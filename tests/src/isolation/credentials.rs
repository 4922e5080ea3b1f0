//! Credentials that are none: on every root field, 401 and nothing else.

use axum::http::StatusCode;
use serde_json::json;

use super::inputs::Inputs;
use super::schema::Schema;
use super::world::World;
use crate::harness::{Ask, START, TestApp, Who, execute};

/// Asks every root field with each of these credentials, with the ISP's own ids.
async fn refused_everywhere(host: &Ask<'_>, world: &World, credentials: &[(&str, String)]) {
    let schema = Schema::served();
    for root in schema.roots() {
        let ids = world.ids_for(&schema, &root, None);
        let document = schema.document(&root, &Inputs::of(&schema).with_ids(ids).arguments(&root));
        for (what, token) in credentials {
            let answer = host.with(Who::Token(token.clone())).gql(&document, json!({})).await;
            let code = answer.code().unwrap_or_default();
            assert_eq!(
                (answer.status, code.as_str()),
                (StatusCode::UNAUTHORIZED, "UNAUTHENTICATED"),
                "{} with {what}: {}",
                root.name(),
                answer.text
            );
            assert!(answer.body["data"].is_null(), "{} with {what}: {}", root.name(), answer.text);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_credential_of_elsewhere_is_none() {
    let app = TestApp::new().await;
    let world = World::fill(&app, "chandra").await;
    let host = app.on("chandra");
    let platform = app.on_platform();
    let of_another_isp = app.on("asha").as_owner().token().await;
    let director = platform.as_director().token().await;
    let staff = platform.as_platform_staff().token().await;
    let bad = [
        ("another ISP's owner", of_another_isp),
        ("its own director's, from the platform", director),
        ("platform staff's", staff),
    ];
    refused_everywhere(&host, &world, &bad).await;
    let bad = [
        ("an ISP's owner", host.as_owner().token().await),
        ("a subscriber", host.as_subscriber(&world.first.account_number).token().await),
    ];
    refused_everywhere(&platform, &world, &bad).await;
    app.jobs_may_remain();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_credential_that_is_over_is_none() {
    let app = TestApp::new().await;
    let world = World::fill(&app, "chandra").await;
    let host = app.on("chandra");
    let expired = [
        ("the owner's expired token", host.as_owner().token().await),
        (
            "a subscriber's expired token",
            host.as_subscriber(&world.first.account_number).token().await,
        ),
    ];
    app.set_clock(&START.replace("T04:30", "T05:30")).await;
    refused_everywhere(&host, &world, &expired).await;

    let mut over = Vec::new();
    for (what, email) in [
        ("a disabled colleague", "support@chandra.example"),
        ("a deleted colleague", "nothing@chandra.example"),
    ] {
        over.push((what, host.as_login(email).token().await));
    }
    let mut tampered = host.as_owner().token().await;
    let changed = tampered.len() - 4..tampered.len() - 3;
    let other = if &tampered[changed.clone()] == "A" { "B" } else { "A" };
    tampered.replace_range(changed, other);
    over.push(("a token that was changed", tampered));
    over.push(("no token at all", "x".into()));
    execute(
        &mut app.db.admin().await,
        format!(
            "UPDATE {role}.staff SET disabled_at = platform.now() WHERE email = 'support@chandra.example';
             DELETE FROM {role}.staff WHERE email = 'nothing@chandra.example'",
            role = world.tenant.role
        ),
    )
    .await;
    refused_everywhere(&host, &world, &over).await;
    app.jobs_may_remain();
}
