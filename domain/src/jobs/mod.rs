//! At-least-once execution of idempotent handlers. Owns `platform.outbox`, `platform.job` and `platform.job_fired`.
//!
//! A tenant's transaction leaves events and jobs behind (`TenantTx::emit`, `TenantTx::enqueue`). A worker turns each event
//! into one job per handler, claims due jobs under a lease and runs each with its own tenant's database.
//!
//! - A handler's effect and the end of its job are one transaction: a repeated delivery changes nothing.
//! - A job's transactions commit only while its lease is held: a worker that was suspended and comes back does nothing twice.
//! - What is due is decided by the product's clock; leases and the pauses between attempts go by the machine's.
//! - Tenants take turns: what one has queued does not hold up the next job of another.
//! - What keeps failing is parked with its reason, which holds no personal data.
//! - A deduplicated job never fires again, also when its row is long gone: its fingerprint stays.

mod claim;
mod desk;
mod fair;
mod health;
mod outcome;
mod registry;
mod schedule;
mod shift;
mod upkeep;
mod worker;

pub use desk::{JobDetails, JobFilter, JobKey, JobState, count, discard, find, list, retry};
pub use health::{QueueHealth, health};
pub use registry::{Registry, Work};
pub use schedule::schedule_daily;
pub use upkeep::{ForgetKeys, forget_keys, upkeep};
pub use worker::{Drained, Worker, WorkerSettings};
