use async_graphql::{Context, Enum, ID, InputObject, MaybeUndefined, Object, SimpleObject};
use trunkline_domain::kernel::ids::{PlanId, PlanVersionId};
use trunkline_domain::kernel::money;
use trunkline_domain::plans::{self, CreatePlan, Terms, UpdatePlan};
use trunkline_domain::{Error, Result};

use super::terms::MinimumTermInput;
use super::versions::{ExistingServices, PlanVersion};
use crate::graphql::ctx::{CtxExt, lookup};
use crate::graphql::error::{ApiResult, payload};
use crate::graphql::ids;
use crate::graphql::page::connection;
use crate::graphql::scalars::{BigInt, Date, DateTime, Decimal, Money, patch};

/// What sort of plan it is.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "plans::PlanKind")]
pub enum PlanKind {
    /// A line at home or at work.
    Broadband,
    /// Access at a public place.
    Hotspot,
    /// Something beside access.
    Addon,
}

/// PREPAID: access lasts as long as it is paid for. POSTPAID: invoiced, then due.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "plans::PaymentMode")]
pub enum PaymentMode {
    /// Access lasts as long as it is paid for.
    Prepaid,
    /// Invoiced, then due.
    Postpaid,
}

/// Which end of its period a plan is invoiced at.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "plans::BillIn")]
pub enum BillIn {
    /// Before the period.
    Advance,
    /// After the period.
    Arrears,
}

/// What a length of time is counted in.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "plans::IntervalUnit")]
pub enum IntervalUnit {
    /// Sixty minutes.
    Hour,
    /// A day of the ISP's calendar.
    Day,
    /// Seven days.
    Week,
    /// A calendar month.
    Month,
    /// A calendar year.
    Year,
}

/// A length on the tenant's calendar.
#[derive(SimpleObject)]
pub struct Interval {
    /// Hours, days, weeks, months or years.
    pub unit: IntervalUnit,
    /// How many of them.
    pub count: i32,
}

/// A length of time, such as one month.
#[derive(InputObject)]
pub struct IntervalInput {
    /// Hours, days, weeks, months or years.
    pub unit: IntervalUnit,
    /// How many of them.
    pub count: i32,
}

/// What an ISP sells. Price and speed are those of the version that counts today.
#[derive(Clone)]
pub struct Plan(pub plans::Plan);

impl From<plans::Plan> for Plan {
    fn from(plan: plans::Plan) -> Self {
        Self(plan)
    }
}

/// What an ISP sells. Price and speed are those of the version that counts today.
#[Object]
impl Plan {
    /// Names it everywhere.
    pub async fn id(&self) -> ID {
        ids::out(self.0.id)
    }

    /// Short name, unique within the tenant.
    async fn code(&self) -> &str {
        &self.0.code
    }

    /// What subscribers see.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// What sort of plan it is.
    async fn kind(&self) -> PlanKind {
        self.0.kind.into()
    }

    /// Whether access is paid for beforehand.
    async fn payment_mode(&self) -> PaymentMode {
        self.0.payment_mode.into()
    }

    /// Only POSTPAID may be ARREARS.
    async fn bill_in(&self) -> BillIn {
        self.0.bill_in.into()
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

    /// How long one charge lasts.
    async fn period(&self) -> Interval {
        Interval {
            unit: self.0.period_unit.into(),
            count: self.0.period_count,
        }
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

    /// All its versions, in the order in which they begin to count. Needs `plan:read`.
    #[graphql(complexity = "5 + 2 * child_complexity")]
    async fn versions(&self, ctx: &Context<'_>) -> ApiResult<Option<Vec<PlanVersion>>> {
        let id = self.0.id;
        let all = ctx.rq().read(async move |tx| plans::versions(tx, id).await).await?;
        Ok(Some(all.into_iter().map(PlanVersion).collect()))
    }

    /// Since when it is no longer sold; null while it is.
    async fn retired_at(&self) -> Option<DateTime> {
        self.0.retired_at.map(DateTime)
    }

    /// Pass it as `expectedVersion`.
    async fn version(&self) -> i32 {
        self.0.version
    }
}

/// An amount that the database holds with its currency's code.
pub fn money(amount: rust_decimal::Decimal, currency: &str) -> Result<Money> {
    let currency = currency.parse().map_err(Error::internal)?;
    Ok(money::Money::new(amount, currency).map_err(Error::internal)?.into())
}

connection!(PlanConnection, PlanEdge, Plan);
lookup!(PlanId => plans::Plan, plans::by_ids, |plan| plan.id);
lookup!(PlanVersionId => plans::Plan, plans::by_version_ids, |plan| plan.version_id);

/// A new plan.
#[derive(InputObject)]
pub struct PlanCreateInput {
    /// Short name, unique within the tenant.
    code: String,
    /// What subscribers see.
    name: String,
    /// What sort of plan it is.
    #[graphql(default_with = "PlanKind::Broadband")]
    kind: PlanKind,
    /// Whether access is paid for beforehand.
    payment_mode: PaymentMode,
    /// Only POSTPAID may be ARREARS.
    #[graphql(default_with = "BillIn::Advance")]
    bill_in: BillIn,
    /// What one period costs, in the ISP's currency.
    price: Decimal,
    /// Whether `price` already contains tax.
    #[graphql(default = false)]
    tax_inclusive: bool,
    /// HSN/SAC or the local equivalent; null = the template's code for internet access.
    tax_code: Option<String>,
    /// How long one charge lasts.
    period: IntervalInput,
    /// Towards the subscriber, in kbit/s; null = as fast as it goes.
    download_kbps: Option<i32>,
    /// From the subscriber, in kbit/s; null = as fast as it goes.
    upload_kbps: Option<i32>,
    /// Octets per period before the fair-use speed applies; null = unlimited.
    data_cap_bytes: Option<BigInt>,
    /// Towards the subscriber once the data cap is used up.
    fair_use_download_kbps: Option<i32>,
    /// From the subscriber once the data cap is used up.
    fair_use_upload_kbps: Option<i32>,
    /// How many devices may be on line at once with one user name.
    #[graphql(default = 1)]
    simultaneous_sessions: i32,
    /// The first days of a new service are free; its first period begins after them. Default: none.
    trial_days: Option<i32>,
    /// How long a new service is to last; default: as long as one likes.
    minimum_term: Option<MinimumTermInput>,
}

impl From<PlanCreateInput> for CreatePlan {
    fn from(input: PlanCreateInput) -> Self {
        Self {
            code: input.code,
            name: input.name,
            kind: input.kind.into(),
            payment_mode: input.payment_mode.into(),
            bill_in: input.bill_in.into(),
            period_unit: input.period.unit.into(),
            period_count: input.period.count,
            terms: Terms {
                price: input.price.0,
                tax_inclusive: input.tax_inclusive,
                tax_code: input.tax_code,
                download_kbps: input.download_kbps,
                upload_kbps: input.upload_kbps,
                data_cap_bytes: input.data_cap_bytes.map(|b| b.0),
                fair_use_download_kbps: input.fair_use_download_kbps,
                fair_use_upload_kbps: input.fair_use_upload_kbps,
                simultaneous_sessions: input.simultaneous_sessions,
                trial_days: input.trial_days,
                minimum_term: input.minimum_term.map(Into::into),
            },
        }
    }
}

/// A new price or speed makes a new version; running services keep theirs until their next period, or longer.
#[derive(InputObject)]
pub struct PlanUpdateInput {
    /// Which plan.
    id: ID,
    /// The `version` that you saw; another one is STALE_VERSION.
    expected_version: i32,
    /// What subscribers see.
    name: MaybeUndefined<String>,
    /// What one period costs, in the ISP's currency.
    price: MaybeUndefined<Decimal>,
    /// Whether `price` already contains tax.
    tax_inclusive: MaybeUndefined<bool>,
    /// HSN/SAC or the local equivalent; null = the template's code for internet access.
    tax_code: MaybeUndefined<String>,
    /// Towards the subscriber, in kbit/s; null = as fast as it goes.
    download_kbps: MaybeUndefined<i32>,
    /// From the subscriber, in kbit/s; null = as fast as it goes.
    upload_kbps: MaybeUndefined<i32>,
    /// Octets per period before the fair-use speed applies; null = unlimited.
    data_cap_bytes: MaybeUndefined<BigInt>,
    /// Towards the subscriber once the data cap is used up.
    fair_use_download_kbps: MaybeUndefined<i32>,
    /// From the subscriber once the data cap is used up.
    fair_use_upload_kbps: MaybeUndefined<i32>,
    /// How many devices may be on line at once with one user name.
    simultaneous_sessions: MaybeUndefined<i32>,
    /// The first days of a new service are free; null = none.
    trial_days: MaybeUndefined<i32>,
    /// How long a new service is to last; null = as long as one likes.
    minimum_term: MaybeUndefined<MinimumTermInput>,
    /// The first day on which the new price or speed counts; default: today. Not before today. What is not mentioned here is
    /// as it will be on that day.
    effective_from: Option<Date>,
    /// What becomes of the services that have the plan.
    #[graphql(default_with = "ExistingServices::MoveAtNextPeriod")]
    existing_services: ExistingServices,
}

impl PlanUpdateInput {
    pub fn command(self) -> Result<UpdatePlan> {
        Ok(UpdatePlan {
            id: ids::input(&self.id, "id")?,
            expected_version: self.expected_version,
            name: patch(self.name, |v| v),
            price: patch(self.price, |v| v.0),
            tax_inclusive: patch(self.tax_inclusive, |v| v),
            tax_code: patch(self.tax_code, |v| v),
            download_kbps: patch(self.download_kbps, |v| v),
            upload_kbps: patch(self.upload_kbps, |v| v),
            data_cap_bytes: patch(self.data_cap_bytes, |v| v.0),
            fair_use_download_kbps: patch(self.fair_use_download_kbps, |v| v),
            fair_use_upload_kbps: patch(self.fair_use_upload_kbps, |v| v),
            simultaneous_sessions: patch(self.simultaneous_sessions, |v| v),
            trial_days: patch(self.trial_days, |v| v),
            minimum_term: patch(self.minimum_term, Into::into),
            effective_on: self.effective_from.map(|day| day.0),
            existing_services: self.existing_services.into(),
        })
    }
}

/// A plan that is no longer sold; services keep it.
#[derive(InputObject)]
pub struct PlanRetireInput {
    /// Which.
    pub id: ID,
}

payload!(PlanCreatePayload { plan: Plan });
payload!(PlanUpdatePayload { plan: Plan });
payload!(PlanRetirePayload { plan: Plan });
