mod mutation;
mod query;
mod role_types;
mod staff;
mod staff_types;
mod types;

pub use mutation::IdentityMutation;
pub use query::IdentityQuery;
pub use staff::{StaffMutation, StaffQuery, find_staff};
pub use staff_types::Staff;
pub use types::*;
