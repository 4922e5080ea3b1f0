//! The network's edge: the routers (network access servers) that ask RADIUS about an ISP's subscribers.
//!
//! Owns the application's side of `radius.nas`, which is shared by all ISPs under row-level security. A NAS is known by the
//! source address of its packets, which is one NAS's on the whole platform. Its secret is written and never read back.

mod create;
pub mod entity;
mod queries;
mod rules;
mod setup;
mod update;

pub use create::{CreateNas, create};
pub use entity::{Nas, NasVendor};
pub use queries::{NasKey, by_ids, count, find, list};
pub use rules::NasSecret;
pub use setup::{RadiusEndpoint, setup_script};
pub use update::{UpdateNas, update};
