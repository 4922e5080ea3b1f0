//! What every capability stands on, and nothing that knows one of them.

pub mod actor;
pub mod calendar;
pub mod check;
pub mod clock;
pub mod country;
pub mod crypto;
pub mod db;
pub mod error;
pub mod event;
pub mod ids;
pub mod money;
pub mod page;
pub mod patch;
pub mod sealed;
mod text_enum;

pub use actor::{Actor, Permission, Permissions};
pub use clock::Clock;
pub use error::{Error, ErrorCode, Result, UserError};
pub(crate) use text_enum::text_enum;
