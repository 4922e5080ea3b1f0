//! Double-entry bookkeeping. Owns `ledger_account`, `ledger_entry`, `ledger_transfer` and `ledger_close`.
//!
//! - An entry is a list of transfers, each of which names the account it debits and the account it credits: an unbalanced
//!   entry cannot be written down.
//! - An entry stands for one source, and a kind of entry is posted once per source (`UNIQUE (kind, source_id)`).
//! - Entries are append-only; what was wrong is mended by another entry.
//! - A day that is closed takes no entry: a policy of `ledger_entry` says so.
//! - Subscribers' accounts keep running totals, so that a balance is one row; accounts that everyone shares do not, or each
//!   payment would queue for them.

mod account;
mod accounts;
mod entry;
mod names;
mod period;
mod post;
mod queries;
mod trial;

pub use account::{Account, AccountKind};
pub use accounts::{
    AccountFilter, Days, END, LedgerAccount, Posting, PostingKey, Turnover, accounts, count_accounts, count_postings,
    find_account, postings, start, turnovers,
};
pub use entry::{Entry, Transfer};
pub use names::account_name;
pub use period::{
    ClosePeriod, LedgerPeriodChanged, PeriodChange, ReopenPeriod, closed_through, period_close, period_reopen, periods,
    require_open,
};
pub use post::{post, post_all};
pub use queries::{AccountTotals, Discrepancy, balance, balances, credit_in_hand, credits_in_hand, discrepancies, totals};
pub use trial::{TrialBalance, TrialLine, trial_balance};
