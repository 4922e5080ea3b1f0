//! Work that crosses capabilities: opening an ISP, activation, renewal, settlement.

mod directors;
mod provisioning;

pub use directors::{CreateDirector, director_create};
pub use provisioning::tenant_create;
