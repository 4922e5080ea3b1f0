//! Free trials and minimum terms.

use serde_json::{Value, json};

use super::day;
use crate::harness::{Ask, TestApp, id, key};

pub async fn bought(isp: &Ask<'_>, name: &str, plan: Value) -> (String, String, Value) {
    let plan = isp.plan(name, plan).await;
    let (subscriber, _) = isp.subscriber(name, json!({})).await;
    let (service, invoice) = isp.service(&subscriber, &plan, name, json!({})).await;
    (subscriber, id(&service), invoice)
}

#[tokio::test]
async fn a_trial_is_free_and_the_first_period_begins_after_it() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.bills(json!({ "activation": "ON_PAYMENT" })).await;
    let (prepaid, service, invoice) = bought(&isp, "prepaid", json!({ "trialDays": 14 })).await;
    assert_eq!(invoice["total"]["amount"], "0.00");
    assert_eq!(isp.status(&service).await, "ACTIVE", "there is nothing to be paid");
    let arrears = json!({ "paymentMode": "POSTPAID", "billIn": "ARREARS", "trialDays": 10 });
    let (postpaid, used, _) = bought(&isp, "arrears", arrears).await;
    assert_eq!(isp.status(&used).await, "ACTIVE");
    day(&app, "2026-04-14").await;
    assert_eq!(isp.lines_of(&prepaid).await.len(), 1);
    day(&app, "2026-04-15").await;
    assert_eq!(
        isp.lines_of(&prepaid).await.concat(),
        [
            "Plan prepaid, free trial, 2026-04-01 to 2026-04-14: 0.00",
            "Plan prepaid, 2026-04-15 to 2026-05-14: 1000.00"
        ]
    );
    isp.pay(&prepaid, "1000.00").await;
    app.run_jobs().await;
    assert_eq!(isp.state(&service).await["nextBillingDate"], "2026-05-15");
    day(&app, "2026-05-11").await;
    assert_eq!(
        isp.lines_of(&postpaid).await.concat(),
        [
            "Plan arrears, free trial, 2026-04-01 to 2026-04-10: 0.00",
            "Plan arrears, 2026-04-11 to 2026-05-10: 1000.00"
        ]
    );
}

#[tokio::test]
async fn who_leaves_during_the_trial_owes_nothing_and_a_trial_to_come_begins_on_its_day() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    let plan = isp.plan("home", json!({ "trialDays": 14 })).await;
    let (subscriber, _) = isp.subscriber("Ravi", json!({})).await;
    let (service, _) = isp
        .service(&subscriber, &plan, "ravi", json!({ "startsOn": "2026-04-05" }))
        .await;
    assert_eq!(isp.status(&id(&service)).await, "PENDING");
    day(&app, "2026-04-05").await;
    assert_eq!(isp.status(&id(&service)).await, "ACTIVE");
    day(&app, "2026-04-08").await;
    let input = json!({ "id": service["id"], "reason": "No", "idempotencyKey": key() });
    isp.mutate("serviceTerminate", input, "service { status }").await.done();
    day(&app, "2026-05-08").await;
    assert_eq!(isp.lines_of(&subscriber).await.len(), 1);
}

/// What is added during the trial is free as well until the trial is over; a change of plan ends the trial.
#[tokio::test]
async fn addons_and_discounts_begin_after_the_trial_and_a_change_of_plan_ends_it() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.bills(json!({ "dueDays": 300, "planChangeDocument": "DIFFERENCE" })).await;
    let trial = json!({ "paymentMode": "POSTPAID", "trialDays": 14 });
    let (subscriber, service, _) = bought(&isp, "home", trial.clone()).await;
    let (mover, moved, _) = bought(&isp, "small", trial).await;
    let arrears = json!({ "paymentMode": "POSTPAID", "billIn": "ARREARS", "trialDays": 14 });
    let (late, in_arrears, _) = bought(&isp, "late", arrears).await;
    let dearer = isp
        .plan("fast", json!({ "paymentMode": "POSTPAID", "price": "3000.00" }))
        .await;
    let off = json!({ "serviceId": service, "name": "Once", "percent": "10", "periods": 1, "withAddons": true, "idempotencyKey": key() });
    isp.mutate("serviceDiscountAdd", off, "discount { id }").await.done();
    day(&app, "2026-04-06").await;
    let address = isp.addon("ip", json!({})).await;
    let added = isp.add(&service, &address, json!({})).await.done();
    assert_eq!(added["invoice"], Value::Null, "the days of the trial are free");
    for service in [&moved, &in_arrears] {
        let input = json!({ "id": service, "planId": dearer, "timing": "NOW", "idempotencyKey": key() });
        let done = isp
            .mutate(
                "serviceChangePlan",
                input,
                "creditNote { id } invoice { total { amount } } service { periodEndsAt }",
            )
            .await
            .done();
        assert_eq!(
            (&done["creditNote"], &done["invoice"]["total"]["amount"]),
            (&Value::Null, &json!("3000.00"))
        );
        assert_eq!(done["service"]["periodEndsAt"], "2026-05-05T18:30:00Z");
    }
    day(&app, "2026-05-15").await;
    assert_eq!(
        isp.lines_of(&subscriber).await[1..].concat(),
        [
            "Plan home, 2026-04-15 to 2026-05-14: 900.00",
            "Add-on ip, 2026-04-15 to 2026-05-14: 270.00",
            "Plan home, 2026-05-15 to 2026-06-14: 1000.00",
            "Add-on ip, 2026-05-15 to 2026-06-14: 300.00",
        ]
    );
    for subscriber in [&mover, &late] {
        assert_eq!(
            isp.lines_of(subscriber).await[1..].concat(),
            [
                "Plan fast, 2026-04-06 to 2026-05-05: 3000.00",
                "Plan fast, 2026-05-06 to 2026-06-05: 3000.00"
            ]
        );
    }
}

/// A term is counted from the first charged day: who leaves while it is still free owes nothing.
#[tokio::test]
async fn a_minimum_term_does_not_bind_during_the_trial() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    let term = json!({ "length": { "unit": "MONTH", "count": 12 }, "charge": "FIXED", "value": "900.00" });
    let plan = json!({ "paymentMode": "POSTPAID", "trialDays": 14, "minimumTerm": term });
    let (leaver, left, _) = bought(&isp, "home", plan.clone()).await;
    let (stayer, stayed, _) = bought(&isp, "fast", plan).await;
    let end = async |service: &str| {
        let input = json!({ "id": service, "reason": "No", "idempotencyKey": key() });
        isp.mutate("serviceTerminate", input, "service { status }").await.done();
    };
    day(&app, "2026-04-14").await;
    let preview = "query($id: ID!) { service(id: $id) { boundUntil earlyEndCharge { amount } } }";
    let seen = isp.gql(preview, json!({ "id": left })).await.at("service");
    assert_eq!(seen, json!({ "boundUntil": "2027-04-15", "earlyEndCharge": null }));
    end(&left).await;
    assert_eq!(isp.lines_of(&leaver).await.len(), 1);
    day(&app, "2026-04-15").await;
    end(&stayed).await;
    let last = isp.lines_of(&stayer).await.pop().unwrap();
    assert_eq!(last, ["Plan fast, ended before its minimum term: 900.00"]);
    app.run_jobs().await;
}

/// A change of plan ends the trial, and what was to begin after it begins.
#[tokio::test]
async fn a_minimum_term_begins_when_the_trial_is_ended() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.bills(json!({ "dueDays": 300 })).await;
    let term = json!({ "length": { "unit": "MONTH", "count": 12 }, "charge": "FIXED", "value": "900.00" });
    let plan = json!({ "paymentMode": "POSTPAID", "trialDays": 14, "minimumTerm": term });
    let (_, service, _) = bought(&isp, "home", plan).await;
    let fast = isp
        .plan("fast", json!({ "paymentMode": "POSTPAID", "price": "3000.00" }))
        .await;
    day(&app, "2026-04-06").await;
    let input = json!({ "id": service, "planId": fast, "timing": "NOW", "idempotencyKey": key() });
    isp.mutate("serviceChangePlan", input, "service { id }").await.done();
    let bound = "query($id: ID!) { service(id: $id) { boundUntil earlyEndCharge { amount } } }";
    let seen = isp.gql(bound, json!({ "id": service })).await.at("service");
    assert_eq!(
        seen,
        json!({ "boundUntil": "2027-04-06", "earlyEndCharge": { "amount": "900.00" } })
    );
    app.run_jobs().await;
}

#[tokio::test]
async fn who_leaves_before_the_minimum_term_pays_for_it() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.bills(json!({ "dueDays": 300 })).await;
    let term = |charge: &str, value: &str| {
        let length = json!({ "unit": "MONTH", "count": 12 });
        json!({ "paymentMode": "POSTPAID", "minimumTerm": { "length": length, "charge": charge, "value": value } })
    };
    let cases = [
        ("fixed", term("FIXED", "2500.00"), "2500.00"),
        // 274 of 365 days are left from the first of July on.
        ("declining", term("DECLINING", "3650.00"), "2740.00"),
        // Nine months at 1000.00, half of it.
        ("remaining", term("REMAINING", "50"), "4500.00"),
    ];
    let mut bound = Vec::new();
    for (name, plan, _) in &cases {
        bound.push(bought(&isp, name, plan.clone()).await);
    }
    day(&app, "2026-07-01").await;
    let preview = "query($id: ID!, $on: Date) { service(id: $id) { boundUntil earlyEndCharge(on: $on) { amount } } }";
    for ((subscriber, service, _), (name, _, charge)) in bound.iter().zip(&cases) {
        let seen = isp.gql(preview, json!({ "id": service })).await.at("service");
        assert_eq!(
            seen,
            json!({ "boundUntil": "2027-04-01", "earlyEndCharge": { "amount": charge } }),
            "{name}"
        );
        let later = isp
            .gql(preview, json!({ "id": service, "on": "2027-04-01" }))
            .await
            .at("service.earlyEndCharge");
        assert_eq!(later, Value::Null);
        let input = json!({ "id": service, "reason": "Moved", "idempotencyKey": key() });
        isp.mutate("serviceTerminate", input, "service { status }").await.done();
        let last = isp.lines_of(subscriber).await.pop().unwrap();
        assert_eq!(last, [format!("Plan {name}, ended before its minimum term: {charge}")]);
    }
    app.run_jobs().await;
}

#[tokio::test]
async fn what_stays_charged_is_not_part_of_the_early_end() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.bills(json!({ "dueDays": 300, "terminationCredit": "NONE" })).await;
    let length = json!({ "unit": "MONTH", "count": 12 });
    let plan = json!({ "paymentMode": "POSTPAID",
        "minimumTerm": { "length": length, "charge": "REMAINING", "value": "100" } });
    let (subscriber, service, _) = bought(&isp, "home", plan).await;
    day(&app, "2026-07-02").await;
    let preview = "query($id: ID!) { service(id: $id) { earlyEndCharge { amount } } }";
    let seen = isp.gql(preview, json!({ "id": service })).await;
    // July stays charged; August to March are eight months.
    assert_eq!(seen.text_at("service.earlyEndCharge.amount"), "8000.00");
    let input = json!({ "id": service, "reason": "Moved", "idempotencyKey": key() });
    isp.mutate("serviceTerminate", input, "service { status }").await.done();
    let last = isp.lines_of(&subscriber).await.pop().unwrap();
    assert_eq!(last, ["Plan home, ended before its minimum term: 8000.00"]);
    app.run_jobs().await;
}

#[tokio::test]
async fn bad_terms_are_refused() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    let term = |unit: &str, count: i32, value: &str| json!({ "length": { "unit": unit, "count": count }, "charge": "REMAINING", "value": value });
    for (changes, refusal) in [
        (json!({ "trialDays": 0 }), "INVALID trialDays"),
        (json!({ "trialDays": -3 }), "INVALID trialDays"),
        (
            json!({ "minimumTerm": term("HOUR", 1, "5") }),
            "INVALID minimumTerm.length.unit",
        ),
        (
            json!({ "minimumTerm": term("MONTH", 0, "5") }),
            "INVALID minimumTerm.length.count",
        ),
        (json!({ "minimumTerm": term("MONTH", 1, "0") }), "INVALID minimumTerm.value"),
        (json!({ "minimumTerm": term("MONTH", 1, "101") }), "INVALID minimumTerm.value"),
    ] {
        let mut input = json!({ "code": "x", "name": "X", "paymentMode": "PREPAID", "price": "1.00", "period": { "unit": "MONTH", "count": 1 } });
        input.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        assert_eq!(
            isp.mutate("planCreate", input, "plan { id }").await.refusals(),
            [refusal],
            "{changes}"
        );
    }
}

/// The rest of a term is counted from the day of the end, also where the periods that are charged by now begin later.
#[tokio::test]
async fn an_early_end_before_the_periods_of_today_is_charged() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    let term = json!({ "length": { "unit": "MONTH", "count": 12 }, "charge": "REMAINING", "value": "100" });
    let (subscriber, service, invoice) = bought(&isp, "home", json!({ "minimumTerm": term })).await;
    isp.pay(&subscriber, invoice["total"]["amount"].as_str().unwrap()).await;
    // Its time is over, and it begins again with the money of the tenth of June.
    isp.bills(json!({ "prepaidRenewal": "WHEN_COVERED", "graceDays": 0 })).await;
    day(&app, "2026-05-02").await;
    assert_eq!(isp.status(&service).await, "SUSPENDED EXPIRED");
    day(&app, "2026-06-10").await;
    isp.pay(&subscriber, "1000.00").await;
    app.run_jobs().await;
    assert_eq!(isp.status(&service).await, "ACTIVE");
    let preview = "query($id: ID!) { service(id: $id) { earlyEndCharge(on: \"2026-05-26\") { amount } } }";
    let seen = isp.gql(preview, json!({ "id": service })).await;
    // 26 May to 9 June are fifteen of 31 days, to 9 March nine months more, and 22 of 31 days are left to the end of March.
    assert_eq!(seen.text_at("service.earlyEndCharge.amount"), "10193.55");
    let input = json!({ "id": service, "reason": "Moved", "effectiveOn": "2026-05-26", "idempotencyKey": key() });
    isp.mutate("serviceTerminate", input, "service { status }").await.done();
    let last = isp.lines_of(&subscriber).await.pop().unwrap();
    assert_eq!(last, ["Plan home, ended before its minimum term: 10193.55"]);
    app.run_jobs().await;
}

/// A plan with longer periods follows, and its first period is invoiced ahead: the service ends before that begins.
#[tokio::test]
async fn an_early_end_before_a_plan_that_is_invoiced_ahead_is_charged() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.bills(json!({ "dueDays": 300, "renewalLeadDays": 5 })).await;
    let term = json!({ "length": { "unit": "MONTH", "count": 12 }, "charge": "REMAINING", "value": "100" });
    let plan = json!({ "paymentMode": "POSTPAID", "minimumTerm": term });
    let quarter = json!({ "paymentMode": "POSTPAID", "price": "2700.00", "period": { "unit": "MONTH", "count": 3 } });
    let quarter = isp.plan("quarter", quarter).await;
    let (mut ended, mut planned) = (Vec::new(), Vec::new());
    for (name, services) in [("home", &mut ended), ("flat", &mut planned)] {
        let (subscriber, service, _) = bought(&isp, name, plan.clone()).await;
        let input = json!({ "id": service, "planId": quarter, "timing": "NEXT_PERIOD", "idempotencyKey": key() });
        isp.mutate("serviceChangePlan", input, "service { id }").await.done();
        services.extend([subscriber, service]);
    }
    day(&app, "2026-04-27").await;
    assert_eq!(
        isp.lines_of(&ended[0]).await[1].concat(),
        "Plan quarter, 2026-05-01 to 2026-07-31: 2700.00"
    );
    let end = async |service: &str, day: &str| {
        let input = json!({ "id": service, "reason": "Moved", "effectiveOn": day, "idempotencyKey": key() });
        isp.mutate("serviceTerminate", input, "service { status endsOn }")
            .await
            .done()
    };
    let done = end(&ended[1], "2026-04-27").await;
    assert_eq!(done["service"]["status"], "TERMINATED");
    // Four of 30 days, and eleven months.
    let wanted = ["Plan home, ended before its minimum term: 11133.33"];
    assert_eq!(isp.lines_of(&ended[0]).await.pop().unwrap(), wanted);
    end(&planned[1], "2026-04-29").await;
    day(&app, "2026-04-29").await;
    assert_eq!(isp.status(&planned[1]).await, "TERMINATED", "no run fails on it");
    let wanted = ["Plan flat, ended before its minimum term: 11066.67"];
    assert_eq!(isp.lines_of(&planned[0]).await.pop().unwrap(), wanted);
    app.run_jobs().await;
}
