//! Invitations to work for an ISP.

use serde_json::{Value, json};
use trunkline_domain::identity::events::StaffInvited;

use super::{actions, events, give_role, staff, update};
use crate::harness::{Answer, Ask, TestApp, execute, id};

async fn invite(ask: &Ask<'_>, email: &str, role: &str) -> Answer {
    let input = json!({ "email": email, "role": role });
    ask.mutate(
        "staffInvite",
        input,
        "invitation { id email role expiresAt invitedBy { email } }",
    )
    .await
}

async fn accept(ask: &Ask<'_>, token: &str) -> Answer {
    let input = json!({ "token": token, "name": "Nia New", "password": "a password of Nia's" });
    ask.mutate("staffInvitationAccept", input, "staff { id name email role }")
        .await
}

/// The token of the invitation that was made last, as the message to its receiver would carry it.
pub async fn sent(app: &TestApp) -> String {
    let payload: Value =
        sqlx::query_scalar("SELECT payload FROM platform.outbox WHERE kind = 'StaffInvited' ORDER BY id DESC LIMIT 1")
            .fetch_one(&mut app.db.admin().await)
            .await
            .unwrap();
    let event: StaffInvited = serde_json::from_value(payload).unwrap();
    event.token.open(app.app.database.secret()).unwrap()
}

async fn open(app: &TestApp) -> Vec<String> {
    let query = "{ staffInvitations(first: 10) { totalCount nodes { email } } }";
    let answer = app.on("asha").as_owner().gql(query, json!({})).await.at("staffInvitations");
    let nodes = answer["nodes"].as_array().unwrap();
    assert_eq!(answer["totalCount"], json!(nodes.len()));
    nodes.iter().map(|n| n["email"].as_str().unwrap().to_owned()).collect()
}

const REFUSED: [&str; 1] = ["INVALID_CREDENTIALS token"];

#[tokio::test]
async fn whoever_is_invited_sets_name_and_password() {
    let app = TestApp::new().await;
    let owner = app.on("asha").as_owner();
    let made = invite(&owner, " Nia@Mail.example", "support").await.done()["invitation"].clone();
    assert_eq!(
        (&made["email"], &made["role"], &made["invitedBy"]["email"]),
        (&json!("Nia@Mail.example"), &json!("support"), &json!("owner@asha.example"))
    );
    assert_eq!(open(&app).await, ["Nia@Mail.example"]);
    let token = sent(&app).await;
    let nobody = app.on("asha");
    let input = json!({ "token": token, "name": " ", "password": "short" });
    assert_eq!(
        nobody.mutate("staffInvitationAccept", input, "staff { id }").await.refusals(),
        ["REQUIRED name", "INVALID password"]
    );
    for (ask, token) in [
        (app.on("baraka"), token.as_str()),
        (nobody.clone(), ""),
        (nobody.clone(), &token[1..]),
    ] {
        assert_eq!(accept(&ask, token).await.refusals(), REFUSED);
    }
    assert_eq!(
        accept(&app.on_platform(), &token).await.code().as_deref(),
        Some("UNAUTHENTICATED")
    );
    let staff = accept(&nobody, &token).await.done()["staff"].clone();
    assert_eq!(
        (&staff["name"], &staff["email"], &staff["role"]),
        (&json!("Nia New"), &json!("Nia@Mail.example"), &json!("support"))
    );
    assert_eq!(accept(&nobody, &token).await.refusals(), REFUSED);
    assert!(open(&app).await.is_empty());
    let credentials = json!({ "email": "nia@mail.example", "password": "a password of Nia's" });
    let session = nobody
        .mutate("sessionCreate", credentials, "session { viewer { id permissions } }")
        .await
        .done();
    assert_eq!(session["session"]["viewer"]["id"], staff["id"]);
    assert_eq!(
        invite(&owner, "nia@mail.example", "support").await.refusals(),
        ["TAKEN email"]
    );

    let mut admin = app.db.admin().await;
    let done = actions(&mut admin, &app.db.tenants[0].role).await;
    assert!(done.contains(&"staffInvite".into()) && done.contains(&"staffInvitationAccept".into()));
    assert!(events(&mut admin).await.contains(&"StaffInvitationAccepted".into()));
    app.run_jobs().await;
}

#[tokio::test]
async fn an_invitation_ends_by_revocation_replacement_and_time() {
    let app = TestApp::new().await;
    let owner = app.on("asha").as_owner();
    let nobody = app.on("asha");
    let revoke = async |ask: &Ask<'_>, id: &str| ask.mutate("staffInvitationRevoke", json!({ "id": id }), "revokedId").await;

    let first = id(&invite(&owner, "nia@mail.example", "support").await.done()["invitation"]);
    let revoked = sent(&app).await;
    assert_eq!(
        revoke(&app.on("baraka").as_owner(), &first).await.refusals(),
        ["NOT_FOUND id"]
    );
    assert_eq!(revoke(&owner, &first).await.done()["revokedId"], json!(first));
    assert_eq!(accept(&nobody, &revoked).await.refusals(), REFUSED);
    assert_eq!(revoke(&owner, &first).await.refusals(), ["NOT_FOUND id"]);

    invite(&owner, "nia@mail.example", "support").await.done();
    let replaced = sent(&app).await;
    invite(&owner, "NIA@mail.example", "billing").await.done();
    let late = sent(&app).await;
    assert_eq!(accept(&nobody, &replaced).await.refusals(), REFUSED);
    assert_eq!(open(&app).await, ["NIA@mail.example"]);

    app.set_clock("2026-04-08T05:30:00Z").await;
    assert_eq!(accept(&nobody, &late).await.refusals(), REFUSED);
    assert!(open(&app).await.is_empty());
    // An expired invitation holds its role no longer.
    app.run_jobs().await;
}

/// Whoever has lost what they gave has given nothing.
#[tokio::test]
async fn an_invitation_is_worth_what_its_giver_has() {
    let app = TestApp::new().await;
    let rights = ["staff:read", "staff:write", "plan:read"];
    give_role(&app, "billing@asha.example", "clerk", &rights).await;
    let schema = app.db.tenants[0].role.clone();
    let mut admin = app.db.admin().await;
    execute(
        &mut admin,
        format!("INSERT INTO {schema}.role (code, name, permissions) VALUES ('seller', 'Seller', '{{plan:read}}')"),
    )
    .await;
    let clerk = app.on("asha").as_login("billing@asha.example");
    assert_eq!(
        invite(&clerk, "x@mail.example", "support").await.code().as_deref(),
        Some("FORBIDDEN")
    );
    assert_eq!(
        invite(&clerk, "x@mail.example", "captain").await.refusals(),
        ["NOT_FOUND role"]
    );
    assert_eq!(invite(&clerk, "nonsense", "seller").await.refusals(), ["INVALID email"]);
    invite(&clerk, "nia@mail.example", "seller").await.done();
    let token = sent(&app).await;
    let owner = app.on("asha").as_owner();
    let nobody = app.on("asha");
    let (clerk_id, _) = staff(&app, "billing@asha.example").await;
    for (lose, regain) in [
        (
            format!("UPDATE {schema}.role SET permissions = '{{staff:write}}' WHERE code = 'clerk'"),
            format!("UPDATE {schema}.role SET permissions = '{{staff:read,staff:write,plan:read}}' WHERE code = 'clerk'"),
        ),
        (
            format!("UPDATE {schema}.role SET permissions = '{{plan:read}}' WHERE code = 'clerk'"),
            format!("UPDATE {schema}.role SET permissions = '{{staff:read,staff:write,plan:read}}' WHERE code = 'clerk'"),
        ),
        (
            format!("UPDATE {schema}.role SET permissions = '{{plan:read,nas:read}}' WHERE code = 'seller'"),
            format!("UPDATE {schema}.role SET permissions = '{{plan:read}}' WHERE code = 'seller'"),
        ),
        (
            format!("UPDATE {schema}.staff SET disabled_at = now() WHERE email = 'billing@asha.example'"),
            format!("UPDATE {schema}.staff SET disabled_at = NULL WHERE email = 'billing@asha.example'"),
        ),
    ] {
        execute(&mut admin, lose.clone()).await;
        assert_eq!(accept(&nobody, &token).await.refusals(), REFUSED, "{lose}");
        execute(&mut admin, regain).await;
    }
    // Nor does somebody with less take back what somebody with more has offered.
    let made = id(&invite(&owner, "boss@mail.example", "owner").await.done()["invitation"]);
    let revoked = clerk
        .mutate("staffInvitationRevoke", json!({ "id": made }), "revokedId")
        .await;
    assert_eq!(revoked.code().as_deref(), Some("FORBIDDEN"));
    assert_eq!(
        invite(&clerk, "boss@mail.example", "seller").await.code().as_deref(),
        Some("FORBIDDEN")
    );
    // A role that somebody is invited to stays.
    let delete = owner.mutate("roleDelete", json!({ "code": "seller" }), "deletedCode").await;
    assert_eq!(delete.refusals(), ["INVALID_STATE code"]);
    accept(&nobody, &token).await.done();
    update(&owner, "billing@asha.example", json!({ "name": clerk_id }))
        .await
        .done();
    app.run_jobs().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_who_accept_at_once_are_one() {
    let app = TestApp::new().await;
    invite(&app.on("asha").as_owner(), "nia@mail.example", "support").await.done();
    let token = sent(&app).await;
    let ask = app.on("asha");
    let (a, b) = tokio::join!(accept(&ask, &token), accept(&ask, &token));
    let mut refusals = [a.refusals(), b.refusals()];
    refusals.sort();
    assert_eq!(refusals, [vec![], REFUSED.map(str::to_owned).to_vec()]);
    app.run_jobs().await;
}

#[tokio::test]
async fn a_suspended_isp_takes_nobody_on() {
    let app = TestApp::new().await;
    invite(&app.on("asha").as_owner(), "nia@mail.example", "support").await.done();
    let token = sent(&app).await;
    let staff = app.on_platform().as_platform_staff();
    let tenants = staff
        .gql("{ tenants(first: 9) { nodes { id slug } } }", json!({}))
        .await
        .at("tenants.nodes");
    let asha = tenants.as_array().unwrap().iter().find(|t| t["slug"] == "asha").unwrap();
    let input = json!({ "id": asha["id"], "reason": "unpaid" });
    staff.mutate("tenantSuspend", input, "tenant { status }").await.done();
    assert_eq!(
        accept(&app.on("asha"), &token).await.code().as_deref(),
        Some("TENANT_SUSPENDED")
    );
    app.run_jobs().await;
}
