//! What waits, runs, or has failed and is parked; for platform staff.

mod mutation;
mod query;
mod types;

pub use mutation::JobsMutation;
pub use query::{JobsQuery, find};
pub use types::Job;
