use async_graphql::{Context, Object};
use trunkline_domain::{runs, services};

use super::change::{
    ServiceChangeCancelInput, ServiceChangeCancelPayload, ServiceChangePlanInput, ServiceChangePlanPayload,
    ServiceTerminateInput, ServiceTerminatePayload, ServiceVersionKeepInput, ServiceVersionKeepPayload,
};
use super::inputs::{
    ServiceActivateInput, ServiceActivatePayload, ServiceAddressSetInput, ServiceAddressSetPayload, ServiceCreateInput,
    ServiceCreatePayload, ServicePasswordSetInput, ServicePasswordSetPayload, ServiceResumeInput, ServiceResumePayload,
    ServiceSuspendInput, ServiceSuspendPayload,
};
use super::pause::{ServicePauseInput, ServicePausePayload, ServiceUnpauseInput, ServiceUnpausePayload};
use crate::graphql::ctx::CtxExt;
use crate::graphql::error::ApiResult;

#[derive(Default)]
pub struct ServicesMutation;

#[Object]
impl ServicesMutation {
    /// Adds a service to a subscriber.
    async fn service_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: ServiceCreateInput,
    ) -> ApiResult<ServiceCreatePayload> {
        let result = match input.command() {
            Ok(cmd) => ctx.rq().write(async move |tx| runs::service_create(tx, &cmd).await).await,
            Err(e) => Err(e),
        };
        ServiceCreatePayload::of(result)
    }

    /// Lets a service begin that was added with `activate: false`.
    async fn service_activate(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: ServiceActivateInput,
    ) -> ApiResult<ServiceActivatePayload> {
        let result = match input.command() {
            Ok(cmd) => ctx.rq().write(async move |tx| runs::service_activate(tx, &cmd).await).await,
            Err(e) => Err(e),
        };
        ServiceActivatePayload::of(result)
    }

    /// Switches a service off until staff switch it on again; its next login is rejected.
    async fn service_suspend(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: ServiceSuspendInput,
    ) -> ApiResult<ServiceSuspendPayload> {
        let result = match input.command() {
            Ok(cmd) => ctx.rq().write(async move |tx| runs::service_suspend(tx, &cmd).await).await,
            Err(e) => Err(e),
        };
        ServiceSuspendPayload::of(result)
    }

    /// Lifts a suspension. A service that has to be paid for first stays SUSPENDED, for that reason.
    async fn service_resume(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: ServiceResumeInput,
    ) -> ApiResult<ServiceResumePayload> {
        let result = match input.command() {
            Ok(cmd) => ctx.rq().write(async move |tx| runs::service_resume(tx, &cmd).await).await,
            Err(e) => Err(e),
        };
        ServiceResumePayload::of(result)
    }

    /// Switches a service off because its subscriber wants a pause: today or from a day to come, until another day or until
    /// somebody says otherwise. Subscribers may, of services of their own, where `BillingSettings.pauseBySubscriber` lets them.
    /// What becomes of the days is for `BillingSettings.suspensionCredit`; no payment ends a pause.
    async fn service_pause(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: ServicePauseInput,
    ) -> ApiResult<ServicePausePayload> {
        let result = match input.command() {
            Ok(cmd) => ctx.rq().write(async move |tx| runs::service_pause(tx, &cmd).await).await,
            Err(e) => Err(e),
        };
        ServicePausePayload::of(result)
    }

    /// Ends a pause today, or takes back one that is to come; subscribers may, of services of their own. What staff switched off
    /// stays off, and a service that has to be paid for first stays SUSPENDED, for that reason.
    async fn service_unpause(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: ServiceUnpauseInput,
    ) -> ApiResult<ServiceUnpausePayload> {
        let result = match input.command() {
            Ok(cmd) => ctx.rq().write(async move |tx| runs::service_unpause(tx, &cmd).await).await,
            Err(e) => Err(e),
        };
        ServiceUnpausePayload::of(result)
    }

    /// Gives a service another plan, now or at the next period.
    async fn service_change_plan(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: ServiceChangePlanInput,
    ) -> ApiResult<ServiceChangePlanPayload> {
        let result = match input.command() {
            Ok(cmd) => {
                ctx.rq()
                    .write(async move |tx| runs::service_change_plan(tx, &cmd).await)
                    .await
            }
            Err(e) => Err(e),
        };
        ServiceChangePlanPayload::of(result)
    }

    /// Takes back what is planned for a service: the plan that is to follow, and its end.
    async fn service_change_cancel(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: ServiceChangeCancelInput,
    ) -> ApiResult<ServiceChangeCancelPayload> {
        let result = match input.command() {
            Ok(id) => {
                ctx.rq()
                    .write(async move |tx| runs::service_change_cancel(tx, id).await)
                    .await
            }
            Err(e) => Err(e),
        };
        ServiceChangeCancelPayload::of(result)
    }

    /// Promises a service the price and speed that it has, until a day: new versions of its plan do not reach it before.
    async fn service_version_keep(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: ServiceVersionKeepInput,
    ) -> ApiResult<ServiceVersionKeepPayload> {
        let result = match input.command() {
            Ok(cmd) => {
                ctx.rq()
                    .write(async move |tx| runs::service_version_keep(tx, &cmd).await)
                    .await
            }
            Err(e) => Err(e),
        };
        ServiceVersionKeepPayload::of(result)
    }

    /// Ends a service. What is charged and not given any more is credited, as `BillingSettings.terminationCredit` says.
    async fn service_terminate(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: ServiceTerminateInput,
    ) -> ApiResult<ServiceTerminatePayload> {
        let result = match input.command() {
            Ok(cmd) => ctx.rq().write(async move |tx| runs::service_terminate(tx, &cmd).await).await,
            Err(e) => Err(e),
        };
        ServiceTerminatePayload::of(result)
    }

    /// Notes that a service is installed elsewhere: it was moved, or its address was wrong. What is charged from now on is supplied
    /// there; documents that were issued stay what they are. An address that a service got from its subscriber does not follow that
    /// one's.
    async fn service_address_set(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: ServiceAddressSetInput,
    ) -> ApiResult<ServiceAddressSetPayload> {
        let result = match input.command() {
            Ok(cmd) => ctx.rq().write(async move |tx| services::address_set(tx, &cmd).await).await,
            Err(e) => Err(e),
        };
        ServiceAddressSetPayload::of(result)
    }

    /// Sets the network password. A subscriber may set that of its own services.
    async fn service_password_set(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: ServicePasswordSetInput,
    ) -> ApiResult<ServicePasswordSetPayload> {
        let result = match input.command() {
            Ok(cmd) => {
                ctx.rq()
                    .write(async move |tx| runs::service_password_set(tx, &cmd).await)
                    .await
            }
            Err(e) => Err(e),
        };
        ServicePasswordSetPayload::of(result)
    }
}
