use sha2::{Digest, Sha256};

/// One step of one schema, applied once, in order of `version`. Numbers may have gaps, and on a database of development
/// they may arrive out of order: what a schema lacks is found by the steps that are recorded, not by the highest.
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
    3 "platform/0003_people.sql",
    4 "platform/0004_quarantine.sql",
    5 "platform/0005_jobs.sql",
    14 "platform/0014_login.sql",
    15 "platform/0015_dispatch.sql",
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
    13 "tenant/0013_membership.sql",
    20 "tenant/0020_credit_notes.sql",
    21 "tenant/0021_billing_runs.sql",
    23 "tenant/0023_books.sql",
    26 "tenant/0026_plan_versions.sql",
    27 "tenant/0027_addons.sql",
    28 "tenant/0028_discounts.sql",
    29 "tenant/0029_terms.sql",
    30 "tenant/0030_invoice_template.sql",
    31 "tenant/0031_dunning.sql",
    32 "tenant/0032_brake.sql",
    34 "tenant/0034_credit.sql",
    35 "tenant/0035_debit_notes_and_void.sql",
    38 "tenant/0038_receipts.sql",
    40 "tenant/0040_run_hour.sql",
    42 "tenant/0042_bill_to.sql",
    43 "tenant/0043_tax_class.sql",
    44 "tenant/0044_parties.sql",
    45 "tenant/0045_withholding.sql",
    55 "tenant/0055_pauses.sql",
    60 "tenant/0060_term_put_off.sql",
    61 "tenant/0061_service_bond.sql",
    62 "tenant/0062_invoice_draft.sql",
];

/// The steps of the shared schemas that this binary needs, as `(scope, version)`.
pub fn shared_steps() -> impl Iterator<Item = (&'static str, i32)> {
    let scoped = |scope, steps: &'static [Script]| steps.iter().map(move |s| (scope, s.version));
    scoped("platform", PLATFORM).chain(scoped("radius", RADIUS))
}

/// The version that a freshly provisioned tenant has.
pub const TENANT_SCHEMA_VERSION: i32 = TENANT[TENANT.len() - 1].version;

/// Which steps a run brings a database to. The product's own by default; tests add steps of their own.
#[derive(Clone, Debug)]
pub struct Plan {
    pub platform: Vec<Script>,
    pub radius: Vec<Script>,
    pub tenant: Vec<Script>,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            platform: PLATFORM.to_vec(),
            radius: RADIUS.to_vec(),
            tenant: TENANT.to_vec(),
        }
    }
}

impl Plan {
    pub(crate) fn shared(&self) -> [(&'static str, &[Script]); 2] {
        [("platform", &self.platform), ("radius", &self.radius)]
    }

    pub(crate) fn tenant_versions(&self) -> Vec<i32> {
        self.tenant.iter().map(|s| s.version).collect()
    }
}

impl Script {
    /// Fingerprint by which an applied script that was edited afterwards is recognised.
    pub fn checksum(&self) -> String {
        hex::encode(Sha256::digest(self.sql.as_bytes()))
    }
}
