//! What the suites stand on: one PostgreSQL per run, a database per test, the product in process.

mod cluster;
mod database;

use std::path::{Path, PathBuf};

pub use cluster::cluster;
pub use database::{SECRET, TestDb, TestTenant, connect, execute, open_bare_tenant, settings};

/// The checkout.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// A setting of the run, such as the size of the storm.
pub fn env(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "settings of the test run, not of the product")]
    std::env::var(name).ok()
}
