use std::collections::HashMap;

use super::entity::Service;
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, Result};
use crate::kernel::ids::{ServiceId, SubscriberId};
use crate::kernel::page::{Page, PageRequest};
use crate::kernel::{Actor, Permission};

/// Services are listed in the order of their creation, which that of their ids is.
pub type ServiceKey = ServiceId;

macro_rules! select {
    ($tail:literal) => {
        select!(from "FROM service s ", $tail)
    };
    (from $from:literal, $tail:literal) => {
        concat!(
            "SELECT s.id, s.subscriber_id, s.plan_id, s.plan_version_id, s.status, s.suspension_cause, s.suspension_since,
                 s.suspension_reason, s.username, s.installation_address, s.started_on, s.anchor_at, s.period_starts_at,
                 s.period_ends_at, s.billed_until, s.billed_version_id, s.paid_until, s.access_until, s.next_billing_on, s.awaits_payment,
                 s.pending_plan_id, s.pending_on, s.pause_starts_on, s.pause_ends_on, s.ends_on, s.end_reason, s.version_kept_until, s.created_at, s.version ",
            $from,
            $tail
        )
    };
}

/// A service that the actor may see, or none. A subscriber sees its own.
pub async fn find(tx: &TenantTx, id: ServiceId) -> Result<Option<Service>> {
    let own = only_own(tx)?;
    tx.sql(select!("WHERE s.id = $1 AND ($2::uuid IS NULL OR s.subscriber_id = $2)"))
        .bind(id)
        .bind(own)
        .optional()
        .await
}

/// A service that must exist; for use cases that hold its id.
pub async fn get(tx: &TenantTx, id: ServiceId) -> Result<Service> {
    tx.sql(select!("WHERE s.id = $1"))
        .bind(id)
        .optional()
        .await?
        .ok_or_else(|| Error::not_found("id"))
}

/// For loaders, which follow references from what the actor was allowed to read: those of the services that exist. A
/// subscriber follows them to its own and to those it pays for.
pub async fn by_ids(tx: &TenantTx, ids: &[ServiceId]) -> Result<Vec<Service>> {
    let own = only_own(tx)?;
    tx.sql(select!(
        "WHERE s.id = ANY($1) AND ($2::uuid IS NULL OR s.subscriber_id IN (
             SELECT p.id FROM subscriber p WHERE p.id = $2 OR p.bill_to_id = $2))"
    ))
    .bind(ServiceId::array(ids))
    .bind(own)
    .all()
    .await
}

/// A page of a subscriber's services, oldest first.
pub async fn for_subscriber(tx: &TenantTx, subscriber: SubscriberId, page: PageRequest<ServiceKey>) -> Result<Page<Service>> {
    tx.require_for(Permission::ServiceRead, subscriber)?;
    let rows = tx
        .sql(select!(
            "WHERE s.subscriber_id = $1 AND ($2::uuid IS NULL OR s.id > $2) ORDER BY s.id LIMIT $3"
        ))
        .bind(subscriber)
        .bind(page.after)
        .bind(page.limit() as i64)
        .all()
        .await?;
    Ok(Page::from_rows(&page, rows))
}

/// The first page of this size of each subscriber's services, oldest first; an empty one for who has none.
pub async fn first_of_each(
    tx: &TenantTx,
    subscribers: &[SubscriberId],
    first: u32,
) -> Result<HashMap<SubscriberId, Page<Service>>> {
    for subscriber in subscribers {
        tx.require_for(Permission::ServiceRead, *subscriber)?;
    }
    let request = PageRequest::<ServiceKey> { first, after: None };
    let rows: Vec<Service> = tx
        .sql(select!(
            from "FROM unnest($1::uuid[]) AS w (id) CROSS JOIN LATERAL (
                 SELECT v.* FROM service v WHERE v.subscriber_id = w.id ORDER BY v.id LIMIT $2) AS s ",
            "ORDER BY s.subscriber_id, s.id"
        ))
        .bind(SubscriberId::array(subscribers))
        .bind(request.limit() as i64)
        .all()
        .await?;
    let mut all: HashMap<SubscriberId, Vec<Service>> = subscribers.iter().map(|s| (*s, Vec::new())).collect();
    for row in rows {
        all.entry(row.subscriber_id).or_default().push(row);
    }
    Ok(all
        .into_iter()
        .map(|(id, rows)| (id, Page::from_rows(&request, rows)))
        .collect())
}

pub async fn count_for_subscriber(tx: &TenantTx, subscriber: SubscriberId) -> Result<i64> {
    tx.require_for(Permission::ServiceRead, subscriber)?;
    let count = tx
        .sql("SELECT count(*) FROM service WHERE subscriber_id = $1")
        .bind(subscriber);
    Ok(count.scalar().await?.unwrap_or(0))
}

/// Whose services they are, which never changes.
pub async fn subscribers_of(tx: &TenantTx, ids: &[ServiceId]) -> Result<Vec<SubscriberId>> {
    tx.sql("SELECT DISTINCT subscriber_id FROM service WHERE id = ANY($1)")
        .bind(ServiceId::array(ids))
        .scalars()
        .await
}

/// Holds services until the transaction ends, in the order of their ids; lock their subscribers first.
pub async fn lock_all(tx: &TenantTx, ids: &[ServiceId]) -> Result<Vec<Service>> {
    tx.sql(select!("WHERE s.id = ANY($1) ORDER BY s.id FOR NO KEY UPDATE"))
        .bind(ServiceId::array(ids))
        .all()
        .await
}

/// Services that have begun and are not over: at most `limit`, those after `after` in the order of their ids.
pub async fn begun(tx: &TenantTx, after: Option<ServiceId>, limit: i64) -> Result<Vec<ServiceId>> {
    tx.sql(
        "SELECT id FROM service WHERE status IN ('ACTIVE', 'GRACE', 'SUSPENDED') AND ($1::uuid IS NULL OR id > $1)
         ORDER BY id LIMIT $2",
    )
    .bind(after)
    .bind(limit)
    .scalars()
    .await
}

/// Services that this subscriber pays for and that are off because their paid time is over, or that are to be charged now.
pub async fn waiting_for_credit(tx: &TenantTx, payer: SubscriberId) -> Result<Vec<ServiceId>> {
    tx.sql(
        "SELECT id FROM service WHERE (status = 'SUSPENDED' AND suspension_cause = 'EXPIRED'
                 OR status IN ('ACTIVE', 'GRACE') AND next_billing_on <= $2)
             AND subscriber_id IN (SELECT p.id FROM subscriber p WHERE p.id = $1 AND p.bill_to_id IS NULL
                 UNION SELECT p.id FROM subscriber p WHERE p.bill_to_id = $1) ORDER BY id",
    )
    .bind(payer)
    .bind(tx.today())
    .scalars()
    .await
}

/// Whose services alone the actor may see; None: everyone's.
fn only_own(tx: &TenantTx) -> Result<Option<SubscriberId>> {
    match tx.actor() {
        Actor::Subscriber { id, .. } => Ok(Some(*id)),
        _ => tx.require(Permission::ServiceRead).map(|()| None),
    }
}
