//! Numbers have no gaps and no twins, whatever happens at once.

use std::collections::BTreeSet;

use futures::future::{join, join_all};
use rust_decimal::Decimal;
use serde_json::json;
use trunkline_domain::billing::{self, NewInvoice, NewLine, OneTimeCharge};
use trunkline_domain::kernel::db::TenantTx;
use trunkline_domain::kernel::ids::{InvoiceId, SubscriberId};
use trunkline_domain::{Error, Result};

use super::isp::{GSTIN_KA, Isp, key, line, refusals};

#[tokio::test]
async fn forty_at_once_with_some_refused_leave_no_gap() {
    let isp = Isp::open("in-broadband").await;
    let mut subscribers = Vec::new();
    for _ in 0..5 {
        subscribers.push(isp.subscriber(Some("KA")).await);
    }
    let calls = (0..40).map(|n| {
        let lines = match n % 4 {
            0 => json!([line("-1")]),
            1 => json!([line("5"), { "description": "x", "unitPrice": "1", "taxCode": "none such" }]),
            _ => json!([line("5")]),
        };
        isp.issue(subscribers[n % subscribers.len()], lines)
    });
    // Work that issues and then fails had a number, and gives it back.
    let failures = (0..20).map(|n| issue_and_fail(&isp, subscribers[n % subscribers.len()]));
    let (answers, failed) = join(join_all(calls), join_all(failures)).await;
    let numbers: BTreeSet<&str> = answers.iter().filter_map(|a| a["invoice"]["number"].as_str()).collect();
    let expected: Vec<String> = (1..=20).map(|n| format!("IN/26-27/{n:06}")).collect();
    assert_eq!(numbers.into_iter().collect::<Vec<_>>(), expected);
    assert_eq!(answers.iter().filter(|a| !refusals(a).is_empty()).count(), 20);
    assert!(failed.iter().all(|number| number.starts_with("IN/26-27/")), "{failed:?}");
}

/// The number that the invoice would have had.
async fn issue_and_fail(isp: &Isp, subscriber_id: SubscriberId) -> String {
    let charge = OneTimeCharge {
        of: None,
        tax_inclusive: false,
        description: "x".into(),
        quantity: Decimal::ONE,
        unit_price: Decimal::ONE,
        discount_percent: None,
        tax_code: None,
    };
    let new = NewInvoice {
        id: InvoiceId::new(),
        subscriber_id,
        due_on: "2026-04-16".parse().unwrap(),
        lines: vec![NewLine::OneTime(charge)],
    };
    let work = async move |tx: &TenantTx| -> Result<()> {
        let issued = billing::issue(tx, new.clone()).await?;
        let invoice = billing::get(tx, issued.id).await?;
        Err(Error::state("", invoice.number.unwrap_or_default()))
    };
    match isp.tx().write(work).await {
        Err(Error::User(errors)) => errors[0].message.clone(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_same_key_issues_once_and_another_input_is_refused() {
    let isp = Isp::open("in-broadband").await;
    let subscriber = isp.subscriber(None).await.to_string();
    let input = json!({ "subscriberId": subscriber, "lines": [line("5")], "idempotencyKey": key() });
    let answers = join_all((0..24).map(|_| isp.issue_input(input.clone()))).await;
    let ids: BTreeSet<&str> = answers.iter().filter_map(|a| a["invoice"]["id"].as_str()).collect();
    assert_eq!(ids.len(), 1);
    let mut other = input.clone();
    other["lines"][0]["unitPrice"] = json!("6");
    assert_eq!(
        refusals(&isp.issue_input(other).await),
        ["idempotencyKey IDEMPOTENCY_KEY_REUSED"]
    );
    // Days later the replay still answers, with what the invoice is by then.
    isp.on("2026-06-01");
    assert_eq!(isp.issue_input(input).await["invoice"]["id"].as_str(), ids.first().copied());
    let all = isp
        .ask("{ invoices(first: 5) { totalCount nodes { overdue } } }", json!({}))
        .await;
    assert_eq!(all["invoices"], json!({ "totalCount": 1, "nodes": [{ "overdue": true }] }));
}

#[tokio::test]
async fn a_refused_call_leaves_its_key_free() {
    let isp = Isp::open("in-broadband").await;
    let subscriber = isp.subscriber(None).await.to_string();
    let mut input = json!({ "subscriberId": subscriber, "lines": [line("-5")], "idempotencyKey": key() });
    assert_eq!(refusals(&isp.issue_input(input.clone()).await), ["lines.0.unitPrice INVALID"]);
    input["lines"] = json!([line("5")]);
    assert_eq!(isp.issue_input(input).await["invoice"]["number"], "IN/26-27/000001");
}

/// The fiscal year is the tenant's own; a registration that comes later goes on with the series.
#[tokio::test]
async fn series_go_on_and_start_anew_with_the_fiscal_year() {
    let isp = Isp::open("in-broadband").await;
    let subscriber = isp.subscriber(None).await;
    let mut numbers = Vec::new();
    for (day, register) in [
        ("2027-03-30", false),
        ("2027-03-30", true),
        ("2027-03-31", false),
        ("2027-04-01", false),
    ] {
        isp.on(day);
        if register {
            isp.register(GSTIN_KA).await;
        }
        let invoice = isp.issued(subscriber, json!([line("5")])).await;
        numbers.push(invoice["number"].as_str().unwrap().to_owned());
    }
    assert_eq!(
        numbers,
        ["IN/26-27/000001", "IN/26-27/000002", "IN/26-27/000003", "IN/27-28/000001"]
    );
}
