//! The doors: which host was asked, who asks, and what is answered where.

mod address;
mod answer;
mod auth;
mod documents;
pub mod exports;
mod graphql;
mod guard;
mod host;
mod jwks;
mod ops;
mod printed;
pub mod server;
mod test_clock;

use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderName, StatusCode};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{get, post, put};
pub use documents::Documents;
use tokio::sync::Semaphore;
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::trace::TraceLayer;

use crate::app::App;
use crate::observe;

/// Larger JSON is refused with 413.
const MAX_BODY: usize = 1024 * 1024;
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Everything that is served on the public address.
pub fn router(app: App) -> Router {
    let mut routes = Router::new().route("/graphql", post(graphql::execute));
    routes = routes
        .route("/invoices/{file}", get(printed::invoice))
        .route("/credit-notes/{file}", get(printed::credit_note))
        .route("/receipts/{file}", get(printed::receipt))
        .route("/statements/{file}", get(printed::statement));
    if !app.config.production {
        routes = routes.route("/graphql", get(graphql::explorer));
    }
    if app.config.test_clock {
        routes = routes
            .route("/test/clock", put(test_clock::set))
            .route("/test/jobs/drain", post(test_clock::drain));
    }
    let room = Arc::new(Semaphore::new(guard::UNDER_WAY));
    // Those added last are the outer ones.
    let on_a_host = routes
        .route("/.well-known/jwks.json", get(jwks::serve))
        .route(exports::PATH, get(exports::journal))
        .fallback(not_found)
        .layer(guard::cors(app.clone()))
        .layer(from_fn_with_state(app.clone(), host::resolve))
        .layer(from_fn_with_state(room, guard::hold));
    let layers = ServiceBuilder::new()
        .layer(SetRequestIdLayer::new(REQUEST_ID, MakeRequestUuid))
        .layer(from_fn_with_state(app.clone(), address::identify))
        .layer(
            TraceLayer::new_for_http()
                .make_span_with(observe::http::span)
                .on_response(observe::http::answered),
        )
        .layer(PropagateRequestIdLayer::new(REQUEST_ID))
        .layer(from_fn(guard::no_compression_with_cookies))
        .layer(CompressionLayer::new())
        .layer(CatchPanicLayer::custom(guard::panicked));
    Router::new()
        .route("/healthz", get(ops::alive))
        .route("/readyz", get(ops::ready))
        .merge(on_a_host)
        .layer(layers)
        .layer(from_fn_with_state(app.clone(), guard::secure))
        .layer(from_fn(observe::http::measure))
        .with_state(app)
}

/// What is served on the operators' address.
pub fn ops_router(app: App) -> Router {
    Router::new()
        .route("/healthz", get(ops::alive))
        .route("/readyz", get(ops::ready))
        .route("/metrics", get(ops::metrics))
        .with_state(app)
}

/// The same words for an unknown path and an unknown host: neither tells what else there is.
pub(crate) async fn not_found() -> (StatusCode, &'static str) {
    (StatusCode::NOT_FOUND, "not found\n")
}
