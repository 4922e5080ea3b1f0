//! Billing runs through the API: what they tell of themselves, whom they name, and what a dry run leaves behind.

use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use crate::harness::{Ask, TestApp};
use crate::isolation::world::fingerprint;

const RUN: &str = "billingRun { id billingDate dryRun status startedAt finishedAt servicesDue servicesConsidered invoicesIssued
    total { amount currency } failures { totalCount nodes { service { username } code message failedAt resolvedAt } } }";

impl Ask<'_> {
    async fn start_run(&self, input: Value) -> Value {
        self.mutate("billingRunStart", input, RUN).await.done()["billingRun"].clone()
    }

    async fn run_now(&self, run: &Value) -> Value {
        let query = format!(
            "query($id: ID!) {{ {} }}",
            RUN.replacen("billingRun", "billingRun(id: $id)", 1)
        );
        self.gql(&query, json!({ "id": run["id"] })).await.at("billingRun")
    }
}

/// Postpaid services that were activated on the first of April, on the first of May.
async fn open(app: &TestApp, services: usize) -> Ask<'_> {
    let isp = app.on("asha").as_owner();
    isp.register_for_gst().await;
    app.settings("asha", "due_days = 60").await;
    let plan = isp.plan("home", json!({ "paymentMode": "POSTPAID" })).await;
    for n in 0..services {
        let (subscriber, _) = isp.subscriber("Ravi", json!({})).await;
        isp.service(&subscriber, &plan, &format!("ravi-{n}"), json!({})).await;
    }
    app.run_jobs().await;
    app.set_clock("2026-05-01T04:30:00Z").await;
    isp
}

async fn count(app: &TestApp, table: &str) -> i64 {
    let tenant = &app.db.tenants[0];
    let sql = format!("SELECT count(*) FROM \"{}\".{table}", tenant.role);
    sqlx::query_scalar(AssertSqlSafe(sql))
        .fetch_one(&mut app.db.admin().await)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_run_tells_what_it_did_and_the_same_date_again_issues_nothing() {
    let app = TestApp::new().await;
    let isp = open(&app, 3).await;
    let queued = isp.start_run(json!({})).await;
    assert_eq!(
        (&queued["status"], &queued["billingDate"]),
        (&json!("QUEUED"), &json!("2026-05-01"))
    );
    let again = isp.start_run(json!({ "billingDate": "2026-05-01" })).await;
    assert_eq!(again["id"], queued["id"], "one of a date is under way");
    app.app.worker.drain().await.unwrap();
    let done = isp.run_now(&queued).await;
    let figures = ["status", "servicesDue", "servicesConsidered", "invoicesIssued"].map(|f| done[f].clone());
    assert_eq!(figures, [json!("SUCCEEDED"), json!(3), json!(3), json!(3)]);
    assert_eq!(done["total"], json!({ "amount": "3540.00", "currency": "INR" }));
    assert!(done["startedAt"].is_string() && done["finishedAt"].is_string(), "{done}");
    assert_eq!(count(&app, "invoice").await, 6);

    let later = isp.start_run(json!({ "billingDate": "2026-05-01" })).await;
    assert_ne!(later["id"], done["id"]);
    app.app.worker.drain().await.unwrap();
    let later = isp.run_now(&later).await;
    assert_eq!((&later["status"], &later["invoicesIssued"]), (&json!("SUCCEEDED"), &json!(0)));
    assert_eq!(count(&app, "invoice").await, 6);

    // Last night's run is among them.
    app.set_clock("2026-05-02T04:30:00Z").await;
    app.run_jobs().await;
    let answer = isp
        .gql(
            "{ billingRuns(first: 2) { totalCount pageInfo { hasNextPage endCursor } nodes { billingDate status } } }",
            json!({}),
        )
        .await;
    let newest = [
        json!({ "billingDate": "2026-05-02", "status": "SUCCEEDED" }),
        json!({ "billingDate": "2026-05-01", "status": "SUCCEEDED" }),
    ];
    assert_eq!(answer.at("billingRuns.nodes"), json!(newest));
    assert_eq!(
        answer.at("billingRuns.totalCount"),
        4,
        "two by hand, those of the first of April and the second of May"
    );
    let cursor = answer.at("billingRuns.pageInfo.endCursor");
    let rest = isp
        .gql(
            "query($after: String) { billingRuns(first: 2, after: $after) { nodes { id } } }",
            json!({ "after": cursor }),
        )
        .await;
    assert_eq!(rest.at("billingRuns.nodes").as_array().unwrap().len(), 2);
    assert_eq!(rest.at("billingRuns.nodes.0.id"), done["id"]);
}

#[tokio::test]
async fn a_dry_run_counts_what_a_run_would_issue_and_writes_nothing() {
    let app = TestApp::new().await;
    let isp = open(&app, 4).await;
    // One goes off for its debt and is charged for having been late, which is done to it alone.
    let plan = isp.plan("debt", json!({ "paymentMode": "POSTPAID" })).await;
    let (debtor, _) = isp.subscriber("Mala", json!({})).await;
    isp.service(&debtor, &plan, "mala", json!({})).await;
    app.settings("asha", "late_fee = 50, due_days = 1, grace_days = 1").await;
    let (late, _) = isp.subscriber("Late", json!({})).await;
    isp.service(&late, &plan, "late", json!({})).await;
    app.run_jobs().await;
    app.set_clock("2026-05-04T04:30:00Z").await;
    let tenant = app.db.tenants[0].clone();
    let mut admin = app.db.admin().await;
    let dry = isp.start_run(json!({ "dryRun": true })).await;
    let before = written(&fingerprint(&mut admin, &tenant).await);
    app.app.worker.drain().await.unwrap();
    assert_eq!(
        written(&fingerprint(&mut admin, &tenant).await),
        before,
        "nothing but the run itself"
    );
    let dry = isp.run_now(&dry).await;
    assert_eq!((&dry["dryRun"], &dry["status"]), (&json!(true), &json!("SUCCEEDED")));

    let run = isp.start_run(json!({})).await;
    assert_ne!(run["id"], dry["id"]);
    app.app.worker.drain().await.unwrap();
    let run = isp.run_now(&run).await;
    for figure in ["servicesDue", "servicesConsidered", "invoicesIssued", "total"] {
        assert_eq!(dry[figure], run[figure], "{figure}");
    }
    assert!(run["invoicesIssued"].as_i64() > Some(0), "{run}");
    app.run_jobs().await;
}

/// All that an ISP has but its runs, and what the machinery of jobs keeps.
fn written(all: &[(String, String)]) -> Vec<(String, String)> {
    let machinery = ["billing_run", "platform.job", "platform.job_fired", "platform.outbox"];
    let kept = all.iter().filter(|(table, _)| !machinery.iter().any(|m| table.ends_with(m)));
    kept.cloned().collect()
}

#[tokio::test]
async fn a_service_that_cannot_be_priced_is_named_and_the_rest_are_billed_until_it_is_mended() {
    let app = TestApp::new().await;
    let isp = open(&app, 3).await;
    let tenant = app.db.tenants[0].clone();
    let plan = isp.plan("odd", json!({ "paymentMode": "POSTPAID" })).await;
    let (odd, _) = isp.subscriber("Odd", json!({})).await;
    isp.service(&odd, &plan, "odd", json!({})).await;
    let tax_code = async |code: &str| {
        // As left behind by tax rules that lost a code.
        let sql = format!(
            "UPDATE \"{}\".plan_version SET tax_code = {code} WHERE plan_id = (SELECT id FROM \"{0}\".plan WHERE code = 'odd')",
            tenant.role
        );
        let done = sqlx::query(AssertSqlSafe(sql))
            .execute(&mut app.db.admin().await)
            .await
            .unwrap();
        assert_eq!(done.rows_affected(), 1);
    };
    tax_code("'no-such'").await;
    app.set_clock("2026-06-01T04:30:00Z").await;
    let run = isp.start_run(json!({})).await;
    app.app.worker.drain().await.unwrap();
    let run = isp.run_now(&run).await;
    assert_eq!((&run["status"], &run["servicesConsidered"]), (&json!("SUCCEEDED"), &json!(4)));
    assert_eq!(run["invoicesIssued"], 6, "two periods of the three others");
    let failure = run["failures"]["nodes"][0].clone();
    assert_eq!(run["failures"]["totalCount"], 1);
    assert_eq!(
        (&failure["service"]["username"], &failure["code"]),
        (&json!("odd"), &json!("INVALID_STATE"))
    );
    let message = failure["message"].as_str().unwrap();
    assert!(message.contains("odd") && message.contains("no-such"), "{message}");
    assert!(failure["resolvedAt"].is_null());

    tax_code("NULL").await;
    let second = isp.start_run(json!({})).await;
    app.app.worker.drain().await.unwrap();
    let second = isp.run_now(&second).await;
    assert_eq!(
        (&second["invoicesIssued"], &second["failures"]["totalCount"]),
        (&json!(1), &json!(0))
    );
    let first = isp.run_now(&run).await;
    assert!(first["failures"]["nodes"][0]["resolvedAt"].is_string(), "{first}");
    app.run_jobs().await;
}

#[tokio::test]
async fn of_a_batch_whose_time_is_charged_already_the_others_are_billed() {
    let app = TestApp::new().await;
    let isp = open(&app, 3).await;
    // Something else has charged a day of May, which only the constraint knows: under the run's own read, its period is free.
    let tenant = &app.db.tenants[0];
    let sql = format!(
        "UPDATE \"{0}\".service SET billed_until = billed_until - interval '1 day' WHERE username = 'ravi-1'",
        tenant.role
    );
    sqlx::query(AssertSqlSafe(sql))
        .execute(&mut app.db.admin().await)
        .await
        .unwrap();
    let run = isp.start_run(json!({})).await;
    app.app.worker.drain().await.unwrap();
    let run = isp.run_now(&run).await;
    assert_eq!(
        (&run["invoicesIssued"], &run["failures"]["totalCount"]),
        (&json!(2), &json!(1))
    );
    let failure = &run["failures"]["nodes"][0];
    assert_eq!(
        (&failure["service"]["username"], &failure["code"]),
        (&json!("ravi-1"), &json!("CONFLICT"))
    );
}

#[tokio::test]
async fn a_day_to_come_is_refused_and_staff_without_the_right_start_nothing() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    let refused = isp
        .mutate("billingRunStart", json!({ "billingDate": "2099-01-01" }), "billingRun { id }")
        .await;
    assert_eq!(refused.refusals(), ["INVALID billingDate"]);
    let long_ago = isp.start_run(json!({ "billingDate": "1999-01-01" })).await;
    app.app.worker.drain().await.unwrap();
    assert_eq!(isp.run_now(&long_ago).await["invoicesIssued"], 0);
    let odd = isp
        .mutate("billingRunStart", json!({ "billingDate": "2026-02-30" }), "billingRun { id }")
        .await;
    assert!(odd.code().is_some());
    let first = app.on("asha").as_owner().first_subscriber("ravi").await;
    let nobody = isp
        .gql(
            "query($id: ID!) { billingRun(id: $id) { id } }",
            json!({ "id": first.service }),
        )
        .await;
    assert!(nobody.at("billingRun").is_null());
    app.run_jobs().await;
}

/// A payer's credit is spent once, whatever shares a transaction: the first of its services takes it.
#[tokio::test]
async fn credit_in_hand_is_spent_once_in_a_batch() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    let plan = isp.plan("home", json!({ "paymentMode": "POSTPAID" })).await;
    let (payer, _) = isp.subscriber("Ravi", json!({})).await;
    for n in 0..3 {
        isp.service(&payer, &plan, &format!("ravi-{n}"), json!({})).await;
    }
    // Three invoices of 1,000 for April, and 1,500 beyond.
    isp.pay(&payer, "4500.00").await;
    app.run_jobs().await;
    app.set_clock("2026-05-01T04:30:00Z").await;
    app.run_jobs().await;
    let answer = isp
        .gql(
            "query($id: ID!) { subscriber(id: $id) { balance { amount } invoices(first: 3) { nodes { status amountDue { amount } } } } }",
            json!({ "id": payer }),
        )
        .await;
    let due = answer.at("subscriber.invoices.nodes");
    let mut due: Vec<String> = (due.as_array().unwrap().iter())
        .map(|i| {
            format!(
                "{} {}",
                i["status"].as_str().unwrap(),
                i["amountDue"]["amount"].as_str().unwrap()
            )
        })
        .collect();
    due.sort();
    assert_eq!(due, ["ISSUED 1000.00", "PAID 0.00", "PARTIALLY_PAID 500.00"]);
    assert_eq!(answer.at("subscriber.balance.amount"), "1500.00");
}
