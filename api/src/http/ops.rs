use axum::extract::State;
use axum::http::StatusCode;

use crate::app::App;

/// The process runs.
pub async fn alive() -> &'static str {
    "ok\n"
}

/// The database answers and its schema is current.
pub async fn ready(State(app): State<App>) -> (StatusCode, &'static str) {
    match app.database.is_current().await {
        Ok(true) => (StatusCode::OK, "ready\n"),
        Ok(false) => (StatusCode::SERVICE_UNAVAILABLE, "the schema is not current\n"),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n"),
    }
}
