use super::queries;
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, Result};
use crate::kernel::ids::SubscriberId;

/// Refuses a payer that does not exist or would make a chain of payers. Both rows must be locked, so that no other change
/// makes the chain meanwhile: [`queries::lock`] for a new subscriber's payer, [`queries::lock_both`] for a change.
pub(super) async fn check(tx: &TenantTx, subscriber: SubscriberId, payer: SubscriberId) -> Result<()> {
    const FIELD: &str = "billToId";
    if payer == subscriber {
        return Err(Error::invalid(FIELD, "A subscriber without a payer pays itself."));
    }
    let payer = queries::look(tx, payer).await?.ok_or_else(|| Error::not_found(FIELD))?;
    if payer.bill_to_id.is_some() {
        return Err(Error::invalid(FIELD, "This subscriber has a payer itself."));
    }
    let pays_for_others: Option<i32> = tx
        .sql("SELECT 1 FROM subscriber WHERE bill_to_id = $1 LIMIT 1")
        .bind(subscriber)
        .scalar()
        .await?;
    if pays_for_others.is_some() {
        return Err(Error::invalid(
            FIELD,
            "The subscriber pays for others, so it must pay itself.",
        ));
    }
    Ok(())
}
