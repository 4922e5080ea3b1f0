//! Payments as integrators see them.

use serde_json::{Value, json};

use crate::harness::{Ask, TestApp, id, key};

const PAYMENT: &str = "payment {
    id status method reference receivedAt amount { amount currency } unallocated { amount }
    subscriber { id } allocations { amount { amount } invoice { id status amountPaid { amount } amountDue { amount } } } }";

fn cash(subscriber: &str, amount: &str) -> Value {
    json!({ "subscriberId": subscriber, "amount": amount, "method": "CASH", "idempotencyKey": key() })
}

/// `input` with other values in some places.
fn but(mut input: Value, changes: Value) -> Value {
    let (Some(into), Value::Object(changes)) = (input.as_object_mut(), changes) else {
        panic!("objects")
    };
    into.extend(changes);
    input
}

async fn balance(ask: &Ask<'_>, subscriber: &str) -> Value {
    let query = "query($id: ID!) { subscriber(id: $id) { balance { amount currency } } }";
    ask.gql(query, json!({ "id": subscriber })).await.at("subscriber.balance")
}

#[tokio::test]
async fn a_payment_settles_the_first_invoice_and_its_reversal_opens_it_again() {
    let app = TestApp::new().await;
    let owner = app.on("asha").as_owner();
    let first = owner.first_subscriber("meera").await;
    assert_eq!(
        balance(&owner, &first.subscriber).await,
        json!({ "amount": first.total, "currency": "INR" })
    );

    let input = but(
        cash(&first.subscriber, "1500"),
        json!({ "method": "UPI", "reference": "612345678901", "receivedAt": "2026-03-31T20:00:00Z" }),
    );
    let paid = owner.mutate("paymentRecord", input.clone(), PAYMENT).await.done()["payment"].clone();
    let total: rust_decimal::Decimal = first.total.parse().unwrap();
    let surplus = (rust_decimal::Decimal::from(1500) - total).to_string();
    assert_eq!(
        paid,
        json!({
            "id": paid["id"], "status": "SUCCEEDED", "method": "UPI", "reference": "612345678901",
            "receivedAt": "2026-03-31T20:00:00Z", "amount": { "amount": "1500.00", "currency": "INR" },
            "unallocated": { "amount": surplus }, "subscriber": { "id": first.subscriber },
            "allocations": [{
                "amount": { "amount": first.total },
                "invoice": { "id": first.invoice, "status": "PAID", "amountPaid": { "amount": first.total }, "amountDue": { "amount": "0.00" } }
            }],
        })
    );
    assert_eq!(
        owner.mutate("paymentRecord", input, PAYMENT).await.done()["payment"],
        paid,
        "a replay"
    );
    assert_eq!(
        balance(&owner, &first.subscriber).await["amount"],
        json!(format!("-{surplus}"))
    );

    let listed = owner
        .gql(
            "query($id: ID!) { payment(id: $id) { id } node(id: $id) { __typename id } payments(first: 5) { totalCount nodes { id } } }",
            json!({ "id": paid["id"] }),
        )
        .await;
    assert_eq!(listed.at("payment.id"), paid["id"]);
    assert_eq!(listed.at("node"), json!({ "__typename": "Payment", "id": paid["id"] }));
    assert_eq!(
        listed.at("payments"),
        json!({ "totalCount": 1, "nodes": [{ "id": paid["id"] }] })
    );

    let input = json!({ "id": paid["id"], "reason": "Chargeback", "idempotencyKey": key() });
    let reversed = owner.mutate("paymentReverse", input.clone(), PAYMENT).await.done()["payment"].clone();
    assert_eq!(reversed["status"], "REVERSED");
    assert_eq!(reversed["allocations"][0]["invoice"]["status"], "ISSUED");
    assert_eq!(
        owner.mutate("paymentReverse", input.clone(), PAYMENT).await.done()["payment"],
        reversed,
        "a replay"
    );
    let again = owner
        .mutate("paymentReverse", but(input, json!({ "idempotencyKey": key() })), PAYMENT)
        .await;
    assert_eq!(again.refusals(), ["INVALID_STATE id"]);
    assert_eq!(balance(&owner, &first.subscriber).await["amount"], json!(first.total));
    app.run_jobs().await;
}

#[tokio::test]
async fn bad_input_is_refused_with_its_code_and_nothing_is_done() {
    let app = TestApp::new().await;
    let owner = app.on("asha").as_owner();
    let (subscriber, _) = owner.subscriber("Meera", json!({})).await;
    let abroad = app.on("baraka").as_owner();
    let (foreign, _) = abroad.subscriber("Otieno", json!({ "address": null })).await;
    let plan = owner.plan("p", json!({})).await;

    let refusals = [
        (json!({ "subscriberId": "nonsense" }), "INVALID subscriberId"),
        (json!({ "subscriberId": subscriber.to_uppercase() }), "INVALID subscriberId"),
        (json!({ "subscriberId": plan }), "NOT_FOUND subscriberId"),
        (json!({ "subscriberId": foreign }), "NOT_FOUND subscriberId"),
        (json!({ "amount": "0" }), "INVALID amount"),
        (json!({ "amount": "-1.00" }), "INVALID amount"),
        (json!({ "amount": "1.001" }), "INVALID amount"),
        (json!({ "amount": "999999999999999.99" }), "INVALID amount"),
        (json!({ "receivedAt": "2026-04-01T05:00:00Z" }), "INVALID receivedAt"),
        (json!({ "receivedAt": "1999-12-31T00:00:00Z" }), "INVALID receivedAt"),
        (json!({ "reference": "x".repeat(101) }), "INVALID reference"),
        (json!({ "invoiceIds": ["nonsense"] }), "INVALID invoiceIds.0"),
        (json!({ "invoiceIds": [subscriber] }), "NOT_FOUND invoiceIds.0"),
    ];
    for (changes, wanted) in refusals {
        let answer = owner
            .mutate(
                "paymentRecord",
                but(cash(&subscriber, "10"), changes.clone()),
                "payment { id }",
            )
            .await;
        assert_eq!(answer.refusals(), [wanted], "{changes}");
        assert_eq!(answer.at("paymentRecord.payment"), Value::Null);
    }
    let malformed = [
        json!({ "amount": 10 }),
        json!({ "amount": 10.5 }),
        json!({ "amount": "1e3" }),
        json!({ "amount": "1.00000" }),
        json!({ "amount": "1000000000000000" }),
        json!({ "amount": "NaN" }),
        json!({ "amount": null }),
        json!({ "method": "BITCOIN" }),
        json!({ "receivedAt": "yesterday" }),
        json!({ "receivedAt": "2026-04-01" }),
        json!({ "idempotencyKey": "1" }),
        json!({ "idempotencyKey": null }),
        json!({ "surprise": true }),
    ];
    for changes in malformed {
        let answer = owner
            .mutate(
                "paymentRecord",
                but(cash(&subscriber, "10"), changes.clone()),
                "payment { id }",
            )
            .await;
        assert_eq!(answer.code().as_deref(), Some("BAD_ARGUMENT"), "{changes}: {}", answer.text);
    }
    for (id, wanted) in [("payment_0", "INVALID id"), (plan.as_str(), "NOT_FOUND id")] {
        let input = json!({ "id": id, "reason": "x", "idempotencyKey": key() });
        assert_eq!(
            owner.mutate("paymentReverse", input, "payment { id }").await.refusals(),
            [wanted]
        );
    }
    let none = owner.gql("{ payments(first: 1) { totalCount } }", json!({})).await;
    assert_eq!(none.at("payments.totalCount"), json!(0));
    for first in [-1, 101] {
        let answer = owner
            .gql(
                "query($n: Int!) { payments(first: $n) { totalCount } }",
                json!({ "n": first }),
            )
            .await;
        assert_eq!(answer.code().as_deref(), Some("BAD_ARGUMENT"));
    }
    let answer = owner
        .gql("{ payments(first: 1, after: \"x\") { totalCount } }", json!({}))
        .await;
    assert_eq!(answer.code().as_deref(), Some("BAD_ARGUMENT"));
    app.run_jobs().await;
}

#[tokio::test]
async fn who_sees_payments_and_balances() {
    let app = TestApp::new().await;
    let owner = app.on("asha").as_owner();
    let (mine, my_number) = owner.subscriber("Meera", json!({})).await;
    let (theirs, _) = owner.subscriber("Nikhil", json!({})).await;
    owner.portal_password(&mine).await;
    let my_payment = owner.pay(&mine, "10").await;
    let their_payment = owner.pay(&theirs, "20").await;

    let portal = app.on("asha").as_subscriber(&my_number);
    let query = "query($mine: ID!, $theirs: ID!) {
        mine: payment(id: $mine) { id } theirs: payment(id: $theirs) { id } node(id: $theirs) { id }
        payments(first: 10) { totalCount nodes { id subscriber { id } } } }";
    let seen = portal
        .gql(query, json!({ "mine": my_payment, "theirs": their_payment }))
        .await;
    assert_eq!(seen.at("mine.id"), json!(my_payment));
    assert_eq!((seen.at("theirs"), seen.at("node")), (Value::Null, Value::Null));
    assert_eq!(
        seen.at("payments"),
        json!({ "totalCount": 1, "nodes": [{ "id": my_payment, "subscriber": { "id": mine } }] })
    );
    assert_eq!(
        balance(&portal, &mine).await,
        json!({ "amount": "-10.00", "currency": "INR" })
    );
    let refused = portal.mutate("paymentRecord", cash(&mine, "5"), "payment { id }").await;
    assert_eq!(refused.code().as_deref(), Some("FORBIDDEN"));

    let abroad = app.on("baraka").as_owner();
    let seen = abroad
        .gql(query, json!({ "mine": my_payment, "theirs": their_payment }))
        .await;
    assert_eq!(
        (seen.at("mine"), seen.at("theirs"), seen.at("node")),
        (Value::Null, Value::Null, Value::Null)
    );
    assert_eq!(seen.at("payments.totalCount"), json!(0));
    assert!(
        !abroad
            .gql("{ payments(first: 10) { nodes { id } } }", json!({}))
            .await
            .text
            .contains(&my_payment)
    );

    let nothing = app.on("asha").as_login("nothing@asha.example");
    for query in [
        "{ payments(first: 1) { totalCount } }",
        &format!("{{ payment(id: \"{my_payment}\") {{ id }} }}"),
    ] {
        assert_eq!(
            nothing.gql(query, json!({})).await.code().as_deref(),
            Some("FORBIDDEN"),
            "{query}"
        );
        assert_eq!(
            app.on("asha").gql(query, json!({})).await.code().as_deref(),
            Some("UNAUTHENTICATED"),
            "{query}"
        );
    }
    // Support looks after subscribers but does not see money: the rest of the answer stays.
    let support = app.on("asha").as_login("network@asha.example");
    let answer = support
        .gql(
            "query($id: ID!) { subscriber(id: $id) { name balance { amount } } }",
            json!({ "id": mine }),
        )
        .await;
    assert_eq!(answer.code().as_deref(), Some("FORBIDDEN"), "{}", answer.text);
    assert_eq!(answer.body["data"]["subscriber"]["balance"], Value::Null);
    app.run_jobs().await;
}

#[tokio::test]
async fn keys_of_two_clerks_do_not_meet() {
    let app = TestApp::new().await;
    let owner = app.on("asha").as_owner();
    let (subscriber, _) = owner.subscriber("Meera", json!({})).await;
    let input = cash(&subscriber, "10");
    let mut made = Vec::new();
    for clerk in [owner.clone(), app.on("asha").as_login("billing@asha.example")] {
        made.push(id(&clerk
            .mutate("paymentRecord", input.clone(), "payment { id }")
            .await
            .done()["payment"]));
    }
    assert_ne!(made[0], made[1]);
    let other = owner
        .mutate("paymentRecord", but(input, json!({ "amount": "11" })), "payment { id }")
        .await;
    assert_eq!(other.refusals(), ["IDEMPOTENCY_KEY_REUSED idempotencyKey"]);
    app.run_jobs().await;
}
