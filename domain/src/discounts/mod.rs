//! Discounts that services have, agreed by staff or by a coupon's code: a share of the price or a fixed part of it, for some
//! periods or for ever.
//!
//! Owns `coupon`, `service_discount` and `discount_use`. A coupon's limits hold whatever happens at once: its row counts its
//! redemptions, and a CHECK bounds them.

mod coupons;
mod entity;
mod events;
mod of_service;

pub use coupons::{CouponKey, CreateCoupon, by_ids, count, create, disable, find, list};
pub use entity::{Coupon, Off, ServiceDiscount, Terms};
pub use events::{CouponCreated, CouponDisabled, CouponRedeemed, DiscountAdded, DiscountEnded};
pub use of_service::{NewDiscount, add, check_terms, end, find_of_service, mark_used, move_use, of_service, of_services, redeem};
