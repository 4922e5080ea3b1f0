//! Passwords of the installation's login roles.

use std::collections::HashMap;

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

use crate::{Error, Installation, Result, SecretKey, role_password};

/// What [`SecretKey::seal`] seals them for; the context is the role.
pub const LOGIN_SEALED_FOR: &str = "database login";

/// Gives every login role that has no password on record its first one.
pub(crate) async fn ensure(conn: &mut PgConnection, installation: &Installation, secret: &SecretKey) -> Result<()> {
    let there: bool = sqlx::query_scalar("SELECT to_regclass('platform.login') IS NOT NULL")
        .fetch_one(&mut *conn)
        .await?;
    if !there {
        return Ok(());
    }
    let roles: Vec<String> = sqlx::query_scalar(
        "SELECT role FROM (SELECT login_role::text AS role FROM platform.cell UNION ALL VALUES ($1), ($2)) r
         WHERE role NOT IN (SELECT role::text FROM platform.login)",
    )
    .bind(&installation.platform)
    .bind(&installation.radiusd)
    .fetch_all(&mut *conn)
    .await?;
    let mut tx = conn.begin().await?;
    for role in roles {
        first(&mut tx, &role, secret).await?;
    }
    Ok(tx.commit().await?)
}

/// In the caller's transaction. The first password is derived from the secret key, as all were before there was a record: replicas of that time go on.
pub(crate) async fn first(conn: &mut PgConnection, role: &str, secret: &SecretKey) -> Result<()> {
    set(conn, role, &role_password(secret.bytes(), role), secret).await
}

/// In the caller's transaction: role and record change together.
async fn set(conn: &mut PgConnection, role: &str, password: &str, secret: &SecretKey) -> Result<()> {
    let sealed = secret
        .seal(LOGIN_SEALED_FOR, role, password.as_bytes())
        .map_err(|e| Error::Refused(e.to_string()))?;
    conn.execute(AssertSqlSafe(format!("ALTER ROLE \"{role}\" PASSWORD '{password}'")))
        .await?;
    sqlx::query(
        "INSERT INTO platform.login (role, sealed) VALUES ($1::name, $2)
         ON CONFLICT (role) DO UPDATE SET sealed = excluded.sealed, set_at = now()",
    )
    .bind(role)
    .bind(sealed)
    .execute(conn)
    .await?;
    Ok(())
}

/// The passwords by role.
pub async fn logins(conn: &mut PgConnection, secret: &SecretKey) -> Result<HashMap<String, String>> {
    let rows: Vec<(String, Vec<u8>)> = sqlx::query_as("SELECT role::text, sealed FROM platform.login")
        .fetch_all(conn)
        .await?;
    rows.into_iter()
        .map(|(role, sealed)| {
            let password = secret
                .open(LOGIN_SEALED_FOR, &role, &sealed)
                .and_then(|p| String::from_utf8(p).ok());
            let password = password.ok_or_else(|| {
                Error::Refused(format!(
                    "the secret key does not open the password of {role}: give the key that this installation was last \
                     resealed with, as TRUNKLINE_SECRET_KEY or TRUNKLINE_SECRET_KEY_PREVIOUS"
                ))
            })?;
            Ok((role, password))
        })
        .collect()
}

/// Gives the login roles new, random passwords; FreeRADIUS' only if asked, since it has to be told. Replicas that run find
/// out when they are refused, and read the new one.
pub async fn rotate_logins(conn: &mut PgConnection, secret: &SecretKey, radius: bool) -> Result<Vec<String>> {
    let installation = Installation::load(conn)
        .await?
        .ok_or_else(|| Error::Refused("the database has not been migrated: run `trunkline migrate`".into()))?;
    let roles: Vec<String> =
        sqlx::query_scalar("SELECT role::text FROM platform.login WHERE $1 OR role <> $2::name ORDER BY role")
            .bind(radius)
            .bind(&installation.radiusd)
            .fetch_all(&mut *conn)
            .await?;
    let mut tx = conn.begin().await?;
    for role in &roles {
        let password = hex::encode(rand::random::<[u8; 32]>());
        set(&mut tx, role, &password, secret).await?;
    }
    tx.commit().await?;
    Ok(roles)
}
