//! What pauses do to terms, free days, debts and previews, and what staff do to pauses.

use serde_json::{Value, json};

use super::bench::kolkata;
use super::interruptions::served;
use super::pauses::{april, day};
use crate::harness::TestApp;

#[tokio::test]
async fn free_days_that_a_pause_interrupts_come_after_it_and_the_term_after_them() {
    let term = json!({ "length": { "unit": "MONTH", "count": 12 }, "charge": "FIXED", "value": "900.00" });
    for billing in [json!({}), json!({ "paymentMode": "POSTPAID", "billIn": "ARREARS" })] {
        let app = TestApp::new().await;
        let isp = app.on("asha").as_owner();
        isp.bills(json!({ "suspensionCredit": "SHIFT_PERIOD", "graceDays": 5 })).await;
        let mut plan = json!({ "trialDays": 14, "minimumTerm": term });
        plan.as_object_mut().unwrap().extend(billing.as_object().unwrap().clone());
        let (ravi, service) = served(&isp, plan).await;
        let away = json!({ "startsOn": "2026-04-05", "endsOn": "2026-05-05" });
        isp.pause(&service, away).await.done();
        for on in ["2026-04-05", "2026-04-20", "2026-05-05", "2026-05-08"] {
            day(&app, on).await;
        }
        let query = "query($id: ID!) { service(id: $id) { status boundUntil } }";
        let seen = isp.gql(query, json!({ "id": service })).await.at("service");
        assert_eq!(seen, json!({ "status": "ACTIVE", "boundUntil": "2027-05-15" }), "{billing}");
        isp.end_it(&service).await;
        app.run_jobs().await;
        assert_eq!(
            isp.balance_of(&ravi).await,
            "0.00",
            "{billing}: nothing is charged during a free trial"
        );
    }
}

#[tokio::test]
async fn a_term_does_not_run_out_during_a_pause() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.bills(json!({ "suspensionCredit": "CREDIT_DAYS" })).await;
    let term = json!({ "length": { "unit": "MONTH", "count": 12 }, "charge": "FIXED", "value": "900.00" });
    let (ravi, service) = served(&isp, json!({ "minimumTerm": term })).await;
    isp.pay(&ravi, "1000.00").await;
    app.run_jobs().await;
    isp.pause(&service, json!({ "startsOn": "2026-05-01" })).await.done();
    day(&app, "2026-05-01").await;
    day(&app, "2027-03-31").await;
    isp.end_it(&service).await;
    app.run_jobs().await;
    assert_eq!(isp.balance_of(&ravi).await, "900.00");
}

#[tokio::test]
async fn staff_who_lift_a_pause_renew_as_the_subscriber_would() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    let first = april(&app, &isp, "ravi").await;
    isp.pause(&first.service, json!({ "startsOn": "2026-04-11" })).await.done();
    for on in ["2026-04-11", "2026-05-20"] {
        day(&app, on).await;
    }
    let resumed = isp.resume(&first.service).await.done();
    assert_eq!(resumed["service"]["status"], "ACTIVE");
    let last = isp.invoices_of(&first.subscriber).await.pop().unwrap();
    let expected = format!("ISSUED 1000.00: {} {}", kolkata("2026-05-20"), kolkata("2026-06-20"));
    assert_eq!(last, expected);
    app.run_jobs().await;
}

#[tokio::test]
async fn staff_take_over_a_pause() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.bills(json!({ "suspensionCredit": "CREDIT_DAYS", "pauseBySubscriber": true }))
        .await;
    let first = april(&app, &isp, "ravi").await;
    day(&app, "2026-04-11").await;
    let own = app.on("asha").as_subscriber(&first.account_number);
    own.pause(&first.service, json!({ "endsOn": "2026-04-20" })).await.done();
    day(&app, "2026-04-15").await;
    isp.suspend(&first.service).await;
    assert_eq!(isp.status(&first.service).await, "SUSPENDED STAFF");
    let refused = own.unpause(&first.service).await;
    assert_eq!(refused.refusals(), ["INVALID_STATE id"]);
    day(&app, "2026-04-20").await;
    assert_eq!(isp.status(&first.service).await, "SUSPENDED STAFF", "the pause is over");
    isp.resume(&first.service).await.done();
    app.run_jobs().await;
    assert_eq!(
        isp.balance_of(&first.subscriber).await,
        "-266.67",
        "from the 12th to the 19th"
    );
}

#[tokio::test]
async fn a_subscriber_does_not_put_off_a_debt_by_a_pause_that_was_planned() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.bills(json!({ "pauseBySubscriber": true, "graceDays": 5, "renewalLeadDays": 3 }))
        .await;
    let first = april(&app, &isp, "ravi").await;
    let own = app.on("asha").as_subscriber(&first.account_number);
    own.pause(&first.service, json!({ "startsOn": "2026-05-03" })).await.done();
    for on in ["2026-04-28", "2026-05-03"] {
        day(&app, on).await;
    }
    assert_eq!(isp.status(&first.service).await, "GRACE");
    isp.pay(&first.subscriber, "1000.00").await;
    app.run_jobs().await;
    day(&app, "2026-05-04").await;
    assert_eq!(isp.status(&first.service).await, "SUSPENDED SUBSCRIBER");
}

#[tokio::test]
async fn a_preview_goes_through_the_pauses_before_it() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.bills(json!({ "suspensionCredit": "CREDIT_DAYS", "dueDays": 90 })).await;
    let (ravi, service) = served(&isp, json!({ "paymentMode": "POSTPAID" })).await;
    app.run_jobs().await;
    let asks = async |day: &str| {
        let query = format!("{{ serviceTerminatePreview(id: \"{service}\", on: \"{day}\") {{ total {{ amount }} }} }}");
        isp.gql(&query, json!({}))
            .await
            .text_at("serviceTerminatePreview.total.amount")
    };
    let away = |more: Value| {
        let mut days = json!({ "startsOn": "2026-04-11" });
        days.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        days
    };
    isp.pause(&service, away(json!({ "endsOn": "2026-04-21" }))).await.done();
    // Half of May, less ten days of April.
    assert_eq!(asks("2026-05-16").await, "150.54");
    isp.unpause(&service).await.done();
    isp.pause(&service, away(json!({}))).await.done();
    assert_eq!(asks("2026-05-16").await, "-666.67");
    assert_eq!(isp.balance_of(&ravi).await, "1000.00", "asking did nothing");
    app.run_jobs().await;
}

#[tokio::test]
async fn what_an_end_would_cost_knows_the_pause_that_is_going_on() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.bills(json!({ "suspensionCredit": "SHIFT_PERIOD" })).await;
    let term = json!({ "length": { "unit": "MONTH", "count": 3 }, "charge": "FIXED", "value": "900.00" });
    let tried = json!({ "minimumTerm": term, "trialDays": 14 });
    let (ravi, service) = served(&isp, tried).await;
    // Free days until the 15th, bound until 15 July.
    isp.pause(&service, json!({ "startsOn": "2026-04-05" })).await.done();
    day(&app, "2026-04-05").await;
    day(&app, "2026-05-08").await;
    let costs = async |on: &str| {
        let query = format!("query($id: ID!) {{ service(id: $id) {{ earlyEndCharge(on: \"{on}\") {{ amount }} }} }}");
        let seen = isp.gql(&query, json!({ "id": service })).await.at("service.earlyEndCharge");
        seen["amount"].as_str().map(str::to_owned)
    };
    assert_eq!(costs("2026-05-08").await, None, "its free days are not over");
    isp.unpause(&service).await.done();
    app.run_jobs().await;
    // Ten free days were left: bound from 18 May until 17 August.
    assert_eq!(costs("2026-05-18").await.as_deref(), Some("900.00"));
    assert_eq!(costs("2026-08-18").await, None);
    isp.pay(&ravi, "1000.00").await;
    isp.pause(&service, json!({ "startsOn": "2026-06-01", "endsOn": "2026-06-11" }))
        .await
        .done();
    for _ in 0..2 {
        assert_eq!(costs("2026-08-26").await.as_deref(), Some("900.00"), "ten days longer");
        assert_eq!(costs("2026-08-27").await, None);
        for on in ["2026-05-18", "2026-06-01"] {
            day(&app, on).await;
        }
        assert_eq!(isp.status(&service).await, "SUSPENDED SUBSCRIBER");
    }
    isp.end_it(&service).await;
    app.run_jobs().await;
}

#[tokio::test]
async fn a_pause_begins_on_the_day_on_which_the_paid_time_ends() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.bills(json!({ "pauseBySubscriber": true, "graceDays": 5, "renewalLeadDays": 7 }))
        .await;
    let first = april(&app, &isp, "ravi").await;
    let own = app.on("asha").as_subscriber(&first.account_number);
    own.pause(&first.service, json!({ "startsOn": "2026-05-01" })).await.done();
    for on in ["2026-04-24", "2026-05-01"] {
        day(&app, on).await;
    }
    assert_eq!(isp.status(&first.service).await, "SUSPENDED SUBSCRIBER");
}
