//! Billing through the API: what invoices come to, their numbers, what they cover, and that the books agree with them.

mod agreement;
mod classes;
mod consolidated;
mod credit_notes;
mod debit_notes;
mod drafts;
mod golden;
mod holdups;
mod invoices;
mod isp;
mod late_fees;
mod numbers;
mod periods;
mod preview;
mod registrations;
mod runs;
mod settings;
mod void;
mod withholding;
