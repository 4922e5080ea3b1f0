use async_graphql::{Context, Enum, ID, InputObject, Object};
use trunkline_domain::Result;
use trunkline_domain::dunning::{self, CreateHold};
use trunkline_domain::kernel::ids::{BrakeId, CollectionHoldId};
use trunkline_domain::runs;

use crate::graphql::billing::Invoice;
use crate::graphql::ctx::CtxExt;
use crate::graphql::error::{ApiResult, payload};
use crate::graphql::ids;
use crate::graphql::page::connection;
use crate::graphql::scalars::{Date, DateTime, Money, Uuid};
use crate::graphql::services::Service;
use crate::graphql::services::types::SuspensionCause;
use crate::graphql::subscribers::Subscriber;

fn whole(n: u32) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}

/// Why a run is stopped.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "dunning::BrakeReason")]
pub enum DunningBrakeReason {
    /// It would switch services of more subscribers off than the set share.
    TooMany,
    /// Payments wait for somebody to say whose they are.
    UnmatchedPayments,
    /// A collection hold is in force.
    CollectionHold,
}

/// A run that was stopped: nobody who is served is switched off for arrears, and nothing ends for them.
#[derive(Clone)]
pub struct DunningBrake(pub dunning::Brake);

impl From<dunning::Brake> for DunningBrake {
    fn from(brake: dunning::Brake) -> Self {
        Self(brake)
    }
}

/// A run that was stopped: nobody who is served is switched off for arrears, and nothing ends for them.
#[Object]
impl DunningBrake {
    /// Names it everywhere.
    async fn id(&self) -> ID {
        ids::out(self.0.id)
    }

    /// Why, as of the last look.
    async fn reasons(&self) -> Vec<DunningBrakeReason> {
        self.0.reasons.iter().map(|r| (*r).into()).collect()
    }

    /// Services that would have been switched off.
    async fn suspensions(&self) -> i32 {
        self.0.suspensions
    }

    /// How many subscribers have them.
    async fn subscribers(&self) -> i32 {
        self.0.subscribers
    }

    /// Services that would have ended.
    async fn terminations(&self) -> i32 {
        self.0.terminations
    }

    /// Subscribers who were served, and those of whom something was to be ended.
    async fn of_subscribers(&self) -> i32 {
        self.0.of_subscribers
    }

    /// Payments that waited for their subscriber.
    async fn unmatched_payments(&self) -> i32 {
        self.0.unmatched
    }

    /// The first date whose run it stopped.
    async fn first_on(&self) -> Date {
        Date(self.0.first_on)
    }

    /// … and the last.
    async fn last_on(&self) -> Date {
        Date(self.0.last_on)
    }

    /// Until when it counts unless another run looks again.
    async fn until(&self) -> DateTime {
        DateTime(self.0.until)
    }

    /// When the run was stopped.
    async fn braked_at(&self) -> DateTime {
        DateTime(self.0.braked_at)
    }

    /// When it had no reason any more, or was released; null while it counts.
    async fn ended_at(&self) -> Option<DateTime> {
        self.0.ended_at.map(DateTime)
    }

    /// The date whose run staff let go on.
    async fn released_on(&self) -> Option<Date> {
        self.0.released_on.map(Date)
    }

    /// Why they did.
    async fn release_reason(&self) -> Option<&str> {
        self.0.release_reason.as_deref()
    }
}

connection!(DunningBrakeConnection, DunningBrakeEdge, DunningBrake);

/// A stopped run that is to go on.
#[derive(InputObject)]
pub struct DunningBrakeReleaseInput {
    /// Which.
    id: ID,
    /// Why; kept with it.
    reason: String,
}

impl DunningBrakeReleaseInput {
    pub fn command(self) -> Result<(BrakeId, String)> {
        Ok((ids::input(&self.id, "id")?, self.reason))
    }
}

payload!(DunningBrakeReleasePayload { brake: DunningBrake });

/// A time in which nobody is switched off for want of money, for some way to pay is down.
#[derive(Clone)]
pub struct CollectionHold(pub dunning::CollectionHold);

impl From<dunning::CollectionHold> for CollectionHold {
    fn from(hold: dunning::CollectionHold) -> Self {
        Self(hold)
    }
}

/// A time in which nobody is switched off for want of money, for some way to pay is down.
#[Object]
impl CollectionHold {
    /// Names it everywhere.
    async fn id(&self) -> ID {
        ids::out(self.0.id)
    }

    /// The gateway that is down, if one is.
    async fn gateway(&self) -> Option<&str> {
        self.0.gateway.as_deref()
    }

    /// Why.
    async fn reason(&self) -> &str {
        &self.0.reason
    }

    /// Whether prepaid time of days or longer does not run out either.
    async fn prepaid(&self) -> bool {
        self.0.prepaid
    }

    /// When it ends by itself.
    async fn until(&self) -> DateTime {
        DateTime(self.0.until)
    }

    /// Since when.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// When staff took it back; null: they did not.
    async fn ended_at(&self) -> Option<DateTime> {
        self.0.ended_at.map(DateTime)
    }
}

/// A hold from now on. Who is off already stays off.
#[derive(InputObject)]
pub struct CollectionHoldCreateInput {
    /// Why.
    reason: String,
    /// The gateway that is down, if one is.
    gateway: Option<String>,
    /// When it ends by itself; within 31 days.
    until: DateTime,
    /// Whether prepaid time of days or longer does not run out either.
    #[graphql(default = true)]
    prepaid: bool,
    /// Makes a repeated call answer with the first one's hold.
    idempotency_key: Uuid,
}

impl From<CollectionHoldCreateInput> for CreateHold {
    fn from(input: CollectionHoldCreateInput) -> Self {
        Self {
            reason: input.reason,
            gateway: input.gateway,
            until: input.until.0,
            prepaid: input.prepaid,
            idempotency_key: input.idempotency_key.0,
        }
    }
}

payload!(CollectionHoldCreatePayload { hold: CollectionHold });

/// A hold that is to end now.
#[derive(InputObject)]
pub struct CollectionHoldReleaseInput {
    /// Which.
    id: ID,
}

impl CollectionHoldReleaseInput {
    pub fn command(self) -> Result<CollectionHoldId> {
        ids::input(&self.id, "id")
    }
}

payload!(CollectionHoldReleasePayload { hold: CollectionHold });

/// What a run does to a service that is not paid for.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "runs::CutKind")]
pub enum CutKind {
    /// It goes off until it is paid for.
    Suspend,
    /// It ends.
    Terminate,
}

/// A service that a run would cut, and why.
#[derive(Clone)]
pub struct Cut(pub runs::Cut);

impl From<runs::Cut> for Cut {
    fn from(cut: runs::Cut) -> Self {
        Self(cut)
    }
}

/// A service that a run would cut, and why.
#[Object]
impl Cut {
    /// Which.
    async fn service(&self, ctx: &Context<'_>) -> ApiResult<Option<Service>> {
        Ok(ctx.rq().loader().load_one(self.0.service_id).await?.map(Service))
    }

    /// Who uses it.
    async fn subscriber(&self, ctx: &Context<'_>) -> ApiResult<Option<Subscriber>> {
        let found = ctx.rq().loader().load_one(self.0.subscriber_id).await?;
        Ok(found.map(Subscriber::from))
    }

    /// What would be done to it.
    async fn kind(&self) -> CutKind {
        self.0.kind.into()
    }

    /// ARREARS: an invoice is not paid. EXPIRED: its prepaid time is over.
    async fn cause(&self) -> SuspensionCause {
        self.0.cause.into()
    }

    /// The oldest open invoice over its time; null where time is over that nothing was charged after.
    async fn invoice(&self, ctx: &Context<'_>) -> ApiResult<Option<Invoice>> {
        let Some(id) = self.0.invoice_id else { return Ok(None) };
        Ok(ctx.rq().loader().load_one(id).await?.map(Invoice))
    }

    /// When that was to be paid.
    async fn due_on(&self) -> Option<Date> {
        self.0.due_on.map(Date)
    }

    /// What is due on it.
    async fn amount_due(&self) -> Option<Money> {
        self.0.amount_due.map(Into::into)
    }

    /// Days since the due date, or since the paid time ended.
    async fn days_overdue(&self) -> i32 {
        i32::try_from(self.0.days_overdue).unwrap_or(i32::MAX)
    }
}

connection!(CutConnection, CutEdge, Cut);

/// A run before it has happened. Nothing is written.
pub struct DunningPreview(pub runs::Preview);

/// A run before it has happened. Nothing is written.
#[Object]
impl DunningPreview {
    /// Of which date.
    async fn date(&self) -> Date {
        Date(self.0.date)
    }

    /// Services that it would switch off, as the brake counts them: prepaid ones only where `DunningSettings.brakePrepaid`.
    async fn suspensions(&self) -> i32 {
        whole(self.0.outlook.suspensions)
    }

    /// How many subscribers have them.
    async fn subscribers(&self) -> i32 {
        whole(self.0.outlook.subscribers)
    }

    /// Services that it would end.
    async fn terminations(&self) -> i32 {
        whole(self.0.outlook.terminations)
    }

    /// Subscribers who are served, and those of whom something would be ended.
    async fn of_subscribers(&self) -> i32 {
        whole(self.0.outlook.of_subscribers)
    }

    /// Payments that wait for their subscriber.
    async fn unmatched_payments(&self) -> i32 {
        whole(self.0.outlook.unmatched)
    }

    /// Why it would be stopped; empty: it would not.
    async fn brake(&self) -> Vec<DunningBrakeReason> {
        self.0.reasons.iter().map(|r| (*r).into()).collect()
    }

    /// All whom it would cut if nothing stopped it, prepaid ones included, in the order of their services' creation.
    async fn cuts(&self, ctx: &Context<'_>) -> CutConnection {
        CutConnection::of(ctx, self.0.cuts.clone(), Some(self.0.all), |c| c.service_id)
    }
}
