//! What later modules may react to.

use serde::{Deserialize, Serialize};

use crate::kernel::event::Event;
use crate::kernel::ids::{CouponId, ServiceDiscountId, ServiceId};

/// A service has a discount from its next charge on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiscountAdded {
    pub service_id: ServiceId,
    pub discount_id: ServiceDiscountId,
}

impl Event for DiscountAdded {
    const KIND: &'static str = "DiscountAdded";
}

/// A service's later charges are without that discount.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiscountEnded {
    pub service_id: ServiceId,
    pub discount_id: ServiceDiscountId,
}

impl Event for DiscountEnded {
    const KIND: &'static str = "DiscountEnded";
}

/// A coupon gave a service a discount.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CouponRedeemed {
    pub coupon_id: CouponId,
    pub service_id: ServiceId,
    pub discount_id: ServiceDiscountId,
}

impl Event for CouponRedeemed {
    const KIND: &'static str = "CouponRedeemed";
}
