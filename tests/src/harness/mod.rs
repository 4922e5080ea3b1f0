//! What the suites stand on: one PostgreSQL per run, a database per test, the product in process.

mod app;
mod cluster;
mod database;
mod keeper;
mod process;
mod radius;
mod shop;

use std::path::{Path, PathBuf};

pub use app::{Answer, Ask, START, TestApp, Who};
pub use cluster::cluster;
pub use database::{PASSWORD, SECRET, TestDb, TestTenant, connect, execute, open_bare_tenant, secret_key, settings};
pub use process::{Process, binary, free_port};
pub use radius::{FreeRadius, Nas};
pub use shop::{FirstSubscriber, id, key};

/// The checkout.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// A setting of the run, such as the size of the storm.
pub fn env(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "settings of the test run, not of the product")]
    std::env::var(name).ok()
}
