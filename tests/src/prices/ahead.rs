//! What follows: periods that are charged long before they begin, and changes of what is charged when it has been used.

use serde_json::{Value, json};

use super::day;
use crate::harness::{Ask, TestApp, id, key};

impl Ask<'_> {
    async fn follows(&self, service: &str, plan: &str) -> Value {
        let input = json!({ "id": service, "planId": plan, "timing": "NEXT_PERIOD", "idempotencyKey": key() });
        let selection = "service { pendingChange { effectiveOn plan { id } } }";
        self.mutate("serviceChangePlan", input, selection).await.done()["service"]["pendingChange"].clone()
    }

    /// The code of the plan that it has, and the number of its version.
    async fn has(&self, service: &str) -> String {
        let query = "query($id: ID!) { service(id: $id) { plan { code } planVersion { number } } }";
        let found = self.gql(query, json!({ "id": service })).await.at("service");
        format!(
            "{} {}",
            found["plan"]["code"].as_str().unwrap(),
            found["planVersion"]["number"]
        )
    }

    async fn raise(&self, plan: &str, changes: Value) {
        let version = "query($id: ID!) { plan(id: $id) { version } }";
        let version = self.gql(version, json!({ "id": plan })).await.at("plan.version");
        let mut input = json!({ "id": plan, "expectedVersion": version });
        input.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        self.mutate("planUpdate", input, "plan { id }").await.done();
    }
}

async fn served(isp: &Ask<'_>, plan: &str, name: &str) -> (String, String) {
    let (subscriber, _) = isp.subscriber(name, json!({})).await;
    let (service, _) = isp.service(&subscriber, plan, name, json!({})).await;
    (subscriber, id(&service))
}

/// Two weeks ahead: each week is used under the plan at which it was charged.
#[tokio::test]
async fn each_period_charged_ahead_is_used_under_its_own_plan() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.bills(json!({ "dueDays": 300, "renewalLeadDays": 10, "planChangeDocument": "DIFFERENCE" }))
        .await;
    let week = |price: &str| json!({ "paymentMode": "POSTPAID", "price": price, "period": { "unit": "WEEK", "count": 1 } });
    let small = isp.plan("small", week("70.00")).await;
    let big = isp.plan("big", week("140.00")).await;
    let (subscriber, service) = served(&isp, &small, "ravi").await;
    let (mover, moved) = served(&isp, &small, "meera").await;
    // On the second the second week is charged, on the fifth the third.
    day(&app, "2026-04-02").await;
    assert_eq!(isp.follows(&service, &big).await["effectiveOn"], "2026-04-15");
    day(&app, "2026-04-05").await;
    day(&app, "2026-04-09").await;
    assert_eq!(isp.has(&service).await, "small 1", "the second week");
    let pieces = isp.lines_of(&subscriber).await;
    assert_eq!(
        pieces.concat(),
        [
            "Plan small, 2026-04-01 to 2026-04-07: 70.00",
            "Plan small, 2026-04-08 to 2026-04-14: 70.00",
            "Plan big, 2026-04-15 to 2026-04-21: 140.00"
        ]
    );
    // Weeks that a change of plan made dearer are used under that plan.
    day(&app, "2026-04-10").await;
    let huge = isp.plan("huge", week("210.00")).await;
    let input = json!({ "id": moved, "planId": huge, "timing": "NOW", "idempotencyKey": key() });
    isp.mutate("serviceChangePlan", input, "invoice { id }").await.done();
    day(&app, "2026-04-16").await;
    assert_eq!(isp.has(&service).await, "big 1");
    assert_eq!(isp.has(&moved).await, "huge 1", "{:?}", isp.lines_of(&mover).await);
}

/// In arrears, what begins is charged by the version that counts when it begins.
#[tokio::test]
async fn after_a_used_period_the_next_plan_counts_as_of_the_day_on_which_it_begins() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.bills(json!({ "dueDays": 300 })).await;
    let used = json!({ "paymentMode": "POSTPAID", "billIn": "ARREARS", "price": "600.00" });
    let used = isp.plan("used", used).await;
    let ahead = isp.plan("ahead", json!({ "paymentMode": "POSTPAID" })).await;
    let (subscriber, service) = served(&isp, &used, "ravi").await;
    isp.follows(&service, &ahead).await;
    isp.raise(&ahead, json!({ "price": "1200.00", "effectiveFrom": "2026-04-15" }))
        .await;
    day(&app, "2026-05-01").await;
    assert_eq!(
        isp.lines_of(&subscriber).await.concat(),
        [
            "Plan used, 2026-04-01 to 2026-04-30: 600.00",
            "Plan ahead, 2026-05-01 to 2026-05-31: 1200.00"
        ]
    );
}

/// Who keeps its version in arrears gets the one on sale by asking for it by name.
#[tokio::test]
async fn in_arrears_the_version_on_sale_follows_when_it_is_asked_for() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.bills(json!({ "dueDays": 300, "suspensionCredit": "CREDIT_DAYS" })).await;
    let plan = isp
        .plan("used", json!({ "paymentMode": "POSTPAID", "billIn": "ARREARS" }))
        .await;
    let (subscriber, service) = served(&isp, &plan, "ravi").await;
    isp.raise(&plan, json!({ "price": "900.00", "existingServices": "KEEP_VERSION" }))
        .await;
    let follows = isp.follows(&service, &plan).await;
    assert_eq!(follows["effectiveOn"], "2026-05-01");
    // Some days off in between are not when it follows.
    day(&app, "2026-04-11").await;
    isp.suspend(&service).await;
    day(&app, "2026-04-21").await;
    let resume = json!({ "id": service, "idempotencyKey": key() });
    let resumed = isp
        .mutate("serviceResume", resume, "service { pendingChange { effectiveOn } }")
        .await
        .done();
    assert_eq!(resumed["service"]["pendingChange"]["effectiveOn"], "2026-05-01");
    assert_eq!(isp.has(&service).await, "used 1");
    day(&app, "2026-05-01").await;
    assert_eq!(isp.has(&service).await, "used 2");
    day(&app, "2026-06-01").await;
    assert_eq!(
        isp.lines_of(&subscriber).await.concat(),
        [
            "Plan used, 2026-04-01 to 2026-04-10: 333.33",
            "Plan used, 2026-04-21 to 2026-04-30: 333.33",
            "Plan used, 2026-05-01 to 2026-05-31: 900.00"
        ]
    );
}

/// A service that is off when its period ends goes on under the plan that was to follow, however that is charged.
#[tokio::test]
async fn what_was_to_follow_follows_when_the_service_is_on_again() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.bills(json!({ "dueDays": 300 })).await;
    let used = |price: &str| json!({ "paymentMode": "POSTPAID", "billIn": "ARREARS", "price": price });
    let plan = isp.plan("used", used("600.00")).await;
    let other = isp.plan("other", used("3100.00")).await;
    let ahead = isp
        .plan("ahead", json!({ "paymentMode": "POSTPAID", "price": "310.00" }))
        .await;
    let (subscriber, service) = served(&isp, &plan, "ravi").await;
    let (second, paid_ahead) = served(&isp, &plan, "meera").await;
    isp.follows(&service, &other).await;
    isp.follows(&paid_ahead, &ahead).await;
    day(&app, "2026-04-20").await;
    for service in [&service, &paid_ahead] {
        isp.suspend(service).await;
    }
    day(&app, "2026-05-01").await;
    day(&app, "2026-05-10").await;
    for service in [&service, &paid_ahead] {
        let resume = json!({ "id": service, "idempotencyKey": key() });
        isp.mutate("serviceResume", resume, "service { status }").await.done();
    }
    assert_eq!(isp.has(&service).await, "other 1");
    assert_eq!(isp.has(&paid_ahead).await, "ahead 1");
    let state = isp.state(&paid_ahead).await;
    assert_eq!(
        (&state["status"], &state["nextBillingDate"]),
        (&json!("ACTIVE"), &json!("2026-06-01"))
    );
    day(&app, "2026-06-01").await;
    assert_eq!(
        isp.lines_of(&subscriber).await.concat(),
        [
            "Plan used, 2026-04-01 to 2026-04-30: 600.00",
            "Plan other, 2026-05-10 to 2026-05-31: 2200.00"
        ]
    );
    assert_eq!(
        isp.lines_of(&second).await.concat(),
        [
            "Plan used, 2026-04-01 to 2026-04-30: 600.00",
            "Plan ahead, 2026-05-10 to 2026-05-31: 220.00",
            "Plan ahead, 2026-06-01 to 2026-06-30: 310.00"
        ]
    );
}

/// The plan that follows is invoiced already and stays; the end that was planned besides can be taken back.
#[tokio::test]
async fn an_end_is_taken_back_though_the_plan_that_follows_is_charged() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.bills(json!({ "dueDays": 300, "renewalLeadDays": 5 })).await;
    let plan = isp.plan("home", json!({ "paymentMode": "POSTPAID" })).await;
    let other = isp
        .plan("other", json!({ "paymentMode": "POSTPAID", "price": "310.00" }))
        .await;
    let (subscriber, service) = served(&isp, &plan, "ravi").await;
    isp.follows(&service, &other).await;
    day(&app, "2026-04-27").await;
    let end = json!({ "id": service, "reason": "Moved", "effectiveOn": "2026-05-20", "idempotencyKey": key() });
    isp.mutate("serviceTerminate", end, "service { id }").await.done();
    let cancel = json!({ "id": service });
    let selection = "service { endsOn pendingChange { effectiveOn } nextBillingDate }";
    let done = isp.mutate("serviceChangeCancel", cancel.clone(), selection).await.done();
    assert_eq!(
        done["service"],
        json!({ "endsOn": null, "pendingChange": { "effectiveOn": "2026-05-01" }, "nextBillingDate": "2026-05-27" })
    );
    assert_eq!(
        isp.mutate("serviceChangeCancel", cancel, selection).await.refusals(),
        ["INVALID_STATE id"],
        "the plan is charged"
    );
    day(&app, "2026-05-27").await;
    assert_eq!(
        isp.lines_of(&subscriber).await[1..].concat(),
        [
            "Plan other, 2026-05-01 to 2026-05-31: 310.00",
            "Plan other, 2026-06-01 to 2026-06-30: 310.00"
        ]
    );
}
