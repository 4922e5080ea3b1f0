use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use serde::Serialize;
use uuid::Uuid;

use super::entity::{Payment, PaymentMethod, PaymentStatus};
use super::events::PaymentRecorded;
use super::{queries, rules};
use crate::billing;
use crate::billing::rules::{Allocated, AllocationError, OpenInvoice, allocate};
use crate::kernel::Permission;
use crate::kernel::check::Checks;
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, ErrorCode, Result};
use crate::kernel::ids::{InvoiceId, PaymentId, SubscriberId};
use crate::kernel::money::Money;
use crate::ledger::{self, Entry};
use crate::subscribers;

#[derive(Clone, Debug, Serialize)]
pub struct RecordPayment {
    /// Who paid. Its own invoices are settled, and a surplus is its own credit.
    pub subscriber_id: SubscriberId,
    pub amount: Decimal,
    pub method: PaymentMethod,
    pub reference: Option<String>,
    /// None: now.
    pub received_at: Option<DateTime<Utc>>,
    /// Settled in this order, and no others; empty: the oldest due first.
    pub invoice_ids: Vec<InvoiceId>,
    #[serde(skip)]
    pub key: Option<Uuid>,
}

/// Records money that was received, settles invoices with it, books it and writes its receipt. What no invoice takes is the
/// subscriber's credit.
pub async fn record(tx: &TenantTx, mut cmd: RecordPayment) -> Result<Payment> {
    tx.require(Permission::PaymentWrite)?;
    let amount = check(tx, &mut cmd)?;
    let id = PaymentId::new();
    if let Some(known) = tx.claim_key("paymentRecord", cmd.key, &cmd, id.0).await? {
        return queries::get(tx, PaymentId(known)).await;
    }
    ledger::require_open(tx, booked_on(tx, &cmd), "receivedAt").await?;
    let subscriber = subscribers::lock(tx, cmd.subscriber_id)
        .await?
        .ok_or_else(|| Error::not_found("subscriberId"))?;
    let not_reached = billing::reclaim_for_payment(tx, subscriber.id, &cmd.invoice_ids, amount).await?;
    let open = billing::open_invoices(tx, subscriber.id).await?;
    check_named(tx, &cmd, &open, &not_reached).await?;
    let reached = cmd.invoice_ids.iter().filter(|id| !not_reached.contains(id));
    let reached: Vec<InvoiceId> = reached.copied().collect();
    let parts = allocate(amount, &open, &reached).map_err(refusal)?;
    insert(tx, id, &cmd, &parts).await?;
    billing::apply_payment(tx, &parts.allocations).await?;
    book(tx, id, &cmd, amount, &parts).await?;
    tx.audit("paymentRecord", id.0, &cmd).await?;
    tx.emit(&PaymentRecorded {
        payment_id: id,
        subscriber_id: subscriber.id,
    })
    .await?;
    let first = parts.allocations.first().map(|(invoice, _)| *invoice);
    billing::issue_receipt(tx, id, first, &subscriber).await?;
    queries::get(tx, id).await
}

/// Everything that can be seen without looking into the database; amount and reference are brought into one shape, so that
/// an idempotency key does not care how they were written.
fn check(tx: &TenantTx, cmd: &mut RecordPayment) -> Result<Money> {
    let mut checks = Checks::new();
    let amount = rules::amount(cmd.amount, tx.tenant().currency(), &mut checks);
    cmd.reference = checks.optional_line(cmd.reference.as_deref(), 100, "reference");
    rules::received_at(cmd.received_at, tx.now(), &mut checks);
    if cmd.invoice_ids.len() > rules::MAX_INVOICES {
        let message = format!("Must be at most {}.", rules::MAX_INVOICES);
        checks.ensure(false, "invoiceIds", &message);
    } else {
        for (n, id) in cmd.invoice_ids.iter().enumerate() {
            let first = !cmd.invoice_ids[..n].contains(id);
            checks.ensure(first, &format!("invoiceIds.{n}"), "Is named twice.");
        }
    }
    checks.done()?;
    let amount = amount.ok_or_else(|| Error::internal("an amount was neither accepted nor refused"))?;
    cmd.amount = amount.amount();
    Ok(amount)
}

/// The invoices that the caller names must be open ones of this subscriber.
async fn check_named(
    tx: &TenantTx,
    cmd: &RecordPayment,
    open: &[OpenInvoice<InvoiceId>],
    not_reached: &[InvoiceId],
) -> Result<()> {
    let is_open = |id: &InvoiceId| open.iter().any(|o| o.id == *id) || not_reached.contains(id);
    if cmd.invoice_ids.iter().all(is_open) {
        return Ok(());
    }
    let known = billing::by_ids(tx, &cmd.invoice_ids).await?;
    let mut checks = Checks::new();
    for (n, id) in cmd.invoice_ids.iter().enumerate().filter(|(_, id)| !is_open(id)) {
        let own = known.iter().any(|i| i.id == *id && i.subscriber_id == cmd.subscriber_id);
        let (code, message) = if own {
            (ErrorCode::InvalidState, "Nothing is due on this invoice.")
        } else {
            (ErrorCode::NotFound, "This subscriber has no such invoice.")
        };
        checks.add(code, &format!("invoiceIds.{n}"), message);
    }
    checks.done()
}

fn refusal(e: AllocationError<InvoiceId>) -> Error {
    Error::internal(e.to_string())
}

async fn insert(tx: &TenantTx, id: PaymentId, cmd: &RecordPayment, parts: &Allocated<InvoiceId>) -> Result<()> {
    let inserted = tx
        .sql(
            "INSERT INTO payment (id, subscriber_id, amount, currency, method, status, reference, received_at, unallocated,
                 created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
             ON CONFLICT (upper(reference)) WHERE method IN ('MOBILE_MONEY', 'UPI', 'CARD') DO NOTHING",
        )
        .bind(id)
        .bind(cmd.subscriber_id)
        .bind(cmd.amount)
        .bind(tx.tenant().currency().code())
        .bind(cmd.method)
        .bind(PaymentStatus::Succeeded)
        .bind(cmd.reference.clone())
        .bind(cmd.received_at.unwrap_or_else(|| tx.now()))
        .bind(parts.unallocated.amount())
        .bind(tx.now())
        .run()
        .await?;
    if inserted == 0 {
        return Err(Error::user(
            ErrorCode::Taken,
            "reference",
            "Another payment has this reference.",
        ));
    }
    if parts.allocations.is_empty() {
        return Ok(());
    }
    tx.sql(
        "INSERT INTO payment_allocation (payment_id, invoice_id, amount, position)
         SELECT $1, invoice_id, amount, position
         FROM unnest($2::uuid[], $3::numeric[]) WITH ORDINALITY AS a(invoice_id, amount, position)",
    )
    .bind(id)
    .bind(parts.allocations.iter().map(|(invoice, _)| invoice.0).collect::<Vec<_>>())
    .bind(parts.allocations.iter().map(|(_, part)| part.amount()).collect::<Vec<_>>())
    .run()
    .await?;
    Ok(())
}

async fn book(tx: &TenantTx, id: PaymentId, cmd: &RecordPayment, amount: Money, parts: &Allocated<InvoiceId>) -> Result<()> {
    let allocated = amount.checked_sub(parts.unallocated).map_err(Error::internal)?;
    let entry = Entry {
        kind: "payment",
        source: id.0,
        booked_on: booked_on(tx, cmd),
        description: format!("Payment, {}", cmd.method),
        transfers: rules::booking(cmd.subscriber_id, cmd.method, allocated, parts.unallocated),
    };
    ledger::post(tx, entry).await?;
    Ok(())
}

/// The day on which the money came, on the ISP's calendar.
fn booked_on(tx: &TenantTx, cmd: &RecordPayment) -> NaiveDate {
    let received_at = cmd.received_at.unwrap_or_else(|| tx.now());
    received_at.with_timezone(&tx.tenant().timezone()).date_naive()
}
