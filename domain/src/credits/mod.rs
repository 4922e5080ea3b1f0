//! Subscribers' money that no invoice has taken: paid back, moved between subscribers of one customer, and held as deposits.
//!
//! - Nobody's credit goes below nothing: it changes under its subscriber's lock, and is looked at under it.
//! - A deposit is a liability from its invoice on; what goes back of it becomes credit, which settles what is owed before
//!   anything is paid out.
//!
//! Owns `refund`, `credit_transfer`, `deposit` and `deposit_return`.

mod deposit;
pub mod entity;
pub mod events;
mod queries;
mod refund;
mod transfer;

pub use deposit::{ChargeDeposit, PayOut, ReturnDeposit, deposit_charge, deposit_return, set_off};
pub use entity::{CreditTransfer, Deposit, Refund};
pub use queries::{deposits_of, find_deposit, find_refund, refunds_of};
pub use refund::{RefundCredit, credit_refund};
pub use transfer::{TransferCredit, credit_transfer};
