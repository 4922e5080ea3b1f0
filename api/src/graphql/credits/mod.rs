mod mutation;
mod query;
pub mod types;

pub use mutation::CreditsMutation;
pub use query::{CreditsQuery, deposits_of, refunds_of};
pub use types::{Deposit, Refund};
