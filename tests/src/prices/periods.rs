//! Periods of every length that a plan may have.

use serde_json::{Value, json};

use super::day;
use crate::harness::{TestApp, id};

/// Three periods of each length, from the first of April on and charged when they begin.
#[tokio::test]
async fn days_weeks_months_and_years_follow_one_another() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.bills(json!({ "dueDays": 365 })).await;
    let mut subscribers = Vec::new();
    let lengths = [
        ("DAY", 30, ["2026-04-30", "2026-05-30", "2026-06-29"]),
        ("WEEK", 5, ["2026-05-05", "2026-06-09", "2026-07-14"]),
        ("MONTH", 3, ["2026-06-30", "2026-09-30", "2026-12-31"]),
        ("YEAR", 1, ["2027-03-31", "2028-03-31", "2029-03-31"]),
    ];
    for (unit, count, _) in &lengths {
        let plan = json!({ "paymentMode": "POSTPAID", "period": { "unit": unit, "count": count } });
        let plan = isp.plan(unit, plan).await;
        let (subscriber, _) = isp.subscriber(unit, json!({})).await;
        isp.service(&subscriber, &plan, unit, json!({})).await;
        // Nobody is suspended for what is unpaid.
        isp.pay(&subscriber, "50000.00").await;
        subscribers.push(subscriber);
    }
    day(&app, "2028-04-02").await;
    for ((unit, _, last_days), subscriber) in lengths.iter().zip(&subscribers) {
        let lines = isp.lines_of(subscriber).await.concat();
        for (line, last) in lines.iter().zip(last_days) {
            assert!(line.ends_with(&format!("to {last}: 1000.00")), "{unit}: {line}");
        }
        assert!(lines.len() >= 3, "{unit}: {lines:?}");
    }
}

#[tokio::test]
async fn hours_are_charged_by_the_instant() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    let pass = json!({ "kind": "HOTSPOT", "period": { "unit": "HOUR", "count": 36 } });
    let plan = isp.plan("pass", pass).await;
    let (subscriber, _) = isp.subscriber("Ravi", json!({})).await;
    let (service, _) = isp.service(&subscriber, &plan, "ravi", json!({})).await;
    let state = isp.state(&id(&service)).await;
    let at = |name: &str| {
        state[name]
            .as_str()
            .unwrap()
            .parse::<chrono::DateTime<chrono::Utc>>()
            .unwrap()
    };
    assert_eq!(at("periodEndsAt") - at("periodStartsAt"), chrono::TimeDelta::hours(36));
    app.run_jobs().await;
    let postpaid = json!({ "code": "hours", "name": "Hours", "paymentMode": "POSTPAID", "price": "1.00", "period": { "unit": "HOUR", "count": 1 } });
    let refused = isp.mutate("planCreate", postpaid, "plan { id }").await;
    assert_eq!(refused.refusals(), ["INVALID period.unit"]);
    let bad = json!({ "code": "bad", "name": "Bad", "paymentMode": "PREPAID", "price": "1.00" });
    for count in [0, -1, 367] {
        let mut input: Value = bad.clone();
        input["period"] = json!({ "unit": "DAY", "count": count });
        let refused = isp.mutate("planCreate", input, "plan { id }").await;
        assert_eq!(refused.refusals(), ["INVALID period.count"], "{count}");
    }
}
