use async_graphql::{Context, ID, Object};
use trunkline_domain::dunning;
use trunkline_domain::kernel::ids::SubscriberId;
use trunkline_domain::kernel::page::PageRequest;
use trunkline_domain::runs;

use super::brake::{CollectionHold, DunningBrakeConnection, DunningPreview};
use super::types::{DunningSettings, PromiseToPay, PromiseToPayConnection, PromiseToPayFilter};
use crate::graphql::ctx::CtxExt;
use crate::graphql::error::ApiResult;
use crate::graphql::scalars::Date;
use crate::graphql::{ids, page};

#[derive(Default)]
pub struct DunningQuery;

#[Object]
impl DunningQuery {
    /// What this ISP does about invoices that are not paid.
    async fn dunning_settings(&self, ctx: &Context<'_>) -> ApiResult<Option<DunningSettings>> {
        let settings = ctx.rq().read(async move |tx| dunning::settings_view(tx).await).await?;
        Ok(Some(DunningSettings(settings)))
    }

    /// Who would be switched off or ended by the run of a date, and why, as things stand; and whether it would be stopped.
    #[graphql(complexity = "page::cost(first, child_complexity) + 500")]
    async fn dunning_preview(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "From today to 60 days from today; default: today.")] date: Option<Date>,
        #[graphql(desc = "How many of those who would be cut at most, 0 to 100.")] first: i32,
        #[graphql(desc = "Begins behind the object that this cursor names.")] after: Option<String>,
    ) -> ApiResult<Option<DunningPreview>> {
        let request = PageRequest::new(first, after.as_deref())?;
        let db = ctx.rq().apart().await?;
        let preview = runs::preview(db, date.map(|d| d.0), request).await?;
        Ok(Some(DunningPreview(preview)))
    }

    /// Runs that were stopped, newest first.
    #[graphql(complexity = "page::cost(first, child_complexity)")]
    async fn dunning_brakes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many at most, 0 to 100.")] first: i32,
        #[graphql(desc = "Begins behind the object that this cursor names.")] after: Option<String>,
    ) -> ApiResult<Option<DunningBrakeConnection>> {
        let request = PageRequest::new(first, after.as_deref())?;
        let total = page::wants_total(ctx);
        let (rows, total) = ctx
            .rq()
            .read(async move |tx| {
                let rows = dunning::brakes(tx, request.clone()).await?;
                let total = if total { Some(dunning::count_brakes(tx).await?) } else { None };
                Ok((rows, total))
            })
            .await?;
        Ok(Some(DunningBrakeConnection::of(ctx, rows, total, |b| b.id)))
    }

    /// Times in which nobody is switched off for want of money, newest first; of the last year.
    async fn collection_holds(
        &self,
        ctx: &Context<'_>,
        #[graphql(default = true, desc = "Only those in force now.")] in_force: bool,
    ) -> ApiResult<Option<Vec<CollectionHold>>> {
        let holds = ctx.rq().read(async move |tx| dunning::holds(tx, in_force).await).await?;
        Ok(Some(holds.into_iter().map(CollectionHold).collect()))
    }

    /// A promise to pay by its id.
    async fn promise_to_pay(&self, ctx: &Context<'_>, #[graphql(desc = "Which.")] id: ID) -> ApiResult<Option<PromiseToPay>> {
        let Some(id) = ids::query(&id)? else { return Ok(None) };
        let found = ctx.rq().read(async move |tx| dunning::find(tx, id).await).await?;
        Ok(found.map(PromiseToPay))
    }

    /// Promises to pay, newest first; a subscriber sees its own.
    #[graphql(complexity = "page::cost(first, child_complexity)")]
    async fn promises_to_pay(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many at most, 0 to 100.")] first: i32,
        #[graphql(desc = "Begins behind the object that this cursor names.")] after: Option<String>,
        #[graphql(desc = "Which promises; all when absent.")] filter: Option<PromiseToPayFilter>,
    ) -> ApiResult<Option<PromiseToPayConnection>> {
        let mut request = PageRequest::new(first, after.as_deref())?;
        let filter = filter.unwrap_or_default();
        let of: Option<SubscriberId> = match &filter.subscriber_id {
            None => None,
            Some(id) => ids::query(id)?,
        };
        // An id of another kind: a subscriber that nobody is.
        let nothing = filter.subscriber_id.is_some() && of.is_none();
        if nothing {
            request.first = 0;
        }
        let status = filter.status.map(Into::into);
        let total = page::wants_total(ctx);
        let (mut rows, total) = ctx
            .rq()
            .read(async move |tx| {
                let rows = dunning::list(tx, request.clone(), of, status).await?;
                let total = match (total, nothing) {
                    (false, _) => None,
                    (true, true) => Some(0),
                    (true, false) => Some(dunning::count(tx, of, status).await?),
                };
                Ok((rows, total))
            })
            .await?;
        rows.has_next = rows.has_next && !nothing;
        Ok(Some(PromiseToPayConnection::of(ctx, rows, total, |p| p.id)))
    }
}
