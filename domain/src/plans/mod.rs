//! Plans: what an ISP sells. A plan has an identity (code, kind, how it is paid and for how long) that never changes, and
//! versions (price, tax, speed) of which the newest is sold; a service keeps its version until its next period.
//!
//! Owns `plan` and `plan_version`.

mod create;
pub mod entity;
mod queries;
mod retire;
mod rules;
mod update;

pub use create::{CreatePlan, create};
pub use entity::{BillIn, IntervalUnit, PaymentMode, Plan, PlanKind};
pub use queries::{PlanKey, by_ids, count, find, get, list, version};
pub use retire::retire;
pub use rules::Terms;
pub use update::{UpdatePlan, update};
