use uuid::Uuid;

use super::entity::{CreditNote, CreditNoteLine, CreditNoteTax};
use crate::billing::queries::{own, whose};
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, Result};
use crate::kernel::ids::{CreditNoteId, InvoiceId, ServiceId};

macro_rules! select {
    ($tail:literal) => {
        concat!(
            "SELECT n.id, n.number, n.invoice_id, n.subscriber_id, n.registration_id, n.reason, n.issued_on, n.currency,
                 n.subtotal, n.tax_total, n.rounding, n.total, n.applied, n.created_at FROM credit_note n ",
            $tail
        )
    };
}

/// A credit note that the actor may see, or none.
pub async fn find(tx: &TenantTx, id: CreditNoteId) -> Result<Option<CreditNote>> {
    let only = whose(tx)?;
    tx.sql(select!("WHERE n.id = $1 AND ($2::uuid IS NULL OR n.subscriber_id = $2)"))
        .bind(id)
        .bind(only)
        .optional()
        .await
}

/// A credit note that must exist; for use cases that hold its id.
pub async fn get(tx: &TenantTx, id: CreditNoteId) -> Result<CreditNote> {
    let found = tx.sql(select!("WHERE n.id = $1")).bind(id).optional().await?;
    found.ok_or_else(|| Error::not_found("id"))
}

/// For loaders: those of the credit notes that the actor may see.
pub async fn by_ids(tx: &TenantTx, ids: &[CreditNoteId]) -> Result<Vec<CreditNote>> {
    let only = whose(tx)?;
    tx.sql(select!("WHERE n.id = ANY($1) AND ($2::uuid IS NULL OR n.subscriber_id = $2)"))
        .bind(CreditNoteId::array(ids))
        .bind(only)
        .all()
        .await
}

/// The credit notes of invoices that the actor was allowed to read, oldest first.
pub async fn of_invoices(tx: &TenantTx, invoices: &[InvoiceId]) -> Result<Vec<CreditNote>> {
    tx.sql(select!(
        "WHERE n.invoice_id = ANY($1) AND ($2::uuid IS NULL OR n.subscriber_id = $2) ORDER BY n.created_at, n.id"
    ))
    .bind(InvoiceId::array(invoices))
    .bind(own(tx))
    .all()
    .await
}

/// Lines of credit notes that the actor was allowed to read, in their order.
pub async fn lines_of(tx: &TenantTx, notes: &[CreditNoteId]) -> Result<Vec<CreditNoteLine>> {
    tx.sql(
        "SELECT c.credit_note_id, c.id, l.invoice_id, c.position, l.kind, c.description, l.subscriber_id, l.service_id,
             l.plan_id, 1::numeric AS quantity, c.amount AS unit_price, 0::numeric AS discount, c.amount, n.currency,
             l.tax_code, c.period_starts_at, c.period_ends_at, c.explanation
         FROM credit_note_line c JOIN credit_note n ON n.id = c.credit_note_id JOIN invoice_line l ON l.id = c.invoice_line_id
         WHERE c.credit_note_id = ANY($1) AND ($2::uuid IS NULL OR n.subscriber_id = $2)
         ORDER BY c.credit_note_id, c.position",
    )
    .bind(notes.iter().map(|n| n.0).collect::<Vec<Uuid>>())
    .bind(own(tx))
    .all()
    .await
}

/// Taxes of credit notes that the actor was allowed to read, in the order of their lines.
pub async fn taxes_of(tx: &TenantTx, notes: &[CreditNoteId]) -> Result<Vec<CreditNoteTax>> {
    tx.sql(
        "SELECT c.credit_note_id, n.invoice_id, t.line_id, t.position, t.name, t.rate, t.base, t.amount, n.currency
         FROM credit_note_tax t JOIN credit_note_line c ON c.id = t.line_id JOIN credit_note n ON n.id = c.credit_note_id
         WHERE c.credit_note_id = ANY($1) AND ($2::uuid IS NULL OR n.subscriber_id = $2)
         ORDER BY c.credit_note_id, c.position, t.position",
    )
    .bind(CreditNoteId::array(notes))
    .bind(own(tx))
    .all()
    .await
}

/// The credit note that a use case wrote into its audit entry as its own.
pub async fn made_by(tx: &TenantTx, action: &str, service: ServiceId, key: Uuid) -> Result<Option<CreditNote>> {
    tx.sql(select!(
        "JOIN audit_entry a ON (a.detail ->> 'credit_note_id')::uuid = n.id
         WHERE a.target_id = $1 AND a.action = $2 AND a.detail ->> 'idempotency_key' = $3"
    ))
    .bind(service)
    .bind(action)
    .bind(key.to_string())
    .optional()
    .await
}
