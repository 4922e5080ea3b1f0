//! Money: payments, reversals, receipts and the books. Use case by use case (`record`, `reverse`, `rush`, `sight`), through the API
//! (`api`, `receipts`), and with the server killed in the middle (`kill`).

mod api;
pub(crate) mod books;
pub(crate) mod isp;
mod kill;
mod receipts;
mod record;
mod reverse;
mod rush;
mod sight;
