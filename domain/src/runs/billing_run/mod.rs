//! Billing runs: each is a row that tells how far it is, what it issued and whom it could not bill. The daily run of an ISP is
//! one; staff start others, also as dry runs, which write nothing else.
//!
//! Owns `billing_run` and `billing_failure`. One run of a date is on its way at a time. A service that fails is named in the
//! run; it stays due, so that the next run tries it again, which resolves the failure.

mod entity;
mod events;
mod job;
mod queries;
mod record;
mod start;

pub use entity::{BillingFailure, BillingRun, OperationStatus};
pub use events::{BillingRunFinished, BillingRunStarted};
pub(super) use job::name_failure;
pub use job::{LANES, RenewDue, RunPart, renew_due, run_part};
pub use queries::{BillingRunKey, count, count_failures, failures, find, list};
pub use start::{StartBillingRun, billing_run_start, open};
