//! Work that crosses capabilities: an ISP is opened; a service begins, is renewed, expires, is paid for, is switched off and
//! on. Here services meet invoices, and RADIUS hears of every change in the transaction that makes it.

mod access;
mod activation;
pub mod billing_run;
mod catalogue;
mod charge;
mod contract;
mod desk;
mod directors;
mod discounting;
mod due;
mod extras;
mod held;
mod one_time;
mod plan_change;
mod pricing;
mod provisioning;
mod renewal;
mod reseal;
mod selection;
mod settle;
pub mod settlement;
mod standing;
mod suspension;
mod termination;
mod versions;

pub use access::{ResumeService, SetServicePassword, SuspendService, service_password_set, service_resume, service_suspend};
pub use activation::{ActivateService, OrderedAddon, ServiceOrder, service_activate, service_create};
pub use billing_run::{BillingRun, StartBillingRun, billing_run_start};
pub use catalogue::{addon_create, addon_update, plan_create, plan_update};
pub use charge::RefreshService;
pub use contract::exit_preview;
pub use directors::{CreateDirector, director_create};
pub use discounting::{AddDiscount, RedeemCoupon, coupon_redeem, service_discount_add, service_discount_end};
pub use extras::{AddAddon, EndAddon, service_addon_add, service_addon_end};
pub use one_time::{AddCharge, WhenCharged, service_charge_add, service_charge_cancel};
pub use plan_change::{ChangePlan, ChangeTiming, Changed, service_change_cancel, service_change_plan};
pub use provisioning::tenant_create;
pub use renewal::{RefreshServices, refresh_service, refresh_services};
pub use reseal::reseal;
pub use selection::{Chargeable, Place};
pub use termination::{TerminateService, service_terminate};
pub use versions::{KeepVersion, next_version, service_version_keep};
