use chrono::{DateTime, Utc};

use super::entity::{Allocation, Payment};
use crate::kernel::Permission;
use crate::kernel::actor::Actor;
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, Result};
use crate::kernel::ids::{PaymentId, SubscriberId};
use crate::kernel::page::{Page, PageRequest};

/// Payments are listed newest first.
pub type PaymentKey = (DateTime<Utc>, PaymentId);

macro_rules! select {
    ($tail:literal) => {
        concat!(
            "SELECT p.id, p.subscriber_id, p.amount, p.currency, p.method, p.status, p.reference, p.received_at, p.unallocated, p.refunded,
                 p.reversed_at, p.reversal_reason, p.created_at
             FROM payment p ",
            $tail
        )
    };
}

/// A payment that the actor may see, or none. A subscriber sees its own.
pub async fn find(tx: &TenantTx, id: PaymentId) -> Result<Option<Payment>> {
    let only = whose(tx)?;
    let payment = find_unchecked(tx, id).await?;
    Ok(payment.filter(|p| only.is_none() || p.subscriber_id == only))
}

/// A payment that must exist; for use cases that hold its id.
pub async fn get(tx: &TenantTx, id: PaymentId) -> Result<Payment> {
    find_unchecked(tx, id).await?.ok_or_else(|| Error::not_found("id"))
}

pub(super) async fn find_unchecked(tx: &TenantTx, id: PaymentId) -> Result<Option<Payment>> {
    tx.sql(select!("WHERE p.id = $1")).bind(id).optional().await
}

/// For loaders: those of the payments that the actor may see.
pub async fn by_ids(tx: &TenantTx, ids: &[PaymentId]) -> Result<Vec<Payment>> {
    let only = whose(tx)?;
    tx.sql(select!("WHERE p.id = ANY($1) AND ($2::uuid IS NULL OR p.subscriber_id = $2)"))
        .bind(PaymentId::array(ids))
        .bind(only)
        .all()
        .await
}

/// A page of payments, of one subscriber if asked. A subscriber sees its own and may not ask for another's.
pub async fn list(tx: &TenantTx, page: PageRequest<PaymentKey>, of: Option<SubscriberId>) -> Result<Page<Payment>> {
    let of = restricted(tx, of)?;
    let (created_at, id) = page.after.unzip();
    // Two texts, so that each gets the plan of its index.
    let sql = match of {
        None => tx.sql(select!(
            "WHERE ($1::timestamptz IS NULL OR (p.created_at, p.id) < ($1, $2))
             ORDER BY p.created_at DESC, p.id DESC LIMIT $3"
        )),
        Some(_) => tx.sql(select!(
            "WHERE p.subscriber_id = $4 AND ($1::timestamptz IS NULL OR (p.created_at, p.id) < ($1, $2))
             ORDER BY p.created_at DESC, p.id DESC LIMIT $3"
        )),
    };
    let sql = sql.bind(created_at).bind(id).bind(page.limit() as i64);
    let rows = match of {
        None => sql.all().await?,
        Some(subscriber) => sql.bind(subscriber).all().await?,
    };
    Ok(Page::from_rows(&page, rows))
}

/// How many payments nobody knows the subscriber of.
pub async fn unmatched(tx: &TenantTx) -> Result<u32> {
    let waiting: Option<i64> = tx
        .sql("SELECT count(*) FROM payment WHERE subscriber_id IS NULL AND status IN ('PENDING', 'SUCCEEDED')")
        .scalar()
        .await?;
    Ok(u32::try_from(waiting.unwrap_or(0)).unwrap_or(u32::MAX))
}

pub async fn count(tx: &TenantTx, of: Option<SubscriberId>) -> Result<i64> {
    let of = restricted(tx, of)?;
    let counted = tx
        .sql("SELECT count(*) FROM payment WHERE ($1::uuid IS NULL OR subscriber_id = $1)")
        .bind(of)
        .scalar()
        .await?;
    Ok(counted.unwrap_or(0))
}

/// What the payments settled, each payment's in its order. For loaders, which follow references from payments that the actor
/// was allowed to read; a subscriber follows them from its own.
pub async fn allocations_of(tx: &TenantTx, payments: &[PaymentId]) -> Result<Vec<Allocation>> {
    tx.require_signed_in()?;
    let only = match tx.actor() {
        Actor::Subscriber { id, .. } => Some(*id),
        _ => None,
    };
    allocations(tx, payments, only).await
}

pub(super) async fn allocations_unchecked(tx: &TenantTx, payments: &[PaymentId]) -> Result<Vec<Allocation>> {
    allocations(tx, payments, None).await
}

async fn allocations(tx: &TenantTx, payments: &[PaymentId], only: Option<SubscriberId>) -> Result<Vec<Allocation>> {
    tx.sql(
        "SELECT a.payment_id, a.invoice_id, a.amount, p.currency
         FROM payment_allocation a JOIN payment p ON p.id = a.payment_id
         WHERE a.payment_id = ANY($1) AND ($2::uuid IS NULL OR p.subscriber_id = $2) ORDER BY a.payment_id, a.position",
    )
    .bind(PaymentId::array(payments))
    .bind(only)
    .all()
    .await
}

/// Whose payments the actor is restricted to; None for staff with the permission, who see all.
fn whose(tx: &TenantTx) -> Result<Option<SubscriberId>> {
    if let Actor::Subscriber { id, .. } = tx.actor() {
        return Ok(Some(*id));
    }
    tx.require(Permission::PaymentRead)?;
    Ok(None)
}

fn restricted(tx: &TenantTx, of: Option<SubscriberId>) -> Result<Option<SubscriberId>> {
    match (whose(tx)?, of) {
        (None, of) => Ok(of),
        (Some(own), None) => Ok(Some(own)),
        (Some(own), Some(of)) if own == of => Ok(Some(own)),
        (Some(_), Some(_)) => Err(Error::Forbidden),
    }
}
