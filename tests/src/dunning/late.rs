//! Runs that are interrupted, come late, or only look: nobody is cut whom the brake would have kept.

use chrono::NaiveDate;
use serde_json::json;
use trunkline_domain::DAILY_JOBS;
use trunkline_domain::jobs::schedule_daily;
use trunkline_domain::runs::billing_run::{self, RenewDue, RunPart};
use trunkline_domain::runs::{DunDue, Place};

use crate::harness::{Ask, TestApp};

impl TestApp {
    async fn texts(&self, sql: &str) -> Vec<String> {
        let role = &self.db.tenants.iter().find(|t| t.slug == "asha").expect("an ISP").role;
        let mut admin = self.db.admin().await;
        crate::harness::execute(&mut admin, format!("SET search_path = \"{role}\"")).await;
        sqlx::query_scalar(sqlx::AssertSqlSafe(sql.to_owned()))
            .fetch_all(&mut admin)
            .await
            .unwrap()
    }

    async fn close(&self, open_again: bool) {
        let platform = self.on_platform().as_platform_staff();
        let asha = "{ tenants(first: 20) { nodes { id slug } totalCount } }";
        let all = platform.gql(asha, json!({})).await.at("tenants.nodes");
        let id = all.as_array().unwrap().iter().find(|t| t["slug"] == "asha").unwrap()["id"].clone();
        match open_again {
            false => platform.mutate("tenantSuspend", json!({ "id": id, "reason": "unpaid" }), "tenant { id }"),
            true => platform.mutate("tenantResume", json!({ "id": id }), "tenant { id }"),
        }
        .await
        .done();
    }
}

/// So many prepaid services, their April paid.
async fn paid(app: &TestApp, isp: &Ask<'_>, services: usize) -> Vec<String> {
    let plan = isp.plan("home", json!({})).await;
    let mut all = Vec::new();
    for n in 0..services {
        let (subscriber, service) = isp.debtor(&plan, &format!("ravi-{n}")).await;
        isp.pay(&subscriber, "1000.00").await;
        all.push(service);
    }
    app.run_jobs().await;
    all
}

#[tokio::test]
async fn a_run_that_goes_on_after_days_asks_the_brake_again() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.duns(json!({ "brakeShare": "50", "brakeLeast": 3, "brakePrepaid": true }))
        .await;
    let services = paid(&app, &isp, 9).await;
    app.set_clock("2026-05-01T06:30:00Z").await;
    let db = app.tenant_db("asha").await;
    let date: NaiveDate = "2026-05-01".parse().unwrap();
    let (run, _) = db
        .write(async move |tx| billing_run::open(tx, date, false, Some(1)).await)
        .await
        .unwrap();
    let first = RunPart {
        run: run.id,
        from: Place::FIRST,
        together: Some(1),
        asked: None,
    };
    billing_run::run_part(&db, first).await.unwrap();
    let left = app.texts("SELECT status || ' ' || services_considered FROM billing_run WHERE billing_date = '2026-05-01'");
    assert_eq!(left.await, ["RUNNING 8"], "there is more to do");
    // Nobody works for three weeks: what was invoiced then is past its grace by now.
    app.set_clock("2026-05-25T06:30:00Z").await;
    app.app.worker.drain().await.unwrap();
    for service in &services {
        assert_eq!(isp.status(service).await, "GRACE");
    }
    let brakes = app.texts("SELECT first_on || ' ' || suspensions FROM dunning_brake").await;
    assert_eq!(brakes, ["2026-05-25 9"]);
    app.run_jobs().await;
}

#[tokio::test]
async fn a_dry_run_of_what_would_be_stopped_counts_what_the_run_then_does() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.bills(json!({ "lateFee": "50.00" })).await;
    let plan = isp.postpaid().await;
    for n in 0..3 {
        isp.debtor(&plan, &format!("ravi-{n}")).await;
    }
    app.run_jobs().await;
    app.set_clock("2026-04-19T06:30:00Z").await;
    let invoices = async |dry: bool| {
        let input = json!({ "dryRun": dry });
        let started = isp.mutate("billingRunStart", input, "billingRun { id }").await.done();
        app.app.worker.drain().await.unwrap();
        let query = "query($id: ID!) { billingRun(id: $id) { status invoicesIssued } }";
        let run = isp
            .gql(query, json!({ "id": started["billingRun"]["id"] }))
            .await
            .at("billingRun");
        assert_eq!(run["status"], "SUCCEEDED");
        run["invoicesIssued"].clone()
    };
    assert_eq!(invoices(true).await, 3, "a late fee for each who would go off");
    isp.duns(json!({ "brakeShare": "50", "brakeLeast": 3 })).await;
    assert_eq!(invoices(true).await, 0);
    assert_eq!(
        app.texts("SELECT id::text FROM dunning_brake").await.len(),
        0,
        "a dry run stops nothing"
    );
    assert_eq!(invoices(false).await, 0);
    assert_eq!(app.texts("SELECT id::text FROM dunning_brake").await.len(), 1);
    app.run_jobs().await;
}

#[tokio::test]
async fn while_the_platform_has_closed_an_isp_nothing_is_charged_and_nobody_cut() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.duns(json!({ "brakeShare": "50", "brakeLeast": 3 })).await;
    let plan = isp.postpaid().await;
    for n in 0..3 {
        isp.debtor(&plan, &format!("ravi-{n}")).await;
    }
    app.run_jobs().await;
    app.set_clock("2026-05-01T00:30:00Z").await;
    let started = isp.mutate("billingRunStart", json!({}), "billingRun { id }").await;
    started.done();
    schedule_daily(&app.app.database, DAILY_JOBS).await.unwrap();
    app.close(false).await;
    let state = "SELECT DISTINCT status || ' ' || (SELECT count(*) FROM invoice) FROM service";
    // Neither what was queued does anything, nor what looks again meanwhile.
    for now in ["2026-05-01T00:31:00Z", "2026-05-01T01:31:00Z"] {
        app.set_clock(now).await;
        app.run_jobs().await;
        assert_eq!(app.texts(state).await, ["ACTIVE 3"]);
    }
    let runs = app
        .texts("SELECT status FROM billing_run WHERE billing_date = '2026-05-01'")
        .await;
    assert_eq!(runs, ["CANCELLED"]);
    app.set_clock("2026-05-01T01:40:00Z").await;
    app.close(true).await;
    app.set_clock("2026-05-01T02:45:00Z").await;
    app.run_jobs().await;
    assert_eq!(
        app.texts(state).await,
        ["GRACE 6"],
        "the day's run is made up for, and braked"
    );
    let brakes = app.texts("SELECT first_on || ' ' || suspensions FROM dunning_brake").await;
    assert_eq!(brakes, ["2026-05-01 3"]);
    // Closed for days: those days have no run, and the first one after is the one of its own day.
    app.set_clock("2026-05-01T19:00:00Z").await;
    schedule_daily(&app.app.database, DAILY_JOBS).await.unwrap();
    app.close(false).await;
    app.run_jobs().await;
    app.set_clock("2026-05-05T06:30:00Z").await;
    app.run_jobs().await;
    app.close(true).await;
    app.run_jobs().await;
    let runs = app.texts("SELECT billing_date || ' ' || status FROM billing_run ORDER BY requested_at DESC LIMIT 2");
    assert_eq!(runs.await, ["2026-05-05 SUCCEEDED", "2026-05-01 SUCCEEDED"]);
}

/// The clock of the machine that takes the job up may be behind that of the one that found it due.
#[tokio::test]
async fn what_was_put_off_until_an_hour_begins_though_the_clock_steps_back() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.bills(json!({ "runHour": 9 })).await;
    let db = app.tenant_db("asha").await;
    app.set_clock("2026-04-02T03:29:59.000Z").await;
    let (date, hour, together) = ("2026-04-02".parse().unwrap(), Some(9), None);
    billing_run::renew_due(&db, RenewDue { date, together, hour }).await.unwrap();
    trunkline_domain::runs::dun(&db, DunDue { date, hour }).await.unwrap();
    assert_eq!(app.texts("SELECT billing_date::text FROM billing_run").await, ["2026-04-02"]);
    let waiting = "SELECT kind FROM platform.job WHERE kind IN ('billing.renew', 'dunning.remind')";
    assert_eq!(app.texts(waiting).await.len(), 0, "nothing waits for its own hour again");
    app.run_jobs().await;
}

/// Nobody's hours are charged while nobody is let in.
#[tokio::test]
async fn passes_of_a_closed_isp_use_up_no_credit() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    let plan = isp
        .plan("pass", json!({ "price": "50.00", "period": { "unit": "HOUR", "count": 1 } }))
        .await;
    let (subscriber, _) = isp.subscriber("ravi", json!({})).await;
    isp.pay(&subscriber, "500.00").await;
    isp.service(&subscriber, &plan, "ravi", json!({})).await;
    app.set_clock("2026-04-01T08:30:00Z").await;
    app.run_jobs().await;
    let before = isp.invoices_of(&subscriber).await.len();
    assert!(before > 1, "it is renewed while there is credit");
    app.close(false).await;
    for hour in 9..14 {
        app.set_clock(&format!("2026-04-01T{hour:02}:45:00Z")).await;
        app.run_jobs().await;
    }
    let issued = "SELECT number FROM invoice";
    assert_eq!(app.texts(issued).await.len(), before);
    app.close(true).await;
    app.set_clock("2026-04-01T15:00:00Z").await;
    app.run_jobs().await;
    assert_eq!(app.texts(issued).await.len(), before + 1, "from then on, not since");
}
