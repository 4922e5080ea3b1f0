mod mutation;
mod query;
pub mod types;

pub use mutation::DiscountsMutation;
pub use query::DiscountsQuery;
pub use types::ServiceDiscount;
