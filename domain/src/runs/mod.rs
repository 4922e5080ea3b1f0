//! Work that crosses capabilities: an ISP is opened; a service begins, is renewed, expires, is paid for, is switched off and
//! on. Here services meet invoices, and RADIUS hears of every change in the transaction that makes it.

mod access;
mod activation;
mod catalogue;
mod charge;
mod directors;
mod held;
mod plan_change;
mod provisioning;
pub mod renewal;
mod reseal;
mod settle;
pub mod settlement;
mod standing;
mod suspension;
mod termination;

pub use access::{ResumeService, SetServicePassword, SuspendService, service_password_set, service_resume, service_suspend};
pub use activation::{ActivateService, ServiceOrder, service_activate, service_create};
pub use catalogue::{plan_create, plan_update};
pub use charge::RefreshService;
pub use directors::{CreateDirector, director_create};
pub use plan_change::{ChangePlan, ChangeTiming, Changed, service_change_cancel, service_change_plan};
pub use provisioning::tenant_create;
pub use renewal::RefreshServices;
pub use reseal::reseal;
pub use termination::{TerminateService, service_terminate};
