use axum::extract::{Request, State};
use axum::http::{HeaderMap, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::not_found;
use crate::app::App;
use crate::graphql::ctx::Host;

/// Finds out which host was asked. An unknown one is 404, whatever the path.
pub async fn resolve(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let Some(name) = authority(request.headers(), request.uri()) else {
        return not_found().await.into_response();
    };
    match app.directory.resolve(&name).await {
        Ok(Some(host)) => {
            if let Host::Tenant(tenant) = &host {
                tracing::Span::current().record("tenant", tenant.slug());
            }
            request.extensions_mut().insert(host);
            next.run(request).await
        }
        Ok(None) => not_found().await.into_response(),
        Err(e) => super::answer::failure(&e),
    }
}

/// What was asked for: the `Host` header, or the target in HTTP/2.
fn authority(headers: &HeaderMap, uri: &Uri) -> Option<String> {
    match headers.get(header::HOST) {
        Some(value) => Some(value.to_str().ok()?.to_owned()),
        None => Some(uri.authority()?.to_string()),
    }
}

/// `http://host:port` as the caller wrote it, for links in answers.
pub fn origin(headers: &HeaderMap) -> String {
    let host = headers.get(header::HOST).and_then(|h| h.to_str().ok()).unwrap_or("localhost");
    let scheme = headers
        .get("x-forwarded-proto")
        .and_then(|p| p.to_str().ok())
        .filter(|p| *p == "https")
        .unwrap_or("http");
    format!("{scheme}://{host}")
}
