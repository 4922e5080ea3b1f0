//! A service gets another plan, is off for a while, and ends: what is charged, credited and told to RADIUS.

use serde_json::{Value, json};

use super::bench::kolkata;
use crate::harness::{Answer, Ask, FirstSubscriber, TestApp, key};

const SELECTION: &str = "service { id status plan { id } pendingChange { plan { id } effectiveOn } endsOn nextBillingDate }
    invoice { total { amount } lines { kind } } creditNote { number total { amount } lines { periodStartsAt periodEndsAt } }";

impl Ask<'_> {
    pub(super) async fn change(&self, service: &str, plan: &str, more: Value) -> Answer {
        let mut input = json!({ "id": service, "planId": plan, "timing": "NOW", "idempotencyKey": key() });
        for (name, value) in more.as_object().unwrap() {
            input[name] = value.clone();
        }
        self.mutate("serviceChangePlan", input, SELECTION).await
    }

    pub(super) async fn terminate(&self, service: &str, more: Value) -> Answer {
        let mut input = json!({ "id": service, "reason": "Moved away", "idempotencyKey": key() });
        for (name, value) in more.as_object().unwrap() {
            input[name] = value.clone();
        }
        self.mutate(
            "serviceTerminate",
            input,
            "service { status endsOn nextBillingDate } creditNote { total { amount } reason }",
        )
        .await
    }

    pub async fn resume(&self, service: &str) -> Answer {
        let input = json!({ "id": service, "idempotencyKey": key() });
        self.mutate("serviceResume", input, "service { status }").await
    }

    pub(super) async fn balance(&self, subscriber: &str) -> String {
        let query = "query($id: ID!) { subscriber(id: $id) { balance { amount } } }";
        self.gql(query, json!({ "id": subscriber }))
            .await
            .text_at("subscriber.balance.amount")
    }
}

/// Paid for April.
pub(super) async fn paid(app: &TestApp, isp: &Ask<'_>, name: &str) -> FirstSubscriber {
    let first = isp.first_subscriber(name).await;
    isp.pay(&first.subscriber, &first.total).await;
    app.run_jobs().await;
    first
}

#[tokio::test]
async fn terminated_its_unused_days_are_credited() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    let first = paid(&app, &isp, "ravi").await;
    app.set_clock("2026-04-11T04:30:00Z").await;
    app.run_jobs().await;
    let input = json!({ "idempotencyKey": key() });
    let done = isp.terminate(&first.service, input.clone()).await.done();
    assert_eq!(
        done["service"],
        json!({ "status": "TERMINATED", "endsOn": "2026-04-11", "nextBillingDate": null })
    );
    // 11 to 30 April are 20 of 30 days.
    assert_eq!(
        done["creditNote"],
        json!({ "total": { "amount": "666.67" }, "reason": "Moved away" })
    );
    assert_eq!(isp.balance(&first.subscriber).await, "-666.67");
    assert!(
        app.account("asha", "ravi").await.starts_with("terminated"),
        "before any job has run"
    );
    assert_eq!(isp.terminate(&first.service, input).await.done(), done, "a replay");
    let again = isp.terminate(&first.service, json!({})).await;
    assert_eq!(again.refusals(), ["INVALID_STATE id"]);
    for refused in [
        isp.change(&first.service, &first.plan, json!({})).await,
        isp.resume(&first.service).await,
    ] {
        assert_eq!(refused.refusals(), ["INVALID_STATE id"]);
    }
    app.run_jobs().await;
    // Its user name is free again.
    let (other, _) = isp.subscriber("Meera", json!({})).await;
    isp.service(&other, &first.plan, "ravi", json!({})).await;
    app.set_clock("2026-05-02T04:30:00Z").await;
    app.run_jobs().await;
    assert_eq!(isp.invoices_of(&first.subscriber).await.len(), 1, "it is not renewed");
}

#[tokio::test]
async fn without_credit_only_what_has_not_begun_is_taken_back() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.bills(json!({ "terminationCredit": "NONE", "renewalLeadDays": 10 })).await;
    let first = paid(&app, &isp, "ravi").await;
    app.set_clock("2026-04-25T04:30:00Z").await;
    app.run_jobs().await;
    assert_eq!(isp.balance(&first.subscriber).await, "1000.00", "May is invoiced");
    let done = isp.terminate(&first.service, json!({})).await.done();
    assert_eq!(done["creditNote"]["total"]["amount"], "1000.00");
    assert_eq!(isp.balance(&first.subscriber).await, "0.00");
    app.run_jobs().await;
}

#[tokio::test]
async fn an_end_to_come_is_planned_and_can_be_taken_back() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    let first = paid(&app, &isp, "ravi").await;
    let end = json!({ "effectiveOn": "2026-05-11" });
    let done = isp.terminate(&first.service, end.clone()).await.done();
    assert_eq!(
        done["service"],
        json!({ "status": "ACTIVE", "endsOn": "2026-05-11", "nextBillingDate": "2026-05-01" })
    );
    let cancel = json!({ "id": first.service });
    let cancelled = isp
        .mutate("serviceChangeCancel", cancel.clone(), "service { endsOn }")
        .await
        .done();
    assert!(cancelled["service"]["endsOn"].is_null());
    let nothing = isp.mutate("serviceChangeCancel", cancel, "service { endsOn }").await;
    assert_eq!(nothing.refusals(), ["INVALID_STATE id"]);
    isp.terminate(&first.service, end).await.done();
    app.set_clock("2026-05-01T04:30:00Z").await;
    app.run_jobs().await;
    let last = isp.invoices_of(&first.subscriber).await.pop().unwrap();
    assert_eq!(
        last,
        format!("ISSUED 322.58: {} {}", kolkata("2026-05-01"), kolkata("2026-05-11"))
    );
    isp.pay(&first.subscriber, "322.58").await;
    app.run_jobs().await;
    assert!(
        app.account("asha", "ravi").await.ends_with("2026-05-10 18:30"),
        "nobody logs in from the 11th on"
    );
    app.set_clock("2026-05-11T04:30:00Z").await;
    app.run_jobs().await;
    assert_eq!(isp.status(&first.service).await, "TERMINATED");
    assert_eq!(isp.balance(&first.subscriber).await, "0.00");
}

#[tokio::test]
async fn impossible_ends_are_refused() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    let first = paid(&app, &isp, "ravi").await;
    for (more, expected) in [
        (json!({ "effectiveOn": "2026-03-31" }), "INVALID effectiveOn"),
        (json!({ "effectiveOn": "2028-04-01" }), "INVALID effectiveOn"),
        (json!({ "reason": " " }), "REQUIRED reason"),
    ] {
        assert_eq!(isp.terminate(&first.service, more).await.refusals(), [expected]);
    }
    assert_eq!(isp.status(&first.service).await, "ACTIVE");
}

/// A service that never began: nothing of its first invoice is owed.
#[tokio::test]
async fn ended_before_it_began_it_costs_nothing() {
    let app = TestApp::new().await;
    let isp = app.on("baraka").as_owner();
    let first = isp.first_subscriber("otieno").await;
    assert_eq!(isp.status(&first.service).await, "PENDING");
    let done = isp.terminate(&first.service, json!({})).await.done();
    assert_eq!(done["creditNote"]["total"]["amount"], json!(first.total));
    assert_eq!(isp.balance(&first.subscriber).await, "0.00");
    app.run_jobs().await;
    assert_eq!(isp.status(&first.service).await, "TERMINATED");
}

#[tokio::test]
async fn postpaid_in_arrears_is_charged_up_to_its_end_and_its_change() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    let arrears = json!({ "paymentMode": "POSTPAID", "billIn": "ARREARS" });
    let old = isp.plan("old", arrears.clone()).await;
    let dearer = json!({ "paymentMode": "POSTPAID", "billIn": "ARREARS", "price": "1500.00" });
    let new = isp.plan("new", dearer).await;
    let (subscriber, _) = isp.subscriber("Ravi", json!({})).await;
    let (service, _) = isp.service(&subscriber, &old, "ravi", json!({})).await;
    let service = crate::harness::id(&service);
    app.set_clock("2026-04-11T04:30:00Z").await;
    app.run_jobs().await;
    let changed = isp.change(&service, &new, json!({})).await.done();
    assert_eq!(changed["invoice"]["total"]["amount"], "333.33", "ten days of the old plan");
    app.set_clock("2026-04-21T04:30:00Z").await;
    app.run_jobs().await;
    isp.terminate(&service, json!({})).await.done();
    assert_eq!(isp.balance(&subscriber).await, "833.33", "and ten of the new");
    app.run_jobs().await;
}

#[tokio::test]
async fn a_change_at_the_next_period_waits_for_it() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    let first = paid(&app, &isp, "ravi").await;
    let faster = isp.plan("fast", json!({ "price": "2000.00", "downloadKbps": 200_000 })).await;
    let next = json!({ "timing": "NEXT_PERIOD" });
    let done = isp.change(&first.service, &faster, next.clone()).await.done();
    assert_eq!(
        done["service"]["pendingChange"],
        json!({ "plan": { "id": faster }, "effectiveOn": "2026-05-01" })
    );
    assert_eq!(done["service"]["plan"]["id"], json!(first.plan));
    let cancel = json!({ "id": first.service });
    isp.mutate("serviceChangeCancel", cancel.clone(), "service { id }")
        .await
        .done();
    isp.change(&first.service, &faster, next).await.done();
    let day = json!({ "timing": "NEXT_PERIOD", "effectiveOn": "2026-04-01" });
    assert_eq!(
        isp.change(&first.service, &faster, day).await.refusals(),
        ["INVALID effectiveOn"]
    );
    isp.bills(json!({ "renewalLeadDays": 3 })).await;
    app.set_clock("2026-05-01T04:30:00Z").await;
    app.run_jobs().await;
    let query = "query($id: ID!) { service(id: $id) { plan { id } pendingChange { effectiveOn } } }";
    let now = isp.gql(query, json!({ "id": first.service })).await.at("service");
    assert_eq!(now, json!({ "plan": { "id": faster }, "pendingChange": null }));
    let last = isp.invoices_of(&first.subscriber).await.pop().unwrap();
    assert_eq!(
        last,
        format!("ISSUED 2000.00: {} {}", kolkata("2026-05-01"), kolkata("2026-06-01"))
    );
    let speed: i32 = sqlx::query_scalar("SELECT download_kbps FROM radius.account WHERE username = 'ravi'")
        .fetch_one(&mut app.db.admin().await)
        .await
        .unwrap();
    assert_eq!(speed, 200_000);
}

#[tokio::test]
async fn impossible_changes_are_refused_by_name() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    let first = paid(&app, &isp, "ravi").await;
    let other = isp.plan("other", json!({})).await;
    let addon = isp.plan("addon", json!({ "kind": "ADDON" })).await;
    let pass = isp.plan("pass", json!({ "period": { "unit": "HOUR", "count": 3 } })).await;
    let retired = isp.plan("retired", json!({})).await;
    isp.mutate("planRetire", json!({ "id": retired }), "plan { id }").await.done();
    for (plan, more, expected) in [
        (&first.plan, json!({}), "INVALID planId"),
        (&addon, json!({}), "INVALID planId"),
        (&pass, json!({}), "INVALID planId"),
        (&retired, json!({}), "INVALID_STATE planId"),
        (&other, json!({ "effectiveOn": "2026-04-02" }), "INVALID effectiveOn"),
        (&other, json!({ "effectiveOn": "2026-03-31" }), "INVALID effectiveOn"),
    ] {
        assert_eq!(isp.change(&first.service, plan, more).await.refusals(), [expected]);
    }
    isp.suspend(&first.service).await;
    assert_eq!(
        isp.change(&first.service, &other, json!({})).await.refusals(),
        ["INVALID_STATE id"]
    );
    isp.change(&first.service, &other, json!({ "timing": "NEXT_PERIOD" }))
        .await
        .done();
    app.run_jobs().await;
}

/// A cheaper plan under DIFFERENCE: one credit note, and what is not used later is credited at the new price.
#[tokio::test]
async fn a_cheaper_plan_by_difference() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.bills(json!({ "planChangeDocument": "DIFFERENCE" })).await;
    let first = paid(&app, &isp, "ravi").await;
    let cheaper = isp.plan("cheap", json!({ "price": "400.00" })).await;
    app.set_clock("2026-04-11T04:30:00Z").await;
    app.run_jobs().await;
    let done = isp.change(&first.service, &cheaper, json!({})).await.done();
    assert!(done["invoice"].is_null());
    assert_eq!(done["creditNote"]["total"]["amount"], "400.00", "600 less for 20 of 30 days");
    app.set_clock("2026-04-21T04:30:00Z").await;
    app.run_jobs().await;
    let ended = isp.terminate(&first.service, json!({})).await.done();
    assert_eq!(ended["creditNote"]["total"]["amount"], "133.33", "ten days at the new price");
    app.run_jobs().await;
}

#[tokio::test]
async fn days_off_are_credited_or_given_later() {
    for (policy, balance, paid_until) in [
        ("NONE", "0.00", "2026-05-01"),
        ("CREDIT_DAYS", "-166.67", "2026-05-01"),
        ("SHIFT_PERIOD", "0.00", "2026-05-06"),
    ] {
        let app = TestApp::new().await;
        let isp = app.on("asha").as_owner();
        isp.bills(json!({ "suspensionCredit": policy })).await;
        let first = paid(&app, &isp, "ravi").await;
        app.set_clock("2026-04-10T10:00:00Z").await;
        isp.suspend(&first.service).await;
        app.set_clock("2026-04-15T02:00:00Z").await;
        app.run_jobs().await;
        // 10 to 14 April; the day on which it goes on is a service day.
        isp.resume(&first.service).await.done();
        assert_eq!(isp.balance(&first.subscriber).await, balance, "{policy}");
        let state = isp.state(&first.service).await;
        assert_eq!(state["paidUntil"], kolkata(paid_until), "{policy}");
        assert_eq!(state["nextBillingDate"], json!(paid_until), "{policy}");
        app.run_jobs().await;
        app.set_clock(&format!("{paid_until}T04:30:00Z")).await;
        app.run_jobs().await;
        let last = isp.invoices_of(&first.subscriber).await.pop().unwrap();
        assert!(
            last.contains(&format!("1000.00: {}", kolkata(paid_until))),
            "{policy}: {last}"
        );
    }
}

#[tokio::test]
async fn an_unpaid_service_ends_when_the_settings_say() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.bills(json!({ "terminateAfterDays": 10, "suspensionCredit": "CREDIT_DAYS" }))
        .await;
    let first = isp.first_subscriber("ravi").await;
    for day in ["2026-04-04", "2026-04-13"] {
        app.set_clock(&format!("{day}T04:30:00Z")).await;
        app.run_jobs().await;
        assert_eq!(isp.status(&first.service).await, "SUSPENDED EXPIRED", "{day}");
    }
    app.set_clock("2026-04-14T04:30:00Z").await;
    app.run_jobs().await;
    assert_eq!(isp.status(&first.service).await, "TERMINATED");
    assert_eq!(isp.balance(&first.subscriber).await, "100.00", "three days were used");
}

/// The anchor changes for what is charged next; the stub up to it is prorated.
#[tokio::test]
async fn a_changed_anchor_counts_from_the_next_charge() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    let first = paid(&app, &isp, "ravi").await;
    isp.bills(json!({ "anchor": "CALENDAR", "calendarDay": 10 })).await;
    assert_eq!(isp.state(&first.service).await["periodEndsAt"], kolkata("2026-05-01"));
    app.set_clock("2026-05-01T04:30:00Z").await;
    app.run_jobs().await;
    let last = isp.invoices_of(&first.subscriber).await.pop().unwrap();
    assert_eq!(
        last,
        format!("ISSUED 300.00: {} {}", kolkata("2026-05-01"), kolkata("2026-05-10"))
    );
}

/// More days of grace count at once, for RADIUS too.
#[tokio::test]
async fn changed_days_of_grace_count_for_what_is_unpaid_now() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.first_subscriber("ravi").await;
    assert!(app.account("asha", "ravi").await.ends_with("2026-04-03 18:30"));
    isp.bills(json!({ "graceDays": 7 })).await;
    app.run_jobs().await;
    assert!(app.account("asha", "ravi").await.ends_with("2026-04-07 18:30"));
}

#[tokio::test]
async fn a_repeated_change_answers_with_its_documents() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    let first = paid(&app, &isp, "ravi").await;
    let dearer = isp.plan("dear", json!({ "price": "1499.99" })).await;
    app.set_clock("2026-04-11T04:30:00Z").await;
    app.run_jobs().await;
    let again = json!({ "idempotencyKey": key() });
    let done = isp.change(&first.service, &dearer, again.clone()).await.done();
    // 11 to 30 April are 20 of 30 days.
    assert_eq!(done["creditNote"]["total"]["amount"], "666.67");
    assert_eq!(done["invoice"]["total"]["amount"], "999.99");
    assert_eq!(isp.change(&first.service, &dearer, again.clone()).await.done(), done);
    assert_eq!(isp.balance(&first.subscriber).await, "333.32");
    let other = isp.change(&first.service, &first.plan, again).await;
    assert_eq!(other.refusals(), ["IDEMPOTENCY_KEY_REUSED idempotencyKey"]);
    app.run_jobs().await;
}

/// Credited by hand almost to the end, an invoice gives no more than what is left of it when its service ends.
#[tokio::test]
async fn money_and_days_together_never_exceed_the_invoice() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.register_for_gst().await;
    let first = paid(&app, &isp, "ravi").await;
    assert_eq!(first.total, "1180.00");
    let by_hand = json!({ "invoiceId": first.invoice, "amount": "900.00", "reason": "A bad month", "idempotencyKey": key() });
    let done = isp
        .mutate("creditNoteIssue", by_hand, "creditNote { total { amount } }")
        .await
        .done();
    assert_eq!(done["creditNote"]["total"]["amount"], "1062.00");
    assert_eq!(isp.status(&first.service).await, "ACTIVE", "money is credited, not time");
    app.set_clock("2026-04-11T04:30:00Z").await;
    app.run_jobs().await;
    let ended = isp.terminate(&first.service, json!({})).await.done();
    assert_eq!(
        ended["creditNote"]["total"]["amount"], "118.00",
        "twenty days would be 786.67"
    );
    assert_eq!(isp.balance(&first.subscriber).await, "-1180.00");
    let query = "query($id: ID!) { invoice(id: $id) { status creditNotes { total { amount } } } }";
    let invoice = isp.gql(query, json!({ "id": first.invoice })).await.at("invoice");
    assert_eq!(invoice["status"], "CREDITED");
    assert_eq!(invoice["creditNotes"].as_array().unwrap().len(), 2);
    app.run_jobs().await;
}
