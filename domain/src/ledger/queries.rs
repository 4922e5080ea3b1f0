use std::collections::HashMap;

use rust_decimal::Decimal;
use sea_orm::FromQueryResult;

use super::account::AccountKind;
use crate::kernel::Permission;
use crate::kernel::actor::Actor;
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, Result};
use crate::kernel::ids::{LedgerAccountId, SubscriberId};
use crate::kernel::money::Money;

/// What a subscriber owes (positive) or has in hand (negative). For use cases; [`balances`] is for readers.
pub async fn balance(tx: &TenantTx, subscriber: SubscriberId) -> Result<Money> {
    let net: Option<Decimal> = tx
        .sql(
            "SELECT coalesce(sum(debit_total - credit_total), 0) FROM ledger_account
             WHERE subscriber_id = $1 AND kind IN ('RECEIVABLE', 'SUBSCRIBER_CREDIT') AND currency = $2",
        )
        .bind(subscriber)
        .bind(tx.tenant().currency().code())
        .scalar()
        .await?;
    money(tx, net.unwrap_or_default())
}

/// What a subscriber has paid or been credited and no invoice has taken yet.
pub async fn credit_in_hand(tx: &TenantTx, subscriber: SubscriberId) -> Result<Money> {
    let mut all = credits_in_hand(tx, &[subscriber]).await?;
    Ok(all.remove(&subscriber).unwrap_or_else(|| Money::zero(tx.tenant().currency())))
}

/// As [`credit_in_hand`], of many; who has an account for it.
pub async fn credits_in_hand(tx: &TenantTx, subscribers: &[SubscriberId]) -> Result<HashMap<SubscriberId, Money>> {
    #[derive(FromQueryResult)]
    struct Row {
        subscriber_id: SubscriberId,
        net: Decimal,
    }
    let rows: Vec<Row> = tx
        .sql(
            "SELECT subscriber_id, sum(credit_total - debit_total) AS net FROM ledger_account
             WHERE subscriber_id = ANY($1) AND kind = 'SUBSCRIBER_CREDIT' AND currency = $2 GROUP BY subscriber_id",
        )
        .bind(SubscriberId::array(subscribers))
        .bind(tx.tenant().currency().code())
        .all()
        .await?;
    rows.into_iter()
        .map(|row| Ok((row.subscriber_id, money(tx, row.net)?)))
        .collect()
}

/// The balances of those of the subscribers that the actor may see: all with `invoice:read`; a subscriber its own.
pub async fn balances(tx: &TenantTx, subscribers: &[SubscriberId]) -> Result<HashMap<SubscriberId, Money>> {
    #[derive(FromQueryResult)]
    struct Row {
        subscriber_id: SubscriberId,
        net: Decimal,
    }
    let visible: Vec<SubscriberId> = match tx.actor() {
        Actor::Subscriber { id, .. } => subscribers.iter().copied().filter(|s| s == id).collect(),
        _ => {
            tx.require(Permission::InvoiceRead)?;
            subscribers.to_vec()
        }
    };
    let rows: Vec<Row> = tx
        .sql(
            "SELECT subscriber_id, sum(debit_total - credit_total) AS net FROM ledger_account
             WHERE subscriber_id = ANY($1) AND kind IN ('RECEIVABLE', 'SUBSCRIBER_CREDIT') AND currency = $2
             GROUP BY subscriber_id",
        )
        .bind(SubscriberId::array(&visible))
        .bind(tx.tenant().currency().code())
        .all()
        .await?;
    let zero = Money::zero(tx.tenant().currency());
    let mut all: HashMap<_, _> = visible.iter().map(|s| (*s, zero)).collect();
    for row in rows {
        all.insert(row.subscriber_id, money(tx, row.net)?);
    }
    Ok(all)
}

/// An account with the sums of its transfers.
#[derive(Clone, Debug, PartialEq, FromQueryResult)]
pub struct AccountTotals {
    pub id: LedgerAccountId,
    pub kind: AccountKind,
    pub subscriber_id: Option<SubscriberId>,
    pub detail: String,
    pub currency: String,
    pub debit: Decimal,
    pub credit: Decimal,
}

macro_rules! account_totals {
    ($head:literal, $tail:literal) => {
        concat!(
            "WITH side AS (
                 SELECT debit_account_id AS account_id, amount AS debit, 0 AS credit FROM ledger_transfer
                 UNION ALL
                 SELECT credit_account_id, 0, amount FROM ledger_transfer
             ), total AS (
                 SELECT a.id, a.kind, a.subscriber_id, a.detail, a.currency, a.debit_total, a.credit_total,
                     coalesce(sum(s.debit), 0) AS debit, coalesce(sum(s.credit), 0) AS credit
                 FROM ledger_account a LEFT JOIN side s ON s.account_id = a.id GROUP BY a.id
             ) ",
            $head,
            " FROM total ",
            $tail
        )
    };
}

/// Every account, each subscriber's too, with what was debited and credited, summed from the transfers themselves. Debits
/// equal credits.
pub async fn totals(tx: &TenantTx) -> Result<Vec<AccountTotals>> {
    tx.require(Permission::LedgerRead)?;
    tx.sql(account_totals!(
        "SELECT id, kind, subscriber_id, detail, currency, debit, credit",
        "ORDER BY kind, detail, id"
    ))
    .all()
    .await
}

/// A subscriber's account whose running totals are not what its transfers sum to: a defect.
#[derive(Clone, Debug, PartialEq, FromQueryResult)]
pub struct Discrepancy {
    pub id: LedgerAccountId,
    pub kind: AccountKind,
    pub debit_total: Decimal,
    pub credit_total: Decimal,
    pub debit: Decimal,
    pub credit: Decimal,
}

/// Compares the running totals with the transfers; nothing is the right answer.
pub async fn discrepancies(tx: &TenantTx) -> Result<Vec<Discrepancy>> {
    tx.require(Permission::LedgerRead)?;
    tx.sql(account_totals!(
        "SELECT id, kind, debit_total, credit_total, debit, credit",
        "WHERE subscriber_id IS NOT NULL AND (debit_total <> debit OR credit_total <> credit) ORDER BY id"
    ))
    .all()
    .await
}

fn money(tx: &TenantTx, amount: Decimal) -> Result<Money> {
    Money::new(amount, tx.tenant().currency()).map_err(Error::internal)
}
