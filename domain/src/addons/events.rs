//! What later modules may react to.

use serde::{Deserialize, Serialize};

use crate::kernel::event::Event;
use crate::kernel::ids::{OneTimeChargeId, ServiceAddonId, ServiceId};

macro_rules! events {
    ($($(#[$doc:meta])* $name:ident { $field:ident: $id:ty };)+) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
            pub struct $name {
                pub service_id: ServiceId,
                pub $field: $id,
            }

            impl Event for $name {
                const KIND: &'static str = stringify!($name);
            }
        )+
    };
}

events! {
    /// A service has an add-on, from a day on.
    ServiceAddonAdded { service_addon_id: ServiceAddonId };
    /// A service's add-on is to end, or has ended.
    ServiceAddonEnded { service_addon_id: ServiceAddonId };
    /// A service is to be charged for something once.
    OneTimeChargeAdded { charge_id: OneTimeChargeId };
    /// … or not after all.
    OneTimeChargeCancelled { charge_id: OneTimeChargeId };
}
