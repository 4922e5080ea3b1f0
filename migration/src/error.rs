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
