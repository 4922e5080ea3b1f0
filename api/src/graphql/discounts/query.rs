use async_graphql::{Context, ID, Object};
use trunkline_domain::discounts;
use trunkline_domain::kernel::page::PageRequest;

use super::types::{Coupon, CouponConnection};
use crate::graphql::ctx::CtxExt;
use crate::graphql::error::ApiResult;
use crate::graphql::{ids, page};

#[derive(Default)]
pub struct DiscountsQuery;

#[Object]
impl DiscountsQuery {
    /// A coupon by its id.
    async fn coupon(&self, ctx: &Context<'_>, #[graphql(desc = "Which.")] id: ID) -> ApiResult<Option<Coupon>> {
        let Some(id) = ids::query(&id)? else { return Ok(None) };
        let found = ctx.rq().read(async move |tx| discounts::find(tx, id).await).await?;
        Ok(found.map(Coupon))
    }

    /// The coupons, oldest first.
    #[graphql(complexity = "page::cost(first, child_complexity)")]
    async fn coupons(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many at most, 0 to 100.")] first: i32,
        #[graphql(desc = "Begins behind the object that this cursor names.")] after: Option<String>,
    ) -> ApiResult<Option<CouponConnection>> {
        let request = PageRequest::new(first, after.as_deref())?;
        let total = page::wants_total(ctx);
        let (rows, total) = ctx
            .rq()
            .read(async move |tx| {
                let rows = discounts::list(tx, request.clone()).await?;
                let total = match total {
                    true => Some(discounts::count(tx).await?),
                    false => None,
                };
                Ok((rows, total))
            })
            .await?;
        Ok(Some(CouponConnection::of(ctx, rows, total, |c| (c.created_at, c.id))))
    }
}
