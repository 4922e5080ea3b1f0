//! Receipts: each payment has one; numbers without gaps or twins, whatever happens at once.

use std::collections::BTreeSet;

use futures::future::join_all;
use serde_json::{Value, json};

use crate::harness::{Ask, TestApp, id, key};

const MADE: &str = "payment { id receipt { number issuedOn status pdfUrl } }";

impl Ask<'_> {
    async fn pays(&self, subscriber: &str, changes: Value) -> Value {
        let mut input = json!({ "subscriberId": subscriber, "amount": "10.00", "method": "CASH", "idempotencyKey": key() });
        input.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let mut answer = self.mutate("paymentRecord", input, MADE).await;
        answer.body["data"]["paymentRecord"]["payment"].take()
    }

    async fn set(&self, mut change: Value) -> Vec<String> {
        let version = self.gql("{ billingSettings { version } }", json!({})).await;
        change["expectedVersion"] = version.at("billingSettings.version");
        let answer = self
            .mutate("billingSettingsUpdate", change, "settings { receiptNumberPattern }")
            .await;
        answer.refusals()
    }
}

fn number(payment: &Value) -> &str {
    payment["receipt"]["number"].as_str().unwrap_or_else(|| panic!("{payment}"))
}

#[tokio::test]
async fn each_payment_has_a_receipt_of_the_day_on_which_it_is_recorded() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    let (subscriber, _) = isp.subscriber("Ravi", json!({})).await;
    // The money came in the year before; the number is of the day on which it is written down.
    let paid = isp.pays(&subscriber, json!({ "receivedAt": "2026-03-30T06:00:00Z" })).await;
    let expected = json!({ "number": "RC/26-27/000001", "issuedOn": "2026-04-01", "status": "VALID",
        "pdfUrl": format!("/receipts/{}.pdf", id(&paid)) });
    assert_eq!(paid["receipt"], expected);
    let input = json!({ "id": id(&paid), "reason": "Bounced", "idempotencyKey": key() });
    let back = isp.mutate("paymentReverse", input, MADE).await.done();
    assert_eq!(
        (&back["payment"]["receipt"]["number"], &back["payment"]["receipt"]["status"]),
        (&json!("RC/26-27/000001"), &json!("REVERSED"))
    );
    assert_eq!(number(&isp.pays(&subscriber, json!({})).await), "RC/26-27/000002");
    let kenyan = app.on("baraka").as_owner();
    let (other, _) = kenyan.subscriber("Njeri", json!({ "address": null })).await;
    assert_eq!(number(&kenyan.pays(&other, json!({})).await), "RC/2026/000001");
    app.set_clock("2027-04-01T06:00:00Z").await;
    assert_eq!(number(&isp.pays(&subscriber, json!({})).await), "RC/27-28/000001");
    app.run_jobs().await;
}

/// Sixty at once, of whom some are refused, and some say the same thing twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numbers_have_no_gaps_whoever_pays_at_once() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    let mut payers = Vec::new();
    for n in 0..6 {
        payers.push(isp.subscriber(&format!("Payer {n}"), json!({})).await.0);
    }
    let twice = key();
    let calls = (0..60).map(|n| {
        let changes = match n % 5 {
            0 => json!({ "amount": "-1.00" }),
            1 => json!({ "method": "UPI", "reference": "512345678901" }),
            2 if n < 30 => json!({ "idempotencyKey": twice }),
            _ => json!({}),
        };
        let payer = if n % 5 == 2 && n < 30 {
            &payers[0]
        } else {
            &payers[n % payers.len()]
        };
        isp.pays(payer, changes)
    });
    let made: Vec<Value> = join_all(calls).await.into_iter().filter(|p| p.is_object()).collect();
    let distinct: BTreeSet<&str> = made.iter().map(number).collect();
    // Of twelve with one reference one came through, of six with one key all saw the same one.
    let count = 1 + 1 + 6 + 24;
    let expected: Vec<String> = (1..=count).map(|n| format!("RC/26-27/{n:06}")).collect();
    assert_eq!(distinct.into_iter().collect::<Vec<_>>(), expected);
    app.run_jobs().await;
}

/// One series over all registrations, unless numbers name them.
#[tokio::test]
async fn receipts_are_numbered_by_registration_where_their_numbers_name_it() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    let named = json!({ "invoiceNumberPattern": "{REG}/{FY}/{SEQ:6}", "creditNoteNumberPattern": "{REG}{FY}/C{SEQ:6}" });
    assert!(isp.set(named).await.is_empty());
    for (region, tax_id) in [("KA", "29AABCR1718E1ZL"), ("MH", "27AAPFU0939F1ZV")] {
        let input = json!({ "country": "IN", "region": region, "taxId": tax_id });
        isp.mutate("taxRegistrationAdd", input, "registration { id }").await.done();
    }
    let at = |region: &str| json!({ "address": { "line1": "1 Road", "region": region, "country": "IN" } });
    let (here, _) = isp.subscriber("Ravi", at("KA")).await;
    let (there, _) = isp.subscriber("Meera", at("MH")).await;
    let invoice = json!({ "subscriberId": there, "lines": [{ "description": "Visit", "unitPrice": "100.00" }],
        "idempotencyKey": key() });
    isp.mutate("invoiceIssue", invoice, "invoice { number }").await.done();
    assert_eq!(number(&isp.pays(&here, json!({})).await), "RC/26-27/000001");
    assert_eq!(number(&isp.pays(&there, json!({})).await), "RC/26-27/000002");
    assert!(
        isp.set(json!({ "receiptNumberPattern": "R{REG}{FY}/{SEQ:6}" }))
            .await
            .is_empty()
    );
    for (payer, expected) in [
        (&here, "RKA26-27/000001"),
        (&there, "RMH26-27/000001"),
        (&here, "RKA26-27/000002"),
        (&here, "RKA26-27/000003"),
    ] {
        assert_eq!(number(&isp.pays(payer, json!({})).await), expected);
    }
    // The third of the series over all would be one that was given; others are too long, of another document, or no numbers.
    for (pattern, refusals) in [
        ("RKA{FY}/{SEQ:6}", vec!["INVALID receiptNumberPattern"]),
        ("{REG}/{FY}/{SEQ:6}", vec!["INVALID receiptNumberPattern"]),
        ("RECEIPT/{REG}/{FY}/{SEQ:6}", vec!["INVALID receiptNumberPattern"]),
        ("RC {FY}/{SEQ:6}", vec!["INVALID receiptNumberPattern"]),
        ("RC/{SEQ:6}", vec!["INVALID receiptNumberPattern"]),
        ("RC/{FY}/{SEQ:6}", vec![]),
    ] {
        assert_eq!(
            isp.set(json!({ "receiptNumberPattern": pattern })).await,
            refusals,
            "{pattern}"
        );
    }
    assert_eq!(number(&isp.pays(&here, json!({})).await), "RC/26-27/000003");
    app.run_jobs().await;
}
