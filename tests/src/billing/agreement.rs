//! Whatever is issued, paid, taken back and credited in whatever order: the books agree with the invoices.

use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rust_decimal::Decimal;
use serde_json::json;
use trunkline_domain::billing::credit_notes::{self, CreditNote, IssueCreditNote};
use trunkline_domain::billing::{self, Invoice, InvoiceFilter};
use trunkline_domain::kernel::db::TenantTx;
use trunkline_domain::kernel::ids::{InvoiceId, SubscriberId};
use trunkline_domain::kernel::money::Money;
use trunkline_domain::kernel::page::PageRequest;
use trunkline_domain::ledger::{self, Account, AccountKind, Entry, Transfer};
use trunkline_domain::{Error, Result, subscribers};
use uuid::Uuid;

use super::isp::{GSTIN_KA, Isp};

/// Books a transfer of a payment's, as `payments` does.
async fn book(tx: &TenantTx, debit: Account, credit: Account, amount: Money) -> Result<()> {
    let entry = Entry {
        kind: "payment",
        source: Uuid::now_v7(),
        booked_on: tx.today(),
        description: "Payment".into(),
        transfers: vec![Transfer::new(debit, credit, amount)],
    };
    ledger::post(tx, entry).await.map(drop)
}

fn cash() -> Account {
    Account::Cash("CASH".into())
}

/// Money comes in and stays in hand.
async fn top_up(tx: &TenantTx, payer: SubscriberId, amount: Money) -> Result<()> {
    subscribers::lock(tx, payer).await?;
    book(tx, cash(), Account::SubscriberCredit(payer), amount).await
}

/// Pays a part of the oldest open invoice; answers what was paid on what.
async fn pay(tx: &TenantTx, payer: SubscriberId, most: Money) -> Result<Option<(InvoiceId, Money)>> {
    subscribers::lock(tx, payer).await?;
    let open = billing::open_invoices(tx, payer).await?;
    let Some(first) = open.first() else { return Ok(None) };
    let part = most.at_most(first.amount_due).unwrap();
    billing::apply_payment(tx, &[(first.id, part)]).await?;
    book(tx, cash(), Account::Receivable(payer), part).await?;
    Ok(Some((first.id, part)))
}

async fn take_back(tx: &TenantTx, payer: SubscriberId, part: (InvoiceId, Money)) -> Result<()> {
    subscribers::lock(tx, payer).await?;
    billing::unapply_payment(tx, &[part]).await?;
    book(tx, Account::Receivable(payer), cash(), part.1).await
}

/// Credit that invoices consumed is wanted back, as far as they consumed it.
async fn undo(tx: &TenantTx, payer: SubscriberId, wanted: Money) -> Result<()> {
    subscribers::lock(tx, payer).await?;
    let consumed: Option<Decimal> = tx
        .sql("SELECT coalesce(sum(amount), 0) FROM credit_application WHERE subscriber_id = $1 AND undone_at IS NULL")
        .bind(payer)
        .scalar()
        .await?;
    let consumed = Money::new(consumed.unwrap_or_default(), wanted.currency()).unwrap();
    billing::undo_credit(tx, payer, wanted.at_most(consumed).unwrap()).await
}

/// Credits a part of some invoice, or all that is left of it; a refusal is all right.
async fn credit(tx: &TenantTx, invoice: InvoiceId, amount: Option<Decimal>) -> Result<()> {
    let cmd = IssueCreditNote {
        invoice_id: invoice,
        amount,
        lines: None,
        reason: "x".into(),
        idempotency_key: Uuid::now_v7(),
    };
    match credit_notes::issue_by_hand(tx, cmd).await {
        Ok(_) | Err(Error::User(_)) => Ok(()),
        Err(other) => Err(other),
    }
}

async fn check(tx: &TenantTx, payers: &[SubscriberId]) -> Result<()> {
    let currency = tx.tenant().currency();
    let money = |amount: Decimal| Money::new(amount, currency).unwrap();
    let all = billing::list(tx, PageRequest::new(100, None)?, &InvoiceFilter::default())
        .await?
        .items;
    for payer in payers {
        let own = all.iter().filter(|i| i.subscriber_id == *payer);
        let due = Money::sum(own.map(|i| money(i.amount_due)), currency).unwrap();
        let in_hand = ledger::credit_in_hand(tx, *payer).await?;
        let owed = due.checked_sub(in_hand).unwrap();
        assert_eq!(
            ledger::balance(tx, *payer).await?,
            owed,
            "the books say what the invoices say"
        );
    }
    let credited: Decimal = all.iter().map(|i| i.amount_credited).sum();
    let applied: Option<Decimal> = tx
        .sql("SELECT coalesce(sum(amount), 0) FROM credit_application WHERE undone_at IS NULL")
        .scalar()
        .await?;
    let ids: Vec<InvoiceId> = all.iter().map(|i| i.id).collect();
    let notes = credit_notes::of_invoices(tx, &ids).await?;
    let by_notes: Decimal = notes.iter().map(|n| n.applied).sum();
    assert_eq!(Some(credited - by_notes), applied);

    let books = ledger::totals(tx).await?;
    assert_eq!(books.iter().map(|a| a.debit - a.credit).sum::<Decimal>(), Decimal::ZERO);
    assert_eq!(ledger::discrepancies(tx).await?, []);
    let net = |kind: AccountKind| -> Decimal { books.iter().filter(|a| a.kind == kind).map(|a| a.credit - a.debit).sum() };
    let charged = |of: fn(&Invoice) -> Decimal| all.iter().map(of).sum::<Decimal>();
    let taken_back = |of: fn(&CreditNote) -> Decimal| notes.iter().map(of).sum::<Decimal>();
    assert_eq!(
        net(AccountKind::Revenue),
        charged(|i| i.subtotal) - taken_back(|n| n.subtotal)
    );
    assert_eq!(
        net(AccountKind::Rounding),
        charged(|i| i.rounding) - taken_back(|n| n.rounding)
    );
    let mut by_name: BTreeMap<String, Decimal> = BTreeMap::new();
    for tax in billing::taxes_of(tx, &ids).await? {
        *by_name.entry(tax.name).or_default() += tax.amount;
    }
    let note_ids: Vec<_> = notes.iter().map(|n| n.id).collect();
    for tax in credit_notes::taxes_of(tx, &note_ids).await? {
        *by_name.entry(tax.tax.name).or_default() -= tax.tax.amount;
    }
    let payable = books.iter().filter(|a| a.kind == AccountKind::TaxPayable);
    let payable: BTreeMap<String, Decimal> = payable.map(|a| (a.detail.clone(), a.credit - a.debit)).collect();
    assert_eq!(payable, by_name);
    let lines = billing::lines_of(tx, &ids).await?;
    for invoice in &all {
        let sum: Decimal = lines.iter().filter(|l| l.invoice_id == invoice.id).map(|l| l.amount).sum();
        assert_eq!(sum, invoice.subtotal);
        let settled = invoice.amount_due.is_zero();
        let noted: Decimal = notes.iter().filter(|n| n.invoice_id == invoice.id).map(|n| n.total).sum();
        assert!(noted <= invoice.total);
        let expected = match (settled, (invoice.amount_paid + invoice.amount_credited).is_zero()) {
            (true, _) if noted == invoice.total && !noted.is_zero() => "CREDITED",
            (true, _) => "PAID",
            (false, true) => "ISSUED",
            (false, false) => "PARTIALLY_PAID",
        };
        assert_eq!(invoice.status.to_string(), expected);
    }
    Ok(())
}

#[tokio::test]
async fn the_books_agree_with_the_invoices() {
    let isp = Isp::open("in-broadband").await;
    isp.register(GSTIN_KA).await;
    let payers = [
        isp.subscriber(Some("KA")).await,
        isp.subscriber(Some("MH")).await,
        isp.subscriber(None).await,
    ];
    let seed = rand::random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let mut paid: Vec<(SubscriberId, (InvoiceId, Money))> = Vec::new();
    let mut issued = 0;
    let mut invoices: Vec<InvoiceId> = Vec::new();
    for _ in 0..160 {
        let payer = payers[random.random_range(0..payers.len())];
        let amount = Money::from_minor_units(random.random_range(1..300_000), isp.tenant.currency()).unwrap();
        match random.random_range(0..13) {
            0..=3 if issued < 100 => {
                issued += 1;
                let lines: Vec<_> = (0..random.random_range(1..4))
                    .map(|_| {
                        json!({ "description": "x", "unitPrice": Decimal::new(random.random_range(0..200_000), 2).to_string(),
                        "quantity": Decimal::new(random.random_range(1..50_000), 4).to_string() })
                    })
                    .collect();
                let issued = isp.issued(payer, json!(lines)).await;
                invoices.push(issued["id"].as_str().unwrap().parse().unwrap());
            }
            10.. if !invoices.is_empty() => {
                let invoice = invoices[random.random_range(0..invoices.len())];
                let amount = random.random::<bool>().then(|| amount.amount());
                isp.tx()
                    .write(async move |tx| credit(tx, invoice, amount).await)
                    .await
                    .unwrap();
            }
            4 | 5 => isp.tx().write(async move |tx| top_up(tx, payer, amount).await).await.unwrap(),
            6 | 7 => {
                let part = isp.tx().write(async move |tx| pay(tx, payer, amount).await).await.unwrap();
                paid.extend(part.map(|part| (payer, part)));
            }
            8 if !paid.is_empty() => {
                let (payer, part) = paid.swap_remove(random.random_range(0..paid.len()));
                isp.tx()
                    .write(async move |tx| take_back(tx, payer, part).await)
                    .await
                    .unwrap();
            }
            _ => isp.tx().write(async move |tx| undo(tx, payer, amount).await).await.unwrap(),
        }
        isp.tx().read(async move |tx| check(tx, &payers).await).await.unwrap();
    }
    assert!(issued > 10);
}

/// Credit in hand settles the next invoice, wholly or in part, and events say so.
#[tokio::test]
async fn credit_in_hand_is_consumed() {
    let isp = Isp::open("in-broadband").await;
    let payer = isp.subscriber(None).await;
    let amount = Money::from_minor_units(15_000, isp.tenant.currency()).unwrap();
    isp.tx().write(async move |tx| top_up(tx, payer, amount).await).await.unwrap();
    let mut seen = Vec::new();
    for _ in 0..3 {
        let invoice = isp.issued(payer, json!([super::isp::line("100")])).await;
        seen.push(
            [
                &invoice["status"],
                &invoice["amountCredited"]["amount"],
                &invoice["amountDue"]["amount"],
            ]
            .map(|v| v.as_str().unwrap().to_owned()),
        );
    }
    assert_eq!(
        seen,
        [
            ["PAID", "100.00", "0.00"],
            ["PARTIALLY_PAID", "50.00", "50.00"],
            ["ISSUED", "0.00", "100.00"]
        ]
    );
    let kinds: Vec<String> =
        sqlx::query_scalar("SELECT kind FROM platform.outbox WHERE tenant_id = $1 AND kind LIKE 'Invoice%' ORDER BY event_id")
            .bind(isp.tenant.number())
            .fetch_all(&mut isp.db.admin().await)
            .await
            .unwrap();
    assert_eq!(kinds, ["InvoiceIssued", "InvoicePaid", "InvoiceIssued", "InvoiceIssued"]);
}
