//! Whether a schema is still what its steps made of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

use crate::installation::FOUNDATION;
use crate::scripts::Script;
use crate::tenant::objects_script;
use crate::{Installation, Result};

/// What a schema consists of: by kind and name, how each thing is defined. Names of roles and of the schema itself are
/// left out of it, so that two tenants can be compared, or two installations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fingerprint(BTreeMap<(String, String), BTreeSet<String>>);

/// A thing that is not as its schema's steps made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Such as `index plan_extra`.
    pub thing: String,
    /// As the steps make it; none if they do not.
    pub wanted: Option<String>,
    /// As it is; none if it is not there.
    pub found: Option<String>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let thing = &self.thing;
        match (&self.wanted, &self.found) {
            (Some(_), None) => write!(f, "{thing} is missing"),
            (None, Some(found)) if found.is_empty() => write!(f, "{thing} was added"),
            (None, Some(found)) => write!(f, "{thing} was added: {found}"),
            (Some(wanted), Some(found)) => write!(f, "{thing} is {found:?} instead of {wanted:?}"),
            (None, None) => write!(f, "{thing}"),
        }
    }
}

impl Fingerprint {
    /// Of a schema as it is.
    pub async fn of(conn: &mut PgConnection, installation: &Installation, schema: &str) -> Result<Self> {
        // By index: the catalogue of a thousand ISPs is large, and one schema is little of it.
        conn.execute(
            "SET search_path = pg_catalog; SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off",
        )
        .await?;
        let prefix = installation.owner.trim_end_matches("owner").to_owned();
        let rows: Vec<(String, String, Option<String>)> = sqlx::query_as(include_str!("fingerprint.sql"))
            .bind(schema)
            .bind(prefix)
            .fetch_all(&mut *conn)
            .await?;
        let mut things: BTreeMap<_, BTreeSet<String>> = BTreeMap::new();
        for (kind, name, definition) in rows {
            things.entry((kind, name)).or_default().insert(definition.unwrap_or_default());
        }
        Ok(Self(things))
    }

    /// As `steps` make a tenant's schema. It is made and rolled back.
    pub async fn of_tenant_steps(conn: &mut PgConnection, installation: &Installation, steps: &[Script]) -> Result<Self> {
        // Numbers of tenants begin at 1.
        let role = installation.tenant_role(0);
        let mut tx = conn.begin_with("BEGIN; SET LOCAL lock_timeout = '5s'").await?;
        tx.execute(AssertSqlSafe(objects_script(installation, &role, steps))).await?;
        let made = Self::of(&mut tx, installation, &role).await;
        tx.rollback().await?;
        made
    }

    /// As their steps make `platform` and `radius`. The real ones are moved aside in a transaction that is rolled back:
    /// the scripts name their schemas, and grants are compared with the same roles.
    pub async fn of_shared_steps(
        conn: &mut PgConnection,
        installation: &Installation,
        platform: &[Script],
        radius: &[Script],
    ) -> Result<[Self; 2]> {
        let owner = &installation.owner;
        let mut tx = conn.begin_with("BEGIN; SET LOCAL lock_timeout = '5s'").await?;
        tx.execute(AssertSqlSafe(format!(
            "ALTER SCHEMA platform RENAME TO platform_aside; ALTER SCHEMA radius RENAME TO radius_aside;
             CREATE SCHEMA platform AUTHORIZATION {owner}; CREATE SCHEMA radius AUTHORIZATION {owner};
             {}; SET LOCAL ROLE {owner};",
            installation.render(FOUNDATION)
        )))
        .await?;
        for step in platform.iter().chain(radius) {
            tx.execute(AssertSqlSafe(installation.render(step.sql))).await?;
        }
        tx.execute("RESET ROLE").await?;
        let made = [
            Self::of(&mut tx, installation, "platform").await,
            Self::of(&mut tx, installation, "radius").await,
        ];
        tx.rollback().await?;
        let [platform, radius] = made;
        Ok([platform?, radius?])
    }

    /// What differs from the schema that the steps make.
    pub fn differences(&self, baseline: &Self) -> Vec<Difference> {
        let things: BTreeSet<_> = self.0.keys().chain(baseline.0.keys()).collect();
        let text = |of: Option<&BTreeSet<String>>| of.map(|all| all.iter().map(String::as_str).collect::<Vec<_>>().join("; "));
        things
            .into_iter()
            .filter(|thing| self.0.get(thing) != baseline.0.get(thing))
            .map(|thing| Difference {
                thing: format!("{} {}", thing.0, thing.1),
                wanted: text(baseline.0.get(thing)),
                found: text(self.0.get(thing)),
            })
            .collect()
    }
}
