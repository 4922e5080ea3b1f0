/// Why a database could not be brought to the current schema.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    #[error("migration {scope}/{name} failed: {source}")]
    Script {
        scope: &'static str,
        name: &'static str,
        source: sqlx::Error,
    },
    #[error("{0}")]
    Refused(String),
}

pub type Result<T> = std::result::Result<T, Error>;

/// Whose fault a failure is, which says what to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A lock was not to be had: again, a little later.
    Locked,
    /// The server does not answer, is full or going down: no tenant can be helped now.
    Server,
    /// The step does not fit this schema.
    Schema,
}

impl Error {
    pub(crate) fn fault(&self) -> Fault {
        let source = match self {
            Self::Database(e) | Self::Script { source: e, .. } => e,
            Self::Refused(_) => return Fault::Schema,
        };
        let code = match source {
            sqlx::Error::Database(d) => d.code(),
            sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) => return Fault::Server,
            _ => return Fault::Schema,
        };
        match code.as_deref() {
            Some("55P03" | "40P01" | "40001") => Fault::Locked,
            Some(c) if c.starts_with("08") || c.starts_with("53") || c.starts_with("57P") => Fault::Server,
            _ => Fault::Schema,
        }
    }
}
