mod ahead;
mod mutation;
mod query;
pub mod types;

pub use mutation::SubscribersMutation;
pub use query::{SubscribersQuery, find};
pub use types::{Address, AddressInput, Subscriber, SubscriberStatus};
