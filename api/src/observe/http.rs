use std::time::{Duration, Instant};

use ::metrics::{gauge, histogram};
use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderValue, Method};
use axum::middleware::Next;
use axum::response::Response;
use tracing::Span;
use tracing::field::Empty;

use super::traces;
use crate::http::REQUEST_ID;

/// The pattern of ours that the path fits; what callers write is in no label and no line.
fn route(request: &Request) -> String {
    let matched = request.extensions().get::<MatchedPath>();
    matched.map_or_else(|| "other".to_owned(), |path| path.as_str().to_owned())
}

fn class(status: u16) -> &'static str {
    match status {
        100..=199 => "1xx",
        200..=299 => "2xx",
        300..=399 => "3xx",
        400..=499 => "4xx",
        _ => "5xx",
    }
}

fn method(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}

/// A proxy's or caller's id is taken on if it looks like one (hexadecimal, such as a UUID): others could hold anything.
fn is_id(value: &HeaderValue) -> bool {
    let bytes = value.as_bytes();
    (16..=64).contains(&bytes.len()) && bytes.iter().all(|b| b.is_ascii_hexdigit() || *b == b'-')
}

/// The span of one request. It is there at every level of the log, so that every line names its request. `tenant` is the ISP's
/// slug; `fields` the root fields that are asked for.
pub fn span(request: &Request) -> Span {
    let id = request.headers().get(REQUEST_ID).and_then(|v| v.to_str().ok());
    let span = tracing::error_span!(
        "request",
        request_id = id.unwrap_or_default(),
        method = method(request.method()),
        route = route(request),
        tenant = Empty,
        operation = Empty,
        fields = Empty,
        status = Empty,
    );
    traces::of_caller(&span, request.headers());
    span
}

/// Notes the answer's status in the request's span.
pub fn answered<B>(response: &axum::http::Response<B>, took: Duration, span: &Span) {
    let status = response.status();
    // Recorded where somebody will see it: it costs as much as a line.
    if status.is_server_error() || traces::exported() || tracing::enabled!(tracing::Level::DEBUG) {
        span.record("status", status.as_u16());
    }
    tracing::debug!(ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX), "answered");
}

/// One more under way, until dropped: also when the caller goes away.
struct UnderWay;

impl UnderWay {
    fn begin() -> Self {
        gauge!("trunkline_http_requests_under_way").increment(1);
        Self
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        gauge!("trunkline_http_requests_under_way").decrement(1);
    }
}

/// Measures requests by route and class of status, and strips them of ids that are none.
pub async fn measure(mut request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let _under_way = UnderWay::begin();
    if request.headers().get(REQUEST_ID).is_some_and(|id| !is_id(id)) {
        request.headers_mut().remove(REQUEST_ID);
    }
    let route = route(&request);
    let response = next.run(request).await;
    let class = class(response.status().as_u16());
    histogram!("trunkline_http_request_duration_seconds", "route" => route, "status" => class).record(begun.elapsed());
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_hexadecimal() {
        for (id, taken) in [
            ("0198c9f0-5b5e-7000-8000-00805f9b34fb", true),
            ("4bf92f3577b34da6a3ce929d0e0e4736", true),
            ("9845012345", false),
            ("asha@asha.example", false),
            ("Asha Rao of Beach Road", false),
            ("", false),
        ] {
            assert_eq!(is_id(&HeaderValue::from_static(id)), taken, "{id}");
        }
        assert!(!is_id(&HeaderValue::from_str(&"0".repeat(65)).unwrap()));
    }
}
