//! Add-ons that services have.

use chrono::NaiveDate;
use rust_decimal::Decimal;

use super::entity::ServiceAddon;
use super::events::{ServiceAddonAdded, ServiceAddonEnded};
use crate::kernel::check::Checks;
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, ErrorCode, Result};
use crate::kernel::ids::{AddonId, ServiceAddonId, ServiceId};
use crate::kernel::money::Money;

/// Above these a quantity or a price is a slip of the finger.
pub const MAX_QUANTITY: i32 = 10_000;
const MAX_PRICE: Decimal = Decimal::from_parts(1_000_000_000, 0, 0, false, 0);
/// A service has so many add-ons at most.
const MAX_OF_SERVICE: i64 = 50;

macro_rules! select {
    ($tail:literal) => {
        concat!(
            "SELECT s.id, s.service_id, s.addon_id, a.name, s.quantity, COALESCE(s.agreed_price, a.price) AS price,
                 s.agreed_price, a.currency, a.tax_inclusive, a.tax_code, s.starts_on, s.ends_on, s.created_at
             FROM service_addon s JOIN addon a ON a.id = s.addon_id ",
            $tail
        )
    };
}

/// Notes what is wrong with a quantity.
pub fn check_quantity(quantity: i32, field: &str, checks: &mut Checks) {
    checks.ensure((1..=MAX_QUANTITY).contains(&quantity), field, "Must be 1 to 10000.");
}

/// Notes what is wrong with a price; it gets the currency's scale.
pub fn check_price(tx: &TenantTx, price: Decimal, field: &str, checks: &mut Checks) -> Decimal {
    let currency = tx.tenant().currency();
    checks.ensure(price >= Decimal::ZERO, field, "Must not be negative.");
    checks.ensure(price <= MAX_PRICE, field, "Is larger than any price can be.");
    match Money::new(price, currency) {
        Ok(exact) => exact.amount(),
        Err(_) => {
            checks.ensure(false, field, &format!("Must have at most {} decimals.", currency.scale()));
            price
        }
    }
}

/// An add-on for a service, checked already.
pub struct NewServiceAddon {
    pub id: ServiceAddonId,
    pub service_id: ServiceId,
    pub addon_id: AddonId,
    pub quantity: i32,
    pub agreed_price: Option<Decimal>,
    pub starts_on: NaiveDate,
    pub ends_on: Option<NaiveDate>,
}

/// Gives a service that the caller has locked an add-on.
pub async fn insert_of_service(tx: &TenantTx, new: NewServiceAddon) -> Result<ServiceAddon> {
    let has: Option<i64> = tx
        .sql("SELECT count(*) FROM service_addon WHERE service_id = $1 AND (ends_on IS NULL OR ends_on > $2)")
        .bind(new.service_id)
        .bind(tx.today())
        .scalar()
        .await?;
    if has.unwrap_or(0) >= MAX_OF_SERVICE {
        let message = "A service has at most 50 add-ons.";
        return Err(Error::user(ErrorCode::LimitExceeded, "serviceId", message));
    }
    tx.sql(
        "INSERT INTO service_addon (id, service_id, addon_id, quantity, agreed_price, starts_on, ends_on, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(new.id)
    .bind(new.service_id)
    .bind(new.addon_id)
    .bind(new.quantity)
    .bind(new.agreed_price)
    .bind(new.starts_on)
    .bind(new.ends_on)
    .bind(tx.now())
    .run()
    .await?;
    tx.emit(&ServiceAddonAdded {
        service_id: new.service_id,
        service_addon_id: new.id,
    })
    .await?;
    find_of_service(tx, new.id).await
}

/// The add-on ends on that day, which it does not have any more. The caller has locked the service.
pub async fn end_on(tx: &TenantTx, addon: &ServiceAddon, day: NaiveDate) -> Result<ServiceAddon> {
    tx.sql("UPDATE service_addon SET ends_on = $2 WHERE id = $1")
        .bind(addon.id)
        .bind(day)
        .run()
        .await?;
    tx.emit(&ServiceAddonEnded {
        service_id: addon.service_id,
        service_addon_id: addon.id,
    })
    .await?;
    find_of_service(tx, addon.id).await
}

/// All add-ons that a service has, had or will have, in the order in which it got them. Whoever sees the service sees them.
pub async fn of_service(tx: &TenantTx, service: ServiceId) -> Result<Vec<ServiceAddon>> {
    tx.sql(select!("WHERE s.service_id = $1 ORDER BY s.id"))
        .bind(service)
        .all()
        .await
}

/// As [`of_service`], of many.
pub async fn of_services(tx: &TenantTx, services: &[ServiceId]) -> Result<Vec<ServiceAddon>> {
    tx.sql(select!("WHERE s.service_id = ANY($1) ORDER BY s.id"))
        .bind(ServiceId::array(services))
        .all()
        .await
}

/// Whose it is; None when there is no such add-on.
pub async fn service_of(tx: &TenantTx, id: ServiceAddonId) -> Result<Option<ServiceId>> {
    tx.sql("SELECT service_id FROM service_addon WHERE id = $1")
        .bind(id)
        .scalar()
        .await
}

/// One that must exist; for use cases that hold its id.
pub async fn find_of_service(tx: &TenantTx, id: ServiceAddonId) -> Result<ServiceAddon> {
    let found = tx.sql(select!("WHERE s.id = $1")).bind(id).optional().await?;
    found.ok_or_else(|| Error::not_found("id"))
}
