use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use rust_decimal::Decimal;
use serde::Serialize;

use super::entity::{Invoice, InvoiceLineKind, TaxRegistration};
use super::events::{InvoiceIssued, InvoicePaid};
use super::lines::{NewLine, place};
use super::rules::{ComputedInvoice, ComputedLine, InvoiceTotals, LineError, Place, TaxRuleSet, compute_invoice};
use super::{credit, numbers, queries, registrations, setup};
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, ErrorCode, Result};
use crate::kernel::ids::{InvoiceId, InvoiceLineId, PlanId, ServiceId, SubscriberId};
use crate::kernel::money::{Money, MoneyError};
use crate::ledger::{self, Account, Entry, Transfer};
use crate::subscribers::{self, Subscriber};

/// An invoice to be issued today.
#[derive(Clone, Debug)]
pub struct NewInvoice {
    pub id: InvoiceId,
    /// Whom it is for; it goes to whoever pays for that subscriber.
    pub subscriber_id: SubscriberId,
    pub due_on: NaiveDate,
    pub lines: Vec<NewLine>,
}

/// Issues an invoice: computes it, covers its periods, books it, lets it consume credit in hand and numbers it. One that
/// comes to nothing, or that credit settles, is paid at once. CONFLICT when some period has been invoiced before.
///
/// It needs no permission of its own: the use case that issues has asked for one.
pub async fn issue(tx: &TenantTx, new: NewInvoice) -> Result<Invoice> {
    let (subscriber, payer) = lock_payer(tx, new.subscriber_id).await?;
    let settings = setup::settings(tx).await?.settings;
    let (registration, computed) = compute(tx, &new, &subscriber, &settings).await?;
    let draft = Draft {
        id: new.id,
        payer,
        due_on: new.due_on,
        registration: registration.as_ref(),
        totals: &computed.totals,
    };
    insert_invoice(tx, &draft).await?;
    insert_lines(tx, &new, &computed).await?;
    book(tx, &draft).await?;
    let credited = credit::consume(tx, payer, new.id, computed.totals.total).await?;
    let paid = credited == computed.totals.total;
    tx.audit("invoiceIssue", new.id.0, Detail::of(&draft)).await?;
    announce(tx, new.id, payer, paid).await?;
    number(tx, &draft, &settings, credited).await?;
    queries::get(tx, new.id).await
}

/// Whether the payer's credit in hand would settle it whole. Nothing is written, and no number taken.
pub async fn covered_by_credit(tx: &TenantTx, new: &NewInvoice) -> Result<bool> {
    let (subscriber, payer) = lock_payer(tx, new.subscriber_id).await?;
    let settings = setup::settings(tx).await?.settings;
    let (_, computed) = compute(tx, new, &subscriber, &settings).await?;
    Ok(ledger::credit_in_hand(tx, payer).await?.amount() >= computed.totals.total.amount())
}

/// What is known of the invoice once it is computed.
struct Draft<'a> {
    id: InvoiceId,
    payer: SubscriberId,
    due_on: NaiveDate,
    registration: Option<&'a TaxRegistration>,
    totals: &'a InvoiceTotals,
}

#[derive(Serialize)]
struct Detail {
    subscriber_id: SubscriberId,
    total: Money,
    due_on: NaiveDate,
}

impl Detail {
    fn of(draft: &Draft<'_>) -> Self {
        Self {
            subscriber_id: draft.payer,
            total: draft.totals.total,
            due_on: draft.due_on,
        }
    }
}

/// The subscriber, and the one who pays for it, locked.
async fn lock_payer(tx: &TenantTx, id: SubscriberId) -> Result<(Subscriber, SubscriberId)> {
    let missing = || Error::not_found("subscriberId");
    let subscriber = subscribers::get(tx, id).await?;
    let payer = subscribers::lock(tx, subscriber.payer()).await?.ok_or_else(missing)?;
    if payer.id == id && payer.bill_to_id.is_some() {
        // It was given a payer between the two statements.
        let later = subscribers::lock(tx, payer.payer()).await?.ok_or_else(missing)?;
        return Ok((payer, later.id));
    }
    Ok((subscriber, payer.id))
}

async fn compute(
    tx: &TenantTx,
    new: &NewInvoice,
    subscriber: &Subscriber,
    settings: &super::rules::BillingSettings,
) -> Result<(Option<TaxRegistration>, ComputedInvoice)> {
    let rules = setup::tax_rules(tx).await?;
    let places = places(tx, new, subscriber).await?;
    let registration = registration(tx, &rules, &places).await?;
    let under = registration.as_ref().map(TaxRegistration::for_rules);
    let mut drafts = Vec::with_capacity(new.lines.len());
    for (position, (line, place)) in new.lines.iter().zip(places).enumerate() {
        let treatment = line.treatment(tx, &rules, place, under.clone(), position)?;
        drafts.push(line.draft(tx, treatment)?);
    }
    let policy = settings.invoice_policy(tx.tenant().currency());
    let computed = compute_invoice(drafts, &policy).map_err(|e| match e {
        LineError::Money(MoneyError::OutOfRange) => Error::invalid("lines", "The invoice comes to more than any can."),
        other => Error::internal(other),
    })?;
    Ok((registration, computed))
}

/// Where each line is supplied: where its service is installed, else where the subscriber it is for lives.
async fn places(tx: &TenantTx, new: &NewInvoice, subscriber: &Subscriber) -> Result<Vec<Place>> {
    let mut homes: HashMap<SubscriberId, Place> = HashMap::new();
    homes.insert(subscriber.id, place(tx, subscriber.address.as_ref()));
    let mut places = Vec::with_capacity(new.lines.len());
    for line in &new.lines {
        if let Some(installed) = line.installation() {
            places.push(place(tx, Some(installed)));
            continue;
        }
        let whose = line.subscriber().unwrap_or(subscriber.id);
        let home = match homes.get(&whose) {
            Some(home) => home.clone(),
            None => {
                let other = subscribers::get(tx, whose).await?;
                place(tx, other.address.as_ref())
            }
        };
        homes.insert(whose, home.clone());
        places.push(home);
    }
    Ok(places)
}

/// An invoice is issued under one registration: that of its first line's place.
async fn registration(tx: &TenantTx, rules: &TaxRuleSet, places: &[Place]) -> Result<Option<TaxRegistration>> {
    let known = registrations::all(tx).await?;
    let first = places.first();
    Ok(first
        .and_then(|place| registrations::for_place(&known, rules, place))
        .cloned())
}

async fn insert_invoice(tx: &TenantTx, draft: &Draft<'_>) -> Result<()> {
    let totals = draft.totals;
    tx.sql(
        "INSERT INTO invoice (id, status, subscriber_id, registration_id, issued_on, due_on, currency, subtotal, discount,
             tax_total, rounding, total, created_at)
         VALUES ($1, 'DRAFT', $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
    )
    .bind(draft.id)
    .bind(draft.payer)
    .bind(draft.registration.map(|r| r.id))
    .bind(tx.today())
    .bind(draft.due_on)
    .bind(totals.total.currency().code())
    .bind(totals.subtotal.amount())
    .bind(totals.discount.amount())
    .bind(totals.tax_total.amount())
    .bind(totals.rounding.amount())
    .bind(totals.total.amount())
    .bind(tx.now())
    .run()
    .await?;
    Ok(())
}

#[derive(Serialize)]
struct LineRow {
    id: InvoiceLineId,
    position: usize,
    kind: InvoiceLineKind,
    description: String,
    subscriber_id: SubscriberId,
    service_id: Option<ServiceId>,
    plan_id: Option<PlanId>,
    quantity: Decimal,
    unit_price: Decimal,
    discount: Decimal,
    amount: Decimal,
    tax_code: String,
    period_starts_at: Option<DateTime<Utc>>,
    period_ends_at: Option<DateTime<Utc>>,
    explanation: serde_json::Value,
}

#[derive(Serialize)]
struct TaxRow<'a> {
    line_id: InvoiceLineId,
    position: usize,
    name: &'a str,
    rate: Decimal,
    base: Decimal,
    amount: Decimal,
}

#[derive(Serialize)]
struct CoverageRow {
    id: uuid::Uuid,
    service_id: ServiceId,
    charge: String,
    starts_at: DateTime<Utc>,
    ends_at: DateTime<Utc>,
    invoice_line_id: InvoiceLineId,
}

async fn insert_lines(tx: &TenantTx, new: &NewInvoice, computed: &ComputedInvoice) -> Result<()> {
    let zone = tx.tenant().timezone();
    let (mut lines, mut taxes, mut coverage) = (Vec::new(), Vec::new(), Vec::new());
    for (position, (line, amounts)) in new.lines.iter().zip(&computed.lines).enumerate() {
        let row = line_row(line, amounts, position, new.subscriber_id, zone)?;
        let of_line = amounts.taxes.iter().enumerate().map(|(position, tax)| TaxRow {
            line_id: row.id,
            position,
            name: &tax.name,
            rate: tax.rate,
            base: tax.base.amount(),
            amount: tax.amount.amount(),
        });
        taxes.extend(of_line);
        if let (Some(service_id), Some(period)) = (row.service_id, line.period()) {
            coverage.push(CoverageRow {
                id: uuid::Uuid::now_v7(),
                service_id,
                charge: line.covered_as(row.id),
                starts_at: period.start(),
                ends_at: period.end(),
                invoice_line_id: row.id,
            });
        }
        lines.push(row);
    }
    write_lines(tx, new.id, &lines).await?;
    write_taxes(tx, new.id, &taxes).await?;
    write_coverage(tx, &coverage).await
}

fn line_row(line: &NewLine, amounts: &ComputedLine, position: usize, subscriber: SubscriberId, zone: Tz) -> Result<LineRow> {
    Ok(LineRow {
        id: InvoiceLineId::new(),
        position,
        kind: line.kind(),
        description: line.description(zone),
        subscriber_id: line.subscriber().unwrap_or(subscriber),
        service_id: line.service(),
        plan_id: line.plan(),
        quantity: amounts.quantity,
        unit_price: amounts.unit_price,
        discount: amounts.discount.amount(),
        amount: amounts.amount.amount(),
        tax_code: amounts.explanation.line.treatment.code.clone(),
        period_starts_at: line.period().map(|p| p.start()),
        period_ends_at: line.period().map(|p| p.end()),
        explanation: serde_json::to_value(&amounts.explanation)?,
    })
}

async fn write_lines(tx: &TenantTx, invoice: InvoiceId, rows: &[LineRow]) -> Result<()> {
    tx.sql(
        "INSERT INTO invoice_line (id, invoice_id, position, kind, description, subscriber_id, service_id, plan_id, quantity,
             unit_price, discount, amount, tax_code, period_starts_at, period_ends_at, explanation)
         SELECT r.id, $1, r.position, r.kind, r.description, r.subscriber_id, r.service_id, r.plan_id, r.quantity,
             r.unit_price, r.discount, r.amount, r.tax_code, r.period_starts_at, r.period_ends_at, r.explanation
         FROM jsonb_to_recordset($2) AS r(id uuid, position integer, kind text, description text, subscriber_id uuid,
             service_id uuid, plan_id uuid, quantity numeric, unit_price numeric, discount numeric, amount numeric,
             tax_code text, period_starts_at timestamptz, period_ends_at timestamptz, explanation jsonb)",
    )
    .bind(invoice)
    .bind(serde_json::to_value(rows)?)
    .run()
    .await?;
    Ok(())
}

async fn write_taxes(tx: &TenantTx, invoice: InvoiceId, rows: &[TaxRow<'_>]) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    tx.sql(
        "INSERT INTO invoice_tax (invoice_id, line_id, position, name, rate, base, amount)
         SELECT $1, r.line_id, r.position, r.name, r.rate, r.base, r.amount
         FROM jsonb_to_recordset($2) AS r(line_id uuid, position integer, name text, rate numeric, base numeric, amount numeric)",
    )
    .bind(invoice)
    .bind(serde_json::to_value(rows)?)
    .run()
    .await?;
    Ok(())
}

async fn write_coverage(tx: &TenantTx, rows: &[CoverageRow]) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let written = tx
        .sql(
            "INSERT INTO coverage (id, service_id, charge, period, invoice_line_id)
             SELECT r.id, r.service_id, r.charge, tstzrange(r.starts_at, r.ends_at, '[)'), r.invoice_line_id
             FROM jsonb_to_recordset($1) AS r(id uuid, service_id uuid, charge text, starts_at timestamptz,
                 ends_at timestamptz, invoice_line_id uuid)",
        )
        .bind(serde_json::to_value(rows)?)
        .run()
        .await;
    match written {
        // Exclusion violation: the time is covered.
        Err(e) if e.sqlstate() == Some("23P01") => Err(Error::user(
            ErrorCode::Conflict,
            "",
            "The service has been invoiced for some of this time already.",
        )),
        other => other.map(|_| ()),
    }
}

/// Debits the payer with what it owes, and credits whose it is.
async fn book(tx: &TenantTx, draft: &Draft<'_>) -> Result<()> {
    let totals = draft.totals;
    let owed = Account::Receivable(draft.payer);
    let mut transfers = vec![Transfer::new(owed.clone(), Account::Revenue, totals.subtotal)];
    let taxes = (totals.taxes.iter()).map(|tax| Transfer::new(owed.clone(), Account::TaxPayable(tax.name.clone()), tax.amount));
    transfers.extend(taxes);
    transfers.push(Transfer::new(owed, Account::Rounding, totals.rounding));
    let entry = Entry {
        kind: "invoice",
        source: draft.id.0,
        booked_on: tx.today(),
        description: "Invoice".to_owned(),
        transfers,
    };
    ledger::post(tx, entry).await?;
    Ok(())
}

async fn announce(tx: &TenantTx, invoice_id: InvoiceId, subscriber_id: SubscriberId, paid: bool) -> Result<()> {
    tx.emit(&InvoiceIssued {
        invoice_id,
        subscriber_id,
    })
    .await?;
    if paid {
        tx.emit(&InvoicePaid {
            invoice_id,
            subscriber_id,
        })
        .await?;
    }
    Ok(())
}

/// Gives the invoice its number and makes it count. Last, for the series is locked from here on.
async fn number(tx: &TenantTx, draft: &Draft<'_>, settings: &super::rules::BillingSettings, credited: Money) -> Result<()> {
    let short_code = draft.registration.map(|r| r.short_code.as_str());
    let pattern = &settings.invoice_number_pattern;
    let number = numbers::next(tx, numbers::INVOICES, pattern, settings, tx.today(), short_code).await?;
    tx.sql(
        "UPDATE invoice SET number = $2, amount_credited = $3,
             status = CASE WHEN total = $3 THEN 'PAID' WHEN $3 > 0 THEN 'PARTIALLY_PAID' ELSE 'ISSUED' END
         WHERE id = $1",
    )
    .bind(draft.id)
    .bind(number)
    .bind(credited.amount())
    .run()
    .await?;
    Ok(())
}
