//! Invoices by hand that wait for somebody to look at them. A draft is what was asked for: it has no number, is owed by nobody and
//! uses up nothing; what it comes to is found anew whenever it is looked at, and when it is issued.

use chrono::{DateTime, NaiveDate, Utc};
use sea_orm::{FromJsonQueryResult, FromQueryResult};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::entity::Invoice;
use super::events::{InvoiceDraftCreated, InvoiceDraftDiscarded, InvoiceDraftUpdated};
use super::manual::{Draft, ManualLine, check, draft, issue_as};
use super::queries;
use crate::kernel::Permission;
use crate::kernel::check::Checks;
use crate::kernel::db::{TenantDb, TenantTx};
use crate::kernel::error::{Error, Result};
use crate::kernel::ids::{InvoiceDraftId, InvoiceId, SubscriberId};
use crate::kernel::page::{Page, PageRequest};
use crate::kernel::patch::Patch;
use crate::subscribers;

/// An invoice that is written and not issued.
#[derive(Clone, Debug, FromQueryResult)]
pub struct InvoiceDraft {
    pub id: InvoiceDraftId,
    pub subscriber_id: SubscriberId,
    pub lines: Lines,
    /// None: as many days after its issue as the settings say.
    pub due_on: Option<NaiveDate>,
    pub version: i32,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

#[derive(Clone, Debug, Serialize, Deserialize, FromJsonQueryResult)]
#[serde(transparent)]
pub struct Lines(pub Vec<ManualLine>);

#[derive(Clone, Debug, Serialize)]
pub struct CreateInvoiceDraft {
    pub subscriber_id: SubscriberId,
    pub lines: Vec<ManualLine>,
    pub due_on: Option<NaiveDate>,
    pub idempotency_key: Uuid,
}

/// Absent fields stay as they are.
#[derive(Clone, Debug, Serialize)]
pub struct UpdateInvoiceDraft {
    pub id: InvoiceDraftId,
    pub expected_version: i32,
    /// Replace those that there are.
    pub lines: Patch<Vec<ManualLine>>,
    pub due_on: Patch<NaiveDate>,
}

#[derive(Clone, Debug, Serialize)]
pub struct IssueInvoiceDraft {
    pub id: InvoiceDraftId,
    /// What was looked at is what is issued.
    pub expected_version: i32,
    pub idempotency_key: Uuid,
}

macro_rules! select {
    ($tail:literal) => {
        concat!(
            "SELECT d.id, d.subscriber_id, d.lines, d.due_on, d.version, d.created_at, d.updated_at FROM invoice_draft d ",
            $tail
        )
    };
}

/// A page of the drafts, the newest first.
pub async fn drafts(tx: &TenantTx, page: PageRequest<InvoiceDraftId>) -> Result<Page<InvoiceDraft>> {
    tx.require(Permission::InvoiceWrite)?;
    let rows = tx
        .sql(select!("WHERE $1::uuid IS NULL OR d.id < $1 ORDER BY d.id DESC LIMIT $2"))
        .bind(page.after)
        .bind(page.limit() as i64)
        .all()
        .await?;
    Ok(Page::from_rows(&page, rows))
}

pub async fn count_drafts(tx: &TenantTx) -> Result<i64> {
    tx.require(Permission::InvoiceWrite)?;
    Ok(tx.sql("SELECT count(*) FROM invoice_draft").scalar().await?.unwrap_or(0))
}

/// A draft, or none.
pub async fn draft_by_id(tx: &TenantTx, id: InvoiceDraftId) -> Result<Option<InvoiceDraft>> {
    tx.require(Permission::InvoiceWrite)?;
    tx.sql(select!("WHERE d.id = $1")).bind(id).optional().await
}

/// Keeps an invoice by hand for later.
pub async fn invoice_draft_create(tx: &TenantTx, cmd: CreateInvoiceDraft) -> Result<InvoiceDraft> {
    tx.require(Permission::InvoiceWrite)?;
    let id = InvoiceDraftId::new();
    let key = Some(cmd.idempotency_key);
    if let Some(known) = tx.claim_key("invoiceDraftCreate", key, &cmd, id.0).await? {
        let over = || Error::state("idempotencyKey", "The draft that it made has been issued or discarded since.");
        return draft_by_id(tx, InvoiceDraftId(known)).await?.ok_or_else(over);
    }
    check(tx, &cmd.lines, cmd.due_on)?;
    let subscriber = subscribers::get(tx, cmd.subscriber_id).await?;
    tx.sql(
        "INSERT INTO invoice_draft (id, subscriber_id, lines, due_on, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $5)",
    )
    .bind(id)
    .bind(subscriber.id)
    .bind(serde_json::to_value(&cmd.lines)?)
    .bind(cmd.due_on)
    .bind(tx.now())
    .run()
    .await?;
    tx.audit("invoiceDraftCreate", id.0, &cmd).await?;
    tx.emit(&InvoiceDraftCreated { invoice_draft_id: id }).await?;
    get(tx, id).await
}

/// Changes what waits to be issued.
pub async fn invoice_draft_update(tx: &TenantTx, cmd: UpdateInvoiceDraft) -> Result<InvoiceDraft> {
    tx.require(Permission::InvoiceWrite)?;
    let old = lock(tx, cmd.id).await?;
    if old.version != cmd.expected_version {
        return Err(Error::stale("expectedVersion"));
    }
    let mut checks = Checks::new();
    let lines = cmd.lines.clone().required(old.lines.0, "lines", &mut checks);
    checks.done()?;
    let due_on = cmd.due_on.clone().or(old.due_on);
    // One that was in time when it was written may be left as it is.
    let due_to_check = due_on.filter(|_| matches!(cmd.due_on, Patch::Set(_)));
    check(tx, &lines, due_to_check)?;
    tx.sql("UPDATE invoice_draft SET lines = $2, due_on = $3, updated_at = $4, version = version + 1 WHERE id = $1")
        .bind(cmd.id)
        .bind(serde_json::to_value(&lines)?)
        .bind(due_on)
        .bind(tx.now())
        .run()
        .await?;
    tx.audit("invoiceDraftUpdate", cmd.id.0, &cmd).await?;
    tx.emit(&InvoiceDraftUpdated {
        invoice_draft_id: cmd.id,
    })
    .await?;
    get(tx, cmd.id).await
}

/// Throws a draft away; answers what it was.
pub async fn invoice_draft_discard(tx: &TenantTx, id: InvoiceDraftId) -> Result<InvoiceDraft> {
    tx.require(Permission::InvoiceWrite)?;
    let draft = lock(tx, id).await?;
    remove(tx, id).await?;
    tx.audit(
        "invoiceDraftDiscard",
        id.0,
        serde_json::json!({ "subscriberId": draft.subscriber_id }),
    )
    .await?;
    tx.emit(&InvoiceDraftDiscarded { invoice_draft_id: id }).await?;
    Ok(draft)
}

/// Issues what waited, as `invoiceIssue` would issue it today; the draft is gone.
pub async fn invoice_draft_issue(tx: &TenantTx, cmd: &IssueInvoiceDraft) -> Result<Invoice> {
    tx.require(Permission::InvoiceWrite)?;
    let id = InvoiceId::new();
    let key = Some(cmd.idempotency_key);
    if let Some(known) = tx.claim_key("invoiceDraftIssue", key, cmd, id.0).await? {
        return queries::get(tx, InvoiceId(known)).await;
    }
    let draft = lock(tx, cmd.id).await?;
    if draft.version != cmd.expected_version {
        return Err(Error::stale("expectedVersion"));
    }
    let invoice = issue_as(tx, id, draft.subscriber_id, &draft.lines.0, draft.due_on).await?;
    remove(tx, cmd.id).await?;
    let detail = serde_json::json!({ "invoiceDraftId": cmd.id });
    tx.audit("invoiceDraftIssue", invoice.id.0, detail).await?;
    Ok(invoice)
}

/// What [`invoice_draft_issue`] would issue: the same, taken back.
pub async fn preview_draft(db: &TenantDb, id: InvoiceDraftId) -> Result<Draft> {
    db.rehearse(async move |tx| {
        let of = get(tx, id).await?;
        let issued = issue_as(tx, InvoiceId::new(), of.subscriber_id, &of.lines.0, of.due_on).await?;
        draft(tx, issued).await
    })
    .await
}

async fn lock(tx: &TenantTx, id: InvoiceDraftId) -> Result<InvoiceDraft> {
    let found = tx.sql(select!("WHERE d.id = $1 FOR UPDATE")).bind(id).optional().await?;
    found.ok_or_else(|| Error::not_found("id"))
}

async fn get(tx: &TenantTx, id: InvoiceDraftId) -> Result<InvoiceDraft> {
    draft_by_id(tx, id).await?.ok_or_else(|| Error::not_found("id"))
}

async fn remove(tx: &TenantTx, id: InvoiceDraftId) -> Result<()> {
    tx.sql("DELETE FROM invoice_draft WHERE id = $1").bind(id).run().await?;
    Ok(())
}
