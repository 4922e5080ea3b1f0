//! An invoice by hand can be looked at before it is issued.

use futures::future::join_all;
use serde_json::{Value, json};

use crate::harness::{Ask, TestApp, key};

const LOOK: &str = "query($input: InvoiceIssuePreviewInput!) { invoiceIssuePreview(input: $input) {
        refusals { field code } document { kind dueOn subtotal { amount } taxTotal { amount } rounding { amount } total { amount }
            amountDue { amount } taxes { name amount { amount } }
            lines { description quantity amount { amount } taxCode taxes { name rate amount { amount } } explanation } } } }";

async fn look(ask: &Ask<'_>, subscriber: &str, lines: &Value, due_on: Option<&str>) -> Value {
    let variables = json!({ "input": { "subscriberId": subscriber, "lines": lines, "dueOn": due_on } });
    ask.gql(LOOK, variables).await.at("invoiceIssuePreview")
}

#[tokio::test]
async fn what_is_seen_is_what_is_issued_and_looking_does_nothing() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.register_for_gst().await;
    let (landlord, _) = isp.subscriber("Landlord", json!({})).await;
    let (flat, _) = isp.subscriber("Flat", json!({ "billToId": landlord })).await;
    isp.pay(&landlord, "100.00").await;
    let lines = json!([
        { "description": "Visit", "quantity": "1.5", "unitPrice": "333.33", "discountPercent": "10" },
        { "description": "Cable", "unitPrice": "10.01" },
    ]);
    let trace = "{ auditEntries(first: 50) { nodes { action } } invoices(first: 5) { totalCount } }";
    let before = isp.gql(trace, json!({})).await.body["data"].clone();
    let seen = look(&isp, &flat, &lines, Some("2026-04-30")).await;
    assert_eq!(look(&isp, &flat, &lines, Some("2026-04-30")).await, seen, "and again");
    assert_eq!(
        isp.gql(trace, json!({})).await.body["data"],
        before,
        "looking leaves no trace"
    );
    let input = json!({ "subscriberId": flat, "lines": lines, "dueOn": "2026-04-30", "idempotencyKey": key() });
    let made = "invoice { number dueOn subtotal { amount } taxTotal { amount } rounding { amount } total { amount }
        amountDue { amount } taxes { name amount { amount } }
        lines { description quantity amount { amount } taxCode taxes { name rate amount { amount } } explanation } }";
    let mut issued = isp.mutate("invoiceIssue", input, made).await.done()["invoice"].take();
    assert_eq!(
        issued.as_object_mut().unwrap().remove("number"),
        Some(json!("IN/26-27/000001"))
    );
    let mut document = seen["document"].clone();
    assert_eq!(document.as_object_mut().unwrap().remove("kind"), Some(json!("INVOICE")));
    assert_eq!(document, issued, "explanations and all");
    assert_eq!(seen["refusals"], json!([]));
    // 450.00 and 10.01, with 18 %; 100.00 was in hand.
    assert_eq!(
        (&issued["subtotal"]["amount"], &issued["amountDue"]["amount"]),
        (&json!("460.01"), &json!("442.81"))
    );
    app.run_jobs().await;
}

#[tokio::test]
async fn what_would_be_refused_is_refused_by_name() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    let (subscriber, account) = isp.subscriber("Ravi", json!({})).await;
    let good = json!({ "description": "Visit", "unitPrice": "1.00" });
    let bad = |changes: Value| {
        let mut line = good.clone();
        line.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        json!([line])
    };
    for (lines, due_on, refusal) in [
        (json!([]), None, json!([{ "field": ["lines"], "code": "REQUIRED" }])),
        (
            bad(json!({ "quantity": "0" })),
            None,
            json!([{ "field": ["lines", "0", "quantity"], "code": "INVALID" }]),
        ),
        (
            bad(json!({ "unitPrice": "-1" })),
            None,
            json!([{ "field": ["lines", "0", "unitPrice"], "code": "INVALID" }]),
        ),
        (
            json!([good]),
            Some("2026-03-31"),
            json!([{ "field": ["dueOn"], "code": "INVALID" }]),
        ),
    ] {
        let seen = look(&isp, &subscriber, &lines, due_on).await;
        assert_eq!((&seen["refusals"], &seen["document"]), (&refusal, &Value::Null), "{lines}");
    }
    let foreign = app.on("chandra").as_owner();
    let (theirs, _) = foreign.subscriber("Theirs", json!({})).await;
    assert_eq!(look(&isp, &theirs, &json!([good]), None).await, Value::Null);
    isp.portal_password(&subscriber).await;
    let variables = json!({ "input": { "subscriberId": subscriber, "lines": [good] } });
    for who in [
        app.on("asha").as_subscriber(&account),
        app.on("asha").as_login("nothing@asha.example"),
    ] {
        assert_eq!(who.gql(LOOK, variables.clone()).await.code().as_deref(), Some("FORBIDDEN"));
    }
    app.run_jobs().await;
}

/// Numbers stay gapless while others look.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn looking_uses_no_number_up() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    let (subscriber, _) = isp.subscriber("Ravi", json!({})).await;
    let lines = json!([{ "description": "Visit", "unitPrice": "1.00" }]);
    let calls = (0..40).map(async |n| {
        if n % 2 == 0 {
            let seen = look(&isp, &subscriber, &lines, None).await;
            assert_eq!(seen["document"]["total"]["amount"], "1.00");
            return None;
        }
        let input = json!({ "subscriberId": subscriber, "lines": lines, "idempotencyKey": key() });
        let made = isp.mutate("invoiceIssue", input, "invoice { number }").await.done();
        Some(made["invoice"]["number"].as_str().unwrap().to_owned())
    });
    let mut numbers: Vec<String> = join_all(calls).await.into_iter().flatten().collect();
    numbers.sort();
    let expected: Vec<String> = (1..=20).map(|n| format!("IN/26-27/{n:06}")).collect();
    assert_eq!(numbers, expected);
    app.run_jobs().await;
}
