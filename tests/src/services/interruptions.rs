//! What is charged of services that are off for a while: no day twice, none without service, and none for nothing.

use serde_json::{Value, json};

use super::bench::kolkata;
use super::pauses::{april, day};
use crate::harness::{Ask, TestApp, id, key};

impl Ask<'_> {
    pub async fn end_it(&self, service: &str) {
        let input = json!({ "id": service, "reason": "Moved", "idempotencyKey": key() });
        self.mutate("serviceTerminate", input, "service { status }").await.done();
    }
}

/// `(subscriber, service)` with that plan since 1 April.
pub async fn served(isp: &Ask<'_>, plan: Value) -> (String, String) {
    let plan = isp.plan("home", plan).await;
    let (subscriber, _) = isp.subscriber("ravi", json!({})).await;
    let (service, _) = isp.service(&subscriber, &plan, "ravi", json!({})).await;
    (subscriber, id(&service))
}

#[tokio::test]
async fn who_pauses_at_night_has_no_day_for_nothing() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.bills(json!({ "suspensionCredit": "CREDIT_DAYS", "pauseBySubscriber": true }))
        .await;
    let first = april(&app, &isp, "ravi").await;
    let own = app.on("asha").as_subscriber(&first.account_number);
    for night in ["2026-04-11", "2026-04-12"] {
        // Five to midnight, and five past.
        app.set_clock(&format!("{night}T18:25:00Z")).await;
        own.pause(&first.service, json!({})).await.done();
        app.set_clock(&format!("{night}T18:35:00Z")).await;
        own.unpause(&first.service).await.done();
        app.run_jobs().await;
    }
    assert_eq!(isp.balance_of(&first.subscriber).await, "0.00");
    day(&app, "2026-04-14").await;
    own.pause(&first.service, json!({})).await.done();
    day(&app, "2026-04-16").await;
    own.unpause(&first.service).await.done();
    app.run_jobs().await;
    assert_eq!(isp.balance_of(&first.subscriber).await, "-33.33", "the one whole day between");
}

#[tokio::test]
async fn days_off_after_the_paid_time_are_not_charged_though_there_is_grace() {
    for (credit, amount, until) in [
        ("CREDIT_DAYS", "903.23", "2026-06-01"),
        ("NONE", "903.23", "2026-06-01"),
        ("SHIFT_PERIOD", "1000.00", "2026-06-04"),
    ] {
        let app = TestApp::new().await;
        let isp = app.on("asha").as_owner();
        isp.bills(json!({ "suspensionCredit": credit, "graceDays": 5, "renewalLeadDays": 0 }))
            .await;
        let first = april(&app, &isp, "ravi").await;
        let away = json!({ "startsOn": "2026-05-01", "endsOn": "2026-05-04" });
        isp.pause(&first.service, away).await.done();
        day(&app, "2026-05-01").await;
        assert_eq!(isp.status(&first.service).await, "SUSPENDED SUBSCRIBER");
        day(&app, "2026-05-04").await;
        let last = isp.invoices_of(&first.subscriber).await.pop().unwrap();
        let expected = format!("ISSUED {amount}: {} {}", kolkata("2026-05-04"), kolkata(until));
        assert_eq!(last, expected, "{credit}");
    }
}

#[tokio::test]
async fn what_was_charged_in_arrears_for_days_off_is_given_back() {
    for credit in ["CREDIT_DAYS", "SHIFT_PERIOD"] {
        let app = TestApp::new().await;
        let isp = app.on("asha").as_owner();
        isp.bills(json!({ "suspensionCredit": credit, "dueDays": 60 })).await;
        let (ravi, service) = served(&isp, json!({ "paymentMode": "POSTPAID", "billIn": "ARREARS" })).await;
        let away = json!({ "startsOn": "2026-04-11", "endsOn": "2026-05-10" });
        isp.pause(&service, away).await.done();
        for on in ["2026-04-11", "2026-05-01"] {
            day(&app, on).await;
        }
        assert_eq!(isp.balance_of(&ravi).await, "1000.00", "{credit}");
        day(&app, "2026-05-10").await;
        assert_eq!(isp.balance_of(&ravi).await, "333.33", "{credit}: ten of thirty days");
        day(&app, "2026-06-10").await;
        let issued = isp.invoices_of(&ravi).await;
        let (amount, until) = match credit {
            "SHIFT_PERIOD" => ("1000.00", "2026-06-10"),
            _ => ("709.68", "2026-06-01"),
        };
        let expected = format!("ISSUED {amount}: {} {}", kolkata("2026-05-10"), kolkata(until));
        assert_eq!(issued[1], expected, "{credit}: {issued:?}");
    }
}

#[tokio::test]
async fn who_ends_a_service_that_is_off_pays_for_no_time_off() {
    for (credit, owed) in [("NONE", "1000.00"), ("CREDIT_DAYS", "333.33"), ("SHIFT_PERIOD", "333.33")] {
        let app = TestApp::new().await;
        let isp = app.on("asha").as_owner();
        isp.bills(json!({ "suspensionCredit": credit, "dueDays": 200 })).await;
        let (ravi, service) = served(&isp, json!({ "paymentMode": "POSTPAID", "billIn": "ARREARS" })).await;
        isp.pause(&service, json!({ "startsOn": "2026-04-11" })).await.done();
        for on in ["2026-04-11", "2026-05-01", "2026-06-01", "2026-07-11"] {
            day(&app, on).await;
        }
        isp.end_it(&service).await;
        app.run_jobs().await;
        assert_eq!(isp.balance_of(&ravi).await, owed, "{credit}");
    }
}

#[tokio::test]
async fn what_was_used_before_a_pause_is_charged_though_no_run_came() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.bills(json!({ "suspensionCredit": "CREDIT_DAYS", "dueDays": 60 })).await;
    let (ravi, service) = served(&isp, json!({ "paymentMode": "POSTPAID" })).await;
    app.run_jobs().await;
    // No run since the end of April.
    app.set_clock("2026-05-03T04:30:00Z").await;
    isp.pause(&service, json!({})).await.done();
    day(&app, "2026-05-10").await;
    isp.unpause(&service).await.done();
    day(&app, "2026-05-11").await;
    let issued = isp.invoices_of(&ravi).await;
    // The third was a day of service.
    let used = format!("ISSUED 96.77: {} {}", kolkata("2026-05-01"), kolkata("2026-05-04"));
    let rest = format!("ISSUED 709.68: {} {}", kolkata("2026-05-10"), kolkata("2026-06-01"));
    assert_eq!(issued[1..], [used, rest]);
}

#[tokio::test]
async fn a_change_of_plan_does_not_go_back_behind_a_pause_that_has_just_ended() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.bills(json!({ "suspensionCredit": "CREDIT_DAYS", "dueDays": 90 })).await;
    let dearer = isp
        .plan("dearer", json!({ "paymentMode": "POSTPAID", "price": "1500.00" }))
        .await;
    let (ravi, service) = served(&isp, json!({ "paymentMode": "POSTPAID" })).await;
    isp.pause(&service, json!({ "startsOn": "2026-04-11" })).await.done();
    for on in ["2026-04-11", "2026-05-10"] {
        day(&app, on).await;
    }
    isp.unpause(&service).await.done();
    let change =
        json!({ "id": service, "planId": dearer, "timing": "NOW", "effectiveOn": "2026-04-05", "idempotencyKey": key() });
    let refused = isp.mutate("serviceChangePlan", change, "service { id }").await;
    assert_eq!(refused.refusals(), ["INVALID effectiveOn"]);
    app.run_jobs().await;
    assert_eq!(isp.balance_of(&ravi).await, "333.33", "ten days of April");
}

#[tokio::test]
async fn what_is_not_renewed_does_not_change_its_plan_by_difference_either() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.bills(json!({ "planChangeDocument": "DIFFERENCE", "prepaidRenewal": "WHEN_COVERED", "graceDays": 5 }))
        .await;
    let first = isp.first_subscriber("ravi").await;
    isp.pay(&first.subscriber, &first.total).await;
    let dearer = isp.plan("dearer", json!({ "price": "3100.00" })).await;
    app.run_jobs().await;
    day(&app, "2026-05-03").await;
    assert_eq!(isp.status(&first.service).await, "GRACE");
    let change = json!({ "id": first.service, "planId": dearer, "timing": "NOW", "idempotencyKey": key() });
    let refused = isp.mutate("serviceChangePlan", change, "service { id }").await;
    assert_eq!(refused.refusals(), ["INVALID_STATE id"]);
    assert!(refused.text.contains("has to be renewed before"), "{}", refused.text);
}

#[tokio::test]
async fn who_comes_back_to_a_debt_does_not_pay_for_the_days_before() {
    for (credit, billing, left) in [
        ("CREDIT_DAYS", json!({}), "300.00"),
        ("NONE", json!({}), "1000.00"),
        ("NONE", json!({ "billIn": "ARREARS" }), "1000.00"),
        ("SHIFT_PERIOD", json!({ "billIn": "ARREARS" }), "300.00"),
    ] {
        let app = TestApp::new().await;
        let isp = app.on("asha").as_owner();
        isp.bills(json!({ "suspensionCredit": credit, "dueDays": 15, "graceDays": 0 }))
            .await;
        let mut plan = json!({ "paymentMode": "POSTPAID" });
        plan.as_object_mut().unwrap().extend(billing.as_object().unwrap().clone());
        let (ravi, service) = served(&isp, plan).await;
        // Nine days of service.
        let away = json!({ "startsOn": "2026-04-10", "endsOn": "2026-05-20" });
        isp.pause(&service, away).await.done();
        for on in ["2026-04-09", "2026-04-10", "2026-05-01", "2026-05-20"] {
            day(&app, on).await;
        }
        assert_eq!(isp.status(&service).await, "SUSPENDED ARREARS", "{credit} {billing}");
        assert_eq!(isp.balance_of(&ravi).await, left, "{credit} {billing}");
        isp.pay(&ravi, left).await;
        app.run_jobs().await;
        assert_eq!(isp.status(&service).await, "ACTIVE", "{credit} {billing}");
        day(&app, "2026-05-21").await;
        let issued = isp.invoices_of(&ravi).await;
        let begun = kolkata("2026-05-20");
        match billing["billIn"].as_str() {
            None => {
                assert_eq!(issued.len(), 2, "{credit}: {issued:?}");
                assert!(issued[1].contains(&format!(": {begun} ")), "{credit}: {issued:?}");
            }
            Some(_) => {
                assert_eq!(issued.len(), 1, "{credit}: {issued:?}");
                let anchored = if credit == "NONE" { "2026-06-01" } else { "2026-06-20" };
                day(&app, anchored).await;
                let issued = isp.invoices_of(&ravi).await;
                assert!(
                    issued[1].contains(&format!(": {begun} {}", kolkata(anchored))),
                    "{credit}: {issued:?}"
                );
            }
        }
    }
}

#[tokio::test]
async fn days_off_in_grace_are_not_charged_when_credit_renews() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.bills(json!({ "suspensionCredit": "CREDIT_DAYS", "prepaidRenewal": "WHEN_COVERED", "graceDays": 10 }))
        .await;
    let first = april(&app, &isp, "ravi").await;
    isp.pause(&first.service, json!({ "startsOn": "2026-05-03", "endsOn": "2026-05-08" }))
        .await
        .done();
    for on in ["2026-05-01", "2026-05-03", "2026-05-08"] {
        day(&app, on).await;
    }
    assert_eq!(isp.status(&first.service).await, "GRACE");
    isp.pay(&first.subscriber, "1000.00").await;
    app.run_jobs().await;
    let last = isp.invoices_of(&first.subscriber).await.pop().unwrap();
    let expected = format!("PAID 774.19: {} {}", kolkata("2026-05-08"), kolkata("2026-06-01"));
    assert_eq!(last, expected);
}

#[tokio::test]
async fn what_was_used_in_arrears_is_charged_at_the_end_though_no_run_came() {
    for credit in ["NONE", "CREDIT_DAYS", "SHIFT_PERIOD"] {
        let app = TestApp::new().await;
        let isp = app.on("asha").as_owner();
        isp.bills(json!({ "suspensionCredit": credit, "dueDays": 60 })).await;
        let (ravi, service) = served(&isp, json!({ "paymentMode": "POSTPAID", "billIn": "ARREARS" })).await;
        app.run_jobs().await;
        app.set_clock("2026-05-04T04:30:00Z").await;
        isp.suspend(&service).await;
        app.set_clock("2026-05-06T04:30:00Z").await;
        isp.end_it(&service).await;
        app.run_jobs().await;
        assert_eq!(
            isp.balance_of(&ravi).await,
            "1096.77",
            "{credit}: April and three days of May"
        );
    }
}

/// It was once on for ever, charged by nobody.
#[tokio::test]
async fn who_comes_back_to_a_plan_that_waits_for_credit_is_not_on_for_nothing() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.bills(json!({ "suspensionCredit": "CREDIT_DAYS", "prepaidRenewal": "WHEN_COVERED", "graceDays": 2 }))
        .await;
    let (ravi, service) = served(&isp, json!({ "paymentMode": "POSTPAID", "billIn": "ARREARS" })).await;
    let prepaid = isp.plan("prepaid", json!({})).await;
    day(&app, "2026-04-11").await;
    isp.suspend(&service).await;
    let change = json!({ "id": service, "planId": prepaid, "timing": "NEXT_PERIOD", "idempotencyKey": key() });
    isp.mutate("serviceChangePlan", change, "service { id }").await.done();
    day(&app, "2026-05-01").await;
    assert_eq!(isp.balance_of(&ravi).await, "1000.00");
    isp.resume(&service).await.done();
    app.run_jobs().await;
    isp.pay(&ravi, "333.33").await;
    for on in ["2026-05-02", "2026-05-03", "2026-05-04"] {
        day(&app, on).await;
    }
    assert_eq!(isp.status(&service).await, "SUSPENDED EXPIRED");
    isp.pay(&ravi, "1000.00").await;
    app.run_jobs().await;
    assert_eq!(isp.status(&service).await, "ACTIVE");
    let last = isp.invoices_of(&ravi).await.pop().unwrap();
    let expected = format!("PAID 1000.00: {} {}", kolkata("2026-05-04"), kolkata("2026-06-04"));
    assert_eq!(last, expected);
}

/// It was an internal error, or charged the days off.
#[tokio::test]
async fn what_was_used_before_days_off_is_credited_not_withdrawn() {
    for credit in ["CREDIT_DAYS", "SHIFT_PERIOD"] {
        let app = TestApp::new().await;
        let isp = app.on("asha").as_owner();
        isp.bills(json!({ "suspensionCredit": credit, "dueDays": 60 })).await;
        let (ravi, service) = served(&isp, json!({ "paymentMode": "POSTPAID", "billIn": "ARREARS" })).await;
        day(&app, "2026-04-03").await;
        isp.suspend(&service).await;
        day(&app, "2026-04-11").await;
        isp.resume(&service).await.done();
        app.run_jobs().await;
        assert_eq!(isp.balance_of(&ravi).await, "66.67", "{credit}: two days");
        let query = "query($id: ID!) { subscriber(id: $id) { invoices(first: 9) { nodes { id } } } }";
        let invoice = isp
            .gql(query, json!({ "id": ravi }))
            .await
            .at("subscriber.invoices.nodes.0.id");
        let void = json!({ "invoiceId": invoice, "reason": "Goodwill", "idempotencyKey": key() });
        let refused = isp.mutate("invoiceVoid", void, "invoice { id }").await;
        assert_eq!(refused.refusals(), ["INVALID_STATE invoiceId"], "{credit}");
        assert!(refused.text.contains("off for days after that time"), "{}", refused.text);
    }
}
