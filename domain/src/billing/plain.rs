//! Invoices that are no tax invoices: over one line, untaxed, of a kind and a series of their own.

use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde_json::Value;

use super::entity::{InvoiceKind, InvoiceLineKind};
use super::events::InvoiceIssued;
use super::{numbers, parties, registrations, setup};
use crate::kernel::db::TenantTx;
use crate::kernel::error::Result;
use crate::kernel::ids::{InvoiceId, InvoiceLineId, ServiceId, SubscriberId};
use crate::subscribers;

/// What is asked for without tax, such as a deposit. Booking it is the caller's.
pub struct PlainInvoice {
    pub id: InvoiceId,
    pub kind: InvoiceKind,
    /// Who pays it.
    pub payer: SubscriberId,
    /// Whom it is for.
    pub subscriber: SubscriberId,
    pub service: Option<ServiceId>,
    pub issued_on: NaiveDate,
    /// None: as many days from today as the settings say.
    pub due_on: Option<NaiveDate>,
    pub line: InvoiceLineKind,
    pub description: String,
    pub amount: Decimal,
    pub explanation: Value,
}

/// Writes it down with its number. The payer is locked.
pub async fn issue_plain(tx: &TenantTx, new: &PlainInvoice) -> Result<()> {
    let due_on = match new.due_on {
        Some(day) => day,
        None => setup::due_by_default(tx, &setup::settings(tx).await?.settings)?,
    };
    let payer = subscribers::get(tx, new.payer).await?;
    let under = registrations::of_subscriber(tx, &payer).await?;
    let (seller, buyer) = parties::of_today(tx, under.as_ref(), &payer, &[new.subscriber]).await?;
    let number = numbers::next_plain(tx, new.kind).await?;
    tx.sql(
        "INSERT INTO invoice (id, kind, is_deposit, number, status, subscriber_id, issued_on, due_on, currency, subtotal, discount,
             tax_total, rounding, total, created_at, seller_id, buyer)
         VALUES ($1, CASE WHEN $2 = 'DEPOSIT' THEN 'INVOICE' ELSE $2 END, $2 = 'DEPOSIT', $3, 'ISSUED', $4, $5, $6, $7, $8, 0, 0, 0,
             $8, $9, $10, $11)",
    )
    .bind(new.id)
    .bind(new.kind)
    .bind(number)
    .bind(new.payer)
    .bind(new.issued_on)
    .bind(due_on)
    .bind(tx.tenant().currency().code())
    .bind(new.amount)
    .bind(tx.now())
    .bind(seller)
    .bind(buyer)
    .run()
    .await?;
    tx.sql(
        "INSERT INTO invoice_line (id, invoice_id, position, kind, description, subscriber_id, service_id, quantity, unit_price,
             discount, amount, explanation)
         VALUES ($1, $2, 0, $3, $4, $5, $6, 1, $7, 0, $7, $8)",
    )
    .bind(InvoiceLineId::new())
    .bind(new.id)
    .bind(new.line)
    .bind(new.description.as_str())
    .bind(new.subscriber)
    .bind(new.service)
    .bind(new.amount)
    .bind(new.explanation.clone())
    .run()
    .await?;
    tx.emit(&InvoiceIssued {
        invoice_id: new.id,
        subscriber_id: new.payer,
    })
    .await
}
