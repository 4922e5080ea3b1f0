//! Debit notes from outside: what they add, taxed as their invoice was, and never more than it.

use futures::future::join_all;
use serde_json::{Value, json};
use trunkline_domain::ledger;

use super::isp::{GSTIN_KA, GSTIN_MH, Isp, key, line, refusals, taxes};

const DEBIT: &str = "mutation ($input: DebitNoteIssueInput!) { debitNoteIssue(input: $input) {
    debitNote { id number kind reason status issuedOn dueOn pdfUrl subscriber { id } refersTo { id number debitNotes { id } }
        subtotal { amount } taxTotal { amount } total { amount } amountDue { amount } amountCredited { amount }
        taxes { name rate base { amount } amount { amount } }
        lines { id kind description amount { amount } taxCode explanation } }
    userErrors { field code message } } }";

impl Isp {
    async fn debit(&self, invoice: &Value, more: Value) -> Value {
        let mut input = json!({ "invoiceId": invoice["id"], "reason": "Charged too little", "idempotencyKey": key() });
        for (name, value) in more.as_object().unwrap() {
            input[name] = value.clone();
        }
        self.ask(DEBIT, json!({ "input": input })).await["debitNoteIssue"].clone()
    }

    async fn debited(&self, invoice: &Value, more: Value) -> Value {
        let payload = self.debit(invoice, more).await;
        assert_eq!(payload["userErrors"], json!([]), "{payload:#}");
        payload["debitNote"].clone()
    }

    /// A line of the invoice and what it charged too little.
    async fn more(&self, invoice: &Value, line: usize, amount: &str) -> Value {
        let document = "query ($id: ID!) { invoice(id: $id) { lines { id } } }";
        let found = self.ask(document, json!({ "id": invoice["id"] })).await;
        json!({ "invoiceLineId": found["invoice"]["lines"][line]["id"], "amount": amount })
    }

    async fn owed(&self, subscriber: &Value) -> Value {
        let document = "query ($id: ID!) { subscriber(id: $id) { balance { amount } } }";
        self.ask(document, json!({ "id": subscriber })).await["subscriber"]["balance"]["amount"].clone()
    }

    async fn done(&self, mutation: &str, input: Value) -> Value {
        let (first, rest) = mutation.split_at(1);
        let document = format!(
            "mutation ($input: {}{rest}Input!) {{ {mutation}(input: $input) {{ userErrors {{ field code message }} }} }}",
            first.to_uppercase()
        );
        let payload = self.ask(&document, json!({ "input": input })).await[mutation].clone();
        assert_eq!(payload["userErrors"], json!([]), "{mutation}: {payload:#}");
        payload
    }
}

#[tokio::test]
async fn what_was_charged_too_little_is_owed_and_taxed_as_it_was() {
    let isp = Isp::open("in-broadband").await;
    isp.register(GSTIN_KA).await;
    let subscriber = isp.subscriber(Some("KA")).await;
    let invoice = isp.issued(subscriber, json!([line("799"), line("100.50")])).await;
    let mut second = isp.more(&invoice, 1, "20.05").await;
    second["description"] = json!("Two metres of cable");
    let lines = json!([isp.more(&invoice, 0, "100").await, second]);
    let again = json!({ "lines": lines, "idempotencyKey": key() });
    isp.on("2026-04-10");
    let note = isp.debited(&invoice, again.clone()).await;
    for (field, expected) in [
        ("number", json!("DN/26-27/000001")),
        ("kind", json!("DEBIT_NOTE")),
        ("reason", json!("Charged too little")),
        ("status", json!("ISSUED")),
        ("issuedOn", json!("2026-04-10")),
        ("dueOn", json!("2026-04-25")),
        ("subtotal", json!({ "amount": "120.05" })),
        ("total", json!({ "amount": "141.65" })),
        ("pdfUrl", json!(format!("/invoices/{}.pdf", note["id"].as_str().unwrap()))),
    ] {
        assert_eq!(note[field], expected, "{field}");
    }
    // Of each line by itself, as the invoice's: 9.00 and 1.80.
    assert_eq!(taxes(&note), ["CGST 9 120.05 10.80", "SGST 9 120.05 10.80"]);
    let described: Vec<&Value> = note["lines"].as_array().unwrap().iter().map(|l| &l["description"]).collect();
    assert_eq!(described, ["Installation", "Two metres of cable"]);
    assert_eq!(note["refersTo"]["id"], invoice["id"]);
    assert_eq!(note["refersTo"]["debitNotes"], json!([{ "id": note["id"] }]));
    // 899.50 and its taxes, and the note.
    assert_eq!(isp.owed(&note["subscriber"]["id"]).await, "1203.07");
    assert_eq!(isp.debited(&invoice, again.clone()).await, note, "a replay");
    let mut other = again;
    other["reason"] = json!("Another");
    assert_eq!(
        refusals(&isp.debit(&invoice, other).await),
        ["idempotencyKey IDEMPOTENCY_KEY_REUSED"]
    );
    let next = isp
        .debited(&invoice, json!({ "lines": [isp.more(&invoice, 0, "1").await] }))
        .await;
    assert_eq!(next["number"], "DN/26-27/000002");
    let invoices = isp.issued(subscriber, json!([line("1")])).await;
    assert_eq!(
        invoices["number"], "IN/26-27/000002",
        "debit notes have a series of their own"
    );
    // It is paid and credited like an invoice.
    let credit = json!({ "invoiceId": note["id"], "reason": "Wrong", "idempotencyKey": key() });
    isp.done("creditNoteIssue", credit.clone()).await;
    let settled = isp.invoice(note["id"].as_str().unwrap()).await;
    assert_eq!(
        (&settled["status"], &settled["amountDue"]["amount"]),
        (&json!("CREDITED"), &json!("0.00"))
    );
    let books = isp.tx().read(async |tx| ledger::totals(tx).await).await.unwrap();
    let net: rust_decimal::Decimal = books.iter().map(|a| a.debit - a.credit).sum();
    assert!(net.is_zero(), "{books:?}");
}

#[tokio::test]
async fn credit_in_hand_settles_it() {
    let isp = Isp::open("in-broadband").await;
    let subscriber = isp.subscriber(Some("KA")).await;
    let invoice = isp.issued(subscriber, json!([line("100")])).await;
    let pay = json!({ "subscriberId": subscriber.to_string(), "amount": "130", "method": "CASH", "idempotencyKey": key() });
    isp.done("paymentRecord", pay).await;
    let note = isp
        .debited(&invoice, json!({ "lines": [isp.more(&invoice, 0, "50").await] }))
        .await;
    assert_eq!(note["status"], "PARTIALLY_PAID");
    assert_eq!(note["amountDue"]["amount"], "20.00");
    assert_eq!(isp.owed(&json!(subscriber.to_string())).await, "20.00");
}

#[tokio::test]
async fn the_rates_are_those_of_the_invoice() {
    let isp = Isp::open("in-broadband").await;
    isp.register(GSTIN_KA).await;
    let subscriber = isp.subscriber(Some("KA")).await;
    let invoice = isp.issued(subscriber, json!([line("1000")])).await;
    let lower = "INSERT INTO tax_rule_set (version, body, adopted_at)
        SELECT 2, jsonb_set(jsonb_set(body, '{components,0,rates,0,percent}', '\"6\"'), '{components,1,rates,0,percent}', '\"6\"'),
            adopted_at FROM tax_rule_set";
    isp.tx().write(async move |tx| tx.sql(lower).run().await).await.unwrap();
    isp.on("2026-06-10");
    let fresh = isp.issued(subscriber, json!([line("100")])).await;
    assert_eq!(taxes(&fresh), ["CGST 6 100.00 6.00", "SGST 6 100.00 6.00"]);
    let note = isp
        .debited(&invoice, json!({ "lines": [isp.more(&invoice, 0, "100").await] }))
        .await;
    assert_eq!(taxes(&note), ["CGST 9 100.00 9.00", "SGST 9 100.00 9.00"]);
    assert_eq!(note["lines"][0]["explanation"]["line"]["treatment"]["date"], "2026-04-01");
}

#[tokio::test]
async fn never_more_than_the_invoice_and_nothing_half_done() {
    let isp = Isp::open("in-broadband").await;
    isp.register(GSTIN_KA).await;
    let subscriber = isp.subscriber(Some("KA")).await;
    let invoice = isp.issued(subscriber, json!([line("100"), line("200")])).await;
    let of = async |n: usize, amount: &str| isp.more(&invoice, n, amount).await;
    isp.debited(&invoice, json!({ "lines": [of(0, "250").await] })).await;
    let other = isp.issued(subscriber, json!([line("5")])).await;
    for (more, expected) in [
        (json!({ "lines": [of(1, "50.01").await] }), vec!["lines INVALID"]),
        (json!({ "lines": [of(1, "0").await] }), vec!["lines.0.amount INVALID"]),
        (json!({ "lines": [of(1, "-1").await] }), vec!["lines.0.amount INVALID"]),
        (json!({ "lines": [of(1, "1.005").await] }), vec!["lines.0.amount INVALID"]),
        (
            json!({ "lines": [of(1, "1").await, of(1, "1").await] }),
            vec!["lines.1.invoiceLineId INVALID"],
        ),
        (
            json!({ "lines": [isp.more(&other, 0, "1").await] }),
            vec!["lines.0.invoiceLineId NOT_FOUND"],
        ),
        (json!({ "lines": [] }), vec!["lines REQUIRED"]),
        (json!({ "lines": [of(1, "1").await], "reason": " " }), vec!["reason REQUIRED"]),
        (
            json!({ "lines": [of(1, "1").await], "dueOn": "2026-03-31" }),
            vec!["dueOn INVALID"],
        ),
    ] {
        assert_eq!(refusals(&isp.debit(&invoice, more.clone()).await), expected, "{more}");
    }
    let exactly = isp.debited(&invoice, json!({ "lines": [of(1, "50").await] })).await;
    assert_eq!(exactly["number"], "DN/26-27/000002", "what was refused took no number");
    assert_eq!(
        refusals(&isp.debit(&invoice, json!({ "lines": [of(1, "0.01").await] })).await),
        ["lines INVALID"]
    );
    let own = isp.more(&exactly, 0, "1").await;
    assert_eq!(
        refusals(&isp.debit(&exactly, json!({ "lines": [own] })).await),
        ["invoiceId INVALID_STATE"],
        "a debit note of a debit note"
    );
    let give_up = json!({ "invoiceId": other["id"], "reason": "Gone", "idempotencyKey": key() });
    isp.done("invoiceWriteOff", give_up).await;
    let more = json!({ "lines": [isp.more(&other, 0, "1").await] });
    assert_eq!(refusals(&isp.debit(&other, more).await), ["invoiceId INVALID_STATE"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_at_once_as_many_as_fit() {
    let isp = Isp::open("in-broadband").await;
    let subscriber = isp.subscriber(None).await;
    let invoice = isp.issued(subscriber, json!([line("100")])).await;
    let lines = json!({ "lines": [isp.more(&invoice, 0, "30").await] });
    let answers = join_all((0..8).map(|_| isp.debit(&invoice, lines.clone()))).await;
    let done = answers.iter().filter(|a| a["userErrors"] == json!([])).count();
    assert_eq!(done, 3, "{answers:#?}");
    for refused in answers.iter().filter(|a| a["debitNote"].is_null()) {
        assert_eq!(refusals(refused), ["lines INVALID"]);
    }
    assert_eq!(isp.owed(&json!(subscriber.to_string())).await, "190.00");
}

#[tokio::test]
async fn with_two_registrations_each_numbers_its_own() {
    let isp = Isp::open("in-broadband").await;
    isp.register(GSTIN_KA).await;
    let named = json!({ "invoiceNumberPattern": "{REG}/{FY}/{SEQ:6}", "creditNoteNumberPattern": "{REG}{FY}/C{SEQ:6}" });
    assert_eq!(isp.set(named).await["userErrors"], json!([]));
    assert_eq!(refusals(&isp.register(GSTIN_MH).await), Vec::<String>::new());
    let (here, there) = (isp.subscriber(Some("KA")).await, isp.subscriber(Some("MH")).await);
    let here = isp.issued(here, json!([line("100")])).await;
    let there = isp.issued(there, json!([line("100")])).await;
    let lines = json!({ "lines": [isp.more(&there, 0, "10").await] });
    assert_eq!(refusals(&isp.debit(&there, lines.clone()).await), [" INVALID_STATE"]);
    for (pattern, expected) in [
        ("{REG}/{FY}/{SEQ:6}", vec!["debitNoteNumberPattern INVALID"; 2]),
        ("DN/{FY}/{SEQ:5}", vec!["debitNoteNumberPattern INVALID"]),
        ("DEBIT/{REG}/{FY}/{SEQ:6}", vec!["debitNoteNumberPattern INVALID"]),
        ("{REG}{FY}/D{SEQ:6}", vec![]),
    ] {
        let changed = isp.set(json!({ "debitNoteNumberPattern": pattern })).await;
        assert_eq!(refusals(&changed), expected, "{pattern}");
    }
    assert_eq!(isp.debited(&there, lines).await["number"], "MH26-27/D000001");
    let lines = json!({ "lines": [isp.more(&here, 0, "10").await] });
    assert_eq!(isp.debited(&here, lines).await["number"], "KA26-27/D000001");
}

#[tokio::test]
async fn one_that_comes_to_more_than_any_can_is_refused() {
    let isp = Isp::open("in-broadband").await;
    isp.register(GSTIN_KA).await;
    let subscriber = isp.subscriber(Some("KA")).await;
    let invoice = isp.issued(subscriber, json!([line("799")])).await;
    let lines = json!([isp.more(&invoice, 0, "999999999999999").await]);
    assert_eq!(
        refusals(&isp.debit(&invoice, json!({ "lines": lines })).await),
        ["lines INVALID"]
    );
}
