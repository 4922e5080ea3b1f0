//! The rows of issued invoices: a statement for each table, however many invoices there are.

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use serde::Serialize;
use uuid::Uuid;

use super::credit::{self, Taken};
use super::events::{InvoiceIssued, InvoicePaid};
use super::issuing::{Draft, DraftLine};
use super::rules::{BillingSettings, NumberPattern, TaxAmount};
use super::{numbers, parties};
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, ErrorCode, Result};
use crate::kernel::event::Fact;
use crate::kernel::ids::SubscriberId;
use crate::kernel::money::Money;
use crate::ledger::{self, Account, Entry, Transfer};

/// Issues drafts: books them, tells of them, numbers them, all in one series, and writes them down. The payers are locked.
pub(super) async fn all(
    tx: &TenantTx,
    settings: &BillingSettings,
    (series, pattern): (&'static str, &NumberPattern),
    drafts: &[Draft],
) -> Result<()> {
    if drafts.is_empty() {
        return Ok(());
    }
    let entries: Vec<Entry> = drafts.iter().flat_map(|draft| entries(tx, draft)).collect();
    ledger::post_all(tx, &entries).await?;
    let audits: Result<Vec<_>> = drafts.iter().map(audited).collect();
    tx.audit_all("invoiceIssue", audits?).await?;
    tx.emit_all(facts(drafts)?).await?;
    let under: Vec<_> = drafts.iter().map(|draft| draft.registration.as_ref()).collect();
    let sellers = parties::sellers(tx, &under).await?;
    let documents: Vec<Option<&str>> = (drafts.iter())
        .map(|draft| draft.registration.as_ref().map(|r| r.short_code.as_str()))
        .collect();
    let numbers = numbers::take(tx, series, pattern, settings, tx.today(), &documents).await?;
    invoices(tx, drafts, numbers, sellers).await?;
    lines(tx, drafts).await?;
    taxes(tx, drafts).await?;
    coverage(tx, drafts).await?;
    let taken: Vec<&Taken> = drafts.iter().filter_map(|draft| draft.taken.as_ref()).collect();
    credit::insert_all(tx, &taken).await
}

/// Debits the payer with what it owes, and credits whose it is; then what credit in hand settles of it.
fn entries(tx: &TenantTx, draft: &Draft) -> Vec<Entry> {
    let totals = &draft.totals;
    let owed = Account::Receivable(draft.payer);
    let mut transfers = vec![Transfer::new(owed.clone(), Account::Revenue, totals.subtotal)];
    let taxes = (totals.taxes.iter()).map(|tax| Transfer::new(owed.clone(), Account::TaxPayable(tax.name.clone()), tax.amount));
    transfers.extend(taxes);
    transfers.push(Transfer::new(owed, Account::Rounding, totals.rounding));
    let invoice = Entry {
        kind: "invoice",
        source: draft.id.0,
        booked_on: tx.today(),
        description: draft.adds.as_ref().map_or("Invoice", |_| "Debit note").to_owned(),
        transfers,
    };
    let credit = draft.taken.as_ref().map(|taken| taken.entry(tx));
    [Some(invoice), credit].into_iter().flatten().collect()
}

fn audited(draft: &Draft) -> Result<(Uuid, String)> {
    #[derive(Serialize)]
    struct Detail {
        subscriber_id: SubscriberId,
        total: Money,
        due_on: NaiveDate,
    }
    let detail = Detail {
        subscriber_id: draft.payer,
        total: draft.totals.total,
        due_on: draft.due_on,
    };
    Ok((draft.id.0, serde_json::to_string(&detail)?))
}

fn facts(drafts: &[Draft]) -> Result<Vec<Fact>> {
    let mut facts = Vec::with_capacity(drafts.len());
    for draft in drafts {
        let (invoice_id, subscriber_id) = (draft.id, draft.payer);
        facts.push(Fact::of(&InvoiceIssued {
            invoice_id,
            subscriber_id,
        })?);
        if draft.is_paid() {
            facts.push(Fact::of(&InvoicePaid {
                invoice_id,
                subscriber_id,
            })?);
        }
    }
    Ok(facts)
}

async fn invoices(tx: &TenantTx, drafts: &[Draft], numbers: Vec<String>, sellers: Vec<Uuid>) -> Result<()> {
    let amounts = |of: fn(&Draft) -> Money| -> Vec<Decimal> { drafts.iter().map(|draft| of(draft).amount()).collect() };
    // The nil id stands for no registration, and for no invoice that is added to.
    let registrations = drafts.iter().map(|d| d.registration.as_ref().map_or(Uuid::nil(), |r| r.id.0));
    let added_to = drafts.iter().map(|d| d.adds.as_ref().map_or(Uuid::nil(), |a| a.to.0));
    let reasons = drafts.iter().map(|d| d.adds.as_ref().map_or("", |a| &a.reason).to_owned());
    tx.sql(
        "INSERT INTO invoice (id, kind, refers_to_id, reason, number, status, subscriber_id, registration_id, issued_on, due_on, currency, subtotal,
             discount, tax_total, rounding, total, amount_credited, created_at, seller_id, buyer)
         SELECT i.id, CASE WHEN i.reason = '' THEN 'INVOICE' ELSE 'DEBIT_NOTE' END,
             nullif(i.refers_to_id, '00000000-0000-0000-0000-000000000000'), nullif(i.reason, ''), i.number,
             CASE WHEN i.total = i.credited THEN 'PAID' WHEN i.credited > 0 THEN 'PARTIALLY_PAID' ELSE 'ISSUED' END,
             i.subscriber_id, nullif(i.registration_id, '00000000-0000-0000-0000-000000000000'), $1, i.due_on, $2, i.subtotal,
             i.discount, i.tax_total, i.rounding, i.total, i.credited, $3, i.seller_id, i.buyer::jsonb
         FROM unnest($4::uuid[], $5::text[], $6::uuid[], $7::uuid[], $8::date[], $9::numeric[], $10::numeric[], $11::numeric[],
                 $12::numeric[], $13::numeric[], $14::numeric[], $15::uuid[], $16::text[], $17::uuid[], $18::text[])
             AS i(id, number, subscriber_id, registration_id, due_on, subtotal, discount, tax_total, rounding, total, credited,
                 refers_to_id, reason, seller_id, buyer)",
    )
    .bind(tx.today())
    .bind(tx.tenant().currency().code())
    .bind(tx.now())
    .bind(drafts.iter().map(|d| d.id.0).collect::<Vec<_>>())
    .bind(numbers)
    .bind(drafts.iter().map(|d| d.payer.0).collect::<Vec<_>>())
    .bind(registrations.collect::<Vec<_>>())
    .bind(drafts.iter().map(|d| d.due_on).collect::<Vec<_>>())
    .bind(amounts(|d| d.totals.subtotal))
    .bind(amounts(|d| d.totals.discount))
    .bind(amounts(|d| d.totals.tax_total))
    .bind(amounts(|d| d.totals.rounding))
    .bind(amounts(|d| d.totals.total))
    .bind(amounts(Draft::credited))
    .bind(added_to.collect::<Vec<_>>())
    .bind(reasons.collect::<Vec<_>>())
    .bind(sellers)
    .bind(drafts.iter().map(|d| d.buyer.clone()).collect::<Vec<_>>())
    .run()
    .await?;
    Ok(())
}

/// Each line with its invoice and its place on it.
fn all_lines(drafts: &[Draft]) -> Result<Vec<(&Draft, i32, &DraftLine)>> {
    let lines = (drafts.iter()).flat_map(|draft| {
        draft
            .lines
            .iter()
            .enumerate()
            .map(move |(position, line)| (draft, position, line))
    });
    lines
        .map(|(draft, position, line)| Ok((draft, i32::try_from(position).map_err(Error::internal)?, line)))
        .collect()
}

async fn lines(tx: &TenantTx, drafts: &[Draft]) -> Result<()> {
    let rows = all_lines(drafts)?;
    let texts = |of: fn(&DraftLine) -> String| -> Vec<String> { rows.iter().map(|(_, _, line)| of(line)).collect() };
    let amounts = |of: fn(&DraftLine) -> Decimal| -> Vec<Decimal> { rows.iter().map(|(_, _, line)| of(line)).collect() };
    let ids = |of: fn(&DraftLine) -> Uuid| -> Vec<Uuid> { rows.iter().map(|(_, _, line)| of(line)).collect() };
    // A line without a period has one that is empty here; one of no service or plan the nil id.
    let instant = |of: fn(&crate::kernel::calendar::Period) -> DateTime<Utc>| -> Vec<DateTime<Utc>> {
        let now = tx.now();
        rows.iter().map(|(_, _, line)| line.period.as_ref().map_or(now, of)).collect()
    };
    tx.sql(
        "INSERT INTO invoice_line (id, invoice_id, position, kind, description, subscriber_id, service_id, plan_id, quantity,
             unit_price, discount, amount, tax_code, period_starts_at, period_ends_at, explanation)
         SELECT r.id, r.invoice_id, r.position, r.kind, r.description, r.subscriber_id,
             nullif(r.service_id, '00000000-0000-0000-0000-000000000000'),
             nullif(r.plan_id, '00000000-0000-0000-0000-000000000000'), r.quantity, r.unit_price, r.discount, r.amount, r.tax_code,
             CASE WHEN r.starts_at < r.ends_at THEN r.starts_at END, CASE WHEN r.starts_at < r.ends_at THEN r.ends_at END,
             r.explanation::jsonb
         FROM unnest($1::uuid[], $2::uuid[], $3::integer[], $4::text[], $5::text[], $6::uuid[], $7::uuid[], $8::uuid[],
                 $9::numeric[], $10::numeric[], $11::numeric[], $12::numeric[], $13::text[], $14::timestamptz[],
                 $15::timestamptz[], $16::text[])
             AS r(id, invoice_id, position, kind, description, subscriber_id, service_id, plan_id, quantity, unit_price,
                 discount, amount, tax_code, starts_at, ends_at, explanation)",
    )
    .bind(ids(|line| line.id.0))
    .bind(rows.iter().map(|(draft, ..)| draft.id.0).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, position, _)| *position).collect::<Vec<_>>())
    .bind(texts(|line| line.kind.to_string()))
    .bind(texts(|line| line.description.clone()))
    .bind(ids(|line| line.subscriber_id.0))
    .bind(ids(|line| line.service_id.map_or(Uuid::nil(), |id| id.0)))
    .bind(ids(|line| line.plan_id.map_or(Uuid::nil(), |id| id.0)))
    .bind(amounts(|line| line.quantity))
    .bind(amounts(|line| line.unit_price))
    .bind(amounts(|line| line.discount))
    .bind(amounts(|line| line.amount))
    .bind(texts(|line| line.tax_code.clone()))
    .bind(instant(|period| period.start()))
    .bind(instant(|period| period.end()))
    .bind(texts(|line| line.explanation.clone()))
    .run()
    .await?;
    Ok(())
}

async fn taxes(tx: &TenantTx, drafts: &[Draft]) -> Result<()> {
    let mut rows: Vec<(&Draft, &DraftLine, i32, &TaxAmount)> = Vec::new();
    for (draft, _, line) in all_lines(drafts)? {
        for (position, tax) in line.taxes.iter().enumerate() {
            rows.push((draft, line, i32::try_from(position).map_err(Error::internal)?, tax));
        }
    }
    if rows.is_empty() {
        return Ok(());
    }
    tx.sql(
        "INSERT INTO invoice_tax (invoice_id, line_id, position, name, rate, base, amount)
         SELECT t.invoice_id, t.line_id, t.position, t.name, t.rate, t.base, t.amount
         FROM unnest($1::uuid[], $2::uuid[], $3::integer[], $4::text[], $5::numeric[], $6::numeric[], $7::numeric[])
             AS t(invoice_id, line_id, position, name, rate, base, amount)",
    )
    .bind(rows.iter().map(|(draft, ..)| draft.id.0).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, line, ..)| line.id.0).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, _, position, _)| *position).collect::<Vec<_>>())
    .bind(rows.iter().map(|(.., tax)| tax.name.clone()).collect::<Vec<_>>())
    .bind(rows.iter().map(|(.., tax)| tax.rate).collect::<Vec<_>>())
    .bind(rows.iter().map(|(.., tax)| tax.base.amount()).collect::<Vec<_>>())
    .bind(rows.iter().map(|(.., tax)| tax.amount.amount()).collect::<Vec<_>>())
    .run()
    .await?;
    Ok(())
}

async fn coverage(tx: &TenantTx, drafts: &[Draft]) -> Result<()> {
    let lines = drafts.iter().flat_map(|draft| &draft.lines);
    let rows: Vec<_> = lines
        .filter_map(|line| Some((line, line.service_id?, line.period?)))
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    let written = tx
        .sql(
            "INSERT INTO coverage (id, service_id, charge, period, invoice_line_id, days)
             SELECT r.id, r.service_id, r.charge, tstzrange(r.starts_at, r.ends_at, '[)'), r.invoice_line_id, nullif(r.days, 0)
             FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[], $5::timestamptz[], $6::uuid[], $7::integer[])
                 AS r(id, service_id, charge, starts_at, ends_at, invoice_line_id, days)",
        )
        .bind(rows.iter().map(|_| Uuid::now_v7()).collect::<Vec<_>>())
        .bind(rows.iter().map(|(_, service, _)| service.0).collect::<Vec<_>>())
        .bind(rows.iter().map(|(line, ..)| line.covered_as.clone()).collect::<Vec<_>>())
        .bind(rows.iter().map(|(.., period)| period.start()).collect::<Vec<_>>())
        .bind(rows.iter().map(|(.., period)| period.end()).collect::<Vec<_>>())
        .bind(rows.iter().map(|(line, ..)| line.id.0).collect::<Vec<_>>())
        .bind(rows.iter().map(|(line, ..)| line.spread.unwrap_or(0)).collect::<Vec<_>>())
        .run()
        .await;
    match written {
        // Exclusion violation: the time is covered.
        Err(e) if e.sqlstate() == Some("23P01") => Err(charged_before()),
        other => other.map(|_| ()),
    }
}

/// Some of the time that is to be charged has been charged.
pub(super) fn charged_before() -> Error {
    Error::user(
        ErrorCode::Conflict,
        "",
        "The service has been invoiced for some of this time already.",
    )
}
