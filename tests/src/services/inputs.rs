use futures::future::join_all;
use serde_json::{Value, json};

use crate::harness::{Ask, TestApp, id, key};

async fn order(isp: &Ask<'_>, subscriber: &str, plan: &str, changes: Value) -> Vec<String> {
    let mut input = json!({
        "subscriberId": subscriber, "planId": plan, "username": "ravi", "password": "network-secret", "idempotencyKey": key(),
    });
    input.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    isp.mutate("serviceCreate", input, "service { id }").await.refusals()
}

#[tokio::test]
async fn bad_orders_are_refused_by_field_and_leave_nothing_behind() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    let (plan, addon) = (
        isp.plan("home", json!({})).await,
        isp.plan("ip", json!({ "kind": "ADDON" })).await,
    );
    let (subscriber, _) = isp.subscriber("Ravi", json!({})).await;
    let cases = [
        (
            &plan,
            json!({ "username": null, "password": null }),
            vec!["REQUIRED username", "REQUIRED password"],
        ),
        (&plan, json!({ "username": "r v" }), vec!["INVALID username"]),
        (
            &plan,
            json!({ "username": "x".repeat(65), "password": "12345" }),
            vec!["INVALID username", "INVALID password"],
        ),
        (&plan, json!({ "startsOn": "2027-05-01" }), vec!["INVALID startsOn"]),
        (&plan, json!({ "startsOn": "1970-01-01" }), vec!["INVALID startsOn"]),
        (
            &plan,
            json!({ "installationAddress": { "line1": " ", "country": "XX" } }),
            vec!["REQUIRED installationAddress.line1", "INVALID installationAddress.country"],
        ),
        (&addon, json!({}), vec!["INVALID username", "INVALID password"]),
        (
            &plan,
            json!({ "planId": addon.replace("plan_", "service_") }),
            vec!["NOT_FOUND planId"],
        ),
        (&plan, json!({ "planId": "plan_x" }), vec!["INVALID planId"]),
        (
            &plan,
            json!({ "planId": "plan_01939f0000007000800000000000abcd" }),
            vec!["NOT_FOUND planId"],
        ),
        (
            &plan,
            json!({ "subscriberId": "subscriber_01939f0000007000800000000000abcd" }),
            vec!["NOT_FOUND subscriberId"],
        ),
    ];
    for (plan, changes, expected) in cases {
        assert_eq!(order(&isp, &subscriber, plan, changes.clone()).await, expected, "{changes}");
    }
    isp.mutate("planRetire", json!({ "id": plan }), "plan { id }").await.done();
    assert_eq!(order(&isp, &subscriber, &plan, json!({})).await, ["INVALID_STATE planId"]);
    let query = "query($id: ID!) { subscriber(id: $id) { services { totalCount } invoices(first: 1) { totalCount } } }";
    let left = isp.gql(query, json!({ "id": subscriber })).await.at("subscriber");
    assert_eq!(
        left,
        json!({ "services": { "totalCount": 0 }, "invoices": { "totalCount": 0 } })
    );
}

#[tokio::test]
async fn a_user_name_is_one_services_within_an_isp_whatever_its_case() {
    let app = TestApp::new().await;
    for slug in ["asha", "baraka", "chandra"] {
        let isp = app.on(slug).as_owner();
        let first = isp.first_subscriber("ravi").await;
        for name in ["ravi", "RAVI", "Ravi"] {
            let refused = order(&isp, &first.subscriber, &first.plan, json!({ "username": name })).await;
            assert_eq!(refused, ["TAKEN username"], "{name} at {slug}");
        }
    }
    app.run_jobs().await;
}

#[tokio::test]
async fn a_key_makes_one_service_however_often_it_is_sent_at_once() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    let plan = isp.plan("home", json!({})).await;
    let (subscriber, _) = isp.subscriber("Ravi", json!({})).await;
    let input = json!({
        "subscriberId": subscriber, "planId": plan, "username": "ravi", "password": "network-secret", "idempotencyKey": key(),
    });
    let selection = "service { id } invoice { id number }";
    let calls = (0..24).map(|_| isp.mutate("serviceCreate", input.clone(), selection));
    let mut payloads: Vec<Value> = join_all(calls).await.iter().map(|a| a.done()).collect();
    payloads.dedup();
    assert_eq!(payloads.len(), 1, "{payloads:?}");
    assert_eq!(isp.invoices_of(&subscriber).await.len(), 1);
    let mut other = input.clone();
    other["password"] = json!("another-secret");
    assert_eq!(
        isp.mutate("serviceCreate", other, selection).await.refusals(),
        ["IDEMPOTENCY_KEY_REUSED idempotencyKey"]
    );
    app.run_jobs().await;
}

#[tokio::test]
async fn ids_of_another_isp_do_not_exist() {
    let app = TestApp::new().await;
    let theirs = app.on("baraka").as_owner().first_subscriber("wanjiku").await;
    let isp = app.on("asha").as_owner();
    let (plan, (subscriber, _)) = (isp.plan("home", json!({})).await, isp.subscriber("Ravi", json!({})).await);
    assert_eq!(
        order(&isp, &theirs.subscriber, &plan, json!({})).await,
        ["NOT_FOUND subscriberId"]
    );
    assert_eq!(order(&isp, &subscriber, &theirs.plan, json!({})).await, ["NOT_FOUND planId"]);
    for (name, mut input) in [
        ("serviceActivate", json!({ "idempotencyKey": key() })),
        ("serviceSuspend", json!({ "idempotencyKey": key(), "reason": "x" })),
        ("serviceResume", json!({ "idempotencyKey": key() })),
        ("servicePasswordSet", json!({ "password": "network-secret" })),
        ("servicePause", json!({ "idempotencyKey": key() })),
        ("serviceUnpause", json!({ "idempotencyKey": key() })),
    ] {
        input["id"] = json!(theirs.service);
        assert_eq!(
            isp.mutate(name, input, "service { id }").await.refusals(),
            ["NOT_FOUND id"],
            "{name}"
        );
    }
    let query = "query($id: ID!) { service(id: $id) { id } node(id: $id) { id } }";
    let answer = isp.gql(query, json!({ "id": theirs.service })).await;
    assert!(answer.at("service").is_null() && answer.at("node").is_null());
    app.run_jobs().await;
}

#[tokio::test]
async fn an_addon_has_no_login() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    let plan = isp.plan("ip", json!({ "kind": "ADDON" })).await;
    let (subscriber, _) = isp.subscriber("Ravi", json!({})).await;
    let none = json!({ "username": null, "password": null });
    let (service, invoice) = isp.service(&subscriber, &plan, "-", none).await;
    assert_eq!((&service["status"], &service["username"]), (&json!("ACTIVE"), &Value::Null));
    assert!(invoice["number"].is_string());
    let set = json!({ "id": id(&service), "password": "network-secret" });
    assert_eq!(
        isp.mutate("servicePasswordSet", set, "service { id }").await.refusals(),
        ["INVALID_STATE id"]
    );
    app.run_jobs().await;
}
