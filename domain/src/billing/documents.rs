//! Documents with all that is on them, as they stand in the transaction that made them.

use chrono::NaiveDate;
use uuid::Uuid;

use super::credit_notes;
use super::entity::{InvoiceLine, InvoiceTax};
use super::queries;
use crate::kernel::db::TenantTx;
use crate::kernel::error::Result;
use crate::kernel::ids::{CreditNoteId, InvoiceId, SubscriberId};
use crate::kernel::money::Money;

/// An invoice or a credit note. A credit note's amounts are positive.
#[derive(Clone, Debug)]
pub struct Document {
    pub is_credit: bool,
    /// Of an invoice.
    pub due_on: Option<NaiveDate>,
    pub lines: Vec<InvoiceLine>,
    pub taxes: Vec<InvoiceTax>,
    pub subtotal: Money,
    pub tax_total: Money,
    pub rounding: Money,
    pub total: Money,
    /// Of an invoice: what credit in hand leaves to be paid. Of a credit note: nothing.
    pub amount_due: Money,
}

/// An invoice with all that is on it. No permission of its own, as [`documents_since`].
pub(super) async fn invoice(tx: &TenantTx, id: InvoiceId) -> Result<Document> {
    let invoice = queries::get(tx, id).await?;
    Ok(Document {
        is_credit: false,
        due_on: invoice.due_on,
        lines: queries::lines_of(tx, &[id]).await?,
        taxes: queries::taxes_of(tx, &[id]).await?,
        subtotal: invoice.money(invoice.subtotal)?,
        tax_total: invoice.money(invoice.tax_total)?,
        rounding: invoice.money(invoice.rounding)?,
        total: invoice.money(invoice.total)?,
        amount_due: invoice.money(invoice.amount_due)?,
    })
}

/// What was made for a payer after that id: invoices, then credit notes. No permission of its own: for a use case that has
/// just made them.
pub async fn documents_since(tx: &TenantTx, payer: SubscriberId, since: Uuid) -> Result<Vec<Document>> {
    let mut all = Vec::new();
    let invoices: Vec<InvoiceId> = tx
        .sql("SELECT id FROM invoice WHERE subscriber_id = $1 AND id > $2 ORDER BY id")
        .bind(payer)
        .bind(since)
        .scalars()
        .await?;
    for id in invoices {
        all.push(invoice(tx, id).await?);
    }
    let notes: Vec<CreditNoteId> = tx
        .sql("SELECT id FROM credit_note WHERE subscriber_id = $1 AND id > $2 ORDER BY id")
        .bind(payer)
        .bind(since)
        .scalars()
        .await?;
    for id in notes {
        let note = credit_notes::get(tx, id).await?;
        let lines = credit_notes::lines_of(tx, &[id]).await?;
        let taxes = credit_notes::taxes_of(tx, &[id]).await?;
        all.push(Document {
            is_credit: true,
            due_on: None,
            lines: lines.into_iter().map(|l| l.line).collect(),
            taxes: taxes.into_iter().map(|t| t.tax).collect(),
            subtotal: note.money(note.subtotal)?,
            tax_total: note.money(note.tax_total)?,
            rounding: note.money(note.rounding)?,
            total: note.money(note.total)?,
            amount_due: Money::zero(tx.tenant().currency()),
        });
    }
    Ok(all)
}
