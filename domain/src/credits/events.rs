//! What becomes of credit, for later modules.

use serde::{Deserialize, Serialize};

use crate::kernel::event::Event;
use crate::kernel::ids::{DepositId, InvoiceId, RefundId, SubscriberId};

/// Credit in hand was paid back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreditRefunded {
    pub refund_id: RefundId,
    pub subscriber_id: SubscriberId,
}

impl Event for CreditRefunded {
    const KIND: &'static str = "CreditRefunded";
}

/// Credit in hand is another subscriber's now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreditTransferred {
    pub from_subscriber_id: SubscriberId,
    pub to_subscriber_id: SubscriberId,
}

impl Event for CreditTransferred {
    const KIND: &'static str = "CreditTransferred";
}

/// A deposit is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DepositCharged {
    pub deposit_id: DepositId,
    pub invoice_id: InvoiceId,
    pub subscriber_id: SubscriberId,
}

impl Event for DepositCharged {
    const KIND: &'static str = "DepositCharged";
}

/// A deposit, or a part of it, has become credit in hand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DepositReturned {
    pub deposit_id: DepositId,
    pub subscriber_id: SubscriberId,
}

impl Event for DepositReturned {
    const KIND: &'static str = "DepositReturned";
}
