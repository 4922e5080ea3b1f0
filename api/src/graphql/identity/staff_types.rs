use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object, SimpleObject};
use trunkline_domain::Result;
use trunkline_domain::identity::{self, AcceptStaffInvitation, CreateStaff, InviteStaff, UpdateStaff};
use trunkline_domain::kernel::ids::StaffId;

use crate::graphql::ctx::{CtxExt, lookup};
use crate::graphql::error::{ApiResult, payload};
use crate::graphql::ids;
use crate::graphql::page::connection;
use crate::graphql::scalars::{DateTime, patch};

/// A person who works for the tenant.
pub struct Staff(pub identity::Staff);

impl From<identity::Staff> for Staff {
    fn from(staff: identity::Staff) -> Self {
        Self(staff)
    }
}

/// A person who works for the tenant.
#[Object]
impl Staff {
    /// Names them everywhere.
    pub async fn id(&self) -> ID {
        ids::out(self.0.id)
    }

    /// The person's name.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// Signs in with it; unique within the tenant regardless of case.
    async fn email(&self) -> &str {
        &self.0.email
    }

    /// Code of the role that gives this person's permissions.
    async fn role(&self) -> &str {
        &self.0.role_code
    }

    /// Null while the person may sign in.
    async fn disabled_at(&self) -> Option<DateTime> {
        self.0.disabled_at.map(DateTime)
    }

    /// Whether the person may come in from the platform's host, by `tenantSessionOpen` there.
    async fn linked(&self) -> bool {
        self.0.linked
    }

    /// When the person came to work here.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// Pass it as `expectedVersion` when you change what you have read.
    async fn version(&self) -> i32 {
        self.0.version
    }
}

connection!(StaffConnection, StaffEdge, Staff);

lookup!(StaffId => identity::Staff, identity::staff_by_ids, |staff| staff.id);

/// Somebody to take on, with a password of your choice. `staffInvite` lets them choose it.
#[derive(InputObject)]
pub struct StaffCreateInput {
    /// The person's name, 1 to 120 characters.
    name: String,
    /// Signs in with it; unique within the tenant.
    email: String,
    /// 10 to 200 characters.
    password: String,
    /// Code of a role that allows nothing that you lack yourself.
    role: String,
}

impl From<StaffCreateInput> for CreateStaff {
    fn from(input: StaffCreateInput) -> Self {
        Self {
            name: input.name,
            email: input.email,
            password: input.password,
            role: input.role,
        }
    }
}

/// Absent fields stay as they are.
#[derive(InputObject)]
pub struct StaffUpdateInput {
    /// Who.
    id: ID,
    /// `Staff.version` as you read it; STALE_VERSION when it has changed since.
    expected_version: i32,
    /// The person's name, 1 to 120 characters.
    name: MaybeUndefined<String>,
    /// Code of a role that allows nothing that you lack yourself.
    role: MaybeUndefined<String>,
}

impl StaffUpdateInput {
    pub fn command(self) -> Result<UpdateStaff> {
        Ok(UpdateStaff {
            id: ids::input(&self.id, "id")?,
            expected_version: self.expected_version,
            name: patch(self.name, |v| v),
            role: patch(self.role, |v| v),
        })
    }
}

/// Whom to keep out.
#[derive(InputObject)]
pub struct StaffDisableInput {
    /// Who.
    pub id: ID,
}

/// Whom to let in again.
#[derive(InputObject)]
pub struct StaffEnableInput {
    /// Who.
    pub id: ID,
}

/// An open invitation to work for the tenant.
pub struct StaffInvitation(identity::StaffInvitation);

impl From<identity::StaffInvitation> for StaffInvitation {
    fn from(invitation: identity::StaffInvitation) -> Self {
        Self(invitation)
    }
}

/// An open invitation to work for the tenant.
#[Object]
impl StaffInvitation {
    /// Names it everywhere.
    async fn id(&self) -> ID {
        ids::out(self.0.id)
    }

    /// Where the invitation was sent, and what the person will sign in with.
    async fn email(&self) -> &str {
        &self.0.email
    }

    /// Code of the role that the person will have.
    async fn role(&self) -> &str {
        &self.0.role_code
    }

    /// Who invited. The invitation is good for as long as they may give the role themselves.
    async fn invited_by(&self, ctx: &Context<'_>) -> ApiResult<Option<Staff>> {
        match self.0.invited_by {
            Some(id) => Ok(ctx.rq().loader().load_one(id).await?.map(Staff)),
            None => Ok(None),
        }
    }

    /// When it was sent.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// From then on nobody can accept it.
    async fn expires_at(&self) -> DateTime {
        DateTime(self.0.expires_at)
    }
}

connection!(StaffInvitationConnection, StaffInvitationEdge, StaffInvitation);

/// Whom to invite, and to what.
#[derive(InputObject)]
pub struct StaffInviteInput {
    /// Nobody here has it yet. An earlier invitation of this address ends.
    email: String,
    /// Code of a role that allows nothing that you lack yourself.
    role: String,
}

impl From<StaffInviteInput> for InviteStaff {
    fn from(input: StaffInviteInput) -> Self {
        Self {
            email: input.email,
            role: input.role,
        }
    }
}

/// Which invitation to take back.
#[derive(InputObject)]
pub struct StaffInvitationRevokeInput {
    /// Which invitation.
    pub id: ID,
}

/// What an invited person says.
#[derive(InputObject)]
pub struct StaffInvitationAcceptInput {
    /// From the link that was sent; good once.
    token: String,
    /// Your name, 1 to 120 characters.
    name: String,
    /// What you will sign in with, 10 to 200 characters.
    password: String,
}

impl From<StaffInvitationAcceptInput> for AcceptStaffInvitation {
    fn from(input: StaffInvitationAcceptInput) -> Self {
        Self {
            token: input.token,
            name: input.name,
            password: input.password,
        }
    }
}

/// The invitation that was taken back.
#[derive(SimpleObject)]
pub struct StaffInvitationRevokePayload {
    /// The id that it had; null when refused.
    pub revoked_id: Option<ID>,
    /// Business refusals; empty when it was done.
    pub user_errors: Vec<crate::graphql::error::UserError>,
}

payload!(StaffCreatePayload { staff: Staff });
payload!(StaffUpdatePayload { staff: Staff });
payload!(StaffDisablePayload { staff: Staff });
payload!(StaffEnablePayload { staff: Staff });
payload!(StaffInvitePayload {
    invitation: StaffInvitation
});
payload!(StaffInvitationAcceptPayload { staff: Staff });
