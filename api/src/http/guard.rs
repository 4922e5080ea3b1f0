//! What holds for every answer and every request, whatever is asked: headers for browsers, who of other sites may ask, a
//! limit of time and of how much is under way, and no answer without a body in GraphQL's shape.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::Response;
use tokio::sync::Semaphore;
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

use super::answer::{refuse, unavailable};
use crate::app::App;
use crate::graphql::ctx::Host;

/// For one request, its body included.
const REQUEST_TIME: Duration = Duration::from_secs(30);
/// Requests under way at once: enough to keep every connection to the database busy, and few enough to fit in memory.
pub const UNDER_WAY: usize = 512;

/// Refuses requests when as many as there is room for are under way, rather than letting all of them wait.
pub async fn hold(State(room): State<Arc<Semaphore>>, request: Request, next: Next) -> Response {
    let Ok(_place) = room.try_acquire() else {
        tracing::warn!("more requests than there is room for");
        return unavailable();
    };
    match tokio::time::timeout(REQUEST_TIME, next.run(request)).await {
        Ok(response) => response,
        Err(_) => unavailable(),
    }
}

/// What is answered when a handler panicked.
pub fn panicked(_: Box<dyn std::any::Any + Send + 'static>) -> Response {
    refuse(
        StatusCode::INTERNAL_SERVER_ERROR,
        "INTERNAL",
        "Something went wrong on our side.",
    )
}

/// Browsers neither guess types, nor frame, nor run, nor keep what is answered; in production they insist on TLS.
pub async fn secure(State(app): State<App>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let page = (headers.get(header::CONTENT_TYPE)).is_some_and(|v| v.as_bytes().starts_with(b"text/html"));
    let policy = match page {
        // GraphiQL, in development only: it comes from a public script host.
        true => {
            "default-src 'self'; script-src 'self' 'unsafe-inline' https://unpkg.com https://esm.sh; \
             style-src 'self' 'unsafe-inline' https://unpkg.com https://esm.sh; img-src 'self' data: https:; \
             font-src 'self' data: https:; worker-src 'self' blob: https:; connect-src 'self' https://unpkg.com https://esm.sh; \
             frame-ancestors 'none'"
        }
        false => "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    };
    let mut set = |name: HeaderName, value: &'static str| headers.insert(name, HeaderValue::from_static(value));
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::X_FRAME_OPTIONS, "DENY");
    set(header::REFERRER_POLICY, "no-referrer");
    set(header::CONTENT_SECURITY_POLICY, policy);
    set(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    set(HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    if app.config.production {
        set(header::STRICT_TRANSPORT_SECURITY, "max-age=31536000");
    }
    let kept = headers.entry(header::CACHE_CONTROL);
    kept.or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Answers to requests with a cookie are not compressed: an attacker who can make a browser ask, and sees how long the
/// encrypted answer is, could guess at what stands in it (BREACH).
pub async fn no_compression_with_cookies(mut request: Request, next: Next) -> Response {
    if request.headers().contains_key(header::COOKIE) {
        request.headers_mut().remove(header::ACCEPT_ENCODING);
    }
    next.run(request).await
}

/// Pages of a site may ask all hosts of that site, with the user's credentials; pages of others none. The hosts of an ISP are
/// its subdomain and its verified domains.
pub fn cors(app: App) -> CorsLayer {
    let same_site = move |origin: HeaderValue, parts: &Parts| {
        let app = app.clone();
        let asked = parts.extensions.get::<Host>().cloned();
        async move { matches!((origin.to_str(), asked), (Ok(origin), Some(asked)) if is_of(&app, origin, &asked).await) }
    };
    CorsLayer::new()
        .allow_origin(AllowOrigin::async_predicate(same_site))
        .allow_credentials(true)
        .allow_methods([Method::POST])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers([header::RETRY_AFTER, super::REQUEST_ID])
        .max_age(Duration::from_secs(600))
}

async fn is_of(app: &App, origin: &str, asked: &Host) -> bool {
    let Ok(origin) = origin.parse::<Uri>() else { return false };
    let encrypted = origin.scheme_str() == Some("https");
    if !encrypted && (app.config.production || origin.scheme_str() != Some("http")) {
        return false;
    }
    let Some(authority) = origin.authority() else { return false };
    match (app.directory.resolve(authority.as_str()).await, asked) {
        (Ok(Some(Host::Platform)), Host::Platform) => true,
        (Ok(Some(Host::Tenant(theirs))), Host::Tenant(ours)) => theirs.number() == ours.number(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::middleware::from_fn_with_state;
    use axum::routing::get;
    use tower::ServiceExt;

    use super::*;

    #[tokio::test]
    async fn more_than_there_is_room_for_is_turned_away_at_once() {
        let slow = get(|| async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            "done"
        });
        let room = Arc::new(Semaphore::new(1));
        let router = axum::Router::new().route("/", slow).layer(from_fn_with_state(room, hold));
        let ask = || router.clone().oneshot(Request::get("/").body(Body::empty()).unwrap());
        let (first, second) = tokio::join!(ask(), ask());
        assert_eq!(first.unwrap().status(), StatusCode::OK);
        let second = second.unwrap();
        assert_eq!(second.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(second.headers()[header::RETRY_AFTER], "1");
        assert_eq!(ask().await.unwrap().status(), StatusCode::OK, "the place is free again");
    }
}
