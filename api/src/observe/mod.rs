//! What operators see: the log, metrics, traces. None of them holds anything that somebody entered: requests are known by
//! their id, route and ISP, documents by the root fields that the schema knows, errors by a summary without values.

pub mod graphql;
pub mod http;
mod log;
pub mod metrics;
mod traces;

pub use log::{Observing, init};

/// As the log, metrics and traces name this program.
pub const SERVICE: &str = "trunkline";
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
