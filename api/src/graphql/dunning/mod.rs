mod brake;
mod mutation;
mod query;
mod types;

pub use mutation::DunningMutation;
pub use query::DunningQuery;
