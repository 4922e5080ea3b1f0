//! What has been paid back of a payment. Paying back is `credits`'.

use rust_decimal::Decimal;

use super::entity::PaymentStatus;
use super::queries;
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, Result};
use crate::kernel::ids::{PaymentId, SubscriberId};
use crate::kernel::money::Money;

/// How much of a subscriber's payment can be paid back; None: it has no such payment, or the money did not come or stay. The
/// subscriber is locked.
pub async fn refundable(tx: &TenantTx, id: PaymentId, whose: SubscriberId) -> Result<Option<Money>> {
    let found = queries::find_unchecked(tx, id).await?;
    let own = found.filter(|p| p.subscriber_id == Some(whose));
    match own {
        Some(payment) if payment.status == PaymentStatus::Succeeded => {
            let left = payment.amount()?.checked_sub(payment.refunded()?);
            left.map(Some).map_err(Error::internal)
        }
        Some(_) => Err(Error::state("paymentId", "The money of this payment is not there.")),
        None => Ok(None),
    }
}

pub async fn mark_refunded(tx: &TenantTx, id: PaymentId, amount: Decimal) -> Result<()> {
    tx.sql("UPDATE payment SET refunded = refunded + $2 WHERE id = $1")
        .bind(id)
        .bind(amount)
        .run()
        .await?;
    Ok(())
}
