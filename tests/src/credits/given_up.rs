//! What giving up a debt does to services: nothing. Only money switches them on.

use serde_json::{Value, json};

use super::invoice;
use crate::harness::{Ask, TestApp, id, key};
use crate::services::bench::kolkata;

async fn give_up(isp: &Ask<'_>, invoice: &str, amount: Value) {
    let input = json!({ "invoiceId": invoice, "amount": amount, "reason": "Gone", "idempotencyKey": key() });
    isp.mutate("invoiceWriteOff", input, "invoice { id }").await.done();
}

async fn pay_for(isp: &Ask<'_>, subscriber: &str, invoice: &str, amount: &str) {
    let input = json!({ "subscriberId": subscriber, "amount": amount, "method": "CASH", "invoiceIds": [invoice],
        "idempotencyKey": key() });
    isp.mutate("paymentRecord", input, "payment { id }").await.done();
}

/// `(subscriber, service, invoice)` of 1,000 that is due on 16 April, off from the 19th.
async fn postpaid(app: &TestApp, isp: &Ask<'_>, now: &str) -> (String, String, String) {
    let plan = isp.plan("home", json!({ "paymentMode": "POSTPAID" })).await;
    let (subscriber, _) = isp.subscriber("Ravi", json!({})).await;
    let (service, invoice) = isp.service(&subscriber, &plan, "ravi", json!({})).await;
    app.set_clock(now).await;
    app.run_jobs().await;
    (subscriber, id(&service), id(&invoice))
}

const OFF: &str = "2026-04-20T06:00:00Z";

#[tokio::test]
async fn a_debtor_whose_debt_is_given_up_stays_off_until_it_is_paid() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    let (subscriber, service, owed) = postpaid(&app, &isp, OFF).await;
    app.set_clock("2026-07-10T06:00:00Z").await;
    app.run_jobs().await;
    give_up(&isp, &owed, json!(null)).await;
    app.run_jobs().await;
    assert_eq!(isp.status(&service).await, "SUSPENDED ARREARS");
    app.set_clock("2026-07-12T06:00:00Z").await;
    app.run_jobs().await;
    assert_eq!(isp.status(&service).await, "SUSPENDED ARREARS", "nor by the next runs");
    assert_eq!(isp.invoices_of(&subscriber).await.len(), 1);
    pay_for(&isp, &subscriber, &owed, "400").await;
    app.run_jobs().await;
    assert_eq!(isp.status(&service).await, "SUSPENDED ARREARS", "a part is not all of it");
    pay_for(&isp, &subscriber, &owed, "600").await;
    app.run_jobs().await;
    assert_eq!(isp.status(&service).await, "ACTIVE");
}

#[tokio::test]
async fn staff_may_resume_a_debtor_whose_debt_is_given_up() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    let (_, service, owed) = postpaid(&app, &isp, OFF).await;
    give_up(&isp, &owed, json!(null)).await;
    app.run_jobs().await;
    let input = json!({ "id": service, "idempotencyKey": key() });
    isp.mutate("serviceResume", input, "service { id }").await.done();
    app.set_clock("2026-04-22T06:00:00Z").await;
    app.run_jobs().await;
    assert_eq!(isp.status(&service).await, "ACTIVE", "and it stays on");
}

#[tokio::test]
async fn who_is_served_stays_on_and_the_rest_of_a_partial_write_off_can_be_paid() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    let (_, service, owed) = postpaid(&app, &isp, "2026-04-10T06:00:00Z").await;
    give_up(&isp, &owed, json!(null)).await;
    app.run_jobs().await;
    app.set_clock("2026-04-25T06:00:00Z").await;
    app.run_jobs().await;
    assert_eq!(isp.status(&service).await, "ACTIVE");

    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    let (subscriber, service, owed) = postpaid(&app, &isp, OFF).await;
    give_up(&isp, &owed, json!("300")).await;
    app.run_jobs().await;
    assert_eq!(isp.status(&service).await, "SUSPENDED ARREARS");
    isp.pay(&subscriber, "700").await;
    app.run_jobs().await;
    assert_eq!(invoice(&isp, &owed).await, json!(["WRITTEN_OFF", "0.00", "300.00"]));
    assert_eq!(isp.status(&service).await, "ACTIVE", "all that was due is paid");
}

#[tokio::test]
async fn a_credit_note_over_all_settles_what_was_partly_given_up() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    let (_, service, owed) = postpaid(&app, &isp, OFF).await;
    give_up(&isp, &owed, json!("300")).await;
    app.run_jobs().await;
    let note = json!({ "invoiceId": owed, "reason": "All of it", "idempotencyKey": key() });
    isp.mutate("creditNoteIssue", note, "creditNote { id }").await.done();
    app.run_jobs().await;
    assert_eq!(invoice(&isp, &owed).await, json!(["CREDITED", "0.00", "0.00"]));
    assert_eq!(isp.status(&service).await, "ACTIVE");
}

/// Each write-off once gave a new invoice, or a month.
#[tokio::test]
async fn prepaid_time_that_is_given_up_begins_nothing() {
    for activation in ["ON_CREATE", "ON_PAYMENT"] {
        let app = TestApp::new().await;
        let isp = app.on("asha").as_owner();
        isp.bills(json!({ "activation": activation, "prepaidRenewal": "INVOICE" }))
            .await;
        let first = isp.first_subscriber("ravi").await;
        isp.pay(&first.subscriber, &first.total).await;
        app.run_jobs().await;
        for now in ["2026-05-01T06:00:00Z", "2026-06-20T06:00:00Z"] {
            app.set_clock(now).await;
            app.run_jobs().await;
        }
        let query = "query($id: ID!) { subscriber(id: $id) { invoices(first: 5) { nodes { id status } } } }";
        let invoices = isp.gql(query, json!({ "id": first.subscriber })).await;
        let invoices = invoices.at("subscriber.invoices.nodes");
        let open = invoices.as_array().unwrap().iter().find(|i| i["status"] == "ISSUED");
        let renewal = id(open.expect("the renewal is owed"));
        give_up(&isp, &renewal, json!(null)).await;
        app.run_jobs().await;
        app.set_clock("2026-06-22T06:00:00Z").await;
        app.run_jobs().await;
        let state = isp.state(&first.service).await;
        assert_eq!(state["paidUntil"], kolkata("2026-05-01"), "{activation}");
        assert_eq!(isp.status(&first.service).await, "SUSPENDED EXPIRED", "{activation}");
        assert_eq!(isp.invoices_of(&first.subscriber).await.len(), 2, "{activation}");
        // Whoever comes back with money begins anew.
        isp.pay(&first.subscriber, &first.total).await;
        app.run_jobs().await;
        let state = isp.state(&first.service).await;
        assert_eq!(
            (&state["status"], &state["paidUntil"]),
            (&json!("ACTIVE"), &json!(kolkata("2026-07-22"))),
            "{activation}"
        );
    }
}

async fn pay_all(isp: &Ask<'_>, subscriber: &str, invoices: [&str; 2], amount: &str) -> Value {
    let input = json!({ "subscriberId": subscriber, "amount": amount, "method": "CASH", "invoiceIds": invoices,
        "idempotencyKey": key() });
    let paid = isp
        .mutate(
            "paymentRecord",
            input,
            "payment { allocations { invoice { id } amount { amount } } }",
        )
        .await;
    let parts = paid.done()["payment"]["allocations"].take();
    let parts = parts.as_array().unwrap().iter();
    parts
        .map(|part| json!([part["invoice"]["id"], part["amount"]["amount"]]))
        .collect()
}

/// It once revived whichever of them the database named first.
#[tokio::test]
async fn money_reaches_what_was_given_up_in_the_order_in_which_invoices_are_named() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    // Twice each, the other way round, so that no order of the ids is the one that is asked for.
    for given_up_first in [true, false] {
        for named_first in ["given up", "open"] {
            let (subscriber, _) = isp.subscriber("Ravi", json!({})).await;
            let first = super::charged(&isp, &subscriber, "100").await;
            let second = super::charged(&isp, &subscriber, "100").await;
            let (gone, open) = if given_up_first { (first, second) } else { (second, first) };
            give_up(&isp, &gone, json!(null)).await;
            if named_first == "open" {
                assert_eq!(
                    pay_all(&isp, &subscriber, [&open, &gone], "100").await,
                    json!([[open, "100.00"]])
                );
                assert_eq!(invoice(&isp, &gone).await, json!(["WRITTEN_OFF", "0.00", "100.00"]));
                assert_eq!(invoice(&isp, &open).await, json!(["PAID", "0.00", "0.00"]));
            } else {
                assert_eq!(
                    pay_all(&isp, &subscriber, [&gone, &open], "100").await,
                    json!([[gone, "100.00"]])
                );
                assert_eq!(invoice(&isp, &gone).await, json!(["PAID", "0.00", "0.00"]));
                assert_eq!(invoice(&isp, &open).await, json!(["ISSUED", "100.00", "0.00"]));
            }
        }
    }
    let (subscriber, _) = isp.subscriber("Tara", json!({})).await;
    let gone = super::charged(&isp, &subscriber, "100").await;
    let open = super::charged(&isp, &subscriber, "100").await;
    give_up(&isp, &gone, json!(null)).await;
    let both = pay_all(&isp, &subscriber, [&open, &gone], "130").await;
    assert_eq!(both, json!([[open, "100.00"], [gone, "30.00"]]));
    assert_eq!(invoice(&isp, &gone).await, json!(["WRITTEN_OFF", "0.00", "70.00"]));
    app.run_jobs().await;
}
