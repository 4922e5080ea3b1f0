//! The books as accountants see them: trial balance, accounts, statements, closing, balances brought along, and the journal as
//! hledger and beancount read it.

mod close;
mod export;
mod journal;
mod opening;
mod shop;
mod statement;
