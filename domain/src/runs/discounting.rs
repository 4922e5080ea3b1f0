//! Discounts of services: given by staff or by a coupon, and taken off what the service is charged for its periods.

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::held::Held;
use crate::billing::rules::{AgreedDiscount, Discount, Schedule, TakenOff};
use crate::discounts::{self, NewDiscount, Off, ServiceDiscount, Terms};
use crate::kernel::Permission;
use crate::kernel::check::Checks;
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, Result};
use crate::kernel::ids::{ServiceDiscountId, ServiceId};
use crate::kernel::money::Money;
use crate::plans::Plan;
use crate::subscribers;

#[derive(Clone, Debug, Serialize)]
pub struct AddDiscount {
    pub service_id: ServiceId,
    pub terms: Terms,
    pub idempotency_key: Uuid,
}

#[derive(Clone, Debug, Serialize)]
pub struct RedeemCoupon {
    pub service_id: ServiceId,
    pub coupon_code: String,
    pub idempotency_key: Uuid,
}

/// Gives a service a discount from its next charge on. It is money: who may not write invoices may not give it.
pub async fn service_discount_add(tx: &TenantTx, cmd: &AddDiscount) -> Result<ServiceDiscount> {
    tx.require(Permission::InvoiceWrite)?;
    let id = ServiceDiscountId::new();
    if let Some(known) = tx
        .claim_key("serviceDiscountAdd", Some(cmd.idempotency_key), cmd, id.0)
        .await?
    {
        return discounts::find_of_service(tx, ServiceDiscountId(known)).await;
    }
    let held = Held::lock(tx, cmd.service_id).await?;
    let held = held.ok_or_else(|| Error::not_found("serviceId"))?;
    held.check_not_over("serviceId")?;
    let mut terms = cmd.terms.clone();
    let mut checks = Checks::new();
    discounts::check_terms(tx, &mut terms, &mut checks);
    checks.done()?;
    let new = NewDiscount {
        id,
        service_id: cmd.service_id,
        subscriber_id: held.service.subscriber_id,
        terms,
    };
    let given = discounts::add(tx, new).await?;
    tx.audit("serviceDiscountAdd", cmd.service_id.0, cmd).await?;
    Ok(given)
}

/// Gives a service the discount of a coupon, from its next charge on.
pub async fn coupon_redeem(tx: &TenantTx, cmd: &RedeemCoupon) -> Result<ServiceDiscount> {
    tx.require(Permission::ServiceWrite)?;
    let id = ServiceDiscountId::new();
    if let Some(known) = tx.claim_key("couponRedeem", Some(cmd.idempotency_key), cmd, id.0).await? {
        return discounts::find_of_service(tx, ServiceDiscountId(known)).await;
    }
    let held = Held::lock(tx, cmd.service_id).await?;
    let held = held.ok_or_else(|| Error::not_found("serviceId"))?;
    held.check_not_over("serviceId")?;
    let given = discounts::redeem(tx, id, cmd.service_id, held.service.subscriber_id, &cmd.coupon_code).await?;
    tx.audit("couponRedeem", cmd.service_id.0, cmd).await?;
    Ok(given)
}

/// What is charged from now on is without that discount.
pub async fn service_discount_end(tx: &TenantTx, id: ServiceDiscountId) -> Result<ServiceDiscount> {
    tx.require(Permission::InvoiceWrite)?;
    let service = discounts::find_of_service(tx, id).await?.service_id;
    Held::lock(tx, service).await?.ok_or_else(|| Error::not_found("id"))?;
    let discount = discounts::find_of_service(tx, id).await?;
    let ended = discounts::end(tx, &discount).await?;
    tx.audit("serviceDiscountEnd", service.0, serde_json::json!({ "discountId": id }))
        .await?;
    Ok(ended)
}

impl Held {
    /// The coupon of a service that has just been added. Who pays for it is locked before the coupon, as everywhere.
    pub(super) async fn redeem_at_order(&self, tx: &TenantTx, code: Option<&str>) -> Result<()> {
        let Some(code) = code else { return Ok(()) };
        let subscriber = subscribers::get(tx, self.service.subscriber_id).await?;
        subscribers::lock(tx, subscriber.payer()).await?;
        discounts::redeem(tx, ServiceDiscountId::new(), self.service.id, subscriber.id, code).await?;
        Ok(())
    }

    /// Whether it has or had discounts: then a difference of prices is not what its days cost more or less.
    pub(super) async fn has_discounts(&self, tx: &TenantTx) -> Result<bool> {
        Ok(!discounts::of_service(tx, self.service.id).await?.is_empty())
    }

    /// Where the full period begins in which that instant lies: a discount is given for it once, however often it is charged.
    pub(super) fn full_period_of(&self, tx: &TenantTx, plan: &Plan, at: DateTime<Utc>) -> Result<DateTime<Utc>> {
        full_period(&self.schedule_after(tx, plan, at)?, at)
    }

    /// After periods were moved: what was given for the full period in which `then` lay was given for the one in which `now`
    /// lies. `before`: the periods as they were.
    pub(super) async fn move_discounts(
        &self,
        tx: &TenantTx,
        before: &Schedule,
        then: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let (from, to) = (full_period(before, then)?, full_period(&self.schedule(tx)?, now)?);
        match from == to {
            true => Ok(()),
            false => discounts::move_use(tx, self.service.id, from, to).await,
        }
    }
}

/// Where the period begins in which that instant lies.
fn full_period(of: &Schedule, at: DateTime<Utc>) -> Result<DateTime<Utc>> {
    let full = of.containing(at).map_err(Error::internal)?;
    Ok(full.map_or(at, |full| full.period.start()))
}

/// What these take off a line, in their order; None when they take nothing. Off an add-on go those that are off add-ons too.
pub(super) fn taken_off(given: &[ServiceDiscount], of_addon: bool) -> Result<Option<Discount>> {
    let parts = given.iter().filter(|d| !of_addon || d.with_addons).map(|d| {
        let off = match d.off() {
            Off::Percent(percent) => TakenOff::Percent {
                percent: percent.normalize(),
            },
            Off::Amount(amount) => {
                let currency = d.currency.parse().map_err(Error::internal)?;
                TakenOff::Amount {
                    amount: Money::new(amount, currency).map_err(Error::internal)?,
                }
            }
        };
        Ok(AgreedDiscount {
            id: d.id.to_string(),
            name: d.name.clone(),
            off,
        })
    });
    let parts = parts.collect::<Result<Vec<_>>>()?;
    Ok((!parts.is_empty()).then_some(Discount::Agreed { parts }))
}
