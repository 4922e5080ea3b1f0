//! Late fees: what they hang on, and whom they spare.

use serde_json::json;

use crate::harness::{Ask, TestApp, execute, id, key};

/// `(subscriber, invoice)`: its service is off since the 19th, with a late fee of 50.
async fn late(app: &TestApp, isp: &Ask<'_>) -> (String, String) {
    isp.bills(json!({ "lateFee": "50.00" })).await;
    let plan = isp.plan("home", json!({ "paymentMode": "POSTPAID" })).await;
    let (subscriber, _) = isp.subscriber("Ravi", json!({})).await;
    let (_, invoice) = isp.service(&subscriber, &plan, "ravi", json!({})).await;
    app.set_clock("2026-04-20T06:00:00Z").await;
    app.run_jobs().await;
    (subscriber, id(&invoice))
}

/// Each late fee's id, with the invoice that it names.
async fn fees(isp: &Ask<'_>, subscriber: &str) -> Vec<(String, String)> {
    let query = "query($id: ID!) { subscriber(id: $id) { invoices(first: 9) { nodes { id lines { kind description } } } } }";
    let all = isp
        .gql(query, json!({ "id": subscriber }))
        .await
        .at("subscriber.invoices.nodes");
    let fees = all.as_array().unwrap().iter().filter(|i| i["lines"][0]["kind"] == "LATE_FEE");
    fees.map(|i| (id(i), i["lines"][0]["description"].as_str().unwrap().to_owned()))
        .collect()
}

/// The fee once stayed owed when there was nothing any more to be late with.
#[tokio::test]
async fn an_invoice_with_a_late_fee_is_not_withdrawn_before_the_fee() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    let (subscriber, invoice) = late(&app, &isp).await;
    let fee = fees(&isp, &subscriber).await;
    assert_eq!(fee.len(), 1);
    let void = async |invoice: &str| {
        let input = json!({ "invoiceId": invoice, "reason": "Wrong customer", "idempotencyKey": key() });
        isp.mutate("invoiceVoid", input, "invoice { status }").await
    };
    let refused = void(&invoice).await;
    assert_eq!(refused.refusals(), ["INVALID_STATE invoiceId"]);
    assert!(refused.text.contains("withdraw or credit that one first"), "{}", refused.text);
    assert_eq!(void(&fee[0].0).await.done()["invoice"]["status"], "VOID");
    let refused = void(&invoice).await;
    assert!(refused.text.contains("Its service is suspended"), "{}", refused.text);
    app.run_jobs().await;
}

/// Who was let off until a day is not late before it.
#[tokio::test]
async fn no_late_fee_is_charged_for_what_is_promised() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.bills(json!({ "lateFee": "50.00" })).await;
    let plan = isp.plan("home", json!({ "paymentMode": "POSTPAID" })).await;
    let (subscriber, _) = isp.subscriber("Ravi", json!({})).await;
    let (_, april) = isp.service(&subscriber, &plan, "ravi", json!({})).await;
    let role = &app.db.tenants.iter().find(|t| t.slug == "asha").unwrap().role;
    let promised = format!("UPDATE {role}.invoice SET promised_until = '2026-07-31'");
    execute(&mut app.db.admin().await, promised).await;
    for day in ["2026-04-20T06:00:00Z", "2026-05-01T06:00:00Z", "2026-05-21T06:00:00Z"] {
        app.set_clock(day).await;
        app.run_jobs().await;
    }
    let fees = fees(&isp, &subscriber).await;
    assert_eq!(fees.len(), 1, "May's is late: {fees:?}");
    assert!(!fees[0].1.contains(april["number"].as_str().unwrap()), "{fees:?}");
}

/// It is a part of the supply that was late (CGST Act s.15(2)(d)): who pays now, and what that one is for tax, does not matter.
#[tokio::test]
async fn a_late_fee_goes_to_whom_the_late_invoice_went() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.register_for_gst().await;
    isp.bills(json!({ "lateFee": "50.00" })).await;
    let plan = isp.plan("home", json!({ "paymentMode": "POSTPAID" })).await;
    let (ravi, _) = isp.subscriber("Ravi", json!({})).await;
    isp.service(&ravi, &plan, "ravi", json!({})).await;
    let (landlord, _) = isp.subscriber("Landlord", json!({ "taxClass": "EXEMPT" })).await;
    let to_landlord = json!({ "id": ravi, "expectedVersion": 1, "billToId": landlord });
    isp.mutate("subscriberUpdate", to_landlord, "subscriber { id }").await.done();
    app.set_clock("2026-04-20T06:00:00Z").await;
    app.run_jobs().await;
    assert_eq!(fees(&isp, &landlord).await, []);
    let fee = fees(&isp, &ravi).await;
    assert_eq!(fee.len(), 1);
    let query = "query($id: ID!) { invoice(id: $id) { total { amount } } }";
    let total = isp
        .gql(query, json!({ "id": fee[0].0 }))
        .await
        .text_at("invoice.total.amount");
    assert_eq!(total, "59.00");
}
