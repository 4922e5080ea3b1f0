//! What dunning tells later modules; reaching people is theirs.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use crate::kernel::event::{Event, events};
use crate::kernel::ids::{BrakeId, CollectionHoldId, InvoiceId, PromiseId, SubscriberId};

/// A step of the ladder has come for an invoice: its payer is to be reminded. Once per invoice and step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvoiceReminderDue {
    pub invoice_id: InvoiceId,
    /// Who pays it.
    pub subscriber_id: SubscriberId,
    /// Days from the due date; before it negative.
    pub days: i32,
    pub due_on: NaiveDate,
}

impl Event for InvoiceReminderDue {
    const KIND: &'static str = "InvoiceReminderDue";
}

macro_rules! promise_events {
    ($($(#[$doc:meta])* $name:ident;)+) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
            pub struct $name {
                pub promise_id: PromiseId,
                /// Who promised to pay.
                pub subscriber_id: SubscriberId,
            }

            impl Event for $name {
                const KIND: &'static str = stringify!($name);
            }
        )+
    };
}

promise_events! {
    /// Somebody promised to pay.
    PromiseMade;
    /// Nothing is due any more of what was promised.
    PromiseKept;
    /// The last day has passed, and something is still due.
    PromiseBroken;
    /// Staff took it back.
    PromiseCancelled;
}

/// A run was stopped: nobody is cut until it has no reason any more or staff release it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DunningBraked {
    pub brake_id: BrakeId,
    pub reasons: Vec<super::BrakeReason>,
}

impl Event for DunningBraked {
    const KIND: &'static str = "DunningBraked";
}

/// A run that was stopped may go on: by itself, or because staff released it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DunningBrakeEnded {
    pub brake_id: BrakeId,
    pub released: bool,
}

impl Event for DunningBrakeEnded {
    const KIND: &'static str = "DunningBrakeEnded";
}

/// Nobody is cut for want of money until that instant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CollectionHeld {
    pub hold_id: CollectionHoldId,
    pub until: DateTime<Utc>,
}

impl Event for CollectionHeld {
    const KIND: &'static str = "CollectionHeld";
}

/// The hold was taken back before its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CollectionHoldReleased {
    pub hold_id: CollectionHoldId,
}

impl Event for CollectionHoldReleased {
    const KIND: &'static str = "CollectionHoldReleased";
}

events! {
    /// Reminders, promises or the brake go by other rules from now on.
    DunningSettingsUpdated { version: i32 };
}
