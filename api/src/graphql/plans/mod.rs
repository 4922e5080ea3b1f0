mod mutation;
mod query;
mod types;

pub use mutation::PlansMutation;
pub use query::{PlansQuery, find};
pub use types::{Interval, IntervalUnit, Plan, PlanKind};
