use std::collections::HashMap;

use async_graphql::dataloader::Loader;
use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use trunkline_domain::kernel::ids::{NasId, ServiceId, SubscriberId};
use trunkline_domain::radius::{self, SessionFilter, Started};

use crate::graphql::ctx::{CtxExt, Lookup};
use crate::graphql::error::{ApiError, ApiResult};
use crate::graphql::ids;
use crate::graphql::network::Nas;
use crate::graphql::page::connection;
use crate::graphql::scalars::{BigInt, Date, DateRange, DateTime};
use crate::graphql::services::Service;

/// What a service used. Directions are the subscriber's.
#[derive(SimpleObject)]
pub struct Usage {
    /// Octets from the subscriber.
    pub upload_bytes: BigInt,
    /// Octets towards the subscriber.
    pub download_bytes: BigInt,
    /// Of sessions side by side each counts.
    pub session_seconds: BigInt,
    /// Days without use are left out.
    pub daily: Vec<UsageDay>,
}

/// What a service used on one of the tenant's days.
#[derive(SimpleObject)]
pub struct UsageDay {
    /// The day.
    pub date: Date,
    /// Octets from the subscriber.
    pub upload_bytes: BigInt,
    /// Octets towards the subscriber.
    pub download_bytes: BigInt,
}

impl From<radius::Usage> for Usage {
    fn from(usage: radius::Usage) -> Self {
        Self {
            upload_bytes: BigInt(usage.upload_octets),
            download_bytes: BigInt(usage.download_octets),
            session_seconds: BigInt(usage.session_seconds),
            daily: usage.daily.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<radius::UsageDay> for UsageDay {
    fn from(day: radius::UsageDay) -> Self {
        Self {
            date: Date(day.day),
            upload_bytes: BigInt(day.upload_octets),
            download_bytes: BigInt(day.download_octets),
        }
    }
}

/// Asks the loader whether a service is on line; no answer where the viewer may not know.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct OnlineOf {
    pub service: ServiceId,
    pub subscriber: SubscriberId,
}

impl Loader<OnlineOf> for Lookup {
    type Value = bool;
    type Error = ApiError;

    async fn load(&self, keys: &[OnlineOf]) -> Result<HashMap<OnlineOf, bool>, ApiError> {
        let asked: Vec<_> = keys.iter().map(|k| (k.service, k.subscriber)).collect();
        let known = self.0.read(async move |tx| radius::online(tx, &asked).await).await?;
        Ok(keys.iter().filter_map(|k| Some((*k, *known.get(&k.service)?))).collect())
    }
}

/// A session as the router reported it, open or finished. Directions are the subscriber's.
#[derive(Clone)]
pub struct RadiusSession(pub radius::RadiusSession);

impl From<radius::RadiusSession> for RadiusSession {
    fn from(session: radius::RadiusSession) -> Self {
        Self(session)
    }
}

/// A session as the router reported it, open or finished. Directions are the subscriber's.
#[Object]
impl RadiusSession {
    /// Names it everywhere.
    pub async fn id(&self) -> ID {
        ids::out(self.0.id)
    }

    /// Null when the user name is none of this ISP's.
    async fn service(&self, ctx: &Context<'_>) -> ApiResult<Option<Service>> {
        let Some(id) = self.0.service_id else { return Ok(None) };
        Ok(ctx.rq().loader().load_one(id).await?.map(Service))
    }

    /// The user name as it was given.
    async fn username(&self) -> &str {
        &self.0.username
    }

    /// Where it is or was; null when that router is gone.
    async fn nas(&self, ctx: &Context<'_>) -> ApiResult<Option<Nas>> {
        let Some(id) = self.0.nas_id else { return Ok(None) };
        Ok(ctx.rq().loader().load_one(id).await?.map(Nas))
    }

    /// The address that the device was given.
    async fn framed_ip_address(&self) -> Option<&str> {
        self.0.framed_ip_address.as_deref()
    }

    /// The device, most often by its MAC address.
    async fn calling_station_id(&self) -> Option<&str> {
        self.0.calling_station_id.as_deref()
    }

    /// When it began.
    async fn started_at(&self) -> DateTime {
        DateTime(self.0.started_at)
    }

    /// When the router last spoke of it.
    async fn updated_at(&self) -> DateTime {
        DateTime(self.0.updated_at)
    }

    /// When it ended; null while it is open.
    async fn ended_at(&self) -> Option<DateTime> {
        self.0.ended_at.map(DateTime)
    }

    /// Octets from the subscriber.
    async fn upload_bytes(&self) -> BigInt {
        BigInt(self.0.upload_octets)
    }

    /// Octets towards the subscriber.
    async fn download_bytes(&self) -> BigInt {
        BigInt(self.0.download_octets)
    }

    /// Why it ended, in the router's word.
    async fn terminate_cause(&self) -> Option<&str> {
        self.0.terminate_cause.as_deref()
    }
}

connection!(RadiusSessionConnection, RadiusSessionEdge, RadiusSession);

/// What is absent does not restrict the list.
#[derive(InputObject, Default)]
pub struct RadiusSessionFilter {
    /// Of this service.
    service_id: Option<ID>,
    /// At this router.
    nas_id: Option<ID>,
    /// Open ones, or ended ones.
    online: Option<bool>,
    /// Required unless `online` is true.
    started: Option<DateRange>,
}

impl RadiusSessionFilter {
    pub fn domain(self) -> ApiResult<SessionFilter> {
        // Nothing has the nil id: an id of another kind matches no session.
        let service = |id: ID| ids::query(&id).map(|known| known.unwrap_or(ServiceId(uuid::Uuid::nil())));
        let nas = |id: ID| ids::query(&id).map(|known| known.unwrap_or(NasId(uuid::Uuid::nil())));
        Ok(SessionFilter {
            service_id: self.service_id.map(service).transpose()?,
            nas_id: self.nas_id.map(nas).transpose()?,
            online: self.online,
            started: self.started.map(|range| Started {
                from: range.from.0,
                to: range.to.0,
            }),
        })
    }
}
