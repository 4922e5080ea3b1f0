//! Add-ons: what an ISP sells beside plans, such as a fixed address or a router. What is charged per period belongs to a
//! service from a day to a day; what is charged once is charged with one invoice and never again.
//!
//! Owns `addon`, `addon_plan`, `service_addon` and `one_time_charge`. When they are invoiced is for `runs` to say, which knows
//! the services' periods; here it is written down.

mod catalogue;
mod charges;
mod entity;
mod events;
mod of_service;
mod queries;

pub use catalogue::{CreateAddon, UpdateAddon, create, retire, update};
pub use charges::{
    NewCharge, cancel, charges_of, find_charge, insert_charge, mark_charged, open_charges, uncharge, with_open_charges,
};
pub use entity::{Addon, AddonCharging, ChargeStatus, OneTimeCharge, ServiceAddon};
pub use events::{
    AddonCreated, AddonRetired, AddonUpdated, OneTimeChargeAdded, OneTimeChargeCancelled, ServiceAddonAdded, ServiceAddonEnded,
};
pub use of_service::{
    MAX_QUANTITY, NewServiceAddon, check_price, check_quantity, end_on, find_of_service, insert_of_service, of_service,
    of_services, service_of,
};
pub use queries::{AddonKey, by_ids, count, find, get, list};
