//! Money: payments, reversals and the books, use case by use case against PostgreSQL.

mod books;
mod isp;
mod record;
mod reverse;
mod rush;
mod sight;
