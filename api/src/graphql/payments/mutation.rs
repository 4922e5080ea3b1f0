use async_graphql::{Context, Object};
use trunkline_domain::payments;

use super::types::{PaymentRecordInput, PaymentRecordPayload, PaymentReverseInput, PaymentReversePayload};
use crate::graphql::ctx::CtxExt;
use crate::graphql::error::ApiResult;

#[derive(Default)]
pub struct PaymentsMutation;

#[Object]
impl PaymentsMutation {
    /// Records money that was received. It settles open invoices; what they do not take is the subscriber's credit, which its
    /// next invoice consumes.
    async fn payment_record(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: PaymentRecordInput,
    ) -> ApiResult<PaymentRecordPayload> {
        let result = match input.command() {
            Ok(cmd) => ctx.rq().write(async move |tx| payments::record(tx, cmd.clone()).await).await,
            Err(e) => Err(e),
        };
        PaymentRecordPayload::of(result)
    }

    /// Takes a payment back, such as a cheque that bounced. What it settled is owed again, also what its surplus settled later.
    async fn payment_reverse(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: PaymentReverseInput,
    ) -> ApiResult<PaymentReversePayload> {
        let result = match input.command() {
            Ok(cmd) => ctx.rq().write(async move |tx| payments::reverse(tx, cmd.clone()).await).await,
            Err(e) => Err(e),
        };
        PaymentReversePayload::of(result)
    }
}
