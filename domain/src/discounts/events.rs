//! What later modules may react to.

use crate::kernel::event::events;
use crate::kernel::ids::{CouponId, ServiceDiscountId, ServiceId};

events! {
    /// A coupon can be redeemed.
    CouponCreated { coupon_id: CouponId };
    /// A coupon can't be redeemed any more; discounts that it gave stay.
    CouponDisabled { coupon_id: CouponId };
    /// A service has a discount from its next charge on.
    DiscountAdded { service_id: ServiceId, discount_id: ServiceDiscountId };
    /// A service's later charges are without that discount.
    DiscountEnded { service_id: ServiceId, discount_id: ServiceDiscountId };
    /// A coupon gave a service a discount.
    CouponRedeemed { coupon_id: CouponId, service_id: ServiceId, discount_id: ServiceDiscountId };
}
