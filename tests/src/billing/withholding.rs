//! Tax that payers withhold, and do not after all.

use serde_json::{Value, json};

use crate::harness::{Ask, TestApp, id, key};

const STATE: &str = "invoice { status amountDue { amount } amountPaid { amount } withheld { amount } }";

async fn charged(isp: &Ask<'_>, subscriber: &str) -> String {
    let lines = json!([{ "description": "Leased line", "unitPrice": "1000.00" }]);
    let input = json!({ "subscriberId": subscriber, "lines": lines, "idempotencyKey": key() });
    id(&isp.mutate("invoiceIssue", input, "invoice { id }").await.done()["invoice"])
}

async fn withhold(isp: &Ask<'_>, invoice: &str, amount: &str) -> Value {
    let input = json!({ "invoiceId": invoice, "amount": amount, "reference": "GSTR-7A-1", "idempotencyKey": key() });
    isp.mutate("withholdingRecord", input, STATE).await.done()["invoice"].take()
}

fn back(invoice: &str, amount: Value) -> Value {
    json!({ "invoiceId": invoice, "amount": amount, "reason": "No certificate came", "idempotencyKey": key() })
}

/// Status, due, paid, withheld.
fn state(invoice: &Value) -> [&str; 4] {
    [
        &invoice["status"],
        &invoice["amountDue"]["amount"],
        &invoice["amountPaid"]["amount"],
        &invoice["withheld"]["amount"],
    ]
    .map(|v| v.as_str().unwrap())
}

async fn owed_by_authority(isp: &Ask<'_>) -> String {
    let query = "{ trialBalance { lines { kind balance { amount } } } }";
    let lines = isp.gql(query, json!({})).await.at("trialBalance.lines");
    let line = lines
        .as_array()
        .unwrap()
        .iter()
        .find(|l| l["kind"] == "WITHHOLDING_RECEIVABLE");
    line.map_or("0.00".into(), |l| l["balance"]["amount"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn what_was_withheld_is_owed_again_when_it_is_taken_back() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    let (subscriber, _) = isp.subscriber("Works department", json!({})).await;
    let invoice = charged(&isp, &subscriber).await;
    let pay = json!({ "subscriberId": subscriber, "amount": "980", "method": "CASH", "idempotencyKey": key() });
    isp.mutate("paymentRecord", pay, "payment { id }").await.done();
    assert_eq!(
        state(&withhold(&isp, &invoice, "20").await),
        ["PAID", "0.00", "1000.00", "20.00"]
    );
    assert_eq!(owed_by_authority(&isp).await, "20.00");
    for (input, refusal) in [
        (back(&invoice, json!("20.01")), "INVALID amount"),
        (back(&invoice, json!("0")), "INVALID amount"),
        (back(&invoice, json!("0.001")), "INVALID amount"),
        (
            back(&charged(&isp, &subscriber).await, json!(null)),
            "INVALID_STATE invoiceId",
        ),
        (
            back("invoice_01939f00000070008000000000000000", json!(null)),
            "NOT_FOUND invoiceId",
        ),
    ] {
        let refused = isp.mutate("withholdingReverse", input.clone(), STATE).await;
        assert_eq!(refused.refusals(), [refusal], "{input}");
    }
    let part = back(&invoice, json!("5"));
    let done = isp.mutate("withholdingReverse", part.clone(), STATE).await.done();
    assert_eq!(state(&done["invoice"]), ["PARTIALLY_PAID", "5.00", "995.00", "15.00"]);
    let again = isp.mutate("withholdingReverse", part, STATE).await.done();
    assert_eq!(again, done, "the same call is answered the same");
    let rest = isp
        .mutate("withholdingReverse", back(&invoice, json!(null)), STATE)
        .await
        .done();
    assert_eq!(state(&rest["invoice"]), ["PARTIALLY_PAID", "20.00", "980.00", "0.00"]);
    assert_eq!(owed_by_authority(&isp).await, "0.00");
    let twice = isp.mutate("withholdingReverse", back(&invoice, json!(null)), STATE).await;
    assert_eq!(twice.refusals(), ["INVALID_STATE invoiceId"]);
    app.run_jobs().await;
}

/// Credit in hand settles what is owed again; and who may record may not take back by that alone.
#[tokio::test]
async fn credit_in_hand_takes_its_place() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    let (subscriber, _) = isp.subscriber("Works department", json!({})).await;
    let invoice = charged(&isp, &subscriber).await;
    withhold(&isp, &invoice, "20").await;
    isp.pay(&subscriber, "995").await;
    let done = isp
        .mutate("withholdingReverse", back(&invoice, json!(null)), STATE)
        .await
        .done();
    assert_eq!(state(&done["invoice"]), ["PARTIALLY_PAID", "5.00", "980.00", "0.00"]);
    let support = app.on("asha").as_login("support@asha.example");
    let refused = support.mutate("withholdingReverse", back(&invoice, json!(null)), STATE).await;
    assert_eq!(refused.code().as_deref(), Some("FORBIDDEN"), "{}", refused.text);
    app.run_jobs().await;
}

/// It is returned in money; what the authority owes would be none.
#[tokio::test]
async fn nothing_is_withheld_of_a_deposit() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    let (subscriber, _) = isp.subscriber("Works department", json!({})).await;
    let deposit = json!({ "subscriberId": subscriber, "amount": "1000.00", "description": "Router",
        "idempotencyKey": key() });
    let deposit = isp
        .mutate("depositCharge", deposit, "deposit { invoice { id } }")
        .await
        .done();
    let input = json!({ "invoiceId": deposit["deposit"]["invoice"]["id"], "amount": "20", "idempotencyKey": key() });
    let refused = isp.mutate("withholdingRecord", input, STATE).await;
    assert_eq!(refused.refusals(), ["INVALID_STATE invoiceId"]);
    assert_eq!(owed_by_authority(&isp).await, "0.00");
    app.run_jobs().await;
}
