//! Subscribers: the ISP's customers, each with an account number that is also the reference of its payments, and at most
//! one other subscriber that pays for it.
//!
//! Owns `subscriber`. Invariants: an account number never changes; a payer pays for others or has a payer, never both.

mod account_number;
mod address;
mod create;
pub mod entity;
mod events;
mod payer;
mod queries;
mod rules;
mod update;

pub use address::Address;
pub use create::{CreateSubscriber, create};
pub use entity::{Subscriber, SubscriberStatus, TaxClass};
pub use events::{SubscriberCreated, SubscriberUpdated};
pub use queries::{
    SubscriberFilter, SubscriberKey, SubscriberOrder, SubscriberSort, by_ids, count, find, get, list, lock, lock_all,
    lock_with_payers, look, with_payers,
};
pub use update::{UpdateSubscriber, update};
