//! What billing tells later modules.

use serde::{Deserialize, Serialize};

use crate::kernel::event::{Event, events};
use crate::kernel::ids::{CreditNoteId, InvoiceDraftId, InvoiceId, SubscriberId, TaxRegistrationId};

/// An invoice has its number and is owed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvoiceIssued {
    pub invoice_id: InvoiceId,
    /// Who pays it.
    pub subscriber_id: SubscriberId,
}

impl Event for InvoiceIssued {
    const KIND: &'static str = "InvoiceIssued";
}

/// Nothing is due on it any more: by payment, by credit in hand, or because it came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvoicePaid {
    pub invoice_id: InvoiceId,
    /// Who pays it.
    pub subscriber_id: SubscriberId,
}

impl Event for InvoicePaid {
    const KIND: &'static str = "InvoicePaid";
}

/// It was paid, and is owed again: what had settled it was taken back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvoiceReopened {
    pub invoice_id: InvoiceId,
    /// Who pays it.
    pub subscriber_id: SubscriberId,
}

impl Event for InvoiceReopened {
    const KIND: &'static str = "InvoiceReopened";
}

/// A credit note has its number; it has lowered what its invoice owed, or become credit in hand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreditNoteIssued {
    pub credit_note_id: CreditNoteId,
    pub invoice_id: InvoiceId,
    /// Who pays the invoice.
    pub subscriber_id: SubscriberId,
}

impl Event for CreditNoteIssued {
    const KIND: &'static str = "CreditNoteIssued";
}

/// A debit note has its number and is owed, as an invoice; see [`InvoiceIssued`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DebitNoteIssued {
    pub debit_note_id: InvoiceId,
    /// The invoice that it adds to.
    pub invoice_id: InvoiceId,
    /// Who pays both.
    pub subscriber_id: SubscriberId,
}

impl Event for DebitNoteIssued {
    const KIND: &'static str = "DebitNoteIssued";
}

/// An invoice is withdrawn: nobody owes it, and what it charged is not charged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvoiceVoided {
    pub invoice_id: InvoiceId,
    /// Who was to pay it.
    pub subscriber_id: SubscriberId,
}

impl Event for InvoiceVoided {
    const KIND: &'static str = "InvoiceVoided";
}

/// This ISP bills in another way from now on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BillingSettingsUpdated {
    pub version: i32,
    /// Until when services stay on has changed with it.
    pub grace_days_changed: bool,
}

impl Event for BillingSettingsUpdated {
    const KIND: &'static str = "BillingSettingsUpdated";
}

/// A subscriber has brought a balance along from the system before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpeningBalanceRecorded {
    pub subscriber_id: SubscriberId,
    /// What it owed stands on this one.
    pub invoice_id: Option<InvoiceId>,
}

impl Event for OpeningBalanceRecorded {
    const KIND: &'static str = "OpeningBalanceRecorded";
}

/// What was due on it, or a part of that, was given up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvoiceWrittenOff {
    pub invoice_id: InvoiceId,
    /// Who was to pay it.
    pub subscriber_id: SubscriberId,
}

impl Event for InvoiceWrittenOff {
    const KIND: &'static str = "InvoiceWrittenOff";
}

/// A part of it was settled by tax that its payer withheld.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WithholdingRecorded {
    pub invoice_id: InvoiceId,
    pub subscriber_id: SubscriberId,
}

impl Event for WithholdingRecorded {
    const KIND: &'static str = "WithholdingRecorded";
}

/// Tax was not withheld from it after all, or not as much.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WithholdingReversed {
    pub invoice_id: InvoiceId,
    pub subscriber_id: SubscriberId,
}

impl Event for WithholdingReversed {
    const KIND: &'static str = "WithholdingReversed";
}

events! {
    /// The ISP may issue documents under another registration.
    TaxRegistrationAdded { tax_registration_id: TaxRegistrationId };
    /// Documents look otherwise from now on: by the ISP's own template, or by its country's again.
    InvoiceTemplateUpdated { version: i32 };
    /// An invoice by hand is written, and is to be issued later.
    InvoiceDraftCreated { invoice_draft_id: InvoiceDraftId };
    /// … and has other lines or another date.
    InvoiceDraftUpdated { invoice_draft_id: InvoiceDraftId };
    /// … and is thrown away. One that is issued is told as an invoice.
    InvoiceDraftDiscarded { invoice_draft_id: InvoiceDraftId };
    /// What was given up of an invoice is owed again.
    InvoiceWriteOffReversed { invoice_id: InvoiceId, subscriber_id: SubscriberId };
}
