//! The way from the platform's host into an ISP's: for whom, for how long, and how often.

use serde_json::json;

use super::memberships::*;
use super::staff;
use crate::harness::{TestApp, execute};

#[tokio::test]
async fn a_code_is_good_once_there_and_for_a_minute() {
    let app = TestApp::new().await;
    let nia = nia(&app).await;
    let code = invited(&app, "baraka", "billing").await;
    join(&nia, "baraka", &code).await.done();

    let used = code_for(&nia, "asha").await;
    exchange(&app, "asha", &used).await.done();
    assert_eq!(exchange(&app, "asha", &used).await.refusals(), REFUSED);
    // Shown at another host, it is lost.
    let astray = code_for(&nia, "asha").await;
    assert_eq!(exchange(&app, "baraka", &astray).await.refusals(), REFUSED);
    assert_eq!(exchange(&app, "asha", &astray).await.refusals(), REFUSED);
    let replaced = code_for(&nia, "asha").await;
    let last = code_for(&nia, "asha").await;
    assert_eq!(exchange(&app, "asha", &replaced).await.refusals(), REFUSED);
    exchange(&app, "asha", &last).await.done();
    let late = code_for(&nia, "asha").await;
    app.set_clock("2026-04-01T04:35:00Z").await;
    assert_eq!(exchange(&app, "asha", &late).await.refusals(), REFUSED);
    // Codes of another kind, and none.
    let link = link_code(&app.on("asha").as_owner()).await;
    let invitation = invited(&app, "chandra", "support").await;
    for bad in ["", "nonsense", &late[1..], &link, &invitation] {
        assert_eq!(exchange(&app, "asha", bad).await.refusals(), REFUSED);
    }
    let entry = code_for(&nia, "asha").await;
    assert_eq!(join(&nia, "asha", &entry).await.refusals(), ["INVALID_STATE host"]);
    assert_eq!(join(&nia, "chandra", &entry).await.refusals(), REFUSED);
    let on_platform = app
        .on_platform()
        .mutate("sessionExchange", json!({ "code": entry }), "session { expiresAt }")
        .await;
    assert_eq!(on_platform.code().as_deref(), Some("UNAUTHENTICATED"));
    app.run_jobs().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_at_once_are_one() {
    let app = TestApp::new().await;
    let nia = nia(&app).await;
    for _ in 0..3 {
        let code = code_for(&nia, "asha").await;
        let (a, b) = tokio::join!(exchange(&app, "asha", &code), exchange(&app, "asha", &code));
        let mut refusals = [a.refusals(), b.refusals()];
        refusals.sort();
        assert_eq!(refusals, [vec![], REFUSED.map(str::to_owned).to_vec()]);
    }
    let code = invited(&app, "baraka", "billing").await;
    let (a, b) = tokio::join!(join(&nia, "baraka", &code), join(&nia, "baraka", &code));
    let done = [&a, &b].into_iter().filter(|x| x.refusals().is_empty()).count();
    assert_eq!(done, 1, "{}\n{}", a.text, b.text);
    assert_eq!(list(&nia).await.len(), 2);
    enter(&app, &nia, "baraka").await;
    app.run_jobs().await;
}

#[tokio::test]
async fn who_is_kept_out_by_either_side_does_not_get_in() {
    let app = TestApp::new().await;
    let nia = nia(&app).await;
    let id = membership(&nia, "asha").await;
    let (staff_id, _) = staff(&app, NIA).await;
    let owner = app.on("asha").as_owner();
    let mut admin = app.db.admin().await;

    let code = code_for(&nia, "asha").await;
    owner
        .mutate("staffDisable", json!({ "id": staff_id }), "staff { id }")
        .await
        .done();
    assert_eq!(exchange(&app, "asha", &code).await.refusals(), REFUSED);
    assert_eq!(open(&nia, &id).await.refusals(), ["INVALID_STATE membershipId"]);
    owner
        .mutate("staffEnable", json!({ "id": staff_id }), "staff { id }")
        .await
        .done();
    enter(&app, &nia, "asha").await;

    // A second factor there is not passed by without one here.
    let second = |table: &str, id: &str| {
        format!("INSERT INTO {table} (principal_id, sealed, created_at, confirmed_at) VALUES ('{id}', '\\x00', now(), now())")
    };
    let plain = staff_id.trim_start_matches("staff_");
    let code = code_for(&nia, "asha").await;
    execute(&mut admin, second(&format!("{}.totp", schema(&app, "asha")), plain)).await;
    assert_eq!(exchange(&app, "asha", &code).await.refusals(), REFUSED);
    assert_eq!(open(&nia, &id).await.refusals(), ["TOTP_REQUIRED membershipId"]);
    let account = nia.gql(VIEWER, json!({})).await.text_at("viewer.id");
    execute(&mut admin, second("platform.totp", account.trim_start_matches("account_"))).await;
    enter(&app, &nia, "asha").await;

    let code = code_for(&nia, "asha").await;
    execute(
        &mut admin,
        format!("UPDATE platform.account SET disabled_at = now() WHERE email = '{NIA}'"),
    )
    .await;
    assert_eq!(exchange(&app, "asha", &code).await.refusals(), REFUSED);
    execute(
        &mut admin,
        format!("UPDATE platform.account SET disabled_at = NULL WHERE email = '{NIA}'"),
    )
    .await;

    let code = code_for(&nia, "asha").await;
    let staff = app.on_platform().as_platform_staff();
    let tenants = staff
        .gql("{ tenants(first: 9) { nodes { id slug } } }", json!({}))
        .await
        .at("tenants.nodes");
    let asha = tenants.as_array().unwrap().iter().find(|t| t["slug"] == "asha").unwrap();
    let suspend = json!({ "id": asha["id"], "reason": "unpaid" });
    staff.mutate("tenantSuspend", suspend, "tenant { status }").await.done();
    assert_eq!(
        exchange(&app, "asha", &code).await.code().as_deref(),
        Some("TENANT_SUSPENDED")
    );
    assert_eq!(open(&nia, &id).await.refusals(), ["INVALID_STATE membershipId"]);
    assert_eq!(list(&nia).await[0]["open"], false);
    app.run_jobs().await;
}
