use async_graphql::{Context, Object};
use trunkline_domain::{addons, runs};

use super::of_service::{
    ServiceAddonAddInput, ServiceAddonAddPayload, ServiceAddonEndInput, ServiceAddonEndPayload, ServiceChargeAddInput,
    ServiceChargeAddPayload, ServiceChargeCancelInput, ServiceChargeCancelPayload,
};
use super::types::{
    AddonCreateInput, AddonCreatePayload, AddonRetireInput, AddonRetirePayload, AddonUpdateInput, AddonUpdatePayload,
};
use crate::graphql::ctx::CtxExt;
use crate::graphql::error::ApiResult;
use crate::graphql::ids;

#[derive(Default)]
pub struct AddonsMutation;

#[Object]
impl AddonsMutation {
    /// Puts a new add-on on sale.
    async fn addon_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: AddonCreateInput,
    ) -> ApiResult<AddonCreatePayload> {
        let result = match input.command() {
            Ok(cmd) => {
                ctx.rq()
                    .write(async move |tx| runs::addon_create(tx, cmd.clone()).await)
                    .await
            }
            Err(e) => Err(e),
        };
        AddonCreatePayload::of(result)
    }

    /// Services that have the add-on are charged its new price with their next period.
    async fn addon_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: AddonUpdateInput,
    ) -> ApiResult<AddonUpdatePayload> {
        let result = match input.command() {
            Ok(cmd) => {
                ctx.rq()
                    .write(async move |tx| runs::addon_update(tx, cmd.clone()).await)
                    .await
            }
            Err(e) => Err(e),
        };
        AddonUpdatePayload::of(result)
    }

    /// Takes an add-on off sale; services that have it keep it.
    async fn addon_retire(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: AddonRetireInput,
    ) -> ApiResult<AddonRetirePayload> {
        let result = match ids::input(&input.id, "id") {
            Ok(cmd) => ctx.rq().write(async move |tx| addons::retire(tx, cmd).await).await,
            Err(e) => Err(e),
        };
        AddonRetirePayload::of(result)
    }

    /// Gives a service an add-on, charged with its periods from then on.
    async fn service_addon_add(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: ServiceAddonAddInput,
    ) -> ApiResult<ServiceAddonAddPayload> {
        let result = match input.command() {
            Ok(cmd) => ctx.rq().write(async move |tx| runs::service_addon_add(tx, &cmd).await).await,
            Err(e) => Err(e),
        };
        ServiceAddonAddPayload::of(result)
    }

    /// Ends an add-on of a service. What is charged and not given any more is credited, as
    /// `BillingSettings.terminationCredit` says.
    async fn service_addon_end(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: ServiceAddonEndInput,
    ) -> ApiResult<ServiceAddonEndPayload> {
        let result = match input.command() {
            Ok(cmd) => ctx.rq().write(async move |tx| runs::service_addon_end(tx, &cmd).await).await,
            Err(e) => Err(e),
        };
        ServiceAddonEndPayload::of(result)
    }

    /// Charges a service for something once.
    async fn service_charge_add(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: ServiceChargeAddInput,
    ) -> ApiResult<ServiceChargeAddPayload> {
        let result = match input.command() {
            Ok(cmd) => ctx.rq().write(async move |tx| runs::service_charge_add(tx, &cmd).await).await,
            Err(e) => Err(e),
        };
        ServiceChargeAddPayload::of(result)
    }

    /// Takes back a charge that has not been made.
    async fn service_charge_cancel(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: ServiceChargeCancelInput,
    ) -> ApiResult<ServiceChargeCancelPayload> {
        let result = match ids::input(&input.id, "id") {
            Ok(cmd) => {
                ctx.rq()
                    .write(async move |tx| runs::service_charge_cancel(tx, cmd).await)
                    .await
            }
            Err(e) => Err(e),
        };
        ServiceChargeCancelPayload::of(result)
    }
}
