//! What was done in an ISP, by whom and when, as the ISP itself reads it. [`crate::kernel::db::TenantTx::audit`] writes it
//! in the transaction of the deed; nobody can change it afterwards.
//!
//! Owns `audit_entry`.

mod queries;

pub use queries::{ActorKind, AuditEntry, AuditFilter, AuditKey, count, list};
