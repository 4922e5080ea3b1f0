//! One person in many ISPs: joins and leaves them on the platform's host, and goes from there to theirs.

use async_graphql::{Context, Object};
use trunkline_domain::identity::{self, Session as SignedInSession};
use trunkline_domain::kernel::db::Tenant;
use trunkline_domain::kernel::ids::MembershipId;
use trunkline_domain::{Error, Result};

use super::people_types::*;
use super::session::{allow_cookie, hand_over};
use crate::graphql::ctx::{CtxExt, Host, RequestCtx};
use crate::graphql::error::ApiResult;
use crate::graphql::ids;

#[derive(Default)]
pub struct PeopleQuery;

#[Object]
impl PeopleQuery {
    /// Platform host: the ISPs that you belong to, in the order in which you joined them.
    async fn memberships(&self, ctx: &Context<'_>) -> ApiResult<Option<Vec<Membership>>> {
        let rq = ctx.rq();
        rq.require_platform_host()?;
        let all = identity::memberships(&rq.platform().await?).await?;
        let mut found = Vec::with_capacity(all.len());
        for membership in all {
            found.extend(show(rq, membership).await?);
        }
        Ok(Some(found))
    }
}

#[derive(Default)]
pub struct PeopleMutation;

#[Object]
impl PeopleMutation {
    /// Platform host: makes an account for whoever holds a code of an ISP (of its invitation, or of `staffLinkCreate`) and joins
    /// that ISP. You sign in with the address that the ISP has for you; TAKEN when it has an account: sign in and use
    /// `membershipJoin`.
    async fn person_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: PersonCreateInput,
    ) -> ApiResult<PersonCreatePayload> {
        PersonCreatePayload::of(person_create(ctx.rq(), input).await)
    }

    /// Platform host: makes you a member of an ISP by a code of it: of its invitation, or of `staffLinkCreate`.
    async fn membership_join(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: MembershipJoinInput,
    ) -> ApiResult<MembershipJoinPayload> {
        MembershipJoinPayload::of(join(ctx.rq(), input).await)
    }

    /// Platform host: ends a membership of yours. You are signed out at that ISP, and keep there what you sign in with there.
    async fn membership_leave(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: MembershipLeaveInput,
    ) -> ApiResult<MembershipLeavePayload> {
        MembershipLeavePayload::of(leave(ctx.rq(), &input).await.map(ids::out))
    }

    /// Platform host: a code by which you are signed in on an ISP's host that you belong to, with `sessionExchange` there:
    /// good once, on that host alone, for a minute.
    async fn tenant_session_open(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: TenantSessionOpenInput,
    ) -> ApiResult<TenantSessionOpenPayload> {
        TenantSessionOpenPayload::of(open(ctx.rq(), &input).await)
    }

    /// Public, on an ISP's host: signs in by a code of `tenantSessionOpen`. Whatever is wrong with it, the answer is
    /// INVALID_CREDENTIALS.
    async fn session_exchange(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: SessionExchangeInput,
    ) -> ApiResult<SessionExchangePayload> {
        let exchanged = exchange(ctx.rq(), &input).await;
        SessionExchangePayload::of(hand_over(ctx, exchanged, input.cookie))
    }

    /// A code by which you, working for this tenant, are linked to your account on the platform: take it to the platform's
    /// host, and to `membershipJoin` or `personCreate` there, within ten minutes. The last one ends.
    async fn staff_link_create(&self, ctx: &Context<'_>) -> ApiResult<StaffLinkCreatePayload> {
        StaffLinkCreatePayload::of(ctx.rq().write(async |tx| identity::staff_link_create(tx).await).await)
    }

    /// Ends the way in from the platform's host: your own, or with `staff:write` that of a colleague who may do nothing that you
    /// lack. They are signed out, and keep what they sign in with here.
    async fn staff_unlink(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: StaffUnlinkInput,
    ) -> ApiResult<StaffUnlinkPayload> {
        StaffUnlinkPayload::of(unlink(ctx.rq(), &input).await)
    }
}

async fn person_create(rq: &RequestCtx, input: PersonCreateInput) -> Result<Membership> {
    rq.on_platform_host()?;
    let tenant = tenant_of_host(rq, &input.host).await?;
    let made = rq.app.authenticator.person_create(&tenant, input.into()).await?;
    shown(rq, made).await
}

async fn join(rq: &RequestCtx, input: MembershipJoinInput) -> Result<Membership> {
    rq.require_platform_host()?;
    let tenant = tenant_of_host(rq, &input.host).await?;
    let joined = rq.app.authenticator.membership_join(&tenant, &rq.actor, &input.code).await?;
    shown(rq, joined).await
}

async fn leave(rq: &RequestCtx, input: &MembershipLeaveInput) -> Result<MembershipId> {
    rq.require_platform_host()?;
    let id: MembershipId = ids::input(&input.id, "id")?;
    let tenant = tenant_of(rq, id, "id").await?;
    rq.app.authenticator.membership_leave(&tenant, &rq.actor, id).await
}

async fn open(rq: &RequestCtx, input: &TenantSessionOpenInput) -> Result<TenantEntry> {
    rq.require_platform_host()?;
    let id: MembershipId = ids::input(&input.membership_id, "membershipId")?;
    let tenant = tenant_of(rq, id, "membershipId").await?;
    let token = rq.app.authenticator.tenant_session_open(&tenant, &rq.actor, id).await?;
    Ok(TenantEntry::of(&token, host_name(rq, &tenant).await?))
}

async fn exchange(rq: &RequestCtx, input: &SessionExchangeInput) -> Result<SignedInSession> {
    let tenant = rq.on_tenant_host()?;
    allow_cookie(rq, input.cookie)?;
    rq.app
        .authenticator
        .session_exchange(tenant, &input.code, &rq.asker.client)
        .await
}

async fn unlink(rq: &RequestCtx, input: &StaffUnlinkInput) -> Result<identity::Staff> {
    let id = ids::input(&input.id, "id")?;
    let tenant = rq.on_tenant_host()?;
    rq.app.authenticator.staff_unlink(tenant, &rq.actor, id).await
}

/// The ISP of one of one's own memberships.
async fn tenant_of(rq: &RequestCtx, id: MembershipId, field: &str) -> Result<Tenant> {
    let membership = identity::membership(&rq.platform().await?, id, field).await?;
    let tenant = rq.app.directory.by_number(membership.tenant_id).await?;
    tenant.ok_or_else(|| Error::not_found(field))
}

/// A host that is no ISP's is answered like a code that is no good.
async fn tenant_of_host(rq: &RequestCtx, host: &str) -> Result<Tenant> {
    match rq.app.directory.resolve(host.trim()).await? {
        Some(Host::Tenant(tenant)) => Ok(tenant),
        _ => Err(identity::bad_code()),
    }
}

async fn show(rq: &RequestCtx, membership: identity::Membership) -> Result<Option<Membership>> {
    let Some(tenant) = rq.app.directory.by_number(membership.tenant_id).await? else {
        return Ok(None);
    };
    let host = host_name(rq, &tenant).await?;
    Ok(Some(Membership::of(&membership, &tenant, host)))
}

async fn shown(rq: &RequestCtx, membership: identity::Membership) -> Result<Membership> {
    show(rq, membership).await?.ok_or_else(|| Error::not_found("host"))
}

/// The ISP's own domain if it has one, with the port by which we were asked.
async fn host_name(rq: &RequestCtx, tenant: &Tenant) -> Result<String> {
    let name = rq.app.directory.host_of(tenant).await?;
    let port = rq.origin.rsplit_once(':').map(|(_, port)| port);
    Ok(
        match port.filter(|p| !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit())) {
            Some(port) => format!("{name}:{port}"),
            None => name,
        },
    )
}
