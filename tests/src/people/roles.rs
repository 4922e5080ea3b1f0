//! Roles: made, changed and taken away by those who have what they give.

use std::time::Duration;

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Executor};

use super::{actions, events, give_role, update};
use crate::harness::{Answer, Ask, TestApp, execute};

async fn create(ask: &Ask<'_>, code: &str, permissions: &[&str]) -> Answer {
    let input = json!({ "code": code, "name": format!("Role {code}"), "permissions": permissions });
    ask.mutate("roleCreate", input, "role { code name permissions version fixed }")
        .await
}

async fn change(ask: &Ask<'_>, code: &str, version: i64, changes: Value) -> Answer {
    let mut input = json!({ "code": code, "expectedVersion": version });
    input.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    ask.mutate("roleUpdate", input, "role { code name permissions version }")
        .await
}

async fn delete(ask: &Ask<'_>, code: &str) -> Answer {
    ask.mutate("roleDelete", json!({ "code": code }), "deletedCode").await
}

fn forbidden(answer: &Answer) -> bool {
    answer.code().as_deref() == Some("FORBIDDEN")
}

#[tokio::test]
async fn an_isp_makes_changes_and_removes_roles_of_its_own() {
    let app = TestApp::new().await;
    let owner = app.on("asha").as_owner();
    let role = create(&owner, "cashier", &["payment:write", "payment:read", "payment:write"])
        .await
        .done()["role"]
        .clone();
    assert_eq!(
        role,
        json!({ "code": "cashier", "name": "Role cashier", "permissions": ["payment:read", "payment:write"], "version": 1, "fixed": false })
    );
    assert_eq!(create(&owner, "cashier", &[]).await.refusals(), ["TAKEN code"]);
    assert_eq!(
        create(&owner, "Head Cashier", &["payment:read", "payments:read"])
            .await
            .refusals(),
        ["INVALID code", "INVALID permissions.1"]
    );
    update(&owner, "nothing@asha.example", json!({ "role": "cashier" }))
        .await
        .done();
    let cashier = app.on("asha").as_login("nothing@asha.example");
    let may = async |right: &str| {
        let viewer = cashier.gql("{ viewer { permissions } }", json!({})).await;
        viewer.at("viewer.permissions").as_array().unwrap().contains(&json!(right))
    };
    assert!(may("payment:write").await && !may("nas:read").await);

    let changed = change(&owner, "cashier", 1, json!({ "permissions": ["nas:read"] }))
        .await
        .done()["role"]
        .clone();
    assert_eq!(
        (&changed["version"], &changed["name"], &changed["permissions"]),
        (&json!(2), &json!("Role cashier"), &json!(["nas:read"]))
    );
    // This process need not wait for what it remembers to be forgotten.
    assert!(!may("payment:write").await && may("nas:read").await);
    assert_eq!(
        change(&owner, "cashier", 1, json!({ "name": "Till" })).await.refusals(),
        ["STALE_VERSION expectedVersion"]
    );
    assert_eq!(
        change(&owner, "cashier", 2, json!({ "name": null, "permissions": null }))
            .await
            .refusals(),
        ["REQUIRED name", "REQUIRED permissions"]
    );
    assert_eq!(change(&owner, "nobody", 1, json!({})).await.refusals(), ["NOT_FOUND code"]);
    assert_eq!(delete(&owner, "nobody").await.refusals(), ["NOT_FOUND code"]);
    assert_eq!(delete(&owner, "cashier").await.refusals(), ["INVALID_STATE code"]);
    update(&owner, "nothing@asha.example", json!({ "role": "nothing" }))
        .await
        .done();
    assert_eq!(delete(&owner, "cashier").await.done()["deletedCode"], "cashier");
    let roles = owner.gql("{ roles { code fixed } }", json!({})).await;
    assert!(!roles.text.contains("cashier"));
    assert!(roles.text.contains(r#"{"code":"owner","fixed":true}"#), "{}", roles.text);
    // Roles of another ISP are its own.
    assert_eq!(
        delete(&app.on("baraka").as_owner(), "cashier").await.refusals(),
        ["NOT_FOUND code"]
    );

    let mut admin = app.db.admin().await;
    let done = actions(&mut admin, &app.db.tenants[0].role).await;
    let done: Vec<&str> = done.iter().map(String::as_str).filter(|a| a.starts_with("role")).collect();
    assert_eq!(done, ["roleCreate", "roleUpdate", "roleDelete"]);
    let emitted = events(&mut admin).await;
    assert!(
        ["RoleCreated", "RoleUpdated", "RoleDeleted", "StaffUpdated"]
            .iter()
            .all(|e| emitted.contains(&(*e).to_owned()))
    );
    app.run_jobs().await;
}

#[tokio::test]
async fn the_owners_role_stays_and_owners_are_made_by_owners() {
    let app = TestApp::new().await;
    let owner = app.on("asha").as_owner();
    assert_eq!(
        change(&owner, "owner", 1, json!({ "permissions": ["plan:read"] }))
            .await
            .refusals(),
        ["INVALID_STATE code"]
    );
    assert_eq!(delete(&owner, "owner").await.refusals(), ["INVALID_STATE code"]);
    // An admin has every permission that an owner has, and yet.
    let admin = app.on("asha").as_login("admin@asha.example");
    create(&admin, "mate", &["staff:write", "role:write"]).await.done();
    assert!(forbidden(
        &update(&admin, "admin@asha.example", json!({ "role": "owner" })).await
    ));
    assert!(forbidden(
        &update(&admin, "owner@asha.example", json!({ "name": "Demoted" })).await
    ));
    assert!(forbidden(&change(&admin, "owner", 1, json!({ "name": "Boss" })).await));
    app.run_jobs().await;
}

#[tokio::test]
async fn nobody_gives_in_a_role_what_they_lack() {
    let app = TestApp::new().await;
    let rights = ["staff:read", "staff:write", "role:write", "plan:read"];
    give_role(&app, "billing@asha.example", "clerk", &rights).await;
    let clerk = app.on("asha").as_login("billing@asha.example");
    assert!(forbidden(&create(&clerk, "more", &["plan:read", "invoice:write"]).await));
    assert!(forbidden(
        &change(&clerk, "clerk", 1, json!({ "permissions": ["invoice:write"] })).await
    ));
    // What others hold, and the clerk does not: not even less of it.
    assert!(forbidden(&change(&clerk, "support", 1, json!({ "permissions": [] })).await));
    assert!(forbidden(&change(&clerk, "support", 1, json!({ "name": "Helpers" })).await));
    assert!(forbidden(&delete(&clerk, "read-only").await));
    assert!(forbidden(
        &update(&clerk, "nothing@asha.example", json!({ "role": "support" })).await
    ));
    create(&clerk, "seller", &["plan:read"]).await.done();
    update(&clerk, "nothing@asha.example", json!({ "role": "seller" }))
        .await
        .done();
    change(&clerk, "seller", 1, json!({ "permissions": ["staff:read"] }))
        .await
        .done();
    for (ask, code) in [
        (app.on("asha").as_login("support@asha.example"), "FORBIDDEN"),
        (app.on("asha"), "UNAUTHENTICATED"),
        (app.on_platform().as_platform_staff(), "FORBIDDEN"),
    ] {
        assert_eq!(create(&ask, "x1", &[]).await.code().as_deref(), Some(code));
        assert_eq!(change(&ask, "support", 1, json!({})).await.code().as_deref(), Some(code));
        assert_eq!(delete(&ask, "support").await.code().as_deref(), Some(code));
    }
    app.run_jobs().await;
}

/// What the server remembers of the clerk's rights is a few seconds old; the table is not.
#[tokio::test]
async fn rights_are_compared_as_the_table_has_them() {
    let app = TestApp::new().await;
    give_role(&app, "billing@asha.example", "clerk", &["role:write", "plan:read"]).await;
    let clerk = app.on("asha").as_login("billing@asha.example");
    let schema = &app.db.tenants[0].role;
    let mut admin = app.db.admin().await;
    create(&clerk, "seller", &["plan:read"]).await.done();
    execute(
        &mut admin,
        format!("UPDATE {schema}.role SET permissions = '{{role:write}}' WHERE code = 'clerk'"),
    )
    .await;
    assert!(forbidden(&create(&clerk, "seller-2", &["plan:read"]).await));
    create(&clerk, "empty", &[]).await.done();
    execute(
        &mut admin,
        format!("UPDATE {schema}.role SET permissions = '{{plan:read}}' WHERE code = 'clerk'"),
    )
    .await;
    assert!(forbidden(&create(&clerk, "seller-3", &["plan:read"]).await));
    app.run_jobs().await;
}

/// Somebody loses a right while giving it away: whoever comes second sees what the first has done.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_right_that_is_being_lost_is_not_given() {
    let app = TestApp::new().await;
    give_role(&app, "billing@asha.example", "clerk", &["role:write", "plan:read"]).await;
    let clerk = app.on("asha").as_login("billing@asha.example");
    clerk.token().await;
    let schema = &app.db.tenants[0].role;
    let mut first = app.db.admin().await;
    first.execute("BEGIN").await.unwrap();
    execute(
        &mut first,
        format!(
            "SELECT 1 FROM {schema}.role WHERE code = 'owner' FOR NO KEY UPDATE;
             UPDATE {schema}.role SET permissions = '{{role:write}}' WHERE code = 'clerk'"
        ),
    )
    .await;
    let second = create(&clerk, "seller", &["plan:read"]);
    let finish = async {
        wait_for_one_that_waits(&app).await;
        first.execute("COMMIT").await.unwrap();
    };
    let (second, ()) = tokio::join!(second, finish);
    assert!(forbidden(&second), "{}", second.text);
    app.run_jobs().await;
}

/// Until a connection to this test's database waits for a lock.
pub async fn wait_for_one_that_waits(app: &TestApp) {
    let mut admin = app.db.admin().await;
    for _ in 0..500 {
        let waiting: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
        )
        .fetch_one(&mut admin)
        .await
        .unwrap();
        if waiting > 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("nobody waits");
}

/// A newer release has added a permission to a role; this one cannot see it and does not take it away.
#[tokio::test]
async fn what_a_newer_release_gave_stays() {
    let app = TestApp::new().await;
    let schema = &app.db.tenants[0].role;
    let mut admin = app.db.admin().await;
    execute(
        &mut admin,
        format!("INSERT INTO {schema}.role (code, name, permissions) VALUES ('later', 'Later', '{{plan:read,unheard:of}}')"),
    )
    .await;
    let owner = app.on("asha").as_owner();
    // Who does not have it does not touch it.
    assert!(forbidden(
        &change(&owner, "later", 1, json!({ "permissions": ["nas:read"] })).await
    ));
    execute(
        &mut admin,
        format!("UPDATE {schema}.role SET permissions = permissions || '{{unheard:of}}' WHERE code = 'owner'"),
    )
    .await;
    let shown = change(&owner, "later", 1, json!({ "permissions": ["nas:read"] }))
        .await
        .done()["role"]
        .clone();
    assert_eq!(shown["permissions"], json!(["nas:read"]));
    change(&owner, "later", 2, json!({ "name": "Much later" })).await.done();
    let kept: Vec<String> = sqlx::query_scalar(AssertSqlSafe(format!(
        "SELECT unnest(permissions) FROM {schema}.role WHERE code = 'later'"
    )))
    .fetch_all(&mut admin)
    .await
    .unwrap();
    assert_eq!(kept, ["nas:read", "unheard:of"]);
    assert_eq!(
        create(&owner, "mine", &["unheard:of"]).await.refusals(),
        ["INVALID permissions.0"]
    );
    app.run_jobs().await;
}

#[tokio::test]
async fn an_isp_has_so_many_roles() {
    let app = TestApp::new().await;
    let schema = &app.db.tenants[0].role;
    execute(
        &mut app.db.admin().await,
        format!(
            "INSERT INTO {schema}.role (code, name, permissions) SELECT 'r-' || n, 'R', '{{}}' FROM generate_series(1, 93) n"
        ),
    )
    .await;
    let owner = app.on("asha").as_owner();
    assert_eq!(create(&owner, "last", &[]).await.refusals(), ["LIMIT_EXCEEDED"]);
    delete(&owner, "r-1").await.done();
    create(&owner, "last", &[]).await.done();
    app.run_jobs().await;
}
