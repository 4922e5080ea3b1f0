//! The test clock of the contract. Routed only when it is switched on, and answered only on the platform host.

use axum::extract::{Extension, State};
use axum::response::{IntoResponse, Response};
use axum::{Json, http::StatusCode};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::json;
use trunkline_domain::jobs;

use super::answer::failure;
use super::not_found;
use crate::app::App;
use crate::graphql::ctx::Host;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetClock {
    now: DateTime<Utc>,
}

/// Sets the time from which the product's clock goes on, backwards too.
pub async fn set(State(app): State<App>, Extension(asked): Extension<Host>, Json(body): Json<SetClock>) -> Response {
    if !matches!(asked, Host::Platform) {
        return not_found().await.into_response();
    }
    match app.database.set_test_clock(body.now).await {
        Ok(()) => (StatusCode::OK, Json(json!({ "now": app.database.clock().now() }))).into_response(),
        Err(e) => failure(&e),
    }
}

/// Runs what is due at that time and answers when nothing is left.
pub async fn drain(State(app): State<App>, Extension(asked): Extension<Host>) -> Response {
    if !matches!(asked, Host::Platform) {
        return not_found().await.into_response();
    }
    let drained = async {
        jobs::schedule_daily(&app.database, trunkline_domain::DAILY_JOBS).await?;
        app.worker.drain().await
    };
    match drained.await {
        Ok(drained) => Json(drained).into_response(),
        Err(e) => failure(&e),
    }
}
