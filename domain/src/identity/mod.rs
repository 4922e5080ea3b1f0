//! Who signs in, and with which permissions. Owns `platform.account`, `platform.signing_key`, `staff` and `role`.
//!
//! An access token is good for one audience (the platform's host or one ISP) and says only who its bearer is; what they may
//! do is read from the ISP's own tables, a few seconds old at most.

mod accounts;
mod authenticator;
mod keys;
pub mod one_time;
mod principal;
mod side;
mod sign_in;
mod staff;
mod subscribers;
mod token;
mod viewer;

pub use accounts::{NewAccount, check_account, ensure_first_admin, insert_director_account};
pub use authenticator::Authenticator;
pub use principal::Principal;
pub use side::Side;
pub use sign_in::{Credentials, Session};
pub use staff::{
    CreateStaff, NewStaff, Role, Staff, StaffKey, adopt_roles, insert as insert_staff, roles, staff_count, staff_create,
    staff_find, staff_list,
};
pub use subscribers::subscriber_password_set;
pub use token::LIFETIME as ACCESS_TOKEN_LIFETIME;
pub use viewer::{Viewer, platform_viewer, viewer};
