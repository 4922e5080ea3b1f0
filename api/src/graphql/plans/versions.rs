use async_graphql::{Enum, ID, InputObject, Object};
use trunkline_domain::plans;

use super::terms::MinimumTerm;
use super::types::{Plan, money};
use crate::graphql::error::{ApiResult, payload};
use crate::graphql::ids;
use crate::graphql::scalars::{BigInt, Date, DateTime, Money};

/// What becomes of the services that have a plan when a new version of it begins to count.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "plans::ExistingServices")]
pub enum ExistingServices {
    /// They get it with their next period.
    MoveAtNextPeriod,
    /// They keep the version that they have; only who buys the plan from then on gets the new one.
    KeepVersion,
}

/// What a plan costs and gives, from a day on.
#[derive(Clone)]
pub struct PlanVersion(pub plans::Plan);

/// What a plan costs and gives, from a day on.
#[Object]
impl PlanVersion {
    /// Names it everywhere.
    async fn id(&self) -> ID {
        ids::out(self.0.version_id)
    }

    /// Counts the versions of the plan in the order in which they were made.
    async fn number(&self) -> i32 {
        self.0.version_number
    }

    /// The first day on which it counts; null = from the beginning. Of several that count, that with the latest day is sold.
    async fn effective_from(&self) -> Option<Date> {
        self.0.effective_on.map(Date)
    }

    /// Whether services that have the plan when it begins to count keep the version that they have.
    async fn existing_services(&self) -> ExistingServices {
        match self.0.new_services_only {
            true => ExistingServices::KeepVersion,
            false => ExistingServices::MoveAtNextPeriod,
        }
    }

    /// Since when it is taken back; null when it is not.
    async fn withdrawn_at(&self) -> Option<DateTime> {
        self.0.withdrawn_at.map(DateTime)
    }

    /// What one period costs.
    async fn price(&self) -> ApiResult<Money> {
        Ok(money(self.0.price, &self.0.currency)?)
    }

    /// Whether `price` already contains tax.
    async fn tax_inclusive(&self) -> bool {
        self.0.tax_inclusive
    }

    /// HSN/SAC or the local equivalent; null = the template's code for internet access.
    async fn tax_code(&self) -> Option<&str> {
        self.0.tax_code.as_deref()
    }

    /// Towards the subscriber, in kbit/s; null = as fast as it goes.
    async fn download_kbps(&self) -> Option<i32> {
        self.0.download_kbps
    }

    /// From the subscriber, in kbit/s; null = as fast as it goes.
    async fn upload_kbps(&self) -> Option<i32> {
        self.0.upload_kbps
    }

    /// Octets per period before the fair-use speed applies; null = unlimited.
    async fn data_cap_bytes(&self) -> Option<BigInt> {
        self.0.data_cap_bytes.map(BigInt)
    }

    /// Towards the subscriber once the data cap is used up.
    async fn fair_use_download_kbps(&self) -> Option<i32> {
        self.0.fair_use_download_kbps
    }

    /// From the subscriber once the data cap is used up.
    async fn fair_use_upload_kbps(&self) -> Option<i32> {
        self.0.fair_use_upload_kbps
    }

    /// How many devices may be on line at once with one user name.
    async fn simultaneous_sessions(&self) -> i32 {
        self.0.simultaneous_sessions
    }

    /// The first days of a new service are free; null = none.
    async fn trial_days(&self) -> Option<i32> {
        self.0.trial_days
    }

    /// How long a new service is to last; null = as long as one likes.
    async fn minimum_term(&self) -> Option<MinimumTerm> {
        self.0.minimum_term().map(Into::into)
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.version_created_at)
    }
}

/// A version of a plan that is not to count after all.
#[derive(InputObject)]
pub struct PlanVersionWithdrawInput {
    /// Which version; one whose day has not come.
    pub id: ID,
}

payload!(PlanVersionWithdrawPayload { plan: Plan });
