use sea_orm::{DbBackend, FromQueryResult, QueryResult, Statement, TryGetable, Value};
use sea_query_sqlx::SqlxValues;
use sqlx::{AssertSqlSafe, Postgres};

use super::pool::Held;
use crate::kernel::error::{Error, Result};

/// A connection that a statement may run on: implemented by the two transactions only.
pub(super) trait Runner: Sync {
    fn connection(&self) -> &tokio::sync::Mutex<Held>;

    /// Set once a statement that the connection keeps prepared no longer fits: the connection must not be used by others
    /// before its statements are cleared.
    fn spoilt(&self) -> &std::sync::atomic::AtomicBool;

    /// Whose statements are kept apart from those of others: an ISP's number, if the connection knows it well. A statement that
    /// was prepared in another ISP's schema is analysed and planned again at each change; one of its own is not.
    fn own_statements(&self) -> Option<i32> {
        None
    }
}

/// "cached plan must not change result type": the schema differs from that for which a statement was prepared.
pub(super) const STALE_PLAN: &str = "0A000";

/// One static statement with its bound values. The text is `'static`, so nothing that a caller sent can become SQL.
pub struct Sql<'t> {
    runner: &'t dyn Runner,
    text: &'static str,
    values: Vec<Value>,
}

impl<'t> Sql<'t> {
    pub(super) fn new(runner: &'t dyn Runner, text: &'static str) -> Self {
        Self {
            runner,
            text,
            values: Vec::new(),
        }
    }

    /// Binds the next `$n`.
    #[must_use]
    pub fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }

    /// Runs it; the number of rows that it changed.
    pub async fn run(self) -> Result<u64> {
        let (runner, statement) = self.statement();
        Ok(execute(runner, statement).await?.rows_affected())
    }

    pub async fn all<T: FromQueryResult>(self) -> Result<Vec<T>> {
        let (runner, statement) = self.statement();
        let rows = fetch_all(runner, statement).await?;
        rows.iter()
            .map(|r| T::from_query_result(r, "").map_err(Error::from))
            .collect()
    }

    pub async fn optional<T: FromQueryResult>(self) -> Result<Option<T>> {
        let (runner, statement) = self.statement();
        let row = fetch_optional(runner, statement).await?;
        row.map(|r| T::from_query_result(&r, "").map_err(Error::from)).transpose()
    }

    /// The one row that must be there.
    pub async fn one<T: FromQueryResult>(self) -> Result<T> {
        let text = self.text;
        self.optional()
            .await?
            .ok_or_else(|| Error::internal(format!("no row from: {text}")))
    }

    /// The first column of the first row.
    pub async fn scalar<T: TryGetable>(self) -> Result<Option<T>> {
        let (runner, statement) = self.statement();
        let row = fetch_optional(runner, statement).await?;
        row.map(|r| r.try_get_by_index(0).map_err(Error::from)).transpose()
    }

    /// The first column of each row.
    pub async fn scalars<T: TryGetable>(self) -> Result<Vec<T>> {
        let (runner, statement) = self.statement();
        let rows = fetch_all(runner, statement).await?;
        rows.iter().map(|r| r.try_get_by_index(0).map_err(Error::from)).collect()
    }

    fn statement(self) -> (&'t dyn Runner, Statement) {
        let text = match self.runner.own_statements() {
            Some(number) => format!("{} /* {number} */", self.text),
            None => self.text.to_owned(),
        };
        (
            self.runner,
            Statement::from_sql_and_values(DbBackend::Postgres, text, self.values),
        )
    }
}

fn query(s: Statement) -> sqlx::query::Query<'static, Postgres, SqlxValues> {
    let values = s.values.unwrap_or(sea_query::Values(Vec::new()));
    sqlx::query_with(AssertSqlSafe(s.sql), SqlxValues(values))
}

pub(super) async fn execute(runner: &dyn Runner, s: Statement) -> Result<sqlx::postgres::PgQueryResult, sqlx::Error> {
    let mut conn = runner.connection().lock().await;
    query(s).execute(&mut **conn).await.inspect_err(|e| note(runner, e))
}

pub(super) async fn fetch_optional(runner: &dyn Runner, s: Statement) -> Result<Option<QueryResult>, sqlx::Error> {
    let mut conn = runner.connection().lock().await;
    let row = query(s).fetch_optional(&mut **conn).await.inspect_err(|e| note(runner, e))?;
    Ok(row.map(Into::into))
}

pub(super) async fn fetch_all(runner: &dyn Runner, s: Statement) -> Result<Vec<QueryResult>, sqlx::Error> {
    let mut conn = runner.connection().lock().await;
    let rows = query(s).fetch_all(&mut **conn).await.inspect_err(|e| note(runner, e))?;
    Ok(rows.into_iter().map(Into::into).collect())
}

fn note(runner: &dyn Runner, e: &sqlx::Error) {
    if e.as_database_error().and_then(|d| d.code()).as_deref() == Some(STALE_PLAN) {
        runner.spoilt().store(true, std::sync::atomic::Ordering::Relaxed);
    }
}

/// Implements SeaORM's `ConnectionTrait` for a transaction. Text without a statement's shape (several statements, the
/// simple protocol) is refused: after the prologue only the extended protocol is spoken.
macro_rules! connection_trait {
    ($tx:ty) => {
        #[async_trait::async_trait]
        impl sea_orm::ConnectionTrait for $tx {
            fn get_database_backend(&self) -> sea_orm::DbBackend {
                sea_orm::DbBackend::Postgres
            }

            async fn execute_raw(&self, s: sea_orm::Statement) -> Result<sea_orm::ExecResult, sea_orm::DbErr> {
                super::sql::execute(self, s)
                    .await
                    .map(Into::into)
                    .map_err(super::sql::db_err)
            }

            async fn execute_unprepared(&self, _: &str) -> Result<sea_orm::ExecResult, sea_orm::DbErr> {
                Err(sea_orm::DbErr::Custom(
                    "unprepared SQL is not allowed in a transaction of the product".into(),
                ))
            }

            async fn query_one_raw(&self, s: sea_orm::Statement) -> Result<Option<sea_orm::QueryResult>, sea_orm::DbErr> {
                super::sql::fetch_optional(self, s).await.map_err(super::sql::db_err)
            }

            async fn query_all_raw(&self, s: sea_orm::Statement) -> Result<Vec<sea_orm::QueryResult>, sea_orm::DbErr> {
                super::sql::fetch_all(self, s).await.map_err(super::sql::db_err)
            }
        }
    };
}
pub(super) use connection_trait;

pub(super) fn db_err(e: sqlx::Error) -> sea_orm::DbErr {
    sea_orm::DbErr::Query(sea_orm::RuntimeErr::SqlxError(e.into()))
}
