use axum::extract::{Request, State};
use axum::http::{HeaderMap, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::not_found;
use crate::app::App;
use crate::graphql::ctx::Host;

/// Finds out which host was asked. An unknown one is 404, whatever the path.
pub async fn resolve(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let Some(name) = host_name(request.headers(), request.uri()) else {
        return not_found().await.into_response();
    };
    let host = if name == format!("platform.{}", app.config.base_domain) {
        Host::Platform
    } else {
        match app.directory.resolve(&name).await {
            Ok(Some(tenant)) => {
                tracing::Span::current().record("tenant", tenant.slug());
                Host::Tenant(tenant)
            }
            Ok(None) => return not_found().await.into_response(),
            Err(e) => return super::graphql::failure(&e),
        }
    };
    request.extensions_mut().insert(host);
    next.run(request).await
}

/// The asked name without port, lower-case; from `Host`, or from the target in HTTP/2.
fn host_name(headers: &HeaderMap, uri: &Uri) -> Option<String> {
    let authority = match headers.get(header::HOST) {
        Some(value) => value.to_str().ok()?.to_owned(),
        None => uri.authority()?.to_string(),
    };
    let name = match authority.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => authority.as_str(),
    };
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    (!name.is_empty() && name.len() <= 253).then_some(name)
}

/// `http://host:port` as the caller wrote it, for links in answers.
pub fn origin(headers: &HeaderMap) -> String {
    let host = headers.get(header::HOST).and_then(|h| h.to_str().ok()).unwrap_or("localhost");
    let scheme = headers.get("x-forwarded-proto").and_then(|p| p.to_str().ok()).filter(|p| *p == "https").unwrap_or("http");
    format!("{scheme}://{host}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_bare_and_lower_case() {
        let cases = [("Acme.Localhost:8080", Some("acme.localhost")), ("acme.localhost.", Some("acme.localhost")), ("", None), (":80", None)];
        for (given, expected) in cases {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, given.parse().unwrap());
            assert_eq!(host_name(&headers, &Uri::from_static("/")).as_deref(), expected, "{given}");
        }
    }
}
