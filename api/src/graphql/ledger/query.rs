use async_graphql::{Context, ID, Object};
use trunkline_domain::books::{self, Export};
use trunkline_domain::kernel::page::PageRequest;
use trunkline_domain::ledger;

use super::account::{LedgerAccount, LedgerAccountConnection, LedgerAccountFilter, TrialBalance};
use super::statement::AccountStatement;
use super::types::{LedgerExport, LedgerExportFormat, LedgerPeriod};
use crate::graphql::ctx::CtxExt;
use crate::graphql::error::ApiResult;
use crate::graphql::scalars::{BigInt, Date};
use crate::graphql::{ids, page};
use crate::http::exports;

#[derive(Default)]
pub struct LedgerQuery;

#[Object]
impl LedgerQuery {
    /// The books at the end of a day.
    #[graphql(complexity = "500 + child_complexity")]
    async fn trial_balance(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The day; today when absent.")] as_of: Option<Date>,
    ) -> ApiResult<Option<TrialBalance>> {
        let found = ctx.rq().read(async move |tx| {
            let day = as_of.map_or_else(|| tx.today(), |day| day.0);
            ledger::trial_balance(tx, day).await
        });
        Ok(Some(found.await?.into()))
    }

    /// The accounts of the books, in the order in which they were opened.
    #[graphql(complexity = "page::cost(first, child_complexity)")]
    async fn ledger_accounts(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many at most, 0 to 100.")] first: i32,
        #[graphql(desc = "Begins behind the object that this cursor names.")] after: Option<String>,
        #[graphql(desc = "Which accounts; all when absent.")] filter: Option<LedgerAccountFilter>,
    ) -> ApiResult<Option<LedgerAccountConnection>> {
        let request = PageRequest::new(first, after.as_deref())?;
        let filter = filter.unwrap_or_default().filter()?;
        let wanted = page::wants_total(ctx);
        let (rows, total) = ctx
            .rq()
            .read(async move |tx| {
                let rows = ledger::accounts(tx, request.clone(), filter).await?;
                let total = if wanted {
                    Some(ledger::count_accounts(tx, filter).await?)
                } else {
                    None
                };
                Ok((rows, total))
            })
            .await?;
        Ok(Some(LedgerAccountConnection::of(ctx, rows, total, |a| a.id)))
    }

    /// An account of the books by its id.
    async fn ledger_account(&self, ctx: &Context<'_>, #[graphql(desc = "Which.")] id: ID) -> ApiResult<Option<LedgerAccount>> {
        let Some(id) = ids::query(&id)? else { return Ok(None) };
        let found = ctx.rq().read(async move |tx| ledger::find_account(tx, id).await).await?;
        Ok(found.map(LedgerAccount))
    }

    /// Up to which day the books are closed.
    async fn ledger_period(&self, ctx: &Context<'_>) -> ApiResult<Option<LedgerPeriod>> {
        let changes = ctx.rq().read(async move |tx| ledger::periods(tx).await).await?;
        Ok(Some(LedgerPeriod(changes)))
    }

    /// Where the journal can be fetched, for spreadsheets or other bookkeeping.
    async fn ledger_export(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who is to read it.")] format: LedgerExportFormat,
        #[graphql(desc = "From this day on; from the beginning when absent.")] from: Option<Date>,
        #[graphql(desc = "Until this day, included; until the end when absent.")] to: Option<Date>,
    ) -> ApiResult<Option<LedgerExport>> {
        let export = Export {
            format: format.into(),
            from: from.map(|d| d.0),
            to: to.map(|d| d.0),
        };
        let entries = ctx.rq().read(async move |tx| books::count(tx, &export).await).await?;
        Ok(Some(LedgerExport {
            url: exports::path(&export),
            entries: BigInt(entries),
        }))
    }

    /// A subscriber's account between two days. A subscriber sees its own.
    async fn account_statement(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whose account.")] subscriber_id: ID,
        #[graphql(desc = "From this day on; from the first entry when absent.")] from: Option<Date>,
        #[graphql(desc = "Until this day, included; until today when absent.")] to: Option<Date>,
    ) -> ApiResult<Option<AccountStatement>> {
        let Some(subscriber) = ids::query(&subscriber_id)? else {
            return Ok(None);
        };
        let (from, to) = (from.map(|d| d.0), to.map(|d| d.0));
        let found = ctx
            .rq()
            .read(async move |tx| books::statement(tx, subscriber, from, to).await)
            .await?;
        Ok(found.map(AccountStatement))
    }
}
