//! Credit notes: what an invoice charged and no longer does. Each references one invoice, is taxed as its lines were, and has
//! a number of its own gapless series. Append-only.
//!
//! [`issue_by_hand`] credits money: the service's time stays as it is. [`credit_time`] and [`credit_difference`] credit time
//! that is not given, or not at that price, and change what the invoice covers in the same transaction.

mod by_hand;
mod creditable;
mod entity;
mod issue;
mod queries;
mod time;

pub use by_hand::{CreditLine, IssueCreditNote, issue_by_hand};
pub use entity::{CreditNote, CreditNoteLine, CreditNoteTax};
pub use queries::{by_ids, find, get, lines_of, made_by, of_invoices, taxes_of};
pub use time::{PriceOfTime, charged_days, credit_charge, credit_difference, credit_one_time, credit_time, prices_from};
