mod mutation;
mod query;
mod terms;
pub mod types;
mod versions;

pub use mutation::PlansMutation;
pub use query::{PlansQuery, find};
pub use types::{Interval, IntervalUnit, Plan, PlanKind};
pub use versions::PlanVersion;
