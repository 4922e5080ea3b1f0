use async_graphql::{Enum, ID, InputObject, SimpleObject};
use trunkline_domain::Result;
use trunkline_domain::billing::credit_notes;
use trunkline_domain::kernel::ids::ServiceId;
use trunkline_domain::runs::{self, ChangePlan, Changed, KeepVersion, TerminateService};
use trunkline_domain::services;

use super::types::Service;
use crate::graphql::billing::{CreditNote, Invoice};
use crate::graphql::error::{ApiResult, UserError, payload, settle};
use crate::graphql::ids;
use crate::graphql::scalars::{Date, Uuid};

/// When a service gets its other plan.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
pub enum ChangeTiming {
    /// From `effectiveOn` on.
    Now,
    /// When the next period begins that is not charged yet.
    NextPeriod,
}

impl From<ChangeTiming> for runs::ChangeTiming {
    fn from(timing: ChangeTiming) -> Self {
        match timing {
            ChangeTiming::Now => Self::Now,
            ChangeTiming::NextPeriod => Self::NextPeriod,
        }
    }
}

/// A service that is to have another plan.
#[derive(InputObject)]
pub struct ServiceChangePlanInput {
    /// Which.
    id: ID,
    /// The plan that it gets; of those on sale.
    plan_id: ID,
    /// Now, or when the next period begins.
    timing: ChangeTiming,
    /// Only with NOW; default today. That day belongs to the new plan. Not before the period that is being used.
    effective_on: Option<Date>,
    /// Makes a repeated call answer with the first one's result.
    idempotency_key: Uuid,
}

impl ServiceChangePlanInput {
    pub fn command(self) -> Result<ChangePlan> {
        Ok(ChangePlan {
            id: ids::input(&self.id, "id")?,
            plan_id: ids::input(&self.plan_id, "planId")?,
            timing: self.timing.into(),
            effective_on: self.effective_on.map(|day| day.0),
            idempotency_key: self.idempotency_key.0,
        })
    }
}

/// What became of the request: the object, or why not.
#[derive(SimpleObject)]
pub struct ServiceChangePlanPayload {
    /// As it is now; null when refused.
    pub service: Option<Service>,
    /// At the new plan, or over the difference; null when there is none.
    pub invoice: Option<Invoice>,
    /// Over what was charged of the old plan, or the difference; null when there is none.
    pub credit_note: Option<CreditNote>,
    /// Business refusals; empty when it was done.
    pub user_errors: Vec<UserError>,
}

impl ServiceChangePlanPayload {
    pub fn of(result: Result<Changed>) -> ApiResult<Self> {
        let (changed, user_errors) = settle(result)?;
        let (service, invoice, credit_note) = match changed {
            Some(changed) => (Some(changed.service), changed.invoice, changed.credit_note),
            None => (None, None, None),
        };
        Ok(Self {
            service: service.map(Service),
            invoice: invoice.map(Invoice),
            credit_note: credit_note.map(CreditNote),
            user_errors,
        })
    }
}

/// A service of which nothing is planned any more.
#[derive(InputObject)]
pub struct ServiceChangeCancelInput {
    /// Which.
    id: ID,
}

impl ServiceChangeCancelInput {
    pub fn command(self) -> Result<ServiceId> {
        ids::input(&self.id, "id")
    }
}

payload!(ServiceChangeCancelPayload { service: Service });

/// A service whose price is promised for a while.
#[derive(InputObject)]
pub struct ServiceVersionKeepInput {
    /// Which.
    id: ID,
    /// Periods that begin before this day are charged by the version that the service has; null: new versions reach it again
    /// with its next period.
    until: Option<Date>,
}

impl ServiceVersionKeepInput {
    pub fn command(self) -> Result<KeepVersion> {
        Ok(KeepVersion {
            id: ids::input(&self.id, "id")?,
            until: self.until.map(|day| day.0),
        })
    }
}

payload!(ServiceVersionKeepPayload { service: Service });

/// A service that is to end.
#[derive(InputObject)]
pub struct ServiceTerminateInput {
    /// Which.
    id: ID,
    /// Why it ends; stands on its credit note.
    reason: String,
    /// The first day without service; it is not charged. Default: today. On a day to come the service goes on until then.
    effective_on: Option<Date>,
    /// Makes a repeated call answer with the first one's result.
    idempotency_key: Uuid,
}

impl ServiceTerminateInput {
    pub fn command(self) -> Result<TerminateService> {
        Ok(TerminateService {
            id: ids::input(&self.id, "id")?,
            reason: self.reason,
            effective_on: self.effective_on.map(|day| day.0),
            idempotency_key: self.idempotency_key.0,
        })
    }
}

/// What became of the request: the object, or why not.
#[derive(SimpleObject)]
pub struct ServiceTerminatePayload {
    /// As it is now; null when refused.
    pub service: Option<Service>,
    /// Over what was charged and is not given any more; the earliest, if several invoices charged it. Null when there is none.
    pub credit_note: Option<CreditNote>,
    /// Business refusals; empty when it was done.
    pub user_errors: Vec<UserError>,
}

impl ServiceTerminatePayload {
    pub fn of(result: Result<(services::Service, Option<credit_notes::CreditNote>)>) -> ApiResult<Self> {
        let (ended, user_errors) = settle(result)?;
        let (service, credit_note) = ended.unzip();
        Ok(Self {
            service: service.map(Service),
            credit_note: credit_note.flatten().map(CreditNote),
            user_errors,
        })
    }
}
