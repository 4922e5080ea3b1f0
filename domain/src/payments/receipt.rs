//! What stands on a receipt, and its PDF.

use chrono::NaiveDate;
use serde::Serialize;

use super::entity::{Payment, PaymentMethod, PaymentStatus};
use super::queries;
use crate::billing::pdf::{self, Buyer, Files, Printable, Seller, amount};
use crate::billing::{self, Receipt};
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, Result};
use crate::kernel::ids::PaymentId;
use crate::kernel::money::Currency;
use crate::kernel::text_enum;
use crate::subscribers;

text_enum! {
    /// Whether the money that a receipt is about stayed.
    ReceiptStatus { Valid, PartlyRefunded, Refunded, Reversed }
}

impl Payment {
    /// What became of the money since its receipt was written.
    pub fn receipt_status(&self) -> ReceiptStatus {
        match self.status {
            PaymentStatus::Reversed => ReceiptStatus::Reversed,
            _ if self.refunded.is_zero() => ReceiptStatus::Valid,
            _ if self.refunded < self.amount => ReceiptStatus::PartlyRefunded,
            _ => ReceiptStatus::Refunded,
        }
    }
}

/// `data.json` of a receipt.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Content {
    seller: Seller,
    buyer: Buyer,
    files: Files,
    receipt: Head,
    currency: Currency,
    amount: String,
    method: PaymentMethod,
    reference: Option<String>,
    received_on: NaiveDate,
    settled: Vec<Settled>,
    unallocated: String,
    reversed: Option<Reversed>,
    refunded: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    number: String,
    issued_on: NaiveDate,
}

/// What went to an invoice.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Settled {
    number: Option<String>,
    issued_on: Option<NaiveDate>,
    amount: String,
}

#[derive(Serialize)]
struct Reversed {
    on: NaiveDate,
    reason: String,
}

/// The receipt of a payment that the actor may see, ready to be typeset; none where there is none.
pub async fn receipt_printable(tx: &TenantTx, id: PaymentId) -> Result<Option<Printable>> {
    let Some(payment) = queries::find(tx, id).await? else {
        return Ok(None);
    };
    let Some(receipt) = billing::receipts_of(tx, &[id]).await?.pop() else {
        return Ok(None);
    };
    let name = receipt.number.clone();
    let content = content(tx, payment, receipt).await?;
    Printable::of(name, pdf::pack(tx)?.receipt(), &content).map(Some)
}

async fn content(tx: &TenantTx, payment: Payment, receipt: Receipt) -> Result<Content> {
    let subscriber = payment.subscriber_id;
    let subscriber = subscriber.ok_or_else(|| Error::internal("a receipt for nobody"))?;
    let currency: Currency = payment.currency.parse().map_err(Error::internal)?;
    let zone = tx.tenant().timezone();
    let on = |at: chrono::DateTime<chrono::Utc>| at.with_timezone(&zone).date_naive();
    Ok(Content {
        seller: pdf::seller(tx, receipt.registration_id).await?,
        buyer: pdf::buyer(subscribers::get(tx, subscriber).await?),
        files: Files::default(),
        settled: settled(tx, &payment, currency).await?,
        receipt: Head {
            number: receipt.number,
            issued_on: receipt.issued_on,
        },
        currency,
        amount: amount(payment.amount, currency)?,
        method: payment.method,
        received_on: on(payment.received_at),
        unallocated: amount(payment.unallocated, currency)?,
        refunded: amount(payment.refunded, currency)?,
        reversed: payment.reversed_at.map(|at| Reversed {
            on: on(at),
            reason: payment.reversal_reason.clone().unwrap_or_default(),
        }),
        reference: payment.reference,
    })
}

async fn settled(tx: &TenantTx, payment: &Payment, currency: Currency) -> Result<Vec<Settled>> {
    let parts = queries::allocations_unchecked(tx, &[payment.id]).await?;
    let mut settled = Vec::with_capacity(parts.len());
    for part in parts {
        let invoice = billing::get(tx, part.invoice_id).await?;
        settled.push(Settled {
            number: invoice.number,
            issued_on: invoice.issued_on,
            amount: amount(part.amount, currency)?,
        });
    }
    Ok(settled)
}
