use rust_decimal::Decimal;
use serde_json::json;

use super::shop::{decimal, trade};
use crate::harness::TestApp;

const STATEMENT: &str = "query($id: ID!, $from: Date, $to: Date) { accountStatement(subscriberId: $id, from: $from, to: $to) {
    subscriber { id } from to openingBalance { amount } closingBalance { amount }
    entries { entryId kind bookedOn description amount { amount } balance { amount } document { kind id number } } } }";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_adds_up_and_names_its_documents() {
    let app = TestApp::new().await;
    trade(&app, "asha").await;
    let owner = app.on("asha").as_owner();
    let query = "{ subscribers(first: 100) { nodes { id name accountNumber balance { amount } } } }";
    let all = owner.gql(query, json!({})).await.at("subscribers.nodes");
    let mut kinds = std::collections::BTreeSet::new();
    for subscriber in all.as_array().unwrap() {
        let whole = owner
            .gql(STATEMENT, json!({ "id": subscriber["id"] }))
            .await
            .at("accountStatement");
        assert_eq!(whole["closingBalance"]["amount"], subscriber["balance"]["amount"], "{whole}");
        assert_eq!(decimal(&whole["openingBalance"]["amount"]), Decimal::ZERO);
        let mut balance = Decimal::ZERO;
        for entry in whole["entries"].as_array().unwrap() {
            balance += decimal(&entry["amount"]["amount"]);
            assert_eq!(decimal(&entry["balance"]["amount"]), balance, "{entry}");
            let kind = entry["kind"].as_str().unwrap();
            assert!(
                ["opening", "credit-transfer"].contains(&kind) || !entry["document"]["id"].is_null(),
                "{entry}"
            );
            kinds.insert(kind.to_owned());
        }
        let later = json!({ "id": subscriber["id"], "from": "2026-04-02" });
        let later = owner.gql(STATEMENT, later).await.at("accountStatement");
        let until = json!({ "id": subscriber["id"], "to": "2026-04-01" });
        let until = owner.gql(STATEMENT, until).await.at("accountStatement");
        assert_eq!(later["openingBalance"], until["closingBalance"]);
        assert_eq!(later["closingBalance"], whole["closingBalance"]);
        let count = |s: &serde_json::Value| s["entries"].as_array().unwrap().len();
        assert_eq!(count(&later) + count(&until), count(&whole));
    }
    let expected = [
        "credit",
        "credit-note",
        "credit-transfer",
        "deposit",
        "deposit-return",
        "invoice",
        "opening",
        "payment",
        "payment-reversal",
        "refund",
        "void",
        "withholding",
        "write-off",
    ];
    for kind in expected {
        assert!(kinds.contains(kind), "{kind} is in nobody's statement: {kinds:?}");
    }
}

#[tokio::test]
async fn a_subscriber_sees_its_own_statement_only() {
    let app = TestApp::new().await;
    let owner = app.on("asha").as_owner();
    let first = owner.first_subscriber("meera").await;
    let other = owner.first_subscriber("tara").await;
    owner.portal_password(&first.subscriber).await;
    let me = app.on("asha").as_subscriber(&first.account_number);
    let own = me
        .gql(STATEMENT, json!({ "id": first.subscriber }))
        .await
        .at("accountStatement");
    assert_eq!(own["closingBalance"]["amount"], json!(first.total));
    let asked = me.gql(STATEMENT, json!({ "id": other.subscriber })).await;
    assert_eq!(asked.code().as_deref(), Some("FORBIDDEN"), "{}", asked.text);
    let backwards = json!({ "id": first.subscriber, "from": "2026-04-02", "to": "2026-04-01" });
    assert_eq!(me.gql(STATEMENT, backwards).await.code().as_deref(), Some("BAD_ARGUMENT"));
    app.jobs_may_remain();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_entries_are_one_quick_answer() {
    let app = TestApp::new().await;
    let owner = app.on("asha").as_owner();
    let first = owner.first_subscriber("meera").await;
    let other = owner.first_subscriber("tara").await;
    for (subscriber, many) in [(&first.subscriber, 999), (&other.subscriber, 30_000)] {
        super::entries_of(&app, subscriber, many).await;
    }
    let mut quickest = std::time::Duration::MAX;
    for _ in 0..5 {
        let begun = std::time::Instant::now();
        let whole = owner
            .gql(STATEMENT, json!({ "id": first.subscriber }))
            .await
            .at("accountStatement");
        quickest = quickest.min(begun.elapsed());
        assert_eq!(whole["entries"].as_array().unwrap().len(), 1_000);
        assert_eq!(
            decimal(&whole["closingBalance"]["amount"]),
            Decimal::from(999) + decimal(&json!(first.total))
        );
    }
    println!("a statement of 1,000 entries: {quickest:?}");
    assert!(quickest < std::time::Duration::from_secs(10), "{quickest:?}");
    let all = owner.gql(STATEMENT, json!({ "id": other.subscriber })).await;
    assert_eq!(all.code().as_deref(), Some("BAD_ARGUMENT"), "ask for a shorter time");
    app.jobs_may_remain();
}
