use serde_json::json;
use trunkline_domain::{dunning, runs};

use crate::harness::TestApp;

async fn told(app: &TestApp) -> Vec<(i32, i64)> {
    let role = &app.db.tenants.iter().find(|t| t.slug == "asha").unwrap().role;
    let sql = format!("SELECT days, count(*) FROM \"{role}\".dunning_notice GROUP BY 1 ORDER BY 1");
    sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .fetch_all(&mut app.db.admin().await)
        .await
        .unwrap()
}

#[tokio::test]
async fn each_step_is_told_once_and_nothing_that_is_no_longer_so() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.duns(json!({ "reminders": [7, -3, 1] })).await;
    let plan = isp.postpaid().await;
    let (ravi, _) = isp.debtor(&plan, "ravi").await;
    let (sita, _) = isp.debtor(&plan, "sita").await;
    let (_, _) = isp.debtor(&plan, "mohan").await;
    app.at_noon("2026-04-12").await;
    assert_eq!(told(&app).await, []);
    isp.pay(&sita, "1000.00").await;
    // Due on the 16th; the day on which it would have been said is left out.
    app.at_noon("2026-04-14").await;
    app.run_jobs().await;
    assert_eq!(told(&app).await, [(-3, 2)], "not of what is paid");
    isp.promise(&ravi, "2026-04-20").await.done();
    app.at_noon("2026-04-18").await;
    assert_eq!(told(&app).await, [(-3, 2), (1, 1)], "not of what is promised");
    app.at_noon("2026-05-02").await;
    assert_eq!(
        told(&app).await,
        [(-3, 2), (1, 1)],
        "a week after the last step, and a week late, nothing is said"
    );
}

/// Two looks at once and the same again: one event for an invoice and step.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_looks_at_once_tell_once() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    let plan = isp.postpaid().await;
    for n in 0..5 {
        isp.debtor(&plan, &format!("ravi-{n}")).await;
    }
    app.run_jobs().await;
    app.set_clock("2026-04-17T06:30:00Z").await;
    let db = app.tenant_db("asha").await;
    let date = "2026-04-17".parse().unwrap();
    let today = || runs::DunDue { date, hour: None };
    let (one, two) = tokio::join!(runs::dun(&db, today()), runs::dun(&db, today()));
    one.unwrap();
    two.unwrap();
    runs::dun(&db, today()).await.unwrap();
    db.write(async |tx| dunning::remind(tx, None, 500).await).await.unwrap();
    let events: i64 = sqlx::query_scalar("SELECT count(*) FROM platform.outbox WHERE kind = 'InvoiceReminderDue'")
        .fetch_one(&mut app.db.admin().await)
        .await
        .unwrap();
    assert_eq!((events, told(&app).await), (5, vec![(1, 5)]));
    app.run_jobs().await;
}
