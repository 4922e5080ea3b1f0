use std::sync::atomic::Ordering;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;

use crate::app::App;
use crate::observe;

/// The process runs.
pub async fn alive() -> &'static str {
    "ok\n"
}

/// The database answers, its schema is current, and nobody has told the process to stop.
pub async fn ready(State(app): State<App>) -> (StatusCode, &'static str) {
    if app.stopping.load(Ordering::Relaxed) {
        return (StatusCode::SERVICE_UNAVAILABLE, "told to stop\n");
    }
    match app.database.is_current().await {
        Ok(true) => (StatusCode::OK, "ready\n"),
        Ok(false) => (StatusCode::SERVICE_UNAVAILABLE, "the schema is not current\n"),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n"),
    }
}

/// In Prometheus' text format.
pub async fn metrics(State(app): State<App>) -> impl IntoResponse {
    let text = observe::metrics::render(&app.database).await;
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text)
}
