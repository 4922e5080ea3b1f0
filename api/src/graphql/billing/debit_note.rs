use async_graphql::{ID, InputObject};
use trunkline_domain::Result;
use trunkline_domain::billing::{DebitLine, IssueDebitNote};
use trunkline_domain::runs::VoidInvoice;

use super::invoice::Invoice;
use crate::graphql::error::payload;
use crate::graphql::ids;
use crate::graphql::scalars::{Date, Decimal, Uuid};

/// What a line of an invoice charged too little.
#[derive(InputObject)]
pub struct DebitNoteLineInput {
    /// A line of that invoice.
    invoice_line_id: ID,
    /// Tax excluded; taxed as the line was, at the rates that it was charged by.
    amount: Decimal,
    /// Printed on the debit note; default: the line's own.
    description: Option<String>,
}

/// Adds to an invoice what it charged too little. With its taxes, all debit notes of an invoice together are never more than the
/// invoice. It is owed like an invoice, and takes what it can of credit in hand.
#[derive(InputObject)]
pub struct DebitNoteIssueInput {
    /// The invoice that it adds to; neither void nor written off.
    invoice_id: ID,
    /// Each line of the invoice once at most.
    lines: Vec<DebitNoteLineInput>,
    /// Printed on the debit note.
    reason: String,
    /// Default: `BillingSettings.dueDays` from today.
    due_on: Option<Date>,
    /// Makes a repeated call answer with the first one's debit note.
    idempotency_key: Uuid,
}

impl DebitNoteIssueInput {
    pub fn command(self) -> Result<IssueDebitNote> {
        let line = |(n, line): (usize, DebitNoteLineInput)| {
            Ok(DebitLine {
                invoice_line_id: ids::input(&line.invoice_line_id, &format!("lines.{n}.invoiceLineId"))?,
                amount: line.amount.0,
                description: line.description,
            })
        };
        Ok(IssueDebitNote {
            invoice_id: ids::input(&self.invoice_id, "invoiceId")?,
            lines: self.lines.into_iter().enumerate().map(line).collect::<Result<_>>()?,
            reason: self.reason,
            due_on: self.due_on.map(|day| day.0),
            idempotency_key: self.idempotency_key.0,
        })
    }
}

payload!(DebitNoteIssuePayload { debit_note: Invoice });

/// An invoice that is to be withdrawn.
#[derive(InputObject)]
pub struct InvoiceVoidInput {
    /// Which; nothing may be paid or credited on it.
    invoice_id: ID,
    /// Why, for the books.
    reason: String,
    /// Makes a repeated call answer with the first one's result.
    idempotency_key: Uuid,
}

impl InvoiceVoidInput {
    pub fn command(self) -> Result<VoidInvoice> {
        Ok(VoidInvoice {
            invoice_id: ids::input(&self.invoice_id, "invoiceId")?,
            reason: self.reason,
            idempotency_key: self.idempotency_key.0,
        })
    }
}

payload!(InvoiceVoidPayload { invoice: Invoice });
