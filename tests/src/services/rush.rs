//! Payments, credit notes and plan changes on one subscriber at once: nothing is lost, and no deadlock reaches a client.

use futures::future::join_all;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::harness::{Answer, Ask, TestApp, id, key};

/// Asks again when the server was too busy to begin; whatever else it answers counts.
async fn ask(isp: &Ask<'_>, name: &str, input: Value, selection: &str) -> Answer {
    loop {
        let answer = isp.mutate(name, input.clone(), selection).await;
        if answer.code().as_deref() != Some("UNAVAILABLE") {
            return answer;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_at_once_on_one_subscriber() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.register_for_gst().await;
    let first = isp.first_subscriber("ravi").await;
    isp.pay(&first.subscriber, &first.total).await;
    app.run_jobs().await;
    app.set_clock("2026-04-11T04:30:00Z").await;
    app.run_jobs().await;
    let plans = [first.plan.clone(), isp.plan("other", json!({ "price": "1499.99" })).await];
    let mut invoices = Vec::new();
    for _ in 0..6 {
        let lines = json!([{ "description": "Cable", "unitPrice": "99.99" }, { "description": "Plug", "unitPrice": "0.55" }]);
        let input = json!({ "subscriberId": first.subscriber, "lines": lines, "idempotencyKey": key() });
        invoices.push(id(
            &isp.mutate("invoiceIssue", input, "invoice { id }").await.done()["invoice"],
        ));
    }
    let calls = (0..200).map(|n: usize| {
        let (isp, subscriber, service) = (isp.clone(), first.subscriber.clone(), first.service.clone());
        let (plan, invoice) = (plans[n % 2].clone(), invoices[n % 6].clone());
        async move {
            match n % 4 {
                0 | 1 => {
                    let input =
                        json!({ "subscriberId": subscriber, "amount": "7.77", "method": "CASH", "idempotencyKey": key() });
                    let answer = ask(&isp, "paymentRecord", input, "payment { id }").await;
                    answer.done();
                    1
                }
                2 => {
                    let input = json!({ "invoiceId": invoice, "amount": "3.33", "reason": "x", "idempotencyKey": key() });
                    let answer = ask(&isp, "creditNoteIssue", input, "creditNote { id }").await;
                    answer.refusals();
                    0
                }
                _ => {
                    let input = json!({ "id": service, "planId": plan, "timing": "NOW", "idempotencyKey": key() });
                    let answer = ask(&isp, "serviceChangePlan", input, "service { id }").await;
                    // Who comes second finds that it has this plan already.
                    let refusals = answer.refusals();
                    assert!(refusals.is_empty() || refusals == ["INVALID planId"], "{refusals:?}");
                    0
                }
            }
        }
    });
    let paid: i64 = join_all(calls).await.into_iter().sum();
    assert_eq!(paid, 100);
    app.run_jobs().await;

    let query = "query($id: ID!) { subscriber(id: $id) { balance { amount } invoices(first: 100) { nodes { total { amount }
        amountPaid { amount } amountCredited { amount } amountDue { amount } creditNotes { total { amount } } } } } }";
    let subscriber = isp.gql(query, json!({ "id": first.subscriber })).await.at("subscriber");
    let decimal = |v: &Value| v["amount"].as_str().unwrap().parse::<Decimal>().unwrap();
    let mut owed = -decimal(&json!({ "amount": first.total })) - Decimal::new(777, 2) * Decimal::from(paid);
    for invoice in subscriber["invoices"]["nodes"].as_array().unwrap() {
        let notes: Decimal = invoice["creditNotes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|n| decimal(&n["total"]))
            .sum();
        assert!(notes <= decimal(&invoice["total"]), "{invoice:#}");
        owed += decimal(&invoice["total"]) - notes;
    }
    assert_eq!(
        decimal(&subscriber["balance"]),
        owed,
        "what was charged, less what was credited and paid"
    );
}
