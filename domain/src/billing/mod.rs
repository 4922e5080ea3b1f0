//! Invoices, taxes, numbers, coverage. Owns `billing_settings`, `tax_*`, `number_series`, `invoice*`, `coverage`, `credit_application`.

pub mod rules;
