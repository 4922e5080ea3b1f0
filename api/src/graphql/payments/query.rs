use async_graphql::{Context, ID, Object};
use trunkline_domain::Error;
use trunkline_domain::kernel::ids::SubscriberId;
use trunkline_domain::kernel::page::PageRequest;
use trunkline_domain::payments;

use super::types::{BalanceOf, Payment, PaymentConnection};
use crate::graphql::ctx::{CtxExt, RequestCtx};
use crate::graphql::error::ApiResult;
use crate::graphql::scalars::Money;
use crate::graphql::{ids, page};

#[derive(Default)]
pub struct PaymentsQuery;

#[Object]
impl PaymentsQuery {
    /// A payment by its id.
    async fn payment(&self, ctx: &Context<'_>, #[graphql(desc = "Which.")] id: ID) -> ApiResult<Option<Payment>> {
        find(ctx.rq(), &id).await
    }

    /// The payments, newest first; a subscriber sees its own.
    #[graphql(complexity = "page::cost(first, child_complexity)")]
    async fn payments(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many at most, 0 to 100.")] first: i32,
        #[graphql(desc = "Begins behind the object that this cursor names.")] after: Option<String>,
    ) -> ApiResult<Option<PaymentConnection>> {
        Ok(Some(list(ctx, None, first, after).await?))
    }
}

/// A payment by a global id, for `payment` and `node`.
pub async fn find(rq: &RequestCtx, id: &ID) -> ApiResult<Option<Payment>> {
    let Some(id) = ids::query(id)? else { return Ok(None) };
    Ok(rq.read(async move |tx| payments::find(tx, id).await).await?.map(Payment))
}

/// A subscriber's payments, for `Subscriber.payments`.
pub async fn payments_of(
    ctx: &Context<'_>,
    subscriber: SubscriberId,
    first: i32,
    after: Option<String>,
) -> ApiResult<PaymentConnection> {
    list(ctx, Some(subscriber), first, after).await
}

/// What a subscriber owes, for `Subscriber.balance`; refused to those who may not see it.
pub async fn balance_of(ctx: &Context<'_>, subscriber: SubscriberId) -> ApiResult<Money> {
    let balance = ctx.rq().loader().load_one(BalanceOf(subscriber)).await?;
    Ok(balance.ok_or(Error::Forbidden)?.into())
}

async fn list(ctx: &Context<'_>, of: Option<SubscriberId>, first: i32, after: Option<String>) -> ApiResult<PaymentConnection> {
    let request = PageRequest::new(first, after.as_deref())?;
    let wanted = page::wants_total(ctx);
    let (rows, total) = ctx
        .rq()
        .read(async move |tx| {
            let rows = payments::list(tx, request.clone(), of).await?;
            let total = if wanted { Some(payments::count(tx, of).await?) } else { None };
            Ok((rows, total))
        })
        .await?;
    Ok(PaymentConnection::of(ctx, rows, total, |p| (p.created_at, p.id)))
}
