//! Credit notes from outside: what they take back, of what is left, taxed as it was charged, and where the money goes.

use serde_json::{Value, json};
use trunkline_domain::billing::rules::{CreditExplanation, replay_credit};
use trunkline_domain::kernel::Permissions;
use trunkline_domain::kernel::ids::{StaffId, SubscriberId};
use trunkline_domain::{Actor, ledger};

use super::isp::{GSTIN_KA, Isp, key, line, refusals, taxes};

const CREDIT: &str = "mutation ($input: CreditNoteIssueInput!) { creditNoteIssue(input: $input) {
    creditNote { id number reason issuedOn subscriber { id } invoice { id status amountDue { amount } amountCredited { amount } }
        subtotal { amount currency } taxTotal { amount } rounding { amount } total { amount }
        taxes { name rate base { amount } amount { amount } }
        lines { id description amount { amount } explanation taxes { name rate base { amount } amount { amount } } } }
    userErrors { field code message } } }";

impl Isp {
    async fn credit(&self, invoice: &Value, more: Value) -> Value {
        let mut input = json!({ "invoiceId": invoice["id"], "reason": "Wrong", "idempotencyKey": key() });
        for (name, value) in more.as_object().unwrap() {
            input[name] = value.clone();
        }
        self.ask(CREDIT, json!({ "input": input })).await["creditNoteIssue"].clone()
    }

    async fn credited(&self, invoice: &Value, more: Value) -> Value {
        let payload = self.credit(invoice, more).await;
        assert_eq!(payload["userErrors"], json!([]), "{payload:#}");
        payload["creditNote"].clone()
    }

    async fn balance(&self, subscriber: SubscriberId) -> String {
        let balance = self
            .tx()
            .read(async move |tx| ledger::balance(tx, subscriber).await)
            .await
            .unwrap();
        balance.amount().to_string()
    }

    /// Line ids of an invoice, in their order.
    async fn line_ids(&self, invoice: &Value) -> Vec<Value> {
        let document = "query ($id: ID!) { invoice(id: $id) { lines { id } } }";
        let found = self.ask(document, json!({ "id": invoice["id"] })).await;
        let lines = found["invoice"]["lines"].as_array().unwrap().iter();
        lines.map(|l| l["id"].clone()).collect()
    }

    async fn pay(&self, subscriber: SubscriberId, amount: &str) {
        let input =
            json!({ "subscriberId": subscriber.to_string(), "amount": amount, "method": "CASH", "idempotencyKey": key() });
        let document = "mutation ($input: PaymentRecordInput!) { paymentRecord(input: $input) { userErrors { code } } }";
        let done = self.ask(document, json!({ "input": input })).await;
        assert_eq!(done["paymentRecord"]["userErrors"], json!([]));
    }
}

#[tokio::test]
async fn all_of_an_invoice_that_nobody_paid() {
    let isp = Isp::open("in-broadband").await;
    isp.register(GSTIN_KA).await;
    let subscriber = isp.subscriber(Some("KA")).await;
    let invoice = isp.issued(subscriber, json!([line("799"), line("100.50")])).await;
    let again = json!({ "idempotencyKey": key() });
    let note = isp.credited(&invoice, again.clone()).await;
    assert_eq!(
        (&note["number"], &note["reason"]),
        (&json!("CN/26-27/000001"), &json!("Wrong"))
    );
    assert_eq!(note["total"], invoice["total"]);
    assert_eq!(taxes(&note), taxes(&invoice));
    let settled = json!({ "id": invoice["id"], "status": "CREDITED", "amountDue": { "amount": "0.00" },
        "amountCredited": invoice["total"] });
    assert_eq!(note["invoice"], settled);
    assert_eq!(isp.balance(subscriber).await, "0.00");
    assert_eq!(isp.credited(&invoice, again).await, note, "a replay");
    assert_eq!(refusals(&isp.credit(&invoice, json!({})).await), ["invoiceId INVALID_STATE"]);
    let books = isp.tx().read(async |tx| ledger::totals(tx).await).await.unwrap();
    assert!(books.iter().all(|a| a.debit == a.credit), "{books:?}");

    let document = "query ($id: ID!, $invoice: ID!) { creditNote(id: $id) { number } node(id: $id) { id }
        invoice(id: $invoice) { creditNotes { id total { amount } } } }";
    let found = isp.ask(document, json!({ "id": note["id"], "invoice": invoice["id"] })).await;
    assert_eq!(found["creditNote"]["number"], note["number"]);
    assert_eq!(found["node"]["id"], note["id"]);
    assert_eq!(
        found["invoice"]["creditNotes"],
        json!([{ "id": note["id"], "total": note["total"] }])
    );
}

#[tokio::test]
async fn what_was_paid_becomes_credit_in_hand() {
    let isp = Isp::open("in-broadband").await;
    isp.register(GSTIN_KA).await;
    let subscriber = isp.subscriber(Some("KA")).await;
    let invoice = isp.issued(subscriber, json!([line("599")])).await;
    isp.pay(subscriber, "706.82").await;
    // Golden IN-07's unused part.
    let note = isp.credited(&invoice, json!({ "amount": "405.77" })).await;
    assert_eq!(note["total"]["amount"], "478.81");
    assert_eq!(taxes(&note), ["CGST 9 405.77 36.52", "SGST 9 405.77 36.52"]);
    assert_eq!(note["invoice"]["status"], "PAID");
    assert_eq!(note["invoice"]["amountCredited"]["amount"], "0.00");
    assert_eq!(isp.balance(subscriber).await, "-478.81");
    let next = isp.issued(subscriber, json!([line("676.74")])).await;
    assert_eq!(
        (&next["total"]["amount"], &next["amountDue"]["amount"]),
        (&json!("798.56"), &json!("319.75"))
    );
    // Half of what is due and the rest of a note meet on one invoice.
    let note = isp.credited(&next, json!({})).await;
    assert_eq!(note["invoice"]["status"], "CREDITED");
    assert_eq!(isp.balance(subscriber).await, "-478.81");
}

#[tokio::test]
async fn never_more_than_is_left_of_a_line() {
    let isp = Isp::open("in-broadband").await;
    isp.register(GSTIN_KA).await;
    let subscriber = isp.subscriber(Some("KA")).await;
    let invoice = isp.issued(subscriber, json!([line("100"), line("200")])).await;
    let ids = isp.line_ids(&invoice).await;
    let of = |n: usize, amount: &str| json!({ "invoiceLineId": ids[n], "amount": amount });
    let note = isp.credited(&invoice, json!({ "lines": [of(0, "40"), of(1, "200")] })).await;
    assert_eq!(note["subtotal"]["amount"], "240.00");
    for (more, expected) in [
        (json!({ "lines": [of(0, "60.01")] }), vec!["lines.0.amount INVALID"]),
        (
            json!({ "lines": [of(1, "0.01")] }),
            vec!["lines.0.invoiceLineId INVALID_STATE"],
        ),
        (
            json!({ "lines": [of(0, "1"), of(0, "1")] }),
            vec!["lines.1.invoiceLineId INVALID"],
        ),
        (json!({ "lines": [] }), vec!["lines INVALID"]),
        (json!({ "lines": [of(0, "-1")] }), vec!["lines.0.amount INVALID"]),
        (json!({ "amount": "60.01" }), vec!["amount INVALID"]),
        (json!({ "amount": "0" }), vec!["amount INVALID"]),
        (json!({ "amount": "1.005" }), vec!["amount INVALID"]),
        (json!({ "amount": "1", "lines": [of(0, "1")] }), vec!["amount INVALID"]),
        (json!({ "reason": "  " }), vec!["reason REQUIRED"]),
    ] {
        assert_eq!(refusals(&isp.credit(&invoice, more.clone()).await), expected, "{more}");
    }
    let other = isp.issued(subscriber, json!([line("5")])).await;
    let foreign = json!({ "lines": [{ "invoiceLineId": isp.line_ids(&other).await[0] }] });
    assert_eq!(
        refusals(&isp.credit(&invoice, foreign).await),
        ["lines.0.invoiceLineId NOT_FOUND"]
    );
    // The rest of it, to the last minor unit of each tax.
    let rest = isp
        .credited(&invoice, json!({ "lines": [{ "invoiceLineId": ids[0] }] }))
        .await;
    assert_eq!(
        (&rest["subtotal"]["amount"], &rest["number"]),
        (&json!("60.00"), &json!("CN/26-27/000002"))
    );
    assert_eq!(rest["invoice"]["status"], "CREDITED");
    assert_eq!(isp.balance(subscriber).await, "5.90");
}

#[tokio::test]
async fn an_amount_is_shared_by_lines_that_are_taxed_alike() {
    let isp = Isp::open("ke-hotspot").await;
    let subscriber = isp.subscriber(Some("30")).await;
    let invoice = isp.issued(subscriber, json!([line("100"), line("200"), line("0.07")])).await;
    let note = isp.credited(&invoice, json!({ "amount": "30.01" })).await;
    assert_eq!(note["subtotal"]["amount"], "30.01");
    let amounts: Vec<_> = note["lines"]
        .as_array()
        .unwrap()
        .iter()
        .map(|l| l["amount"]["amount"].clone())
        .collect();
    assert_eq!(amounts, ["10.00", "20.00", "0.01"]);
    let router = json!({ "description": "Router", "unitPrice": "3500", "taxCode": "HARDWARE" });
    let mixed = isp.issued(subscriber, json!([line("100"), router])).await;
    assert_eq!(
        refusals(&isp.credit(&mixed, json!({ "amount": "10" })).await),
        ["amount INVALID"]
    );
    assert_eq!(isp.credited(&mixed, json!({})).await["total"], mixed["total"]);
}

/// Golden KE-06 backwards: 20 % of excise were charged until June 2023, 15 % from July on.
#[tokio::test]
async fn taxes_go_back_at_the_rates_at_which_they_came() {
    let isp = Isp::open("ke-hotspot").await;
    isp.on("2023-06-15");
    let subscriber = isp.subscriber(Some("30")).await;
    let invoice = isp.issued(subscriber, json!([line("2000")])).await;
    isp.on("2023-09-15");
    let note = isp.credited(&invoice, json!({ "amount": "1000" })).await;
    assert_eq!(taxes(&note), ["EXCISE 20 1000.00 200.00", "VAT 16 1200.00 192.00"]);
    assert_eq!(note["issuedOn"], "2023-09-15");
    let rest = isp.credited(&invoice, json!({})).await;
    assert_eq!(rest["total"]["amount"], "1392.00");
}

/// Rounded totals: the parts of an invoice are credited with their own taxes, the last takes what rounding had added.
#[tokio::test]
async fn parts_of_a_rounded_invoice_sum_to_it() {
    let isp = Isp::open("in-broadband").await;
    isp.register(GSTIN_KA).await;
    let version = isp.ask("{ billingSettings { version } }", json!({})).await["billingSettings"]["version"].clone();
    let input = json!({ "expectedVersion": version, "roundInvoiceTo": "1" });
    let document =
        "mutation ($input: BillingSettingsUpdateInput!) { billingSettingsUpdate(input: $input) { userErrors { code } } }";
    isp.ask(document, json!({ "input": input })).await;
    let subscriber = isp.subscriber(Some("KA")).await;
    for (price, total) in [("799", "943.00"), ("100.33", "118.00")] {
        let invoice = isp.issued(subscriber, json!([line(price)])).await;
        assert_eq!(invoice["total"]["amount"], total);
        let mut sum = rust_decimal::Decimal::ZERO;
        for more in [json!({ "amount": "33.33" }), json!({ "amount": "66.66" }), json!({})] {
            let note = isp.credited(&invoice, more).await;
            sum += note["total"]["amount"]
                .as_str()
                .unwrap()
                .parse::<rust_decimal::Decimal>()
                .unwrap();
            for line in note["lines"].as_array().unwrap() {
                let explanation: CreditExplanation = serde_json::from_value(line["explanation"].clone()).unwrap();
                let again = replay_credit(&explanation).unwrap();
                assert_eq!(json!(again.amounts.amount.amount().to_string()), line["amount"]["amount"]);
                let replayed: Vec<_> = again.amounts.taxes.iter().map(|t| t.amount.amount().to_string()).collect();
                let issued: Vec<_> = line["taxes"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|t| t["amount"]["amount"].clone())
                    .collect();
                assert_eq!(json!(replayed), json!(issued));
            }
        }
        assert_eq!(sum.to_string(), total);
    }
    assert_eq!(isp.balance(subscriber).await, "0.00");
}

#[tokio::test]
async fn at_once_they_never_exceed_the_invoice() {
    let isp = Isp::open("in-broadband").await;
    isp.register(GSTIN_KA).await;
    let subscriber = isp.subscriber(Some("KA")).await;
    let invoice = isp.issued(subscriber, json!([line("300"), line("200")])).await;
    let asked = (0..12).map(|_| isp.credit(&invoice, json!({ "amount": "100" })));
    let answers = futures::future::join_all(asked).await;
    let mut numbers: Vec<_> = answers
        .iter()
        .filter_map(|a| a["creditNote"]["number"].as_str().map(str::to_owned))
        .collect();
    numbers.sort();
    let expected: Vec<_> = (1..=5).map(|n| format!("CN/26-27/{n:06}")).collect();
    assert_eq!(numbers, expected, "{answers:#?}");
    for refused in answers.iter().filter(|a| a["creditNote"].is_null()) {
        let codes = refusals(refused);
        assert!(
            codes == ["invoiceId INVALID_STATE"] || codes == ["amount INVALID"],
            "{refused:#}"
        );
    }
    assert_eq!(isp.balance(subscriber).await, "0.00");
    assert_eq!(isp.invoice(invoice["id"].as_str().unwrap()).await["status"], "CREDITED");
}

#[tokio::test]
async fn who_may_issue_and_who_may_see() {
    let isp = Isp::open("in-broadband").await;
    let (asha, ravi) = (isp.subscriber(None).await, isp.subscriber(None).await);
    let invoice = isp.issued(asha, json!([line("10")])).await;
    let input = json!({ "invoiceId": invoice["id"], "reason": "x", "idempotencyKey": key() });
    let support = Actor::Staff {
        id: StaffId::new(),
        name: "Support".into(),
        permissions: std::sync::Arc::new(Permissions::parse(["invoice:read", "service:write"])),
    };
    let subscriber = |id| Actor::Subscriber { id, name: "S".into() };
    for actor in [support, subscriber(asha)] {
        let answer = isp.ask_as(&isp.tenant, actor, CREDIT, json!({ "input": input })).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "FORBIDDEN", "{answer:#}");
    }
    let note = isp.credited(&invoice, json!({})).await;
    let document = "query ($id: ID!) { creditNote(id: $id) { number lines { description } taxes { name } } }";
    for (who, sees) in [(asha, true), (ravi, false)] {
        let answer = isp
            .ask_as(&isp.tenant, subscriber(who), document, json!({ "id": note["id"] }))
            .await;
        assert_eq!(!answer["data"]["creditNote"].is_null(), sees, "{answer:#}");
    }
}
