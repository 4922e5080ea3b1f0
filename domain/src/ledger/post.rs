use std::collections::{BTreeMap, HashMap};

use rust_decimal::Decimal;
use sea_orm::FromQueryResult;
use uuid::Uuid;

use super::account::{Account, AccountKind};
use super::entry::{Delta, Entry, Transfer, deltas};
use super::period;
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, Result};
use crate::kernel::ids::{LedgerAccountId, LedgerEntryId, SubscriberId};

/// Books one entry. On a day that is closed it is refused, by the database as well. Its subscriber should be locked already
/// (`subscribers::lock`): subscribers' accounts are updated here.
pub async fn post(tx: &TenantTx, entry: Entry) -> Result<LedgerEntryId> {
    let ids = post_all(tx, std::slice::from_ref(&entry)).await?;
    ids.first().copied().ok_or_else(|| Error::internal("nothing was posted"))
}

/// Books many entries with as few statements as one; the ids come back in their order.
pub async fn post_all(tx: &TenantTx, entries: &[Entry]) -> Result<Vec<LedgerEntryId>> {
    period::hold(tx, entries.iter().map(|e| e.booked_on).min()).await?;
    let moved = || entries.iter().flat_map(|e| &e.transfers).filter(|t| !t.amount().is_zero());
    let sums = deltas(moved(), tx.tenant().currency())?;
    let accounts = resolve(tx, sums.keys().copied()).await?;
    let ids = insert_entries(tx, entries).await?;
    insert_transfers(tx, entries, &ids, &accounts).await?;
    add_to_totals(tx, &sums, &accounts).await?;
    Ok(ids)
}

type Accounts<'a> = HashMap<&'a Account, LedgerAccountId>;

/// The accounts' ids; those that are not open yet are opened.
async fn resolve<'a>(tx: &TenantTx, wanted: impl Iterator<Item = &'a Account>) -> Result<Accounts<'a>> {
    let wanted: Vec<&Account> = wanted.collect();
    let mut known = known(tx, &wanted).await?;
    let missing: Vec<&Account> = wanted.iter().copied().filter(|a| !known.contains_key(a)).collect();
    if !missing.is_empty() {
        // In the accounts' own order, so that two first postings cannot wait for each other.
        open(tx, &missing).await?;
        // What another transaction opened meanwhile is visible to a new statement only.
        known.extend(self::known(tx, &missing).await?);
    }
    match wanted.iter().find(|a| !known.contains_key(*a)) {
        None => Ok(known),
        Some(account) => Err(Error::internal(format!("account {account:?} could not be opened"))),
    }
}

/// The columns that name accounts; the nil id stands for no subscriber.
fn columns(accounts: &[&Account]) -> (Vec<String>, Vec<Uuid>, Vec<String>) {
    let kinds = accounts.iter().map(|a| a.kind().to_string()).collect();
    let subscribers = accounts.iter().map(|a| a.subscriber().map_or(Uuid::nil(), |s| s.0)).collect();
    let details = accounts.iter().map(|a| a.detail().to_owned()).collect();
    (kinds, subscribers, details)
}

async fn known<'a>(tx: &TenantTx, accounts: &[&'a Account]) -> Result<Accounts<'a>> {
    #[derive(FromQueryResult)]
    struct Row {
        id: LedgerAccountId,
        kind: AccountKind,
        subscriber_id: Option<SubscriberId>,
        detail: String,
    }
    if accounts.is_empty() {
        return Ok(HashMap::new());
    }
    let (kinds, subscribers, details) = columns(accounts);
    // UNION ALL: `IS NOT DISTINCT FROM` would not use the unique index.
    let rows: Vec<Row> = tx
        .sql(
            "SELECT a.id, a.kind, a.subscriber_id, a.detail
             FROM unnest($1::text[], $2::uuid[], $3::text[]) AS w(kind, subscriber_id, detail)
             JOIN ledger_account a ON a.kind = w.kind AND a.subscriber_id = w.subscriber_id AND a.detail = w.detail
             WHERE a.currency = $4
             UNION ALL
             SELECT a.id, a.kind, a.subscriber_id, a.detail
             FROM unnest($1::text[], $2::uuid[], $3::text[]) AS w(kind, subscriber_id, detail)
             JOIN ledger_account a ON a.kind = w.kind AND a.subscriber_id IS NULL AND a.detail = w.detail
             WHERE a.currency = $4 AND w.subscriber_id = '00000000-0000-0000-0000-000000000000'",
        )
        .bind(kinds)
        .bind(subscribers)
        .bind(details)
        .bind(tx.tenant().currency().code())
        .all()
        .await?;
    let by_name: HashMap<(AccountKind, Option<SubscriberId>, &str), &'a Account> = accounts
        .iter()
        .map(|a| ((a.kind(), a.subscriber(), a.detail()), *a))
        .collect();
    Ok(rows
        .iter()
        .filter_map(|r| Some((*by_name.get(&(r.kind, r.subscriber_id, r.detail.as_str()))?, r.id)))
        .collect())
}

async fn open(tx: &TenantTx, accounts: &[&Account]) -> Result<()> {
    let ids: Vec<Uuid> = accounts.iter().map(|_| LedgerAccountId::new().0).collect();
    let (kinds, subscribers, details) = columns(accounts);
    tx.sql(
        "INSERT INTO ledger_account (id, kind, subscriber_id, detail, currency)
         SELECT id, kind, nullif(subscriber_id, '00000000-0000-0000-0000-000000000000'), detail, $5
         FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[]) AS w(id, kind, subscriber_id, detail)
         ON CONFLICT DO NOTHING",
    )
    .bind(ids)
    .bind(kinds)
    .bind(subscribers)
    .bind(details)
    .bind(tx.tenant().currency().code())
    .run()
    .await?;
    Ok(())
}

async fn insert_entries(tx: &TenantTx, entries: &[Entry]) -> Result<Vec<LedgerEntryId>> {
    let ids: Vec<LedgerEntryId> = entries.iter().map(|_| LedgerEntryId::new()).collect();
    tx.sql(
        "INSERT INTO ledger_entry (id, kind, source_id, booked_on, description, created_at)
         SELECT id, kind, source_id, booked_on, description, $6
         FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::date[], $5::text[])
              AS e(id, kind, source_id, booked_on, description)",
    )
    .bind(LedgerEntryId::array(&ids))
    .bind(entries.iter().map(|e| e.kind.to_owned()).collect::<Vec<_>>())
    .bind(entries.iter().map(|e| e.source).collect::<Vec<_>>())
    .bind(entries.iter().map(|e| e.booked_on).collect::<Vec<_>>())
    .bind(entries.iter().map(|e| e.description.clone()).collect::<Vec<_>>())
    .bind(tx.now())
    .run()
    .await
    .map_err(period::refusal)?;
    Ok(ids)
}

async fn insert_transfers(tx: &TenantTx, entries: &[Entry], entry_ids: &[LedgerEntryId], accounts: &Accounts<'_>) -> Result<()> {
    let rows: Vec<(LedgerEntryId, &Transfer)> = (entries.iter().zip(entry_ids))
        .flat_map(|(entry, id)| entry.transfers.iter().map(move |t| (*id, t)))
        .filter(|(_, t)| !t.amount().is_zero())
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    let account = |account: &Account| accounts.get(account).map_or(Uuid::nil(), |id| id.0);
    tx.sql(
        "INSERT INTO ledger_transfer (id, entry_id, debit_account_id, credit_account_id, amount)
         SELECT id, entry_id, debit_account_id, credit_account_id, amount
         FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::numeric[])
              AS t(id, entry_id, debit_account_id, credit_account_id, amount)",
    )
    .bind(rows.iter().map(|_| Uuid::now_v7()).collect::<Vec<_>>())
    .bind(rows.iter().map(|(entry, _)| entry.0).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, t)| account(t.debit())).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, t)| account(t.credit())).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, t)| t.amount().amount()).collect::<Vec<_>>())
    .run()
    .await?;
    Ok(())
}

/// Keeps the running totals of subscribers' accounts, locking them in the order of their ids.
async fn add_to_totals(tx: &TenantTx, sums: &BTreeMap<&Account, Delta>, accounts: &Accounts<'_>) -> Result<()> {
    let kept: Vec<(Uuid, Delta)> = (sums.iter())
        .filter(|(account, _)| account.subscriber().is_some())
        .filter_map(|(account, delta)| Some((accounts.get(account)?.0, *delta)))
        .collect();
    if kept.is_empty() {
        return Ok(());
    }
    tx.sql(
        "WITH locked AS MATERIALIZED (
             SELECT a.id FROM ledger_account a WHERE a.id = ANY($1) ORDER BY a.id FOR NO KEY UPDATE
         )
         UPDATE ledger_account a SET debit_total = a.debit_total + d.debit, credit_total = a.credit_total + d.credit
         FROM locked JOIN unnest($1::uuid[], $2::numeric[], $3::numeric[]) AS d(id, debit, credit) ON d.id = locked.id
         WHERE a.id = locked.id",
    )
    .bind(kept.iter().map(|(id, _)| *id).collect::<Vec<_>>())
    .bind(kept.iter().map(|(_, d)| d.debit).collect::<Vec<Decimal>>())
    .bind(kept.iter().map(|(_, d)| d.credit).collect::<Vec<Decimal>>())
    .run()
    .await?;
    Ok(())
}
