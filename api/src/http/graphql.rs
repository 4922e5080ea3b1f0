use std::net::SocketAddr;

use async_graphql::http::GraphiQLSource;
use async_graphql::{Request, Response as GqlResponse, ServerError, Value};
use axum::Extension;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use serde_json::json;
use trunkline_domain::kernel::db::TenantStatus;
use trunkline_domain::{Actor, Error};

use super::{REQUEST_ID, auth, host};
use crate::app::App;
use crate::cookies::Cookies;
use crate::graphql::ctx::{Asker, Host, RequestCtx};

/// `POST /graphql`. 200 for whatever was executed, 400 for what is not GraphQL, 401 for a bad or foreign token.
pub async fn execute(
    State(app): State<App>,
    Extension(asked): Extension<Host>,
    peer: Option<Extension<ConnectInfo<SocketAddr>>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let body = match body {
        Ok(body) => body,
        Err(rejection) => return answer(rejection.status(), "BAD_ARGUMENT", "The request body could not be read."),
    };
    let origin = host::origin(&headers);
    let cookies = Cookies::read(&headers, &origin, app.config.production);
    let who = match auth::authenticate(&app, &asked, &headers, &cookies).await {
        Ok(who) => who,
        Err(e) => return failure(&e),
    };
    if let Host::Tenant(tenant) = &asked
        && !matches!(*who.actor, Actor::Anonymous)
        && matches!(tenant.status(), TenantStatus::Suspended | TenantStatus::Archived)
    {
        return failure(&Error::TenantSuspended);
    }
    let Some(request) = parse(&body) else {
        return answer(
            StatusCode::BAD_REQUEST,
            "BAD_ARGUMENT",
            "The request body must be a JSON object with a `query`.",
        );
    };
    let asker = Asker {
        session: who.session,
        client: auth::client(peer.map(|Extension(ConnectInfo(peer))| peer.ip()), &headers),
        cookies,
    };
    let ctx = RequestCtx::new(&app, asked, who.actor, origin).asked_by(asker);
    let mut response = app.schema.execute(request.data(ctx)).await;
    let id = headers.get(REQUEST_ID).and_then(|v| v.to_str().ok()).unwrap_or_default();
    response.errors.iter_mut().for_each(|e| finish(e, id));
    json_response(&response)
}

/// One operation, as an object with a `query`; batches are not served.
fn parse(body: &[u8]) -> Option<Request> {
    // serde would take a list for the struct's fields in their order.
    if body.iter().find(|b| !b.is_ascii_whitespace()) != Some(&b'{') {
        return None;
    }
    let request: Request = serde_json::from_slice(body).ok()?;
    (!request.query.is_empty()).then_some(request)
}

/// Gives every error a code, and internal ones the id under which the log has their cause.
fn finish(error: &mut ServerError, request_id: &str) {
    let extensions = error.extensions.get_or_insert_default();
    match extensions.get("code").and_then(text) {
        Some("INTERNAL") => extensions.set("requestId", request_id),
        Some(_) => {}
        None if error.message.starts_with("Query is too complex") => extensions.set("code", "TOO_COMPLEX"),
        None => extensions.set("code", "BAD_ARGUMENT"),
    }
}

fn text(value: &Value) -> Option<&str> {
    match value {
        Value::String(s) => Some(s),
        _ => None,
    }
}

fn json_response(response: &GqlResponse) -> Response {
    match serde_json::to_vec(response) {
        Ok(body) => {
            let mut answer = ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], body).into_response();
            answer.headers_mut().extend(response.http_headers.clone());
            answer
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// An answer in GraphQL's shape for a request that was not executed.
fn answer(status: StatusCode, code: &str, message: &str) -> Response {
    (
        status,
        axum::Json(json!({ "errors": [{ "message": message, "extensions": { "code": code } }] })),
    )
        .into_response()
}

/// A request that failed before it could be executed.
pub fn failure(e: &Error) -> Response {
    match e {
        Error::Unauthenticated => answer(
            StatusCode::UNAUTHORIZED,
            "UNAUTHENTICATED",
            "The credential is not valid here; sign in again.",
        ),
        Error::TenantSuspended => answer(StatusCode::OK, "TENANT_SUSPENDED", "This provider is suspended."),
        Error::Unavailable(why) => {
            tracing::warn!(%why, "unavailable");
            answer(
                StatusCode::SERVICE_UNAVAILABLE,
                "UNAVAILABLE",
                "The service is not available right now; try again.",
            )
        }
        other => {
            tracing::error!(error = %other, "request failed");
            answer(
                StatusCode::INTERNAL_SERVER_ERROR,
                "INTERNAL",
                "Something went wrong on our side.",
            )
        }
    }
}

/// `GET /graphql` in development.
pub async fn explorer() -> Html<String> {
    Html(GraphiQLSource::build().endpoint("/graphql").title("Trunkline").finish())
}
