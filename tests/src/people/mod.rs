//! Who works for an ISP: roles, staff, invitations, and people who belong to several.

mod entry;
mod invitations;
mod memberships;
mod roles;
mod staff;

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgConnection};

use crate::harness::{Answer, Ask, PASSWORD, TestApp, execute, id};

/// Gives a member of staff of `asha` a role of its own with these permissions.
async fn give_role(app: &TestApp, email: &str, role: &str, permissions: &[&str]) {
    let schema = &app.db.tenants[0].role;
    execute(
        &mut app.db.admin().await,
        format!(
            "INSERT INTO {schema}.role (code, name, permissions) VALUES ('{role}', '{role}', '{{{}}}');
             UPDATE {schema}.staff SET role_code = '{role}' WHERE email = '{email}'",
            permissions.join(",")
        ),
    )
    .await;
}

/// Somebody's id and version.
async fn staff(app: &TestApp, email: &str) -> (String, i64) {
    let query = "{ staff(first: 100) { nodes { id email version } } }";
    let all = app.on("asha").as_owner().gql(query, json!({})).await.at("staff.nodes");
    let found = all.as_array().unwrap().iter().find(|s| s["email"] == email);
    let found = found.unwrap_or_else(|| panic!("nobody has {email}"));
    (id(found), found["version"].as_i64().unwrap())
}

/// `staffUpdate` with the version as it is now.
async fn update(ask: &Ask<'_>, email: &str, changes: Value) -> Answer {
    let (id, version) = staff(ask.app, email).await;
    let mut input = json!({ "id": id, "expectedVersion": version });
    input.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    ask.mutate("staffUpdate", input, "staff { id name role version }").await
}

async fn hire(app: &TestApp, email: &str, role: &str) -> String {
    let input = json!({ "name": "New", "email": email, "password": PASSWORD, "role": role });
    let answer = app.on("asha").as_owner().mutate("staffCreate", input, "staff { id }").await;
    id(&answer.done()["staff"])
}

async fn actions(admin: &mut PgConnection, schema: &str) -> Vec<String> {
    sqlx::query_scalar(AssertSqlSafe(format!(
        "SELECT action FROM {schema}.audit_entry ORDER BY at, id"
    )))
    .fetch_all(admin)
    .await
    .unwrap()
}

/// Kinds of the events that wait in the outbox.
async fn events(admin: &mut PgConnection) -> Vec<String> {
    sqlx::query_scalar("SELECT kind FROM platform.outbox ORDER BY id")
        .fetch_all(admin)
        .await
        .unwrap()
}
