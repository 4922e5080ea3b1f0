//! Who signs in, and with which permissions. Owns `platform.account`, `platform.membership`, `platform.signing_key`, `staff`,
//! `staff_invitation`, `role`, and in every ISP's schema and in `platform` alike `session`, `totp`, `recovery_code`,
//! `one_time_token` and `sign_in_failure`.
//!
//! An access token is good for one audience (the platform's host or one ISP) and says only who its bearer is and in which
//! session; what they may do, and whether the session goes on, is read from the tables, a few seconds old at most.

mod accounts;
mod authenticator;
mod authority;
mod crossing;
pub mod events;
mod invitations;
mod keys;
mod known;
mod links;
mod memberships;
pub mod one_time;
mod passwords;
mod principal;
mod refresh_token;
mod roles;
mod sealed;
mod sessions;
mod side;
mod sign_in;
mod staff;
mod staff_change;
mod subscribers;
mod throttle;
mod token;
mod totp;
mod upkeep;
mod verified;
mod viewer;

pub use accounts::{NewAccount, check_account, ensure_first_admin, insert_director_account};
pub use authenticator::{Authenticator, SignedIn};
pub use crossing::CreatePerson;
pub use invitations::{
    AcceptStaffInvitation, InviteStaff, StaffInvitation, StaffInvitationKey, staff_invitation_accept, staff_invitation_count,
    staff_invitation_revoke, staff_invitations, staff_invite,
};
pub use keys::{KeyState, PublicKey, Rotation, key_states, rotate_keys};
pub use links::{refused as bad_code, staff_link_create};
pub use memberships::{ENTRY_LIFETIME, Membership, membership, memberships};
pub use passwords::PasswordResetRequested;
pub use principal::Principal;
pub use roles::{CreateRole, OWNER, Role, UpdateRole, adopt_roles, role_create, role_delete, role_holders, role_update, roles};
pub use sealed::SEALED;
pub use sessions::{Client, EndReason, UserSession, end_all as end_sessions};
pub use side::Side;
pub use sign_in::{Credentials, Session};
pub use staff::{
    CreateStaff, NewStaff, Staff, StaffKey, insert as insert_staff, staff_by_ids, staff_count, staff_create, staff_find,
    staff_list,
};
pub use staff_change::{UpdateStaff, staff_disable, staff_enable, staff_update};
pub use subscribers::subscriber_password_set;
pub use token::LIFETIME as ACCESS_TOKEN_LIFETIME;
pub use totp::{Enrolment, SecondFactor};
pub use upkeep::{PurgeSessions, purge_sessions, upkeep};
pub use viewer::{Viewer, platform_viewer, viewer};
