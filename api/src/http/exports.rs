//! `GET /exports/journal?format=csv|hledger|beancount&from=&to=`: the ISP's journal, streamed page by page, so that neither its
//! length nor a slow reader costs memory or holds a connection to the database.

use std::io;

use axum::Extension;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::NaiveDate;
use futures::stream;
use serde::Deserialize;
use tokio::sync::OwnedSemaphorePermit;
use trunkline_domain::books::{self, Export, ExportFormat, PAGE, Scribe};
use trunkline_domain::kernel::db::{TenantDb, TenantStatus};
use trunkline_domain::{Actor, Error};

use super::address::ClientAddress;
use super::answer::{failure, rate_limited, refuse, unavailable};
use super::{auth, host, not_found};
use crate::app::App;
use crate::cookies::Cookies;
use crate::graphql::ctx::Host;
use crate::limits::Denied;

pub const PATH: &str = "/exports/journal";
/// What one costs, against what a document of GraphQL does.
const COST: usize = 5_000;
/// Exports of one ISP under way at once: a slow reader keeps its place for as long as it reads.
pub const OF_ONE: usize = 8;

/// Where an export is fetched, host-relative.
pub fn path(export: &Export) -> String {
    let mut path = format!("{PATH}?format={}", word(export.format));
    for (name, day) in [("from", export.from), ("to", export.to)] {
        if let Some(day) = day {
            path.push_str(&format!("&{name}={day}"));
        }
    }
    path
}

fn word(format: ExportFormat) -> &'static str {
    match format {
        ExportFormat::Csv => "csv",
        ExportFormat::Hledger => "hledger",
        ExportFormat::Beancount => "beancount",
    }
}

#[derive(Deserialize)]
pub struct Asking {
    format: String,
    from: Option<NaiveDate>,
    to: Option<NaiveDate>,
}

/// 200 with the journal; 400 for what is no export, 401 without a credential, 403 without `ledger:read`, 404 on the platform's
/// host, 429 and 503 as everywhere. An answer that is cut short has met an error on the way.
pub async fn journal(
    State(app): State<App>,
    Extension(asked): Extension<Host>,
    Extension(ClientAddress(address)): Extension<ClientAddress>,
    headers: HeaderMap,
    asking: Result<Query<Asking>, axum::extract::rejection::QueryRejection>,
) -> Response {
    let Host::Tenant(tenant) = &asked else {
        return not_found().await.into_response();
    };
    let cookies = Cookies::for_reading(&headers, &host::origin(&headers), app.config.production);
    let (who, purse) = match auth::admit(&app, &asked, address, &headers, &cookies).await {
        Ok(admitted) => admitted,
        Err(refused) => return refused.into_response(),
    };
    if matches!(*who.actor, Actor::Anonymous) {
        return failure(&Error::Unauthenticated);
    }
    if matches!(tenant.status(), TenantStatus::Suspended | TenantStatus::Archived) {
        return failure(&Error::TenantSuspended);
    }
    match purse.spend(COST) {
        Err(Denied::For(wait)) => return rate_limited(wait),
        Err(Denied::Never) => return refuse(StatusCode::TOO_MANY_REQUESTS, "TOO_COMPLEX", "More than you may ask for."),
        Ok(_) => {}
    }
    let Some(export) = asking.ok().and_then(|Query(asking)| asking.export()) else {
        let message = "Ask with `format` csv, hledger or beancount, and `from` and `to` as calendar dates, if at all.";
        return refuse(StatusCode::BAD_REQUEST, "BAD_ARGUMENT", message);
    };
    let Ok(place) = app.exports.of(tenant.number()).try_acquire_owned() else {
        return unavailable();
    };
    let db = TenantDb::new(app.database.clone(), tenant.clone(), who.actor);
    match db.write(async move |tx| books::begin_export(tx, &export).await).await {
        Ok(()) => streamed(db, export, place),
        Err(Error::Forbidden) => refuse(StatusCode::FORBIDDEN, "FORBIDDEN", "You are not allowed to do this."),
        Err(Error::User(all)) => {
            let message = all.iter().map(|u| u.message.as_str()).collect::<Vec<_>>().join(" ");
            refuse(StatusCode::BAD_REQUEST, "BAD_ARGUMENT", &message)
        }
        Err(e) => failure(&e),
    }
}

impl Asking {
    fn export(self) -> Option<Export> {
        let format = match self.format.as_str() {
            "csv" => ExportFormat::Csv,
            "hledger" => ExportFormat::Hledger,
            "beancount" => ExportFormat::Beancount,
            _ => return None,
        };
        Some(Export {
            format,
            from: self.from,
            to: self.to,
        })
    }
}

fn streamed(db: TenantDb, export: Export, place: OwnedSemaphorePermit) -> Response {
    let tenant = db.tenant();
    let (kind, ending) = match export.format {
        ExportFormat::Csv => ("text/csv; charset=utf-8; header=present", "csv"),
        ExportFormat::Hledger => ("text/plain; charset=utf-8", "journal"),
        ExportFormat::Beancount => ("text/plain; charset=utf-8", "beancount"),
    };
    // A slug is letters, digits and hyphens.
    let name = format!("attachment; filename=\"{}-journal.{ending}\"", tenant.slug());
    let scribe = Scribe::new(export, tenant.currency());
    let head = scribe.head(tenant.name());
    let reading = Reading {
        db,
        export,
        scribe,
        head: Some(head),
        ended: false,
        _place: place,
    };
    let body = Body::from_stream(stream::try_unfold(reading, Reading::next));
    let disposition = HeaderValue::from_str(&name).unwrap_or(HeaderValue::from_static("attachment"));
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CONTENT_DISPOSITION, disposition),
    ];
    (headers, body).into_response()
}

/// A journal that is being read: a page when the caller has taken the one before.
struct Reading {
    db: TenantDb,
    export: Export,
    scribe: Scribe,
    head: Option<String>,
    ended: bool,
    _place: OwnedSemaphorePermit,
}

impl Reading {
    async fn next(mut self) -> io::Result<Option<(String, Self)>> {
        if let Some(head) = self.head.take() {
            return Ok(Some((head, self)));
        }
        if self.ended {
            return Ok(None);
        }
        let (export, after) = (self.export, self.scribe.after());
        let read = self.db.read(async move |tx| books::page(tx, &export, after).await).await;
        let entries = read.map_err(|e| {
            tracing::error!(
                tenant = self.db.tenant().slug(),
                error = e.summary(),
                "an export was cut short"
            );
            io::Error::other("cut short")
        })?;
        let mut text = self.scribe.write(&entries);
        if entries.len() < PAGE {
            self.ended = true;
            text.push_str(&self.scribe.tail());
        }
        Ok(Some((text, self)))
    }
}
