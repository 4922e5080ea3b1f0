use axum::http::StatusCode;
use serde_json::{Value, json};

use super::{GSTIN, brand, pages, register, text};
use crate::harness::{Answer, Ask, TestApp, id, key};

const RECEIPT: &str = "payment { id receipt { number pdfUrl } }";

async fn paid(owner: &Ask<'_>, subscriber: &str, amount: &str) -> Value {
    let input = json!({ "subscriberId": subscriber, "amount": amount, "method": "UPI", "reference": "512345678901",
        "idempotencyKey": key() });
    owner.mutate("paymentRecord", input, RECEIPT).await.done()["payment"].take()
}

fn url(payment: &Value) -> &str {
    payment["receipt"]["pdfUrl"].as_str().unwrap()
}

async fn printed(ask: &Ask<'_>, url: &str) -> String {
    let answer = ask.get(url, &[]).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    text(&answer.bytes)
}

#[track_caller]
fn holds(printed: &str, items: &[&str]) {
    for item in items {
        assert!(printed.contains(item), "{item:?} is missing in:\n{printed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_says_who_paid_what_for_which_invoices() {
    let app = TestApp::new().await;
    let owner = app.on("asha").as_owner();
    register(&owner, "IN", Some("KA"), GSTIN).await;
    brand(&owner, json!({ "legalName": "Asha Networks Private Limited" })).await;
    let name = "श्रीमती लक्ष्मी Venkatanarasimharajuvaripeta";
    let (subscriber, account) = owner.subscriber(name, json!({ "taxId": "29AAGCB7383J1Z4" })).await;
    let input = json!({ "subscriberId": subscriber, "lines": [{ "description": "Visit", "unitPrice": "100000.00" }],
        "idempotencyKey": key() });
    let invoice = owner.mutate("invoiceIssue", input, "invoice { number }").await.done();
    let payment = paid(&owner, &subscriber, "118050.50").await;
    let receipt = printed(&owner, url(&payment)).await;
    holds(
        &receipt,
        &[
            "Receipt",
            "Asha Networks Private Limited",
            "GSTIN 29AABCR1718E1ZL",
            "RC/26-27/000001",
            "1 April 2026",
            "UPI",
            "512345678901",
            &account,
            "Venkatanarasimharajuvaripeta",
            "GSTIN 29AAGCB7383J1Z4",
            "₹ 1,18,050.50",
            "One Lakh Eighteen Thousand Fifty Rupees and Fifty Paise Only",
            invoice["invoice"]["number"].as_str().unwrap(),
            "1,18,000.00",
            "Credit in hand for later invoices 50.50",
        ],
    );
    assert!(!receipt.contains("Reversed") && !receipt.contains("Refunded"));
    let reverse = json!({ "id": id(&payment), "reason": "The payer's bank took it back", "idempotencyKey": key() });
    owner.mutate("paymentReverse", reverse, "payment { id }").await.done();
    let after = printed(&owner, url(&payment)).await;
    holds(
        &after,
        &[
            "RC/26-27/000001",
            "Reversed on 1 April 2026: The payer's bank took it back. This receipt no longer counts.",
        ],
    );
    app.run_jobs().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_says_what_was_paid_back() {
    let app = TestApp::new().await;
    let owner = app.on("asha").as_owner();
    let (subscriber, _) = owner.subscriber("Ravi", json!({})).await;
    let payment = paid(&owner, &subscriber, "500.00").await;
    let status = "query($id: ID!) { payment(id: $id) { receipt { number status } } }";
    for (amount, expected, says) in [
        ("200.00", "PARTLY_REFUNDED", "Refunded in part: ₹ 200.00 has been paid back."),
        ("300.00", "REFUNDED", "Refunded: ₹ 500.00 has been paid back."),
    ] {
        let input = json!({ "subscriberId": subscriber, "paymentId": id(&payment), "amount": amount, "method": "CASH",
            "reason": "Moved away", "idempotencyKey": key() });
        owner.mutate("creditRefund", input, "refund { id }").await.done();
        let receipt = owner.gql(status, json!({ "id": id(&payment) })).await.at("payment.receipt");
        assert_eq!(receipt, json!({ "number": payment["receipt"]["number"], "status": expected }));
        holds(&printed(&owner, url(&payment)).await, &["₹ 500.00", says]);
    }
    app.run_jobs().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kenyas_receipts_speak_of_shillings() {
    let app = TestApp::new().await;
    let owner = app.on("baraka").as_owner();
    let (subscriber, _) = owner.subscriber("Njeri", json!({ "address": null })).await;
    let payment = paid(&owner, &subscriber, "1000").await;
    let receipt = printed(&owner, url(&payment)).await;
    holds(
        &receipt,
        &["Receipt", "KSh 1,000.00", "One Thousand Shillings Only", "RC/2026/000001"],
    );
    app.run_jobs().await;
}

/// Whom a document of the first subscriber's is open to.
async fn asked_by_all(app: &TestApp, url: &str, own: &str, other: &str, others_answer: StatusCode) {
    let host = app.on("asha");
    for (who, ask, expected) in [
        ("the owner", host.as_owner(), StatusCode::OK),
        ("its payer", host.as_subscriber(own), StatusCode::OK),
        ("another subscriber", host.as_subscriber(other), others_answer),
        (
            "staff without a right",
            host.as_login("nothing@asha.example"),
            StatusCode::FORBIDDEN,
        ),
        ("nobody", host.clone(), StatusCode::UNAUTHORIZED),
        (
            "another ISP's owner, there",
            app.on("chandra").as_owner(),
            StatusCode::NOT_FOUND,
        ),
        ("the platform", app.on_platform().as_platform_staff(), StatusCode::NOT_FOUND),
    ] {
        let answer = ask.get(url, &[]).await;
        assert_eq!(answer.status, expected, "{who}: {}", answer.text);
        assert_eq!(answer.bytes.starts_with(b"%PDF"), expected == StatusCode::OK, "{who}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn receipts_and_statements_go_to_whom_they_are_open_and_to_nobody_else() {
    let app = TestApp::new().await;
    let owner = app.on("asha").as_owner();
    let first = owner.first_subscriber("first").await;
    let second = owner.first_subscriber("second").await;
    for subscriber in [&first.subscriber, &second.subscriber] {
        owner.portal_password(subscriber).await;
    }
    let payment = paid(&owner, &first.subscriber, "100.00").await;
    let (own, other) = (&first.account_number, &second.account_number);
    asked_by_all(&app, url(&payment), own, other, StatusCode::NOT_FOUND).await;
    let statement = format!("/statements/{}.pdf", first.subscriber);
    asked_by_all(&app, &statement, own, other, StatusCode::FORBIDDEN).await;
    for path in [
        format!("/receipts/{}.pdf", first.invoice),
        "/receipts/payment_0199000000007000800000000000000a.pdf".into(),
        format!("/receipts/{}", id(&payment)),
        format!("/statements/{}.pdf", id(&payment)),
        "/statements/subscriber_0199000000007000800000000000000a.pdf".into(),
    ] {
        assert_eq!(owner.get(&path, &[]).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    app.run_jobs().await;
}

async fn statement_url(ask: &Ask<'_>, subscriber: &str, from: Option<&str>, to: Option<&str>) -> String {
    let query =
        "query($id: ID!, $from: Date, $to: Date) { accountStatement(subscriberId: $id, from: $from, to: $to) { pdfUrl } }";
    let variables = json!({ "id": subscriber, "from": from, "to": to });
    ask.gql(query, variables).await.text_at("accountStatement.pdfUrl")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_shows_what_was_charged_and_paid_between_two_days() {
    let app = TestApp::new().await;
    let owner = app.on("asha").as_owner();
    let first = owner.first_subscriber("first").await;
    paid(&owner, &first.subscriber, "1500.00").await;
    let whole = statement_url(&owner, &first.subscriber, None, None).await;
    assert_eq!(whole, format!("/statements/{}.pdf?to=2026-04-01", first.subscriber));
    let whole = printed(&owner, &whole).await;
    holds(
        &whole,
        &[
            "Statement of account",
            &first.account_number,
            "From the beginning",
            "IN/26-27/000001",
            "1,000.00",
            "Payment, UPI",
            "512345678901",
            "1,500.00",
            "Balance on 1 April 2026 ₹ −500.00",
        ],
    );
    app.set_clock("2026-04-20T06:00:00Z").await;
    let later = statement_url(&owner, &first.subscriber, Some("2026-04-02"), Some("2026-04-10")).await;
    let later = printed(&owner, &later).await;
    holds(
        &later,
        &["2 April 2026", "Balance before", "−500.00", "Drawn up on 20 April 2026"],
    );
    assert!(!later.contains("IN/26-27/000001"), "it was before:\n{later}");
    let bad = async |query: &str| -> Answer { owner.get(&format!("/statements/{}.pdf?{query}", first.subscriber), &[]).await };
    for query in ["from=2026-04-31", "from=yesterday", "from=2026-04-02&to=2026-04-01"] {
        let answer = bad(query).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}: {}", answer.text);
    }
    app.run_jobs().await;
}

/// A thousand entries are some pages, whose heads are repeated; more than two thousand are asked for in parts.
#[tokio::test(flavor = "multi_thread")]
async fn long_statements_are_whole_or_refused() {
    let app = TestApp::new().await;
    let owner = app.on("asha").as_owner();
    let first = owner.first_subscriber("meera").await;
    let other = owner.first_subscriber("tara").await;
    for (subscriber, many) in [(&first.subscriber, 999), (&other.subscriber, 2_000)] {
        crate::books::entries_of(&app, subscriber, many).await;
    }
    let url = statement_url(&owner, &first.subscriber, None, None).await;
    let answer = owner.get(&url, &[]).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let printed = text(&answer.bytes);
    let count = pages(&answer.bytes);
    assert!((20..60).contains(&count), "{count} pages");
    assert_eq!(
        printed.matches("Charged Settled Balance").count(),
        count,
        "the head is on every page"
    );
    assert!((1..=999).all(|n| printed.contains(&format!("Entry {n} "))), "{printed}");
    assert!(printed.contains("₹ 1,999.00"), "the balance");
    let url = statement_url(&owner, &other.subscriber, None, None).await;
    let answer = owner.get(&url, &[]).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert!(answer.text.contains("at most 2000 entries"), "{}", answer.text);
    app.jobs_may_remain();
}
