mod mutation;
mod query;
pub mod types;

pub use mutation::NetworkMutation;
pub use query::{NetworkQuery, find};
pub use types::Nas;
