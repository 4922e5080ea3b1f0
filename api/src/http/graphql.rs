use std::sync::Arc;
use std::time::Duration;

use async_graphql::http::GraphiQLSource;
use async_graphql::{Request, Response as GqlResponse, ServerError, Value, Variables};
use axum::Extension;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use serde::Deserialize;
use trunkline_domain::Actor;
use trunkline_domain::kernel::db::TenantStatus;

use super::address::ClientAddress;
use super::answer::{Media, failure, refuse};
use super::documents::{Audience, PersistedQuery};
use super::{MAX_BODY, REQUEST_ID, auth, host};
use crate::app::App;
use crate::cookies::Cookies;
use crate::graphql::cost::{Bill, seconds};
use crate::graphql::ctx::{Asker, Host, RequestCtx};
use crate::limits::Purse;
use crate::observe;
use crate::observe::graphql::Asked;

/// A body that takes longer to arrive is not waited for.
const BODY_TIME: Duration = Duration::from_secs(10);
const NOT_JSON: &str = "The request must be a JSON object with a `query`, sent as application/json.";

/// `POST /graphql`. 200 for whatever was executed, 400 for what is not GraphQL, 401 for a bad or foreign token, 408 for a body
/// that does not come, 413 for one that is too large, 429 for more than the caller may ask for, 503 where the database could
/// not for a while.
pub async fn execute(
    State(app): State<App>,
    Extension(asked): Extension<Host>,
    Extension(ClientAddress(address)): Extension<ClientAddress>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let origin = host::origin(&headers);
    let cookies = Cookies::read(&headers, &origin, app.config.production);
    let (who, purse) = match auth::admit(&app, &asked, address, &headers, &cookies).await {
        Ok(admitted) => admitted,
        Err(refused) => return refused.into_response(),
    };
    if let Host::Tenant(tenant) = &asked
        && !matches!(*who.actor, Actor::Anonymous)
        && matches!(tenant.status(), TenantStatus::Suspended | TenantStatus::Archived)
    {
        return failure(&trunkline_domain::Error::TenantSuspended);
    }
    let asking = match receive(&headers, body).await {
        Ok(asking) => asking,
        Err(refused) => return refused,
    };
    let asker = Asker {
        session: who.session,
        client: auth::client(Some(address), &headers),
        cookies,
    };
    let ctx = RequestCtx::new(&app, asked, who.actor, origin).asked_by(asker);
    let (response, bill) = run(&app, ctx, asking, purse).await;
    reply(response, bill.as_deref(), &headers)
}

/// What a client sends. Members that are not known are ignored, as the draft of GraphQL over HTTP asks.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asking {
    #[serde(default)]
    query: Option<String>,
    #[serde(default)]
    operation_name: Option<String>,
    #[serde(default)]
    variables: Variables,
    #[serde(default)]
    extensions: Option<Extensions>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Extensions {
    #[serde(default)]
    persisted_query: Option<PersistedQuery>,
}

impl Asking {
    fn text(&self) -> Option<&str> {
        self.query.as_deref().filter(|q| !q.is_empty())
    }

    fn persisted(&self) -> Option<&PersistedQuery> {
        self.extensions.as_ref()?.persisted_query.as_ref()
    }
}

/// One operation, as an object; batches are not served.
async fn receive(headers: &HeaderMap, body: Body) -> Result<Asking, Response> {
    let not_json = || refuse(StatusCode::BAD_REQUEST, "BAD_ARGUMENT", NOT_JSON);
    if !is_json(headers) {
        return Err(not_json());
    }
    let body = read(headers, body).await?;
    // serde would take a list for the struct's fields in their order.
    if body.iter().find(|b| !b.is_ascii_whitespace()) != Some(&b'{') {
        return Err(not_json());
    }
    let asking: Asking = serde_json::from_slice(&body).map_err(|_| not_json())?;
    match asking.text().is_some() || asking.persisted().is_some() {
        true => Ok(asking),
        false => Err(not_json()),
    }
}

/// `application/json`, in UTF-8. A form that another site makes a browser send has another type.
fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()) else {
        return false;
    };
    let mut parts = value.split(';').map(str::trim);
    parts
        .next()
        .is_some_and(|media| media.eq_ignore_ascii_case("application/json"))
        && parts.all(|p| match p.split_once('=') {
            Some((name, charset)) if name.trim().eq_ignore_ascii_case("charset") => {
                charset.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
            }
            _ => true,
        })
}

async fn read(headers: &HeaderMap, body: Body) -> Result<Bytes, Response> {
    let too_large = || {
        refuse(
            StatusCode::PAYLOAD_TOO_LARGE,
            "BAD_ARGUMENT",
            "The request body has more than 1 MiB.",
        )
    };
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|v| v.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > MAX_BODY) {
        return Err(too_large());
    }
    match tokio::time::timeout(BODY_TIME, to_bytes(body, MAX_BODY)).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(e)) if is_too_long(&e) => Err(too_large()),
        Ok(Err(_)) => Err(refuse(
            StatusCode::BAD_REQUEST,
            "BAD_ARGUMENT",
            "The request body could not be read.",
        )),
        Err(_) => Err(refuse(
            StatusCode::REQUEST_TIMEOUT,
            "BAD_ARGUMENT",
            "The request body did not arrive in time.",
        )),
    }
}

fn is_too_long(error: &axum::Error) -> bool {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(e) = source {
        if e.is::<http_body_util::LengthLimitError>() {
            return true;
        }
        source = e.source();
    }
    false
}

/// The answer, and what it cost where the document could be read.
async fn run(app: &App, ctx: RequestCtx, asking: Asking, purse: Purse) -> (GqlResponse, Option<Arc<Bill>>) {
    let audience = Audience::of(&ctx.host, &ctx.actor);
    let document = match app.documents.find(audience, asking.text(), asking.persisted()) {
        Ok(document) => document,
        Err(e) => return (GqlResponse::from_errors(vec![e]), None),
    };
    let bill = Bill::new(document.size, purse);
    let mut request = Request::new("").variables(asking.variables);
    request.operation_name = asking.operation_name;
    request.set_parsed_query(document.ast.clone());
    let noted = Asked::note(&app.schema, &document.ast, request.operation_name.as_deref());
    let mut response = app.schema.execute(request.data(ctx).data(bill.clone())).await;
    if bill.settled() {
        noted.executed(response.errors.is_empty());
    }
    if let Some(cost) = bill.report() {
        response.extensions.insert("cost".to_owned(), cost);
    }
    (response, Some(bill))
}

fn reply(mut response: GqlResponse, bill: Option<&Bill>, headers: &HeaderMap) -> Response {
    let id = headers.get(REQUEST_ID).and_then(|v| v.to_str().ok()).unwrap_or_default();
    for e in &mut response.errors {
        finish(e, id);
        observe::graphql::error(code(e).unwrap_or_default());
    }
    let media = Media::wanted(headers);
    let Ok(body) = serde_json::to_vec(&response) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let mut reply = ([(header::CONTENT_TYPE, media.content_type())], body).into_response();
    reply.headers_mut().extend(response.http_headers);
    if let Some(wait) = bill.and_then(Bill::wait) {
        *reply.status_mut() = StatusCode::TOO_MANY_REQUESTS;
        reply
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from(seconds(wait)));
    } else if response.errors.iter().any(is_unavailable) {
        // Whoever balances load or repeats requests looks at the status alone.
        *reply.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    } else if media == Media::Graphql && !bill.is_some_and(Bill::settled) {
        *reply.status_mut() = StatusCode::BAD_REQUEST;
    }
    reply
}

fn code(e: &ServerError) -> Option<&str> {
    e.extensions.as_ref()?.get("code").and_then(text)
}

fn is_unavailable(e: &ServerError) -> bool {
    code(e) == Some("UNAVAILABLE")
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

/// `GET /graphql` in development.
pub async fn explorer() -> Html<String> {
    Html(GraphiQLSource::build().endpoint("/graphql").title("Trunkline").finish())
}
