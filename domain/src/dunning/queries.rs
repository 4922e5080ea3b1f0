use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use sea_orm::FromQueryResult;

use crate::kernel::db::TenantTx;
use crate::kernel::error::Result;
use crate::kernel::ids::{InvoiceId, ServiceId, SubscriberId};

/// Which services a run may cut.
#[derive(Clone, Copy, Debug)]
pub struct Candidates {
    /// When it looks at them.
    pub at: DateTime<Utc>,
    /// The day of that on the ISP's calendar.
    pub date: NaiveDate,
    /// Since when a service must have been blocked to be over; None: it never is.
    pub blocked_before: Option<DateTime<Utc>>,
}

/// Services whose time or money may be over: at most `limit`, those after `after` in the order of their ids. Who is cut among
/// them is for the rules to say.
pub async fn candidates(tx: &TenantTx, of: Candidates, after: Option<ServiceId>, limit: i64) -> Result<Vec<ServiceId>> {
    tx.sql(
        "SELECT id FROM (
             SELECT id FROM service WHERE status IN ('ACTIVE', 'GRACE') AND (access_until <= $1 OR paid_until <= $1)
             UNION SELECT l.service_id FROM invoice i JOIN invoice_line l ON l.invoice_id = i.id
                 JOIN service s ON s.id = l.service_id
                 WHERE i.status IN ('ISSUED', 'PARTIALLY_PAID') AND i.due_on < $2 AND s.status IN ('ACTIVE', 'GRACE')
             UNION SELECT id FROM service WHERE status = 'SUSPENDED' AND suspension_cause IN ('ARREARS', 'EXPIRED')
                 AND suspension_since <= $3
         ) AS one WHERE ($4::uuid IS NULL OR id > $4) ORDER BY id LIMIT $5",
    )
    .bind(of.at)
    .bind(of.date)
    .bind(of.blocked_before)
    .bind(after)
    .bind(limit)
    .scalars()
    .await
}

/// The oldest open invoice over a service's time.
#[derive(Clone, Debug, PartialEq, FromQueryResult)]
pub struct Owed {
    pub service_id: ServiceId,
    pub invoice_id: InvoiceId,
    /// Who pays it.
    pub subscriber_id: SubscriberId,
    pub due_on: NaiveDate,
    pub amount_due: Decimal,
}

/// What is owed for each of the services; those for which nothing is are left out.
pub async fn owed_for(tx: &TenantTx, services: &[ServiceId]) -> Result<Vec<Owed>> {
    tx.sql(
        "SELECT DISTINCT ON (c.service_id) c.service_id, i.id AS invoice_id, i.subscriber_id, i.due_on, i.amount_due
         FROM coverage c JOIN invoice_line l ON l.id = c.invoice_line_id JOIN invoice i ON i.id = l.invoice_id
         WHERE c.service_id = ANY($1) AND i.status IN ('ISSUED', 'PARTIALLY_PAID')
         ORDER BY c.service_id, i.due_on, i.id",
    )
    .bind(ServiceId::array(services))
    .all()
    .await
}

/// How many subscribers have a service that is on.
pub async fn served_subscribers(tx: &TenantTx) -> Result<u32> {
    let served: Option<i64> = tx
        .sql("SELECT count(DISTINCT subscriber_id) FROM service WHERE status IN ('ACTIVE', 'GRACE')")
        .scalar()
        .await?;
    Ok(u32::try_from(served.unwrap_or(0)).unwrap_or(u32::MAX))
}
