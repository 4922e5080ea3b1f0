//! Answers in GraphQL's shape, also for requests that were not executed.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use trunkline_domain::Error;

use crate::graphql::cost::seconds;
use crate::observe;

const JSON: &str = "application/json";
/// The media type of the GraphQL-over-HTTP draft: with it, a document that was not executed is answered 400.
const GRAPHQL: &str = "application/graphql-response+json";

/// How the caller wants to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Media {
    Json,
    Graphql,
}

impl Media {
    /// The more wanted of the two; JSON where the caller does not care or wants what is not served.
    pub fn wanted(headers: &HeaderMap) -> Self {
        let ranges: Vec<&str> = (headers.get_all(header::ACCEPT).iter())
            .filter_map(|v| v.to_str().ok())
            .flat_map(|v| v.split(','))
            .collect();
        let quality = |of: &[&str]| {
            let mut best = 0;
            for range in &ranges {
                let mut parts = range.split(';').map(str::trim);
                if parts
                    .next()
                    .is_some_and(|media| of.iter().any(|m| media.eq_ignore_ascii_case(m)))
                {
                    best = best.max(parts.find_map(|p| p.strip_prefix("q=")).map_or(1_000, thousandths));
                }
            }
            best
        };
        match quality(&[GRAPHQL]) {
            0 => Self::Json,
            graphql if graphql < quality(&[JSON]) => Self::Json,
            _ => Self::Graphql,
        }
    }

    pub fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Json => JSON,
            Self::Graphql => GRAPHQL,
        })
    }
}

/// `0.5` is 500. What is no quality counts for nothing.
fn thousandths(quality: &str) -> u32 {
    let (whole, fraction) = quality.split_once('.').unwrap_or((quality, ""));
    let digits: String = fraction.chars().chain("000".chars()).take(3).collect();
    match (whole, digits.parse()) {
        ("1", _) => 1_000,
        ("0", Ok(thousandths)) => thousandths,
        _ => 0,
    }
}

/// A request that was not executed.
pub fn refuse(status: StatusCode, code: &str, message: &str) -> Response {
    observe::graphql::error(code);
    (
        status,
        axum::Json(json!({ "errors": [{ "message": message, "extensions": { "code": code } }] })),
    )
        .into_response()
}

/// Too many requests; the same one is served after a while.
pub fn rate_limited(wait: Duration) -> Response {
    observe::graphql::error("RATE_LIMITED");
    metrics::counter!("trunkline_rate_limited_total", "bucket" => "requests").increment(1);
    let retry = seconds(wait);
    let body = json!({ "errors": [{
        "message": "Too much was asked for; wait before you ask again.",
        "extensions": { "code": "RATE_LIMITED", "retryAfter": retry },
    }] });
    (
        StatusCode::TOO_MANY_REQUESTS,
        [(header::RETRY_AFTER, retry)],
        axum::Json(body),
    )
        .into_response()
}

/// The server has no room now.
pub fn unavailable() -> Response {
    let mut response = refuse(
        StatusCode::SERVICE_UNAVAILABLE,
        "UNAVAILABLE",
        "The service is not available right now; try again.",
    );
    response
        .headers_mut()
        .insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

/// A request that failed before it could be executed.
pub fn failure(e: &Error) -> Response {
    match e {
        Error::Unauthenticated => refuse(
            StatusCode::UNAUTHORIZED,
            "UNAUTHENTICATED",
            "The credential is not valid here; sign in again.",
        ),
        Error::TenantSuspended => refuse(StatusCode::OK, "TENANT_SUSPENDED", "This provider is suspended."),
        Error::Unavailable(why) => {
            tracing::warn!(%why, "unavailable");
            unavailable()
        }
        other => {
            tracing::error!(error = other.summary(), "request failed");
            refuse(
                StatusCode::INTERNAL_SERVER_ERROR,
                "INTERNAL",
                "Something went wrong on our side.",
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_more_wanted_media_type_is_chosen() {
        for (accept, media) in [
            ("", Media::Json),
            ("*/*", Media::Json),
            ("image/png", Media::Json),
            (JSON, Media::Json),
            (GRAPHQL, Media::Graphql),
            ("application/graphql-response+json, application/json;q=0.9", Media::Graphql),
            ("application/graphql-response+json;q=0.5, application/json", Media::Json),
            (
                "application/json, Application/GraphQL-Response+JSON; charset=utf-8",
                Media::Graphql,
            ),
            ("application/graphql-response+json;q=0, */*", Media::Json),
            ("application/graphql-response+json;q=x", Media::Json),
        ] {
            let headers = HeaderMap::from_iter([(header::ACCEPT, accept.parse().unwrap())]);
            assert_eq!(Media::wanted(&headers), media, "{accept}");
        }
        assert_eq!(Media::wanted(&HeaderMap::new()), Media::Json);
    }
}
