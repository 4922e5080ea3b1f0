use std::collections::HashMap;

use sea_orm::FromQueryResult;
use uuid::Uuid;

use crate::kernel::Permission;
use crate::kernel::db::TenantTx;
use crate::kernel::error::Result;
use crate::kernel::ids::LedgerEntryId;
use crate::kernel::text_enum;

text_enum! {
    /// What kind of document an entry of the ledger stands for.
    DocumentKind { Invoice, CreditNote, Payment, Refund }
}

/// What an entry stands for, as far as it is a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    pub kind: DocumentKind,
    pub id: Uuid,
    /// The document's own number; of a payment, its reference.
    pub number: Option<String>,
}

/// Columns of the document behind entry `e`, for use with [`joins!`].
macro_rules! columns {
    () => {
        "CASE WHEN i.id IS NOT NULL THEN 'INVOICE' WHEN n.id IS NOT NULL THEN 'CREDIT_NOTE' WHEN p.id IS NOT NULL THEN 'PAYMENT'
             WHEN r.id IS NOT NULL THEN 'REFUND' END
             AS document_kind,
         coalesce(i.id, n.id, p.id, r.id) AS document_id,
         coalesce(i.number, n.number, p.reference, r.reference) AS document_number"
    };
}
pub(super) use columns;

/// Credit that was applied or taken back, tax withheld, and a balance brought along, stand for the invoice that they are about.
macro_rules! joins {
    () => {
        " LEFT JOIN credit_application ca ON e.kind IN ('credit', 'credit-undone') AND ca.id = e.source_id
          LEFT JOIN opening_balance ob ON e.kind = 'opening' AND ob.id = e.source_id
          LEFT JOIN withholding wh ON e.kind = 'withholding' AND wh.id = e.source_id
          LEFT JOIN write_off wo ON e.kind = 'write-off' AND wo.id = e.source_id
          LEFT JOIN deposit_return dr ON e.kind = 'deposit-return' AND dr.id = e.source_id
          LEFT JOIN deposit de ON de.id = dr.deposit_id
          LEFT JOIN invoice i ON i.id = CASE WHEN e.kind IN ('invoice', 'deposit', 'void') THEN e.source_id
              ELSE coalesce(ca.invoice_id, ob.invoice_id, wo.invoice_id, wh.invoice_id, de.invoice_id) END
          LEFT JOIN credit_note n ON e.kind = 'credit-note' AND n.id = e.source_id
          LEFT JOIN payment p ON e.kind IN ('payment', 'payment-reversal') AND p.id = e.source_id
          LEFT JOIN refund r ON e.kind = 'refund' AND r.id = e.source_id "
    };
}
pub(super) use joins;

/// From the columns.
pub(super) fn document(kind: Option<DocumentKind>, id: Option<Uuid>, number: Option<String>) -> Option<Document> {
    Some(Document {
        kind: kind?,
        id: id?,
        number,
    })
}

/// The documents behind entries; those that have none are left out.
pub async fn documents(tx: &TenantTx, entries: &[LedgerEntryId]) -> Result<HashMap<LedgerEntryId, Document>> {
    #[derive(FromQueryResult)]
    struct Row {
        id: LedgerEntryId,
        document_kind: Option<DocumentKind>,
        document_id: Option<Uuid>,
        document_number: Option<String>,
    }
    tx.require(Permission::LedgerRead)?;
    let rows: Vec<Row> = tx
        .sql(concat!(
            "SELECT e.id, ",
            columns!(),
            " FROM ledger_entry e",
            joins!(),
            "WHERE e.id = ANY($1)"
        ))
        .bind(LedgerEntryId::array(entries))
        .all()
        .await?;
    Ok(rows
        .into_iter()
        .filter_map(|r| Some((r.id, document(r.document_kind, r.document_id, r.document_number)?)))
        .collect())
}
