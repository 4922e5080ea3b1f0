use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Row};

use crate::scripts::{PLATFORM, RADIUS, Script};
use crate::{Error, Installation, Result, tenant};

/// What a run did. A tenant that failed keeps its old version and is named here; the others are migrated.
#[derive(Debug, Default)]
pub struct Report {
    pub platform_steps: usize,
    pub tenants_migrated: usize,
    pub failed: Vec<(String, Error)>,
}

/// Brings the database behind `admin` to the current schema: platform and radius first, then every tenant.
/// Several processes may call it at once; an advisory lock lets one work and the others find it done.
pub async fn migrate(admin: &mut PgConnection, secret: &[u8]) -> Result<(Installation, Report)> {
    admin
        .execute("SELECT pg_advisory_lock(hashtext('trunkline.migrate'))")
        .await?;
    let outcome = locked(admin, secret).await;
    admin
        .execute("SELECT pg_advisory_unlock(hashtext('trunkline.migrate'))")
        .await?;
    outcome
}

async fn locked(admin: &mut PgConnection, secret: &[u8]) -> Result<(Installation, Report)> {
    let installation = Installation::found(admin, secret).await?;
    let mut report = Report::default();
    report.platform_steps += apply(admin, &installation, "platform", PLATFORM).await?;
    report.platform_steps += apply(admin, &installation, "radius", RADIUS).await?;
    let tenants = sqlx::query(
        "SELECT id, slug, role_name::text, schema_version FROM platform.tenant WHERE status <> 'ARCHIVED' ORDER BY id",
    )
    .fetch_all(&mut *admin)
    .await?;
    for row in tenants {
        let (id, slug, role, have): (i32, String, String, i32) =
            (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
        match tenant::upgrade(admin, id, &role, have).await {
            Ok(0) => {}
            Ok(_) => report.tenants_migrated += 1,
            Err(e) => report.failed.push((slug, e)),
        }
    }
    Ok((installation, report))
}

/// Applies the missing steps of a shared schema as its owner, each in its own transaction.
async fn apply(
    admin: &mut PgConnection,
    installation: &Installation,
    scope: &'static str,
    steps: &'static [Script],
) -> Result<usize> {
    let mut applied = 0;
    for step in steps {
        let known: Option<String> =
            sqlx::query_scalar("SELECT checksum FROM platform.migration WHERE scope = $1 AND version = $2")
                .bind(scope)
                .bind(step.version)
                .fetch_optional(&mut *admin)
                .await?;
        match known {
            Some(sum) if sum == step.checksum() => continue,
            Some(_) => {
                return Err(Error::Refused(format!(
                    "{scope}/{} was changed after it had been applied: add a new step instead",
                    step.name
                )));
            }
            None => {}
        }
        let mut tx = admin.begin().await?;
        tx.execute(AssertSqlSafe(format!("SET LOCAL ROLE {}", installation.owner)))
            .await?;
        tx.execute(AssertSqlSafe(installation.render(step.sql)))
            .await
            .map_err(|source| Error::Script {
                scope,
                name: step.name,
                source,
            })?;
        sqlx::query("INSERT INTO platform.migration (scope, version, name, checksum) VALUES ($1, $2, $3, $4)")
            .bind(scope)
            .bind(step.version)
            .bind(step.name)
            .bind(step.checksum())
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        applied += 1;
    }
    Ok(applied)
}
