use async_graphql::{ID, InputObject, Object};
use trunkline_domain::Result;
use trunkline_domain::discounts::{self, CreateCoupon, Off, Terms};
use trunkline_domain::runs::{AddDiscount, RedeemCoupon};

use crate::graphql::error::{ApiResult, payload};
use crate::graphql::ids;
use crate::graphql::page::connection;
use crate::graphql::plans::types::money;
use crate::graphql::scalars::{Date, DateTime, Decimal, Money, Uuid};

/// A code that gives a service a discount.
#[derive(Clone)]
pub struct Coupon(pub discounts::Coupon);

impl From<discounts::Coupon> for Coupon {
    fn from(coupon: discounts::Coupon) -> Self {
        Self(coupon)
    }
}

fn percent(off: Off) -> Option<Decimal> {
    match off {
        Off::Percent(percent) => Some(Decimal(percent.normalize())),
        Off::Amount(_) => None,
    }
}

fn amount(off: Off, currency: &str) -> ApiResult<Option<Money>> {
    match off {
        Off::Percent(_) => Ok(None),
        Off::Amount(amount) => Ok(Some(money(amount, currency)?)),
    }
}

/// A code that gives a service a discount.
#[Object]
impl Coupon {
    /// Names it everywhere.
    async fn id(&self) -> ID {
        ids::out(self.0.id)
    }

    /// What subscribers say; unique within the tenant regardless of case.
    async fn code(&self) -> &str {
        &self.0.code
    }

    /// For people; stands in the explanation of each line that it makes cheaper.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// So much of each hundred off the price; null where it is a fixed amount.
    async fn percent(&self) -> Option<Decimal> {
        percent(self.0.off())
    }

    /// So much off the price of a full period, and its share off a part of one; null where it is a percentage.
    async fn amount(&self) -> ApiResult<Option<Money>> {
        amount(self.0.off(), &self.0.currency)
    }

    /// Whether it is off the add-ons as well.
    async fn with_addons(&self) -> bool {
        self.0.with_addons
    }

    /// For so many periods of a service; null = for ever.
    async fn periods(&self) -> Option<i32> {
        self.0.periods
    }

    /// The first day on which it can be redeemed.
    async fn valid_from(&self) -> Option<Date> {
        self.0.valid_from.map(Date)
    }

    /// The last day on which it can be redeemed.
    async fn valid_until(&self) -> Option<Date> {
        self.0.valid_until.map(Date)
    }

    /// How often it can be redeemed; null = as often as one likes.
    async fn max_total(&self) -> Option<i32> {
        self.0.max_total
    }

    /// … by one subscriber.
    async fn max_per_subscriber(&self) -> Option<i32> {
        self.0.max_per_subscriber
    }

    /// How often it has been redeemed.
    async fn redeemed(&self) -> i32 {
        self.0.redeemed
    }

    /// Since when nobody can redeem it; null while somebody can.
    async fn disabled_at(&self) -> Option<DateTime> {
        self.0.disabled_at.map(DateTime)
    }
}

connection!(CouponConnection, CouponEdge, Coupon);

/// A discount that a service has.
pub struct ServiceDiscount(pub discounts::ServiceDiscount);

impl From<discounts::ServiceDiscount> for ServiceDiscount {
    fn from(discount: discounts::ServiceDiscount) -> Self {
        Self(discount)
    }
}

/// A discount that a service has.
#[Object]
impl ServiceDiscount {
    /// Names it everywhere.
    async fn id(&self) -> ID {
        ids::out(self.0.id)
    }

    /// For people; stands in the explanation of each line that it makes cheaper.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// So much of each hundred off the price; null where it is a fixed amount.
    async fn percent(&self) -> Option<Decimal> {
        percent(self.0.off())
    }

    /// So much off the price of a full period, and its share off a part of one; null where it is a percentage.
    async fn amount(&self) -> ApiResult<Option<Money>> {
        amount(self.0.off(), &self.0.currency)
    }

    /// Whether it is off the add-ons as well.
    async fn with_addons(&self) -> bool {
        self.0.with_addons
    }

    /// For so many periods; null = for ever.
    async fn periods(&self) -> Option<i32> {
        self.0.periods
    }

    /// For how many it has been given.
    async fn periods_used(&self) -> i32 {
        i32::try_from(self.0.used.len()).unwrap_or(i32::MAX)
    }

    /// The coupon that gave it; null where staff did.
    async fn coupon_id(&self) -> Option<ID> {
        self.0.coupon_id.map(ids::out)
    }

    /// Since when it is given no more; null while it is, or until its periods are used.
    async fn ended_at(&self) -> Option<DateTime> {
        self.0.ended_at.map(DateTime)
    }
}

/// A new coupon.
#[derive(InputObject)]
pub struct CouponCreateInput {
    /// What subscribers say; unique within the tenant regardless of case.
    code: String,
    /// For people; stands in the explanation of each line that it makes cheaper. Default: the code.
    name: Option<String>,
    /// So much of each hundred off the price. Give either this or `amount`.
    percent: Option<Decimal>,
    /// So much off the price of a full period, and its share off a part of one.
    amount: Option<Decimal>,
    /// Off the add-ons as well; only with `percent`.
    #[graphql(default = false)]
    with_addons: bool,
    /// For so many periods of a service; default: for ever.
    periods: Option<i32>,
    /// The first day on which it can be redeemed.
    valid_from: Option<Date>,
    /// The last day on which it can be redeemed.
    valid_until: Option<Date>,
    /// How often it can be redeemed; default: as often as one likes.
    max_total: Option<i32>,
    /// … by one subscriber.
    max_per_subscriber: Option<i32>,
}

impl CouponCreateInput {
    pub fn command(self) -> CreateCoupon {
        CreateCoupon {
            terms: Terms {
                name: self.name.unwrap_or_else(|| self.code.clone()),
                percent: self.percent.map(|p| p.0),
                amount: self.amount.map(|a| a.0),
                with_addons: self.with_addons,
                periods: self.periods,
            },
            code: self.code,
            valid_from: self.valid_from.map(|d| d.0),
            valid_until: self.valid_until.map(|d| d.0),
            max_total: self.max_total,
            max_per_subscriber: self.max_per_subscriber,
        }
    }
}

/// A coupon that nobody is to redeem any more.
#[derive(InputObject)]
pub struct CouponDisableInput {
    /// Which; discounts that it gave stay.
    pub id: ID,
}

/// A coupon's discount for a service.
#[derive(InputObject)]
pub struct CouponRedeemInput {
    /// Which service; from its next charge on.
    service_id: ID,
    /// The coupon's code.
    coupon_code: String,
    /// Makes a repeated call answer with the first one's result.
    idempotency_key: Uuid,
}

impl CouponRedeemInput {
    pub fn command(self) -> Result<RedeemCoupon> {
        Ok(RedeemCoupon {
            service_id: ids::input(&self.service_id, "serviceId")?,
            coupon_code: self.coupon_code,
            idempotency_key: self.idempotency_key.0,
        })
    }
}

/// A discount for a service.
#[derive(InputObject)]
pub struct ServiceDiscountAddInput {
    /// Which service; from its next charge on.
    service_id: ID,
    /// For people; stands in the explanation of each line that it makes cheaper.
    name: String,
    /// So much of each hundred off the price. Give either this or `amount`.
    percent: Option<Decimal>,
    /// So much off the price of a full period, and its share off a part of one.
    amount: Option<Decimal>,
    /// Off the add-ons as well; only with `percent`.
    #[graphql(default = false)]
    with_addons: bool,
    /// For so many periods, 1 for the next one alone; default: for ever.
    periods: Option<i32>,
    /// Makes a repeated call answer with the first one's result.
    idempotency_key: Uuid,
}

impl ServiceDiscountAddInput {
    pub fn command(self) -> Result<AddDiscount> {
        Ok(AddDiscount {
            service_id: ids::input(&self.service_id, "serviceId")?,
            terms: Terms {
                name: self.name,
                percent: self.percent.map(|p| p.0),
                amount: self.amount.map(|a| a.0),
                with_addons: self.with_addons,
                periods: self.periods,
            },
            idempotency_key: self.idempotency_key.0,
        })
    }
}

/// A discount that a service is not to have any more.
#[derive(InputObject)]
pub struct ServiceDiscountEndInput {
    /// Which; what was charged with it stays as it is.
    pub id: ID,
}

payload!(CouponCreatePayload { coupon: Coupon });
payload!(CouponDisablePayload { coupon: Coupon });
payload!(CouponRedeemPayload {
    discount: ServiceDiscount
});
payload!(ServiceDiscountAddPayload {
    discount: ServiceDiscount
});
payload!(ServiceDiscountEndPayload {
    discount: ServiceDiscount
});
