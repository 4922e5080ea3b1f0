//! A plan's price changes on a day: who is charged by which version, and from when on.

use serde_json::{Value, json};

use super::day;
use crate::harness::{Answer, Ask, TestApp, id, key};

impl Ask<'_> {
    async fn reprice(&self, plan: &str, changes: Value) -> Answer {
        let version = "query($id: ID!) { plan(id: $id) { version } }";
        let version = self.gql(version, json!({ "id": plan })).await.at("plan.version");
        let mut input = json!({ "id": plan, "expectedVersion": version });
        input.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        self.mutate(
            "planUpdate",
            input,
            "plan { price { amount } versions { id number effectiveFrom existingServices withdrawnAt price { amount } } }",
        )
        .await
    }

    /// The version that a service has and the one by which it is charged next.
    async fn versions_of(&self, service: &str) -> (Value, Value) {
        let query = "query($id: ID!) { service(id: $id) { planVersion { number } nextPlanVersion { number } } }";
        let answer = self.gql(query, json!({ "id": service })).await.at("service");
        (
            answer["planVersion"]["number"].clone(),
            answer["nextPlanVersion"]["number"].clone(),
        )
    }

    async fn totals(&self, subscriber: &str) -> Vec<String> {
        let all = self.invoices_of(subscriber).await;
        let total = |i: &String| i.split([' ', ':']).nth(1).unwrap().to_owned();
        all.iter().map(total).collect()
    }

    async fn keep(&self, service: &str, until: Value) -> Answer {
        let input = json!({ "id": service, "until": until });
        self.mutate("serviceVersionKeep", input, "service { versionKeptUntil }").await
    }
}

/// A postpaid monthly service on `plan`, so that nothing but its price moves.
async fn serve(isp: &Ask<'_>, plan: &str, name: &str) -> (String, String) {
    let (subscriber, _) = isp.subscriber(name, json!({})).await;
    let (service, _) = isp.service(&subscriber, plan, name, json!({})).await;
    (subscriber, id(&service))
}

#[tokio::test]
async fn a_version_counts_from_its_day_on_for_periods_that_begin_then() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.bills(json!({ "dueDays": 300, "renewalLeadDays": 5 })).await;
    let plan = isp.plan("home", json!({ "paymentMode": "POSTPAID" })).await;
    let (subscriber, service) = serve(&isp, &plan, "ravi").await;
    let changed = isp
        .reprice(&plan, json!({ "price": "1200.00", "effectiveFrom": "2026-05-15" }))
        .await
        .done();
    assert_eq!(changed["plan"]["price"]["amount"], "1000.00", "what is sold today");
    let second = &changed["plan"]["versions"][1];
    assert_eq!(
        (&second["number"], &second["effectiveFrom"], &second["price"]["amount"]),
        (&json!(2), &json!("2026-05-15"), &json!("1200.00"))
    );
    assert_eq!(isp.versions_of(&service).await, (json!(1), json!(1)), "May begins before");
    // Another change of what is sold now does not undo what is planned, and what is planned builds on what counts then.
    isp.reprice(&plan, json!({ "downloadKbps": 60_000 })).await.done();
    isp.reprice(&plan, json!({ "uploadKbps": 20_000, "effectiveFrom": "2026-05-20" }))
        .await
        .done();
    day(&app, "2026-04-30").await;
    assert_eq!(
        isp.versions_of(&service).await,
        (json!(1), json!(4)),
        "May is invoiced, June is next"
    );
    day(&app, "2026-05-28").await;
    assert_eq!(
        isp.versions_of(&service).await,
        (json!(3), json!(4)),
        "June is invoiced and has not begun"
    );
    day(&app, "2026-06-02").await;
    assert_eq!(isp.versions_of(&service).await, (json!(4), json!(4)));
    assert_eq!(isp.totals(&subscriber).await, ["1000.00", "1000.00", "1200.00"]);
    let now = isp
        .gql(
            "query($id: ID!) { plan(id: $id) { price { amount } uploadKbps } }",
            json!({ "id": plan }),
        )
        .await;
    assert_eq!(
        now.at("plan"),
        json!({ "price": { "amount": "1200.00" }, "uploadKbps": 20_000 })
    );
}

/// A run that comes late charges each period by what counted when it began.
#[tokio::test]
async fn a_late_run_charges_each_period_by_its_own_version() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.bills(json!({ "dueDays": 300 })).await;
    let plan = isp
        .plan("home", json!({ "paymentMode": "POSTPAID", "billIn": "ARREARS" }))
        .await;
    let (subscriber, _) = serve(&isp, &plan, "ravi").await;
    isp.reprice(&plan, json!({ "price": "1100.00", "effectiveFrom": "2026-05-01" }))
        .await
        .done();
    isp.reprice(&plan, json!({ "price": "1200.00", "effectiveFrom": "2026-06-02" }))
        .await
        .done();
    day(&app, "2026-08-03").await;
    assert_eq!(isp.totals(&subscriber).await, ["1000.00", "1100.00", "1100.00", "1200.00"]);
}

#[tokio::test]
async fn who_has_the_plan_may_keep_its_price() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.bills(json!({ "dueDays": 300 })).await;
    let plan = isp.plan("home", json!({ "paymentMode": "POSTPAID" })).await;
    let (old, old_service) = serve(&isp, &plan, "ravi").await;
    let (promised, promised_service) = serve(&isp, &plan, "meera").await;
    isp.reprice(&plan, json!({ "price": "1300.00", "existingServices": "KEEP_VERSION" }))
        .await
        .done();
    let (new, new_service) = serve(&isp, &plan, "john").await;
    assert_eq!(isp.versions_of(&new_service).await, (json!(2), json!(2)));
    assert_eq!(isp.versions_of(&old_service).await, (json!(1), json!(1)));
    // From June on there is one for all; one of them has been promised its price until August.
    isp.reprice(&plan, json!({ "price": "1400.00", "effectiveFrom": "2026-06-01" }))
        .await
        .done();
    let kept = isp.keep(&promised_service, json!("2026-08-01")).await.done();
    assert_eq!(kept["service"]["versionKeptUntil"], "2026-08-01");
    for month in ["2026-05-01", "2026-06-01", "2026-07-01", "2026-08-01"] {
        day(&app, month).await;
    }
    assert_eq!(
        isp.totals(&old).await,
        ["1000.00", "1000.00", "1400.00", "1400.00", "1400.00"]
    );
    assert_eq!(
        isp.totals(&new).await,
        ["1300.00", "1300.00", "1400.00", "1400.00", "1400.00"]
    );
    assert_eq!(
        isp.totals(&promised).await,
        ["1000.00", "1000.00", "1000.00", "1000.00", "1400.00"]
    );
    // Asked for by name, a service moves at once.
    isp.reprice(&plan, json!({ "price": "1500.00", "existingServices": "KEEP_VERSION" }))
        .await
        .done();
    let input = json!({ "id": old_service, "planId": plan, "timing": "NOW", "idempotencyKey": key() });
    let done = isp
        .mutate(
            "serviceChangePlan",
            input,
            "invoice { total { amount } } creditNote { total { amount } }",
        )
        .await
        .done();
    assert_eq!(
        (&done["creditNote"]["total"]["amount"], &done["invoice"]["total"]["amount"]),
        (&json!("1400.00"), &json!("1500.00"))
    );
    app.run_jobs().await;
}

#[tokio::test]
async fn a_version_that_does_not_count_yet_can_be_taken_back() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.bills(json!({ "dueDays": 300 })).await;
    let plan = isp.plan("home", json!({ "paymentMode": "POSTPAID" })).await;
    let (subscriber, service) = serve(&isp, &plan, "ravi").await;
    let changed = isp
        .reprice(&plan, json!({ "price": "1.00", "effectiveFrom": "2026-05-01" }))
        .await
        .done();
    let (first, second) = (&changed["plan"]["versions"][0], &changed["plan"]["versions"][1]);
    let withdraw = async |version: &Value| {
        isp.mutate(
            "planVersionWithdraw",
            json!({ "id": version["id"] }),
            "plan { version versions { withdrawnAt } }",
        )
        .await
    };
    assert_eq!(withdraw(first).await.refusals(), ["INVALID_STATE id"]);
    assert_eq!(isp.versions_of(&service).await, (json!(1), json!(2)));
    let done = withdraw(second).await.done();
    assert!(done["plan"]["versions"][1]["withdrawnAt"].is_string());
    assert_eq!(withdraw(second).await.refusals(), ["INVALID_STATE id"], "once");
    assert_eq!(isp.versions_of(&service).await, (json!(1), json!(1)));
    day(&app, "2026-05-01").await;
    assert_eq!(isp.totals(&subscriber).await, ["1000.00", "1000.00"]);
}

/// What was invoiced ahead by a version that is taken back stays; the periods after it are charged by the one that counts.
#[tokio::test]
async fn a_version_that_was_taken_back_is_charged_no_more() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.bills(json!({ "dueDays": 300, "renewalLeadDays": 5 })).await;
    let plan = isp.plan("home", json!({ "paymentMode": "POSTPAID" })).await;
    let (subscriber, service) = serve(&isp, &plan, "ravi").await;
    let (promised, promised_service) = serve(&isp, &plan, "meera").await;
    let changed = isp
        .reprice(&plan, json!({ "price": "1200.00", "effectiveFrom": "2026-05-01" }))
        .await
        .done();
    day(&app, "2026-04-28").await;
    let second = json!({ "id": changed["plan"]["versions"][1]["id"] });
    isp.mutate("planVersionWithdraw", second, "plan { id }").await.done();
    isp.keep(&promised_service, json!("2026-12-01")).await.done();
    assert_eq!(isp.versions_of(&service).await, (json!(1), json!(1)));
    day(&app, "2026-05-02").await;
    assert_eq!(
        isp.versions_of(&service).await,
        (json!(2), json!(1)),
        "May stays as it was invoiced"
    );
    for month in ["2026-06-01", "2026-07-01"] {
        day(&app, month).await;
    }
    for subscriber in [&subscriber, &promised] {
        assert_eq!(isp.totals(subscriber).await, ["1000.00", "1200.00", "1000.00", "1000.00"]);
    }
}

#[tokio::test]
async fn bad_days_are_refused_and_nothing_is_done() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    let plan = isp.plan("home", json!({})).await;
    let (_, service) = serve(&isp, &plan, "ravi").await;
    for (changes, refusal) in [
        (
            json!({ "price": "1.00", "effectiveFrom": "2026-03-31" }),
            "INVALID effectiveFrom",
        ),
        (
            json!({ "price": "1.00", "effectiveFrom": "2036-04-01" }),
            "INVALID effectiveFrom",
        ),
        (
            json!({ "price": "1000.00", "effectiveFrom": "2026-06-01" }),
            "INVALID effectiveFrom",
        ),
        (json!({ "price": "-1.00", "effectiveFrom": "2026-06-01" }), "INVALID price"),
    ] {
        assert_eq!(isp.reprice(&plan, changes.clone()).await.refusals(), [refusal], "{changes}");
    }
    for until in ["2026-04-01", "2040-01-01"] {
        assert_eq!(
            isp.keep(&service, json!(until)).await.refusals(),
            ["INVALID until"],
            "{until}"
        );
    }
    let versions = "query($id: ID!) { plan(id: $id) { version versions { number } } }";
    let plan_now = isp.gql(versions, json!({ "id": plan })).await.at("plan");
    assert_eq!(plan_now, json!({ "version": 1, "versions": [{ "number": 1 }] }));
    isp.mutate("planRetire", json!({ "id": plan }), "plan { id }").await.done();
    let retired = isp
        .reprice(&plan, json!({ "price": "1.00", "effectiveFrom": "2026-06-01" }))
        .await;
    assert_eq!(retired.refusals(), ["INVALID_STATE id"], "a change to a retired plan");
    app.run_jobs().await;
}
