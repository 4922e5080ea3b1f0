use std::collections::HashMap;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::Serialize;

use super::creditable::{Creditable, CreditableLine};
use super::entity::CreditNote;
use super::queries;
use crate::billing::events::{CreditNoteIssued, InvoicePaid};
use crate::billing::payment::status;
use crate::billing::rules::{CreditError, CreditedLine, LineAmounts, LineCredit, TaxAmount, TaxPool, aggregate, credit_line};
use crate::billing::{TaxRegistration, numbers, parties, registrations, setup, write_off};
use crate::kernel::calendar::Period;
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, Result};
use crate::kernel::ids::{CreditNoteId, InvoiceLineId};
use crate::kernel::money::Money;
use crate::ledger::{self, Account, Entry, Transfer};
use crate::subscribers;

/// A credit note to be issued today.
pub(super) struct NewCreditNote {
    pub id: CreditNoteId,
    pub reason: String,
    pub parts: Vec<CreditedPart>,
}

/// What is credited of one line.
#[derive(Clone)]
pub(super) struct CreditedPart {
    pub line: InvoiceLineId,
    pub credit: LineCredit,
    /// For people.
    pub description: String,
    /// The time that is not charged any more.
    pub period: Option<Period>,
}

impl CreditedPart {
    /// Money of a line.
    pub fn of(line: &CreditableLine, credit: LineCredit) -> Self {
        Self {
            line: line.line.id,
            credit,
            description: line.line.description.clone(),
            period: None,
        }
    }
}

/// Issues a credit note on an invoice that is locked: computes it, lowers what is due, books it and numbers it. What the
/// invoice does not owe any more is the payer's credit in hand. None when it would come to nothing.
///
/// It needs no permission of its own: the use case that issues has asked for one.
pub(super) async fn issue(tx: &TenantTx, of: &Creditable, new: NewCreditNote) -> Result<Option<CreditNote>> {
    let (lines, totals) = compute(of, &new)?;
    if !totals.total.is_positive() {
        return Ok(None);
    }
    let e = Error::internal;
    let due = of.invoice.money(of.invoice.amount_due)?;
    // What was given up is nobody's credit: it is owed again first.
    let beyond = totals.total.checked_sub(totals.total.at_most(due).map_err(e)?).map_err(e)?;
    let reclaimed = write_off::reclaim(tx, &of.invoice, beyond, "Credited").await?;
    let due = due.checked_add(reclaimed).map_err(Error::internal)?;
    let applied = totals.total.at_most(due).map_err(Error::internal)?;
    lower(tx, of, &totals, applied).await?;
    let settled = due.is_positive() && applied == due;
    book(tx, of, &new, &totals, applied).await?;
    announce(tx, of, new.id, settled).await?;
    let detail = serde_json::json!({ "invoiceId": of.invoice.id, "total": totals.total, "reason": new.reason });
    tx.audit("creditNoteIssue", new.id.0, detail).await?;
    write(tx, of, &new, &lines, &totals, applied).await?;
    queries::get(tx, new.id).await.map(Some)
}

struct Totals {
    subtotal: Money,
    taxes: Vec<TaxAmount>,
    tax_total: Money,
    rounding: Money,
    total: Money,
}

fn compute(of: &Creditable, new: &NewCreditNote) -> Result<(Vec<CreditedLine>, Totals)> {
    let level = of.lines.first().map(|l| l.of.tax_level);
    let level = level.ok_or_else(|| Error::internal(format!("{} has no lines", of.invoice.id)))?;
    let mut pool = TaxPool::new(level);
    let mut left: HashMap<InvoiceLineId, LineAmounts> = of.lines.iter().map(|l| (l.line.id, l.left.clone())).collect();
    let mut lines = Vec::with_capacity(new.parts.len());
    for part in &new.parts {
        let line = of
            .line(part.line)
            .ok_or_else(|| Error::internal("a line of another invoice"))?;
        let Some(of_line) = left.get_mut(&part.line) else { continue };
        let credited =
            credit_line(line.of.clone(), of_line.clone(), part.credit.clone(), &mut pool).map_err(|e| refusal(e, ""))?;
        *of_line = of_line.less(&credited.amounts).map_err(Error::internal)?;
        lines.push(credited);
    }
    let last = left.values().all(LineAmounts::is_nothing);
    let totals = totals(of, &lines, last)?;
    Ok((lines, totals))
}

/// The last credit note takes the rounding of the invoice's total as well; none takes more than is left.
fn totals(of: &Creditable, lines: &[CreditedLine], last: bool) -> Result<Totals> {
    let currency = of.noted.currency();
    let e = Error::internal;
    let subtotal = Money::sum(lines.iter().map(|l| l.amounts.amount), currency).map_err(e)?;
    let taxes = aggregate(lines.iter().flat_map(|l| &l.amounts.taxes)).map_err(e)?;
    let tax_total = Money::sum(taxes.iter().map(|t| t.amount), currency).map_err(e)?;
    let sum = lines
        .iter()
        .map(|l| l.amounts.total())
        .collect::<Result<Vec<_>, _>>()
        .map_err(e)?;
    let sum = Money::sum(sum, currency).map_err(e)?;
    let total = if last {
        of.left()?
    } else {
        sum.at_most(of.left()?).map_err(e)?
    };
    let rounding = total.checked_sub(subtotal.checked_add(tax_total).map_err(e)?).map_err(e)?;
    Ok(Totals {
        subtotal,
        taxes,
        tax_total,
        rounding,
        total,
    })
}

/// Lowers what is due.
async fn lower(tx: &TenantTx, of: &Creditable, totals: &Totals, applied: Money) -> Result<()> {
    tx.sql(concat!(
        "UPDATE invoice i SET amount_credited = i.amount_credited + $2, credit_noted = i.credit_noted + $3, status = ",
        status!("i.amount_paid", "i.amount_credited + $2", "i.credit_noted + $3"),
        " WHERE i.id = $1"
    ))
    .bind(of.invoice.id)
    .bind(applied.amount())
    .bind(totals.total.amount())
    .run()
    .await?;
    Ok(())
}

/// Takes back revenue, taxes and rounding from the payer's account; what that did not owe is credit in hand.
async fn book(tx: &TenantTx, of: &Creditable, new: &NewCreditNote, totals: &Totals, applied: Money) -> Result<()> {
    let payer = of.invoice.subscriber_id;
    let owed = Account::Receivable(payer);
    let mut transfers = vec![Transfer::new(Account::Revenue, owed.clone(), totals.subtotal)];
    let taxes = (totals.taxes.iter()).map(|tax| Transfer::new(Account::TaxPayable(tax.name.clone()), owed.clone(), tax.amount));
    transfers.extend(taxes);
    transfers.push(Transfer::new(Account::Rounding, owed.clone(), totals.rounding));
    let rest = totals.total.checked_sub(applied).map_err(Error::internal)?;
    transfers.push(Transfer::new(owed, Account::SubscriberCredit(payer), rest));
    let entry = Entry {
        kind: "credit-note",
        source: new.id.0,
        booked_on: tx.today(),
        description: "Credit note".to_owned(),
        transfers,
    };
    ledger::post(tx, entry).await?;
    Ok(())
}

async fn announce(tx: &TenantTx, of: &Creditable, id: CreditNoteId, settled: bool) -> Result<()> {
    let (invoice_id, subscriber_id) = (of.invoice.id, of.invoice.subscriber_id);
    tx.emit(&CreditNoteIssued {
        credit_note_id: id,
        invoice_id,
        subscriber_id,
    })
    .await?;
    if settled {
        tx.emit(&InvoicePaid {
            invoice_id,
            subscriber_id,
        })
        .await?;
    }
    Ok(())
}

#[derive(Serialize)]
struct LineRow {
    id: InvoiceLineId,
    invoice_line_id: InvoiceLineId,
    position: usize,
    description: String,
    amount: Decimal,
    residual: Decimal,
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

/// Numbers the note and writes it down. Last, for the series is locked from here on.
async fn write(
    tx: &TenantTx,
    of: &Creditable,
    new: &NewCreditNote,
    lines: &[CreditedLine],
    totals: &Totals,
    applied: Money,
) -> Result<()> {
    let known = registrations::all(tx).await?;
    let under = known.iter().find(|r| Some(r.id) == of.invoice.registration_id);
    let payer = subscribers::get(tx, of.invoice.subscriber_id).await?;
    let lines_for: Vec<_> = of.lines.iter().map(|line| line.line.subscriber_id).collect();
    let (seller, buyer) = parties::of_today(tx, under, &payer, &lines_for).await?;
    let number = number(tx, under).await?;
    tx.sql(
        "INSERT INTO credit_note (id, number, invoice_id, subscriber_id, registration_id, reason, issued_on, currency, subtotal,
             tax_total, rounding, total, applied, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
    )
    .bind(new.id)
    .bind(number)
    .bind(of.invoice.id)
    .bind(of.invoice.subscriber_id)
    .bind(of.invoice.registration_id)
    .bind(new.reason.as_str())
    .bind(tx.today())
    .bind(of.invoice.currency.as_str())
    .bind(totals.subtotal.amount())
    .bind(totals.tax_total.amount())
    .bind(totals.rounding.amount())
    .bind(totals.total.amount())
    .bind(applied.amount())
    .bind(tx.now())
    .run()
    .await?;
    tx.sql("INSERT INTO credit_note_party (credit_note_id, seller_id, buyer) VALUES ($1, $2, $3)")
        .bind(new.id)
        .bind(seller)
        .bind(buyer)
        .run()
        .await?;
    write_lines(tx, new, lines).await
}

async fn number(tx: &TenantTx, under: Option<&TaxRegistration>) -> Result<String> {
    let settings = setup::settings(tx).await?.settings;
    let short_code = under.map(|r| r.short_code.as_str());
    let pattern = &settings.credit_note_number_pattern;
    numbers::next(tx, numbers::CREDIT_NOTES, pattern, &settings, tx.today(), short_code).await
}

async fn write_lines(tx: &TenantTx, new: &NewCreditNote, lines: &[CreditedLine]) -> Result<()> {
    let (mut rows, mut taxes) = (Vec::new(), Vec::new());
    for (position, (part, line)) in new.parts.iter().zip(lines).enumerate() {
        let id = InvoiceLineId::new();
        rows.push(LineRow {
            id,
            invoice_line_id: part.line,
            position,
            description: part.description.clone(),
            amount: line.amounts.amount.amount(),
            residual: line.amounts.residual.amount(),
            period_starts_at: part.period.map(Period::start),
            period_ends_at: part.period.map(Period::end),
            explanation: serde_json::to_value(&line.explanation)?,
        });
        taxes.extend(line.amounts.taxes.iter().enumerate().map(|(position, tax)| TaxRow {
            line_id: id,
            position,
            name: &tax.name,
            rate: tax.rate,
            base: tax.base.amount(),
            amount: tax.amount.amount(),
        }));
    }
    tx.sql(
        "INSERT INTO credit_note_line (id, credit_note_id, invoice_line_id, position, description, amount, residual,
             period_starts_at, period_ends_at, explanation)
         SELECT r.id, $1, r.invoice_line_id, r.position, r.description, r.amount, r.residual, r.period_starts_at,
             r.period_ends_at, r.explanation
         FROM jsonb_to_recordset($2) AS r(id uuid, invoice_line_id uuid, position integer, description text, amount numeric,
             residual numeric, period_starts_at timestamptz, period_ends_at timestamptz, explanation jsonb)",
    )
    .bind(new.id)
    .bind(serde_json::to_value(&rows)?)
    .run()
    .await?;
    tx.sql(
        "INSERT INTO credit_note_tax (line_id, position, name, rate, base, amount)
         SELECT r.line_id, r.position, r.name, r.rate, r.base, r.amount
         FROM jsonb_to_recordset($1) AS r(line_id uuid, position integer, name text, rate numeric, base numeric, amount numeric)",
    )
    .bind(serde_json::to_value(&taxes)?)
    .run()
    .await?;
    Ok(())
}

pub(super) fn refusal(e: CreditError, field: &str) -> Error {
    match e {
        CreditError::MoreThanLeft { left } => {
            Error::invalid(field, format!("Only {} is left to credit, tax excluded.", left.amount()))
        }
        CreditError::NotPositive => Error::invalid(field, "Must be more than 0."),
        CreditError::TaxedDifferently => Error::invalid(
            field,
            "The invoice's lines are taxed in different ways; say how much of which line.",
        ),
        CreditError::Line(_) | CreditError::Money(_) | CreditError::NoDays => Error::internal(e),
    }
}
