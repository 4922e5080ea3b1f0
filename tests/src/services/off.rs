//! Services that are off, or are about to be, and are paid for, lifted or ended then: since when they were off, and what that is
//! worth.

use serde_json::{Value, json};

use super::bench::kolkata;
use crate::harness::{Ask, TestApp, key};

impl Ask<'_> {
    async fn lift(&self, service: &str) {
        let input = json!({ "id": service, "idempotencyKey": key() });
        self.mutate("serviceResume", input, "service { status }").await.done();
    }

    async fn stop(&self, service: &str) {
        let input = json!({ "id": service, "reason": "Moved away", "idempotencyKey": key() });
        self.mutate("serviceTerminate", input, "service { status }").await.done();
    }

    async fn still_owes(&self, subscriber: &str) -> String {
        let query = "query($id: ID!) { subscriber(id: $id) { balance { amount } } }";
        let answer = self.gql(query, json!({ "id": subscriber })).await;
        answer.text_at("subscriber.balance.amount")
    }
}

#[tokio::test]
async fn what_is_paid_before_its_end_goes_on_though_the_run_comes_later() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.bills(json!({ "graceDays": 0, "renewalLeadDays": 1, "runHour": 9, "prepaidRenewal": "WHEN_COVERED" }))
        .await;
    let first = isp.first_subscriber("ravi").await;
    isp.pay(&first.subscriber, &first.total).await;
    app.run_jobs().await;
    app.set_clock("2026-04-30T03:40:00Z").await;
    app.run_jobs().await;
    assert_eq!(isp.invoices_of(&first.subscriber).await.len(), 1, "nothing covers it");
    app.set_clock("2026-04-30T06:30:00Z").await;
    isp.pay(&first.subscriber, "999.00").await;
    app.run_jobs().await;
    assert_eq!(isp.invoices_of(&first.subscriber).await.len(), 1, "not quite");
    isp.pay(&first.subscriber, "1.00").await;
    app.run_jobs().await;
    app.set_clock("2026-04-30T18:31:00Z").await;
    app.run_jobs().await;
    assert_eq!(isp.status(&first.service).await, "ACTIVE");
    assert_eq!(isp.state(&first.service).await["paidUntil"], kolkata("2026-06-01"));
    assert_eq!(app.account("asha", "ravi").await, "active 2026-05-31 18:30");
    assert_eq!(isp.invoices_of(&first.subscriber).await.len(), 2);
}

/// A payment that pays for nothing cuts nobody before the run does, which asks the brake.
#[tokio::test]
async fn what_a_payment_does_not_renew_stays_on_until_the_run() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.bills(json!({ "graceDays": 1, "runHour": 9 })).await;
    let first = isp.first_subscriber("ravi").await;
    isp.pay(&first.subscriber, &first.total).await;
    app.run_jobs().await;
    // No run has looked since the end of April.
    app.set_clock("2026-05-02T02:30:00Z").await;
    isp.pay(&first.subscriber, "1.00").await;
    app.run_jobs().await;
    assert_eq!(isp.status(&first.service).await, "ACTIVE");
    app.set_clock("2026-05-02T03:31:00Z").await;
    app.run_jobs().await;
    assert_eq!(isp.status(&first.service).await, "SUSPENDED EXPIRED");
}

#[tokio::test]
async fn what_staff_switch_on_again_to_be_paid_for_has_its_days_from_then_on() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.bills(json!({ "terminateAfterDays": 30 })).await;
    let first = isp.first_subscriber("ravi").await;
    isp.pay(&first.subscriber, &first.total).await;
    app.run_jobs().await;
    app.set_clock("2026-04-20T06:30:00Z").await;
    isp.suspend(&first.service).await;
    app.set_clock("2026-06-20T06:30:00Z").await;
    app.run_jobs().await;
    isp.lift(&first.service).await;
    for (day, status) in [
        ("2026-06-21", "SUSPENDED EXPIRED"),
        ("2026-07-19", "SUSPENDED EXPIRED"),
        ("2026-07-21", "TERMINATED"),
    ] {
        app.set_clock(&format!("{day}T06:30:00Z")).await;
        app.run_jobs().await;
        assert_eq!(isp.status(&first.service).await, status, "{day}");
    }
}

#[tokio::test]
async fn what_was_off_for_want_of_money_was_off_since_then_whoever_lifts_it() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.bills(json!({ "suspensionCredit": "CREDIT_DAYS" })).await;
    let first = isp.first_subscriber("ravi").await;
    isp.pay(&first.subscriber, &first.total).await;
    app.run_jobs().await;
    app.set_clock("2026-05-01T06:30:00Z").await;
    app.run_jobs().await;
    app.set_clock("2026-05-04T06:30:00Z").await;
    app.run_jobs().await;
    assert_eq!(isp.status(&first.service).await, "SUSPENDED EXPIRED");
    app.set_clock("2026-05-10T06:30:00Z").await;
    isp.suspend(&first.service).await;
    app.set_clock("2026-05-15T06:30:00Z").await;
    isp.pay(&first.subscriber, "1000.00").await;
    app.run_jobs().await;
    assert_eq!(isp.status(&first.service).await, "SUSPENDED STAFF");
    app.set_clock("2026-05-20T06:30:00Z").await;
    isp.lift(&first.service).await;
    assert_eq!(isp.status(&first.service).await, "ACTIVE");
    // 4 to 19 May.
    assert_eq!(isp.still_owes(&first.subscriber).await, "-516.13");
    app.run_jobs().await;
}

#[tokio::test]
async fn what_fell_due_before_the_end_and_no_run_charged_is_charged() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    let plan = isp.plan("home", json!({ "paymentMode": "POSTPAID" })).await;
    let (subscriber, _) = isp.subscriber("Ravi", json!({})).await;
    let (service, _) = isp.service(&subscriber, &plan, "ravi", json!({})).await;
    isp.pay(&subscriber, "1000.00").await;
    app.run_jobs().await;
    // The worker is down since the end of April.
    app.set_clock("2026-05-04T06:30:00Z").await;
    isp.stop(&crate::harness::id(&service)).await;
    assert_eq!(isp.still_owes(&subscriber).await, "96.77", "1 to 3 May");
    app.run_jobs().await;
    assert_eq!(isp.still_owes(&subscriber).await, "96.77");
}

#[tokio::test]
async fn what_was_to_begin_again_with_its_payment_and_never_did_owes_nothing() {
    for by_staff in [true, false] {
        let app = TestApp::new().await;
        let isp = app.on("asha").as_owner();
        let terminate_after: Value = if by_staff { Value::Null } else { json!(15) };
        isp.bills(json!({ "activation": "ON_PAYMENT", "suspensionCredit": "NONE" }))
            .await;
        let first = isp.first_subscriber("ravi").await;
        isp.pay(&first.subscriber, &first.total).await;
        app.run_jobs().await;
        // May is invoiced, and paid when it is over; what follows is invoiced from that day on.
        for now in ["2026-05-01T06:30:00Z", "2026-05-04T06:30:00Z", "2026-06-10T06:30:00Z"] {
            app.set_clock(now).await;
            app.run_jobs().await;
        }
        isp.pay(&first.subscriber, "1000.00").await;
        app.run_jobs().await;
        let invoices = isp.invoices_of(&first.subscriber).await;
        assert_eq!(invoices.len(), 3, "{invoices:?}");
        assert!(
            invoices[2].starts_with(&format!("ISSUED 1000.00: {}", kolkata("2026-06-10"))),
            "{invoices:?}"
        );
        assert_eq!(isp.still_owes(&first.subscriber).await, "1000.00");
        isp.bills(json!({ "terminateAfterDays": terminate_after })).await;
        app.set_clock("2026-06-29T06:30:00Z").await;
        if by_staff {
            isp.stop(&first.service).await;
        }
        app.run_jobs().await;
        assert_eq!(isp.status(&first.service).await, "TERMINATED");
        assert_eq!(isp.still_owes(&first.subscriber).await, "0.00", "by staff: {by_staff}");
    }
}
