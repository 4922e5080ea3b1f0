//! What the suites stand on: one PostgreSQL per run, a database per test, the product in process.

mod cluster;
mod database;

pub use cluster::cluster;
pub use database::{SECRET, TestDb, TestTenant, connect, execute};
