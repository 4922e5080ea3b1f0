//! Discounts that services have. The caller has locked the service, and whoever pays for it before a coupon.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use super::coupons;
use super::entity::{Coupon, ServiceDiscount, Terms};
use super::events::{CouponRedeemed, DiscountAdded, DiscountEnded};
use crate::kernel::check::Checks;
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, ErrorCode, Result};
use crate::kernel::ids::{CouponId, ServiceDiscountId, ServiceId, SubscriberId};
use crate::kernel::money::Money;

/// A service has so many discounts at most at a time.
const MAX_OF_SERVICE: usize = 10;
const MAX_PERIODS: i32 = 1200;
/// Above this an amount is a slip of the finger.
const MAX_AMOUNT: Decimal = Decimal::from_parts(1_000_000_000, 0, 0, false, 0);

macro_rules! select {
    ($tail:literal) => {
        concat!(
            "SELECT d.id, d.service_id, d.subscriber_id, d.coupon_id, d.name, d.percent, d.amount, d.currency, d.with_addons, d.periods,
                 ARRAY(SELECT u.period_starts_at FROM discount_use u WHERE u.service_discount_id = d.id ORDER BY 1) AS used,
                 d.ended_at, d.created_at
             FROM service_discount d ",
            $tail
        )
    };
}

/// Notes what is wrong with a discount; an amount gets the currency's scale.
pub fn check_terms(tx: &TenantTx, terms: &mut Terms, checks: &mut Checks) {
    terms.name = checks.line(&terms.name, 80, "name");
    match (&terms.percent, &mut terms.amount) {
        (None, None) => checks.add(ErrorCode::Required, "percent", "Give either percent or amount."),
        (Some(_), Some(_)) => checks.ensure(false, "percent", "Give either percent or amount."),
        (Some(percent), None) => {
            let sound = *percent > Decimal::ZERO && *percent <= Decimal::ONE_HUNDRED;
            checks.ensure(sound, "percent", "Must be more than 0 and at most 100.");
            checks.ensure(percent.normalize().scale() <= 4, "percent", "Must have at most 4 decimals.");
        }
        (None, Some(amount)) => {
            checks.ensure(*amount > Decimal::ZERO, "amount", "Must be more than 0.");
            checks.ensure(*amount <= MAX_AMOUNT, "amount", "Is larger than any price can be.");
            let currency = tx.tenant().currency();
            match Money::new(*amount, currency) {
                Ok(exact) => *amount = exact.amount(),
                Err(_) => checks.ensure(false, "amount", &format!("Must have at most {} decimals.", currency.scale())),
            }
            checks.ensure(
                !terms.with_addons,
                "withAddons",
                "Only a percentage can be off the add-ons as well.",
            );
        }
    }
    let sound = terms.periods.is_none_or(|n| (1..=MAX_PERIODS).contains(&n));
    checks.ensure(sound, "periods", "Must be 1 to 1200; leave it out for ever.");
}

/// A discount for a service, checked already.
pub struct NewDiscount {
    pub id: ServiceDiscountId,
    pub service_id: ServiceId,
    pub subscriber_id: SubscriberId,
    pub terms: Terms,
}

/// Gives a service a discount from its next charge on.
pub async fn add(tx: &TenantTx, new: NewDiscount) -> Result<ServiceDiscount> {
    insert(tx, new, None).await
}

async fn insert(tx: &TenantTx, new: NewDiscount, coupon: Option<CouponId>) -> Result<ServiceDiscount> {
    let lasting = of_service(tx, new.service_id).await?;
    if lasting.iter().filter(|d| !d.is_over()).count() >= MAX_OF_SERVICE {
        let message = "A service has at most 10 discounts at a time.";
        return Err(Error::user(ErrorCode::LimitExceeded, "serviceId", message));
    }
    let inserted = tx
        .sql(
            "INSERT INTO service_discount (id, service_id, subscriber_id, coupon_id, name, percent, amount, currency, with_addons,
                 periods, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (coupon_id, service_id) DO NOTHING",
        )
        .bind(new.id)
        .bind(new.service_id)
        .bind(new.subscriber_id)
        .bind(coupon)
        .bind(new.terms.name)
        .bind(new.terms.percent)
        .bind(new.terms.amount)
        .bind(tx.tenant().currency().code())
        .bind(new.terms.with_addons)
        .bind(new.terms.periods)
        .bind(tx.now())
        .run()
        .await?;
    if inserted == 0 {
        let message = "The service has had this coupon already.";
        return Err(Error::user(ErrorCode::Conflict, "couponCode", message));
    }
    tx.emit(&DiscountAdded {
        service_id: new.service_id,
        discount_id: new.id,
    })
    .await?;
    find_of_service(tx, new.id).await
}

/// Gives a service the discount of a coupon. Its limits hold whoever redeems it at the same time: the coupon is locked from
/// here on.
pub async fn redeem(
    tx: &TenantTx,
    id: ServiceDiscountId,
    service_id: ServiceId,
    subscriber_id: SubscriberId,
    code: &str,
) -> Result<ServiceDiscount> {
    let missing = || Error::user(ErrorCode::NotFound, "couponCode", "There is no such coupon.");
    let coupon = coupons::by_code(tx, code).await?.ok_or_else(missing)?;
    check_valid(tx, &coupon)?;
    let counted = tx
        .sql(
            "UPDATE coupon SET redeemed = redeemed + 1
             WHERE id = $1 AND disabled_at IS NULL AND (max_total IS NULL OR redeemed < max_total)",
        )
        .bind(coupon.id)
        .run()
        .await?;
    if counted == 0 {
        let message = "The coupon is used up.";
        return Err(Error::user(ErrorCode::LimitExceeded, "couponCode", message));
    }
    if let Some(limit) = coupon.max_per_subscriber {
        let had: Option<i64> = tx
            .sql("SELECT count(*) FROM service_discount WHERE coupon_id = $1 AND subscriber_id = $2")
            .bind(coupon.id)
            .bind(subscriber_id)
            .scalar()
            .await?;
        if had.unwrap_or(0) >= i64::from(limit) {
            let message = "The subscriber has redeemed this coupon as often as may be.";
            return Err(Error::user(ErrorCode::LimitExceeded, "couponCode", message));
        }
    }
    let new = NewDiscount {
        id,
        service_id,
        subscriber_id,
        terms: coupon.terms(),
    };
    let given = insert(tx, new, Some(coupon.id)).await?;
    tx.emit(&CouponRedeemed {
        coupon_id: coupon.id,
        service_id,
        discount_id: id,
    })
    .await?;
    Ok(given)
}

fn check_valid(tx: &TenantTx, coupon: &Coupon) -> Result<()> {
    let today = tx.today();
    let refuse = |message: &str| Err(Error::state("couponCode", message));
    match coupon {
        c if c.disabled_at.is_some() => refuse("The coupon is not valid any more."),
        c if c.valid_from.is_some_and(|from| today < from) => refuse("The coupon is not valid yet."),
        c if c.valid_until.is_some_and(|until| until < today) => refuse("The coupon is not valid any more."),
        _ => Ok(()),
    }
}

/// What is charged from now on is without it; what was charged stays.
pub async fn end(tx: &TenantTx, discount: &ServiceDiscount) -> Result<ServiceDiscount> {
    if discount.is_over() {
        return Err(Error::state("id", "The discount is over."));
    }
    tx.sql("UPDATE service_discount SET ended_at = $2 WHERE id = $1")
        .bind(discount.id)
        .bind(tx.now())
        .run()
        .await?;
    tx.emit(&DiscountEnded {
        service_id: discount.service_id,
        discount_id: discount.id,
    })
    .await?;
    find_of_service(tx, discount.id).await
}

/// Notes that these were given for the full periods that begin then. Given for one again, they count once.
pub async fn mark_used(tx: &TenantTx, given: &[(ServiceDiscountId, DateTime<Utc>)]) -> Result<()> {
    if given.is_empty() {
        return Ok(());
    }
    let (ids, periods): (Vec<_>, Vec<_>) = given.iter().copied().unzip();
    tx.sql(
        "INSERT INTO discount_use (service_discount_id, period_starts_at)
         SELECT u.id, u.period FROM unnest($1::uuid[], $2::timestamptz[]) AS u(id, period) ON CONFLICT DO NOTHING",
    )
    .bind(ServiceDiscountId::array(&ids))
    .bind(periods)
    .run()
    .await?;
    Ok(())
}

/// What was given for the full period that began at `from` was given for the one that begins at `to`, which is the same one,
/// moved.
pub async fn move_use(tx: &TenantTx, service: ServiceId, from: DateTime<Utc>, to: DateTime<Utc>) -> Result<()> {
    tx.sql(
        "UPDATE discount_use u SET period_starts_at = $3 FROM service_discount d
         WHERE d.service_id = $1 AND u.service_discount_id = d.id AND u.period_starts_at = $2 AND NOT EXISTS (
             SELECT FROM discount_use o WHERE o.service_discount_id = d.id AND o.period_starts_at = $3)",
    )
    .bind(service)
    .bind(from)
    .bind(to)
    .run()
    .await?;
    Ok(())
}

/// All discounts that a service has or had, in the order in which it got them. Whoever sees the service sees them.
pub async fn of_service(tx: &TenantTx, service: ServiceId) -> Result<Vec<ServiceDiscount>> {
    tx.sql(select!("WHERE d.service_id = $1 ORDER BY d.id"))
        .bind(service)
        .all()
        .await
}

/// The discounts of many services, each one's in the order in which it got them, but for those that were ended.
pub async fn of_services(tx: &TenantTx, services: &[ServiceId]) -> Result<Vec<ServiceDiscount>> {
    tx.sql(select!("WHERE d.service_id = ANY($1) AND d.ended_at IS NULL ORDER BY d.id"))
        .bind(ServiceId::array(services))
        .all()
        .await
}

/// One that must exist; for use cases that hold its id.
pub async fn find_of_service(tx: &TenantTx, id: ServiceDiscountId) -> Result<ServiceDiscount> {
    let found = tx.sql(select!("WHERE d.id = $1")).bind(id).optional().await?;
    found.ok_or_else(|| Error::not_found("id"))
}
