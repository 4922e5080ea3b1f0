//! Closing of periods: up to a day the books stay as they are.
//!
//! The wall is the policy `open_days` of `ledger_entry`; what is said here before is so that callers hear what to do. Whoever
//! books holds a shared lock until its transaction ends, whoever closes or opens a period the exclusive one: nothing that began
//! before is booked behind a closing's back.

use chrono::{DateTime, Days, NaiveDate, Utc};
use sea_orm::FromQueryResult;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::kernel::Permission;
use crate::kernel::check::Checks;
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, ErrorCode, Result};
use crate::kernel::event::Event;

/// Names the lock among those that PostgreSQL keeps by number; the other number is the ISP's.
const LOCK: i32 = 0x6c65_6467;

/// Up to which day the books are closed has changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerPeriodChanged {
    /// None: no day is closed any more.
    pub closed_through: Option<NaiveDate>,
}

impl Event for LedgerPeriodChanged {
    const KIND: &'static str = "LedgerPeriodChanged";
}

/// A closing, or an opening of what was closed.
#[derive(Clone, Debug, PartialEq, FromQueryResult)]
pub struct PeriodChange {
    pub number: i32,
    /// The last closed day from then on; None: none.
    pub through: Option<NaiveDate>,
    pub reason: String,
    pub closed_at: DateTime<Utc>,
}

#[derive(Clone, Debug, Serialize)]
pub struct ClosePeriod {
    /// The last day that takes no entry any more.
    pub through: NaiveDate,
    pub reason: String,
    pub idempotency_key: Uuid,
}

#[derive(Clone, Debug, Serialize)]
pub struct ReopenPeriod {
    /// The last day that stays closed; None: every day is open again.
    pub through: Option<NaiveDate>,
    pub reason: String,
    pub idempotency_key: Uuid,
}

/// Closes the books up to a day: nothing is booked on that day or before from then on.
pub async fn period_close(tx: &TenantTx, mut cmd: ClosePeriod) -> Result<Vec<PeriodChange>> {
    tx.require(Permission::LedgerWrite)?;
    cmd.reason = reason(&cmd.reason)?;
    if known(tx, "ledgerPeriodClose", cmd.idempotency_key, &cmd).await? {
        return changes(tx).await;
    }
    hold_alone(tx).await?;
    let closed = closed_through(tx).await?;
    if cmd.through >= tx.today() {
        return Err(Error::invalid(
            "through",
            "Must be before today: a day is closed once it is over.",
        ));
    }
    if let Some(closed) = closed.filter(|closed| *closed >= cmd.through) {
        return Err(Error::state(
            "through",
            format!("The books are closed through {closed} already."),
        ));
    }
    change(tx, Some(cmd.through), &cmd.reason).await?;
    tx.audit("ledgerPeriodClose", tx.tenant().id().0, &cmd).await?;
    changes(tx).await
}

/// Opens days again that were closed, the latest ones: those after `through`.
pub async fn period_reopen(tx: &TenantTx, mut cmd: ReopenPeriod) -> Result<Vec<PeriodChange>> {
    tx.require(Permission::LedgerWrite)?;
    cmd.reason = reason(&cmd.reason)?;
    if known(tx, "ledgerPeriodReopen", cmd.idempotency_key, &cmd).await? {
        return changes(tx).await;
    }
    hold_alone(tx).await?;
    let Some(closed) = closed_through(tx).await? else {
        return Err(Error::state("through", "No day is closed."));
    };
    if cmd.through.is_some_and(|through| through >= closed) {
        return Err(Error::state(
            "through",
            format!("The books are closed through {closed}: name an earlier day, or none."),
        ));
    }
    change(tx, cmd.through, &cmd.reason).await?;
    tx.audit("ledgerPeriodReopen", tx.tenant().id().0, &cmd).await?;
    changes(tx).await
}

fn reason(text: &str) -> Result<String> {
    let mut checks = Checks::new();
    let reason = checks.line(text, 500, "reason");
    checks.done()?;
    Ok(reason)
}

async fn known(tx: &TenantTx, mutation: &'static str, key: Uuid, cmd: &impl Serialize) -> Result<bool> {
    Ok(tx.claim_key(mutation, Some(key), cmd, Uuid::now_v7()).await?.is_some())
}

async fn change(tx: &TenantTx, through: Option<NaiveDate>, reason: &str) -> Result<()> {
    tx.sql(
        "INSERT INTO ledger_close (number, through, reason, closed_at)
         SELECT coalesce(max(number), 0) + 1, $1, $2, $3 FROM ledger_close",
    )
    .bind(through)
    .bind(reason)
    .bind(tx.now())
    .run()
    .await?;
    let closed_through = through;
    tx.emit(&LedgerPeriodChanged { closed_through }).await
}

/// Every closing and opening, the latest first. What counts is the first.
pub async fn periods(tx: &TenantTx) -> Result<Vec<PeriodChange>> {
    tx.require(Permission::LedgerRead)?;
    changes(tx).await
}

async fn changes(tx: &TenantTx) -> Result<Vec<PeriodChange>> {
    tx.sql("SELECT number, through, reason, closed_at FROM ledger_close ORDER BY number DESC LIMIT 1000")
        .all()
        .await
}

/// The last closed day.
pub async fn closed_through(tx: &TenantTx) -> Result<Option<NaiveDate>> {
    let through = tx
        .sql("SELECT through FROM ledger_close ORDER BY number DESC LIMIT 1")
        .scalar();
    Ok(through.await?.flatten())
}

/// Refuses a day that is closed, under the field that names it: for whatever takes effect on a day of the caller's.
pub async fn require_open(tx: &TenantTx, day: NaiveDate, field: &str) -> Result<()> {
    match closed_through(tx).await? {
        Some(closed) if day <= closed => Err(closed_error(closed, field)),
        _ => Ok(()),
    }
}

/// Keeps periods as they are until the transaction ends, and refuses days that are closed.
pub(super) async fn hold(tx: &TenantTx, earliest: Option<NaiveDate>) -> Result<()> {
    let through = tx
        .sql(
            "WITH held AS MATERIALIZED (SELECT pg_advisory_xact_lock_shared($1, $2))
             SELECT (SELECT c.through FROM ledger_close c ORDER BY c.number DESC LIMIT 1) FROM held",
        )
        .bind(LOCK)
        .bind(tx.tenant().number())
        .scalar::<Option<NaiveDate>>()
        .await?;
    match through.flatten() {
        Some(closed) if earliest.is_some_and(|day| day <= closed) => Err(closed_error(closed, "")),
        _ => Ok(()),
    }
}

/// What the policy said, in words: the period was closed while the caller waited for whoever closed it.
pub(super) fn refusal(e: Error) -> Error {
    match e.sqlstate() {
        Some("42501") => Error::state("", "The books have just been closed for that day; book it on a later one."),
        _ => e,
    }
}

async fn hold_alone(tx: &TenantTx) -> Result<()> {
    tx.sql("SELECT pg_advisory_xact_lock($1, $2)")
        .bind(LOCK)
        .bind(tx.tenant().number())
        .run()
        .await?;
    Ok(())
}

fn closed_error(closed: NaiveDate, field: &str) -> Error {
    let next = closed.checked_add_days(Days::new(1)).unwrap_or(closed);
    Error::user(
        ErrorCode::InvalidState,
        field,
        format!("The books are closed through {closed}; the first open day is {next}."),
    )
}
