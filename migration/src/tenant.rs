use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

use crate::logins;
use crate::scripts::{Script, TENANT};
use crate::{Error, Installation, Result, SecretKey};

/// A tenant's own schema and role, which share one name.
#[derive(Clone, Debug)]
pub struct TenantSchema {
    pub tenant_id: i32,
    pub role: String,
    pub cell_id: i32,
}

/// A cell with room for one more tenant, made if all are full. Call it in the provisioning transaction.
pub async fn assign_cell(conn: &mut PgConnection, installation: &Installation, secret: &SecretKey) -> Result<i32> {
    sqlx::query("SELECT pg_advisory_xact_lock(hashtext('trunkline.cell'))")
        .execute(&mut *conn)
        .await?;
    let free: Option<i32> = sqlx::query_scalar(
        "SELECT c.id FROM platform.cell c WHERE (SELECT count(*) FROM platform.tenant t WHERE t.cell_id = c.id) < c.capacity
         ORDER BY c.id LIMIT 1",
    )
    .fetch_optional(&mut *conn)
    .await?;
    if let Some(id) = free {
        return Ok(id);
    }
    let id: i32 = sqlx::query_scalar("SELECT coalesce(max(id), 0) + 1 FROM platform.cell")
        .fetch_one(&mut *conn)
        .await?;
    let role = installation.cell_role(id);
    conn.execute(AssertSqlSafe(format!(
        "CREATE ROLE \"{role}\" LOGIN NOINHERIT; INSERT INTO platform.cell (id, login_role) VALUES ({id}, '{role}')"
    )))
    .await?;
    logins::first(conn, &role, secret).await?;
    Ok(id)
}

/// Makes the tenant's role and schema with all its tables, inside the caller's transaction. The row in `platform.tenant`
/// must exist with its role's name.
pub async fn create_schema(
    conn: &mut PgConnection,
    installation: &Installation,
    tenant_id: i32,
    cell_id: i32,
) -> Result<TenantSchema> {
    let role = installation.tenant_role(tenant_id);
    let cell_login: String = sqlx::query_scalar("SELECT quote_ident(login_role) FROM platform.cell WHERE id = $1")
        .bind(cell_id)
        .fetch_one(&mut *conn)
        .await?;
    let script = schema_script(installation, tenant_id, &cell_login);
    conn.execute(AssertSqlSafe(script)).await.map_err(|source| Error::Script {
        scope: "tenant",
        name: "baseline",
        source,
    })?;
    Ok(TenantSchema {
        tenant_id,
        role,
        cell_id,
    })
}

/// All statements that make a tenant's role and schema, for a cell whose login role is `cell_login`.
pub fn schema_script(installation: &Installation, tenant_id: i32, cell_login: &str) -> String {
    let role = installation.tenant_role(tenant_id);
    let mut script = format!(
        "{}GRANT {role} TO {cell_login};\n",
        objects_script(installation, &role, TENANT)
    );
    for step in TENANT {
        script.push_str(&record(tenant_id, step));
    }
    script.push_str(&format!(
        "INSERT INTO platform.tenant_role (role, tenant_id) VALUES ('{role}', {tenant_id}); SET LOCAL search_path = pg_catalog;"
    ));
    script
}

/// The role, the schema and everything in it, and no row anywhere.
pub(crate) fn objects_script(installation: &Installation, role: &str, steps: &[Script]) -> String {
    let mut script = format!(
        "CREATE ROLE {role} NOLOGIN IN ROLE {group};
         CREATE SCHEMA {role}; GRANT USAGE ON SCHEMA {role} TO {role}; SET LOCAL search_path = {role};\n",
        group = installation.tenants,
    );
    for step in steps {
        script.push_str(&render(step.sql, role));
        script.push_str("\n;\n");
    }
    script
}

fn record(tenant_id: i32, step: &Script) -> String {
    format!(
        "INSERT INTO platform.tenant_migration (tenant_id, version, checksum) VALUES ({tenant_id}, {}, '{}');\n",
        step.version,
        step.checksum()
    )
}

/// A tenant that lacks steps.
#[derive(Clone, Debug)]
pub(crate) struct Lagging {
    pub id: i32,
    pub slug: String,
    pub role: String,
    /// How often it was tried by this run.
    pub attempts: u32,
}

/// What came of one attempt to bring a tenant up.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Upgrade {
    Done,
    /// Another runner had done it.
    Current,
    /// Another runner is at it.
    Busy,
    /// Another runner that works at the same time has failed with it.
    FailedElsewhere(String),
}

/// Applies the steps that one tenant lacks, in one transaction of its own that no other runner can be in.
pub(crate) async fn upgrade(
    conn: &mut PgConnection,
    tenant: &Lagging,
    steps: &[Script],
    lock_timeout: Duration,
    run_began: DateTime<Utc>,
) -> Result<Upgrade> {
    let begin = format!(
        "BEGIN; SET LOCAL lock_timeout = '{}ms'; SET LOCAL search_path = {}",
        lock_timeout.as_millis(),
        tenant.role
    );
    let mut tx = conn.begin_with(AssertSqlSafe(begin)).await?;
    let outcome = locked(&mut tx, tenant, steps, run_began).await;
    match outcome {
        Ok(Upgrade::Done) => tx.commit().await?,
        // At once: the lock is in the way of others.
        _ => drop(tx.rollback().await),
    }
    outcome
}

async fn locked(conn: &mut PgConnection, tenant: &Lagging, steps: &[Script], run_began: DateTime<Utc>) -> Result<Upgrade> {
    let ours: bool = sqlx::query_scalar("SELECT pg_try_advisory_xact_lock(hashtext('trunkline.tenant_migration'), $1)")
        .bind(tenant.id)
        .fetch_one(&mut *conn)
        .await?;
    if !ours {
        return Ok(Upgrade::Busy);
    }
    // A statement of its own: it must see what the last holder of the lock has committed.
    let (applied, failed): (Vec<i32>, Option<String>) = sqlx::query_as(
        "SELECT ARRAY(SELECT version FROM platform.tenant_migration WHERE tenant_id = $1),
                (SELECT error FROM platform.tenant_quarantine WHERE tenant_id = $1 AND tried_at > $2)",
    )
    .bind(tenant.id)
    .bind(run_began)
    .fetch_one(&mut *conn)
    .await?;
    if let Some(error) = failed {
        return Ok(Upgrade::FailedElsewhere(error));
    }
    let missing: Vec<&Script> = steps.iter().filter(|s| !applied.contains(&s.version)).collect();
    let Some(newest) = missing.iter().map(|s| s.version).max() else {
        return Ok(Upgrade::Current);
    };
    for step in missing {
        let script = format!("{}\n;{}", render(step.sql, &tenant.role), record(tenant.id, step));
        conn.execute(AssertSqlSafe(script)).await.map_err(|source| Error::Script {
            scope: "tenant",
            name: step.name,
            source,
        })?;
    }
    conn.execute(AssertSqlSafe(format!(
        "UPDATE platform.tenant SET schema_version = greatest(schema_version, {newest}) WHERE id = {id};
         DELETE FROM platform.tenant_quarantine WHERE tenant_id = {id}",
        id = tenant.id
    )))
    .await?;
    Ok(Upgrade::Done)
}

/// Sets a failing tenant aside, unless another runner has helped it meanwhile.
pub(crate) async fn quarantine(conn: &mut PgConnection, tenant: &Lagging, steps: &[Script], error: &Error) -> Result<()> {
    let step = match error {
        Error::Script { name, .. } => steps.iter().find(|s| s.name == *name),
        _ => None,
    };
    let step = step.or(steps.last());
    sqlx::query(
        "INSERT INTO platform.tenant_quarantine AS q (tenant_id, version, step, error)
         SELECT $1, $2, $3, $4 WHERE NOT EXISTS (SELECT FROM platform.tenant_migration WHERE tenant_id = $1 AND version = $2)
         ON CONFLICT (tenant_id) DO UPDATE SET version = excluded.version, step = excluded.step, error = excluded.error,
             tried_at = clock_timestamp(), attempts = q.attempts + 1",
    )
    .bind(tenant.id)
    .bind(step.map_or(0, |s| s.version))
    .bind(step.map_or("", |s| s.name))
    .bind(cause(error))
    .execute(conn)
    .await?;
    Ok(())
}

/// PostgreSQL's own words, without ours around them.
pub(crate) fn cause(error: &Error) -> String {
    match error {
        Error::Script {
            source: sqlx::Error::Database(d),
            ..
        }
        | Error::Database(sqlx::Error::Database(d)) => {
            format!("{} ({})", d.message(), d.code().unwrap_or_default())
        }
        other => other.to_string(),
    }
}

fn render(sql: &str, role: &str) -> String {
    sql.replace("{{tenant}}", role).replace("{{schema}}", role)
}
