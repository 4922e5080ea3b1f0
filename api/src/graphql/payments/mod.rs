mod mutation;
mod query;
mod receipt;
pub mod types;

pub use mutation::PaymentsMutation;
pub use query::{PaymentsQuery, balance_of, find, payments_of};
pub use types::{Payment, PaymentConnection};
