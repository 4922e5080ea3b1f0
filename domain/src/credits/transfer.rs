use rust_decimal::Decimal;
use serde::Serialize;
use uuid::Uuid;

use super::entity::CreditTransfer;
use super::events::CreditTransferred;
use super::refund::require_in_hand;
use crate::billing;
use crate::kernel::Permission;
use crate::kernel::check::Checks;
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, Result};
use crate::kernel::ids::SubscriberId;
use crate::kernel::money::Money;
use crate::ledger::{self, Account, Entry, Transfer};
use crate::payments::checked_amount;
use crate::subscribers::{self, Subscriber};

#[derive(Clone, Debug, Serialize)]
pub struct TransferCredit {
    pub from_subscriber_id: SubscriberId,
    pub to_subscriber_id: SubscriberId,
    pub amount: Decimal,
    pub reason: String,
    pub idempotency_key: Uuid,
}

/// Moves credit in hand between two subscribers of one customer: of one payer, or with the same tax id, e-mail address or
/// telephone. It settles what the other owes at once.
pub async fn credit_transfer(tx: &TenantTx, mut cmd: TransferCredit) -> Result<CreditTransfer> {
    tx.require(Permission::CreditWrite)?;
    let mut checks = Checks::new();
    let amount = checked_amount(cmd.amount, tx.tenant().currency(), &mut checks);
    cmd.reason = checks.line(&cmd.reason, 500, "reason");
    checks.done()?;
    let amount = amount.ok_or_else(|| Error::internal("an amount was neither accepted nor refused"))?;
    cmd.amount = amount.amount();
    let id = Uuid::now_v7();
    if let Some(known) = tx.claim_key("creditTransfer", Some(cmd.idempotency_key), &cmd, id).await? {
        return get(tx, known).await;
    }
    let (from, to) = lock(tx, &cmd).await?;
    if to.bill_to_id.is_some() {
        let message = "Another pays for this subscriber, and would not have the credit: transfer it to the payer.";
        return Err(Error::invalid("toSubscriberId", message));
    }
    if !of_one_customer(&from, &to) {
        let message = "These are not one customer's: neither has the other's payer, tax id, e-mail address or telephone.";
        return Err(Error::invalid("toSubscriberId", message));
    }
    require_in_hand(tx, from.id, amount).await?;
    insert(tx, id, &cmd).await?;
    book(tx, id, &from, &to, amount).await?;
    billing::settle_from_credit(tx, to.id).await?;
    tx.audit("creditTransfer", from.id.0, &cmd).await?;
    tx.emit(&CreditTransferred {
        from_subscriber_id: from.id,
        to_subscriber_id: to.id,
    })
    .await?;
    get(tx, id).await
}

async fn lock(tx: &TenantTx, cmd: &TransferCredit) -> Result<(Subscriber, Subscriber)> {
    let mut locked = subscribers::lock_all(tx, &[cmd.from_subscriber_id, cmd.to_subscriber_id]).await?;
    let mut take = |id: SubscriberId, field: &str| {
        let at = locked.iter().position(|s| s.id == id);
        at.map(|at| locked.swap_remove(at)).ok_or_else(|| Error::not_found(field))
    };
    let from = take(cmd.from_subscriber_id, "fromSubscriberId")?;
    if cmd.from_subscriber_id == cmd.to_subscriber_id {
        return Err(Error::invalid("toSubscriberId", "Must be another subscriber."));
    }
    Ok((from, take(cmd.to_subscriber_id, "toSubscriberId")?))
}

/// Whether two subscribers are one customer's.
fn of_one_customer(a: &Subscriber, b: &Subscriber) -> bool {
    let same = |a: &Option<String>, b: &Option<String>| match (a, b) {
        (Some(a), Some(b)) => a.eq_ignore_ascii_case(b),
        _ => false,
    };
    a.payer() == b.payer() || same(&a.tax_id, &b.tax_id) || same(&a.email, &b.email) || same(&a.phone, &b.phone)
}

async fn insert(tx: &TenantTx, id: Uuid, cmd: &TransferCredit) -> Result<()> {
    tx.sql(
        "INSERT INTO credit_transfer (id, from_subscriber_id, to_subscriber_id, amount, currency, reason, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(id)
    .bind(cmd.from_subscriber_id)
    .bind(cmd.to_subscriber_id)
    .bind(cmd.amount)
    .bind(tx.tenant().currency().code())
    .bind(cmd.reason.as_str())
    .bind(tx.now())
    .run()
    .await?;
    Ok(())
}

async fn book(tx: &TenantTx, id: Uuid, from: &Subscriber, to: &Subscriber, amount: Money) -> Result<()> {
    let entry = Entry {
        kind: "credit-transfer",
        source: id,
        booked_on: tx.today(),
        description: format!("Credit moved from account {} to {}", from.account_number, to.account_number),
        transfers: vec![Transfer::new(
            Account::SubscriberCredit(from.id),
            Account::SubscriberCredit(to.id),
            amount,
        )],
    };
    ledger::post(tx, entry).await?;
    Ok(())
}

async fn get(tx: &TenantTx, id: Uuid) -> Result<CreditTransfer> {
    tx.sql(
        "SELECT id, from_subscriber_id, to_subscriber_id, amount, currency, reason, created_at FROM credit_transfer WHERE id = $1",
    )
    .bind(id)
    .one()
    .await
}
