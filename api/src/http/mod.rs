//! The doors: which host was asked, who asks, and what is answered where.

mod auth;
mod graphql;
mod host;
mod jwks;
mod ops;
mod test_clock;

use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware;
use axum::routing::{get, post, put};
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::timeout::TimeoutLayer;
use tower_http::trace::TraceLayer;

use crate::app::App;

/// Larger JSON is refused with 413.
const MAX_BODY: usize = 1024 * 1024;
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Everything that is served on the public address.
pub fn router(app: App) -> Router {
    let mut routes = Router::new().route("/graphql", post(graphql::execute).layer(DefaultBodyLimit::max(MAX_BODY)));
    if !app.config.production {
        routes = routes.route("/graphql", get(graphql::explorer));
    }
    if app.config.test_clock {
        routes = routes
            .route("/test/clock", put(test_clock::set))
            .route("/test/jobs/drain", post(test_clock::drain));
    }
    let on_a_host = routes
        .route("/.well-known/jwks.json", get(jwks::serve))
        .fallback(not_found)
        .layer(middleware::from_fn_with_state(app.clone(), host::resolve));
    let layers = ServiceBuilder::new()
        .layer(SetRequestIdLayer::new(REQUEST_ID, MakeRequestUuid))
        .layer(TraceLayer::new_for_http().make_span_with(span))
        .layer(PropagateRequestIdLayer::new(REQUEST_ID))
        .layer(CatchPanicLayer::new())
        .layer(TimeoutLayer::with_status_code(
            StatusCode::SERVICE_UNAVAILABLE,
            Duration::from_secs(30),
        ));
    Router::new()
        .route("/healthz", get(ops::alive))
        .route("/readyz", get(ops::ready))
        .merge(on_a_host)
        .layer(layers)
        .layer(middleware::map_response(secure))
        .with_state(app)
}

/// What is served on the operators' address.
pub fn ops_router(app: App) -> Router {
    Router::new()
        .route("/healthz", get(ops::alive))
        .route("/readyz", get(ops::ready))
        .with_state(app)
}

/// One span per request: no query text, no variables, nothing personal.
fn span(request: &axum::extract::Request) -> tracing::Span {
    let id = request
        .headers()
        .get(REQUEST_ID)
        .and_then(|v| v.to_str().ok())
        .unwrap_or_default();
    tracing::info_span!("request", id, method = %request.method(), path = request.uri().path(), tenant = tracing::field::Empty)
}

async fn secure(mut response: axum::response::Response) -> axum::response::Response {
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}

/// The same words for an unknown path and an unknown host: neither tells what else there is.
pub(crate) async fn not_found() -> (StatusCode, &'static str) {
    (StatusCode::NOT_FOUND, "not found\n")
}
