//! Plans: what an ISP sells. A plan has an identity (code, kind, how it is paid and for how long) that never changes, and
//! versions (price, tax, speed), each from a day on. What is sold is the version that counts on the day; a service keeps its
//! version until its next period, and longer where a version is for new services only or the ISP keeps the price for it.
//!
//! Owns `plan`, `plan_version` (append-only) and `plan_version_withdrawal`.

mod create;
pub mod entity;
mod events;
mod queries;
mod retire;
mod rules;
mod update;
mod versions;

pub use create::{CreatePlan, create};
pub use entity::{BillIn, ExitKind, IntervalUnit, MinimumTerm, PaymentMode, Plan, PlanKind};
pub use events::{PlanCreated, PlanRetired, PlanUpdated, PlanVersionWithdrawn};
pub use queries::{PlanKey, by_ids, by_version_ids, count, find, get, list, on, version, versions, versions_of, versions_of_all};
pub use retire::retire;
pub use rules::Terms;
pub use update::{ExistingServices, UpdatePlan, update};
pub use versions::{in_force, next_for, withdraw};
