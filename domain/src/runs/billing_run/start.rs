use chrono::NaiveDate;
use serde::Serialize;

use super::entity::BillingRun;
use super::events::BillingRunStarted;
use super::job::RunPart;
use super::queries;
use crate::kernel::Permission;
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, Result};
use crate::kernel::ids::BillingRunId;
use crate::runs::selection::Place;

#[derive(Clone, Debug, Serialize)]
pub struct StartBillingRun {
    /// What is due by that day; default: today.
    pub billing_date: Option<NaiveDate>,
    /// Only counts what it would issue.
    pub dry_run: bool,
}

/// Asks for a run of what is due by a day, which has begun. A run of that day that is under way is the answer.
pub async fn billing_run_start(tx: &TenantTx, cmd: &StartBillingRun) -> Result<BillingRun> {
    tx.require(Permission::InvoiceWrite)?;
    let date = cmd.billing_date.unwrap_or(tx.today());
    if date > tx.today() {
        return Err(Error::invalid("billingDate", "Must not be later than today."));
    }
    let (run, new) = open(tx, date, cmd.dry_run, None).await?;
    if new {
        tx.audit("billingRunStart", run.id.0, cmd).await?;
    }
    Ok(run)
}

/// The run of a date that is under way, which begins unless there was one; answers whether it does. So many services share a
/// transaction, unless as many as is best.
pub async fn open(tx: &TenantTx, date: NaiveDate, dry_run: bool, together: Option<u16>) -> Result<(BillingRun, bool)> {
    give_up_stale(tx).await?;
    let id = BillingRunId::new();
    let opened = tx
        .sql(
            "INSERT INTO billing_run (id, billing_date, dry_run, status, requested_by, requested_at, touched_at, currency)
             VALUES ($1, $2, $3, 'QUEUED', $4, $5, $5, $6)
             ON CONFLICT (billing_date, dry_run) WHERE status IN ('QUEUED', 'RUNNING') DO NOTHING",
        )
        .bind(id)
        .bind(date)
        .bind(dry_run)
        .bind(tx.actor().principal())
        .bind(tx.now())
        .bind(tx.tenant().currency().code())
        .run()
        .await?;
    let new = opened == 1;
    if new {
        let part = RunPart {
            run: id,
            from: Place::FIRST,
            together,
            asked: None,
        };
        tx.enqueue(&part, tx.now()).await?;
        let billing_run_id = id;
        tx.emit(&BillingRunStarted { billing_run_id, dry_run }).await?;
    }
    Ok((queries::under_way(tx, date, dry_run).await?, new))
}

/// A job that keeps failing is parked after less than half an hour; a run that has not got on for longer than that is over,
/// so that the next one can begin.
async fn give_up_stale(tx: &TenantTx) -> Result<()> {
    tx.sql(
        "UPDATE billing_run SET status = 'FAILED', finished_at = $1
         WHERE status IN ('QUEUED', 'RUNNING') AND touched_at < $1 - interval '1 hour'",
    )
    .bind(tx.now())
    .run()
    .await?;
    Ok(())
}
