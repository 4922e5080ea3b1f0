use async_graphql::{Context, Enum, ID, InputObject, MaybeUndefined, Object};
use trunkline_domain::Result;
use trunkline_domain::dunning::{self, UpdateDunning};
use trunkline_domain::runs::{CancelPromise, CreatePromise};

use crate::graphql::ctx::CtxExt;
use crate::graphql::error::{ApiResult, payload};
use crate::graphql::ids;
use crate::graphql::page::connection;
use crate::graphql::scalars::{Date, DateTime, Decimal, Money, Uuid, patch};
use crate::graphql::subscribers::Subscriber;

/// What this ISP does about invoices that are not paid, beside the late fee, grace and ends of `BillingSettings`.
pub struct DunningSettings(pub dunning::Settings);

impl From<dunning::Settings> for DunningSettings {
    fn from(settings: dunning::Settings) -> Self {
        Self(settings)
    }
}

fn whole(n: u32) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}

/// What this ISP does about invoices that are not paid, beside the late fee, grace and ends of `BillingSettings`.
#[Object]
impl DunningSettings {
    /// The ladder: days from the due date, before it negative, on which an unpaid invoice is reminded of, each once.
    async fn reminders(&self) -> &[i32] {
        &self.0.reminders
    }

    /// How many days ahead payers may promise to pay; null: no promises are taken.
    async fn promise_max_days(&self) -> Option<i32> {
        self.0.promises.max_days.map(whole)
    }

    /// How many promises of one payer may be open at once.
    async fn promise_max_open(&self) -> i32 {
        whole(self.0.promises.max_open)
    }

    /// Whether subscribers may promise for themselves.
    async fn promise_by_subscriber(&self) -> bool {
        self.0.promise_by_subscriber
    }

    /// A run that would switch services of more subscribers off than this percentage of those served is stopped; null: none is.
    async fn brake_share(&self) -> Option<Decimal> {
        self.0.brake.share.map(Decimal)
    }

    /// … but not for fewer subscribers than these.
    async fn brake_least(&self) -> i32 {
        whole(self.0.brake.least)
    }

    /// A run is stopped while so many payments wait for their subscriber; null: none is.
    async fn brake_unmatched(&self) -> Option<i32> {
        self.0.brake.unmatched.map(whole)
    }

    /// Whether prepaid time that runs out counts for the brake, and is held by it.
    async fn brake_prepaid(&self) -> bool {
        self.0.brake_prepaid
    }

    /// Counts changes.
    async fn version(&self) -> i32 {
        self.0.version
    }
}

/// An absent field stays as it is; null clears `promiseMaxDays`, `brakeShare` and `brakeUnmatched`. Counts from the next run.
#[derive(InputObject)]
pub struct DunningSettingsUpdateInput {
    /// The version that was read; another one is STALE_VERSION.
    expected_version: i32,
    /// -60 to 365, each once, at most 20.
    reminders: MaybeUndefined<Vec<i32>>,
    /// 1 to 90; null: no promises are taken.
    promise_max_days: MaybeUndefined<i32>,
    /// 1 to 10.
    promise_max_open: MaybeUndefined<i32>,
    /// Whether subscribers may promise for themselves.
    promise_by_subscriber: MaybeUndefined<bool>,
    /// Percent, more than 0 and at most 100; null: however many.
    brake_share: MaybeUndefined<Decimal>,
    /// From 1.
    brake_least: MaybeUndefined<i32>,
    /// From 1; null: however many.
    brake_unmatched: MaybeUndefined<i32>,
    /// Whether prepaid time that runs out counts and is held.
    brake_prepaid: MaybeUndefined<bool>,
}

impl From<DunningSettingsUpdateInput> for UpdateDunning {
    fn from(input: DunningSettingsUpdateInput) -> Self {
        Self {
            expected_version: input.expected_version,
            reminders: patch(input.reminders, |v| v),
            promise_max_days: patch(input.promise_max_days, |v| v),
            promise_max_open: patch(input.promise_max_open, |v| v),
            promise_by_subscriber: patch(input.promise_by_subscriber, |v| v),
            brake_share: patch(input.brake_share, |v| v.0),
            brake_least: patch(input.brake_least, |v| v),
            brake_unmatched: patch(input.brake_unmatched, |v| v),
            brake_prepaid: patch(input.brake_prepaid, |v| v),
        }
    }
}

payload!(DunningSettingsUpdatePayload {
    settings: DunningSettings
});

/// Where a promise stands.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "dunning::PromiseStatus")]
pub enum PromiseStatus {
    /// Its last day is not over, and something is still due.
    Open,
    /// All of it was paid or credited.
    Kept,
    /// Its last day passed, and something was still due.
    Broken,
    /// Staff took it back.
    Cancelled,
}

/// A payer's word to pay what is due by a day. Until that day is over nothing is switched off for those invoices.
#[derive(Clone)]
pub struct PromiseToPay(pub dunning::Promise);

impl From<dunning::Promise> for PromiseToPay {
    fn from(promise: dunning::Promise) -> Self {
        Self(promise)
    }
}

/// A payer's word to pay what is due by a day. Until that day is over nothing is switched off for those invoices.
#[Object]
impl PromiseToPay {
    /// Names it everywhere.
    async fn id(&self) -> ID {
        ids::out(self.0.id)
    }

    /// Who pays.
    async fn subscriber(&self, ctx: &Context<'_>) -> ApiResult<Option<Subscriber>> {
        let found = ctx.rq().loader().load_one(self.0.subscriber_id).await?;
        Ok(found.map(Subscriber::from))
    }

    /// Where it stands.
    async fn status(&self) -> PromiseStatus {
        self.0.status.into()
    }

    /// Its last day, on the ISP's calendar.
    async fn until(&self) -> Date {
        Date(self.0.until)
    }

    /// What was due when it was made.
    async fn amount(&self) -> ApiResult<Money> {
        Ok(self.0.amount()?.into())
    }

    /// What was said.
    async fn note(&self) -> Option<&str> {
        self.0.note.as_deref()
    }

    /// Whether the subscriber made it itself.
    async fn by_subscriber(&self) -> bool {
        self.0.by_subscriber
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// When it was kept, broken or cancelled; null while it is open.
    async fn ended_at(&self) -> Option<DateTime> {
        self.0.ended_at.map(DateTime)
    }
}

/// What is absent does not restrict the list.
#[derive(InputObject, Default)]
pub struct PromiseToPayFilter {
    /// Who pays.
    pub subscriber_id: Option<ID>,
    /// In this state.
    pub status: Option<PromiseStatus>,
}

connection!(PromiseToPayConnection, PromiseToPayEdge, PromiseToPay);

/// A promise to be taken down.
#[derive(InputObject)]
pub struct PromiseToPayCreateInput {
    /// Who pays. A subscriber's portal login names itself.
    subscriber_id: ID,
    /// The last day; at most `DunningSettings.promiseMaxDays` from today. What is due by then is promised.
    until: Date,
    /// What was said.
    note: Option<String>,
    /// Makes a repeated call answer with the first one's promise.
    idempotency_key: Uuid,
}

impl PromiseToPayCreateInput {
    pub fn command(self) -> Result<CreatePromise> {
        Ok(CreatePromise {
            subscriber_id: ids::input(&self.subscriber_id, "subscriberId")?,
            until: self.until.0,
            note: self.note,
            idempotency_key: self.idempotency_key.0,
        })
    }
}

payload!(PromiseToPayCreatePayload { promise: PromiseToPay });

/// A promise that does not count any more.
#[derive(InputObject)]
pub struct PromiseToPayCancelInput {
    /// Which.
    id: ID,
}

impl PromiseToPayCancelInput {
    pub fn command(self) -> Result<CancelPromise> {
        Ok(CancelPromise {
            id: ids::input(&self.id, "id")?,
        })
    }
}

payload!(PromiseToPayCancelPayload { promise: PromiseToPay });
