//! What is encrypted at rest, and how it follows a change of the secret key.

use trunkline_migration::LOGIN_SEALED_FOR;

use super::crypto::{SealedBy, SecretKey};
use super::db::Sql;
use super::error::Result;

/// A column of sealed secrets. Each capability lists its own; `crate::sealed_columns` has them all, and a test compares
/// that with the database.
#[derive(Clone, Copy, Debug)]
pub struct SealedColumn {
    pub table: &'static str,
    pub column: &'static str,
    /// As it was given to [`SecretKey::seal`]; the context is the row's key as text.
    pub purpose: &'static str,
    /// Whether each ISP has one of these.
    pub per_tenant: bool,
    /// The next rows after the key `$1`: key and sealed value.
    pub read: &'static str,
    /// Replaces the value `$3` of the row `$1` by `$2`.
    pub write: &'static str,
}

/// `sealed!(platform "platform.totp"."sealed" by "principal_id" for PURPOSE)`, or `tenant` in place of `platform`.
macro_rules! sealed {
    (platform $($rest:tt)*) => { $crate::kernel::sealed::sealed!(@ false $($rest)*) };
    (tenant $($rest:tt)*) => { $crate::kernel::sealed::sealed!(@ true $($rest)*) };
    (@ $per_tenant:literal $table:literal . $column:literal by $key:literal for $purpose:expr) => {
        $crate::kernel::sealed::SealedColumn {
            table: $table,
            column: $column,
            purpose: $purpose,
            per_tenant: $per_tenant,
            read: concat!("SELECT ", $key, "::text AS id, ", $column, " AS sealed FROM ", $table, " WHERE ", $key,
                "::text > $1 AND ", $column, " IS NOT NULL ORDER BY ", $key, "::text LIMIT 500"),
            write: concat!("UPDATE ", $table, " SET ", $column, " = $2 WHERE ", $key, "::text = $1 AND ", $column, " = $3"),
        }
    };
}
pub(crate) use sealed;

/// Passwords of the roles that the product logs in with.
pub const LOGINS: SealedColumn = sealed!(platform "platform.login"."sealed" by "role" for LOGIN_SEALED_FOR);

/// The secrets of one column, by the key that they are sealed with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub current: u64,
    pub previous: u64,
    /// Neither key opens them.
    pub lost: u64,
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.current += other.current;
        self.previous += other.previous;
        self.lost += other.lost;
    }
}

#[derive(sea_orm::FromQueryResult)]
struct Row {
    id: String,
    sealed: Vec<u8>,
}

/// Looks through one batch of a column, after the row `after`, and with `rewrite` seals anew what the previous key had
/// sealed; a row that is changed meanwhile is left as it is. What it found, and the last row, if there may be more.
pub async fn batch<'t>(
    sql: impl Fn(&'static str) -> Sql<'t>,
    secret: &SecretKey,
    column: &SealedColumn,
    after: &str,
    rewrite: bool,
) -> Result<(Tally, Option<String>)> {
    let rows: Vec<Row> = sql(column.read).bind(after).all().await?;
    let last = rows.last().map(|row| row.id.clone());
    let mut tally = Tally::default();
    for row in rows {
        match (
            secret.sealed_by(&row.sealed),
            secret.open(column.purpose, &row.id, &row.sealed),
        ) {
            (_, None) => tally.lost += 1,
            (SealedBy::Current, Some(_)) => tally.current += 1,
            (_, Some(_)) if !rewrite => tally.previous += 1,
            (_, Some(plain)) => {
                let anew = secret.seal(column.purpose, &row.id, &plain)?;
                let changed = sql(column.write).bind(row.id).bind(anew).bind(row.sealed).run().await?;
                tally.current += changed;
                tally.previous += 1 - changed.min(1);
            }
        }
    }
    Ok((tally, last))
}
