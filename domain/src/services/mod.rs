//! Services: a plan that a subscriber has, from its start to its end, and whether it is on.
//!
//! Owns `service`, `service_pause`, `service_bond`, `service_term`, `service_term_change` and `service_term_put_off`. Invariants:
//! only the transitions of [`ServiceState::may_become`] happen; each change counts `version` up by one; a user name belongs to one service
//! that is not terminated, whatever its case. When a service is charged and when its paid time is over is for `runs` to say, which
//! knows the invoices; here it is written down.

mod address;
mod create;
pub mod entity;
mod events;
mod pause;
mod queries;
mod rules;
mod save;
mod term;

pub use address::{SetServiceAddress, address_set};
pub use create::{CreateService, check_start, create};
pub use entity::{PendingChange, Service, ServiceState, ServiceStatus, Suspension, SuspensionCause};
pub use events::{
    ServiceActivated, ServiceAddressChanged, ServiceChangeCancelled, ServiceChangePlanned, ServiceEndCancelled,
    ServiceEndPlanned, ServicePauseAsked, ServicePauseCancelled, ServicePlanChanged, ServiceResumed, ServiceSuspended,
    ServiceTerminated, ServiceVersionKept,
};
pub use pause::{Pause, PausesHad, ServicePause, end_pause, note_pause, pauses_had, pauses_of, planned_pause};
pub use queries::{
    ServiceKey, begun, by_ids, count_for_subscriber, find, first_of_each, for_subscriber, get, lock_all, subscribers_of,
    waiting_for_credit,
};
pub use rules::{check_network_password, check_reason};
pub use save::{save, save_all, touch};
pub use term::{ServiceTerm, begin_term, bind, bind_also, extend_term, put_off_term, terms_of};
