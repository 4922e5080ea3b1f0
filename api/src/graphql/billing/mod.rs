mod credit_note;
mod debit_note;
mod draft;
mod invoice;
mod mutation;
mod preview;
mod query;
mod run;
mod settings;
mod template;
mod withholding;

pub use credit_note::CreditNote;
pub use draft::{InvoiceDraftMutation, InvoiceDraftQuery};
pub use invoice::{Invoice, InvoiceConnection, TaxAmount};
pub use mutation::BillingMutation;
pub use preview::InvoicePreviewQuery;
pub use query::{BillingQuery, find, find_credit_note, invoices_of};
pub use run::{BillingRun, find as find_run};
