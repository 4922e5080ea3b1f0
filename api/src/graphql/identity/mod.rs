mod password;
mod people;
mod people_types;
mod query;
mod role_types;
mod session;
mod session_types;
mod staff;
mod staff_types;
mod types;

pub use password::PasswordMutation;
pub use people::{PeopleMutation, PeopleQuery};
pub use query::IdentityQuery;
pub use session::{SessionMutation, SessionQuery};
pub use staff::{StaffMutation, StaffQuery, find_staff};
pub use staff_types::Staff;
pub use types::*;
