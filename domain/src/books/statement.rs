use chrono::NaiveDate;
use rust_decimal::Decimal;
use sea_orm::FromQueryResult;
use uuid::Uuid;

use super::documents::{Document, DocumentKind, columns, document, joins};
use crate::kernel::Permission;
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, ErrorCode, Result};
use crate::kernel::ids::{LedgerEntryId, SubscriberId};
use crate::kernel::money::Money;
use crate::subscribers;

/// Longer statements are asked for in parts.
const MAX_ENTRIES: usize = 10_000;

/// What happened to a subscriber's account: from what stood on it to what stands on it. Positive: the subscriber owes.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    pub subscriber_id: SubscriberId,
    /// None: from the first entry.
    pub from: Option<NaiveDate>,
    pub to: NaiveDate,
    pub opening: Money,
    pub entries: Vec<StatementEntry>,
    pub closing: Money,
}

#[derive(Clone, Debug, PartialEq)]
pub struct StatementEntry {
    pub id: LedgerEntryId,
    pub kind: String,
    pub booked_on: NaiveDate,
    pub description: String,
    pub document: Option<Document>,
    /// Positive: owed more. Zero where credit in hand was applied to an invoice.
    pub amount: Money,
    /// What stood on the account after it.
    pub balance: Money,
}

/// A subscriber's account from a day to a day, both included. None: there is no such subscriber that the actor may see.
pub async fn statement(
    tx: &TenantTx,
    subscriber: SubscriberId,
    from: Option<NaiveDate>,
    to: Option<NaiveDate>,
) -> Result<Option<Statement>> {
    if tx.actor().principal() != Some(subscriber.0) {
        tx.require(Permission::InvoiceRead)?;
        tx.require(Permission::PaymentRead)?;
    }
    let to = to.unwrap_or_else(|| tx.today());
    if from.is_some_and(|from| from > to) {
        return Err(Error::invalid("from", "`from` must not be after `to`."));
    }
    if subscribers::by_ids(tx, &[subscriber]).await?.is_empty() {
        return Ok(None);
    }
    let opening = before(tx, subscriber, from).await?;
    let rows = rows(tx, subscriber, from, to).await?;
    if rows.len() > MAX_ENTRIES {
        let message = format!("The account has more than {MAX_ENTRIES} entries in this time: ask for a shorter one.");
        return Err(Error::user(ErrorCode::LimitExceeded, "from", message));
    }
    let money = |amount| Money::new(amount, tx.tenant().currency()).map_err(Error::internal);
    let mut balance = opening;
    let mut entries = Vec::with_capacity(rows.len());
    for row in rows {
        balance += row.net;
        entries.push(StatementEntry {
            id: row.id,
            kind: row.kind,
            booked_on: row.booked_on,
            description: row.description,
            document: document(row.document_kind, row.document_id, row.document_number),
            amount: money(row.net)?,
            balance: money(balance)?,
        });
    }
    Ok(Some(Statement {
        subscriber_id: subscriber,
        from,
        to,
        opening: money(opening)?,
        entries,
        closing: money(balance)?,
    }))
}

#[derive(FromQueryResult)]
struct Row {
    id: LedgerEntryId,
    kind: String,
    booked_on: NaiveDate,
    description: String,
    net: Decimal,
    document_kind: Option<DocumentKind>,
    document_id: Option<Uuid>,
    document_number: Option<String>,
}

/// What the entries did to the account `$1` owes by, in the currency `$2`.
macro_rules! moved {
    ($tail:expr) => {
        concat!(
            "WITH mine AS (
                 SELECT id FROM ledger_account
                 WHERE subscriber_id = $1 AND currency = $2 AND kind IN ('RECEIVABLE', 'SUBSCRIBER_CREDIT')
             ), moved AS (
                 SELECT entry_id, sum(amount) AS net FROM (
                     SELECT entry_id, amount FROM ledger_transfer WHERE debit_account_id IN (SELECT id FROM mine)
                     UNION ALL SELECT entry_id, -amount FROM ledger_transfer WHERE credit_account_id IN (SELECT id FROM mine)
                 ) side GROUP BY entry_id
             ) ",
            $tail
        )
    };
}

async fn before(tx: &TenantTx, subscriber: SubscriberId, from: Option<NaiveDate>) -> Result<Decimal> {
    let Some(from) = from else { return Ok(Decimal::ZERO) };
    let sum: Option<Decimal> = tx
        .sql(moved!(
            "SELECT coalesce(sum(m.net), 0) FROM moved m JOIN ledger_entry e ON e.id = m.entry_id WHERE e.booked_on < $3"
        ))
        .bind(subscriber)
        .bind(tx.tenant().currency().code())
        .bind(from)
        .scalar()
        .await?;
    Ok(sum.unwrap_or_default())
}

async fn rows(tx: &TenantTx, subscriber: SubscriberId, from: Option<NaiveDate>, to: NaiveDate) -> Result<Vec<Row>> {
    tx.sql(moved!(concat!(
        "SELECT e.id, e.kind, e.booked_on, e.description, m.net, ",
        columns!(),
        " FROM moved m JOIN ledger_entry e ON e.id = m.entry_id",
        joins!(),
        "WHERE e.booked_on BETWEEN $3 AND $4 ORDER BY e.booked_on, e.id LIMIT $5"
    )))
    .bind(subscriber)
    .bind(tx.tenant().currency().code())
    .bind(from.unwrap_or_default())
    .bind(to)
    .bind(MAX_ENTRIES as i64 + 1)
    .all()
    .await
}
