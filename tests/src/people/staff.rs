//! Staff: changed, kept out and let in again; an ISP always has an owner.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::{actions, events, give_role, hire, staff, update};
use crate::harness::{Answer, Ask, PASSWORD, TestApp, Who};

async fn disable(ask: &Ask<'_>, id: &str) -> Answer {
    ask.mutate("staffDisable", json!({ "id": id }), "staff { id disabledAt version }")
        .await
}

async fn enable(ask: &Ask<'_>, id: &str) -> Answer {
    ask.mutate("staffEnable", json!({ "id": id }), "staff { id disabledAt version }")
        .await
}

async fn sign_in(app: &TestApp, email: &str) -> Answer {
    let input = json!({ "email": email, "password": PASSWORD });
    app.on("asha").mutate("sessionCreate", input, "session { accessToken }").await
}

fn forbidden(answer: &Answer) -> bool {
    answer.code().as_deref() == Some("FORBIDDEN")
}

#[tokio::test]
async fn staff_get_another_name_and_role() {
    let app = TestApp::new().await;
    let owner = app.on("asha").as_owner();
    let email = "support@asha.example";
    let support = app.on("asha").as_login(email);
    let listed = async || support.gql("{ staff(first: 1) { nodes { id } } }", json!({})).await.code();
    assert_eq!(listed().await.as_deref(), Some("FORBIDDEN"));
    let changed = update(&owner, email, json!({ "name": " Chief ", "role": "admin" }))
        .await
        .done()["staff"]
        .clone();
    assert_eq!(
        (&changed["name"], &changed["role"], &changed["version"]),
        (&json!("Chief"), &json!("admin"), &json!(2))
    );
    assert_eq!(listed().await, None, "in this process at once");
    update(&owner, email, json!({ "role": "read-only" })).await.done();
    assert_eq!(listed().await.as_deref(), Some("FORBIDDEN"));

    let (id, _) = staff(&app, email).await;
    let stale = json!({ "id": id, "expectedVersion": 1, "name": "Late" });
    assert_eq!(
        owner.mutate("staffUpdate", stale, "staff { id }").await.refusals(),
        ["STALE_VERSION expectedVersion"]
    );
    assert_eq!(
        update(&owner, email, json!({ "role": "captain" })).await.refusals(),
        ["NOT_FOUND role"]
    );
    assert_eq!(
        update(&owner, email, json!({ "name": null, "role": null })).await.refusals(),
        ["REQUIRED name", "REQUIRED role"]
    );
    assert_eq!(
        update(&owner, email, json!({ "name": " " })).await.refusals(),
        ["REQUIRED name"]
    );
    let foreign = json!({ "id": id, "expectedVersion": 3, "name": "Theirs" });
    let answer = app
        .on("baraka")
        .as_owner()
        .mutate("staffUpdate", foreign, "staff { id }")
        .await;
    assert_eq!(answer.refusals(), ["NOT_FOUND id"]);
    app.run_jobs().await;
}

#[tokio::test]
async fn who_is_disabled_is_out_at_once_and_comes_in_anew() {
    let app = TestApp::new().await;
    let owner = app.on("asha").as_owner();
    let email = "support@asha.example";
    let token = app.on("asha").as_login(email).token().await;
    let support = app.on("asha").with(Who::Token(token));
    assert_eq!(support.gql("{ viewer { id } }", json!({})).await.status, StatusCode::OK);
    let (id, _) = staff(&app, email).await;
    let disabled = disable(&owner, &id).await.done()["staff"].clone();
    assert!(disabled["disabledAt"].is_string() && disabled["version"] == 2);
    assert_eq!(
        support.gql("{ viewer { id } }", json!({})).await.status,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(sign_in(&app, email).await.refusals(), ["INVALID_CREDENTIALS"]);
    // Again: nothing more.
    assert_eq!(disable(&owner, &id).await.done()["staff"], disabled);
    assert_eq!(enable(&owner, &id).await.done()["staff"]["disabledAt"], Value::Null);
    sign_in(&app, email).await.done();
    let mut admin = app.db.admin().await;
    let done = actions(&mut admin, &app.db.tenants[0].role).await;
    let count = |action: &str| done.iter().filter(|a| *a == action).count();
    assert_eq!((count("staffDisable"), count("staffEnable")), (1, 1));
    let emitted = events(&mut admin).await;
    let count = |kind: &str| emitted.iter().filter(|e| *e == kind).count();
    assert_eq!((count("StaffDisabled"), count("StaffEnabled")), (1, 1));
    app.run_jobs().await;
}

#[tokio::test]
async fn nobody_changes_somebody_who_has_more() {
    let app = TestApp::new().await;
    give_role(
        &app,
        "billing@asha.example",
        "clerk",
        &["staff:read", "staff:write", "plan:read"],
    )
    .await;
    let clerk = app.on("asha").as_login("billing@asha.example");
    for email in ["owner@asha.example", "admin@asha.example", "read-only@asha.example"] {
        let (id, _) = staff(&app, email).await;
        assert!(
            forbidden(&update(&clerk, email, json!({ "name": "Fooled" })).await),
            "{email}"
        );
        assert!(
            forbidden(&update(&clerk, email, json!({ "role": "nothing" })).await),
            "{email}"
        );
        assert!(forbidden(&disable(&clerk, &id).await), "{email}");
        assert!(forbidden(&enable(&clerk, &id).await), "{email}");
    }
    let (id, _) = staff(&app, "nothing@asha.example").await;
    update(&clerk, "nothing@asha.example", json!({ "role": "clerk" }))
        .await
        .done();
    disable(&clerk, &id).await.done();
    enable(&clerk, &id).await.done();
    app.run_jobs().await;
}

#[tokio::test]
async fn the_last_owner_stays() {
    let app = TestApp::new().await;
    let owner = app.on("asha").as_owner();
    let (id, _) = staff(&app, "owner@asha.example").await;
    assert_eq!(disable(&owner, &id).await.refusals(), ["INVALID_STATE id"]);
    assert_eq!(
        update(&owner, "owner@asha.example", json!({ "role": "admin" }))
            .await
            .refusals(),
        ["INVALID_STATE role"]
    );
    update(&owner, "owner@asha.example", json!({ "name": "Still here" }))
        .await
        .done();
    // One who is disabled is no owner to rely on.
    let second = hire(&app, "second@asha.example", "owner").await;
    disable(&owner, &second).await.done();
    assert_eq!(disable(&owner, &id).await.refusals(), ["INVALID_STATE id"]);
    enable(&owner, &second).await.done();
    update(&owner, "owner@asha.example", json!({ "role": "admin" })).await.done();
    let second_ask = app.on("asha").as_login("second@asha.example");
    assert_eq!(disable(&second_ask, &second).await.refusals(), ["INVALID_STATE id"]);
    app.run_jobs().await;
}

/// Two owners, each about to end the other's ownership, or both their own: one of them stays.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_owners_at_once_leave_one() {
    let app = TestApp::new().await;
    let one = app.on("asha").as_owner();
    let two = app.on("asha").as_login("second@asha.example");
    let (first, _) = staff(&app, "owner@asha.example").await;
    let second = hire(&app, "second@asha.example", "owner").await;
    for round in 0..12 {
        one.token().await;
        two.token().await;
        let demote = json!({ "role": "admin" });
        let (a, b) = match round % 4 {
            0 => tokio::join!(
                update(&one, "second@asha.example", demote.clone()),
                update(&two, "owner@asha.example", demote.clone())
            ),
            1 => tokio::join!(disable(&one, &second), disable(&two, &first)),
            2 => tokio::join!(
                update(&one, "owner@asha.example", demote.clone()),
                update(&two, "second@asha.example", demote.clone())
            ),
            _ => tokio::join!(disable(&one, &first), disable(&two, &second)),
        };
        let done = |answer: &Answer| answer.status == StatusCode::OK && answer.code().is_none() && answer.refusals().is_empty();
        assert!(done(&a) != done(&b), "round {round}: {}\n{}", a.text, b.text);
        restore(&app, [&first, &second]).await;
    }
    app.run_jobs().await;
}

async fn restore(app: &TestApp, owners: [&String; 2]) {
    let schema = &app.db.tenants[0].role;
    let sql = format!(
        "UPDATE {schema}.staff SET role_code = 'owner', disabled_at = NULL WHERE email IN ('owner@asha.example', 'second@asha.example')"
    );
    crate::harness::execute(&mut app.db.admin().await, sql).await;
    let tenant = app.app.directory.by_slug("asha").await.unwrap().unwrap();
    for id in owners {
        app.app.authenticator.forget_staff(&tenant, id.parse().unwrap()).await;
    }
    // Who was out signs in again.
    app.forget_tokens().await;
}
