//! What a change of a service would cost: as the mutation of that name, with nothing done.

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};
use trunkline_domain::billing::{self, Document};
use trunkline_domain::kernel::error::ErrorCode;
use trunkline_domain::runs::{self, Change, Estimate};
use trunkline_domain::{Error, Result, services};

use super::change::ChangeTiming;
use super::types::ServiceStatus;
use crate::graphql::addons::OrderedAddonInput;
use crate::graphql::billing::TaxAmount;
use crate::graphql::ctx::CtxExt;
use crate::graphql::error::{ApiResult, UserError, settle};
use crate::graphql::ids;
use crate::graphql::scalars::{Date, DateTime, Decimal, Json, Money};
use crate::graphql::subscribers::AddressInput;

#[derive(Default)]
pub struct PreviewQuery;

#[Object]
impl PreviewQuery {
    /// What the first invoice of a new service would be, as `serviceCreate` with `activate`.
    #[graphql(complexity = "200 + child_complexity")]
    async fn service_create_preview(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What would be ordered.")] input: ServiceCreatePreviewInput,
    ) -> ApiResult<Option<CostPreview>> {
        let (Some(subscriber_id), Some(plan_id)) = (ids::query(&input.subscriber_id)?, ids::query(&input.plan_id)?) else {
            return Ok(None);
        };
        let change = Change::Create {
            subscriber_id,
            plan_id,
            installation_address: input.installation_address.map(Into::into),
            addons: OrderedAddonInput::commands(input.addons)?,
            coupon_code: input.coupon_code,
        };
        preview(ctx, input.starts_on, change).await
    }

    /// What another plan would cost, as `serviceChangePlan`. At the next period nothing is charged before it begins.
    #[graphql(complexity = "200 + child_complexity")]
    async fn service_change_plan_preview(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which.")] id: ID,
        #[graphql(desc = "The plan that it would get; of those on sale.")] plan_id: ID,
        #[graphql(desc = "Now, or when the next period begins.")] timing: ChangeTiming,
        #[graphql(desc = "On which day; default: today.")] on: Option<Date>,
    ) -> ApiResult<Option<CostPreview>> {
        let (Some(id), Some(plan_id)) = (ids::query(&id)?, ids::query(&plan_id)?) else {
            return Ok(None);
        };
        let timing = timing.into();
        preview(ctx, on, Change::ChangePlan { id, plan_id, timing }).await
    }

    /// What ending a service would give back or cost, as `serviceTerminate`. For a day to come: with all that is invoiced until
    /// then, the last period by its days, if nobody pays meanwhile.
    #[graphql(complexity = "200 + child_complexity")]
    async fn service_terminate_preview(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which.")] id: ID,
        #[graphql(desc = "The first day without service; default: today.")] on: Option<Date>,
    ) -> ApiResult<Option<CostPreview>> {
        let Some(id) = ids::query(&id)? else { return Ok(None) };
        preview(ctx, on, Change::Terminate { id }).await
    }

    /// What some days without service would give back, as `serviceSuspend` and then `serviceResume`.
    #[graphql(complexity = "200 + child_complexity")]
    async fn service_suspend_preview(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which.")] id: ID,
        #[graphql(desc = "The first day without service; default: today.")] on: Option<Date>,
        #[graphql(desc = "The day on which it would go on again.")] until: Date,
    ) -> ApiResult<Option<CostPreview>> {
        let Some(id) = ids::query(&id)? else { return Ok(None) };
        preview(ctx, on, Change::Suspend { id, until: until.0 }).await
    }

    /// What lifting a suspension would give back or cost, as `serviceResume`.
    #[graphql(complexity = "200 + child_complexity")]
    async fn service_resume_preview(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which.")] id: ID,
        #[graphql(desc = "On which day; default: today.")] on: Option<Date>,
    ) -> ApiResult<Option<CostPreview>> {
        let Some(id) = ids::query(&id)? else { return Ok(None) };
        preview(ctx, on, Change::Resume { id }).await
    }

    /// What an add-on would cost for the time that is charged already, as `serviceAddonAdd`; later periods are charged with the
    /// service's own.
    #[graphql(complexity = "200 + child_complexity")]
    async fn service_addon_add_preview(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What would be added.")] input: ServiceAddonAddPreviewInput,
        #[graphql(desc = "The first day with it; default: today.")] on: Option<Date>,
    ) -> ApiResult<Option<CostPreview>> {
        let (Some(service_id), Some(addon_id)) = (ids::query(&input.service_id)?, ids::query(&input.addon_id)?) else {
            return Ok(None);
        };
        let change = Change::AddAddon {
            service_id,
            addon_id,
            quantity: input.quantity,
            unit_price: input.unit_price.map(|p| p.0),
            ends_on: input.ends_on.map(|d| d.0),
        };
        preview(ctx, on, change).await
    }

    /// What ending an add-on would give back, as `serviceAddonEnd`.
    #[graphql(complexity = "200 + child_complexity")]
    async fn service_addon_end_preview(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which add-on of which service.")] id: ID,
        #[graphql(desc = "The first day without it; default: today.")] on: Option<Date>,
    ) -> ApiResult<Option<CostPreview>> {
        let Some(id) = ids::query(&id)? else { return Ok(None) };
        preview(ctx, on, Change::EndAddon { id }).await
    }

    /// What charging a service for something once would come to, as `serviceChargeAdd` at once.
    #[graphql(complexity = "200 + child_complexity")]
    async fn service_charge_add_preview(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What would be charged.")] input: ServiceChargeAddPreviewInput,
        #[graphql(desc = "On which day; default: today.")] on: Option<Date>,
    ) -> ApiResult<Option<CostPreview>> {
        let Some(service_id) = ids::query(&input.service_id)? else {
            return Ok(None);
        };
        let addon_id = match &input.addon_id {
            None => None,
            Some(id) => match ids::query(id)? {
                None => return Ok(None),
                known => known,
            },
        };
        let change = Change::AddCharge {
            service_id,
            addon_id,
            description: input.description,
            quantity: input.quantity,
            unit_price: input.unit_price.map(|p| p.0),
            tax_inclusive: input.tax_inclusive,
            tax_code: input.tax_code,
        };
        preview(ctx, on, change).await
    }
}

/// An add-on that a service may get or not: as `ServiceAddonAddInput`.
#[derive(InputObject)]
pub struct ServiceAddonAddPreviewInput {
    /// Which service.
    service_id: ID,
    /// What it would get; charged PER_PERIOD.
    addon_id: ID,
    /// How many pieces.
    #[graphql(default = 1)]
    quantity: i32,
    /// What each piece would cost for a full period; default: what the catalogue asks.
    unit_price: Option<Decimal>,
    /// The first day without it again; default: it stays.
    ends_on: Option<Date>,
}

/// Something that may be charged once or not: as `ServiceChargeAddInput`.
#[derive(InputObject)]
pub struct ServiceChargeAddPreviewInput {
    /// Which service.
    service_id: ID,
    /// What it is, out of the catalogue; charged ONCE.
    addon_id: Option<ID>,
    /// For people; default: the add-on's name.
    description: Option<String>,
    /// How many pieces.
    #[graphql(default = 1)]
    quantity: i32,
    /// What each piece costs; default: the add-on's price.
    unit_price: Option<Decimal>,
    /// Whether the price already contains tax; default: as the add-on's, or not.
    tax_inclusive: Option<bool>,
    /// HSN/SAC or the local equivalent; default: the add-on's, or the template's code for internet access.
    tax_code: Option<String>,
}

/// An order that may be made or not: as `ServiceCreateInput`, without a login.
#[derive(InputObject)]
pub struct ServiceCreatePreviewInput {
    /// Who is to have it.
    subscriber_id: ID,
    /// The plan that it would get; of those on sale.
    plan_id: ID,
    /// Where it would be installed; default: where the subscriber lives.
    installation_address: Option<AddressInput>,
    /// Its first day; default: today.
    starts_on: Option<Date>,
    /// What would go with it from its first day on, and what would be charged once.
    #[graphql(default)]
    addons: Vec<OrderedAddonInput>,
    /// The code of a coupon that would be redeemed.
    coupon_code: Option<String>,
}

async fn preview(ctx: &Context<'_>, on: Option<Date>, change: Change) -> ApiResult<Option<CostPreview>> {
    let result = runs::estimate(ctx.rq().apart().await?, on.map(|d| d.0), change).await;
    if let Err(Error::User(refusals)) = &result
        && refusals.iter().any(|r| r.code == ErrorCode::NotFound)
    {
        return Ok(None);
    }
    CostPreview::of(result).map(Some)
}

/// What a change would cost. Nothing of it is done, no number is used up.
#[derive(SimpleObject)]
pub struct CostPreview {
    /// The day on which it would be made; null when it would be refused.
    pub on: Option<Date>,
    /// What would be issued for it: invoices, then credit notes.
    pub documents: Vec<PreviewDocument>,
    /// Invoices less credit notes, tax included: negative is given back. Null when it would be refused.
    pub total: Option<Money>,
    /// The service afterwards; null when it would be refused.
    pub service: Option<PreviewService>,
    /// Why it would be refused; empty when it would be done.
    pub refusals: Vec<UserError>,
}

impl CostPreview {
    fn of(result: Result<Estimate>) -> ApiResult<Self> {
        let (estimate, refusals) = settle(result)?;
        let Some(estimate) = estimate else {
            return Ok(Self {
                on: None,
                documents: Vec::new(),
                total: None,
                service: None,
                refusals,
            });
        };
        let documents = estimate.documents.into_iter().map(PreviewDocument::of);
        Ok(Self {
            on: Some(Date(estimate.on)),
            documents: documents.collect::<Result<Vec<_>>>()?,
            total: Some(estimate.total.into()),
            service: Some(PreviewService::of(estimate.service)),
            refusals,
        })
    }
}

/// How a service would stand.
#[derive(SimpleObject)]
pub struct PreviewService {
    /// Its state.
    pub status: ServiceStatus,
    /// Its first day.
    pub started_on: Option<Date>,
    /// The begin of the period that would be in use, inclusive.
    pub period_starts_at: Option<DateTime>,
    /// … and its end, exclusive.
    pub period_ends_at: Option<DateTime>,
    /// Prepaid: the end of what is paid.
    pub paid_until: Option<DateTime>,
    /// The day of its next charge.
    pub next_billing_date: Option<Date>,
}

impl PreviewService {
    fn of(service: services::Service) -> Self {
        Self {
            status: service.state.status().into(),
            started_on: service.started_on.map(Date),
            period_starts_at: service.period_starts_at.map(DateTime),
            period_ends_at: service.period_ends_at.map(DateTime),
            paid_until: service.paid_until.map(DateTime),
            next_billing_date: service.next_billing_on.map(Date),
        }
    }
}

/// What sort of document it would be.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
pub enum PreviewDocumentKind {
    /// It would be owed.
    Invoice,
    /// It would lower what is owed, or become credit in hand.
    CreditNote,
}

/// A document that would be issued. A credit note's amounts are positive.
#[derive(SimpleObject)]
pub struct PreviewDocument {
    /// Invoice or credit note.
    pub kind: PreviewDocumentKind,
    /// When an invoice would be due.
    pub due_on: Option<Date>,
    /// What it would charge or take back, in order.
    pub lines: Vec<PreviewLine>,
    /// Summed over the lines, by name and rate.
    pub taxes: Vec<TaxAmount>,
    /// Before tax.
    pub subtotal: Money,
    /// All taxes together.
    pub tax_total: Money,
    /// Rounding of the whole, and what a tax-inclusive price leaves over.
    pub rounding: Money,
    /// subtotal + taxTotal + rounding
    pub total: Money,
    /// Of an invoice: what credit in hand would leave to be paid.
    pub amount_due: Money,
}

impl PreviewDocument {
    /// As the use case made it.
    pub fn of(document: Document) -> Result<Self> {
        let lines = document.lines.iter().map(|line| PreviewLine::of(line, &document.taxes));
        let sums = billing::sum_taxes(&document.taxes)?;
        Ok(Self {
            kind: match document.is_credit {
                true => PreviewDocumentKind::CreditNote,
                false => PreviewDocumentKind::Invoice,
            },
            due_on: document.due_on.map(Date),
            lines: lines.collect::<Result<Vec<_>>>()?,
            taxes: sums.into_iter().map(Into::into).collect(),
            subtotal: document.subtotal.into(),
            tax_total: document.tax_total.into(),
            rounding: document.rounding.into(),
            total: document.total.into(),
            amount_due: document.amount_due.into(),
        })
    }
}

/// A line of a document that would be issued.
#[derive(SimpleObject)]
pub struct PreviewLine {
    /// In the words that would be on it.
    pub description: String,
    /// How many.
    pub quantity: Decimal,
    /// Tax excluded, after discount.
    pub amount: Money,
    /// HSN/SAC or the local equivalent.
    pub tax_code: Option<String>,
    /// Each tax with its base.
    pub taxes: Vec<TaxAmount>,
    /// The period's begin, inclusive.
    pub period_starts_at: Option<DateTime>,
    /// … and its end, exclusive.
    pub period_ends_at: Option<DateTime>,
    /// How the amount would come about: plan version, price, days, zone, tax rule, rounding steps.
    pub explanation: Json,
}

impl PreviewLine {
    fn of(line: &billing::InvoiceLine, taxes: &[billing::InvoiceTax]) -> Result<Self> {
        let own = taxes.iter().filter(|tax| tax.line_id == Some(line.id));
        Ok(Self {
            description: line.description.clone(),
            quantity: Decimal(line.quantity.normalize()),
            amount: line.money(line.amount)?.into(),
            tax_code: line.tax_code.clone(),
            taxes: own.map(|tax| Ok(tax.amount()?.into())).collect::<Result<Vec<_>>>()?,
            period_starts_at: line.period_starts_at.map(DateTime),
            period_ends_at: line.period_ends_at.map(DateTime),
            explanation: Json(line.explanation.clone()),
        })
    }
}
