mod account;
mod mutation;
mod query;
mod statement;
pub mod types;

pub use mutation::LedgerMutation;
pub use query::LedgerQuery;
