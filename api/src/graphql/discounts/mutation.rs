use async_graphql::{Context, Object};
use trunkline_domain::{discounts, runs};

use super::types::{
    CouponCreateInput, CouponCreatePayload, CouponDisableInput, CouponDisablePayload, CouponRedeemInput, CouponRedeemPayload,
    ServiceDiscountAddInput, ServiceDiscountAddPayload, ServiceDiscountEndInput, ServiceDiscountEndPayload,
};
use crate::graphql::ctx::CtxExt;
use crate::graphql::error::ApiResult;
use crate::graphql::ids;

#[derive(Default)]
pub struct DiscountsMutation;

#[Object]
impl DiscountsMutation {
    /// Issues a coupon.
    async fn coupon_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: CouponCreateInput,
    ) -> ApiResult<CouponCreatePayload> {
        let cmd = input.command();
        let result = ctx.rq().write(async move |tx| discounts::create(tx, cmd.clone()).await).await;
        CouponCreatePayload::of(result)
    }

    /// Ends a coupon; discounts that it gave stay.
    async fn coupon_disable(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: CouponDisableInput,
    ) -> ApiResult<CouponDisablePayload> {
        let result = match ids::input(&input.id, "id") {
            Ok(cmd) => ctx.rq().write(async move |tx| discounts::disable(tx, cmd).await).await,
            Err(e) => Err(e),
        };
        CouponDisablePayload::of(result)
    }

    /// Gives a service the discount of a coupon, from its next charge on. LIMIT_EXCEEDED when the coupon is used up.
    async fn coupon_redeem(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: CouponRedeemInput,
    ) -> ApiResult<CouponRedeemPayload> {
        let result = match input.command() {
            Ok(cmd) => ctx.rq().write(async move |tx| runs::coupon_redeem(tx, &cmd).await).await,
            Err(e) => Err(e),
        };
        CouponRedeemPayload::of(result)
    }

    /// Gives a service a discount from its next charge on.
    async fn service_discount_add(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: ServiceDiscountAddInput,
    ) -> ApiResult<ServiceDiscountAddPayload> {
        let result = match input.command() {
            Ok(cmd) => {
                ctx.rq()
                    .write(async move |tx| runs::service_discount_add(tx, &cmd).await)
                    .await
            }
            Err(e) => Err(e),
        };
        ServiceDiscountAddPayload::of(result)
    }

    /// Ends a discount of a service; what was charged with it stays as it is.
    async fn service_discount_end(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: ServiceDiscountEndInput,
    ) -> ApiResult<ServiceDiscountEndPayload> {
        let result = match ids::input(&input.id, "id") {
            Ok(cmd) => {
                ctx.rq()
                    .write(async move |tx| runs::service_discount_end(tx, cmd).await)
                    .await
            }
            Err(e) => Err(e),
        };
        ServiceDiscountEndPayload::of(result)
    }
}
