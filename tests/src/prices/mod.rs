//! What an ISP sells besides a plan's plain price, from outside: versions of plans, add-ons, one-time charges, discounts and
//! coupons, trials and minimum terms.

mod addon_days;
mod addons;
mod ahead;
mod bonds;
mod discounts;
mod periods;
mod terms;
mod versions;

use crate::harness::TestApp;

/// It is ten in the morning in Kolkata, and what is due on the day is done.
async fn day(app: &TestApp, day: &str) {
    app.set_clock(&format!("{day}T04:30:00Z")).await;
    app.run_jobs().await;
}
