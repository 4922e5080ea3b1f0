use std::collections::HashMap;

use async_graphql::dataloader::Loader;
use async_graphql::{Context, ID, InputObject, Object};
use trunkline_domain::Result;
use trunkline_domain::billing::credit_notes::{self, CreditLine, CreditNoteLine, IssueCreditNote};
use trunkline_domain::billing::{self, InvoiceTax};
use trunkline_domain::kernel::ids::{CreditNoteId, InvoiceId};

use super::invoice::{Invoice, InvoiceLine, TaxAmount, subscriber};
use crate::graphql::ctx::{CtxExt, Lookup, lookup};
use crate::graphql::error::{ApiError, ApiResult, payload};
use crate::graphql::ids;
use crate::graphql::scalars::{Date, Decimal, Money, Uuid};
use crate::graphql::subscribers::Subscriber;

/// What an invoice charged and no longer does. It lowers what is due on its invoice; the rest is credit in hand. Amounts are
/// positive.
#[derive(Clone)]
pub struct CreditNote(pub credit_notes::CreditNote);

impl From<credit_notes::CreditNote> for CreditNote {
    fn from(note: credit_notes::CreditNote) -> Self {
        Self(note)
    }
}

impl CreditNote {
    fn money(&self, amount: rust_decimal::Decimal) -> ApiResult<Money> {
        Ok(self.0.money(amount)?.into())
    }
}

/// What an invoice charged and no longer does. It lowers what is due on its invoice; the rest is credit in hand. Amounts are
/// positive.
#[Object]
impl CreditNote {
    /// Names it everywhere.
    pub async fn id(&self) -> ID {
        ids::out(self.0.id)
    }

    /// Gapless within its own series.
    async fn number(&self) -> &str {
        &self.0.number
    }

    /// Who pays the invoice.
    async fn subscriber(&self, ctx: &Context<'_>) -> ApiResult<Subscriber> {
        subscriber(ctx, self.0.subscriber_id).await
    }

    /// The invoice that it corrects.
    async fn invoice(&self, ctx: &Context<'_>) -> ApiResult<Option<Invoice>> {
        Ok(ctx.rq().loader().load_one(self.0.invoice_id).await?.map(Invoice))
    }

    /// Why it was issued; printed on it.
    async fn reason(&self) -> &str {
        &self.0.reason
    }

    /// On the ISP's calendar.
    async fn issued_on(&self) -> Date {
        Date(self.0.issued_on)
    }

    /// What of which of the invoice's lines is taken back.
    async fn lines(&self, ctx: &Context<'_>) -> ApiResult<Vec<InvoiceLine>> {
        let lines = ctx.rq().loader().load_one(CreditLinesOf(self.0.id)).await?;
        Ok(lines
            .unwrap_or_default()
            .into_iter()
            .map(InvoiceLine::of_credit_note)
            .collect())
    }

    /// Summed over the lines, by name and rate; at the rates at which the invoice charged them.
    async fn taxes(&self, ctx: &Context<'_>) -> ApiResult<Vec<TaxAmount>> {
        let taxes = ctx
            .rq()
            .loader()
            .load_one(CreditTaxesOf(self.0.id))
            .await?
            .unwrap_or_default();
        let sums = billing::sum_taxes(&taxes)?;
        Ok(sums.into_iter().map(Into::into).collect())
    }

    /// Before tax.
    async fn subtotal(&self) -> ApiResult<Money> {
        self.money(self.0.subtotal)
    }

    /// Sum of the taxes taken back.
    async fn tax_total(&self) -> ApiResult<Money> {
        self.money(self.0.tax_total)
    }

    /// Of the invoice's rounding.
    async fn rounding(&self) -> ApiResult<Money> {
        self.money(self.0.rounding)
    }

    /// Host-relative, needs the same authorisation as this query.
    async fn pdf_url(&self) -> String {
        format!("/credit-notes/{}.pdf", self.0.id)
    }

    /// subtotal + taxTotal + rounding
    async fn total(&self) -> ApiResult<Money> {
        self.money(self.0.total)
    }
}

lookup!(CreditNoteId => credit_notes::CreditNote, credit_notes::by_ids, |note| note.id);

/// A line of an invoice of which something is to be credited.
#[derive(InputObject)]
pub struct CreditNoteLineInput {
    /// A line of that invoice.
    invoice_line_id: ID,
    /// Tax excluded; default: all that is left of the line.
    amount: Option<Decimal>,
}

/// Taxed at the original line's rates; it lowers its own invoice first, the rest is credit in hand. Never more than is left. It
/// credits money: the service's time stays as it is.
#[derive(InputObject)]
pub struct CreditNoteIssueInput {
    /// The invoice that it corrects.
    invoice_id: ID,
    /// Tax excluded, over all lines in proportion; only where all lines are taxed alike. Absent with `lines` absent: all that
    /// is left.
    amount: Option<Decimal>,
    /// Some lines, each once, and how much of them; not together with `amount`.
    lines: Option<Vec<CreditNoteLineInput>>,
    /// Printed on the credit note.
    reason: String,
    /// Makes a repeated call answer with the first one's credit note.
    idempotency_key: Uuid,
}

impl CreditNoteIssueInput {
    pub fn command(self) -> Result<IssueCreditNote> {
        let line = |(n, line): (usize, CreditNoteLineInput)| {
            Ok(CreditLine {
                invoice_line_id: ids::input(&line.invoice_line_id, &format!("lines.{n}.invoiceLineId"))?,
                amount: line.amount.map(|amount| amount.0),
            })
        };
        let lines = self
            .lines
            .map(|lines| lines.into_iter().enumerate().map(line).collect::<Result<Vec<_>>>());
        Ok(IssueCreditNote {
            invoice_id: ids::input(&self.invoice_id, "invoiceId")?,
            amount: self.amount.map(|amount| amount.0),
            lines: lines.transpose()?,
            reason: self.reason,
            idempotency_key: self.idempotency_key.0,
        })
    }
}

payload!(CreditNoteIssuePayload { credit_note: CreditNote });

/// The credit notes against an invoice, oldest first.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct CreditNotesOf(pub InvoiceId);

/// The lines of a credit note, in their order.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct CreditLinesOf(CreditNoteId);

/// The taxes of a credit note's lines.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct CreditTaxesOf(pub CreditNoteId);

impl Loader<CreditNotesOf> for Lookup {
    type Value = Vec<credit_notes::CreditNote>;
    type Error = ApiError;

    async fn load(&self, keys: &[CreditNotesOf]) -> Result<HashMap<CreditNotesOf, Self::Value>, ApiError> {
        let invoices: Vec<InvoiceId> = keys.iter().map(|key| key.0).collect();
        let notes = self
            .0
            .read(async move |tx| credit_notes::of_invoices(tx, &invoices).await)
            .await?;
        let mut by_invoice: HashMap<CreditNotesOf, Self::Value> = HashMap::new();
        for note in notes {
            by_invoice.entry(CreditNotesOf(note.invoice_id)).or_default().push(note);
        }
        Ok(by_invoice)
    }
}

impl Loader<CreditLinesOf> for Lookup {
    type Value = Vec<CreditNoteLine>;
    type Error = ApiError;

    async fn load(&self, keys: &[CreditLinesOf]) -> Result<HashMap<CreditLinesOf, Self::Value>, ApiError> {
        let notes: Vec<CreditNoteId> = keys.iter().map(|key| key.0).collect();
        let lines = self.0.read(async move |tx| credit_notes::lines_of(tx, &notes).await).await?;
        let mut by_note: HashMap<CreditLinesOf, Self::Value> = HashMap::new();
        for line in lines {
            by_note.entry(CreditLinesOf(line.credit_note_id)).or_default().push(line);
        }
        Ok(by_note)
    }
}

impl Loader<CreditTaxesOf> for Lookup {
    type Value = Vec<InvoiceTax>;
    type Error = ApiError;

    async fn load(&self, keys: &[CreditTaxesOf]) -> Result<HashMap<CreditTaxesOf, Self::Value>, ApiError> {
        let notes: Vec<CreditNoteId> = keys.iter().map(|key| key.0).collect();
        let taxes = self.0.read(async move |tx| credit_notes::taxes_of(tx, &notes).await).await?;
        let mut by_note: HashMap<CreditTaxesOf, Self::Value> = HashMap::new();
        for tax in taxes {
            by_note.entry(CreditTaxesOf(tax.credit_note_id)).or_default().push(tax.tax);
        }
        Ok(by_note)
    }
}
