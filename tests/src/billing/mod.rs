//! Billing through the API: what invoices come to, their numbers, what they cover, and that the books agree with them.

mod agreement;
mod consolidated;
mod credit_notes;
mod debit_notes;
mod golden;
mod holdups;
mod invoices;
mod isp;
mod numbers;
mod periods;
mod preview;
mod registrations;
mod runs;
mod settings;
mod void;
