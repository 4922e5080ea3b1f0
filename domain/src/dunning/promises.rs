//! Promises to pay, as they are written down. The payer is locked before any of these.

use chrono::NaiveDate;
use sea_orm::FromQueryResult;
use uuid::Uuid;

use super::entity::{Promise, PromiseStatus};
use super::events::{PromiseBroken, PromiseCancelled, PromiseKept, PromiseMade};
use crate::kernel::actor::Actor;
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, Result};
use crate::kernel::ids::{InvoiceId, PromiseId, ServiceId, SubscriberId};
use crate::kernel::money::Money;
use crate::kernel::page::{Page, PageRequest};
use crate::kernel::{Permission, event::Event};
use crate::subscribers;

macro_rules! select {
    ($tail:literal) => {
        concat!(
            "SELECT p.id, p.subscriber_id, p.status, p.until, p.amount, p.currency, p.note, p.by_subscriber, p.created_at, p.ended_at
             FROM promise_to_pay p ",
            $tail
        )
    };
}

/// A promise that must exist; for use cases that hold its id.
pub async fn by_id(tx: &TenantTx, id: PromiseId) -> Result<Promise> {
    let found = tx.sql(select!("WHERE p.id = $1")).bind(id).optional().await?;
    found.ok_or_else(|| Error::not_found("id"))
}

/// A promise that the actor may see, or none. A subscriber sees its own.
pub async fn find(tx: &TenantTx, id: PromiseId) -> Result<Option<Promise>> {
    let only = whose(tx)?;
    tx.sql(select!("WHERE p.id = $1 AND ($2::uuid IS NULL OR p.subscriber_id = $2)"))
        .bind(id)
        .bind(only)
        .optional()
        .await
}

/// A page of promises, newest first; a subscriber sees its own.
pub async fn list(
    tx: &TenantTx,
    page: PageRequest<PromiseId>,
    of: Option<SubscriberId>,
    status: Option<PromiseStatus>,
) -> Result<Page<Promise>> {
    let only = whose(tx)?;
    let rows = tx
        .sql(select!(
            "WHERE ($1::uuid IS NULL OR p.subscriber_id = $1) AND ($2::uuid IS NULL OR p.subscriber_id = $2)
                 AND ($3::text IS NULL OR p.status = $3) AND ($4::uuid IS NULL OR p.id < $4) ORDER BY p.id DESC LIMIT $5"
        ))
        .bind(only)
        .bind(of)
        .bind(status)
        .bind(page.after)
        .bind(page.limit() as i64)
        .all()
        .await?;
    Ok(Page::from_rows(&page, rows))
}

/// How many promises a list of them holds.
pub async fn count(tx: &TenantTx, of: Option<SubscriberId>, status: Option<PromiseStatus>) -> Result<i64> {
    let only = whose(tx)?;
    let count = tx
        .sql(
            "SELECT count(*) FROM promise_to_pay p WHERE ($1::uuid IS NULL OR p.subscriber_id = $1)
                 AND ($2::uuid IS NULL OR p.subscriber_id = $2) AND ($3::text IS NULL OR p.status = $3)",
        )
        .bind(only)
        .bind(of)
        .bind(status);
    Ok(count.scalar().await?.unwrap_or(0))
}

fn whose(tx: &TenantTx) -> Result<Option<SubscriberId>> {
    match tx.actor() {
        Actor::Subscriber { id, .. } => Ok(Some(*id)),
        _ => tx.require(Permission::InvoiceRead).map(|()| None),
    }
}

/// How many promises of the payer are open, and whether one was broken of which something is still due.
pub async fn open_of(tx: &TenantTx, payer: SubscriberId) -> Result<(u32, bool)> {
    #[derive(FromQueryResult)]
    struct Row {
        open: i64,
        broken: bool,
    }
    let row: Row = tx
        .sql(
            "SELECT count(*) FILTER (WHERE p.status = 'OPEN') AS open,
                 COALESCE(bool_or(p.status = 'BROKEN' AND EXISTS (
                     SELECT FROM promise_invoice x JOIN invoice i ON i.id = x.invoice_id
                     WHERE x.promise_id = p.id AND i.status IN ('ISSUED', 'PARTIALLY_PAID'))), false) AS broken
             FROM promise_to_pay p WHERE p.subscriber_id = $1",
        )
        .bind(payer)
        .one()
        .await?;
    Ok((u32::try_from(row.open).map_err(Error::internal)?, row.broken))
}

/// The payer's invoices among these that an open promise covers.
pub async fn promised(tx: &TenantTx, invoices: &[InvoiceId]) -> Result<Vec<InvoiceId>> {
    tx.sql(
        "SELECT x.invoice_id FROM promise_invoice x JOIN promise_to_pay p ON p.id = x.promise_id
         WHERE x.invoice_id = ANY($1) AND p.status = 'OPEN'",
    )
    .bind(InvoiceId::array(invoices))
    .scalars()
    .await
}

/// Writes down a promise to pay these invoices, of which so much is due.
pub async fn make(
    tx: &TenantTx,
    id: PromiseId,
    payer: SubscriberId,
    until: NaiveDate,
    invoices: &[(InvoiceId, Money)],
    note: Option<String>,
) -> Result<Promise> {
    let amount = Money::sum(invoices.iter().map(|(_, due)| *due), tx.tenant().currency()).map_err(Error::internal)?;
    let ids: Vec<Uuid> = invoices.iter().map(|(id, _)| id.0).collect();
    tx.sql(
        "INSERT INTO promise_to_pay (id, subscriber_id, status, until, amount, currency, note, by_subscriber, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(id)
    .bind(payer)
    .bind(PromiseStatus::Open)
    .bind(until)
    .bind(amount.amount())
    .bind(amount.currency().code())
    .bind(note)
    .bind(matches!(tx.actor(), Actor::Subscriber { .. }))
    .bind(tx.now())
    .run()
    .await?;
    tx.sql("INSERT INTO promise_invoice (promise_id, invoice_id) SELECT $1, i FROM unnest($2::uuid[]) AS i")
        .bind(id)
        .bind(ids.clone())
        .run()
        .await?;
    tx.sql("UPDATE invoice SET promised_until = $2 WHERE id = ANY($1)")
        .bind(ids)
        .bind(until)
        .run()
        .await?;
    tx.emit(&PromiseMade {
        promise_id: id,
        subscriber_id: payer,
    })
    .await?;
    by_id(tx, id).await
}

/// Takes an open promise back; its invoices are due as they say. Answers the services over whose time they are.
pub async fn cancel(tx: &TenantTx, promise: &Promise) -> Result<Vec<ServiceId>> {
    let services = services_of(tx, promise.id).await?;
    let event = PromiseCancelled {
        promise_id: promise.id,
        subscriber_id: promise.subscriber_id,
    };
    end(tx, promise.id, PromiseStatus::Cancelled, &event).await?;
    Ok(services)
}

/// The services over whose time a promise's invoices are, in the order of their ids.
async fn services_of(tx: &TenantTx, id: PromiseId) -> Result<Vec<ServiceId>> {
    tx.sql(
        "SELECT DISTINCT l.service_id FROM promise_invoice x JOIN invoice_line l ON l.invoice_id = x.invoice_id
         WHERE x.promise_id = $1 AND l.service_id IS NOT NULL ORDER BY l.service_id",
    )
    .bind(id)
    .scalars()
    .await
}

async fn end<E: Event>(tx: &TenantTx, id: PromiseId, status: PromiseStatus, event: &E) -> Result<()> {
    let ended = tx
        .sql("UPDATE promise_to_pay SET status = $2, ended_at = $3 WHERE id = $1 AND status = 'OPEN'")
        .bind(id)
        .bind(status)
        .bind(tx.now())
        .run()
        .await?;
    if ended == 0 {
        return Ok(());
    }
    tx.sql("UPDATE invoice SET promised_until = NULL WHERE id IN (SELECT invoice_id FROM promise_invoice WHERE promise_id = $1)")
        .bind(id)
        .run()
        .await?;
    tx.emit(event).await
}

/// Open promises over an invoice of which nothing is due any more are kept.
pub async fn keep_paid(tx: &TenantTx, invoice: InvoiceId) -> Result<()> {
    let over: Vec<PromiseId> = tx
        .sql(
            "SELECT p.id FROM promise_to_pay p JOIN promise_invoice x ON x.promise_id = p.id
             WHERE x.invoice_id = $1 AND p.status = 'OPEN' ORDER BY p.id",
        )
        .bind(invoice)
        .scalars()
        .await?;
    for id in over {
        if !still_due(tx, id).await? {
            keep(tx, &by_id(tx, id).await?).await?;
        }
    }
    Ok(())
}

async fn still_due(tx: &TenantTx, id: PromiseId) -> Result<bool> {
    let due = tx
        .sql(
            "SELECT EXISTS (SELECT FROM promise_invoice x JOIN invoice i ON i.id = x.invoice_id
                 WHERE x.promise_id = $1 AND i.status IN ('ISSUED', 'PARTIALLY_PAID'))",
        )
        .bind(id);
    Ok(due.scalar().await?.unwrap_or(false))
}

/// Holds the payer, so that no payment comes between what is seen and what is written.
async fn keep(tx: &TenantTx, promise: &Promise) -> Result<()> {
    subscribers::lock(tx, promise.subscriber_id).await?;
    if still_due(tx, promise.id).await? {
        return Ok(());
    }
    let event = PromiseKept {
        promise_id: promise.id,
        subscriber_id: promise.subscriber_id,
    };
    end(tx, promise.id, PromiseStatus::Kept, &event).await
}

/// Open promises whose last day has passed, at most `limit`.
pub async fn over(tx: &TenantTx, limit: i64) -> Result<Vec<PromiseId>> {
    tx.sql("SELECT id FROM promise_to_pay WHERE status = 'OPEN' AND until < $1 ORDER BY id LIMIT $2")
        .bind(tx.today())
        .bind(limit)
        .scalars()
        .await
}

/// Ends a promise whose last day has passed: broken where something is still due, else kept.
pub async fn judge(tx: &TenantTx, id: PromiseId) -> Result<()> {
    let promise = by_id(tx, id).await?;
    subscribers::lock(tx, promise.subscriber_id).await?;
    if !still_due(tx, id).await? {
        return keep(tx, &promise).await;
    }
    let event = PromiseBroken {
        promise_id: id,
        subscriber_id: promise.subscriber_id,
    };
    end(tx, id, PromiseStatus::Broken, &event).await
}
