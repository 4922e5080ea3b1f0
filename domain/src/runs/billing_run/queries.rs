use chrono::{DateTime, Utc};

use super::entity::{BillingFailure, BillingRun};
use crate::kernel::Permission;
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, Result};
use crate::kernel::ids::{BillingRunId, ServiceId};
use crate::kernel::page::{Page, PageRequest};

/// Runs are listed in the order in which they were asked for, the newest first.
pub type BillingRunKey = (DateTime<Utc>, BillingRunId);

macro_rules! select {
    ($tail:literal) => {
        concat!(
            "SELECT id, billing_date, dry_run, status, requested_at, started_at, finished_at, services_due, services_considered,
                 invoices_issued, currency, total FROM billing_run ",
            $tail
        )
    };
}

/// A run that the actor may see, or none.
pub async fn find(tx: &TenantTx, id: BillingRunId) -> Result<Option<BillingRun>> {
    tx.require(Permission::InvoiceRead)?;
    find_unchecked(tx, id).await
}

pub(super) async fn find_unchecked(tx: &TenantTx, id: BillingRunId) -> Result<Option<BillingRun>> {
    tx.sql(select!("WHERE id = $1")).bind(id).optional().await
}

/// The run of a date that is on its way.
pub(super) async fn under_way(tx: &TenantTx, date: chrono::NaiveDate, dry_run: bool) -> Result<BillingRun> {
    let run: Option<BillingRun> = tx
        .sql(select!(
            "WHERE billing_date = $1 AND dry_run = $2 AND status IN ('QUEUED', 'RUNNING')"
        ))
        .bind(date)
        .bind(dry_run)
        .optional()
        .await?;
    // It ended between the two statements.
    run.ok_or_else(|| Error::Unavailable("the run that was under way has just ended".into()))
}

/// A page of runs.
pub async fn list(tx: &TenantTx, page: PageRequest<BillingRunKey>) -> Result<Page<BillingRun>> {
    tx.require(Permission::InvoiceRead)?;
    let (at, id) = page.after.unzip();
    let rows = tx
        .sql(select!(
            "WHERE $1::timestamptz IS NULL OR (requested_at, id) < ($1, $2) ORDER BY requested_at DESC, id DESC LIMIT $3"
        ))
        .bind(at)
        .bind(id)
        .bind(page.limit() as i64)
        .all()
        .await?;
    Ok(Page::from_rows(&page, rows))
}

pub async fn count(tx: &TenantTx) -> Result<i64> {
    tx.require(Permission::InvoiceRead)?;
    Ok(tx.sql("SELECT count(*) FROM billing_run").scalar().await?.unwrap_or(0))
}

/// A page of a run's failures, in the order of the services.
pub async fn failures(tx: &TenantTx, run: BillingRunId, page: PageRequest<ServiceId>) -> Result<Page<BillingFailure>> {
    tx.require(Permission::InvoiceRead)?;
    let rows = tx
        .sql(
            "SELECT service_id, code, message, failed_at, resolved_at FROM billing_failure
             WHERE run_id = $1 AND ($2::uuid IS NULL OR service_id > $2) ORDER BY service_id LIMIT $3",
        )
        .bind(run)
        .bind(page.after)
        .bind(page.limit() as i64)
        .all()
        .await?;
    Ok(Page::from_rows(&page, rows))
}

pub async fn count_failures(tx: &TenantTx, run: BillingRunId) -> Result<i64> {
    tx.require(Permission::InvoiceRead)?;
    let count = tx.sql("SELECT count(*) FROM billing_failure WHERE run_id = $1").bind(run);
    Ok(count.scalar().await?.unwrap_or(0))
}
