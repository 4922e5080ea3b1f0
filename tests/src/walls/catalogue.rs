//! What there is in the database, and how PostgreSQL answers to those who try.

use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Executor, PgConnection, Row};

/// A table, partition, view, sequence or whatever else can be selected from.
#[derive(Clone, Debug)]
pub struct Relation {
    pub schema: String,
    pub name: String,
    /// `pg_class.relkind`.
    pub kind: String,
    pub partition: bool,
    pub row_security: bool,
    pub columns: Vec<String>,
}

impl Relation {
    pub fn path(&self) -> String {
        format!("\"{}\".\"{}\"", self.schema, self.name)
    }

    pub fn has(&self, column: &str) -> bool {
        self.columns.iter().any(|c| c == column)
    }

    pub fn is_table(&self) -> bool {
        self.kind == "r" || self.kind == "p"
    }
}

/// Every relation outside PostgreSQL's own schemas.
pub async fn relations(admin: &mut PgConnection) -> Vec<Relation> {
    let rows = sqlx::query(
        "SELECT n.nspname::text, c.relname::text, c.relkind::text, c.relispartition, c.relrowsecurity,
                coalesce((SELECT array_agg(a.attname::text ORDER BY a.attnum) FROM pg_attribute a
                          WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped), '{}')
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
           AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_toast%'
         ORDER BY 1, 2",
    )
    .fetch_all(admin)
    .await
    .unwrap();
    let found: Vec<Relation> = rows
        .iter()
        .map(|r| Relation {
            schema: r.get(0),
            name: r.get(1),
            kind: r.get(2),
            partition: r.get(3),
            row_security: r.get(4),
            columns: r.get(5),
        })
        .collect();
    assert!(found.len() > 50, "the catalogue query finds too little: {}", found.len());
    found
}

/// Functions of the product's own schemas, as `schema.name(arguments)`.
pub async fn functions(admin: &mut PgConnection, condition: &'static str) -> Vec<String> {
    let text = format!(
        "SELECT p.oid::regprocedure::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
         WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'extension') AND ({condition}) ORDER BY 1"
    );
    sqlx::query_scalar(AssertSqlSafe(text)).fetch_all(admin).await.unwrap()
}

/// What came of a statement.
#[derive(Debug)]
pub enum Answer {
    Rows(Vec<PgRow>),
    /// SQLSTATE and message.
    Refused(String, String),
}

impl Answer {
    pub fn denied(&self) -> bool {
        matches!(self, Self::Refused(state, _) if state == "42501")
    }
}

/// Tries a statement in the open transaction of `conn`, by the extended protocol; what it did is taken back.
pub async fn attempt(conn: &mut PgConnection, sql: &str) -> Answer {
    conn.execute("SAVEPOINT attempt").await.unwrap();
    let outcome = sqlx::query(AssertSqlSafe(sql.to_owned()))
        .persistent(false)
        .fetch_all(&mut *conn)
        .await;
    conn.execute("ROLLBACK TO attempt").await.unwrap();
    match outcome {
        Ok(rows) => Answer::Rows(rows),
        Err(sqlx::Error::Database(e)) => Answer::Refused(e.code().unwrap_or_default().into_owned(), e.message().to_owned()),
        Err(e) => panic!("{sql}: {e}"),
    }
}

/// How many rows a statement that returns `count(*)` counted; None when it was denied.
pub async fn counted(conn: &mut PgConnection, sql: &str) -> Option<i64> {
    match attempt(conn, sql).await {
        Answer::Rows(rows) => Some(rows[0].get(0)),
        Answer::Refused(state, _) if state == "42501" => None,
        Answer::Refused(state, message) => panic!("{sql}: {state} {message}"),
    }
}
