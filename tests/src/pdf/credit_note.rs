use axum::http::StatusCode;
use serde_json::{Value, json};

use super::{GSTIN, brand, register, text};
use crate::harness::{Ask, TestApp, id, key};

/// Takes 100.00 of the invoice back; the note.
async fn credited(owner: &Ask<'_>, invoice: &str) -> Value {
    let input = json!({ "invoiceId": invoice, "amount": "100.00", "reason": "Two days without service",
        "idempotencyKey": key() });
    let note = owner
        .mutate("creditNoteIssue", input, "creditNote { id number pdfUrl invoice { number } }")
        .await;
    note.done()["creditNote"].take()
}

/// CGST Rules, 2017, rule 53(1A).
#[tokio::test(flavor = "multi_thread")]
async fn a_credit_note_names_its_invoice_and_what_is_taken_back() {
    let app = TestApp::new().await;
    let owner = app.on("asha").as_owner();
    register(&owner, "IN", Some("KA"), GSTIN).await;
    brand(
        &owner,
        json!({ "legalName": "Asha Networks Private Limited", "upiId": "asha.net@okaxis" }),
    )
    .await;
    let (subscriber, _) = owner
        .subscriber(
            "Meera Traders LLP",
            json!({ "address": { "line1": "7 Temple Street", "region": "KA", "country": "IN" } }),
        )
        .await;
    let lines = json!([{ "description": "Leased line, April", "quantity": "1", "unitPrice": "400.00" }]);
    let input = json!({ "subscriberId": subscriber, "lines": lines, "idempotencyKey": key() });
    let invoice = owner.mutate("invoiceIssue", input, "invoice { id }").await.done();
    let note = credited(&owner, &id(&invoice["invoice"])).await;
    let answer = owner.get(note["pdfUrl"].as_str().unwrap(), &[]).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let printed = text(&answer.bytes);
    for item in [
        "Credit Note",
        "Asha Networks Private Limited",
        "GSTIN 29AABCR1718E1ZL",
        note["number"].as_str().unwrap(),
        "For invoice",
        note["invoice"]["number"].as_str().unwrap(),
        "1 April 2026",
        "Meera Traders LLP",
        "Two days without service",
        "CGST 9% on 100.00 9.00",
        "Total ₹ 118.00",
    ] {
        assert!(printed.contains(item), "{item:?} is missing in:\n{printed}");
    }
    for item in ["Tax Invoice", "Due date", "Amount due", "UPI"] {
        assert!(!printed.contains(item), "{item:?} stands in:\n{printed}");
    }
    app.run_jobs().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credit_note_goes_to_whom_it_is_open_and_to_nobody_else() {
    let app = TestApp::new().await;
    let owner = app.on("asha").as_owner();
    let first = owner.first_subscriber("first").await;
    let second = owner.first_subscriber("second").await;
    for subscriber in [&first.subscriber, &second.subscriber] {
        owner.portal_password(subscriber).await;
    }
    let note = credited(&owner, &first.invoice).await;
    let path = note["pdfUrl"].as_str().unwrap();
    assert_eq!(path, format!("/credit-notes/{}.pdf", id(&note)));
    let host = app.on("asha");
    for (who, ask, expected) in [
        ("its payer", host.as_subscriber(&first.account_number), StatusCode::OK),
        (
            "another subscriber",
            host.as_subscriber(&second.account_number),
            StatusCode::NOT_FOUND,
        ),
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
    ] {
        assert_eq!(ask.get(path, &[]).await.status, expected, "{who}");
    }
    for path in [
        format!("/credit-notes/{}.pdf", first.invoice),
        format!("/invoices/{}.pdf", id(&note)),
    ] {
        assert_eq!(owner.get(&path, &[]).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    app.run_jobs().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_must_know_credit_notes_too() {
    let app = TestApp::new().await;
    let owner = app.on("asha").as_owner();
    let source = "#let data = json(\"data.json\")\n#if data.corrects != none { panic(\"what is this\") }";
    let input = json!({ "expectedVersion": 0, "source": source });
    let answer = owner
        .mutate("invoiceTemplateUpdate", input, "invoiceTemplate { version }")
        .await;
    assert_eq!(answer.refusals(), ["INVALID source"]);
    let told = answer.body["data"]["invoiceTemplateUpdate"]["userErrors"][0]["message"].to_string();
    assert!(told.contains("Line 2") && told.contains("(on a credit note)"), "{told}");
    app.run_jobs().await;
}

/// CGST Rules, 2017, rule 53(1A); and what is withdrawn says so and asks for nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_debit_note_names_its_invoice_and_a_void_one_says_that_it_is() {
    let app = TestApp::new().await;
    let owner = app.on("asha").as_owner();
    register(&owner, "IN", Some("KA"), GSTIN).await;
    brand(&owner, json!({ "upiId": "asha.net@okaxis" })).await;
    let (subscriber, _) = owner.subscriber("Meera", json!({})).await;
    let lines = json!([{ "description": "Leased line, April", "quantity": "1", "unitPrice": "400.00" }]);
    let input = json!({ "subscriberId": subscriber, "lines": lines, "idempotencyKey": key() });
    let invoice = owner
        .mutate("invoiceIssue", input, "invoice { id number lines { id } }")
        .await
        .done()["invoice"]
        .clone();
    let lines = json!([{ "invoiceLineId": invoice["lines"][0]["id"], "amount": "100.00" }]);
    let input =
        json!({ "invoiceId": invoice["id"], "lines": lines, "reason": "One site was forgotten", "idempotencyKey": key() });
    let note = owner.mutate("debitNoteIssue", input, "debitNote { id number }").await.done()["debitNote"].clone();
    let printed = text(&super::pdf(&owner, &id(&note)).await);
    for item in [
        "Debit Note",
        "Debit note number",
        note["number"].as_str().unwrap(),
        "For invoice",
        invoice["number"].as_str().unwrap(),
        "Due date",
        "One site was forgotten",
        "CGST 9% on 100.00 9.00",
        "Amount due ₹ 118.00",
        "PAY BY UPI",
    ] {
        assert!(printed.contains(item), "{item:?} is missing in:\n{printed}");
    }
    assert!(!printed.contains("Tax Invoice") && !printed.contains("Credit"), "{printed}");
    let input = json!({ "invoiceId": note["id"], "reason": "It was not", "idempotencyKey": key() });
    owner.mutate("invoiceVoid", input, "invoice { id }").await.done();
    let printed = text(&super::pdf(&owner, &id(&note)).await);
    assert!(printed.contains("VOID"), "{printed}");
    for item in ["Amount due", "UPI", "Settled"] {
        assert!(!printed.contains(item), "{item:?} stands in:\n{printed}");
    }
    app.run_jobs().await;
}
