//! RADIUS as the product sees it: what each service may do on the network, who is on line, and what was used.
//!
//! Writes `radius.account`, one row a service, in the same transaction as every change of the service, so that suspending
//! it rejects the very next login. Reads sessions and usage, which FreeRADIUS records. All rows are the tenant's own by
//! row-level security; `tenant_id` is given nevertheless, for indexes and for scale-out.

mod account;
mod sessions;
mod usage;

pub use account::{Terms, sync, sync_all};
pub use sessions::{RadiusSession, SessionFilter, SessionKey, Started, count_sessions, find_session, online, sessions};
pub use usage::{Usage, UsageDay, usage};
