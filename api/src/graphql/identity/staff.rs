//! Who works for the tenant, and with which roles.

use async_graphql::{Context, ID, Object};
use trunkline_domain::Result;
use trunkline_domain::identity::{self, CreateRole, CreateStaff, InviteStaff, UpdateRole};
use trunkline_domain::kernel::actor::Permission;
use trunkline_domain::kernel::ids::StaffId;
use trunkline_domain::kernel::page::PageRequest;

use super::role_types::{
    Role, RoleCreateInput, RoleCreatePayload, RoleDeleteInput, RoleDeletePayload, RoleUpdateInput, RoleUpdatePayload,
};
use super::staff_types::{
    Staff, StaffConnection, StaffCreateInput, StaffCreatePayload, StaffDisableInput, StaffDisablePayload, StaffEnableInput,
    StaffEnablePayload, StaffInvitationAcceptInput, StaffInvitationAcceptPayload, StaffInvitationConnection,
    StaffInvitationRevokeInput, StaffInvitationRevokePayload, StaffInviteInput, StaffInvitePayload, StaffUpdateInput,
    StaffUpdatePayload,
};
use crate::graphql::ctx::{CtxExt, RequestCtx};
use crate::graphql::error::{ApiResult, settle};
use crate::graphql::{ids, page};

#[derive(Default)]
pub struct StaffQuery;

#[Object]
impl StaffQuery {
    /// The people who work for the tenant, in the order in which they came.
    #[graphql(complexity = "page::cost(first, child_complexity)")]
    async fn staff(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many at most, 0 to 100.")] first: i32,
        #[graphql(desc = "Begins behind the object that this cursor names.")] after: Option<String>,
    ) -> ApiResult<Option<StaffConnection>> {
        let request = PageRequest::new(first, after.as_deref())?;
        let total = page::wants_total(ctx);
        let (rows, total) = ctx
            .rq()
            .read(async move |tx| {
                let rows = identity::staff_list(tx, request.clone()).await?;
                let total = if total { Some(identity::staff_count(tx).await?) } else { None };
                Ok((rows, total))
            })
            .await?;
        Ok(Some(StaffConnection::of(ctx, rows, total, |s| (s.created_at, s.id))))
    }

    /// Invitations that nobody has accepted yet, in the order in which they were made; expired ones are not among them.
    #[graphql(complexity = "page::cost(first, child_complexity)")]
    async fn staff_invitations(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many at most, 0 to 100.")] first: i32,
        #[graphql(desc = "Begins behind the object that this cursor names.")] after: Option<String>,
    ) -> ApiResult<Option<StaffInvitationConnection>> {
        let request = PageRequest::new(first, after.as_deref())?;
        let total = page::wants_total(ctx);
        let (rows, total) = ctx
            .rq()
            .read(async move |tx| {
                let rows = identity::staff_invitations(tx, request.clone()).await?;
                let total = if total {
                    Some(identity::staff_invitation_count(tx).await?)
                } else {
                    None
                };
                Ok((rows, total))
            })
            .await?;
        Ok(Some(StaffInvitationConnection::of(ctx, rows, total, |i| {
            (i.created_at, i.id)
        })))
    }

    /// The roles that staff may have.
    async fn roles(&self, ctx: &Context<'_>) -> ApiResult<Option<Vec<Role>>> {
        let roles = ctx.rq().read(async |tx| identity::roles(tx).await).await?;
        Ok(Some(roles.into_iter().map(Role::from).collect()))
    }

    /// Public: every permission that a role may give, e.g. "invoice:write".
    async fn permissions(&self) -> Vec<&'static str> {
        Permission::names().to_vec()
    }
}

#[derive(Default)]
pub struct StaffMutation;

#[Object]
impl StaffMutation {
    /// Takes on somebody who works for the tenant. FORBIDDEN when the role allows what you lack yourself.
    async fn staff_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: StaffCreateInput,
    ) -> ApiResult<StaffCreatePayload> {
        let cmd = CreateStaff::from(input);
        StaffCreatePayload::of(
            ctx.rq()
                .write(async move |tx| identity::staff_create(tx, cmd.clone()).await)
                .await,
        )
    }

    /// Changes somebody's name or role. FORBIDDEN when the person may do, or the role allows, what you lack yourself; the last
    /// owner stays one.
    async fn staff_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: StaffUpdateInput,
    ) -> ApiResult<StaffUpdatePayload> {
        StaffUpdatePayload::of(update(ctx.rq(), input).await)
    }

    /// Keeps somebody out: within seconds, whatever they are signed in with. Not the last owner, and nobody who may do what
    /// you lack yourself.
    async fn staff_disable(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: StaffDisableInput,
    ) -> ApiResult<StaffDisablePayload> {
        StaffDisablePayload::of(disable(ctx.rq(), &input.id).await)
    }

    /// Lets somebody in again who was disabled; they sign in anew.
    async fn staff_enable(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: StaffEnableInput,
    ) -> ApiResult<StaffEnablePayload> {
        StaffEnablePayload::of(enable(ctx.rq(), &input.id).await)
    }

    /// Invites somebody to work for the tenant: a link is sent by which they set name and password within seven days.
    /// FORBIDDEN when the role allows what you lack yourself.
    async fn staff_invite(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: StaffInviteInput,
    ) -> ApiResult<StaffInvitePayload> {
        let cmd = InviteStaff::from(input);
        let key = ctx.rq().database.secret().clone();
        StaffInvitePayload::of(
            ctx.rq()
                .write(async move |tx| identity::staff_invite(tx, cmd.clone(), &key).await)
                .await,
        )
    }

    /// Takes an open invitation back.
    async fn staff_invitation_revoke(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: StaffInvitationRevokeInput,
    ) -> ApiResult<StaffInvitationRevokePayload> {
        let (revoked, user_errors) = settle(revoke(ctx.rq(), &input.id).await)?;
        Ok(StaffInvitationRevokePayload {
            revoked_id: revoked.map(|()| input.id),
            user_errors,
        })
    }

    /// Public: whoever holds the token of an invitation comes to work for the tenant, and can sign in from now on.
    async fn staff_invitation_accept(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: StaffInvitationAcceptInput,
    ) -> ApiResult<StaffInvitationAcceptPayload> {
        let cmd = identity::AcceptStaffInvitation::from(input);
        StaffInvitationAcceptPayload::of(
            ctx.rq()
                .write(async move |tx| identity::staff_invitation_accept(tx, cmd.clone()).await)
                .await,
        )
    }

    /// Makes a role. FORBIDDEN when it allows what you lack yourself.
    async fn role_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: RoleCreateInput,
    ) -> ApiResult<RoleCreatePayload> {
        let cmd = CreateRole::from(input);
        RoleCreatePayload::of(
            ctx.rq()
                .write(async move |tx| identity::role_create(tx, cmd.clone()).await)
                .await,
        )
    }

    /// Changes a role, and within seconds what its holders may do. FORBIDDEN when it allows, or will, what you lack yourself.
    async fn role_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: RoleUpdateInput,
    ) -> ApiResult<RoleUpdatePayload> {
        RoleUpdatePayload::of(update_role(ctx.rq(), input.into()).await)
    }

    /// Takes a role away. INVALID_STATE while somebody has it or is invited to it.
    async fn role_delete(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: RoleDeleteInput,
    ) -> ApiResult<RoleDeletePayload> {
        let code = input.code;
        let deleted = ctx
            .rq()
            .write(async move |tx| identity::role_delete(tx, code.clone()).await)
            .await;
        let (deleted_code, user_errors) = settle(deleted)?;
        Ok(RoleDeletePayload {
            deleted_code,
            user_errors,
        })
    }
}

async fn update(rq: &RequestCtx, input: StaffUpdateInput) -> Result<identity::Staff> {
    let cmd = input.command()?;
    let staff = rq
        .write(async move |tx| identity::staff_update(tx, cmd.clone()).await)
        .await?;
    forget(rq, &[staff.id]).await;
    Ok(staff)
}

async fn disable(rq: &RequestCtx, id: &ID) -> Result<identity::Staff> {
    let id = ids::input(id, "id")?;
    let staff = rq.write(async move |tx| identity::staff_disable(tx, id).await).await?;
    forget(rq, &[id]).await;
    Ok(staff)
}

async fn enable(rq: &RequestCtx, id: &ID) -> Result<identity::Staff> {
    let id = ids::input(id, "id")?;
    let staff = rq.write(async move |tx| identity::staff_enable(tx, id).await).await?;
    forget(rq, &[id]).await;
    Ok(staff)
}

async fn revoke(rq: &RequestCtx, id: &ID) -> Result<()> {
    let id = ids::input(id, "id")?;
    rq.write(async move |tx| identity::staff_invitation_revoke(tx, id).await)
        .await?;
    Ok(())
}

async fn update_role(rq: &RequestCtx, cmd: UpdateRole) -> Result<identity::Role> {
    let (role, holders) = rq
        .write(async move |tx| {
            let role = identity::role_update(tx, cmd.clone()).await?;
            let holders = identity::role_holders(tx, &role.code).await?;
            Ok((role, holders))
        })
        .await?;
    forget(rq, &holders).await;
    Ok(role)
}

/// This process looks anew at what they may do; others do within seconds.
async fn forget(rq: &RequestCtx, staff: &[StaffId]) {
    if let Some(tenant) = rq.tenant() {
        for id in staff {
            rq.app.authenticator.forget_staff(tenant, *id).await;
        }
    }
}

/// A colleague by a global id, for `node`.
pub async fn find_staff(rq: &RequestCtx, id: &ID) -> ApiResult<Option<Staff>> {
    let Some(id) = ids::query(id)? else { return Ok(None) };
    Ok(rq.read(async move |tx| identity::staff_find(tx, id).await).await?.map(Staff))
}
