use async_graphql::{Context, Object};
use trunkline_domain::billing;
use trunkline_domain::ledger::{self, ClosePeriod, ReopenPeriod};

use super::types::{
    LedgerPeriodCloseInput, LedgerPeriodClosePayload, LedgerPeriodReopenInput, LedgerPeriodReopenPayload,
    OpeningBalanceRecordInput, OpeningBalanceRecordPayload,
};
use crate::graphql::ctx::CtxExt;
use crate::graphql::error::ApiResult;

#[derive(Default)]
pub struct LedgerMutation;

#[Object]
impl LedgerMutation {
    /// Closes the books up to a day: nothing is booked on that day or before from then on, and nothing takes effect there.
    async fn ledger_period_close(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: LedgerPeriodCloseInput,
    ) -> ApiResult<LedgerPeriodClosePayload> {
        let cmd = ClosePeriod::from(input);
        let result = ctx
            .rq()
            .write(async move |tx| ledger::period_close(tx, cmd.clone()).await)
            .await;
        LedgerPeriodClosePayload::of(result)
    }

    /// Opens closed days again, the latest ones.
    async fn ledger_period_reopen(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: LedgerPeriodReopenInput,
    ) -> ApiResult<LedgerPeriodReopenPayload> {
        let cmd = ReopenPeriod::from(input);
        let result = ctx
            .rq()
            .write(async move |tx| ledger::period_reopen(tx, cmd.clone()).await)
            .await;
        LedgerPeriodReopenPayload::of(result)
    }

    /// Brings a subscriber's balance in from the system before, once. What it owed stands on an invoice of its own kind, which
    /// payments settle; what it had in hand is its credit.
    async fn opening_balance_record(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: OpeningBalanceRecordInput,
    ) -> ApiResult<OpeningBalanceRecordPayload> {
        let result = match input.command() {
            Ok(cmd) => {
                ctx.rq()
                    .write(async move |tx| billing::opening_balance_record(tx, cmd.clone()).await)
                    .await
            }
            Err(e) => Err(e),
        };
        OpeningBalanceRecordPayload::of(result)
    }
}
