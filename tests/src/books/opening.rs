use serde_json::{Value, json};

use crate::harness::{Ask, TestApp, key};

const BALANCE: &str = "openingBalance { amount { amount currency } asOf reference subscriber { id }
    invoice { id kind number status issuedOn dueOn total { amount } amountDue { amount } taxes { name } lines { kind description } } }";

fn brought(subscriber: &str, amount: &str) -> Value {
    json!({ "subscriberId": subscriber, "amount": amount, "asOf": "2026-03-31", "reference": "OLD-7", "idempotencyKey": key() })
}

fn but(mut input: Value, field: &str, value: Value) -> Value {
    input[field] = value;
    input
}

async fn balance(owner: &Ask<'_>, subscriber: &str) -> Value {
    let query = "query($id: ID!) { subscriber(id: $id) { balance { amount } } }";
    owner
        .gql(query, json!({ "id": subscriber }))
        .await
        .at("subscriber.balance.amount")
}

#[tokio::test]
async fn a_debt_is_an_invoice_of_its_own_kind_and_payments_settle_it() {
    let app = TestApp::new().await;
    let owner = app.on("asha").as_owner();
    let (subscriber, _) = owner.subscriber("meera", json!({})).await;
    let input = brought(&subscriber, "512.5");
    let made = owner.mutate("openingBalanceRecord", input.clone(), BALANCE).await.done()["openingBalance"].clone();
    let invoice = made["invoice"]["id"].clone();
    assert_eq!(
        made,
        json!({
            "amount": { "amount": "512.50", "currency": "INR" }, "asOf": "2026-03-31", "reference": "OLD-7",
            "subscriber": { "id": subscriber },
            "invoice": {
                "id": invoice, "kind": "OPENING_BALANCE", "number": "OPENING-000001", "status": "ISSUED",
                "issuedOn": "2026-03-31", "dueOn": "2026-04-16", "total": { "amount": "512.50" },
                "amountDue": { "amount": "512.50" }, "taxes": [],
                "lines": [{ "kind": "ADJUSTMENT", "description": "Balance brought forward as of 2026-03-31" }],
            },
        })
    );
    let again = owner.mutate("openingBalanceRecord", input.clone(), BALANCE).await.done();
    assert_eq!(again["openingBalance"], made, "the same key, the same balance");
    let other = but(input, "amount", json!("1.00"));
    assert_eq!(
        owner.mutate("openingBalanceRecord", other, BALANCE).await.refusals(),
        ["IDEMPOTENCY_KEY_REUSED idempotencyKey"]
    );
    let twice = owner
        .mutate("openingBalanceRecord", brought(&subscriber, "1.00"), BALANCE)
        .await;
    assert_eq!(twice.refusals(), ["CONFLICT subscriberId"]);
    assert_eq!(balance(&owner, &subscriber).await, "512.50");

    let note = json!({ "invoiceId": invoice, "amount": "1.00", "reason": "x", "idempotencyKey": key() });
    let refused = owner.mutate("creditNoteIssue", note, "creditNote { id }").await;
    assert_eq!(refused.refusals(), ["INVALID_STATE invoiceId"], "it was charged elsewhere");
    owner.pay(&subscriber, "600").await;
    let query = "query($id: ID!) { invoice(id: $id) { status amountDue { amount } } }";
    let paid = owner.gql(query, json!({ "id": invoice })).await.at("invoice");
    assert_eq!(paid, json!({ "status": "PAID", "amountDue": { "amount": "0.00" } }));
    assert_eq!(balance(&owner, &subscriber).await, "-87.50");
    app.run_jobs().await;
}

#[tokio::test]
async fn credit_that_was_brought_along_settles_what_is_owed() {
    let app = TestApp::new().await;
    let owner = app.on("asha").as_owner();
    let first = owner.first_subscriber("meera").await;
    let input = brought(&first.subscriber, "-2000");
    let made = owner.mutate("openingBalanceRecord", input, BALANCE).await.done()["openingBalance"].clone();
    assert_eq!(
        (&made["invoice"], &made["amount"]["amount"]),
        (&Value::Null, &json!("-2000.00"))
    );
    let query = "query($id: ID!) { invoice(id: $id) { status amountCredited { amount } } }";
    let paid = owner.gql(query, json!({ "id": first.invoice })).await.at("invoice");
    assert_eq!(paid, json!({ "status": "PAID", "amountCredited": { "amount": first.total } }));
    app.run_jobs().await;
}

#[tokio::test]
async fn what_is_no_opening_balance() {
    let app = TestApp::new().await;
    let owner = app.on("asha").as_owner();
    let (payer, _) = owner.subscriber("payer", json!({})).await;
    let (subscriber, _) = owner.subscriber("meera", json!({ "billToId": payer })).await;
    for (input, refusal) in [
        (brought(&payer, "0.00"), "INVALID amount"),
        (brought(&payer, "0.001"), "INVALID amount"),
        (brought(&payer, "-999999999999999"), "INVALID amount"),
        (but(brought(&payer, "1"), "asOf", json!("2026-04-02")), "INVALID asOf"),
        (but(brought(&payer, "1"), "asOf", json!("1999-12-31")), "INVALID asOf"),
        (but(brought(&payer, "1"), "dueOn", json!("2026-03-30")), "INVALID dueOn"),
        (brought(&subscriber, "1"), "INVALID subscriberId"),
    ] {
        let answer = owner.mutate("openingBalanceRecord", input.clone(), BALANCE).await;
        assert_eq!(answer.refusals(), [refusal], "{input}");
    }
    assert_eq!(balance(&owner, &payer).await, "0.00");
    let billing = app.on("asha").as_login("billing@asha.example");
    let answer = billing.mutate("openingBalanceRecord", brought(&payer, "1"), BALANCE).await;
    assert_eq!(answer.code().as_deref(), Some("FORBIDDEN"));
}
