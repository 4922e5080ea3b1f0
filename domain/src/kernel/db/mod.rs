//! The database's walls. Tenant SQL runs on a [`TenantTx`] and on nothing else; platform SQL on a [`PlatformTx`]. The pools
//! and connections behind them are private to this module.

mod begin;
mod database;
mod lease;
mod platform_tx;
mod pool;
mod provision_tx;
mod sql;
mod tenant;
mod tenant_db;
mod tenant_tx;

pub use database::{Database, DatabaseSettings, Limits, rotate_logins};
pub use lease::Lease;
pub use platform_tx::PlatformTx;
pub use pool::PoolUse;
pub use provision_tx::ProvisionTx;
pub use sql::Sql;
pub use tenant::{Tenant, TenantRecord, TenantStatus};
pub use tenant_db::TenantDb;
pub use tenant_tx::TenantTx;
