//! The schema of the platform, of every tenant and of RADIUS, and the runner that brings a database to it.
//!
//! Scripts only add (expand/contract): the application serves version N and N−1 of a tenant's schema, and types never
//! change in place ("cached plan must not change result type"). Scripts are run as simple-protocol text by an
//! administrator; the server's own connections never run any of this.

mod drift;
mod error;
mod installation;
mod logins;
mod runner;
mod scripts;
mod secret;
mod shared;
mod status;
mod tenant;

pub use drift::{Difference, Fingerprint};
pub use error::{Error, Result};
pub use installation::{Installation, role_password, secure_database};
pub use logins::{LOGIN_SEALED_FOR, logins, rotate_logins};
pub use runner::{Options, Progress, Report, run};
pub use scripts::{Plan, Script, TENANT_SCHEMA_VERSION, shared_steps};
pub use secret::{SealedBy, SecretKey, Unsealable};
pub use status::{Quarantined, Status, status};
pub use tenant::{TenantSchema, assign_cell, create_schema, schema_script};
