use super::entity::{Deposit, Refund};
use crate::kernel::actor::{Actor, Permission};
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, Result};
use crate::kernel::ids::{DepositId, RefundId, SubscriberId};

/// So many of each are shown with a subscriber, the newest.
const SHOWN: i64 = 100;

macro_rules! refunds {
    ($tail:literal) => {
        concat!(
            "SELECT id, subscriber_id, payment_id, amount, currency, method, reference, reason, refunded_on, created_at
             FROM refund ",
            $tail
        )
    };
}

macro_rules! deposits {
    ($tail:literal) => {
        concat!(
            "SELECT id, subscriber_id, service_id, invoice_id, description, amount, returned, currency, created_at FROM deposit ",
            $tail
        )
    };
}
pub(super) use deposits;

/// A refund that the actor may see, or none.
pub async fn find_refund(tx: &TenantTx, id: RefundId) -> Result<Option<Refund>> {
    let found: Option<Refund> = tx.sql(refunds!("WHERE id = $1")).bind(id).optional().await?;
    visible(tx, found, |refund| refund.subscriber_id)
}

/// A deposit that the actor may see, or none.
pub async fn find_deposit(tx: &TenantTx, id: DepositId) -> Result<Option<Deposit>> {
    let found: Option<Deposit> = tx.sql(deposits!("WHERE id = $1")).bind(id).optional().await?;
    visible(tx, found, |deposit| deposit.subscriber_id)
}

/// What was paid back to subscribers, the newest first. For loaders.
pub async fn refunds_of(tx: &TenantTx, subscribers: &[SubscriberId]) -> Result<Vec<Refund>> {
    let visible = allowed(tx, subscribers)?;
    tx.sql(refunds!(
        "WHERE id IN (SELECT r.id FROM unnest($1::uuid[]) s(id) CROSS JOIN LATERAL (
             SELECT id FROM refund WHERE subscriber_id = s.id ORDER BY created_at DESC, id DESC LIMIT $2) r)
         ORDER BY created_at DESC, id DESC"
    ))
    .bind(SubscriberId::array(&visible))
    .bind(SHOWN)
    .all()
    .await
}

/// What is or was held for subscribers, the newest first. For loaders.
pub async fn deposits_of(tx: &TenantTx, subscribers: &[SubscriberId]) -> Result<Vec<Deposit>> {
    let visible = allowed(tx, subscribers)?;
    tx.sql(deposits!(
        "WHERE id IN (SELECT d.id FROM unnest($1::uuid[]) s(id) CROSS JOIN LATERAL (
             SELECT id FROM deposit WHERE subscriber_id = s.id ORDER BY created_at DESC, id DESC LIMIT $2) d)
         ORDER BY created_at DESC, id DESC"
    ))
    .bind(SubscriberId::array(&visible))
    .bind(SHOWN)
    .all()
    .await
}

pub(super) async fn refund(tx: &TenantTx, id: RefundId) -> Result<Refund> {
    let found = tx.sql(refunds!("WHERE id = $1")).bind(id).optional().await?;
    found.ok_or_else(|| Error::internal("a refund is gone"))
}

pub(super) async fn deposit(tx: &TenantTx, id: DepositId) -> Result<Deposit> {
    let found = tx.sql(deposits!("WHERE id = $1")).bind(id).optional().await?;
    found.ok_or_else(|| Error::not_found("id"))
}

/// Staff with `payment:read`; a subscriber its own, and nobody else's.
fn visible<T>(tx: &TenantTx, found: Option<T>, whose: impl Fn(&T) -> SubscriberId) -> Result<Option<T>> {
    if let Actor::Subscriber { id, .. } = tx.actor() {
        return Ok(found.filter(|f| whose(f) == *id));
    }
    tx.require(Permission::PaymentRead)?;
    Ok(found)
}

fn allowed(tx: &TenantTx, subscribers: &[SubscriberId]) -> Result<Vec<SubscriberId>> {
    if let Actor::Subscriber { id, .. } = tx.actor() {
        return Ok(subscribers.iter().copied().filter(|s| s == id).collect());
    }
    tx.require(Permission::PaymentRead)?;
    Ok(subscribers.to_vec())
}
