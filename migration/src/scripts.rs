use sha2::{Digest, Sha256};

/// One step of one schema, applied once, in order of `version`.
#[derive(Clone, Copy, Debug)]
pub struct Script {
    pub version: i32,
    pub name: &'static str,
    pub sql: &'static str,
}

macro_rules! scripts {
    ($($version:literal $path:literal),* $(,)?) => {
        &[$(Script { version: $version, name: $path, sql: include_str!($path) }),*]
    };
}

pub(crate) const PLATFORM: &[Script] = scripts![
    1 "platform/0001_init.sql",
    2 "platform/0002_sessions.sql",
];

pub(crate) const RADIUS: &[Script] = scripts![
    1 "radius/0001_tables.sql",
    2 "radius/0002_functions.sql",
    3 "radius/0003_accounting.sql",
    4 "radius/0004_maintenance.sql",
];

pub(crate) const TENANT: &[Script] = scripts![
    1 "tenant/0001_init.sql",
    2 "tenant/0002_sessions.sql",
    3 "tenant/0003_roles_and_invitations.sql",
];

/// Steps of the shared schemas: a database that has them all is current.
pub const SHARED_STEPS: i64 = (PLATFORM.len() + RADIUS.len()) as i64;

/// The version that a freshly provisioned tenant has.
pub const TENANT_SCHEMA_VERSION: i32 = TENANT[TENANT.len() - 1].version;

impl Script {
    /// Fingerprint by which an applied script that was edited afterwards is recognised.
    pub fn checksum(&self) -> String {
        hex::encode(Sha256::digest(self.sql.as_bytes()))
    }
}
