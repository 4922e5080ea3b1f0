use async_graphql::{ID, InputObject, SimpleObject};
use trunkline_domain::Result;
use trunkline_domain::runs::{PauseService, UnpauseService};
use trunkline_domain::services;

use super::types::Service;
use crate::graphql::error::payload;
use crate::graphql::ids;
use crate::graphql::scalars::{Date, DateTime, Uuid};

/// The pause that a service is in, or is to have: it is off because its subscriber wants that.
#[derive(SimpleObject)]
pub struct Pause {
    /// The first day without service.
    pub starts_on: Date,
    /// The day on which it goes on by itself; null: when somebody says so.
    pub ends_on: Option<Date>,
    /// Whether the service is off for it now; false: it is to come.
    pub has_begun: bool,
}

impl Pause {
    pub fn of(service: &services::Service) -> Option<Self> {
        service.pause.map(|pause| Self {
            starts_on: Date(pause.starts_on),
            ends_on: pause.ends_on.map(Date),
            has_begun: service.state.cause() == Some(services::SuspensionCause::Subscriber),
        })
    }
}

/// A pause that a service had, has or is to have.
#[derive(SimpleObject)]
pub struct ServicePause {
    /// The first day without service.
    pub starts_on: Date,
    /// The day on which it goes or went on; its first day where it never came; null: not known.
    pub ends_on: Option<Date>,
    /// It is over, or was taken back.
    pub ended: bool,
    /// Whether the subscriber asked for it here, not staff.
    pub by_subscriber: bool,
    /// Why, in the words of who asked for it.
    pub reason: Option<String>,
    /// When it was asked for.
    pub created_at: DateTime,
}

impl From<services::ServicePause> for ServicePause {
    fn from(pause: services::ServicePause) -> Self {
        Self {
            starts_on: Date(pause.starts_on),
            ends_on: pause.ends_on.map(Date),
            ended: pause.ended,
            by_subscriber: pause.by_subscriber,
            reason: pause.reason,
            created_at: DateTime(pause.created_at),
        }
    }
}

/// A service that is to be off for some days because its subscriber wants that.
#[derive(InputObject)]
pub struct ServicePauseInput {
    /// Which.
    id: ID,
    /// The first day without service; default: at once, today then being a day of service still. Within a year.
    starts_on: Option<Date>,
    /// The day on which it goes on by itself, at most a year later. Default: when somebody says so, or when
    /// `BillingSettings` let a subscriber's pause last no longer.
    ends_on: Option<Date>,
    /// Why.
    reason: Option<String>,
    /// Makes a repeated call answer with the first one's result.
    idempotency_key: Uuid,
}

impl ServicePauseInput {
    pub fn command(self) -> Result<PauseService> {
        Ok(PauseService {
            id: ids::input(&self.id, "id")?,
            starts_on: self.starts_on.map(|day| day.0),
            ends_on: self.ends_on.map(|day| day.0),
            reason: self.reason,
            idempotency_key: self.idempotency_key.0,
        })
    }
}

/// A service whose pause is to be over, or is not to come.
#[derive(InputObject)]
pub struct ServiceUnpauseInput {
    /// Which.
    id: ID,
    /// Makes a repeated call answer with the first one's result.
    idempotency_key: Uuid,
}

impl ServiceUnpauseInput {
    pub fn command(self) -> Result<UnpauseService> {
        Ok(UnpauseService {
            id: ids::input(&self.id, "id")?,
            idempotency_key: self.idempotency_key.0,
        })
    }
}

payload!(ServicePausePayload { service: Service });
payload!(ServiceUnpausePayload { service: Service });
