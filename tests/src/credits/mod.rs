//! Credit given back and moved, deposits, and what is given up: the books balance after each, and nobody's credit goes below
//! nothing, whoever comes at once.

mod given_up;
mod in_hand;
mod lives;

use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::harness::{Ask, TestApp, id, key};
use crate::payments::isp::decimal;

async fn balance(ask: &Ask<'_>, subscriber: &str) -> Value {
    let query = "query($id: ID!) { subscriber(id: $id) { balance { amount } } }";
    ask.gql(query, json!({ "id": subscriber }))
        .await
        .at("subscriber.balance.amount")
}

async fn invoice(ask: &Ask<'_>, id: &str) -> Value {
    let query = "query($id: ID!) { invoice(id: $id) { status amountDue { amount } writtenOff { amount } } }";
    let found = ask.gql(query, json!({ "id": id })).await.at("invoice");
    json!([found["status"], found["amountDue"]["amount"], found["writtenOff"]["amount"]])
}

async fn charged(ask: &Ask<'_>, subscriber: &str, price: &str) -> String {
    let input = json!({
        "subscriberId": subscriber, "lines": [{ "description": "Cable", "unitPrice": price }], "idempotencyKey": key(),
    });
    id(&ask.mutate("invoiceIssue", input, "invoice { id }").await.done()["invoice"])
}

#[tokio::test]
async fn credit_is_paid_back_and_never_more_than_is_in_hand() {
    let app = TestApp::new().await;
    let owner = app.on("asha").as_owner();
    let (subscriber, _) = owner.subscriber("meera", json!({})).await;
    let (other, _) = owner.subscriber("tara", json!({})).await;
    let payment = owner.pay(&subscriber, "500").await;
    let theirs = owner.pay(&other, "900").await;
    owner.pay(&subscriber, "300").await;
    let refund = |amount: &str, payment: Value| {
        json!({ "subscriberId": subscriber, "amount": amount, "method": "BANK_TRANSFER", "reference": "NEFT-1",
            "reason": "Moved away", "paymentId": payment, "idempotencyKey": key() })
    };
    const REFUND: &str = "refund { id amount { amount } method reference reason refundedOn payment { id refunded { amount } }
        subscriber { id refunds { reference } } }";
    let input = refund("450", json!(payment));
    let made = owner.mutate("creditRefund", input.clone(), REFUND).await.done()["refund"].clone();
    assert_eq!(
        made,
        json!({
            "id": made["id"], "amount": { "amount": "450.00" }, "method": "BANK_TRANSFER", "reference": "NEFT-1",
            "reason": "Moved away", "refundedOn": "2026-04-01", "payment": { "id": payment, "refunded": { "amount": "450.00" } },
            "subscriber": { "id": subscriber, "refunds": [{ "reference": "NEFT-1" }] },
        })
    );
    assert_eq!(
        owner.mutate("creditRefund", input, REFUND).await.done()["refund"]["id"],
        made["id"]
    );
    assert_eq!(balance(&owner, &subscriber).await, "-350.00");
    for (input, refusal) in [
        (refund("350.01", json!(null)), "INSUFFICIENT_FUNDS amount"),
        (refund("50.01", json!(payment)), "INSUFFICIENT_FUNDS amount"),
        (refund("1", json!(theirs)), "NOT_FOUND paymentId"),
        (refund("0", json!(null)), "INVALID amount"),
        (refund("-1", json!(null)), "INVALID amount"),
    ] {
        assert_eq!(
            owner.mutate("creditRefund", input.clone(), REFUND).await.refusals(),
            [refusal],
            "{input}"
        );
    }
    let reverse = json!({ "id": payment, "reason": "Bounced", "idempotencyKey": key() });
    let refused = owner.mutate("paymentReverse", reverse, "payment { id }").await;
    assert_eq!(refused.refusals(), ["INVALID_STATE id"], "its money has gone back already");
    app.run_jobs().await;
}

#[tokio::test]
async fn credit_moves_between_subscribers_of_one_customer_only() {
    let app = TestApp::new().await;
    let owner = app.on("asha").as_owner();
    let (shop, _) = owner.subscriber("shop", json!({ "phone": "+919845012345" })).await;
    let (home, _) = owner.subscriber("home", json!({ "phone": "+91 98450 12345" })).await;
    let (flat, _) = owner.subscriber("flat", json!({ "billToId": shop })).await;
    let (stranger, _) = owner.subscriber("stranger", json!({})).await;
    owner.pay(&shop, "500").await;
    let owed = charged(&owner, &home, "200").await;
    let moved = |from: &str, to: &str, amount: &str| json!({ "fromSubscriberId": from, "toSubscriberId": to, "amount": amount, "reason": "Asked for", "idempotencyKey": key() });
    const TRANSFER: &str = "transfer { amount { amount } from { id } to { id } reason }";
    let done = owner
        .mutate("creditTransfer", moved(&shop, &home, "450"), TRANSFER)
        .await
        .done();
    assert_eq!(done["transfer"]["to"]["id"], json!(home));
    assert_eq!(invoice(&owner, &owed).await, json!(["PAID", "0.00", "0.00"]));
    assert_eq!(balance(&owner, &shop).await, "-50.00");
    for (input, refusal) in [
        (moved(&shop, &stranger, "1"), "INVALID toSubscriberId"),
        (moved(&shop, &shop, "1"), "INVALID toSubscriberId"),
        // It would not be used there: what the flat owes, the shop owes.
        (moved(&shop, &flat, "1"), "INVALID toSubscriberId"),
        (moved(&shop, &home, "50.01"), "INSUFFICIENT_FUNDS amount"),
    ] {
        assert_eq!(owner.mutate("creditTransfer", input, TRANSFER).await.refusals(), [refusal]);
    }
    app.run_jobs().await;
}

#[tokio::test]
async fn a_deposit_is_held_untaxed_and_goes_back() {
    let app = TestApp::new().await;
    let owner = app.on("asha").as_owner();
    let first = owner.first_subscriber("meera").await;
    let charge = json!({ "subscriberId": first.subscriber, "serviceId": first.service, "amount": "1500",
        "description": "Router", "idempotencyKey": key() });
    const DEPOSIT: &str = "deposit { id held { amount } returned { amount }
        invoice { id number kind taxTotal { amount } lines { kind } } }";
    let deposit = owner.mutate("depositCharge", charge, DEPOSIT).await.done()["deposit"].clone();
    assert_eq!(deposit["invoice"]["kind"], "DEPOSIT");
    assert_eq!(deposit["invoice"]["number"], "DEPOSIT-000001");
    assert_eq!(deposit["invoice"]["taxTotal"]["amount"], "0.00");
    let owed: Decimal = decimal(&first.total) + Decimal::from(1500);
    owner.pay(&first.subscriber, &owed.to_string()).await;
    let back = json!({ "id": deposit["id"], "amount": "400", "reason": "Goodwill", "idempotencyKey": key() });
    let returned = owner.mutate("depositReturn", back, DEPOSIT).await.done();
    assert_eq!(returned["deposit"]["held"]["amount"], "1100.00");
    assert_eq!(balance(&owner, &first.subscriber).await, "-400.00");
    // At the end of the service what is owed is settled with it, and no more.
    let unpaid = charged(&owner, &first.subscriber, "600").await;
    let end = json!({ "id": first.service, "reason": "Moved", "effectiveOn": "2026-05-01", "idempotencyKey": key() });
    owner.mutate("serviceTerminate", end, "service { id }").await.done();
    app.set_clock("2026-05-01T06:00:00Z").await;
    app.run_jobs().await;
    assert_eq!(invoice(&owner, &unpaid).await, json!(["PAID", "0.00", "0.00"]));
    let query = "query($id: ID!) { deposit(id: $id) { held { amount } } }";
    assert_eq!(
        owner
            .gql(query, json!({ "id": deposit["id"] }))
            .await
            .at("deposit.held.amount"),
        "900.00"
    );
    let out = json!({ "id": deposit["id"], "reason": "The router came back", "idempotencyKey": key(),
        "payOut": { "method": "CASH", "reference": "R-1" } });
    owner.mutate("depositReturn", out, DEPOSIT).await.done();
    assert_eq!(balance(&owner, &first.subscriber).await, "0.00");
    let again = json!({ "id": deposit["id"], "reason": "x", "idempotencyKey": key() });
    assert_eq!(
        owner.mutate("depositReturn", again, DEPOSIT).await.refusals(),
        ["INVALID_STATE id"]
    );
    app.run_jobs().await;
}

#[tokio::test]
async fn what_is_given_up_can_still_be_paid() {
    let app = TestApp::new().await;
    let owner = app.on("asha").as_owner();
    let (subscriber, _) = owner.subscriber("meera", json!({})).await;
    let owed = charged(&owner, &subscriber, "1000").await;
    let give_up = |amount: Value| json!({ "invoiceId": owed, "amount": amount, "reason": "Gone", "idempotencyKey": key() });
    const INVOICE: &str = "invoice { id }";
    let too_much = owner.mutate("invoiceWriteOff", give_up(json!("1000.01")), INVOICE).await;
    assert_eq!(too_much.refusals(), ["INVALID amount"]);
    owner.mutate("invoiceWriteOff", give_up(json!("300")), INVOICE).await.done();
    assert_eq!(invoice(&owner, &owed).await, json!(["PARTIALLY_PAID", "700.00", "300.00"]));
    owner.mutate("invoiceWriteOff", give_up(json!(null)), INVOICE).await.done();
    assert_eq!(invoice(&owner, &owed).await, json!(["WRITTEN_OFF", "0.00", "1000.00"]));
    assert_eq!(balance(&owner, &subscriber).await, "0.00");
    let nothing = owner.mutate("invoiceWriteOff", give_up(json!(null)), INVOICE).await;
    assert_eq!(nothing.refusals(), ["INVALID_STATE invoiceId"]);
    // A part comes in after all.
    let paid =
        json!({ "subscriberId": subscriber, "amount": "400", "method": "CASH", "invoiceIds": [owed], "idempotencyKey": key() });
    let paid = owner
        .mutate("paymentRecord", paid, "payment { id unallocated { amount } }")
        .await
        .done();
    assert_eq!(paid["payment"]["unallocated"]["amount"], "0.00");
    assert_eq!(invoice(&owner, &owed).await, json!(["WRITTEN_OFF", "0.00", "600.00"]));
    // What was never paid does not become credit.
    let note = json!({ "invoiceId": owed, "reason": "All of it", "idempotencyKey": key() });
    owner.mutate("creditNoteIssue", note, "creditNote { id }").await.done();
    assert_eq!(balance(&owner, &subscriber).await, "-400.00");
    let other = charged(&owner, &subscriber, "1000").await;
    let all = json!({ "invoiceId": other, "reason": "Gone", "idempotencyKey": key() });
    owner.mutate("invoiceWriteOff", all, INVOICE).await.done();
    let back = json!({ "invoiceId": other, "reason": "A slip", "idempotencyKey": key() });
    owner.mutate("invoiceWriteOffReverse", back.clone(), INVOICE).await.done();
    assert_eq!(invoice(&owner, &other).await, json!(["PARTIALLY_PAID", "600.00", "0.00"]));
    let billing = app.on("asha").as_login("billing@asha.example");
    let refused = billing.mutate("invoiceWriteOff", give_up(json!(null)), INVOICE).await;
    assert_eq!(refused.code().as_deref(), Some("FORBIDDEN"));
    app.run_jobs().await;
}

#[tokio::test]
async fn what_was_never_paid_of_a_deposit_is_not_paid_out() {
    let app = TestApp::new().await;
    let owner = app.on("asha").as_owner();
    let (subscriber, _) = owner.subscriber("meera", json!({})).await;
    let charge = |amount: &str, about: &str| json!({ "subscriberId": subscriber, "amount": amount, "description": about, "idempotencyKey": key() });
    const DEPOSIT: &str = "deposit { id held { amount } invoice { id status amountDue { amount } } }";
    for (input, refusal) in [
        (charge("0", "Router"), "INVALID amount"),
        (charge("-5", "Router"), "INVALID amount"),
        (charge("1.001", "Router"), "INVALID amount"),
        (charge("5", " "), "REQUIRED description"),
    ] {
        let refused = owner.mutate("depositCharge", input.clone(), DEPOSIT).await;
        assert_eq!(refused.refusals(), [refusal], "{input}");
    }
    let mut past = charge("5", "Router");
    past["dueOn"] = json!("2026-03-31");
    assert_eq!(
        owner.mutate("depositCharge", past, DEPOSIT).await.refusals(),
        ["INVALID dueOn"]
    );
    let input = charge("1000", "Router");
    let made = owner.mutate("depositCharge", input.clone(), DEPOSIT).await.done()["deposit"].clone();
    let again = owner.mutate("depositCharge", input.clone(), DEPOSIT).await.done();
    assert_eq!(again["deposit"]["id"], made["id"], "the same key, the same deposit");
    let mut other = input;
    other["amount"] = json!("1001");
    let other = owner.mutate("depositCharge", other, DEPOSIT).await;
    assert_eq!(other.refusals(), ["IDEMPOTENCY_KEY_REUSED idempotencyKey"]);
    let deposit_invoice = id(&made["invoice"]);
    let give_up = json!({ "invoiceId": deposit_invoice, "reason": "Gone", "idempotencyKey": key() });
    let refused = owner.mutate("invoiceWriteOff", give_up, "invoice { id }").await;
    assert_eq!(refused.refusals(), ["INVALID_STATE invoiceId"]);
    let credit = json!({ "invoiceId": deposit_invoice, "reason": "Gone", "idempotencyKey": key() });
    let refused = owner.mutate("creditNoteIssue", credit, "creditNote { id }").await;
    assert_eq!(refused.refusals(), ["INVALID_STATE invoiceId"]);
    // An older debt does not take what was never paid of the deposit.
    let owed = charged(&owner, &subscriber, "100").await;
    let out = |amount: Value| {
        json!({ "id": made["id"], "amount": amount, "reason": "Not taken after all", "idempotencyKey": key(),
            "payOut": { "method": "CASH" } })
    };
    for (amount, refusal) in [
        ("1000.01", "INSUFFICIENT_FUNDS amount"),
        ("0", "INVALID amount"),
        ("-1", "INVALID amount"),
    ] {
        let refused = owner.mutate("depositReturn", out(json!(amount)), DEPOSIT).await;
        assert_eq!(refused.refusals(), [refusal]);
    }
    let returned = owner.mutate("depositReturn", out(json!(null)), DEPOSIT).await.done();
    assert_eq!(
        returned["deposit"],
        json!({ "id": made["id"], "held": { "amount": "0.00" },
            "invoice": { "id": deposit_invoice, "status": "PAID", "amountDue": { "amount": "0.00" } } })
    );
    assert_eq!(invoice(&owner, &owed).await, json!(["ISSUED", "100.00", "0.00"]));
    let query = "query($id: ID!) { subscriber(id: $id) { refunds { id } deposits { id } } }";
    let shown = owner.gql(query, json!({ "id": subscriber })).await.at("subscriber");
    assert_eq!(shown, json!({ "refunds": [], "deposits": [{ "id": made["id"] }] }));
    app.run_jobs().await;
}

#[tokio::test]
async fn the_same_credit_is_refunded_once_whoever_asks_at_once() {
    let app = TestApp::new().await;
    let owner = app.on("asha").as_owner();
    let (subscriber, _) = owner.subscriber("meera", json!({})).await;
    let payment = owner.pay(&subscriber, "500").await;
    let refund = |key: Value| {
        json!({ "subscriberId": subscriber, "amount": "300", "method": "CASH", "reason": "Asked for", "paymentId": payment,
            "idempotencyKey": key })
    };
    const REFUND: &str = "refund { id }";
    // One call sent thrice, and two others.
    let same = json!(key());
    let calls = [same.clone(), same.clone(), same, json!(key()), json!(key())];
    let answers = futures::future::join_all(calls.map(|key| owner.mutate("creditRefund", refund(key), REFUND))).await;
    let done: std::collections::BTreeSet<String> = (answers.iter())
        .filter(|a| a.refusals().is_empty())
        .map(|a| a.text_at("creditRefund.refund.id"))
        .collect();
    assert_eq!(done.len(), 1, "{done:?}");
    let refused = answers.iter().flat_map(|a| a.refusals());
    for refusal in refused {
        assert_eq!(refusal, "INSUFFICIENT_FUNDS amount");
    }
    assert_eq!(balance(&owner, &subscriber).await, "-200.00");
    app.run_jobs().await;
}
