//! What a change of plan binds a service to, and what goes on to bind it.

use serde_json::{Value, json};

use super::day;
use super::terms::bought;
use crate::harness::{Ask, TestApp, key};

const BOUND: &str = "query($id: ID!) { service(id: $id) { boundUntil earlyEndCharge { amount } } }";

async fn bound(isp: &Ask<'_>, service: &str) -> Value {
    let seen = isp.gql(BOUND, json!({ "id": service })).await.at("service");
    json!([seen["boundUntil"], seen["earlyEndCharge"]["amount"]])
}

async fn change(isp: &Ask<'_>, service: &str, plan: &str, timing: &str) {
    let input = json!({ "id": service, "planId": plan, "timing": timing, "idempotencyKey": key() });
    isp.mutate("serviceChangePlan", input, "service { id }").await.done();
}

fn year(mode: &str, price: &str) -> Value {
    let length = json!({ "unit": "MONTH", "count": 12 });
    let term = json!({ "length": length, "charge": "FIXED", "value": "900.00" });
    json!({ "paymentMode": mode, "price": price, "minimumTerm": term })
}

/// Whoever changes to a plan that binds is bound from that day, or from its first period on.
#[tokio::test]
async fn a_change_to_a_plan_with_a_minimum_term_binds() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.bills(json!({ "dueDays": 300 })).await;
    let term =
        |months: i32, value: &str| json!({ "length": { "unit": "MONTH", "count": months }, "charge": "FIXED", "value": value });
    let free = |more: Value| {
        let mut plan = json!({ "paymentMode": "POSTPAID" });
        plan.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        plan
    };
    let (_, now, _) = bought(&isp, "now", free(json!({}))).await;
    let (_, later, _) = bought(&isp, "later", free(json!({}))).await;
    let (_, longer, _) = bought(&isp, "longer", free(json!({ "minimumTerm": term(24, "700.00") }))).await;
    let year = isp
        .plan("year", free(json!({ "price": "600.00", "minimumTerm": term(12, "900.00") })))
        .await;
    day(&app, "2026-04-11").await;
    for (service, timing) in [(&now, "NOW"), (&later, "NEXT_PERIOD"), (&longer, "NOW")] {
        change(&isp, service, &year, timing).await;
    }
    let free = json!([null, null]);
    assert_eq!(bound(&isp, &now).await, json!(["2027-04-11", "900.00"]));
    assert_eq!(bound(&isp, &later).await, free);
    let both = json!(["2028-04-01", "900.00"]);
    assert_eq!(bound(&isp, &longer).await, both, "it was bound for longer already");
    day(&app, "2026-05-02").await;
    assert_eq!(bound(&isp, &later).await, json!(["2027-05-01", "900.00"]));
    app.run_jobs().await;
}

/// Who never paid for a plan that was to follow has not used it, and is not bound by it; who paid once is.
#[tokio::test]
async fn what_was_never_paid_for_binds_nobody() {
    for credit in ["NONE", "CREDIT_DAYS", "SHIFT_PERIOD"] {
        unpaid(credit).await;
    }
}

async fn unpaid(credit: &str) {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.bills(json!({ "graceDays": 0, "terminateAfterDays": 10, "suspensionCredit": credit }))
        .await;
    let term = json!({ "length": { "unit": "MONTH", "count": 12 }, "charge": "FIXED", "value": "900.00" });
    let year = isp.plan("year", json!({ "price": "600.00", "minimumTerm": term })).await;
    let mut services = Vec::new();
    for name in ["never", "once", "at-once"] {
        let (subscriber, service, _) = bought(&isp, name, json!({})).await;
        isp.pay(&subscriber, "1000.00").await;
        app.run_jobs().await;
        change(&isp, &service, &year, "NEXT_PERIOD").await;
        services.push((subscriber, service));
    }
    day(&app, "2026-04-29").await;
    isp.pay(&services[1].0, "600.00").await;
    let mut ended = Vec::new();
    for date in ["2026-05-01", "2026-05-12", "2026-06-01", "2026-06-12"] {
        day(&app, date).await;
        if date == "2026-05-01" {
            let (_, service) = &services[2];
            assert_eq!(bound(&isp, service).await, json!([null, null]), "{credit}");
            let input = json!({ "id": service, "reason": "Leaves", "idempotencyKey": key() });
            isp.mutate("serviceTerminate", input, "service { id }").await.done();
        }
        let mut statuses = Vec::new();
        for (_, service) in &services {
            statuses.push(isp.status(service).await);
        }
        ended.push(statuses);
    }
    assert_eq!(ended[1], ["TERMINATED", "ACTIVE", "TERMINATED"], "{credit}");
    assert_eq!(ended[3], ["TERMINATED"; 3], "{credit}");
    let charges = async |subscriber: &str| -> Vec<String> {
        let lines = isp.lines_of(subscriber).await.concat();
        lines.into_iter().filter(|line| line.contains("minimum term")).collect()
    };
    assert_eq!(charges(&services[0].0).await, Vec::<String>::new(), "{credit}");
    assert_eq!(charges(&services[2].0).await, Vec::<String>::new(), "{credit}");
    assert_eq!(
        charges(&services[1].0).await,
        ["Plan year, ended before its minimum term: 900.00"]
    );
}

/// Of two that bind it from the same day the one that it has counts, of others the dearest.
#[tokio::test]
async fn a_plan_that_was_chosen_by_mistake_does_not_bind_and_one_that_was_left_does() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.bills(json!({ "dueDays": 300 })).await;
    let plan = |price: &str, more: Value| {
        let term = json!({ "length": { "unit": "MONTH", "count": 12 }, "charge": "REMAINING", "value": "100" });
        let mut plan = json!({ "paymentMode": "POSTPAID", "price": price, "minimumTerm": term });
        plan.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        plan
    };
    let (_, wrong, _) = bought(&isp, "wrong", plan("5000.00", json!({}))).await;
    let (_, trial, _) = bought(&isp, "trial", plan("5000.00", json!({ "trialDays": 14 }))).await;
    let (_, left, _) = bought(&isp, "left", plan("2000.00", json!({}))).await;
    let right = isp.plan("right", plan("1000.00", json!({}))).await;
    change(&isp, &wrong, &right, "NOW").await;
    assert_eq!(bound(&isp, &wrong).await, json!(["2027-04-01", "12000.00"]));
    day(&app, "2026-04-06").await;
    change(&isp, &trial, &right, "NOW").await;
    assert_eq!(bound(&isp, &trial).await, json!(["2027-04-06", "12000.00"]));
    day(&app, "2026-05-01").await;
    change(&isp, &left, &right, "NOW").await;
    assert_eq!(
        bound(&isp, &left).await,
        json!(["2027-05-01", "22000.00"]),
        "eleven months at 2000.00"
    );
    day(&app, "2027-02-01").await;
    assert_eq!(bound(&isp, &left).await, json!(["2027-05-01", "4000.00"]), "two of them");
    day(&app, "2027-04-01").await;
    assert_eq!(bound(&isp, &left).await, json!(["2027-05-01", "1000.00"]), "one of the other");
}

/// A cheaper plan, or one with other periods, makes the end no cheaper.
#[tokio::test]
async fn a_change_of_plan_makes_no_end_cheaper() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.bills(json!({ "dueDays": 300 })).await;
    let term = json!({ "length": { "unit": "MONTH", "count": 12 }, "charge": "REMAINING", "value": "100" });
    let (subscriber, service, _) = bought(&isp, "home", json!({ "paymentMode": "POSTPAID", "minimumTerm": term })).await;
    let week =
        json!({ "paymentMode": "POSTPAID", "price": "1.00", "taxInclusive": true, "period": { "unit": "WEEK", "count": 1 } });
    let week = isp.plan("week", week).await;
    day(&app, "2026-05-01").await;
    change(&isp, &service, &week, "NOW").await;
    let seen = bound(&isp, &service).await;
    // Eleven months at 1000.00.
    assert_eq!(seen, json!(["2027-04-01", "11000.00"]));
    let input = json!({ "id": service, "reason": "Moved", "idempotencyKey": key() });
    isp.mutate("serviceTerminate", input, "service { status }").await.done();
    let last = isp.lines_of(&subscriber).await.pop().unwrap();
    assert_eq!(last, ["Plan home, ended before its minimum term: 11000.00"]);
    app.run_jobs().await;
}

/// A term that began early, because a change ended the free days before it, is not taken for one that was to begin later.
#[tokio::test]
async fn a_term_that_a_change_let_begin_binds_after_another_change() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.bills(json!({ "dueDays": 300 })).await;
    let plan = |months: i32, value: &str, trial: Value| {
        let term = json!({ "length": { "unit": "MONTH", "count": months }, "charge": "FIXED", "value": value });
        json!({ "paymentMode": "POSTPAID", "trialDays": trial, "minimumTerm": term })
    };
    let (_, service, _) = bought(&isp, "home", plan(12, "900.00", json!(14))).await;
    let fast = isp.plan("fast", json!({ "paymentMode": "POSTPAID" })).await;
    let month = isp.plan("month", plan(1, "50.00", Value::Null)).await;
    for (date, plan) in [("2026-04-06", fast), ("2026-04-10", month)] {
        day(&app, date).await;
        change(&isp, &service, &plan, "NOW").await;
    }
    let seen = bound(&isp, &service).await;
    assert_eq!(seen, json!(["2027-04-06", "900.00"]));
    app.run_jobs().await;
}

/// Services that began before bonds were written down are bound by the plan that they leave.
#[tokio::test]
async fn who_was_bound_before_is_bound_by_the_plan_that_is_left() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.bills(json!({ "dueDays": 300 })).await;
    let term = json!({ "length": { "unit": "MONTH", "count": 12 }, "charge": "REMAINING", "value": "100" });
    let (_, service, _) = bought(&isp, "home", json!({ "paymentMode": "POSTPAID", "minimumTerm": term })).await;
    assert_eq!(app.in_schema("asha", "DELETE FROM service_bond").await, 1);
    let cheap = isp.plan("cheap", json!({ "paymentMode": "POSTPAID", "price": "1.00" })).await;
    day(&app, "2026-05-01").await;
    let before = json!(["2027-04-01", "11000.00"]);
    assert_eq!(bound(&isp, &service).await, before);
    change(&isp, &service, &cheap, "NOW").await;
    assert_eq!(bound(&isp, &service).await, before);
    app.run_jobs().await;
}

/// What is invoiced ahead with other periods moves no term that has begun.
#[tokio::test]
async fn time_off_before_a_plan_that_is_invoiced_ahead_moves_no_term() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.bills(json!({ "dueDays": 300, "renewalLeadDays": 5, "suspensionCredit": "SHIFT_PERIOD" }))
        .await;
    let (_, service, _) = bought(&isp, "home", year("POSTPAID", "1000.00")).await;
    let quarter = json!({ "paymentMode": "POSTPAID", "price": "2500.00", "period": { "unit": "MONTH", "count": 3 } });
    let quarter = isp.plan("quarter", quarter).await;
    change(&isp, &service, &quarter, "NEXT_PERIOD").await;
    day(&app, "2026-04-27").await;
    isp.suspend(&service).await;
    day(&app, "2026-04-29").await;
    isp.resume(&service).await.done();
    assert_eq!(bound(&isp, &service).await, json!(["2027-04-01", "900.00"]));
    app.run_jobs().await;
}

/// Who waits for a payment is bound from the day on which that comes.
#[tokio::test]
async fn a_term_begins_with_the_service() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.bills(json!({ "activation": "ON_PAYMENT" })).await;
    let (subscriber, service, _) = bought(&isp, "home", year("PREPAID", "1000.00")).await;
    assert_eq!(bound(&isp, &service).await, json!([null, null]), "it ends free before");
    day(&app, "2026-06-30").await;
    isp.pay(&subscriber, "1000.00").await;
    app.run_jobs().await;
    assert_eq!(isp.status(&service).await, "ACTIVE");
    assert_eq!(bound(&isp, &service).await, json!(["2027-06-30", "900.00"]));
}

/// What was used on credit binds, whatever the plan by which nothing was paid since; and staff change nothing by a suspension of
/// their own.
#[tokio::test]
async fn what_was_used_binds_and_what_was_not_does_not() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.bills(json!({ "graceDays": 0, "dueDays": 15, "prepaidRenewal": "WHEN_COVERED" }))
        .await;
    let (_, used, _) = bought(&isp, "home", year("POSTPAID", "1000.00")).await;
    let basic = isp.plan("basic", json!({ "price": "600.00" })).await;
    let (subscriber, unused, _) = bought(&isp, "free", json!({ "paymentMode": "POSTPAID", "billIn": "ARREARS" })).await;
    let bare = isp.plan("year", year("PREPAID", "600.00")).await;
    change(&isp, &unused, &bare, "NEXT_PERIOD").await;
    day(&app, "2026-04-11").await;
    change(&isp, &used, &basic, "NOW").await;
    day(&app, "2026-05-01").await;
    isp.pay(&subscriber, "1000.00").await;
    app.run_jobs().await;
    for service in [&used, &unused] {
        assert_eq!(isp.status(service).await, "SUSPENDED EXPIRED");
    }
    assert_eq!(bound(&isp, &used).await, json!(["2027-04-01", "900.00"]));
    assert_eq!(bound(&isp, &unused).await, json!([null, null]));
    isp.suspend(&unused).await;
    assert_eq!(bound(&isp, &unused).await, json!([null, null]));
    app.run_jobs().await;
}
