mod mutation;
mod query;
mod types;

pub use mutation::TenantsMutation;
pub use query::{TenantsQuery, find, find_director, find_domain};
pub use types::*;
