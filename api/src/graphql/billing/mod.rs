mod invoice;
mod mutation;
mod query;
mod settings;

pub use invoice::{Invoice, InvoiceConnection};
pub use mutation::BillingMutation;
pub use query::{BillingQuery, find, invoices_of};
