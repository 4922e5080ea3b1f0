//! Money: payments, reversals and the books. Use case by use case (`record`, `reverse`, `rush`, `sight`), through the API
//! (`api`), and with the server killed in the middle (`kill`).

mod api;
pub(crate) mod books;
pub(crate) mod isp;
mod kill;
mod record;
mod reverse;
mod rush;
mod sight;
