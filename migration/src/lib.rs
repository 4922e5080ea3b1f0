//! The schema of the platform, of every tenant and of RADIUS, and the runner that brings a database to it.
//!
//! Scripts only add (expand/contract): the application serves version N and N−1 of a tenant's schema, and types never
//! change in place ("cached plan must not change result type"). Scripts are run as simple-protocol text by an
//! administrator; the server's own connections never run any of this.

mod error;
mod installation;
mod runner;
mod scripts;
mod tenant;

pub use error::{Error, Result};
pub use installation::{Installation, role_password, secure_database};
pub use runner::{Report, migrate};
pub use scripts::{SHARED_STEPS, Script, TENANT_SCHEMA_VERSION};
pub use tenant::{TenantSchema, assign_cell, create_schema, schema_script};
