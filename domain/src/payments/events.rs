//! What payments tell later modules.

use serde::{Deserialize, Serialize};

use crate::kernel::event::Event;
use crate::kernel::ids::{PaymentId, SubscriberId};

/// Money came in and is booked; the invoices that it settled announce themselves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaymentRecorded {
    pub payment_id: PaymentId,
    pub subscriber_id: SubscriberId,
}

impl Event for PaymentRecorded {
    const KIND: &'static str = "PaymentRecorded";
}

/// The money was taken back; the invoices that are owed again announce themselves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaymentReversed {
    pub payment_id: PaymentId,
    pub subscriber_id: SubscriberId,
}

impl Event for PaymentReversed {
    const KIND: &'static str = "PaymentReversed";
}
