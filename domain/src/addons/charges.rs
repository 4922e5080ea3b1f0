//! What a service is charged for once.

use rust_decimal::Decimal;

use super::entity::{ChargeStatus, OneTimeCharge};
use super::events::{OneTimeChargeAdded, OneTimeChargeCancelled};
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, ErrorCode, Result};
use crate::kernel::ids::{AddonId, InvoiceId, OneTimeChargeId, ServiceId};

/// A service has so many charges at most that wait for its next invoice.
const MAX_OPEN: usize = 50;

macro_rules! select {
    ($tail:literal) => {
        concat!(
            "SELECT c.id, c.service_id, c.addon_id, c.description, c.quantity, c.unit_price, c.currency, c.tax_inclusive,
                 c.tax_code, c.invoice_id, c.cancelled_at, c.created_at
             FROM one_time_charge c ",
            $tail
        )
    };
}

/// A charge, checked already.
pub struct NewCharge {
    pub id: OneTimeChargeId,
    pub service_id: ServiceId,
    pub addon_id: Option<AddonId>,
    pub description: String,
    pub quantity: i32,
    pub unit_price: Decimal,
    pub tax_inclusive: bool,
    pub tax_code: Option<String>,
}

/// Notes a charge of a service that the caller has locked.
pub async fn insert_charge(tx: &TenantTx, new: NewCharge) -> Result<OneTimeCharge> {
    if open_charges(tx, new.service_id).await?.len() >= MAX_OPEN {
        let message = "At most 50 charges wait for the next invoice.";
        return Err(Error::user(ErrorCode::LimitExceeded, "serviceId", message));
    }
    tx.sql(
        "INSERT INTO one_time_charge (id, service_id, addon_id, description, quantity, unit_price, currency, tax_inclusive,
             tax_code, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(new.id)
    .bind(new.service_id)
    .bind(new.addon_id)
    .bind(new.description)
    .bind(new.quantity)
    .bind(new.unit_price)
    .bind(tx.tenant().currency().code())
    .bind(new.tax_inclusive)
    .bind(new.tax_code)
    .bind(tx.now())
    .run()
    .await?;
    tx.emit(&OneTimeChargeAdded {
        service_id: new.service_id,
        charge_id: new.id,
    })
    .await?;
    find_charge(tx, new.id).await
}

/// Takes back a charge that has not been made. The caller has locked the service.
pub async fn cancel(tx: &TenantTx, charge: &OneTimeCharge) -> Result<OneTimeCharge> {
    match charge.status() {
        ChargeStatus::Pending => {}
        ChargeStatus::Charged => return Err(Error::state("id", "It has been charged: credit its invoice instead.")),
        ChargeStatus::Cancelled => return Err(Error::state("id", "It was cancelled before.")),
    }
    tx.sql("UPDATE one_time_charge SET cancelled_at = $2 WHERE id = $1 AND invoice_id IS NULL")
        .bind(charge.id)
        .bind(tx.now())
        .run()
        .await?;
    tx.emit(&OneTimeChargeCancelled {
        service_id: charge.service_id,
        charge_id: charge.id,
    })
    .await?;
    find_charge(tx, charge.id).await
}

/// Notes which invoice charged them. Each can be charged once, whatever the code does: an error when one was before.
pub async fn mark_charged(tx: &TenantTx, ids: &[OneTimeChargeId], invoice: InvoiceId) -> Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    let marked = tx
        .sql("UPDATE one_time_charge SET invoice_id = $2 WHERE id = ANY($1) AND invoice_id IS NULL AND cancelled_at IS NULL")
        .bind(OneTimeChargeId::array(ids))
        .bind(invoice)
        .run()
        .await?;
    match usize::try_from(marked) == Ok(ids.len()) {
        true => Ok(()),
        false => Err(Error::internal(format!(
            "{invoice} charges what is not to be charged any more"
        ))),
    }
}

/// What an invoice charged once of these services waits for their next one: that invoice is void.
pub async fn uncharge(tx: &TenantTx, invoice: InvoiceId, services: &[ServiceId]) -> Result<()> {
    tx.sql("UPDATE one_time_charge SET invoice_id = NULL WHERE invoice_id = $1 AND service_id = ANY($2)")
        .bind(invoice)
        .bind(ServiceId::array(services))
        .run()
        .await?;
    Ok(())
}

/// What waits for the service's next invoice.
pub async fn open_charges(tx: &TenantTx, service: ServiceId) -> Result<Vec<OneTimeCharge>> {
    tx.sql(select!(
        "WHERE c.service_id = $1 AND c.invoice_id IS NULL AND c.cancelled_at IS NULL ORDER BY c.id"
    ))
    .bind(service)
    .all()
    .await
}

/// Those of the services for which something waits for their next invoice.
pub async fn with_open_charges(tx: &TenantTx, services: &[ServiceId]) -> Result<Vec<ServiceId>> {
    tx.sql(
        "SELECT DISTINCT service_id FROM one_time_charge
         WHERE service_id = ANY($1) AND invoice_id IS NULL AND cancelled_at IS NULL",
    )
    .bind(ServiceId::array(services))
    .scalars()
    .await
}

/// All one-time charges of a service, the newest first, at most 200. Whoever sees the service sees them.
pub async fn charges_of(tx: &TenantTx, service: ServiceId) -> Result<Vec<OneTimeCharge>> {
    tx.sql(select!("WHERE c.service_id = $1 ORDER BY c.id DESC LIMIT 200"))
        .bind(service)
        .all()
        .await
}

/// One that must exist; for use cases that hold its id.
pub async fn find_charge(tx: &TenantTx, id: OneTimeChargeId) -> Result<OneTimeCharge> {
    let found = tx.sql(select!("WHERE c.id = $1")).bind(id).optional().await?;
    found.ok_or_else(|| Error::not_found("id"))
}
