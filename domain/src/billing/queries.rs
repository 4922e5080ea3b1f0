use chrono::{DateTime, NaiveDate, Utc};
use uuid::Uuid;

use super::entity::{Invoice, InvoiceLine, InvoiceStatus, InvoiceTax};
use crate::kernel::Permission;
use crate::kernel::actor::Actor;
use crate::kernel::calendar::days_between;
use crate::kernel::db::{Sql, TenantTx};
use crate::kernel::error::{Error, Result};
use crate::kernel::ids::{InvoiceId, ServiceId, SubscriberId};
use crate::kernel::page::{Page, PageRequest};
use crate::subscribers;

/// Invoices are listed newest first.
pub type InvoiceKey = (DateTime<Utc>, InvoiceId);

/// A list may reach over so many days.
const MAX_DAYS: i64 = 800;

/// Which invoices a list shows; what is None does not restrict it.
#[derive(Clone, Debug, Default)]
pub struct InvoiceFilter {
    pub status: Option<InvoiceStatus>,
    pub overdue: Option<bool>,
    /// Who pays them.
    pub subscriber_id: Option<SubscriberId>,
    /// First and last day of issue.
    pub issued: Option<(NaiveDate, NaiveDate)>,
}

/// `$1` is today.
macro_rules! select {
    ($($tail:expr),+) => {
        concat!(
            "SELECT i.id, CASE WHEN i.is_deposit THEN 'DEPOSIT' ELSE i.kind END AS kind, i.refers_to_id, i.reason, i.number, i.status, i.subscriber_id, i.registration_id, i.issued_on, i.due_on, i.currency, i.subtotal,
                 i.discount, i.tax_total, i.rounding, i.total, i.amount_paid, i.amount_credited, i.written_off, i.withheld, i.amount_due,
                 i.credit_noted, i.debit_noted, i.voided_at, i.void_reason,
                 (i.status IN ('ISSUED', 'PARTIALLY_PAID') AND i.due_on < $1) AS overdue, i.created_at
             FROM invoice i ",
            $($tail),+
        )
    };
}

/// `$1` today, `$2` whose only, `$3` status, `$4` overdue, `$5` payer, `$6` and `$7` days of issue.
macro_rules! matching {
    () => {
        "WHERE ($2::uuid IS NULL OR i.subscriber_id = $2) AND ($3::text IS NULL OR i.status = $3)
         AND ($4::boolean IS NULL OR $4 = (i.status IN ('ISSUED', 'PARTIALLY_PAID') AND i.due_on < $1::date))
         AND ($5::uuid IS NULL OR i.subscriber_id = $5)
         AND ($6::date IS NULL OR i.issued_on BETWEEN $6 AND $7::date) "
    };
}

/// An invoice that the actor may see, or none.
pub async fn find(tx: &TenantTx, id: InvoiceId) -> Result<Option<Invoice>> {
    let only = whose(tx)?;
    tx.sql(select!("WHERE i.id = $2 AND ($3::uuid IS NULL OR i.subscriber_id = $3)"))
        .bind(tx.today())
        .bind(id)
        .bind(only)
        .optional()
        .await
}

/// An invoice that must exist; for use cases that hold its id.
pub async fn get(tx: &TenantTx, id: InvoiceId) -> Result<Invoice> {
    tx.sql(select!("WHERE i.id = $2"))
        .bind(tx.today())
        .bind(id)
        .optional()
        .await?
        .ok_or_else(|| Error::not_found("invoiceId"))
}

/// An invoice, locked after whoever pays it, so that nobody else pays, credits or adds to it meanwhile.
pub(super) async fn lock(tx: &TenantTx, id: InvoiceId, field: &str) -> Result<Invoice> {
    let payer: Option<SubscriberId> = tx
        .sql("SELECT subscriber_id FROM invoice WHERE id = $1")
        .bind(id)
        .scalar()
        .await?;
    subscribers::lock(tx, payer.ok_or_else(|| Error::not_found(field))?).await?;
    tx.sql("SELECT id FROM invoice WHERE id = $1 FOR NO KEY UPDATE")
        .bind(id)
        .run()
        .await?;
    get(tx, id).await
}

/// The debit notes that add to invoices which the actor was allowed to read, oldest first.
pub async fn debit_notes_of(tx: &TenantTx, invoices: &[InvoiceId]) -> Result<Vec<Invoice>> {
    tx.require_signed_in()?;
    tx.sql(select!(
        "WHERE i.refers_to_id = ANY($2) AND ($3::uuid IS NULL OR i.subscriber_id = $3) ORDER BY i.created_at, i.id"
    ))
    .bind(tx.today())
    .bind(InvoiceId::array(invoices))
    .bind(own(tx))
    .all()
    .await
}

/// As [`get`], where there may be none.
pub async fn get_if_any(tx: &TenantTx, id: Option<InvoiceId>) -> Result<Option<Invoice>> {
    match id {
        Some(id) => get(tx, id).await.map(Some),
        None => Ok(None),
    }
}

/// For loaders, which follow references from what the actor was allowed to read: those of the invoices that exist. A
/// subscriber follows them to its own.
pub async fn by_ids(tx: &TenantTx, ids: &[InvoiceId]) -> Result<Vec<Invoice>> {
    tx.require_signed_in()?;
    tx.sql(select!("WHERE i.id = ANY($2) AND ($3::uuid IS NULL OR i.subscriber_id = $3)"))
        .bind(tx.today())
        .bind(InvoiceId::array(ids))
        .bind(own(tx))
        .all()
        .await
}

/// A page of invoices; a subscriber sees its own.
pub async fn list(tx: &TenantTx, page: PageRequest<InvoiceKey>, filter: &InvoiceFilter) -> Result<Page<Invoice>> {
    let (created_at, id) = page.after.unzip();
    let sql = tx.sql(select!(
        matching!(),
        "AND ($8::timestamptz IS NULL OR (i.created_at, i.id) < ($8, $9)) ORDER BY i.created_at DESC, i.id DESC LIMIT $10"
    ));
    let rows = filter
        .bind(tx, sql)?
        .bind(created_at)
        .bind(id)
        .bind(page.limit() as i64)
        .all()
        .await?;
    Ok(Page::from_rows(&page, rows))
}

pub async fn count(tx: &TenantTx, filter: &InvoiceFilter) -> Result<i64> {
    let sql = tx.sql(concat!("SELECT count(*) FROM invoice i ", matching!()));
    Ok(filter.bind(tx, sql)?.scalar().await?.unwrap_or(0))
}

/// The invoices' lines in their order. For loaders, as [`by_ids`], and for those who react to an invoice.
pub async fn lines_of(tx: &TenantTx, invoices: &[InvoiceId]) -> Result<Vec<InvoiceLine>> {
    tx.require_signed_in()?;
    tx.sql(
        "SELECT l.id, l.invoice_id, l.position, l.kind, l.description, l.subscriber_id, l.service_id, l.plan_id, l.quantity,
             l.unit_price, l.discount, l.amount, i.currency, l.tax_code, l.period_starts_at, l.period_ends_at, l.explanation
         FROM invoice_line l JOIN invoice i ON i.id = l.invoice_id
         WHERE l.invoice_id = ANY($1) AND ($2::uuid IS NULL OR i.subscriber_id = $2) ORDER BY l.invoice_id, l.position",
    )
    .bind(InvoiceId::array(invoices))
    .bind(own(tx))
    .all()
    .await
}

/// The taxes of the invoices' lines, line by line. For loaders, as [`by_ids`].
pub async fn taxes_of(tx: &TenantTx, invoices: &[InvoiceId]) -> Result<Vec<InvoiceTax>> {
    tx.require_signed_in()?;
    tx.sql(
        "SELECT t.invoice_id, t.line_id, t.position, t.name, t.rate, t.base, t.amount, i.currency
         FROM invoice_tax t JOIN invoice i ON i.id = t.invoice_id LEFT JOIN invoice_line l ON l.id = t.line_id
         WHERE t.invoice_id = ANY($1) AND ($2::uuid IS NULL OR i.subscriber_id = $2)
         ORDER BY t.invoice_id, l.position, t.position",
    )
    .bind(InvoiceId::array(invoices))
    .bind(own(tx))
    .all()
    .await
}

/// The invoice that a use case wrote into its audit entry as its own.
pub async fn made_by(tx: &TenantTx, action: &str, target: ServiceId, key: Uuid) -> Result<Option<Invoice>> {
    tx.sql(select!(
        "JOIN audit_entry a ON (a.detail ->> 'invoice_id')::uuid = i.id
         WHERE a.target_id = $2 AND a.action = $3 AND a.detail ->> 'idempotency_key' = $4"
    ))
    .bind(tx.today())
    .bind(target)
    .bind(action)
    .bind(key.to_string())
    .optional()
    .await
}

/// Whether the payer has an open invoice that was due before that day.
pub async fn has_arrears(tx: &TenantTx, payer: SubscriberId, on: NaiveDate) -> Result<bool> {
    let found: Option<bool> = tx
        .sql(
            "SELECT EXISTS (SELECT FROM invoice WHERE subscriber_id = $1 AND status IN ('ISSUED', 'PARTIALLY_PAID') AND due_on < $2)",
        )
        .bind(payer)
        .bind(on)
        .scalar()
        .await?;
    Ok(found.unwrap_or(false))
}

impl InvoiceFilter {
    /// Binds `$1` to `$7` of `matching!`, for an actor who may list.
    fn bind<'t>(&self, tx: &TenantTx, sql: Sql<'t>) -> Result<Sql<'t>> {
        let only = whose(tx)?;
        if let Some((from, to)) = self.issued
            && (from > to || days_between(from, to) >= MAX_DAYS)
        {
            let why = format!("`from` must not be after `to`, and the range at most {MAX_DAYS} days.");
            return Err(Error::invalid("filter.issued", why));
        }
        let (from, to) = self.issued.unzip();
        Ok(sql
            .bind(tx.today())
            .bind(only)
            .bind(self.status)
            .bind(self.overdue)
            .bind(self.subscriber_id)
            .bind(from)
            .bind(to))
    }
}

/// Whose invoices only the actor may read: a subscriber its own; staff with the permission everyone's.
pub(super) fn whose(tx: &TenantTx) -> Result<Option<SubscriberId>> {
    let own = own(tx);
    if own.is_none() {
        tx.require(Permission::InvoiceRead)?;
    }
    Ok(own)
}

pub(super) fn own(tx: &TenantTx) -> Option<SubscriberId> {
    match tx.actor() {
        Actor::Subscriber { id, .. } => Some(*id),
        _ => None,
    }
}
