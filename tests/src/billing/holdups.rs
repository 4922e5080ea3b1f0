//! One service that something is wrong with holds up neither the run, nor its payer's other services, nor what staff ask for.

use std::time::Duration;

use serde_json::{Value, json};
use sqlx::Connection as _;

use crate::harness::{Ask, TestApp};

impl TestApp {
    /// As left behind by tax rules that lost a code.
    async fn lose_tax_code(&self, plan: &str) {
        let sql =
            format!("UPDATE plan_version SET tax_code = 'no-such' WHERE plan_id = (SELECT id FROM plan WHERE code = '{plan}')");
        assert_eq!(self.in_schema("asha", &sql).await, 1);
    }

    /// From now on nothing about the service can be written.
    async fn break_service(&self, service: &str) {
        let id = service.trim_start_matches("service_");
        let sql = format!("ALTER TABLE service ADD CONSTRAINT broken CHECK (id <> '{id}') NOT VALID");
        self.in_schema("asha", &sql).await;
    }

    async fn mend_service(&self) {
        self.in_schema("asha", "ALTER TABLE service DROP CONSTRAINT broken").await;
    }

    /// What was left behind for handlers is lost: they failed until they were given up.
    async fn lose_events(&self) {
        crate::harness::execute(&mut self.db.admin().await, "DELETE FROM platform.outbox".to_owned()).await;
    }
}

impl Ask<'_> {
    /// The newest run's failures, each its user name, its code, and whether it is resolved.
    async fn failures(&self) -> Vec<(String, String, bool)> {
        let query =
            "{ billingRuns(first: 1) { nodes { failures { nodes { service { username } code resolvedAt } totalCount } } } }";
        let found = self.gql(query, json!({})).await.at("billingRuns.nodes.0.failures.nodes");
        let text = |v: &Value| v.as_str().unwrap().to_owned();
        let one = |f: &Value| (text(&f["service"]["username"]), text(&f["code"]), f["resolvedAt"].is_string());
        found.as_array().unwrap().iter().map(one).collect()
    }
}

fn named(username: &str, code: &str) -> Vec<(String, String, bool)> {
    vec![(username.to_owned(), code.to_owned(), false)]
}

#[tokio::test]
async fn prepaid_time_that_cannot_be_priced_stops_no_run_though_there_is_credit() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    let odd = isp.first_subscriber("odd").await;
    isp.pay(&odd.subscriber, "1700.00").await;
    let plan = isp.postpaid().await;
    let (_, debtor) = isp.debtor(&plan, "ravi").await;
    app.run_jobs().await;
    app.lose_tax_code("plan-odd").await;
    // Its time and its grace are over, and there is credit that might renew it.
    app.at_noon("2026-05-05").await;
    assert_eq!(isp.status(&debtor).await, "SUSPENDED ARREARS", "the run went on");
    assert_eq!(isp.failures().await, named("odd", "INVALID_STATE"));
    let query = "{ dunningPreview(first: 10) { cuts { nodes { service { id } } totalCount } } }";
    let ahead = isp.gql(query, json!({})).await.at("dunningPreview.cuts");
    assert_eq!(
        ahead,
        json!({ "nodes": [{ "service": { "id": odd.service } }], "totalCount": 1 })
    );
}

#[tokio::test]
async fn a_payers_other_services_come_back_though_one_cannot() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    app.settings("asha", "prepaid_renewal = 'WHEN_COVERED'").await;
    let first = isp.first_subscriber("odd").await;
    let (second, _) = isp.service(&first.subscriber, &first.plan, "ravi", json!({})).await;
    let second = crate::harness::id(&second);
    isp.pay(&first.subscriber, "2000.00").await;
    app.run_jobs().await;
    app.at_noon("2026-05-05").await;
    for service in [&first.service, &second] {
        assert_eq!(isp.status(service).await, "SUSPENDED EXPIRED");
    }
    app.break_service(&first.service).await;
    isp.pay(&first.subscriber, "2000.00").await;
    app.run_jobs().await;
    assert_eq!(isp.status(&second).await, "ACTIVE");
    assert_eq!(isp.failures().await, named("odd", "INTERNAL"));
    // Its job is tried again, and given up in the end; the next day's run does what it could not.
    app.in_schema("asha", "DELETE FROM platform.job WHERE kind LIKE 'settlement.%'")
        .await;
    app.mend_service().await;
    app.at_noon("2026-05-06").await;
    assert_eq!(isp.status(&first.service).await, "ACTIVE");
    assert_eq!(isp.failures().await, []);
}

#[tokio::test]
async fn what_a_handler_left_undone_the_next_run_does() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    app.settings("asha", "prepaid_renewal = 'WHEN_COVERED'").await;
    let plan = isp.postpaid().await;
    let (debtor, in_arrears) = isp.debtor(&plan, "ravi").await;
    let late = isp.first_subscriber("late").await;
    let over = isp.first_subscriber("over").await;
    isp.pay(&over.subscriber, &over.total).await;
    app.at_noon("2026-04-20").await;
    isp.pay(&debtor, "1000.00").await;
    isp.pay(&late.subscriber, "1000.00").await;
    app.lose_events().await;
    app.run_jobs().await;
    assert_eq!(
        isp.status(&in_arrears).await,
        "SUSPENDED ARREARS",
        "nobody has heard of the money"
    );
    assert_eq!(isp.status(&late.service).await, "SUSPENDED EXPIRED");
    app.at_noon("2026-04-21").await;
    assert_eq!(isp.status(&in_arrears).await, "ACTIVE");
    assert_eq!(isp.status(&late.service).await, "ACTIVE");
    app.at_noon("2026-05-05").await;
    isp.pay(&over.subscriber, "1000.00").await;
    app.lose_events().await;
    app.run_jobs().await;
    assert_eq!(isp.status(&over.service).await, "SUSPENDED EXPIRED");
    app.at_noon("2026-05-06").await;
    assert_eq!(isp.status(&over.service).await, "ACTIVE");
}

#[tokio::test]
async fn what_was_held_up_is_made_up_for_though_one_service_fails() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    let plan = isp.postpaid().await;
    let mut debtors = Vec::new();
    for name in ["odd", "ravi", "sita"] {
        debtors.push(isp.debtor(&plan, name).await.1);
    }
    let hold = json!({ "reason": "Somebody looks", "until": "2026-04-25T00:00:00Z", "idempotencyKey": crate::harness::key() });
    let held = isp.mutate("collectionHoldCreate", hold, "hold { id }").await.done();
    app.at_noon("2026-04-19").await;
    app.break_service(&debtors[0]).await;
    isp.mutate("collectionHoldRelease", json!({ "id": held["hold"]["id"] }), "hold { id }")
        .await
        .done();
    app.run_jobs().await;
    for service in &debtors[1..] {
        assert_eq!(isp.status(service).await, "SUSPENDED ARREARS");
    }
    assert_eq!(isp.status(&debtors[0]).await, "GRACE");
    assert_eq!(isp.failures().await, named("odd", "INTERNAL"));
    app.mend_service().await;
    app.at_noon("2026-04-20").await;
    assert_eq!(isp.status(&debtors[0]).await, "SUSPENDED ARREARS");
}

#[tokio::test]
async fn other_days_of_grace_reach_everybody_though_one_service_fails() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    let plan = isp.postpaid().await;
    let mut debtors = Vec::new();
    for name in ["odd", "ravi", "sita"] {
        debtors.push(isp.debtor(&plan, name).await.1);
    }
    app.at_noon("2026-04-17").await;
    app.break_service(&debtors[0]).await;
    isp.bills(json!({ "graceDays": 1 })).await;
    app.run_jobs().await;
    for service in &debtors[1..] {
        assert_eq!(isp.status(service).await, "SUSPENDED ARREARS");
    }
    assert_eq!(isp.failures().await, named("odd", "INTERNAL"));
    app.mend_service().await;
}

/// Credit that two give each other is locked in the order of their ids, which a look at services does not know.
#[tokio::test]
async fn a_preview_waits_for_nobody() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    let covered = isp.first_subscriber("gita").await;
    isp.pay(&covered.subscriber, "2000.00").await;
    app.run_jobs().await;
    let role = app.db.tenants.iter().find(|t| t.slug == "asha").unwrap().role.clone();
    let mut admin = app.db.admin().await;
    let mut other = admin.begin().await.unwrap();
    crate::harness::execute(&mut other, format!("SELECT FROM \"{role}\".subscriber FOR UPDATE")).await;
    let query = "{ dunningPreview(date: \"2026-05-05\", first: 10) { cuts { nodes { service { id } } totalCount } } }";
    let ahead = tokio::time::timeout(Duration::from_secs(20), isp.gql(query, json!({})));
    let ahead = ahead.await.expect("an answer").at("dunningPreview.cuts");
    assert_eq!(ahead["totalCount"], 0, "its credit renews it: {ahead}");
    other.rollback().await.unwrap();
}
