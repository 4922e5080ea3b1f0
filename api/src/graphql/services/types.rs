use async_graphql::{Context, Enum, ID, Object, SimpleObject};
use trunkline_domain::kernel::ids::ServiceId;
use trunkline_domain::{Error, addons, discounts, radius, runs, services};

use super::pause::{Pause, ServicePause};
use crate::graphql::addons::{OneTimeCharge, ServiceAddon};
use crate::graphql::ctx::{CtxExt, lookup};
use crate::graphql::discounts::ServiceDiscount;
use crate::graphql::error::ApiResult;
use crate::graphql::ids;
use crate::graphql::page::connection;
use crate::graphql::plans::{Plan, PlanVersion};
use crate::graphql::radius::{OnlineOf, Usage};
use crate::graphql::scalars::{Date, DateRange, DateTime, Money};
use crate::graphql::subscribers::{Address, Subscriber};

/// PENDING: not yet on. GRACE: unpaid, still on. SUSPENDED: off, may come back. TERMINATED: over.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "services::ServiceStatus")]
pub enum ServiceStatus {
    /// Not yet on.
    Pending,
    /// On.
    Active,
    /// Unpaid, still on.
    Grace,
    /// Off, may come back.
    Suspended,
    /// Over.
    Terminated,
}

/// A payment lifts ARREARS and EXPIRED by itself, never the others.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "services::SuspensionCause")]
pub enum SuspensionCause {
    /// An invoice is overdue.
    Arrears,
    /// The time that was paid for is over.
    Expired,
    /// Somebody at the ISP did it.
    Staff,
    /// The subscriber asked for it.
    Subscriber,
}

/// Why and since when a service is off.
#[derive(SimpleObject)]
pub struct Suspension {
    /// What switched it off.
    pub cause: SuspensionCause,
    /// Since when.
    pub since: DateTime,
    /// Why, in the words of who did it.
    pub reason: Option<String>,
}

/// The plan that follows, and the first day on which the service has it.
pub struct PendingChange(services::PendingChange);

/// The plan that follows, and the first day on which the service has it.
#[Object]
impl PendingChange {
    /// Which plan it is.
    async fn plan(&self, ctx: &Context<'_>) -> ApiResult<Plan> {
        let found = ctx.rq().loader().load_one(self.0.plan_id).await?;
        Ok(Plan(found.ok_or(Error::Forbidden)?))
    }

    /// The first day of the next period that is not charged yet.
    async fn effective_on(&self) -> Date {
        Date(self.0.effective_on)
    }
}

/// A plan that a subscriber has.
#[derive(Clone)]
pub struct Service(pub services::Service);

impl From<services::Service> for Service {
    fn from(service: services::Service) -> Self {
        Self(service)
    }
}

/// A plan that a subscriber has.
#[Object]
impl Service {
    /// Names it everywhere.
    pub async fn id(&self) -> ID {
        ids::out(self.0.id)
    }

    /// Whose it is.
    async fn subscriber(&self, ctx: &Context<'_>) -> ApiResult<Subscriber> {
        let found = ctx.rq().loader().load_one(self.0.subscriber_id).await?;
        Ok(found.ok_or(Error::Forbidden)?.into())
    }

    /// What is sold under this plan now; the service keeps the price and speed that it has until its next period.
    async fn plan(&self, ctx: &Context<'_>) -> ApiResult<Plan> {
        let found = ctx.rq().loader().load_one(self.0.plan_id).await?;
        Ok(Plan(found.ok_or(Error::Forbidden)?))
    }

    /// The version of the plan by which it is served and charged until its next period.
    async fn plan_version(&self, ctx: &Context<'_>) -> ApiResult<PlanVersion> {
        let found = ctx.rq().loader().load_one(self.0.plan_version_id).await?;
        Ok(PlanVersion(found.ok_or(Error::Forbidden)?))
    }

    /// The version by which the next period is charged that is not charged yet, as far as is known today; null when none is
    /// to come.
    #[graphql(complexity = "5 + child_complexity")]
    async fn next_plan_version(&self, ctx: &Context<'_>) -> ApiResult<Option<PlanVersion>> {
        let id = self.0.id;
        let next = ctx.rq().read(async move |tx| runs::next_version(tx, id).await).await?;
        Ok(next.map(PlanVersion))
    }

    /// Periods that begin before this day are charged by the version that it has, whatever is sold by then; null: by the next.
    async fn version_kept_until(&self) -> Option<Date> {
        self.0.version_kept_until.map(Date)
    }

    /// Whether it is on.
    async fn status(&self) -> ServiceStatus {
        self.0.state.status().into()
    }

    /// Null unless SUSPENDED.
    async fn suspension(&self) -> Option<Suspension> {
        self.0.state.suspension().map(|s| Suspension {
            cause: s.cause.into(),
            since: DateTime(s.since),
            reason: s.reason.clone(),
        })
    }

    /// The pause that it is in, or is to have; null when there is none.
    async fn pause(&self) -> Option<Pause> {
        Pause::of(&self.0)
    }

    /// The pauses that it had, has or is to have, the newest first; at most 100.
    #[graphql(complexity = "5 + 2 * child_complexity")]
    async fn pauses(&self, ctx: &Context<'_>) -> ApiResult<Vec<ServicePause>> {
        let id = self.0.id;
        let all = ctx.rq().read(async move |tx| services::pauses_of(tx, id).await).await?;
        Ok(all.into_iter().map(Into::into).collect())
    }

    /// Null when no other plan is to follow.
    async fn pending_change(&self) -> Option<PendingChange> {
        self.0.pending_change.map(PendingChange)
    }

    /// The first day without service: of one that is over, or whose end is known.
    async fn ends_on(&self) -> Option<Date> {
        self.0.ends_on.map(Date)
    }

    /// RADIUS user name, unique within the tenant regardless of case.
    async fn username(&self) -> Option<&str> {
        self.0.username.as_deref()
    }

    /// Where it is installed; decides the place of supply. Null = the subscriber's address.
    async fn installation_address(&self) -> Option<Address> {
        self.0.installation_address.clone().map(Into::into)
    }

    /// Its first day; null until that is known.
    async fn started_on(&self) -> Option<Date> {
        self.0.started_on.map(Date)
    }

    /// The period being used: from, inclusive.
    async fn period_starts_at(&self) -> Option<DateTime> {
        self.0.period_starts_at.map(DateTime)
    }

    /// … to, exclusive.
    async fn period_ends_at(&self) -> Option<DateTime> {
        self.0.period_ends_at.map(DateTime)
    }

    /// Prepaid: access lasts until then, grace aside.
    async fn paid_until(&self) -> Option<DateTime> {
        self.0.paid_until.map(DateTime)
    }

    /// When it is charged next; null while it is suspended in advance of that.
    async fn next_billing_date(&self) -> Option<Date> {
        self.0.next_billing_on.map(Date)
    }

    /// The add-ons that it has, had or will have, in the order in which it got them.
    #[graphql(complexity = "5 + 2 * child_complexity")]
    async fn addons(&self, ctx: &Context<'_>) -> ApiResult<Vec<ServiceAddon>> {
        let id = self.0.id;
        let all = ctx.rq().read(async move |tx| addons::of_service(tx, id).await).await?;
        Ok(all.into_iter().map(ServiceAddon).collect())
    }

    /// What it is or was charged for once, the newest first; at most 200.
    #[graphql(complexity = "5 + 2 * child_complexity")]
    async fn charges(&self, ctx: &Context<'_>) -> ApiResult<Vec<OneTimeCharge>> {
        let id = self.0.id;
        let all = ctx.rq().read(async move |tx| addons::charges_of(tx, id).await).await?;
        Ok(all.into_iter().map(OneTimeCharge).collect())
    }

    /// What its end would cost on that day, today by default, because its minimum term is not over; null when nothing. Tax is
    /// in it where it is in the plan's price. Nothing is done.
    #[graphql(complexity = "5 + child_complexity")]
    async fn early_end_charge(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first day without service; default: today.")] on: Option<Date>,
    ) -> ApiResult<Option<Money>> {
        let id = self.0.id;
        let day = on.map(|day| day.0);
        let charge = ctx.rq().read(async move |tx| runs::exit_preview(tx, id, day).await).await?;
        Ok(charge.map(Into::into))
    }

    /// The first day on which it may end without a charge, where it is bound to a minimum term.
    #[graphql(complexity = "5")]
    async fn bound_until(&self, ctx: &Context<'_>) -> ApiResult<Option<Date>> {
        let id = self.0.id;
        let until = ctx.rq().read(async move |tx| runs::bound_until(tx, id).await).await?;
        Ok(until.map(Date))
    }

    /// The discounts that it has or had, in the order in which it got them.
    #[graphql(complexity = "5 + 2 * child_complexity")]
    async fn discounts(&self, ctx: &Context<'_>) -> ApiResult<Vec<ServiceDiscount>> {
        let id = self.0.id;
        let all = ctx.rq().read(async move |tx| discounts::of_service(tx, id).await).await?;
        Ok(all.into_iter().map(ServiceDiscount).collect())
    }

    /// Whether it has an open session. Needs `session:read`; a subscriber sees its own.
    async fn online(&self, ctx: &Context<'_>) -> ApiResult<Option<bool>> {
        let key = OnlineOf {
            service: self.0.id,
            subscriber: self.0.subscriber_id,
        };
        let found = ctx.rq().loader().load_one(key).await?;
        Ok(Some(found.ok_or(Error::Forbidden)?))
    }

    /// What it used on these days. Needs `session:read`; a subscriber sees its own.
    #[graphql(complexity = "50 + child_complexity")]
    async fn usage(&self, ctx: &Context<'_>, #[graphql(desc = "Which days.")] range: DateRange) -> ApiResult<Option<Usage>> {
        let service = self.0.clone();
        let usage = ctx
            .rq()
            .read(async move |tx| radius::usage(tx, &service, range.from.0, range.to.0).await)
            .await?;
        Ok(Some(usage.into()))
    }

    /// Counts changes.
    async fn version(&self) -> i32 {
        self.0.version
    }
}

connection!(ServiceConnection, ServiceEdge, Service);
lookup!(ServiceId => services::Service, services::by_ids, |service| service.id);
