use std::sync::Arc;

use serde_json::json;
use trunkline_domain::Actor;
use trunkline_domain::kernel::db::TenantDb;
use trunkline_domain::runs::Place;
use trunkline_domain::runs::billing_run::{self, RunPart};

use super::bench::kolkata;
use crate::harness::{TestApp, id, key};

/// Golden IN-09, the template's three days of grace instead of five: due on 1 May, off from 4 May at midnight, on again
/// when paid, and the days without service are not given back.
#[tokio::test]
async fn an_unpaid_renewal_is_served_in_grace_then_not_and_again_when_paid() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    let first = isp.first_subscriber("ravi").await;
    isp.pay(&first.subscriber, &first.total).await;
    app.run_jobs().await;
    let course = [
        ("2026-04-30T18:00:00Z", "ACTIVE", "active"),
        ("2026-04-30T18:31:00Z", "GRACE", "active"),
        ("2026-05-03T18:00:00Z", "GRACE", "active"),
        ("2026-05-03T18:31:00Z", "SUSPENDED EXPIRED", "expired"),
        ("2026-05-20T10:00:00Z", "SUSPENDED EXPIRED", "expired"),
    ];
    for (now, status, account) in course {
        app.set_clock(now).await;
        app.run_jobs().await;
        assert_eq!(isp.status(&first.service).await, status, "{now}");
        let told = app.account("asha", "ravi").await;
        assert_eq!(told, format!("{account} 2026-05-03 18:30"), "{now}");
    }
    assert_eq!(
        isp.invoices_of(&first.subscriber).await.len(),
        2,
        "not renewed while it is off"
    );
    isp.pay(&first.subscriber, &first.total).await;
    app.run_jobs().await;
    let state = isp.state(&first.service).await;
    assert_eq!(
        (&state["status"], &state["paidUntil"]),
        (&json!("ACTIVE"), &json!(kolkata("2026-06-01")))
    );
    assert_eq!(state["nextBillingDate"], "2026-06-01");
    assert_eq!(app.account("asha", "ravi").await, "active 2026-06-03 18:30");
}

/// A service that began again on the 31st ends its periods with the months, shifted suspensions or not.
#[tokio::test]
async fn what_begins_again_keeps_its_own_anchor() {
    for activation in ["ON_CREATE", "ON_PAYMENT"] {
        let app = TestApp::new().await;
        let isp = app.on("asha").as_owner();
        let version = isp
            .gql("{ billingSettings { version } }", json!({}))
            .await
            .at("billingSettings.version");
        let input = json!({ "expectedVersion": version, "activation": activation, "prepaidRenewal": "WHEN_COVERED",
            "suspensionCredit": "SHIFT_PERIOD" });
        isp.mutate("billingSettingsUpdate", input, "settings { version }")
            .await
            .done();
        let first = isp.first_subscriber("ravi").await;
        isp.pay(&first.subscriber, &first.total).await;
        app.run_jobs().await;
        app.set_clock("2026-05-10T06:00:00Z").await;
        app.run_jobs().await;
        assert_eq!(isp.status(&first.service).await, "SUSPENDED EXPIRED", "{activation}");
        for (now, paid_until) in [("2026-05-31T06:00:00Z", "2026-06-30"), ("2026-06-30T06:00:00Z", "2026-07-31")] {
            app.set_clock(now).await;
            isp.pay(&first.subscriber, &first.total).await;
            app.run_jobs().await;
            let state = isp.state(&first.service).await;
            assert_eq!(
                (&state["status"], &state["paidUntil"]),
                (&json!("ACTIVE"), &json!(kolkata(paid_until))),
                "{activation} {now}"
            );
        }
    }
}

/// Golden IN-10, by a run that comes months late: every period from the original anchor, each once.
#[tokio::test]
async fn a_late_run_catches_up_from_the_original_anchor() {
    let app = TestApp::new().await;
    app.set_clock("2027-12-31T04:30:00Z").await;
    app.settings("asha", "due_days = 365").await;
    let isp = app.on("asha").as_owner();
    let plan = isp.plan("home", json!({ "paymentMode": "POSTPAID" })).await;
    let (subscriber, _) = isp.subscriber("Ravi", json!({})).await;
    let (service, _) = isp.service(&subscriber, &plan, "ravi", json!({})).await;
    app.run_jobs().await;
    app.set_clock("2028-05-30T04:30:00Z").await;
    app.run_jobs().await;
    let boundaries = [
        "2027-12-31",
        "2028-01-31",
        "2028-02-29",
        "2028-03-31",
        "2028-04-30",
        "2028-05-31",
    ];
    let expected: Vec<String> = boundaries
        .windows(2)
        .map(|p| format!("ISSUED 1000.00: {} {}", kolkata(p[0]), kolkata(p[1])))
        .collect();
    assert_eq!(isp.invoices_of(&subscriber).await, expected);
    let state = isp.state(&id(&service)).await;
    assert_eq!(
        (&state["status"], &state["nextBillingDate"]),
        (&json!("ACTIVE"), &json!("2028-05-31"))
    );
    assert_eq!(state["periodStartsAt"], kolkata("2028-04-30"));
    app.run_jobs().await;
    assert_eq!(
        isp.invoices_of(&subscriber).await,
        expected,
        "running it again charges nothing twice"
    );
}

#[tokio::test]
async fn a_postpaid_debtor_is_blocked_after_due_date_and_grace_and_back_when_paid() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    let plan = isp.plan("home", json!({ "paymentMode": "POSTPAID" })).await;
    let (subscriber, _) = isp.subscriber("Ravi", json!({})).await;
    let (service, _) = isp.service(&subscriber, &plan, "ravi", json!({})).await;
    let service = id(&service);
    // Due on the 16th, grace until the 19th at midnight.
    for (now, status, account) in [
        ("2026-04-16T10:00:00Z", "ACTIVE", "active -"),
        ("2026-04-17T10:00:00Z", "GRACE", "active -"),
        ("2026-04-18T10:00:00Z", "GRACE", "active -"),
        ("2026-04-19T10:00:00Z", "SUSPENDED ARREARS", "suspended -"),
        ("2026-06-10T10:00:00Z", "SUSPENDED ARREARS", "suspended -"),
    ] {
        app.set_clock(now).await;
        app.run_jobs().await;
        assert_eq!(isp.status(&service).await, status, "{now}");
        assert_eq!(app.account("asha", "ravi").await, account, "{now}");
    }
    isp.pay(&subscriber, "1000.00").await;
    app.run_jobs().await;
    assert_eq!(isp.status(&service).await, "ACTIVE");
    // May was neither used nor invoiced; June is charged from the day it came back: 21 of 30 days.
    app.set_clock("2026-06-11T10:00:00Z").await;
    app.run_jobs().await;
    let line = format!("ISSUED 700.00: {} {}", kolkata("2026-06-10"), kolkata("2026-07-01"));
    assert_eq!(isp.invoices_of(&subscriber).await[1..], [line]);
}

#[tokio::test]
async fn when_covered_a_renewal_needs_credit_in_hand() {
    let app = TestApp::new().await;
    app.settings("asha", "prepaid_renewal = 'WHEN_COVERED'").await;
    let isp = app.on("asha").as_owner();
    let first = isp.first_subscriber("ravi").await;
    isp.pay(&first.subscriber, "2000.00").await;
    app.run_jobs().await;
    app.set_clock("2026-05-01T10:00:00Z").await;
    app.run_jobs().await;
    assert_eq!(
        isp.state(&first.service).await["paidUntil"],
        kolkata("2026-06-01"),
        "renewed by the surplus"
    );
    app.set_clock("2026-06-02T10:00:00Z").await;
    app.run_jobs().await;
    assert_eq!(isp.status(&first.service).await, "GRACE");
    app.set_clock("2026-06-20T10:00:00Z").await;
    app.run_jobs().await;
    assert_eq!(isp.status(&first.service).await, "SUSPENDED EXPIRED");
    assert_eq!(
        isp.invoices_of(&first.subscriber).await.len(),
        2,
        "nothing is invoiced that credit does not cover"
    );
    isp.pay(&first.subscriber, "999.99").await;
    app.run_jobs().await;
    assert_eq!(isp.status(&first.service).await, "SUSPENDED EXPIRED");
    isp.pay(&first.subscriber, "0.01").await;
    app.run_jobs().await;
    // Days without service are not charged: it begins anew on the day of the payment.
    let state = isp.state(&first.service).await;
    assert_eq!(
        (&state["status"], &state["paidUntil"]),
        (&json!("ACTIVE"), &json!(kolkata("2026-07-20")))
    );
}

#[tokio::test]
async fn paid_only_when_its_time_was_over_it_is_invoiced_anew_from_that_day() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    let first = isp.first_subscriber("ravi").await;
    app.set_clock("2026-06-20T10:00:00Z").await;
    app.run_jobs().await;
    assert_eq!(isp.status(&first.service).await, "SUSPENDED EXPIRED");
    isp.pay(&first.subscriber, &first.total).await;
    app.run_jobs().await;
    let state = isp.state(&first.service).await;
    assert_eq!(state["status"], "ACTIVE");
    assert_eq!(state["nextBillingDate"], "2026-07-20");
    let line = format!("ISSUED 1000.00: {} {}", kolkata("2026-06-20"), kolkata("2026-07-20"));
    assert_eq!(isp.invoices_of(&first.subscriber).await[1..], [line]);
    assert_eq!(app.account("asha", "ravi").await, "active 2026-06-22 18:30");
}

#[tokio::test]
async fn a_pass_of_one_hour_ends_with_its_hour_and_is_not_renewed_on_credit() {
    let app = TestApp::new().await;
    let isp = app.on("baraka").as_owner();
    let hour = json!({ "kind": "HOTSPOT", "price": "20.00", "period": { "unit": "HOUR", "count": 1 } });
    let plan = isp.plan("one-hour", hour).await;
    let (subscriber, _) = isp.subscriber("Guest", json!({})).await;
    let (service, invoice) = isp.service(&subscriber, &plan, "guest", json!({})).await;
    let (service, total) = (id(&service), invoice["total"]["amount"].as_str().unwrap().to_owned());
    app.set_clock("2026-04-01T06:00:00Z").await;
    isp.pay(&subscriber, &total).await;
    app.run_jobs().await;
    assert_eq!(isp.status(&service).await, "ACTIVE");
    assert_eq!(app.account("baraka", "guest").await, "active 2026-04-01 07:00");
    app.set_clock("2026-04-01T06:59:00Z").await;
    app.run_jobs().await;
    assert_eq!(isp.status(&service).await, "ACTIVE");
    app.set_clock("2026-04-01T07:01:00Z").await;
    app.run_jobs().await;
    assert_eq!(isp.status(&service).await, "SUSPENDED EXPIRED");
    app.set_clock("2026-04-03T07:00:00Z").await;
    app.run_jobs().await;
    assert_eq!(isp.invoices_of(&subscriber).await.len(), 1);
    isp.pay(&subscriber, &total).await;
    app.run_jobs().await;
    assert_eq!(isp.status(&service).await, "ACTIVE", "another payment buys another hour");
    assert_eq!(app.account("baraka", "guest").await, "active 2026-04-03 08:00");
    app.jobs_may_remain();
}

/// A worker that was down for a day neither sells hours that have passed nor forgets that the pass is over.
#[tokio::test]
async fn a_late_run_sells_no_hours_that_have_passed() {
    let app = TestApp::new().await;
    app.settings("asha", "prepaid_renewal = 'WHEN_COVERED'").await;
    let isp = app.on("asha").as_owner();
    let hour = json!({ "kind": "HOTSPOT", "price": "20.00", "period": { "unit": "HOUR", "count": 1 } });
    let plan = isp.plan("one-hour", hour).await;
    let (subscriber, _) = isp.subscriber("Guest", json!({})).await;
    isp.pay(&subscriber, "50.00").await;
    let (service, _) = isp.service(&subscriber, &plan, "guest", json!({})).await;
    assert_eq!(isp.state(&id(&service)).await["nextBillingDate"], json!(null));
    app.set_clock("2026-04-02T10:00:00Z").await;
    app.run_jobs().await;
    let hours: Vec<String> = isp.invoices_of(&subscriber).await;
    assert_eq!(hours.len(), 2, "{hours:?}");
    assert!(hours[0].starts_with("PAID 20.00: 2026-04-01T04:3") && hours[1].starts_with("PAID 20.00: 2026-04-02T10:0"));
    app.jobs_may_remain();
}

#[tokio::test]
async fn without_grace_credit_in_hand_renews_without_a_gap() {
    let app = TestApp::new().await;
    app.settings("asha", "grace_days = 0").await;
    let isp = app.on("asha").as_owner();
    let first = isp.first_subscriber("ravi").await;
    isp.pay(&first.subscriber, "2000.00").await;
    app.run_jobs().await;
    app.set_clock("2026-04-30T18:31:00Z").await;
    app.run_jobs().await;
    assert_eq!(isp.status(&first.service).await, "ACTIVE");
    assert_eq!(isp.state(&first.service).await["paidUntil"], kolkata("2026-06-01"));
    app.set_clock("2026-05-31T18:31:00Z").await;
    app.run_jobs().await;
    assert_eq!(isp.status(&first.service).await, "SUSPENDED EXPIRED");
    assert_eq!(
        isp.invoices_of(&first.subscriber).await.len(),
        3,
        "invoiced on its day all the same"
    );
}

/// Two runs at once, and a payment between them: every period is charged once.
#[tokio::test]
async fn runs_at_the_same_time_charge_nothing_twice() {
    let app = TestApp::new().await;
    app.settings("asha", "due_days = 90").await;
    let isp = app.on("asha").as_owner();
    let plan = isp.plan("home", json!({ "paymentMode": "POSTPAID" })).await;
    let mut subscribers = Vec::new();
    for n in 0..4 {
        let (subscriber, _) = isp.subscriber("Ravi", json!({})).await;
        isp.service(&subscriber, &plan, &format!("ravi-{n}"), json!({})).await;
        subscribers.push(subscriber);
    }
    app.set_clock("2026-06-15T10:00:00Z").await;
    let tenant = app.app.directory.by_slug("asha").await.unwrap().expect("the ISP");
    let db = TenantDb::new(app.app.database.clone(), tenant, Arc::new(Actor::System));
    let asked = async |date: &str| {
        let date = date.parse().unwrap();
        let (run, _) = db
            .write(async move |tx| billing_run::open(tx, date, false, None).await)
            .await
            .unwrap();
        let from = Place::FIRST;
        let together = None;
        RunPart {
            run: run.id,
            from,
            together,
            asked: None,
        }
    };
    let (today, yesterday) = (asked("2026-06-15").await, asked("2026-06-14").await);
    let (one, two, _) = tokio::join!(
        billing_run::run_part(&db, today.clone()),
        billing_run::run_part(&db, yesterday.clone()),
        isp.pay(&subscribers[2], "1000.00")
    );
    one.and(two).unwrap();
    let mut invoices = 0;
    for part in [today, yesterday] {
        let run = db
            .read(async move |tx| billing_run::find(tx, part.run).await)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(run.status, billing_run::OperationStatus::Succeeded);
        let failures = db.read(async move |tx| billing_run::count_failures(tx, part.run).await).await;
        assert_eq!(failures.unwrap(), 0);
        invoices += run.invoices_issued;
    }
    assert_eq!(invoices, 8, "two periods of four services");
    for subscriber in &subscribers {
        assert_eq!(isp.invoices_of(subscriber).await.len(), 3);
    }
    app.run_jobs().await;
}

#[tokio::test]
async fn a_new_price_and_speed_count_from_the_next_period() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    let first = isp.first_subscriber("ravi").await;
    isp.pay(&first.subscriber, &first.total).await;
    let version = json!({ "id": first.plan, "expectedVersion": 1, "price": "1200.00", "downloadKbps": 80_000 });
    isp.mutate("planUpdate", version, "plan { id }").await.done();
    app.run_jobs().await;
    let speed = async || -> i32 {
        sqlx::query_scalar("SELECT download_kbps FROM radius.account WHERE username = 'ravi'")
            .fetch_one(&mut app.db.admin().await)
            .await
            .unwrap()
    };
    assert_eq!(speed().await, 50_000);
    app.set_clock("2026-05-01T10:00:00Z").await;
    app.run_jobs().await;
    assert_eq!(speed().await, 80_000);
    let line = format!("ISSUED 1200.00: {} {}", kolkata("2026-05-01"), kolkata("2026-06-01"));
    assert_eq!(isp.invoices_of(&first.subscriber).await[1..], [line]);
}

#[tokio::test]
async fn a_renewal_ahead_of_time_leaves_the_period_in_use_as_it_is() {
    let app = TestApp::new().await;
    app.settings("asha", "renewal_lead_days = 5").await;
    let isp = app.on("asha").as_owner();
    let first = isp.first_subscriber("ravi").await;
    isp.pay(&first.subscriber, &first.total).await;
    app.run_jobs().await;
    assert_eq!(isp.state(&first.service).await["nextBillingDate"], "2026-04-26");
    app.set_clock("2026-04-26T10:00:00Z").await;
    app.run_jobs().await;
    let state = isp.state(&first.service).await;
    assert_eq!(isp.invoices_of(&first.subscriber).await.len(), 2);
    assert_eq!(
        (&state["status"], &state["periodEndsAt"]),
        (&json!("ACTIVE"), &json!(kolkata("2026-05-01")))
    );
    isp.pay(&first.subscriber, &first.total).await;
    app.run_jobs().await;
    app.set_clock("2026-05-01T10:00:00Z").await;
    app.run_jobs().await;
    let state = isp.state(&first.service).await;
    assert_eq!(
        (&state["status"], &state["periodEndsAt"]),
        (&json!("ACTIVE"), &json!(kolkata("2026-06-01")))
    );
    assert_eq!(state["nextBillingDate"], "2026-05-27");
}

#[tokio::test]
async fn a_payment_taken_back_takes_the_time_back() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    let first = isp.first_subscriber("ravi").await;
    let payment = isp.pay(&first.subscriber, &first.total).await;
    app.run_jobs().await;
    app.set_clock("2026-04-10T10:00:00Z").await;
    app.run_jobs().await;
    assert_eq!(isp.status(&first.service).await, "ACTIVE");
    let input = json!({ "id": payment, "reason": "Cheque bounced", "idempotencyKey": key() });
    isp.mutate("paymentReverse", input, "payment { status }").await.done();
    app.run_jobs().await;
    assert_eq!(isp.status(&first.service).await, "SUSPENDED EXPIRED");
    assert_eq!(app.account("asha", "ravi").await, "expired 2026-04-03 18:30");
    assert_eq!(isp.state(&first.service).await["paidUntil"], json!(null));
}

/// One service cannot be charged: its tax code is no longer known. The others are, and it is the next time.
#[tokio::test]
async fn a_service_that_fails_holds_nobody_up() {
    let app = TestApp::new().await;
    app.settings("asha", "due_days = 60").await;
    let isp = app.on("asha").as_owner();
    let terms = json!({ "paymentMode": "POSTPAID" });
    let (bad, good) = (isp.plan("bad", terms.clone()).await, isp.plan("good", terms).await);
    let (subscriber, _) = isp.subscriber("Ravi", json!({})).await;
    isp.service(&subscriber, &bad, "ravi-bad", json!({})).await;
    isp.service(&subscriber, &good, "ravi-good", json!({})).await;
    let unknown = json!({ "id": bad, "expectedVersion": 1, "taxCode": "000000" });
    assert_eq!(
        isp.mutate("planUpdate", unknown, "plan { id }").await.refusals(),
        ["INVALID taxCode"]
    );
    // As if the ISP had taken over other tax rules since.
    let role = &app.db.tenants.iter().find(|t| t.slug == "asha").unwrap().role;
    let plan = bad.trim_start_matches("plan_");
    let set = format!("UPDATE \"{role}\".plan_version SET tax_code = '000000' WHERE plan_id = '{plan}'");
    crate::harness::execute(&mut app.db.admin().await, set).await;
    app.set_clock("2026-05-01T10:00:00Z").await;
    app.run_jobs().await;
    assert_eq!(isp.invoices_of(&subscriber).await.len(), 3);
    let mended = json!({ "id": bad, "expectedVersion": 1, "taxCode": null });
    isp.mutate("planUpdate", mended, "plan { id }").await.done();
    app.set_clock("2026-05-02T10:00:00Z").await;
    app.run_jobs().await;
    assert_eq!(isp.invoices_of(&subscriber).await.len(), 4);
}

#[tokio::test]
async fn the_daily_run_begins_at_the_isps_own_hour_and_once() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    let first = isp.first_subscriber("ravi").await;
    isp.pay(&first.subscriber, &first.total).await;
    isp.bills(json!({ "runHour": 3 })).await;
    for (at, invoices) in [
        // Ten past midnight, a minute to three, three, and the evening there.
        ("2026-04-30T18:40:00Z", 1),
        ("2026-04-30T21:29:00Z", 1),
        ("2026-04-30T21:30:00Z", 2),
        ("2026-05-01T12:00:00Z", 2),
    ] {
        app.set_clock(at).await;
        app.run_jobs().await;
        assert_eq!(isp.invoices_of(&first.subscriber).await.len(), invoices, "{at}");
        assert_eq!(isp.status(&first.service).await, "GRACE", "{at}");
    }
    isp.pay(&first.subscriber, &first.total).await;
    // What waits for its hour does not count twice when the hour is changed meanwhile.
    isp.bills(json!({ "runHour": 9 })).await;
    app.set_clock("2026-05-31T18:40:00Z").await;
    app.run_jobs().await;
    isp.bills(json!({ "runHour": 5 })).await;
    app.set_clock("2026-06-01T12:00:00Z").await;
    app.run_jobs().await;
    assert_eq!(isp.invoices_of(&first.subscriber).await.len(), 3);
}
