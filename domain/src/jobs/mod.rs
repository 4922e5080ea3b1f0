//! At-least-once execution of idempotent handlers. Owns `platform.outbox` and `platform.job`.
//!
//! A tenant's transaction leaves events and jobs behind (`TenantTx::emit`, `TenantTx::enqueue`). A worker turns each event
//! into one job per handler, claims due jobs under a lease and runs each in a transaction of its own tenant. A handler's
//! effect and the note that it ran are one transaction, so a repeated delivery changes nothing. What is due is decided by
//! the product's clock, a retry's pause included; leases go by the machine's.

mod registry;
mod schedule;
mod upkeep;
mod worker;

pub use registry::{Registry, Work};
pub use schedule::schedule_daily;
pub use upkeep::upkeep;
pub use worker::{Drained, Worker};
