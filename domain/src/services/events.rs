//! What later modules may react to. Versions tell an event that comes late from the present state.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::kernel::event::Event;
use crate::kernel::ids::ServiceId;

macro_rules! events {
    ($($(#[$doc:meta])* $name:ident;)+) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
            pub struct $name {
                pub service_id: ServiceId,
                /// The service's version after the change.
                pub version: i32,
            }

            impl Event for $name {
                const KIND: &'static str = stringify!($name);
            }
        )+
    };
}

events! {
    /// It is on for the first time.
    ServiceActivated;
    /// It was on and is off.
    ServiceSuspended;
    /// It was off and is on again.
    ServiceResumed;
    /// It has another plan.
    ServicePlanChanged;
    /// It is to have another plan, from the next period on that is not charged yet.
    ServiceChangePlanned;
    /// … or not after all.
    ServiceChangeCancelled;
    /// It is to end on a day to come.
    ServiceEndPlanned;
    /// … or not after all.
    ServiceEndCancelled;
    /// It keeps the version of its plan until another day, or not any longer.
    ServiceVersionKept;
    /// It is installed elsewhere.
    ServiceAddressChanged;
    /// It is over.
    ServiceTerminated;
}

/// A pause was asked for: the service is off from that day on. That it went off, and on again, is told besides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServicePauseAsked {
    pub service_id: ServiceId,
    pub starts_on: NaiveDate,
    /// The day on which it goes on; None: when somebody says so.
    pub ends_on: Option<NaiveDate>,
    /// By the subscriber, or else by staff.
    pub by_subscriber: bool,
}

impl Event for ServicePauseAsked {
    const KIND: &'static str = "ServicePauseAsked";
}

/// A pause that was to come never comes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServicePauseCancelled {
    pub service_id: ServiceId,
}

impl Event for ServicePauseCancelled {
    const KIND: &'static str = "ServicePauseCancelled";
}
