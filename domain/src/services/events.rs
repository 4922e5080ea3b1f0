//! What later modules may react to. Versions tell an event that comes late from the present state.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::kernel::event::{Event, events};
use crate::kernel::ids::ServiceId;

// `version` is the service's after the change.
events! {
    /// It is on for the first time.
    ServiceActivated { service_id: ServiceId, version: i32 };
    /// It was on and is off.
    ServiceSuspended { service_id: ServiceId, version: i32 };
    /// It was off and is on again.
    ServiceResumed { service_id: ServiceId, version: i32 };
    /// It has another plan.
    ServicePlanChanged { service_id: ServiceId, version: i32 };
    /// It is to have another plan, from the next period on that is not charged yet.
    ServiceChangePlanned { service_id: ServiceId, version: i32 };
    /// … or not after all.
    ServiceChangeCancelled { service_id: ServiceId, version: i32 };
    /// It is to end on a day to come.
    ServiceEndPlanned { service_id: ServiceId, version: i32 };
    /// … or not after all.
    ServiceEndCancelled { service_id: ServiceId, version: i32 };
    /// It keeps the version of its plan until another day, or not any longer.
    ServiceVersionKept { service_id: ServiceId, version: i32 };
    /// It is installed elsewhere.
    ServiceAddressChanged { service_id: ServiceId, version: i32 };
    /// It is over.
    ServiceTerminated { service_id: ServiceId, version: i32 };
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
