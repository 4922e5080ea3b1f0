mod mutation;
mod of_service;
mod query;
pub mod types;

pub use mutation::AddonsMutation;
pub use of_service::{OneTimeCharge, OrderedAddonInput, ServiceAddon};
pub use query::{AddonsQuery, find};
pub use types::Addon;
