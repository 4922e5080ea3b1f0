mod mutation;
mod query;
mod types;

pub use mutation::SubscribersMutation;
pub use query::{SubscribersQuery, find};
pub use types::{Address, AddressInput, Subscriber, SubscriberStatus};
