use sqlx::pool::PoolConnection;
use sqlx::{AssertSqlSafe, Connection, PgPool, Postgres, SqlSafeStr};
use sqlx_core::transaction::TransactionManager;

use crate::kernel::error::Result;

type Manager = <Postgres as sqlx::Database>::TransactionManager;

/// Holds a connection while its transaction begins. sqlx counts a transaction only after BEGIN has returned: a future that
/// is dropped before that would put the connection back into the pool inside somebody's transaction. Until disarmed, the
/// connection is closed instead.
struct Guard(Option<PoolConnection<Postgres>>);

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(conn) = self.0.as_mut() {
            conn.close_on_drop();
        }
    }
}

/// Takes a connection and begins a transaction on it with one message. Safe to cancel at any point, unless `guarded` is
/// false: that is the control of the cancellation test, which must see connections leak. Connections that broke while they
/// lay in the pool are passed over: when PostgreSQL was restarted, nobody has to hear of it.
pub(super) async fn begin(pool: &PgPool, prologue: &str, guarded: bool) -> Result<PoolConnection<Postgres>> {
    let mut broken = 0;
    loop {
        let statement = Some(AssertSqlSafe(prologue.to_owned()).into_sql_str());
        let mut conn = pool.acquire().await?;
        if !guarded {
            Manager::begin(&mut conn, statement).await?;
            return Ok(conn);
        }
        let mut guard = Guard(Some(conn));
        let Some(conn) = guard.0.as_mut() else {
            return Err(crate::Error::internal("connection lost while beginning"));
        };
        match Manager::begin(conn, statement).await {
            Ok(()) => {
                let conn = guard.0.take();
                return conn.ok_or_else(|| crate::Error::internal("connection lost while beginning"));
            }
            Err(e) if is_broken(&e) && broken < pool.options().get_max_connections() => broken += 1,
            Err(e) => return Err(e.into()),
        }
    }
}

/// The connection is gone, and so is nothing else: no transaction had begun.
fn is_broken(e: &sqlx::Error) -> bool {
    match e {
        sqlx::Error::Io(_) => true,
        sqlx::Error::Database(d) => d.code().is_some_and(|c| c.starts_with("57P") || c.starts_with("08")),
        _ => false,
    }
}

/// Rolls back, forgets the connection's prepared statements if they no longer fit, and begins anew. Not safe to cancel:
/// the caller closes the connection if it did not finish.
pub(super) async fn again(conn: &mut PoolConnection<Postgres>, prologue: &str, forget: bool) -> Result<()> {
    Manager::rollback(conn).await?;
    if forget {
        conn.clear_cached_statements().await?;
    }
    Ok(Manager::begin(conn, Some(AssertSqlSafe(prologue.to_owned()).into_sql_str())).await?)
}

pub(super) async fn commit(conn: &mut PoolConnection<Postgres>) -> Result<()> {
    Ok(Manager::commit(conn).await?)
}

/// Sends ROLLBACK before the connection's next use.
pub(super) fn rollback_on_drop(conn: &mut PoolConnection<Postgres>) {
    Manager::start_rollback(conn);
}
