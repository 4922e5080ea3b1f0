use sqlx::pool::PoolConnection;
use sqlx::{AssertSqlSafe, PgPool, Postgres, SqlSafeStr};
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
/// false: that is the control of the cancellation test, which must see connections leak.
pub(super) async fn begin(pool: &PgPool, prologue: &str, guarded: bool) -> Result<PoolConnection<Postgres>> {
    let statement = Some(AssertSqlSafe(prologue.to_owned()).into_sql_str());
    let conn = pool.acquire().await?;
    if !guarded {
        let mut conn = conn;
        Manager::begin(&mut conn, statement).await?;
        return Ok(conn);
    }
    let mut guard = Guard(Some(conn));
    if let Some(conn) = guard.0.as_mut() {
        Manager::begin(conn, statement).await?;
    }
    guard
        .0
        .take()
        .ok_or_else(|| crate::Error::internal("connection lost while beginning"))
}

pub(super) async fn commit(conn: &mut PoolConnection<Postgres>) -> Result<()> {
    Ok(Manager::commit(conn).await?)
}

/// Sends ROLLBACK before the connection's next use.
pub(super) fn rollback_on_drop(conn: &mut PoolConnection<Postgres>) {
    Manager::start_rollback(conn);
}
