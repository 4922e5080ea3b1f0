//! The accounts, one by one: what stands on them and how it came there.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use sea_orm::FromQueryResult;
use uuid::Uuid;

use super::account::AccountKind;
use super::names::account_name;
use crate::kernel::Permission;
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, Result};
use crate::kernel::ids::{LedgerAccountId, LedgerEntryId, SubscriberId};
use crate::kernel::money::{Currency, Money};
use crate::kernel::page::{Page, PageRequest};

/// An account that something has been booked on.
#[derive(Clone, Debug, PartialEq, FromQueryResult)]
pub struct LedgerAccount {
    pub id: LedgerAccountId,
    pub kind: AccountKind,
    pub subscriber_id: Option<SubscriberId>,
    /// The tax's name, the payment method: what tells accounts of one kind apart.
    pub detail: String,
    pub currency: String,
    account_number: Option<String>,
}

impl LedgerAccount {
    pub fn name(&self) -> String {
        account_name(self.kind, &self.detail, self.account_number.as_deref())
    }

    /// One of its amounts, in its currency.
    pub fn money(&self, amount: Decimal) -> Result<Money> {
        let currency: Currency = self.currency.parse().map_err(Error::internal)?;
        Money::new(amount, currency).map_err(Error::internal)
    }
}

/// What was debited and credited on an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, FromQueryResult)]
pub struct Turnover {
    pub debit: Decimal,
    pub credit: Decimal,
}

impl Turnover {
    /// Positive: debits outweigh.
    pub fn balance(self) -> Decimal {
        self.debit - self.credit
    }
}

macro_rules! select {
    ($tail:literal) => {
        concat!(
            "SELECT a.id, a.kind, a.subscriber_id, a.detail, a.currency, s.account_number
             FROM ledger_account a LEFT JOIN subscriber s ON s.id = a.subscriber_id ",
            $tail
        )
    };
}

/// An account by its id, or none.
pub async fn find_account(tx: &TenantTx, id: LedgerAccountId) -> Result<Option<LedgerAccount>> {
    tx.require(Permission::LedgerRead)?;
    tx.sql(select!("WHERE a.id = $1")).bind(id).optional().await
}

/// Which accounts a list shows; what is None does not restrict it.
#[derive(Clone, Copy, Debug, Default)]
pub struct AccountFilter {
    pub kind: Option<AccountKind>,
    pub subscriber_id: Option<SubscriberId>,
}

/// A page of accounts, in the order in which they were opened.
pub async fn accounts(tx: &TenantTx, page: PageRequest<LedgerAccountId>, filter: AccountFilter) -> Result<Page<LedgerAccount>> {
    tx.require(Permission::LedgerRead)?;
    let rows = tx
        .sql(select!(
            "WHERE ($1::text IS NULL OR a.kind = $1) AND ($2::uuid IS NULL OR a.subscriber_id = $2)
             AND ($3::uuid IS NULL OR a.id > $3) ORDER BY a.id LIMIT $4"
        ))
        .bind(filter.kind)
        .bind(filter.subscriber_id)
        .bind(page.after)
        .bind(page.limit() as i64)
        .all()
        .await?;
    Ok(Page::from_rows(&page, rows))
}

pub async fn count_accounts(tx: &TenantTx, filter: AccountFilter) -> Result<i64> {
    tx.require(Permission::LedgerRead)?;
    let counted = tx
        .sql("SELECT count(*) FROM ledger_account WHERE ($1::text IS NULL OR kind = $1) AND ($2::uuid IS NULL OR subscriber_id = $2)")
        .bind(filter.kind)
        .bind(filter.subscriber_id)
        .scalar()
        .await?;
    Ok(counted.unwrap_or(0))
}

/// What has been booked on accounts so far. Subscribers' accounts know it; the others are summed.
pub async fn turnovers(tx: &TenantTx, ids: &[LedgerAccountId]) -> Result<HashMap<LedgerAccountId, Turnover>> {
    #[derive(FromQueryResult)]
    struct Row {
        id: LedgerAccountId,
        debit: Decimal,
        credit: Decimal,
    }
    tx.require(Permission::LedgerRead)?;
    let rows: Vec<Row> = tx
        .sql(
            "SELECT a.id,
                 CASE WHEN a.subscriber_id IS NOT NULL THEN a.debit_total
                     ELSE (SELECT coalesce(sum(amount), 0) FROM ledger_transfer WHERE debit_account_id = a.id) END AS debit,
                 CASE WHEN a.subscriber_id IS NOT NULL THEN a.credit_total
                     ELSE (SELECT coalesce(sum(amount), 0) FROM ledger_transfer WHERE credit_account_id = a.id) END AS credit
             FROM ledger_account a WHERE a.id = ANY($1)",
        )
        .bind(LedgerAccountId::array(ids))
        .all()
        .await?;
    let each = |r: &Row| Turnover {
        debit: r.debit,
        credit: r.credit,
    };
    Ok(rows.iter().map(|r| (r.id, each(r))).collect())
}

/// What one entry did to one account, and what stood on it then.
#[derive(Clone, Debug, PartialEq)]
pub struct Posting {
    pub entry: LedgerEntryId,
    pub kind: String,
    pub source: Uuid,
    pub booked_on: NaiveDate,
    pub description: String,
    pub created_at: DateTime<Utc>,
    pub debit: Decimal,
    pub credit: Decimal,
    /// Debits less credits, this one included.
    pub balance: Decimal,
}

/// Names a posting in its account's order, and what stood on the account after it, so that the next page can go on counting.
pub type PostingKey = (NaiveDate, LedgerEntryId, Decimal);

/// No entry is booked after it.
pub const END: NaiveDate = NaiveDate::from_ymd_opt(9999, 12, 31).expect("a date");

/// First and last day; None: from the beginning, to the end.
pub type Days = (Option<NaiveDate>, Option<NaiveDate>);

#[derive(FromQueryResult)]
struct Row {
    id: LedgerEntryId,
    kind: String,
    source_id: Uuid,
    booked_on: NaiveDate,
    description: String,
    created_at: DateTime<Utc>,
    debit: Decimal,
    credit: Decimal,
}

/// `$1` account, `$2` and `$3` behind which entry, `$4` the last day, `$5` how many.
macro_rules! postings {
    ($from:literal) => {
        concat!(
            "SELECT e.id, e.kind, e.source_id, e.booked_on, e.description, e.created_at, m.debit, m.credit FROM ",
            $from,
            " WHERE (e.booked_on, e.id) > ($2, $3) AND e.booked_on <= $4 ORDER BY e.booked_on, e.id LIMIT $5"
        )
    };
}

/// A page of what was booked on an account, the earliest first.
pub async fn postings(
    tx: &TenantTx,
    account: &LedgerAccount,
    page: PageRequest<PostingKey>,
    days: Days,
) -> Result<Page<Posting>> {
    tx.require(Permission::LedgerRead)?;
    let mut balance = match page.after {
        Some((_, _, balance)) => balance,
        None => before(tx, account.id, days.0).await?.balance(),
    };
    // A subscriber has few entries among many: they are found by its account. Shared accounts are in most entries: those are
    // walked in their order.
    let sql = match account.subscriber_id {
        Some(_) => tx.sql(postings!(
            "(SELECT entry_id, sum(debit) AS debit, sum(credit) AS credit FROM (
                  SELECT entry_id, amount AS debit, 0 AS credit FROM ledger_transfer WHERE debit_account_id = $1
                  UNION ALL SELECT entry_id, 0, amount FROM ledger_transfer WHERE credit_account_id = $1
              ) side GROUP BY entry_id) m JOIN ledger_entry e ON e.id = m.entry_id"
        )),
        None => tx.sql(postings!(
            "ledger_entry e JOIN LATERAL (
                  SELECT coalesce(sum(t.amount) FILTER (WHERE t.debit_account_id = $1), 0) AS debit,
                      coalesce(sum(t.amount) FILTER (WHERE t.credit_account_id = $1), 0) AS credit
                  FROM ledger_transfer t WHERE t.entry_id = e.id AND $1 IN (t.debit_account_id, t.credit_account_id)
                  HAVING count(*) > 0
              ) m ON true"
        )),
    };
    let (day, id) = page.after.map_or_else(|| start(days.0), |(day, id, _)| (day, id));
    let rows: Vec<Row> = sql
        .bind(account.id)
        .bind(day)
        .bind(id)
        .bind(days.1.unwrap_or(END))
        .bind(page.limit() as i64)
        .all()
        .await?;
    let counted = rows.into_iter().map(|row| {
        balance += row.debit - row.credit;
        Posting {
            entry: row.id,
            kind: row.kind,
            source: row.source_id,
            booked_on: row.booked_on,
            description: row.description,
            created_at: row.created_at,
            debit: row.debit,
            credit: row.credit,
            balance,
        }
    });
    Ok(Page::from_rows(&page, counted.collect()))
}

/// How many entries there are on an account.
pub async fn count_postings(tx: &TenantTx, account: LedgerAccountId, days: Days) -> Result<i64> {
    tx.require(Permission::LedgerRead)?;
    let count = tx
        .sql(
            "SELECT count(DISTINCT t.entry_id) FROM ledger_transfer t JOIN ledger_entry e ON e.id = t.entry_id
             WHERE (t.debit_account_id = $1 OR t.credit_account_id = $1) AND e.booked_on >= $2 AND e.booked_on <= $3",
        )
        .bind(account)
        .bind(days.0.unwrap_or_default())
        .bind(days.1.unwrap_or(END));
    Ok(count.scalar().await?.unwrap_or(0))
}

/// What stands before everything that was booked on that day or after.
pub fn start(day: Option<NaiveDate>) -> (NaiveDate, LedgerEntryId) {
    (day.unwrap_or_default(), LedgerEntryId(Uuid::nil()))
}

/// What had been booked before a day; nothing before the beginning.
async fn before(tx: &TenantTx, account: LedgerAccountId, day: Option<NaiveDate>) -> Result<Turnover> {
    let Some(day) = day else { return Ok(Turnover::default()) };
    tx.sql(
        "SELECT coalesce(sum(t.amount) FILTER (WHERE t.debit_account_id = $1), 0) AS debit,
             coalesce(sum(t.amount) FILTER (WHERE t.credit_account_id = $1), 0) AS credit
         FROM ledger_transfer t JOIN ledger_entry e ON e.id = t.entry_id
         WHERE (t.debit_account_id = $1 OR t.credit_account_id = $1) AND e.booked_on < $2",
    )
    .bind(account)
    .bind(day)
    .one()
    .await
}
