//! The days of add-ons: what ended stays ended, closed days stay as they are, and free days are those of a trial alone.

use serde_json::{Value, json};

use super::day;
use crate::harness::{Ask, TestApp, id, key};

/// Paid for April; its subscriber and service, and an add-on at 300.00.
async fn april(app: &TestApp, isp: &Ask<'_>) -> (String, String, String) {
    let first = isp.first_subscriber("ravi").await;
    isp.pay(&first.subscriber, &first.total).await;
    app.run_jobs().await;
    (first.subscriber, first.service, isp.addon("ip", json!({})).await)
}

#[tokio::test]
async fn an_end_can_come_sooner_and_never_later() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    let (subscriber, service, addon) = april(&app, &isp).await;
    let added = isp.add(&service, &addon, json!({})).await.done();
    let ip = id(&added["serviceAddon"]);
    day(&app, "2026-04-03").await;
    let ended = isp.end(&ip, json!({ "effectiveOn": "2026-04-11" })).await.done();
    assert_eq!(ended["creditNote"]["total"]["amount"], "200.00", "11 to 30 April");
    day(&app, "2026-04-05").await;
    let later = isp.end(&ip, json!({ "effectiveOn": "2026-04-30" })).await;
    assert_eq!(later.refusals(), ["INVALID effectiveOn"]);
    assert!(later.text.contains("ends on 2026-04-11 already"), "{}", later.text);
    let sooner = isp.end(&ip, json!({ "effectiveOn": "2026-04-06" })).await.done();
    assert_eq!(
        (&sooner["creditNote"]["total"]["amount"], &sooner["serviceAddon"]["endsOn"]),
        (&json!("50.00"), &json!("2026-04-06"))
    );
    // As the message says: it is had again from another day on.
    let again = isp.add(&service, &addon, json!({ "startsOn": "2026-04-21" })).await.done();
    assert_eq!(again["invoice"]["total"]["amount"], "100.00");
    assert_eq!(isp.lines_of(&subscriber).await.len(), 3);
    app.run_jobs().await;
}

#[tokio::test]
async fn an_addon_neither_begins_nor_ends_on_closed_days() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    let (_, service, addon) = april(&app, &isp).await;
    let ip = id(&isp.add(&service, &addon, json!({})).await.done()["serviceAddon"]);
    day(&app, "2026-04-20").await;
    let close = json!({ "through": "2026-04-15", "reason": "Half a month", "idempotencyKey": key() });
    isp.mutate("ledgerPeriodClose", close, "period { closedThrough }")
        .await
        .done();
    let added = isp.add(&service, &addon, json!({ "startsOn": "2026-04-15" })).await;
    assert_eq!(added.refusals(), ["INVALID_STATE startsOn"]);
    assert_eq!(
        isp.end(&ip, json!({ "effectiveOn": "2026-04-15" })).await.refusals(),
        ["INVALID_STATE effectiveOn"]
    );
    isp.add(&service, &addon, json!({ "startsOn": "2026-04-16" })).await.done();
    let ended = isp.end(&ip, json!({ "effectiveOn": "2026-04-16" })).await.done();
    assert_eq!(ended["creditNote"]["total"]["amount"], "150.00");
    app.run_jobs().await;
}

/// Days that cost nothing because the plan did are no trial: what comes beside them is charged.
#[tokio::test]
async fn days_of_a_plan_at_nothing_are_no_trial() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.bills(json!({ "dueDays": 300, "planChangeDocument": "DIFFERENCE" })).await;
    let free = isp.plan("free", json!({ "paymentMode": "POSTPAID", "price": "0.00" })).await;
    let dear = isp
        .plan("dear", json!({ "paymentMode": "POSTPAID", "price": "100.00" }))
        .await;
    let (subscriber, _) = isp.subscriber("Ravi", json!({})).await;
    let (service, _) = isp.service(&subscriber, &free, "ravi", json!({})).await;
    let service = id(&service);
    day(&app, "2026-04-11").await;
    let input = json!({ "id": service, "planId": dear, "timing": "NOW", "idempotencyKey": key() });
    let done = isp
        .mutate("serviceChangePlan", input, "invoice { total { amount } } creditNote { id }")
        .await
        .done();
    assert_eq!(
        (&done["invoice"]["total"]["amount"], &done["creditNote"]),
        (&json!("66.67"), &Value::Null)
    );
    let addon = isp.addon("ip", json!({})).await;
    let added = isp.add(&service, &addon, json!({})).await.done();
    assert_eq!(added["invoice"]["total"]["amount"], "200.00", "{added}");
    app.run_jobs().await;
}
