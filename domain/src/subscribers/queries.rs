use std::collections::HashSet;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::entity::{Subscriber, SubscriberStatus};
use crate::kernel::check::compact_phone;
use crate::kernel::db::{Sql, TenantTx};
use crate::kernel::error::{Error, Result};
use crate::kernel::ids::{PlanId, SubscriberId};
use crate::kernel::page::{Page, PageRequest};
use crate::kernel::{Actor, Permission};

macro_rules! select {
    ($($tail:expr),+) => {
        concat!(
            "SELECT s.id, s.account_number, s.name, s.email, s.phone, s.tax_id, s.tax_class, s.address, s.status, s.bill_to_id,
                 s.created_at, s.version FROM subscriber s ",
            $($tail),+
        )
    };
}

/// A subscriber that the actor may see, or none. A subscriber sees itself only.
pub async fn find(tx: &TenantTx, id: SubscriberId) -> Result<Option<Subscriber>> {
    if matches!(tx.actor(), Actor::Subscriber { id: own, .. } if *own != id) {
        return Ok(None);
    }
    tx.require_for(Permission::SubscriberRead, id)?;
    look(tx, id).await
}

/// A subscriber that must exist; for use cases that hold its id.
pub async fn get(tx: &TenantTx, id: SubscriberId) -> Result<Subscriber> {
    look(tx, id).await?.ok_or_else(|| Error::not_found("subscriberId"))
}

/// As it is now, if it exists; for use cases that are about to lock it.
pub async fn look(tx: &TenantTx, id: SubscriberId) -> Result<Option<Subscriber>> {
    tx.sql(select!("WHERE s.id = $1")).bind(id).optional().await
}

/// For loaders, which follow references from what the actor was allowed to read: those of the subscribers that exist.
/// A subscriber follows them to itself and to those it pays for.
pub async fn by_ids(tx: &TenantTx, ids: &[SubscriberId]) -> Result<Vec<Subscriber>> {
    tx.require_signed_in()?;
    let only = match tx.actor() {
        Actor::Subscriber { id, .. } => Some(*id),
        _ => None,
    };
    tx.sql(select!(
        "WHERE s.id = ANY($1) AND ($2::uuid IS NULL OR s.id = $2 OR s.bill_to_id = $2)"
    ))
    .bind(SubscriberId::array(ids))
    .bind(only)
    .all()
    .await
}

/// Holds a subscriber until the transaction ends: its services, invoices and accounts change only under this lock. Rows
/// that refer to it can still be added. Use cases lock it before any service, invoice or ledger account.
pub async fn lock(tx: &TenantTx, id: SubscriberId) -> Result<Option<Subscriber>> {
    tx.sql(select!("WHERE s.id = $1 FOR NO KEY UPDATE")).bind(id).optional().await
}

/// Holds subscribers and whoever pays for them, in the order of their ids, which is that of all transactions that hold several.
pub async fn lock_with_payers(tx: &TenantTx, ids: &[SubscriberId]) -> Result<Vec<Subscriber>> {
    let mut locked: Vec<Subscriber> = tx
        .sql(select!(
            "WHERE s.id = ANY(ARRAY(
                 SELECT w.id FROM unnest($1::uuid[]) AS w(id)
                 UNION SELECT p.bill_to_id FROM subscriber p WHERE p.id = ANY($1) AND p.bill_to_id IS NOT NULL))
             ORDER BY s.id FOR NO KEY UPDATE"
        ))
        .bind(SubscriberId::array(ids))
        .all()
        .await?;
    // One may have been given a payer while we waited for it.
    let known: HashSet<SubscriberId> = locked.iter().map(|s| s.id).collect();
    let new: Vec<SubscriberId> = (locked.iter().map(Subscriber::payer))
        .filter(|p| !known.contains(p))
        .collect();
    for payer in new {
        locked.extend(lock(tx, payer).await?);
    }
    Ok(locked)
}

/// As [`lock_with_payers`], to look at them: locks nobody.
pub async fn with_payers(tx: &TenantTx, ids: &[SubscriberId]) -> Result<Vec<Subscriber>> {
    tx.sql(select!(
        "WHERE s.id = ANY(ARRAY(
             SELECT w.id FROM unnest($1::uuid[]) AS w(id)
             UNION SELECT p.bill_to_id FROM subscriber p WHERE p.id = ANY($1) AND p.bill_to_id IS NOT NULL))"
    ))
    .bind(SubscriberId::array(ids))
    .all()
    .await
}

/// Locks two in the order of their ids, so that transactions that lock the same two cannot wait for each other.
pub(super) async fn lock_both(tx: &TenantTx, id: SubscriberId, other: SubscriberId) -> Result<Option<Subscriber>> {
    let locked = lock_all(tx, &[id, other]).await?;
    Ok(locked.into_iter().find(|s| s.id == id))
}

/// As [`lock`], for several: in the order of their ids. Those that do not exist are left out.
pub async fn lock_all(tx: &TenantTx, ids: &[SubscriberId]) -> Result<Vec<Subscriber>> {
    tx.sql(select!("WHERE s.id = ANY($1) ORDER BY s.id FOR NO KEY UPDATE"))
        .bind(SubscriberId::array(ids))
        .all()
        .await
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SubscriberSort {
    #[default]
    CreatedAt,
    Name,
    AccountNumber,
}

/// The order of a list; oldest first unless asked otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SubscriberOrder {
    pub by: SubscriberSort,
    pub descending: bool,
}

/// Names a row of a list in its order. A cursor of another order is refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum SubscriberKey {
    CreatedAt(DateTime<Utc>, SubscriberId),
    Name(String, SubscriberId),
    AccountNumber(String, SubscriberId),
}

impl SubscriberKey {
    pub fn of(subscriber: &Subscriber, by: SubscriberSort) -> Self {
        match by {
            SubscriberSort::CreatedAt => Self::CreatedAt(subscriber.created_at, subscriber.id),
            SubscriberSort::Name => Self::Name(subscriber.name.clone(), subscriber.id),
            SubscriberSort::AccountNumber => Self::AccountNumber(subscriber.account_number.clone(), subscriber.id),
        }
    }
}

/// Which subscribers a list shows; what is None does not restrict it.
#[derive(Clone, Debug, Default)]
pub struct SubscriberFilter {
    /// Part of the name, account number, telephone number, e-mail address, or of a service's user name, in any case.
    pub search: Option<String>,
    pub status: Option<SubscriberStatus>,
    /// Has a service of this plan: one that is not terminated, unless `service_status` says otherwise.
    pub plan_id: Option<PlanId>,
    /// Has a service in this state, as `services::ServiceStatus` writes it; with `plan_id`, the same service.
    pub service_status: Option<String>,
    /// Whether the ledger says that it owes money.
    pub owing: Option<bool>,
}

/// `$1` search pattern, `$2` the same for telephone numbers, `$3` status, `$4` plan, `$5` service status, `$6` owing.
macro_rules! matching {
    () => {
        "WHERE ($1::text IS NULL OR s.name ILIKE $1 OR s.account_number ILIKE $1 OR s.email ILIKE $1 OR s.phone LIKE $2::text
             OR s.id IN (SELECT v.subscriber_id FROM service v WHERE v.username ILIKE $1))
         AND ($3::text IS NULL OR s.status = $3)
         AND (($4::uuid IS NULL AND $5::text IS NULL) OR EXISTS (
             SELECT FROM service v WHERE v.subscriber_id = s.id AND ($4 IS NULL OR v.plan_id = $4)
                 AND CASE WHEN $5 IS NULL THEN v.status <> 'TERMINATED' ELSE v.status = $5 END))
         AND ($6::boolean IS NULL OR $6 = COALESCE((
             SELECT sum(a.debit_total - a.credit_total) > 0 FROM ledger_account a
             WHERE a.subscriber_id = s.id AND a.kind IN ('RECEIVABLE', 'SUBSCRIBER_CREDIT')), false)) "
    };
}

macro_rules! page {
    ($column:literal, $type:literal, $beyond:literal, $direction:literal) => {
        select!(
            matching!(),
            "AND ($7::",
            $type,
            " IS NULL OR (",
            $column,
            ", s.id) ",
            $beyond,
            " ($7, $8)) ORDER BY ",
            $column,
            " ",
            $direction,
            ", s.id ",
            $direction,
            " LIMIT $9"
        )
    };
}

/// A page of subscribers; for staff.
pub async fn list(
    tx: &TenantTx,
    page: PageRequest<SubscriberKey>,
    filter: &SubscriberFilter,
    order: SubscriberOrder,
) -> Result<Page<Subscriber>> {
    may_list(tx, filter)?;
    let (by_time, by_text, id) = position(&page, order.by)?;
    let by_time_column = order.by == SubscriberSort::CreatedAt;
    let text = match (order.by, order.descending) {
        (SubscriberSort::CreatedAt, false) => page!("s.created_at", "timestamptz", ">", "ASC"),
        (SubscriberSort::CreatedAt, true) => page!("s.created_at", "timestamptz", "<", "DESC"),
        (SubscriberSort::Name, false) => page!("s.name", "text", ">", "ASC"),
        (SubscriberSort::Name, true) => page!("s.name", "text", "<", "DESC"),
        (SubscriberSort::AccountNumber, false) => page!("s.account_number", "text", ">", "ASC"),
        (SubscriberSort::AccountNumber, true) => page!("s.account_number", "text", "<", "DESC"),
    };
    let sql = filter.bind(tx.sql(text))?;
    let sql = if by_time_column {
        sql.bind(by_time)
    } else {
        sql.bind(by_text)
    };
    let rows = sql.bind(id).bind(page.limit() as i64).all().await?;
    Ok(Page::from_rows(&page, rows))
}

pub async fn count(tx: &TenantTx, filter: &SubscriberFilter) -> Result<i64> {
    may_list(tx, filter)?;
    let sql = tx.sql(concat!("SELECT count(*) FROM subscriber s ", matching!()));
    Ok(filter.bind(sql)?.scalar().await?.unwrap_or(0))
}

/// Who owes money shows in invoices and payments, so it takes a right to read the former.
fn may_list(tx: &TenantTx, filter: &SubscriberFilter) -> Result<()> {
    tx.require(Permission::SubscriberRead)?;
    if filter.owing.is_some() {
        tx.require(Permission::InvoiceRead)?;
    }
    Ok(())
}

type Position = (Option<DateTime<Utc>>, Option<String>, Option<SubscriberId>);

/// Where the page begins, if the cursor is one of this order.
fn position(page: &PageRequest<SubscriberKey>, by: SubscriberSort) -> Result<Position> {
    match (page.after.clone(), by) {
        (None, _) => Ok((None, None, None)),
        (Some(SubscriberKey::CreatedAt(at, id)), SubscriberSort::CreatedAt) => Ok((Some(at), None, Some(id))),
        (Some(SubscriberKey::Name(text, id)), SubscriberSort::Name)
        | (Some(SubscriberKey::AccountNumber(text, id)), SubscriberSort::AccountNumber)
            if !text.contains('\0') =>
        {
            Ok((None, Some(text), Some(id)))
        }
        _ => Err(Error::invalid("after", "`after` is not a cursor of this list.")),
    }
}

impl SubscriberFilter {
    /// Binds `$1` to `$6` of `matching!`.
    fn bind<'t>(&self, sql: Sql<'t>) -> Result<Sql<'t>> {
        let (search, phone) = match self.search.as_deref().map(str::trim).filter(|s| !s.is_empty()) {
            None => (None, None),
            Some(text) if text.chars().count() > 120 || text.chars().any(char::is_control) => {
                return Err(Error::invalid(
                    "filter.search",
                    "`search` must have at most 120 characters, none of them control characters.",
                ));
            }
            Some(text) => (
                Some(containing(text)),
                Some(compact_phone(text)).filter(|p| !p.is_empty()).map(|p| containing(&p)),
            ),
        };
        Ok(sql
            .bind(search)
            .bind(phone)
            .bind(self.status)
            .bind(self.plan_id)
            .bind(self.service_status.clone())
            .bind(self.owing))
    }
}

/// The LIKE pattern of all texts that contain this one; its wildcards stand for themselves.
fn containing(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len() + 2);
    pattern.push('%');
    for c in text.chars() {
        if matches!(c, '\\' | '%' | '_') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_are_searched_for_literally() {
        for (text, pattern) in [
            ("asha", "%asha%"),
            ("100%", r"%100\%%"),
            ("a_b", r"%a\_b%"),
            (r"a\b", r"%a\\b%"),
            (r"\%", r"%\\\%%"),
        ] {
            assert_eq!(containing(text), pattern);
        }
    }

    #[test]
    fn a_cursor_of_another_order_is_refused() {
        let after = |key| PageRequest {
            first: 1,
            after: Some(key),
        };
        let id = SubscriberId::new();
        let name = after(SubscriberKey::Name("Asha".into(), id));
        assert!(position(&name, SubscriberSort::Name).is_ok());
        assert!(position(&name, SubscriberSort::AccountNumber).is_err());
        assert!(position(&name, SubscriberSort::CreatedAt).is_err());
        assert!(position(&after(SubscriberKey::Name("\0".into(), id)), SubscriberSort::Name).is_err());
        assert!(PageRequest::<SubscriberKey>::new(1, Some(&crate::kernel::page::cursor(&("Asha", id)))).is_err());
    }
}
