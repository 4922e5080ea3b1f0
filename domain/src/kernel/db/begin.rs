use sqlx::{AssertSqlSafe, Connection, Executor};

use super::pool::{Errand, Held, Pool};
use crate::kernel::error::Result;

/// Takes a connection and begins a transaction on it with one message. A future that is dropped in the middle must not leave
/// the connection to others inside somebody's transaction: until the message has been answered, dropping it closes it.
/// Connections that broke while they were idle are passed over: when PostgreSQL was restarted, nobody has to hear of it.
/// Safe to cancel at any point, unless `guarded` is false: that is the control of the cancellation test, which must see
/// connections leak.
pub(super) async fn begin(pool: &Pool, errand: Errand, prologue: &str, guarded: bool) -> Result<Held> {
    loop {
        let mut conn = pool.acquire(errand).await?;
        if guarded {
            conn.close_on_drop();
        }
        match conn.execute(AssertSqlSafe(prologue.to_owned())).await {
            Ok(_) => {
                conn.fence_on_drop();
                return Ok(conn);
            }
            // The next one, in the end a new one.
            Err(e) if !conn.is_fresh() && is_lost(&e) => conn.close_on_drop(),
            Err(e) => return Err(e.into()),
        }
    }
}

/// The connection is gone, and so is nothing else: no transaction had begun.
fn is_lost(e: &sqlx::Error) -> bool {
    let code = e.as_database_error().and_then(|d| d.code());
    matches!(e, sqlx::Error::Io(_)) || code.is_some_and(|c| c.starts_with("57P") || c.starts_with("08"))
}

/// Rolls back, forgets the connection's prepared statements if they no longer fit, and begins anew. A connection that was
/// left half-way is closed.
pub(super) async fn again(conn: &mut Held, prologue: &str, forget: bool) -> Result<()> {
    conn.close_on_drop();
    conn.execute("ROLLBACK").await?;
    if forget {
        conn.clear_cached_statements().await?;
    }
    conn.execute(AssertSqlSafe(prologue.to_owned())).await?;
    conn.fence_on_drop();
    Ok(())
}

pub(super) async fn commit(conn: &mut Held) -> Result<()> {
    conn.execute("COMMIT").await?;
    conn.keep_on_drop();
    Ok(())
}
