//! Debit notes: what an invoice charged too little. Each adds to one invoice, is taxed as that one's lines were, at the rates
//! of their tax point (CGST Act s.34(3); VAT Act, Kenya, s.16), and has a number of its own series. It is owed like an invoice.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde::Serialize;
use uuid::Uuid;

use super::credit::Taken;
use super::entity::{Invoice, InvoiceKind, InvoiceLine, InvoiceLineKind, InvoiceStatus};
use super::events::DebitNoteIssued;
use super::issue::NewInvoice;
use super::issuing::{self, Adds, Draft};
use super::parties;
use super::rules::{self, BillingSettings, Charge, Explanation, InvoicePolicy, LineError, compute_invoice};
use super::{numbers, queries, registrations, setup, write};
use crate::kernel::Permission;
use crate::kernel::check::Checks;
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, ErrorCode, Result};
use crate::kernel::ids::{InvoiceId, InvoiceLineId};
use crate::kernel::money::{Currency, Money, MoneyError};
use crate::ledger;
use crate::subscribers;

/// A debit note that staff write by hand.
#[derive(Clone, Debug, Serialize)]
pub struct IssueDebitNote {
    pub invoice_id: InvoiceId,
    pub lines: Vec<DebitLine>,
    pub reason: String,
    /// None: as many days from today as the settings say.
    pub due_on: Option<NaiveDate>,
    pub idempotency_key: Uuid,
}

#[derive(Clone, Debug, Serialize)]
pub struct DebitLine {
    pub invoice_line_id: InvoiceLineId,
    /// What that line charged too little, tax excluded.
    pub amount: Decimal,
    /// None: the line's own.
    pub description: Option<String>,
}

const MAX_LINES: usize = 200;

/// Charges what an invoice charged too little. INVALID when debit notes would come to more than the invoice.
pub async fn debit_note_issue(tx: &TenantTx, mut cmd: IssueDebitNote) -> Result<Invoice> {
    tx.require(Permission::InvoiceWrite)?;
    check(tx, &mut cmd)?;
    let id = InvoiceId::new();
    let key = Some(cmd.idempotency_key);
    if let Some(known) = tx.claim_key("debitNoteIssue", key, &cmd, id.0).await? {
        return queries::get(tx, InvoiceId(known)).await;
    }
    let invoice = queries::lock(tx, cmd.invoice_id, "invoiceId").await?;
    check_invoice(tx, &invoice)?;
    let settings = setup::settings(tx).await?.settings;
    let draft = draft(tx, &cmd, id, &invoice, &settings).await?;
    add(tx, &invoice, draft.totals.total).await?;
    tx.audit("debitNoteIssue", id.0, &cmd).await?;
    tx.emit(&DebitNoteIssued {
        debit_note_id: id,
        invoice_id: invoice.id,
        subscriber_id: invoice.subscriber_id,
    })
    .await?;
    let pattern = &settings.debit_note_number_pattern;
    write::all(tx, &settings, (numbers::DEBIT_NOTES, pattern), &[draft]).await?;
    queries::get(tx, id).await
}

/// Everything that can be seen without looking into the database; texts and amounts are brought into one shape, so that an
/// idempotency key does not care how they were written.
fn check(tx: &TenantTx, cmd: &mut IssueDebitNote) -> Result<()> {
    let currency = tx.tenant().currency();
    let mut checks = Checks::new();
    cmd.reason = checks.line(&cmd.reason, 200, "reason");
    let due_in_time = cmd.due_on.is_none_or(|day| day >= tx.today());
    checks.ensure(due_in_time, "dueOn", "Must not be before today.");
    match cmd.lines.len() {
        0 => checks.add(ErrorCode::Required, "lines", "A debit note needs a line."),
        n => checks.ensure(n <= MAX_LINES, "lines", "A debit note has at most 200 lines."),
    }
    let mut seen = BTreeSet::new();
    for (n, line) in cmd.lines.iter_mut().take(MAX_LINES).enumerate() {
        let first = seen.insert(line.invoice_line_id);
        checks.ensure(first, &format!("lines.{n}.invoiceLineId"), "Is named twice.");
        let at = format!("lines.{n}.amount");
        match Money::new(line.amount, currency) {
            Ok(exact) => line.amount = exact.amount(),
            Err(_) => {
                let decimals = format!("Must have at most {} decimals.", currency.scale());
                checks.ensure(false, &at, &decimals);
            }
        }
        checks.ensure(line.amount > Decimal::ZERO, &at, "Must be more than 0.");
        let given = line.description.as_deref();
        line.description = checks.optional_line(given, 200, &format!("lines.{n}.description"));
    }
    checks.done()
}

fn check_invoice(tx: &TenantTx, invoice: &Invoice) -> Result<()> {
    let refuse = |why: &str| Err(Error::state("invoiceId", why));
    match invoice.kind {
        InvoiceKind::Invoice => {}
        InvoiceKind::DebitNote => return refuse("This is a debit note: add to the invoice that it refers to."),
        InvoiceKind::OpeningBalance | InvoiceKind::Deposit => {
            return refuse("This is no tax invoice: issue another one instead.");
        }
    }
    match invoice.status {
        InvoiceStatus::Draft => return refuse("It has not been issued."),
        InvoiceStatus::Void => return refuse("It is void: issue another invoice instead."),
        InvoiceStatus::WrittenOff => return refuse("It is written off: what nobody pays is not added to."),
        InvoiceStatus::Issued | InvoiceStatus::PartiallyPaid | InvoiceStatus::Paid | InvoiceStatus::Credited => {}
    }
    if invoice.currency != tx.tenant().currency().code() {
        return refuse("It is in another currency than this ISP's books are now.");
    }
    Ok(())
}

async fn draft(
    tx: &TenantTx,
    cmd: &IssueDebitNote,
    id: InvoiceId,
    invoice: &Invoice,
    settings: &BillingSettings,
) -> Result<Draft> {
    let currency = tx.tenant().currency();
    let lines = queries::lines_of(tx, &[invoice.id]).await?;
    let lines = named(cmd, &lines)?;
    let explained = (lines.iter()).map(|line| Ok(serde_json::from_value::<Explanation>(line.explanation.clone())?));
    let explained = explained.collect::<Result<Vec<_>>>()?;
    let policy = policy(&explained, settings, currency)?;
    let drafts = cmd.lines.iter().zip(explained);
    let drafts = drafts.map(|(asked, of)| as_charged(asked.amount, of, currency)).collect();
    let computed = compute_invoice(drafts, &policy).map_err(|e| match e {
        LineError::Money(MoneyError::OutOfRange) => Error::invalid("lines", "The debit note comes to more than any can."),
        other => Error::internal(other),
    })?;
    let known = registrations::all(tx).await?;
    check_series(settings, known.len())?;
    let total = computed.totals.total;
    let in_hand = ledger::credit_in_hand(tx, invoice.subscriber_id).await?;
    let due_on = match cmd.due_on {
        Some(day) => day,
        None => setup::due_by_default(tx, settings)?,
    };
    let lines_for: Vec<_> = lines.iter().map(|line| line.subscriber_id).collect();
    let buyer = parties::buyer(tx, &subscribers::get(tx, invoice.subscriber_id).await?, &lines_for).await?;
    let of_lines = cmd.lines.iter().zip(lines).zip(computed.lines);
    let lines = of_lines.map(|((asked, line), amounts)| {
        Ok(issuing::DraftLine {
            id: InvoiceLineId::new(),
            kind: InvoiceLineKind::Adjustment,
            description: asked.description.clone().unwrap_or_else(|| line.description.clone()),
            subscriber_id: line.subscriber_id,
            service_id: line.service_id,
            plan_id: line.plan_id,
            quantity: amounts.quantity,
            unit_price: amounts.unit_price,
            discount: amounts.discount.amount(),
            amount: amounts.amount.amount(),
            period: None,
            covered_as: String::new(),
            spread: None,
            explanation: serde_json::to_string(&amounts.explanation)?,
            tax_code: amounts.explanation.line.treatment.code,
            taxes: amounts.taxes,
        })
    });
    Ok(Draft {
        new: NewInvoice {
            id,
            subscriber_id: invoice.subscriber_id,
            due_on,
            lines: Vec::new(),
        },
        id,
        adds: Some(Adds {
            to: invoice.id,
            reason: cmd.reason.clone(),
        }),
        payer: invoice.subscriber_id,
        buyer: serde_json::to_string(&buyer)?,
        due_on,
        registration: known.into_iter().find(|r| Some(r.id) == invoice.registration_id),
        place: None,
        totals: computed.totals,
        taken: Taken::of(invoice.subscriber_id, in_hand, id, total)?,
        lines: lines.collect::<Result<_>>()?,
    })
}

/// The invoice's lines that the command names, in its order.
fn named<'l>(cmd: &IssueDebitNote, lines: &'l [InvoiceLine]) -> Result<Vec<&'l InvoiceLine>> {
    let mut checks = Checks::new();
    let mut named = Vec::with_capacity(cmd.lines.len());
    for (n, asked) in cmd.lines.iter().enumerate() {
        match lines.iter().find(|line| line.id == asked.invoice_line_id) {
            Some(line) => named.push(line),
            None => {
                let message = "The invoice has no such line.";
                checks.add(ErrorCode::NotFound, &format!("lines.{n}.invoiceLineId"), message);
            }
        }
    }
    checks.done()?;
    Ok(named)
}

/// Taxes are rounded as the invoice's were; its own total as totals are now.
fn policy(of: &[Explanation], settings: &BillingSettings, currency: Currency) -> Result<InvoicePolicy> {
    let first = of.first().ok_or_else(|| Error::internal("a debit note of no lines"))?;
    Ok(InvoicePolicy {
        tax_level: first.tax_level,
        rounding_mode: first.rounding_mode,
        ..settings.invoice_policy(currency)
    })
}

/// So much more of what the line charged.
fn as_charged(amount: Decimal, of: Explanation, currency: Currency) -> rules::DraftLine {
    rules::DraftLine {
        charge: Charge::Units {
            quantity: Decimal::ONE,
            unit_price: amount,
            currency,
        },
        inclusive: false,
        discount: None,
        treatment: of.line.treatment,
        zone: None,
        plan_version: None,
    }
}

/// Each registration numbers its own documents.
fn check_series(settings: &BillingSettings, registrations: usize) -> Result<()> {
    if registrations > 1 && !settings.debit_note_number_pattern.names_registration() {
        let message = "There is more than one tax registration: put {REG} into `debitNoteNumberPattern` first.";
        return Err(Error::state("", message));
    }
    Ok(())
}

/// Notes what is added to an invoice; never more than itself.
async fn add(tx: &TenantTx, invoice: &Invoice, total: Money) -> Result<()> {
    let left = invoice.money(invoice.total - invoice.debit_noted)?;
    if total.amount() > left.amount() {
        let message = format!(
            "With its taxes it comes to {}, and only {} can still be added: debit notes never exceed their invoice.",
            total.amount(),
            left.amount()
        );
        return Err(Error::invalid("lines", message));
    }
    tx.sql("UPDATE invoice SET debit_noted = debit_noted + $2 WHERE id = $1")
        .bind(invoice.id)
        .bind(total.amount())
        .run()
        .await?;
    Ok(())
}
