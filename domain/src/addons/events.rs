//! What later modules may react to.

use crate::kernel::event::events;
use crate::kernel::ids::{AddonId, OneTimeChargeId, ServiceAddonId, ServiceId};

events! {
    /// An add-on is sold from now on.
    AddonCreated { addon_id: AddonId };
    /// An add-on has another name, price or set of plans.
    AddonUpdated { addon_id: AddonId };
    /// An add-on is not sold any more; services keep it.
    AddonRetired { addon_id: AddonId };
    /// A service has an add-on, from a day on.
    ServiceAddonAdded { service_id: ServiceId, service_addon_id: ServiceAddonId };
    /// A service's add-on is to end, or has ended.
    ServiceAddonEnded { service_id: ServiceId, service_addon_id: ServiceAddonId };
    /// A service is to be charged for something once.
    OneTimeChargeAdded { service_id: ServiceId, charge_id: OneTimeChargeId };
    /// … or not after all.
    OneTimeChargeCancelled { service_id: ServiceId, charge_id: OneTimeChargeId };
}
