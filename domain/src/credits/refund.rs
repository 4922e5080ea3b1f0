use rust_decimal::Decimal;
use serde::Serialize;
use uuid::Uuid;

use super::entity::Refund;
use super::events::CreditRefunded;
use super::queries;
use crate::kernel::Permission;
use crate::kernel::check::Checks;
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, ErrorCode, Result};
use crate::kernel::ids::{PaymentId, RefundId, SubscriberId};
use crate::kernel::money::Money;
use crate::ledger::{self, Account, Entry, Transfer};
use crate::payments::{self, PaymentMethod, checked_amount};
use crate::subscribers;

#[derive(Clone, Debug, Serialize)]
pub struct RefundCredit {
    pub subscriber_id: SubscriberId,
    pub amount: Decimal,
    /// How it is paid back.
    pub method: PaymentMethod,
    pub reference: Option<String>,
    pub reason: String,
    /// The payment whose money it is, if it is to be told apart.
    pub payment_id: Option<PaymentId>,
    pub idempotency_key: Uuid,
}

/// Pays credit in hand back. Never more than is in hand, nor, of a payment, than came in by it.
pub async fn credit_refund(tx: &TenantTx, mut cmd: RefundCredit) -> Result<Refund> {
    tx.require(Permission::CreditWrite)?;
    let mut checks = Checks::new();
    let amount = checked_amount(cmd.amount, tx.tenant().currency(), &mut checks);
    cmd.reference = checks.optional_line(cmd.reference.as_deref(), 100, "reference");
    cmd.reason = checks.line(&cmd.reason, 500, "reason");
    checks.done()?;
    let amount = amount.ok_or_else(|| Error::internal("an amount was neither accepted nor refused"))?;
    cmd.amount = amount.amount();
    let id = RefundId::new();
    let key = Some(cmd.idempotency_key);
    if let Some(known) = tx.claim_key("creditRefund", key, &cmd, id.0).await? {
        return queries::refund(tx, RefundId(known)).await;
    }
    let missing = || Error::not_found("subscriberId");
    subscribers::lock(tx, cmd.subscriber_id).await?.ok_or_else(missing)?;
    pay_out(tx, id, &cmd, amount).await?;
    tx.audit("creditRefund", id.0, &cmd).await?;
    queries::refund(tx, id).await
}

/// Writes the refund down and books it. The subscriber is locked.
pub(super) async fn pay_out(tx: &TenantTx, id: RefundId, cmd: &RefundCredit, amount: Money) -> Result<()> {
    mark_payment(tx, cmd).await?;
    require_in_hand(tx, cmd.subscriber_id, amount).await?;
    tx.sql(
        "INSERT INTO refund (id, subscriber_id, payment_id, amount, currency, method, reference, reason, refunded_on, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(id)
    .bind(cmd.subscriber_id)
    .bind(cmd.payment_id)
    .bind(amount.amount())
    .bind(amount.currency().code())
    .bind(cmd.method)
    .bind(cmd.reference.clone())
    .bind(cmd.reason.as_str())
    .bind(tx.today())
    .bind(tx.now())
    .run()
    .await?;
    let entry = Entry {
        kind: "refund",
        source: id.0,
        booked_on: tx.today(),
        description: format!("Refund, {}", cmd.method),
        transfers: vec![Transfer::new(
            Account::SubscriberCredit(cmd.subscriber_id),
            Account::Cash(cmd.method.to_string()),
            amount,
        )],
    };
    ledger::post(tx, entry).await?;
    tx.emit(&CreditRefunded {
        refund_id: id,
        subscriber_id: cmd.subscriber_id,
    })
    .await
}

/// Refuses more than is in hand. The subscriber is locked.
pub(super) async fn require_in_hand(tx: &TenantTx, subscriber: SubscriberId, amount: Money) -> Result<()> {
    let in_hand = ledger::credit_in_hand(tx, subscriber).await?;
    match amount.amount() <= in_hand.amount() {
        true => Ok(()),
        false => Err(Error::user(
            ErrorCode::InsufficientFunds,
            "amount",
            format!("Only {} is in hand.", in_hand.amount()),
        )),
    }
}

/// What is paid back of a payment stands on it.
async fn mark_payment(tx: &TenantTx, cmd: &RefundCredit) -> Result<()> {
    let Some(payment) = cmd.payment_id else { return Ok(()) };
    let left = payments::refundable(tx, payment, cmd.subscriber_id).await?;
    let left = left.ok_or_else(|| Error::not_found("paymentId"))?;
    if cmd.amount > left.amount() {
        let message = format!("Only {} of this payment can be refunded.", left.amount());
        return Err(Error::user(ErrorCode::InsufficientFunds, "amount", message));
    }
    payments::mark_refunded(tx, payment, cmd.amount).await
}
