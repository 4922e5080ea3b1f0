//! Double-entry bookkeeping. Owns `ledger_account`, `ledger_entry` and `ledger_transfer`.
//!
//! - An entry is a list of transfers, each of which names the account it debits and the account it credits: an unbalanced
//!   entry cannot be written down.
//! - An entry stands for one source, and a kind of entry is posted once per source (`UNIQUE (kind, source_id)`).
//! - Entries are append-only; what was wrong is mended by another entry.
//! - Subscribers' accounts keep running totals, so that a balance is one row; accounts that everyone shares do not, or each
//!   payment would queue for them.

mod account;
mod entry;
mod post;
mod queries;

pub use account::{Account, AccountKind};
pub use entry::{Entry, Transfer};
pub use post::{post, post_all};
pub use queries::{AccountTotals, Discrepancy, balance, balances, credit_in_hand, discrepancies, trial_balance};
