use serde_json::json;

use super::{GSTIN, brand, pdf, register, says, text};
use crate::harness::{Ask, TestApp, id, key};

const NO_SUPPLY: [&str; 7] = [
    "Tax Invoice",
    "Not registered",
    "PLACE OF SUPPLY",
    "Reverse charge",
    "HSN",
    "Taxable value",
    "Control unit",
];

/// `(deposit's invoice, opening balance's invoice)`
async fn plain(isp: &Ask<'_>) -> (String, String) {
    let (subscriber, _) = isp.subscriber("Meera", json!({})).await;
    let input = json!({ "subscriberId": subscriber, "amount": "1500", "description": "Router ONT-7", "idempotencyKey": key() });
    let deposit = isp
        .mutate("depositCharge", input, "deposit { invoice { id kind } }")
        .await
        .done();
    let input = json!({ "subscriberId": subscriber, "amount": "512.50", "asOf": "2026-03-31", "idempotencyKey": key() });
    let opening = isp
        .mutate("openingBalanceRecord", input, "openingBalance { invoice { id kind } }")
        .await
        .done();
    (id(&deposit["deposit"]["invoice"]), id(&opening["openingBalance"]["invoice"]))
}

/// Both were once an internal error.
#[tokio::test(flavor = "multi_thread")]
async fn deposits_and_balances_brought_forward_are_printed_and_are_no_tax_invoices() {
    let app = TestApp::new().await;
    let india = app.on("asha").as_owner();
    register(&india, "IN", Some("KA"), GSTIN).await;
    brand(&india, json!({ "upiId": "asha.net@okaxis" })).await;
    let kenya = app.on("baraka").as_owner();
    register(&kenya, "KE", None, "P051482937Q").await;
    for (isp, tax_id, deposit_due, opening_due, pays) in [
        (&india, GSTIN, "Amount due ₹ 1,500.00", "Amount due ₹ 512.50", "PAY BY UPI"),
        (&kenya, "P051482937Q", "Amount due KSh 1,500.00", "Amount due KSh 512.50", ""),
    ] {
        let (deposit, opening) = plain(isp).await;
        let printed = text(&pdf(isp, &deposit).await);
        says(
            &printed,
            &[
                "Deposit",
                "Document number",
                "Router ONT-7",
                "A refundable deposit",
                deposit_due,
                tax_id,
                pays,
                "Page 1 of 1",
            ],
            &NO_SUPPLY,
        );
        let printed = text(&pdf(isp, &opening).await);
        let forward = "Balance brought forward as of 2026-03-31";
        says(
            &printed,
            &[
                "Balance brought forward",
                forward,
                "What was owed before",
                opening_due,
                tax_id,
                pays,
            ],
            &NO_SUPPLY,
        );
    }
    app.run_jobs().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invoice_a_late_fee_and_a_debit_note_are_printed_as_what_they_are() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    register(&isp, "IN", Some("KA"), GSTIN).await;
    isp.bills(json!({ "lateFee": "50.00" })).await;
    let plan = isp.plan("home", json!({ "paymentMode": "POSTPAID" })).await;
    let (subscriber, _) = isp.subscriber("Ravi", json!({})).await;
    let (_, invoice) = isp.service(&subscriber, &plan, "ravi", json!({})).await;
    app.set_clock("2026-04-20T06:00:00Z").await;
    app.run_jobs().await;
    let query = "query($id: ID!) { subscriber(id: $id) { invoices(first: 5) { nodes { id lines { id kind } } } } }";
    let all = isp
        .gql(query, json!({ "id": subscriber }))
        .await
        .at("subscriber.invoices.nodes");
    let mut fees = all.as_array().unwrap().iter().filter(|i| i["lines"][0]["kind"] == "LATE_FEE");
    let fee = fees.next().expect("a late fee was charged");
    let printed = text(&pdf(&isp, &id(fee)).await);
    let number = invoice["number"].as_str().unwrap();
    let named = format!("Late payment fee, invoice {number}");
    says(
        &printed,
        &["Tax Invoice", &named, "998422", "CGST 9% on 50.00 4.50", "Amount due ₹ 59.00"],
        &["deposit"],
    );
    let printed = text(&pdf(&isp, &id(&invoice)).await);
    says(
        &printed,
        &["Tax Invoice", "Invoice number", "Plan home", "Amount due ₹ 1,180.00"],
        &["deposit"],
    );
    let query = "query($id: ID!) { invoice(id: $id) { lines { id } } }";
    let line = isp.gql(query, json!({ "id": invoice["id"] })).await.at("invoice.lines.0.id");
    let lines = json!([{ "invoiceLineId": line, "amount": "100.00" }]);
    let input =
        json!({ "invoiceId": invoice["id"], "lines": lines, "reason": "One site was forgotten", "idempotencyKey": key() });
    let note = isp.mutate("debitNoteIssue", input, "debitNote { id }").await.done();
    let printed = text(&pdf(&isp, &id(&note["debitNote"])).await);
    says(
        &printed,
        &["Debit Note", "Debit note number", "CGST 9% on 100.00 9.00"],
        &["Tax Invoice", "deposit"],
    );
    app.run_jobs().await;
}
