use serde_json::json;

use super::bench::kolkata;
use crate::harness::{TestApp, id, key};

#[tokio::test]
async fn suspending_tells_radius_in_the_same_breath() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    let first = isp.first_subscriber("ravi").await;
    isp.pay(&first.subscriber, &first.total).await;
    app.run_jobs().await;
    let input = json!({ "id": first.service, "reason": "  Moved house ", "idempotencyKey": key() });
    let selection = "service { status suspension { cause reason } nextBillingDate }";
    let done = isp.mutate("serviceSuspend", input.clone(), selection).await.done();
    let off =
        json!({ "status": "SUSPENDED", "suspension": { "cause": "STAFF", "reason": "Moved house" }, "nextBillingDate": null });
    assert_eq!(done["service"], off);
    assert!(
        app.account("asha", "ravi").await.starts_with("suspended"),
        "before any job has run"
    );
    assert_eq!(
        isp.mutate("serviceSuspend", input, selection).await.done()["service"],
        off,
        "a replay"
    );
    let again = json!({ "id": first.service, "reason": "Again", "idempotencyKey": key() });
    assert_eq!(
        isp.mutate("serviceSuspend", again, selection).await.refusals(),
        ["INVALID_STATE id"]
    );

    let input = json!({ "id": first.service, "idempotencyKey": key() });
    let done = isp.mutate("serviceResume", input, selection).await.done();
    assert_eq!(
        done["service"],
        json!({ "status": "ACTIVE", "suspension": null, "nextBillingDate": "2026-05-01" })
    );
    assert!(app.account("asha", "ravi").await.starts_with("active"));
    let again = json!({ "id": first.service, "idempotencyKey": key() });
    assert_eq!(
        isp.mutate("serviceResume", again, selection).await.refusals(),
        ["INVALID_STATE id"]
    );
    app.run_jobs().await;
}

#[tokio::test]
async fn a_payment_does_not_lift_what_staff_did() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    let first = isp.first_subscriber("ravi").await;
    isp.suspend(&first.service).await;
    isp.pay(&first.subscriber, &first.total).await;
    app.run_jobs().await;
    assert_eq!(isp.status(&first.service).await, "SUSPENDED STAFF");
    assert_eq!(
        isp.state(&first.service).await["paidUntil"],
        kolkata("2026-05-01"),
        "the money counts all the same"
    );
    assert!(app.account("asha", "ravi").await.starts_with("suspended"));
}

#[tokio::test]
async fn resumed_after_its_time_it_has_to_be_paid_for() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    let first = isp.first_subscriber("ravi").await;
    isp.suspend(&first.service).await;
    app.set_clock("2026-04-20T10:00:00Z").await;
    app.run_jobs().await;
    let resume = || json!({ "id": first.service, "idempotencyKey": key() });
    let selection = "service { status suspension { cause } }";
    let done = isp.mutate("serviceResume", resume(), selection).await.done();
    assert_eq!(
        done["service"],
        json!({ "status": "SUSPENDED", "suspension": { "cause": "EXPIRED" } })
    );
    assert!(app.account("asha", "ravi").await.starts_with("expired"));
    assert_eq!(
        isp.mutate("serviceResume", resume(), selection).await.refusals(),
        ["INVALID_STATE id"]
    );
    isp.pay(&first.subscriber, &first.total).await;
    app.run_jobs().await;
    assert_eq!(isp.status(&first.service).await, "ACTIVE");
}

#[tokio::test]
async fn a_service_that_is_not_on_yet_cannot_be_suspended() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    let plan = isp.plan("home", json!({})).await;
    let (subscriber, _) = isp.subscriber("Ravi", json!({})).await;
    let (service, _) = isp.service(&subscriber, &plan, "ravi", json!({ "activate": false })).await;
    for (name, input) in [
        (
            "serviceSuspend",
            json!({ "id": id(&service), "reason": "x", "idempotencyKey": key() }),
        ),
        ("serviceResume", json!({ "id": id(&service), "idempotencyKey": key() })),
    ] {
        assert_eq!(
            isp.mutate(name, input, "service { id }").await.refusals(),
            ["INVALID_STATE id"],
            "{name}"
        );
    }
}

#[tokio::test]
async fn the_network_password_is_kept_by_radius_alone() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    let first = isp.first_subscriber("ravi").await;
    isp.portal_password(&first.subscriber).await;
    assert_eq!(app.password_of("ravi").await, "network-secret");
    let set = |password: &str| json!({ "id": first.service, "password": password });
    isp.mutate("servicePasswordSet", set("second secret"), "service { id }")
        .await
        .done();
    assert_eq!(app.password_of("ravi").await, "second secret");
    let own = app.on("asha").as_subscriber(&first.account_number);
    own.mutate("servicePasswordSet", set("third 's\"e\\cret"), "service { id }")
        .await
        .done();
    assert_eq!(app.password_of("ravi").await, "third 's\"e\\cret");
    assert_eq!(
        isp.mutate("servicePasswordSet", set("short"), "service { id }")
            .await
            .refusals(),
        ["INVALID password"]
    );
    // A stranger among the same ISP's subscribers.
    let other = isp.first_subscriber("meera").await;
    isp.portal_password(&other.subscriber).await;
    let stranger = app.on("asha").as_subscriber(&other.account_number);
    assert_eq!(
        stranger
            .mutate("servicePasswordSet", set("stolen secret"), "service { id }")
            .await
            .refusals(),
        ["NOT_FOUND id"]
    );
    assert_eq!(app.password_of("ravi").await, "third 's\"e\\cret");
    let role = &app.db.tenants.iter().find(|t| t.slug == "asha").unwrap().role;
    let dump = format!(
        "SELECT string_agg(x::text, '') FROM (SELECT to_jsonb(a) AS x FROM \"{role}\".audit_entry a UNION ALL
         SELECT to_jsonb(s) FROM \"{role}\".service s UNION ALL SELECT to_jsonb(i) FROM \"{role}\".idempotency i UNION ALL
         SELECT to_jsonb(o) FROM platform.outbox o UNION ALL SELECT to_jsonb(j) FROM platform.job j) t"
    );
    let text: String = sqlx::query_scalar(sqlx::AssertSqlSafe(dump))
        .fetch_one(&mut app.db.admin().await)
        .await
        .unwrap();
    assert!(
        text.contains("serviceCreate") && !text.contains("secret"),
        "a password is written down elsewhere"
    );
    app.run_jobs().await;
}

#[tokio::test]
async fn subscribers_see_their_own_services_only() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    let (ravi, meera) = (isp.first_subscriber("ravi").await, isp.first_subscriber("meera").await);
    for one in [&ravi, &meera] {
        isp.portal_password(&one.subscriber).await;
    }
    let me = app.on("asha").as_subscriber(&ravi.account_number);
    let query = "query($id: ID!) { service(id: $id) { id } node(id: $id) { id } }";
    let own = me.gql(query, json!({ "id": ravi.service })).await;
    assert_eq!(
        (own.text_at("service.id"), own.text_at("node.id")),
        (ravi.service.clone(), ravi.service.clone())
    );
    let foreign = me.gql(query, json!({ "id": meera.service })).await;
    assert!(foreign.at("service").is_null() && foreign.at("node").is_null());
    for name in ["serviceSuspend", "serviceResume"] {
        let mut input = json!({ "id": ravi.service, "idempotencyKey": key() });
        if name == "serviceSuspend" {
            input["reason"] = json!("I want to");
        }
        let answer = me.mutate(name, input, "service { id }").await;
        assert_eq!(answer.code().as_deref(), Some("FORBIDDEN"), "{name}");
    }
    app.run_jobs().await;
}
