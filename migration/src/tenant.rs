use sqlx::{AssertSqlSafe, Executor, PgConnection};

use crate::installation::set_password;
use crate::scripts::TENANT;
use crate::{Error, Installation, Result};

/// A tenant's own schema and role, which share one name.
#[derive(Clone, Debug)]
pub struct TenantSchema {
    pub tenant_id: i32,
    pub role: String,
    pub cell_id: i32,
}

/// A cell with room for one more tenant, made if all are full. Call it in the provisioning transaction.
pub async fn assign_cell(conn: &mut PgConnection, installation: &Installation, secret: &[u8]) -> Result<i32> {
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
    set_password(conn, &role, secret).await?;
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
        "CREATE ROLE {role} NOLOGIN IN ROLE {group}; GRANT {role} TO {cell_login};
         CREATE SCHEMA {role}; GRANT USAGE ON SCHEMA {role} TO {role}; SET LOCAL search_path = {role};\n",
        group = installation.tenants,
    );
    for step in TENANT {
        script.push_str(&render(step.sql, &role));
        script.push_str(&format!(
            "\nINSERT INTO platform.tenant_migration (tenant_id, version, checksum) VALUES ({tenant_id}, {}, '{}');\n",
            step.version,
            step.checksum()
        ));
    }
    script.push_str(&format!(
        "INSERT INTO platform.tenant_role (role, tenant_id) VALUES ('{role}', {tenant_id}); SET LOCAL search_path = pg_catalog;"
    ));
    script
}

/// Applies the steps that one tenant lacks, in one transaction of its own.
pub(crate) async fn upgrade(conn: &mut PgConnection, tenant_id: i32, role: &str, have: i32) -> Result<usize> {
    use sqlx::Connection;
    let missing: Vec<_> = TENANT.iter().filter(|s| s.version > have).collect();
    if missing.is_empty() {
        return Ok(0);
    }
    let mut tx = conn.begin().await?;
    tx.execute(AssertSqlSafe(format!(
        "SET LOCAL lock_timeout = '2s'; SET LOCAL search_path = {role}"
    )))
    .await?;
    for step in &missing {
        tx.execute(AssertSqlSafe(render(step.sql, role)))
            .await
            .map_err(|source| Error::Script {
                scope: "tenant",
                name: step.name,
                source,
            })?;
        sqlx::query("INSERT INTO platform.tenant_migration (tenant_id, version, checksum) VALUES ($1, $2, $3)")
            .bind(tenant_id)
            .bind(step.version)
            .bind(step.checksum())
            .execute(&mut *tx)
            .await?;
        sqlx::query("UPDATE platform.tenant SET schema_version = $2 WHERE id = $1")
            .bind(tenant_id)
            .bind(step.version)
            .execute(&mut *tx)
            .await?;
    }
    tx.commit().await?;
    Ok(missing.len())
}

fn render(sql: &str, role: &str) -> String {
    sql.replace("{{tenant}}", role).replace("{{schema}}", role)
}
