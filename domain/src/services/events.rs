//! What later modules may react to. Versions tell an event that comes late from the present state.

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
    /// It is over.
    ServiceTerminated;
}
