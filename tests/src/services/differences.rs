//! Changes of plan where what is charged does not stand at the price of the plan that is left.

use serde_json::json;

use super::bench::kolkata;
use super::changes::paid;
use crate::harness::{TestApp, key};

#[tokio::test]
async fn a_period_charged_ahead_at_another_price_is_not_charged_a_difference() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.bills(json!({ "planChangeDocument": "DIFFERENCE", "renewalLeadDays": 5 }))
        .await;
    let first = paid(&app, &isp, "ravi").await;
    let dearer = isp.plan("fast", json!({ "price": "1500.00" })).await;
    app.set_clock("2026-04-10T04:30:00Z").await;
    app.run_jobs().await;
    isp.change(&first.service, &dearer, json!({ "timing": "NEXT_PERIOD" }))
        .await
        .done();
    app.set_clock("2026-04-26T04:30:00Z").await;
    app.run_jobs().await;
    assert_eq!(isp.balance(&first.subscriber).await, "1500.00", "May, at the plan to come");
    app.set_clock("2026-04-28T04:30:00Z").await;
    app.run_jobs().await;
    isp.change(&first.service, &dearer, json!({})).await.done();
    app.run_jobs().await;
    app.set_clock("2026-04-29T04:30:00Z").await;
    app.run_jobs().await;
    assert_eq!(
        isp.balance(&first.subscriber).await,
        "1550.00",
        "three days dearer, and May once"
    );
}

#[tokio::test]
async fn a_new_version_charged_ahead_is_not_charged_a_difference() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.bills(json!({ "planChangeDocument": "DIFFERENCE", "renewalLeadDays": 5 }))
        .await;
    let first = paid(&app, &isp, "ravi").await;
    let cheaper = isp.plan("cheap", json!({ "price": "800.00" })).await;
    let dearer = json!({ "id": first.plan, "expectedVersion": 1, "price": "1200.00", "effectiveFrom": "2026-05-01" });
    isp.mutate("planUpdate", dearer, "plan { id }").await.done();
    app.set_clock("2026-04-28T04:30:00Z").await;
    app.run_jobs().await;
    assert_eq!(isp.balance(&first.subscriber).await, "1200.00");
    isp.change(&first.service, &cheaper, json!({})).await.done();
    app.run_jobs().await;
    app.set_clock("2026-04-29T04:30:00Z").await;
    app.run_jobs().await;
    assert_eq!(
        isp.balance(&first.subscriber).await,
        "780.00",
        "three days cheaper, and May at 800"
    );
}

#[tokio::test]
async fn dearer_and_then_cheaper_than_at_first() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.bills(json!({ "planChangeDocument": "DIFFERENCE", "graceDays": 20 }))
        .await;
    let first = paid(&app, &isp, "ravi").await;
    let dearer = isp.plan("fast", json!({ "price": "1999.00" })).await;
    let cheaper = isp.plan("cheap", json!({ "price": "400.00" })).await;
    app.set_clock("2026-04-11T04:30:00Z").await;
    app.run_jobs().await;
    let up = isp.change(&first.service, &dearer, json!({})).await.done();
    assert_eq!(up["invoice"]["total"]["amount"], "666.00", "999 for 20 of 30 days");
    assert!(up["creditNote"].is_null());
    app.set_clock("2026-04-21T04:30:00Z").await;
    app.run_jobs().await;
    let down = isp.change(&first.service, &cheaper, json!({})).await.done();
    assert_eq!(down["invoice"]["total"]["amount"], "133.33", "ten days of the cheaper one");
    // 666.00, less ten days of 1,000 and of 999, and ten days of 400.
    assert_eq!(isp.balance(&first.subscriber).await, "133.00");
    app.run_jobs().await;
}

#[tokio::test]
async fn a_dearer_plan_in_a_later_period_leaves_what_was_paid_paid() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.bills(json!({ "planChangeDocument": "DIFFERENCE", "graceDays": 3 })).await;
    let first = paid(&app, &isp, "ravi").await;
    let dearer = isp.plan("fast", json!({ "price": "1500.00" })).await;
    app.set_clock("2026-05-01T04:30:00Z").await;
    app.run_jobs().await;
    isp.pay(&first.subscriber, "1000.00").await;
    app.set_clock("2026-05-10T04:30:00Z").await;
    app.run_jobs().await;
    isp.change(&first.service, &dearer, json!({})).await.done();
    app.run_jobs().await;
    assert_eq!(isp.status(&first.service).await, "GRACE", "the difference is due");
    app.set_clock("2026-05-12T18:00:00Z").await;
    app.run_jobs().await;
    assert_eq!(isp.status(&first.service).await, "GRACE", "three days of it");
    app.set_clock("2026-05-12T19:00:00Z").await;
    app.run_jobs().await;
    assert_eq!(isp.status(&first.service).await, "SUSPENDED EXPIRED");
    isp.pay(&first.subscriber, &isp.balance(&first.subscriber).await).await;
    app.run_jobs().await;
    assert_eq!(isp.status(&first.service).await, "ACTIVE");
}

#[tokio::test]
async fn what_begins_again_has_the_plan_that_was_to_follow() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.bills(json!({ "prepaidRenewal": "WHEN_COVERED", "graceDays": 0, "renewalLeadDays": 0, "runHour": 0 }))
        .await;
    let first = paid(&app, &isp, "ravi").await;
    let cheaper = isp.plan("cheap", json!({ "price": "499.00" })).await;
    isp.change(&first.service, &cheaper, json!({ "timing": "NEXT_PERIOD" }))
        .await
        .done();
    app.set_clock("2026-05-04T04:30:00Z").await;
    app.run_jobs().await;
    assert_eq!(isp.status(&first.service).await, "SUSPENDED EXPIRED");
    isp.pay(&first.subscriber, "499.00").await;
    app.run_jobs().await;
    assert_eq!(isp.status(&first.service).await, "ACTIVE");
    let state = isp.gql(
        "query($id: ID!) { service(id: $id) { plan { id } pendingChange { effectiveOn } } }",
        json!({ "id": first.service }),
    );
    let state = state.await.at("service");
    assert_eq!(state["plan"]["id"], json!(cheaper));
    assert!(state["pendingChange"].is_null());
}

#[tokio::test]
async fn days_that_were_given_back_are_not_charged_by_going_back_behind_them() {
    for policy in ["CREDIT_DAYS", "SHIFT_PERIOD"] {
        let app = TestApp::new().await;
        let isp = app.on("asha").as_owner();
        isp.bills(json!({ "suspensionCredit": policy })).await;
        let first = paid(&app, &isp, "ravi").await;
        let dearer = isp.plan("fast", json!({ "price": "1500.00" })).await;
        let other = paid(&app, &isp, "tara").await;
        app.set_clock("2026-04-05T04:30:00Z").await;
        isp.change(&other.service, &dearer, json!({ "effectiveOn": "2026-04-03" }))
            .await
            .done();
        isp.suspend(&first.service).await;
        app.set_clock("2026-04-10T04:30:00Z").await;
        isp.resume(&first.service).await.done();
        app.set_clock("2026-04-20T04:30:00Z").await;
        app.run_jobs().await;
        let behind = isp
            .change(&first.service, &dearer, json!({ "effectiveOn": "2026-04-03" }))
            .await;
        assert_eq!(behind.refusals(), ["INVALID effectiveOn"], "{policy}");
        assert!(behind.text.contains("2026-04-10"), "{}", behind.text);
        isp.change(&first.service, &dearer, json!({ "effectiveOn": "2026-04-10" }))
            .await
            .done();
        app.run_jobs().await;
    }
}

/// What a change of plan left of a period is not given as a whole one because it is paid, or promised, late.
#[tokio::test]
async fn the_rest_of_a_period_begins_with_its_promise_by_its_days() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.bills(json!({ "graceDays": 3 })).await;
    let first = paid(&app, &isp, "ravi").await;
    let dearer = isp.plan("fast", json!({ "price": "1500.00" })).await;
    app.set_clock("2026-04-11T04:30:00Z").await;
    app.run_jobs().await;
    isp.change(&first.service, &dearer, json!({})).await.done();
    app.set_clock("2026-05-02T04:30:00Z").await;
    app.run_jobs().await;
    assert_eq!(isp.status(&first.service).await, "SUSPENDED EXPIRED");
    let promise = json!({ "subscriberId": first.subscriber, "until": "2026-05-05", "idempotencyKey": key() });
    isp.mutate("promiseToPayCreate", promise, "promise { id }").await.done();
    app.run_jobs().await;
    assert_eq!(isp.status(&first.service).await, "GRACE");
    let owed = isp.balance(&first.subscriber).await;
    isp.pay(&first.subscriber, &owed).await;
    app.run_jobs().await;
    let state = isp.state(&first.service).await;
    assert_eq!(state["paidUntil"], kolkata("2026-05-22"), "twenty days");
}

/// Whoever keeps what a period under way was charged keeps it on the day of a change of plan, too.
#[tokio::test]
async fn a_change_of_plan_on_the_last_day_gives_nothing_back() {
    for document in ["DIFFERENCE", "CREDIT_NOTE_AND_INVOICE"] {
        let app = TestApp::new().await;
        let isp = app.on("asha").as_owner();
        isp.bills(json!({ "planChangeDocument": document, "terminationCredit": "NONE", "graceDays": 9 }))
            .await;
        let first = paid(&app, &isp, "ravi").await;
        let dearer = isp.plan("fast", json!({ "price": "1500.00" })).await;
        app.set_clock("2026-04-11T04:30:00Z").await;
        app.run_jobs().await;
        isp.change(&first.service, &dearer, json!({})).await.done();
        let owed = isp.balance(&first.subscriber).await;
        isp.pay(&first.subscriber, &owed).await;
        let ended = isp.terminate(&first.service, json!({})).await.done();
        assert!(ended["creditNote"].is_null(), "{document}: {ended:#}");
        assert_eq!(isp.balance(&first.subscriber).await, "0.00", "{document}");
        app.run_jobs().await;
    }
}
