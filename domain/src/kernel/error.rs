//! One error for every use case. What the caller can mend names a field and a code; what it cannot shows no detail.

use std::error::Error as StdError;

use serde::{Deserialize, Serialize};
use strum::{Display, EnumString};

/// What kind of mending a refusal asks for; the contract's `UserErrorCode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Display, EnumString, Serialize, Deserialize)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum ErrorCode {
    Invalid,
    Required,
    NotFound,
    Taken,
    Conflict,
    StaleVersion,
    InvalidState,
    IdempotencyKeyReused,
    LimitExceeded,
    InsufficientFunds,
    InvalidCredentials,
    TotpRequired,
    GatewayRefused,
    NetworkUnreachable,
}

/// A refusal that tells the caller what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserError {
    /// Path into the input, outermost first; empty when the whole input is at fault.
    pub field: Vec<String>,
    pub code: ErrorCode,
    pub message: String,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The input cannot be accepted as it is; nothing was done.
    #[error("refused: {0:?}")]
    User(Vec<UserError>),
    /// Signed in, but not allowed to.
    #[error("not permitted")]
    Forbidden,
    #[error("not signed in")]
    Unauthenticated,
    /// The ISP is suspended by the platform.
    #[error("the ISP is suspended")]
    TenantSuspended,
    /// A part that we need does not answer; trying again later may help.
    #[error("unavailable: {0}")]
    Unavailable(String),
    #[error("internal: {0}")]
    Internal(#[source] Box<dyn StdError + Send + Sync>),
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub fn user(code: ErrorCode, field: &str, message: impl Into<String>) -> Self {
        Self::User(vec![UserError::new(code, field, message)])
    }

    pub fn invalid(field: &str, message: impl Into<String>) -> Self {
        Self::user(ErrorCode::Invalid, field, message)
    }

    /// A missing id and an id of another ISP are answered alike.
    pub fn not_found(field: &str) -> Self {
        Self::user(ErrorCode::NotFound, field, "There is no such object.")
    }

    pub fn state(field: &str, message: impl Into<String>) -> Self {
        Self::user(ErrorCode::InvalidState, field, message)
    }

    pub fn stale(field: &str) -> Self {
        Self::user(
            ErrorCode::StaleVersion,
            field,
            "It was changed since you read it; read it again and repeat.",
        )
    }

    pub fn internal(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::Internal(source.into())
    }

    /// What is written of it in logs and with parked jobs: what kind of thing went wrong and where, without any value that
    /// somebody entered or that the database holds.
    pub fn summary(&self) -> String {
        match self {
            Self::User(all) => {
                let each = all
                    .iter()
                    .map(|u| format!("{} {}", u.code, u.field.join(".")).trim().to_owned());
                format!("refused: {}", each.collect::<Vec<_>>().join(", "))
            }
            Self::Internal(source) => {
                if let Some(e) = source.downcast_ref::<serde_json::Error>() {
                    return format!(
                        "a stored document does not parse ({:?}, line {}, column {})",
                        e.classify(),
                        e.line(),
                        e.column()
                    );
                }
                match source.downcast_ref::<sea_orm::DbErr>() {
                    Some(_) => "internal: a row was not as expected".to_owned(),
                    None => format!("internal: {source}"),
                }
            }
            other => other.to_string(),
        }
    }

    /// The constraint that a statement ran into, if that is why it failed.
    pub fn constraint(&self) -> Option<&str> {
        let Self::Internal(source) = self else { return None };
        source.downcast_ref::<DbFailure>().and_then(|f| f.constraint.as_deref())
    }

    /// Whether nothing more can be done in the transaction in which it happened, whatever it was about.
    pub fn ends_transaction(&self) -> bool {
        self.sqlstate().is_some() || matches!(self, Self::Unavailable(_))
    }

    /// The SQLSTATE of a failed statement.
    pub fn sqlstate(&self) -> Option<&str> {
        let Self::Internal(source) = self else { return None };
        source.downcast_ref::<DbFailure>().and_then(|f| f.sqlstate.as_deref())
    }
}

impl UserError {
    /// `field` is a dotted path, such as `price` or `lines.0.quantity`; empty for the whole input.
    pub fn new(code: ErrorCode, field: &str, message: impl Into<String>) -> Self {
        let field = if field.is_empty() {
            Vec::new()
        } else {
            field.split('.').map(str::to_owned).collect()
        };
        Self {
            field,
            code,
            message: message.into(),
        }
    }
}

/// A statement that failed, with what PostgreSQL said of it.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct DbFailure {
    /// Without values: PostgreSQL quotes them in data exceptions (class 22), drivers in what they cannot decode.
    message: String,
    sqlstate: Option<String>,
    constraint: Option<String>,
}

/// What PostgreSQL says when it cannot now and may be able to later: no connection (08), no room or no more connections
/// (53: a full disk among them), going down or coming up (57P), a lock or a statement that took too long (55P03, 57014), a
/// transaction that stood still (25P03), a broken disk (58).
fn is_passing(sqlstate: &str) -> bool {
    ["08", "53", "57P", "58"].iter().any(|class| sqlstate.starts_with(class)) || matches!(sqlstate, "55P03" | "57014" | "25P03")
}

impl From<sqlx::Error> for Error {
    fn from(e: sqlx::Error) -> Self {
        let (sqlstate, constraint) = match &e {
            sqlx::Error::Database(d) => (d.code().map(|c| c.into_owned()), d.constraint().map(str::to_owned)),
            sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed
            | sqlx::Error::BeginFailed
            | sqlx::Error::Io(_)
            | sqlx::Error::Tls(_) => return Self::Unavailable(e.to_string()),
            _ => (None, None),
        };
        if sqlstate.as_deref().is_some_and(is_passing) {
            return Self::Unavailable(e.to_string());
        }
        // PostgreSQL cannot hold U+0000, the one character that every caller may send and nobody means.
        if matches!(sqlstate.as_deref(), Some("22021" | "22P05")) {
            return Self::invalid("", "A text holds a character that cannot be stored.");
        }
        let message = match (&e, sqlstate.as_deref()) {
            (sqlx::Error::Database(d), Some(state)) if !state.starts_with("22") => format!("{} ({state})", d.message()),
            (_, Some(state)) => format!("a value was not as the database wants it ({state})"),
            (sqlx::Error::RowNotFound, _) => "no row".to_owned(),
            (sqlx::Error::ColumnNotFound(name), _) => format!("no column {name}"),
            (sqlx::Error::ColumnDecode { index, .. }, _) => format!("column {index} was not as expected"),
            (sqlx::Error::Protocol(_) | sqlx::Error::Tls(_) | sqlx::Error::WorkerCrashed, _) => e.to_string(),
            _ => "the database driver failed".to_owned(),
        };
        Self::internal(DbFailure {
            message,
            sqlstate,
            constraint,
        })
    }
}

impl From<sea_orm::DbErr> for Error {
    fn from(e: sea_orm::DbErr) -> Self {
        use sea_orm::{DbErr, RuntimeErr};
        match e {
            DbErr::Query(RuntimeErr::SqlxError(inner))
            | DbErr::Exec(RuntimeErr::SqlxError(inner))
            | DbErr::Conn(RuntimeErr::SqlxError(inner)) => match std::sync::Arc::try_unwrap(inner) {
                Ok(e) => e.into(),
                Err(_) => Self::internal("a statement failed, and others wait for the same"),
            },
            other => Self::internal(other),
        }
    }
}

/// An error that several callers waited for, such as a cache's.
impl From<std::sync::Arc<Error>> for Error {
    fn from(shared: std::sync::Arc<Error>) -> Self {
        std::sync::Arc::try_unwrap(shared).unwrap_or_else(|e| match &*e {
            Self::Unavailable(why) => Self::Unavailable(why.clone()),
            other => Self::internal(other.summary()),
        })
    }
}

impl From<serde_json::Error> for Error {
    fn from(e: serde_json::Error) -> Self {
        Self::internal(e)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_is_unavailable() {
        for state in [
            "53100", "53300", "57P01", "57P03", "57014", "08006", "55P03", "25P03", "58030",
        ] {
            assert!(is_passing(state), "{state}");
        }
        for state in ["23505", "0A000", "42501", "40P01", "22P02", "55000"] {
            assert!(!is_passing(state), "{state}");
        }
        let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        assert!(matches!(Error::from(sqlx::Error::Io(refused)), Error::Unavailable(_)));
        assert!(matches!(Error::from(sqlx::Error::RowNotFound), Error::Internal(_)));
    }
}
