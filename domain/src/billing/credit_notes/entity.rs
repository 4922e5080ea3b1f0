use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use sea_orm::FromQueryResult;

use crate::billing::{InvoiceLine, InvoiceTax};
use crate::kernel::error::{Error, Result};
use crate::kernel::ids::{CreditNoteId, InvoiceId, SubscriberId, TaxRegistrationId};
use crate::kernel::money::Money;

/// A credit note's head. Amounts are positive and of `currency`.
#[derive(Clone, Debug, PartialEq, FromQueryResult)]
pub struct CreditNote {
    pub id: CreditNoteId,
    pub number: String,
    pub invoice_id: InvoiceId,
    /// Who pays the invoice.
    pub subscriber_id: SubscriberId,
    pub registration_id: Option<TaxRegistrationId>,
    pub reason: String,
    pub issued_on: NaiveDate,
    pub currency: String,
    pub subtotal: Decimal,
    pub tax_total: Decimal,
    pub rounding: Decimal,
    pub total: Decimal,
    /// What of the total lowered what was due on the invoice; the rest became credit in hand.
    pub applied: Decimal,
    pub created_at: DateTime<Utc>,
}

impl CreditNote {
    /// One of its amounts, in its currency.
    pub fn money(&self, amount: Decimal) -> Result<Money> {
        let currency = self.currency.parse().map_err(Error::internal)?;
        Money::new(amount, currency).map_err(Error::internal)
    }
}

/// What a credit note takes back of one line of its invoice, told as a line of its own.
#[derive(Clone, Debug, PartialEq, FromQueryResult)]
pub struct CreditNoteLine {
    pub credit_note_id: CreditNoteId,
    /// `explanation` is a [`crate::billing::rules::CreditExplanation`].
    #[sea_orm(nested)]
    pub line: InvoiceLine,
}

/// One tax on one line of a credit note.
#[derive(Clone, Debug, PartialEq, FromQueryResult)]
pub struct CreditNoteTax {
    pub credit_note_id: CreditNoteId,
    #[sea_orm(nested)]
    pub tax: InvoiceTax,
}
