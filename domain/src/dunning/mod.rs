//! Getting paid: what an ISP does about invoices that are not paid, and what it does not do.
//!
//! - The ladder: on set days before and after its due date an unpaid invoice is reminded of, once a step. Late fee, grace,
//!   suspension and termination are `BillingSettings`.
//! - A promise to pay covers the payer's open invoices that no other open promise covers; until its last day is over nobody
//!   is switched off for them. An invoice is in at most one open promise.
//! - The brake stops a run that would cut too many, or while payments wait for their subscriber; a collection hold, while
//!   some way to pay is down. What both come to are two instants in `billing_settings`: who is served is served until then.
//!
//! Owns `dunning_settings`, `dunning_notice`, `promise_to_pay`, `promise_invoice`, `collection_hold` and `dunning_brake`.
//! What is done to services is in `runs`.

mod brake;
pub mod entity;
pub mod events;
mod holds;
mod promises;
mod queries;
mod reminders;
pub mod rules;
mod settings;

pub use brake::{Outlook, brake_by_id, brakes, count_brakes, end_brake, keep_or_lift, release};
pub use entity::{Brake, BrakeReason, CollectionHold, Promise, PromiseStatus, Settings};
pub use holds::{CreateHold, Kept, apply_holds, hold_by_id, hold_create, hold_release, holds, last_kept, on_hold};
pub use promises::{by_id, cancel, count, find, judge, keep_paid, list, make, open_of, over, promised};
pub use queries::{Candidates, Owed, candidates, owed_for, served_subscribers};
pub use reminders::remind;
pub use settings::{UpdateDunning, settings, settings_update, settings_view};
