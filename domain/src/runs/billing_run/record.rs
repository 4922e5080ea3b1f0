//! What a run writes down of itself.

use super::entity::{BillingRun, OperationStatus};
use super::events::BillingRunFinished;
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, Result};
use crate::kernel::ids::{BillingRunId, ServiceId};
use crate::runs::held::Tally;
use crate::runs::selection;

/// It has begun; answers whether it is to go on. A run whose job failed for long, and was tried again by hand, goes on too,
/// unless there is another of its date meanwhile.
pub(super) async fn begin(tx: &TenantTx, run: &BillingRun) -> Result<bool> {
    let settings = crate::billing::settings(tx).await?.settings;
    let due = selection::count(tx, run.billing_date.min(tx.today()), &settings).await?;
    let begun = tx
        .sql(
            "UPDATE billing_run r SET status = 'RUNNING', started_at = COALESCE(r.started_at, $2), touched_at = $2,
                 finished_at = NULL, services_due = r.services_considered + $3
             WHERE r.id = $1 AND (r.status = 'QUEUED' OR r.status = 'FAILED' AND NOT EXISTS (SELECT FROM billing_run o
                 WHERE o.billing_date = r.billing_date AND o.dry_run = r.dry_run AND o.status IN ('QUEUED', 'RUNNING')))",
        )
        .bind(run.id)
        .bind(tx.now())
        .bind(i32::try_from(due).unwrap_or(i32::MAX))
        .run()
        .await?;
    Ok(begun == 1)
}

/// What a part of a run looked at and has not written down: that is done once, at the part's end. Of a dry run it is
/// everything; else services that stay as they are, which a part that is repeated looks at again.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    services: usize,
    issued: Tally,
}

impl Seen {
    pub fn of(services: usize, issued: Tally) -> Self {
        Self { services, issued }
    }

    pub fn unchanged(services: usize) -> Self {
        Self::of(services, Tally::default())
    }

    pub fn add(&mut self, more: Self) {
        self.services += more.services;
        self.issued.invoices += more.issued.invoices;
        self.issued.total += more.issued.total;
    }
}

/// Services were brought up to date, which has changed so many of them.
pub(super) async fn visited(
    tx: &TenantTx,
    run: BillingRunId,
    services: &[ServiceId],
    changed: usize,
    issued: Tally,
) -> Result<()> {
    if changed > 0 {
        tx.gets_on();
    }
    got_on(tx, run, Seen::of(changed, issued)).await?;
    tx.sql("UPDATE billing_failure SET resolved_at = $2 WHERE resolved_at IS NULL AND service_id = ANY($1)")
        .bind(ServiceId::array(services))
        .bind(tx.now())
        .run()
        .await?;
    Ok(())
}

/// A service could not be brought up to date. It counts once, however often the run has tried it.
pub(super) async fn failed(tx: &TenantTx, run: &BillingRun, service: ServiceId, code: &str, message: &str) -> Result<()> {
    let first: Option<bool> = tx
        .sql(
            "INSERT INTO billing_failure (run_id, service_id, code, message, failed_at) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (run_id, service_id) DO UPDATE SET code = EXCLUDED.code, message = EXCLUDED.message,
                 failed_at = EXCLUDED.failed_at, resolved_at = NULL RETURNING xmax = 0",
        )
        .bind(run.id)
        .bind(service)
        .bind(code)
        .bind(message)
        .bind(tx.now())
        .scalar()
        .await?;
    if first != Some(true) {
        return Ok(());
    }
    tx.gets_on();
    got_on(tx, run.id, Seen::unchanged(1)).await
}

/// As [`failed`], between runs: it is named in the last one, and counts for none.
pub(super) async fn failed_since(tx: &TenantTx, service: ServiceId, code: &str, message: &str) -> Result<()> {
    tx.sql(
        "INSERT INTO billing_failure (run_id, service_id, code, message, failed_at)
         SELECT id, $1, $2, $3, $4 FROM billing_run WHERE NOT dry_run ORDER BY requested_at DESC, id DESC LIMIT 1
         ON CONFLICT (run_id, service_id) DO UPDATE SET code = EXCLUDED.code, message = EXCLUDED.message,
             failed_at = EXCLUDED.failed_at, resolved_at = NULL",
    )
    .bind(service)
    .bind(code)
    .bind(message)
    .bind(tx.now())
    .run()
    .await?;
    Ok(())
}

/// It goes no further.
pub(super) async fn cancel(tx: &TenantTx, run: BillingRunId) -> Result<()> {
    tx.sql(
        "UPDATE billing_run SET status = $2, finished_at = $3, touched_at = $3 WHERE id = $1 AND status IN ('QUEUED', 'RUNNING')",
    )
    .bind(run)
    .bind(OperationStatus::Cancelled)
    .bind(tx.now())
    .run()
    .await?;
    Ok(())
}

pub(super) async fn got_on(tx: &TenantTx, run: BillingRunId, Seen { services, issued }: Seen) -> Result<()> {
    tx.sql(
        "UPDATE billing_run SET services_considered = services_considered + $2, invoices_issued = invoices_issued + $3,
             total = total + $4, touched_at = $5
         WHERE id = $1",
    )
    .bind(run)
    .bind(i32::try_from(services).map_err(Error::internal)?)
    .bind(i32::try_from(issued.invoices).map_err(Error::internal)?)
    .bind(issued.total)
    .bind(tx.now())
    .run()
    .await?;
    Ok(())
}

/// Everything that was due has been looked at.
pub(super) async fn finish(tx: &TenantTx, run: &BillingRun) -> Result<()> {
    let finished = tx
        .sql("UPDATE billing_run SET status = $2, finished_at = $3, touched_at = $3 WHERE id = $1 AND status = 'RUNNING'")
        .bind(run.id)
        .bind(OperationStatus::Succeeded)
        .bind(tx.now())
        .run()
        .await?;
    if finished == 1 {
        let (billing_run_id, dry_run) = (run.id, run.dry_run);
        tx.emit(&BillingRunFinished { billing_run_id, dry_run }).await?;
    }
    Ok(())
}
