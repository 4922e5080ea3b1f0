//! The journal in pages: every entry of some days, in the order in which they were booked.

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use sea_orm::FromQueryResult;
use uuid::Uuid;

use super::documents::{Document, DocumentKind, columns, document, joins};
use super::export::Export;
use crate::kernel::Permission;
use crate::kernel::db::TenantTx;
use crate::kernel::error::Result;
use crate::kernel::ids::{LedgerAccountId, LedgerEntryId};
use crate::ledger::{AccountKind, END, account_name, start};

/// Entries that are read at once.
pub const PAGE: usize = 1_000;

/// One entry, with what it did to each account; nothing, if it came to nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct JournalEntry {
    pub id: LedgerEntryId,
    pub kind: String,
    pub booked_on: NaiveDate,
    pub created_at: DateTime<Utc>,
    pub description: String,
    pub document: Option<Document>,
    pub postings: Vec<JournalPosting>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct JournalPosting {
    pub account_id: LedgerAccountId,
    /// As [`account_name`] has it.
    pub account: String,
    /// Whose account it is, if it is a subscriber's: account number and name.
    pub subscriber: Option<(String, String)>,
    /// Positive: debited.
    pub amount: Decimal,
}

/// Behind which entry a page begins.
pub type Position = (NaiveDate, LedgerEntryId);

/// Somebody is about to read the journal: whoever may, and it is written down.
pub async fn begin_export(tx: &TenantTx, export: &Export) -> Result<()> {
    tx.require(Permission::LedgerRead)?;
    export.check()?;
    tx.audit("ledgerExport", tx.tenant().id().0, export).await
}

/// How many entries the days have.
pub async fn count(tx: &TenantTx, export: &Export) -> Result<i64> {
    tx.require(Permission::LedgerRead)?;
    export.check()?;
    let counted = tx
        .sql("SELECT count(*) FROM ledger_entry WHERE booked_on BETWEEN $1 AND $2")
        .bind(export.from.unwrap_or_default())
        .bind(export.to.unwrap_or(END))
        .scalar()
        .await?;
    Ok(counted.unwrap_or(0))
}

/// The next [`PAGE`] entries of the days; fewer at the end.
pub async fn page(tx: &TenantTx, export: &Export, after: Option<Position>) -> Result<Vec<JournalEntry>> {
    tx.require(Permission::LedgerRead)?;
    let (day, id) = after.unwrap_or_else(|| start(export.from));
    let rows: Vec<Row> = tx
        .sql(concat!(
            "WITH e AS MATERIALIZED (
                 SELECT id, kind, source_id, booked_on, description, created_at FROM ledger_entry
                 WHERE (booked_on, id) > ($1, $2) AND booked_on <= $3 ORDER BY booked_on, id LIMIT $4
             ), net AS (
                 SELECT entry_id, account_id, sum(amount) AS amount FROM (
                     SELECT t.entry_id, t.debit_account_id AS account_id, t.amount
                     FROM e JOIN ledger_transfer t ON t.entry_id = e.id
                     UNION ALL SELECT t.entry_id, t.credit_account_id, -t.amount
                     FROM e JOIN ledger_transfer t ON t.entry_id = e.id
                 ) side GROUP BY entry_id, account_id HAVING sum(amount) <> 0
             )
             SELECT e.id, e.kind, e.booked_on, e.description, e.created_at, ",
            columns!(),
            ", a.id AS account_id, a.kind AS account_kind, a.detail, s.account_number, s.name AS subscriber_name, net.amount
             FROM e",
            joins!(),
            "LEFT JOIN net ON net.entry_id = e.id LEFT JOIN ledger_account a ON a.id = net.account_id
             LEFT JOIN subscriber s ON s.id = a.subscriber_id
             ORDER BY e.booked_on, e.id, net.amount < 0, a.kind, a.detail, s.account_number"
        ))
        .bind(day)
        .bind(id)
        .bind(export.to.unwrap_or(END))
        .bind(PAGE as i64)
        .all()
        .await?;
    let mut entries: Vec<JournalEntry> = Vec::new();
    for row in rows {
        let posting = row.posting();
        if entries.last().is_none_or(|last| last.id != row.id) {
            entries.push(row.entry());
        }
        if let Some(entry) = entries.last_mut() {
            entry.postings.extend(posting);
        }
    }
    Ok(entries)
}

#[derive(FromQueryResult)]
struct Row {
    id: LedgerEntryId,
    kind: String,
    booked_on: NaiveDate,
    description: String,
    created_at: DateTime<Utc>,
    document_kind: Option<DocumentKind>,
    document_id: Option<Uuid>,
    document_number: Option<String>,
    account_id: Option<LedgerAccountId>,
    account_kind: Option<AccountKind>,
    detail: Option<String>,
    account_number: Option<String>,
    subscriber_name: Option<String>,
    amount: Option<Decimal>,
}

impl Row {
    fn entry(self) -> JournalEntry {
        JournalEntry {
            id: self.id,
            kind: self.kind,
            booked_on: self.booked_on,
            created_at: self.created_at,
            description: self.description,
            document: document(self.document_kind, self.document_id, self.document_number),
            postings: Vec::new(),
        }
    }

    fn posting(&self) -> Option<JournalPosting> {
        let kind = self.account_kind?;
        let number = self.account_number.as_deref();
        Some(JournalPosting {
            account_id: self.account_id?,
            account: account_name(kind, self.detail.as_deref().unwrap_or_default(), number),
            subscriber: self.account_number.clone().zip(self.subscriber_name.clone()),
            amount: self.amount?,
        })
    }
}
