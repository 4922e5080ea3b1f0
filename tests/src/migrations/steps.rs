//! Steps that only the tests have, as a next release would bring them.

use sqlx::PgConnection;
use trunkline_migration::{Options, Plan, Script};

use crate::harness::{TestDb, cluster, secret_key};

/// What a release adds: a column, an index, a table with its grant.
pub const NEXT: Script = Script {
    version: 9001,
    name: "tenant/9001_next.sql",
    sql: "ALTER TABLE plan ADD COLUMN motto text NOT NULL DEFAULT 'ever faster' CHECK (motto <> '');
          CREATE INDEX plan_motto ON plan (motto);
          CREATE TABLE motto (id uuid PRIMARY KEY, text text NOT NULL);
          GRANT SELECT, INSERT ON motto TO {{tenant}};",
};

/// What no release may do, and what makes every statement prepared before it fail with 0A000: a type changed in place.
pub const RETYPED: Script = Script {
    version: 9002,
    name: "tenant/9002_retyped.sql",
    sql: "ALTER TABLE plan ALTER COLUMN name TYPE varchar(500);
          ALTER TABLE subscriber ALTER COLUMN name TYPE varchar(500);",
};

pub fn plan_with(steps: &[Script]) -> Plan {
    let mut plan = Plan::default();
    plan.tenant.extend_from_slice(steps);
    plan
}

pub fn options(db: &TestDb, steps: &[Script]) -> Options {
    let url = cluster().admin_url(&db.name);
    let mut options = Options::new(url.parse().unwrap(), secret_key());
    options.plan = plan_with(steps);
    options
}

/// Slugs of the ISPs that have a step.
pub async fn having(admin: &mut PgConnection, step: &Script) -> Vec<String> {
    sqlx::query_scalar(
        "SELECT slug FROM platform.tenant t JOIN platform.tenant_migration m ON m.tenant_id = t.id
         WHERE m.version = $1 ORDER BY t.id",
    )
    .bind(step.version)
    .fetch_all(admin)
    .await
    .unwrap()
}

pub async fn quarantined(admin: &mut PgConnection) -> Vec<(String, String, i32)> {
    sqlx::query_as(
        "SELECT slug, error, attempts FROM platform.tenant_quarantine q JOIN platform.tenant t ON t.id = q.tenant_id ORDER BY t.id",
    )
    .fetch_all(admin)
    .await
    .unwrap()
}
