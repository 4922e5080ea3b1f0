use async_graphql::{ID, InputObject, SimpleObject};
use trunkline_domain::Result;
use trunkline_domain::kernel::ids::SubscriberId;
use trunkline_domain::runs::{ActivateService, ResumeService, ServiceOrder, SetServicePassword, SuspendService};
use trunkline_domain::services::{self, CreateService, SetServiceAddress};

use super::types::Service;
use crate::graphql::addons::OrderedAddonInput;
use crate::graphql::billing::Invoice;
use crate::graphql::error::{ApiResult, UserError, payload, settle};
use crate::graphql::ids;
use crate::graphql::scalars::{Date, Uuid};
use crate::graphql::subscribers::AddressInput;

/// A plan for a subscriber.
#[derive(InputObject)]
pub struct ServiceCreateInput {
    /// Whose it is.
    subscriber_id: ID,
    /// What is bought.
    plan_id: ID,
    /// Null for a plan without network access.
    username: Option<String>,
    /// The network password.
    password: Option<String>,
    /// Where it is installed; decides the place of supply. Default: the subscriber's address.
    installation_address: Option<AddressInput>,
    /// Default: today in the tenant's time zone.
    starts_on: Option<Date>,
    /// Invoices the first period if it is billed in advance; on line at once or on payment, as `BillingSettings.activation`
    /// says.
    #[graphql(default = true)]
    activate: bool,
    /// What goes with it from its first day on, and what is charged once with its first invoice.
    #[graphql(default)]
    addons: Vec<OrderedAddonInput>,
    /// The code of a coupon, which gives a discount from the first charge on.
    coupon_code: Option<String>,
    /// Makes a repeated call answer with the first one's service.
    idempotency_key: Uuid,
}

impl ServiceCreateInput {
    pub fn command(self) -> Result<ServiceOrder> {
        Ok(ServiceOrder {
            service: CreateService {
                subscriber_id: ids::input::<SubscriberId>(&self.subscriber_id, "subscriberId")?,
                plan_id: ids::input(&self.plan_id, "planId")?,
                username: self.username,
                password: self.password,
                installation_address: self.installation_address.map(Into::into),
                starts_on: self.starts_on.map(|d| d.0),
            },
            activate: self.activate,
            addons: OrderedAddonInput::commands(self.addons)?,
            coupon_code: self.coupon_code,
            idempotency_key: self.idempotency_key.0,
        })
    }
}

/// A service that is to begin.
#[derive(InputObject)]
pub struct ServiceActivateInput {
    /// Which.
    id: ID,
    /// Default: the day that was agreed, if that is still to come, else today.
    starts_on: Option<Date>,
    /// Makes a repeated call answer with the first one's result.
    idempotency_key: Uuid,
}

impl ServiceActivateInput {
    pub fn command(self) -> Result<ActivateService> {
        Ok(ActivateService {
            id: ids::input(&self.id, "id")?,
            starts_on: self.starts_on.map(|d| d.0),
            idempotency_key: self.idempotency_key.0,
        })
    }
}

/// A service that is switched off until you say otherwise.
#[derive(InputObject)]
pub struct ServiceSuspendInput {
    /// Which.
    id: ID,
    /// Why, for your colleagues.
    reason: String,
    /// Makes a repeated call answer with the first one's result.
    idempotency_key: Uuid,
}

impl ServiceSuspendInput {
    pub fn command(self) -> Result<SuspendService> {
        Ok(SuspendService {
            id: ids::input(&self.id, "id")?,
            reason: self.reason,
            idempotency_key: self.idempotency_key.0,
        })
    }
}

/// A service that goes on again.
#[derive(InputObject)]
pub struct ServiceResumeInput {
    /// Which.
    id: ID,
    /// Makes a repeated call answer with the first one's result.
    idempotency_key: Uuid,
}

impl ServiceResumeInput {
    pub fn command(self) -> Result<ResumeService> {
        Ok(ResumeService {
            id: ids::input(&self.id, "id")?,
            idempotency_key: self.idempotency_key.0,
        })
    }
}

/// The network password.
#[derive(InputObject)]
pub struct ServicePasswordSetInput {
    /// Which service.
    id: ID,
    /// The new network password.
    password: String,
}

impl ServicePasswordSetInput {
    pub fn command(self) -> Result<SetServicePassword> {
        Ok(SetServicePassword {
            id: ids::input(&self.id, "id")?,
            password: self.password,
        })
    }
}

/// Where a service is installed from now on.
#[derive(InputObject)]
pub struct ServiceAddressSetInput {
    /// Which service.
    id: ID,
    /// Its country and region decide the place of supply of what is charged from now on; null: the subscriber's own address counts.
    installation_address: Option<AddressInput>,
}

impl ServiceAddressSetInput {
    pub fn command(self) -> Result<SetServiceAddress> {
        Ok(SetServiceAddress {
            id: ids::input(&self.id, "id")?,
            installation_address: self.installation_address.map(Into::into),
        })
    }
}

/// Declares a payload with a service and the invoice of its first period.
macro_rules! with_invoice {
    ($name:ident) => {
        /// What became of the request: the service, or why not.
        #[derive(SimpleObject)]
        pub struct $name {
            /// As it is now; null when refused.
            pub service: Option<Service>,
            /// Of the first period; null when nothing is due in advance.
            pub invoice: Option<Invoice>,
            /// Business refusals; empty when it was done.
            pub user_errors: Vec<UserError>,
        }

        impl $name {
            pub fn of(result: Result<(services::Service, Option<trunkline_domain::billing::Invoice>)>) -> ApiResult<Self> {
                let (made, user_errors) = settle(result)?;
                let (service, invoice) = made.unzip();
                Ok(Self {
                    service: service.map(Service),
                    invoice: invoice.flatten().map(Invoice),
                    user_errors,
                })
            }
        }
    };
}

with_invoice!(ServiceCreatePayload);
with_invoice!(ServiceActivatePayload);
payload!(ServiceSuspendPayload { service: Service });
payload!(ServiceResumePayload { service: Service });
payload!(ServicePasswordSetPayload { service: Service });
payload!(ServiceAddressSetPayload { service: Service });
