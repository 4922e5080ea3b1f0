use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

use crate::error::Fault;
use crate::runner::{Options, Progress};
use crate::scripts::Script;
use crate::{Error, Installation, Result, logins};

/// Founds the installation if need be and applies what `platform` and `radius` lack. One runner at a time; the others wait
/// and find it done.
pub(crate) async fn migrate(conn: &mut PgConnection, options: &Options) -> Result<(Installation, usize)> {
    conn.execute("SELECT pg_advisory_lock(hashtext('trunkline.migrate'))").await?;
    let outcome = locked(conn, options).await;
    conn.execute("SELECT pg_advisory_unlock(hashtext('trunkline.migrate'))")
        .await?;
    outcome
}

async fn locked(conn: &mut PgConnection, options: &Options) -> Result<(Installation, usize)> {
    let installation = Installation::found(conn).await?;
    let mut applied = 0;
    for (scope, steps) in options.plan.shared() {
        for step in steps {
            if is_applied(conn, scope, step).await? {
                continue;
            }
            patiently(conn, options, &installation, scope, step).await?;
            (options.progress)(&Progress::Step { scope, name: step.name });
            applied += 1;
        }
    }
    logins::ensure(conn, &installation, &options.secret).await?;
    Ok((installation, applied))
}

async fn is_applied(conn: &mut PgConnection, scope: &str, step: &Script) -> Result<bool> {
    let known: Option<String> = sqlx::query_scalar("SELECT checksum FROM platform.migration WHERE scope = $1 AND version = $2")
        .bind(scope)
        .bind(step.version)
        .fetch_optional(conn)
        .await?;
    match known {
        Some(sum) if sum != step.checksum() => Err(Error::Refused(format!(
            "{scope}/{} was changed after it had been applied: add a new step instead",
            step.name
        ))),
        known => Ok(known.is_some()),
    }
}

/// A step that waits for a lock makes everybody else wait behind it: short waits, and several of them.
async fn patiently(
    conn: &mut PgConnection,
    options: &Options,
    installation: &Installation,
    scope: &'static str,
    step: &Script,
) -> Result<()> {
    let mut attempts = 0;
    loop {
        attempts += 1;
        match apply(conn, installation, scope, step, options.lock_timeout).await {
            Err(e) if e.fault() == Fault::Locked && attempts < options.attempts => {
                (options.progress)(&Progress::Waits { what: scope, error: &e });
                tokio::time::sleep(options.pause(attempts)).await;
            }
            other => return other,
        }
    }
}

/// One step as the schema's owner, in a transaction of its own.
async fn apply(
    conn: &mut PgConnection,
    installation: &Installation,
    scope: &'static str,
    step: &Script,
    lock_timeout: Duration,
) -> Result<()> {
    let begin = format!(
        "BEGIN; SET LOCAL lock_timeout = '{}ms'; SET LOCAL ROLE {}",
        lock_timeout.as_millis(),
        installation.owner
    );
    let mut tx = conn.begin_with(AssertSqlSafe(begin)).await?;
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
    Ok(tx.commit().await?)
}
