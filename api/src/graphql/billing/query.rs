use async_graphql::{Context, ID, Object};
use trunkline_domain::billing::{self, InvoiceFilter as Filter, credit_notes};
use trunkline_domain::kernel::ids::SubscriberId;
use trunkline_domain::kernel::page::{Page, PageRequest};

use super::credit_note::CreditNote;
use super::invoice::{Invoice, InvoiceConnection, InvoiceFilter};
use super::run::{self, BillingRun, BillingRunConnection};
use super::settings::{BillingSettings, TaxRegistration};
use super::template::InvoiceTemplate;
use crate::graphql::ctx::{CtxExt, RequestCtx};
use crate::graphql::error::ApiResult;
use crate::graphql::{ids, page};

#[derive(Default)]
pub struct BillingQuery;

#[Object]
impl BillingQuery {
    /// An invoice by its id.
    async fn invoice(&self, ctx: &Context<'_>, #[graphql(desc = "Which.")] id: ID) -> ApiResult<Option<Invoice>> {
        find(ctx.rq(), &id).await
    }

    /// A credit note by its id.
    async fn credit_note(&self, ctx: &Context<'_>, #[graphql(desc = "Which.")] id: ID) -> ApiResult<Option<CreditNote>> {
        find_credit_note(ctx.rq(), &id).await
    }

    /// The invoices, newest first; a subscriber sees its own.
    #[graphql(complexity = "page::cost(first, child_complexity)")]
    async fn invoices(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many at most, 0 to 100.")] first: i32,
        #[graphql(desc = "Begins behind the object that this cursor names.")] after: Option<String>,
        #[graphql(desc = "Which invoices; all when absent.")] filter: Option<InvoiceFilter>,
    ) -> ApiResult<Option<InvoiceConnection>> {
        let filter = match filter {
            None => Some(Filter::default()),
            Some(filter) => filter.domain()?,
        };
        Ok(Some(invoices(ctx, first, after, filter).await?))
    }

    /// A billing run by its id.
    async fn billing_run(&self, ctx: &Context<'_>, #[graphql(desc = "Which.")] id: ID) -> ApiResult<Option<BillingRun>> {
        run::find(ctx.rq(), &id).await
    }

    /// The billing runs, those of each day and those that staff asked for, the newest first.
    #[graphql(complexity = "page::cost(first, child_complexity)")]
    async fn billing_runs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many at most, 0 to 100.")] first: i32,
        #[graphql(desc = "Begins behind the object that this cursor names.")] after: Option<String>,
    ) -> ApiResult<Option<BillingRunConnection>> {
        Ok(Some(run::list(ctx, first, after).await?))
    }

    /// How this ISP bills.
    async fn billing_settings(&self, ctx: &Context<'_>) -> ApiResult<Option<BillingSettings>> {
        let settings = ctx.rq().read(async move |tx| billing::settings_view(tx).await).await?;
        Ok(Some(BillingSettings(settings)))
    }

    /// How this ISP's invoices look.
    async fn invoice_template(&self, ctx: &Context<'_>) -> ApiResult<Option<InvoiceTemplate>> {
        let found = ctx.rq().read(async move |tx| billing::pdf::template(tx).await).await?;
        Ok(Some(found.into()))
    }

    /// Where this ISP is registered for tax, oldest first.
    async fn tax_registrations(&self, ctx: &Context<'_>) -> ApiResult<Option<Vec<TaxRegistration>>> {
        let all = ctx.rq().read(async move |tx| billing::tax_registrations(tx).await).await?;
        Ok(Some(all.into_iter().map(TaxRegistration).collect()))
    }
}

/// An invoice by a global id, for `invoice` and `node`.
pub async fn find(rq: &RequestCtx, id: &ID) -> ApiResult<Option<Invoice>> {
    let Some(id) = ids::query(id)? else { return Ok(None) };
    Ok(rq.read(async move |tx| billing::find(tx, id).await).await?.map(Invoice))
}

/// A credit note by a global id, for `creditNote` and `node`.
pub async fn find_credit_note(rq: &RequestCtx, id: &ID) -> ApiResult<Option<CreditNote>> {
    let Some(id) = ids::query(id)? else { return Ok(None) };
    Ok(rq
        .read(async move |tx| credit_notes::find(tx, id).await)
        .await?
        .map(CreditNote))
}

/// The invoices that a subscriber pays, for `Subscriber.invoices`.
pub async fn invoices_of(
    ctx: &Context<'_>,
    subscriber: SubscriberId,
    first: i32,
    after: Option<String>,
) -> ApiResult<InvoiceConnection> {
    let filter = Filter {
        subscriber_id: Some(subscriber),
        ..Filter::default()
    };
    invoices(ctx, first, after, Some(filter)).await
}

/// Without a filter there is nothing to look for: an empty page, for an actor who may list.
async fn invoices(ctx: &Context<'_>, first: i32, after: Option<String>, filter: Option<Filter>) -> ApiResult<InvoiceConnection> {
    let mut request = PageRequest::new(first, after.as_deref())?;
    let nothing = filter.is_none();
    let filter = filter.unwrap_or_default();
    if nothing {
        request.first = 0;
    }
    let wanted = page::wants_total(ctx);
    let (rows, total) = ctx
        .rq()
        .read(async move |tx| {
            let rows = billing::list(tx, request.clone(), &filter).await?;
            let total = match wanted {
                true if nothing => Some(0),
                true => Some(billing::count(tx, &filter).await?),
                false => None,
            };
            Ok((rows, total))
        })
        .await?;
    let rows = Page {
        has_next: rows.has_next && !nothing,
        ..rows
    };
    Ok(InvoiceConnection::of(ctx, rows, total, |i| (i.created_at, i.id)))
}
