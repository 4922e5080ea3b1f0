//! What billing tells later modules.

use serde::{Deserialize, Serialize};

use crate::kernel::event::Event;
use crate::kernel::ids::{InvoiceId, SubscriberId};

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
