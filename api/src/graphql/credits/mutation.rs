use async_graphql::{Context, Object};
use trunkline_domain::{billing, credits};

use super::types::{
    CreditRefundInput, CreditRefundPayload, CreditTransferInput, CreditTransferPayload, DepositChargeInput, DepositChargePayload,
    DepositReturnInput, DepositReturnPayload, InvoiceWriteOffInput, InvoiceWriteOffPayload, InvoiceWriteOffReverseInput,
    InvoiceWriteOffReversePayload,
};
use crate::graphql::ctx::CtxExt;
use crate::graphql::error::ApiResult;

#[derive(Default)]
pub struct CreditsMutation;

/// Runs a use case in a transaction, if the input could be read.
macro_rules! run {
    ($ctx:expr, $input:expr, $use_case:path) => {
        match $input.command() {
            Ok(cmd) => $ctx.rq().write(async move |tx| $use_case(tx, cmd.clone()).await).await,
            Err(e) => Err(e),
        }
    };
}

#[Object]
impl CreditsMutation {
    /// Pays credit in hand back to a subscriber.
    async fn credit_refund(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: CreditRefundInput,
    ) -> ApiResult<CreditRefundPayload> {
        CreditRefundPayload::of(run!(ctx, input, credits::credit_refund))
    }

    /// Moves credit in hand between two subscribers of one customer. It settles what the other owes at once.
    async fn credit_transfer(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: CreditTransferInput,
    ) -> ApiResult<CreditTransferPayload> {
        CreditTransferPayload::of(run!(ctx, input, credits::credit_transfer))
    }

    /// Asks for a refundable deposit, by an invoice of its own kind and without tax.
    async fn deposit_charge(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: DepositChargeInput,
    ) -> ApiResult<DepositChargePayload> {
        DepositChargePayload::of(run!(ctx, input, credits::deposit_charge))
    }

    /// Gives a deposit back, or a part of it. It settles what is owed first; the rest is credit in hand, or paid out.
    async fn deposit_return(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: DepositReturnInput,
    ) -> ApiResult<DepositReturnPayload> {
        DepositReturnPayload::of(run!(ctx, input, credits::deposit_return))
    }

    /// Gives up what is due on an invoice, or a part of it.
    async fn invoice_write_off(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: InvoiceWriteOffInput,
    ) -> ApiResult<InvoiceWriteOffPayload> {
        InvoiceWriteOffPayload::of(run!(ctx, input, billing::invoice_write_off))
    }

    /// Makes what was given up of an invoice owed again. A payment that names the invoice does so by itself.
    async fn invoice_write_off_reverse(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: InvoiceWriteOffReverseInput,
    ) -> ApiResult<InvoiceWriteOffReversePayload> {
        InvoiceWriteOffReversePayload::of(run!(ctx, input, billing::invoice_write_off_reverse))
    }
}
