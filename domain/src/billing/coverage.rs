//! What invoices charge of a service's time.

use chrono::{DateTime, NaiveDate, Utc};
use sea_orm::FromQueryResult;

use super::lines::PLAN_CHARGE;
use crate::kernel::calendar::Period;
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, Result};
use crate::kernel::ids::{InvoiceId, ServiceId};

/// Time of a service that an invoice charges, half-open.
#[derive(Clone, Debug, PartialEq, FromQueryResult)]
pub struct Covered {
    pub starts_at: DateTime<Utc>,
    pub ends_at: DateTime<Utc>,
    /// Nothing is due on the invoice.
    pub paid: bool,
    pub due_on: NaiveDate,
}

/// All that is charged of the service's time, in its order.
pub async fn covered(tx: &TenantTx, service: ServiceId) -> Result<Vec<Covered>> {
    tx.sql(
        "SELECT lower(c.period) AS starts_at, upper(c.period) AS ends_at, i.amount_due = 0 AS paid, i.due_on
         FROM coverage c JOIN invoice_line l ON l.id = c.invoice_line_id JOIN invoice i ON i.id = l.invoice_id
         WHERE c.service_id = $1 AND c.charge = $2 ORDER BY lower(c.period)",
    )
    .bind(service)
    .bind(PLAN_CHARGE)
    .all()
    .await
}

/// Lets what was charged for one period of a service cover another: it began when it was paid for. The invoice's line stays
/// as it was written.
pub async fn move_coverage(tx: &TenantTx, service: ServiceId, from: Period, to: Period) -> Result<()> {
    let moved = tx
        .sql(
            "UPDATE coverage SET period = tstzrange($5, $6, '[)')
             WHERE service_id = $1 AND charge = $2 AND period = tstzrange($3, $4, '[)')",
        )
        .bind(service)
        .bind(PLAN_CHARGE)
        .bind(from.start())
        .bind(from.end())
        .bind(to.start())
        .bind(to.end())
        .run()
        .await?;
    if moved == 1 {
        return Ok(());
    }
    Err(Error::internal(format!(
        "{service} is not covered for the period that is to be moved"
    )))
}

/// Services that are on although something of theirs was due by that day: at most `limit`, those after `after` in the order
/// of their ids.
pub async fn owing_services(tx: &TenantTx, due_by: NaiveDate, after: Option<ServiceId>, limit: i64) -> Result<Vec<ServiceId>> {
    tx.sql(
        "SELECT DISTINCT l.service_id FROM invoice i JOIN invoice_line l ON l.invoice_id = i.id JOIN service s ON s.id = l.service_id
         WHERE i.status IN ('ISSUED', 'PARTIALLY_PAID') AND i.due_on <= $1 AND s.status IN ('ACTIVE', 'GRACE')
             AND ($2::uuid IS NULL OR l.service_id > $2)
         ORDER BY l.service_id LIMIT $3",
    )
    .bind(due_by)
    .bind(after)
    .bind(limit)
    .scalars()
    .await
}

/// The first invoice that charged for the service.
pub async fn first_invoice_of(tx: &TenantTx, service: ServiceId) -> Result<Option<InvoiceId>> {
    tx.sql("SELECT invoice_id FROM invoice_line WHERE service_id = $1 ORDER BY id LIMIT 1")
        .bind(service)
        .scalar()
        .await
}
