use std::str::FromStr;
use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, Query, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::NaiveDate;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use trunkline_domain::billing::pdf::{self, DocumentId, Printable, Sheet, TypesetError};
use trunkline_domain::kernel::db::{Database, Tenant, TenantDb, TenantStatus, TenantTx};
use trunkline_domain::kernel::ids::{PaymentId, SubscriberId};
use trunkline_domain::{Actor, Error, Result, books, payments};

use super::address::ClientAddress;
use super::answer::{failure, refuse};
use super::{auth, host, not_found};
use crate::app::App;
use crate::cookies::Cookies;
use crate::graphql::ctx::Host;

/// `GET /invoices/<id>.pdf` on an ISP's host, for whoever may read that invoice by GraphQL; `?download` saves it instead of
/// showing it. An invoice of another ISP, or of another subscriber, is 404 like one that is not there.
pub async fn invoice(asked: Asked, Path(file): Path<String>) -> Response {
    document(asked, id(&file).map(|id| Wanted::Billed(DocumentId::Invoice(id)))).await
}

/// `GET /credit-notes/<id>.pdf`, as [`invoice`].
pub async fn credit_note(asked: Asked, Path(file): Path<String>) -> Response {
    document(asked, id(&file).map(|id| Wanted::Billed(DocumentId::CreditNote(id)))).await
}

/// `GET /receipts/<payment's id>.pdf`, as [`invoice`], for whoever may read that payment.
pub async fn receipt(asked: Asked, Path(file): Path<String>) -> Response {
    document(asked, id(&file).map(Wanted::Receipt)).await
}

/// The days that a statement is about, both included.
#[derive(Clone, Copy, Deserialize)]
pub struct Days {
    from: Option<NaiveDate>,
    to: Option<NaiveDate>,
}

/// `GET /statements/<subscriber's id>.pdf?from=&to=`, as [`invoice`], for whoever may read that statement; from the first
/// entry and until today where they are left out. 400 for days that are none, and for more entries than one document holds.
pub async fn statement(
    asked: Asked,
    Path(file): Path<String>,
    days: Result<Query<Days>, axum::extract::rejection::QueryRejection>,
) -> Response {
    let Ok(Query(days)) = days else {
        let message = "Ask with `from` and `to` as calendar dates, if at all.";
        return refuse(StatusCode::BAD_REQUEST, "BAD_ARGUMENT", message);
    };
    document(asked, id(&file).map(|subscriber| Wanted::Statement(subscriber, days))).await
}

/// Of `<id>.pdf`.
fn id<T: FromStr>(file: &str) -> Option<T> {
    file.strip_suffix(".pdf").and_then(|id| id.parse().ok())
}

/// Which document is asked for.
#[derive(Clone, Copy)]
enum Wanted {
    Billed(DocumentId),
    Receipt(PaymentId),
    Statement(SubscriberId, Days),
}

impl Wanted {
    async fn printable(self, tx: &TenantTx) -> Result<Option<Printable>> {
        match self {
            Self::Billed(id) => pdf::printable(tx, id).await,
            Self::Receipt(id) => payments::receipt_printable(tx, id).await,
            Self::Statement(id, days) => books::statement_printable(tx, id, days.from, days.to).await,
        }
    }
}

/// Who asks for a document, and how.
type Asked = (State<App>, Extension<Host>, Extension<ClientAddress>, RawQuery, HeaderMap);

async fn document(
    (State(app), Extension(asked), Extension(ClientAddress(address)), RawQuery(query), headers): Asked,
    wanted: Option<Wanted>,
) -> Response {
    let Host::Tenant(tenant) = asked.clone() else {
        return not_found().await.into_response();
    };
    let cookies = Cookies::for_reading(&headers, &host::origin(&headers), app.config.production);
    let actor = match auth::admit(&app, &asked, address, &headers, &cookies).await {
        Ok((who, _)) => who.actor,
        Err(refused) => return refused.into_response(),
    };
    let number = tenant.number();
    match printable(app.database.clone(), tenant, actor, wanted).await {
        Ok(Some(printable)) => {
            let download = query.is_some_and(|q| q.split('&').any(|p| p == "download" || p.starts_with("download=")));
            answer(&app, number, &printable, download, &headers).await
        }
        Ok(None) => not_found().await.into_response(),
        Err(e) => refusal(&e),
    }
}

/// As for GraphQL, but with statuses that a browser understands.
fn refusal(e: &Error) -> Response {
    match e {
        Error::Forbidden | Error::TenantSuspended => (StatusCode::FORBIDDEN, "not permitted\n").into_response(),
        Error::User(refusals) => {
            let message = refusals.iter().map(|u| u.message.as_str()).collect::<Vec<_>>().join(" ");
            refuse(StatusCode::BAD_REQUEST, "BAD_ARGUMENT", &message)
        }
        e => failure(e),
    }
}

async fn printable(database: Database, tenant: Tenant, actor: Arc<Actor>, wanted: Option<Wanted>) -> Result<Option<Printable>> {
    if matches!(*actor, Actor::Anonymous) {
        return Err(Error::Unauthenticated);
    }
    if matches!(tenant.status(), TenantStatus::Suspended | TenantStatus::Archived) {
        return Err(Error::TenantSuspended);
    }
    let Some(wanted) = wanted else {
        return Ok(None);
    };
    let db = TenantDb::new(database, tenant, actor);
    db.read(async move |tx| wanted.printable(tx).await).await
}

async fn answer(app: &App, tenant: i32, printable: &Printable, download: bool, asked: &HeaderMap) -> Response {
    let tag = tag(&printable.sheet);
    // Kept by the browser alone, and asked for again each time: what has been paid may have changed.
    let caching = [
        (header::ETAG, tag.clone()),
        (header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache")),
        (header::VARY, HeaderValue::from_static("authorization, cookie")),
    ];
    if asked.get_all(header::IF_NONE_MATCH).iter().any(|known| mentions(known, &tag)) {
        return (StatusCode::NOT_MODIFIED, caching).into_response();
    }
    match printable.typeset(tenant, &app.renderers).await {
        Ok(body) => {
            let content = [
                (header::CONTENT_TYPE, HeaderValue::from_static("application/pdf")),
                (header::CONTENT_DISPOSITION, disposition(&printable.name, download)),
            ];
            (caching, content, body).into_response()
        }
        Err(TypesetError::Unavailable(why)) => failure(&Error::Unavailable(why)),
        Err(fault) => failure(&Error::internal(fault)),
    }
}

/// Changes with whatever is printed, and with the version that prints it.
fn tag(sheet: &Sheet) -> HeaderValue {
    let mut hash = Sha256::new();
    hash.update(env!("CARGO_PKG_VERSION"));
    hash.update(sheet.digest());
    HeaderValue::from_str(&format!("\"{}\"", hex::encode(&hash.finalize()[..16]))).unwrap_or(HeaderValue::from_static("\"\""))
}

/// RFC 9110, 13.1.2: a list of tags, weak or not, or `*`.
fn mentions(known: &HeaderValue, tag: &HeaderValue) -> bool {
    let (Ok(known), Ok(tag)) = (known.to_str(), tag.to_str()) else {
        return false;
    };
    known
        .split(',')
        .map(|t| t.trim().trim_start_matches("W/"))
        .any(|t| t == tag || t == "*")
}

/// Numbers hold letters, digits and `-/`; what a file's name cannot hold becomes a hyphen.
fn disposition(number: &str, download: bool) -> HeaderValue {
    let safe = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let name: String = number.chars().map(safe).collect();
    let kind = if download { "attachment" } else { "inline" };
    HeaderValue::from_str(&format!("{kind}; filename=\"{name}.pdf\"")).unwrap_or(HeaderValue::from_static("inline"))
}
