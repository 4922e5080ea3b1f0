mod mutation;
mod query;
mod types;

pub use mutation::IdentityMutation;
pub use query::{IdentityQuery, find_staff};
pub use types::*;
