use async_graphql::{ID, InputObject};
use trunkline_domain::Result;
use trunkline_domain::billing::{RecordWithholding, ReverseWithholding};

use super::invoice::Invoice;
use crate::graphql::error::payload;
use crate::graphql::ids;
use crate::graphql::scalars::{Decimal, Uuid};

/// Tax that the payer kept back and pays to the authority in the ISP's name.
#[derive(InputObject)]
pub struct WithholdingRecordInput {
    /// The invoice of which it was kept back.
    invoice_id: ID,
    /// At most what is due.
    amount: Decimal,
    /// Of the certificate, if there is one yet.
    reference: Option<String>,
    /// Makes a repeated call answer with the first one's result.
    idempotency_key: Uuid,
}

impl WithholdingRecordInput {
    pub fn command(self) -> Result<RecordWithholding> {
        Ok(RecordWithholding {
            invoice_id: ids::input(&self.invoice_id, "invoiceId")?,
            amount: self.amount.0,
            reference: self.reference,
            idempotency_key: self.idempotency_key.0,
        })
    }
}

/// Tax that was not withheld after all.
#[derive(InputObject)]
pub struct WithholdingReverseInput {
    /// The invoice of which it was recorded.
    invoice_id: ID,
    /// At most what is withheld; all of that if nothing is said.
    amount: Option<Decimal>,
    /// For the record, e.g. that no certificate came.
    reason: String,
    /// Makes a repeated call answer with the first one's result.
    idempotency_key: Uuid,
}

impl WithholdingReverseInput {
    pub fn command(self) -> Result<ReverseWithholding> {
        Ok(ReverseWithholding {
            invoice_id: ids::input(&self.invoice_id, "invoiceId")?,
            amount: self.amount.map(|amount| amount.0),
            reason: self.reason,
            idempotency_key: self.idempotency_key.0,
        })
    }
}

payload!(WithholdingRecordPayload { invoice: Invoice });
payload!(WithholdingReversePayload { invoice: Invoice });
