use serde::Serialize;
use uuid::Uuid;

use super::entity::{Payment, PaymentStatus};
use super::events::PaymentReversed;
use super::{queries, rules};
use crate::billing;
use crate::kernel::Permission;
use crate::kernel::check::Checks;
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, Result};
use crate::kernel::ids::{InvoiceId, PaymentId, SubscriberId};
use crate::kernel::money::Money;
use crate::ledger::{self, Entry};
use crate::subscribers;

#[derive(Clone, Debug, Serialize)]
pub struct ReversePayment {
    pub id: PaymentId,
    pub reason: String,
    #[serde(skip)]
    pub key: Option<Uuid>,
}

/// Takes a payment back: a cheque that bounced, a slip of the finger. What it settled is owed again, but for what credit in
/// hand settles in its place. Its surplus comes out of
/// the credit in hand; what invoices have consumed of that since is taken back from them, the newest first, so that credit
/// never goes below nothing.
pub async fn reverse(tx: &TenantTx, mut cmd: ReversePayment) -> Result<Payment> {
    tx.require(Permission::PaymentReverse)?;
    let mut checks = Checks::new();
    cmd.reason = checks.line(&cmd.reason, 500, "reason");
    checks.done()?;
    if let Some(known) = tx.claim_key("paymentReverse", cmd.key, &cmd, cmd.id.0).await? {
        return queries::get(tx, PaymentId(known)).await;
    }
    let (payment, subscriber) = lock(tx, cmd.id).await?;
    if !payment.refunded.is_zero() {
        let message = "A part of it has been refunded, so it cannot be taken back whole.";
        return Err(Error::state("id", message));
    }
    let allocated = allocated(tx, payment.id).await?;
    mark(tx, &cmd).await?;
    if !allocated.is_empty() {
        billing::unapply_payment(tx, &allocated).await?;
    }
    let unallocated = payment.unallocated()?;
    cover(tx, subscriber, unallocated).await?;
    book(tx, &payment, subscriber, unallocated).await?;
    let reopened: Vec<InvoiceId> = allocated.iter().map(|(invoice, _)| *invoice).collect();
    billing::consume_again(tx, subscriber, &reopened).await?;
    tx.audit("paymentReverse", payment.id.0, &cmd).await?;
    tx.emit(&PaymentReversed {
        payment_id: payment.id,
        subscriber_id: subscriber,
    })
    .await?;
    queries::get(tx, payment.id).await
}

/// The payment with its subscriber locked; only money that came in can be taken back, and only once.
async fn lock(tx: &TenantTx, id: PaymentId) -> Result<(Payment, SubscriberId)> {
    let payment = queries::find_unchecked(tx, id).await?.ok_or_else(|| Error::not_found("id"))?;
    let subscriber = payment
        .subscriber_id
        .ok_or_else(|| Error::state("id", "Nobody knows yet whose payment this is."))?;
    subscribers::lock(tx, subscriber).await?;
    // Read again: what was seen before the lock may have been reversed meanwhile.
    let payment = queries::get(tx, id).await?;
    match payment.status {
        PaymentStatus::Succeeded => Ok((payment, subscriber)),
        PaymentStatus::Reversed => Err(Error::state("id", "The payment has been reversed already.")),
        PaymentStatus::Pending | PaymentStatus::Failed => Err(Error::state("id", "The payment has not come in.")),
    }
}

async fn allocated(tx: &TenantTx, id: PaymentId) -> Result<Vec<(InvoiceId, Money)>> {
    let allocations = queries::allocations_unchecked(tx, &[id]).await?;
    allocations.iter().map(|a| Ok((a.invoice_id, a.amount()?))).collect()
}

async fn mark(tx: &TenantTx, cmd: &ReversePayment) -> Result<()> {
    tx.sql("UPDATE payment SET status = 'REVERSED', reversed_at = $2, reversal_reason = $3 WHERE id = $1")
        .bind(cmd.id)
        .bind(tx.now())
        .bind(cmd.reason.as_str())
        .run()
        .await?;
    Ok(())
}

/// Makes sure that as much credit is in hand as is about to be taken out of it.
async fn cover(tx: &TenantTx, subscriber: SubscriberId, unallocated: Money) -> Result<()> {
    let in_hand = ledger::credit_in_hand(tx, subscriber).await?;
    let shortage = unallocated.checked_sub(in_hand).map_err(Error::internal)?;
    if shortage.is_positive() {
        billing::undo_credit(tx, subscriber, shortage).await?;
    }
    Ok(())
}

async fn book(tx: &TenantTx, payment: &Payment, subscriber: SubscriberId, unallocated: Money) -> Result<()> {
    let allocated = payment.amount()?.checked_sub(unallocated).map_err(Error::internal)?;
    let entry = Entry {
        kind: "payment-reversal",
        source: payment.id.0,
        booked_on: tx.today(),
        description: format!("Payment reversed, {}", payment.method),
        transfers: rules::reversal(subscriber, payment.method, allocated, unallocated),
    };
    ledger::post(tx, entry).await?;
    Ok(())
}
