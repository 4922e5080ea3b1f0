use async_graphql::{ID, InputObject, SimpleObject};
use trunkline_domain::identity::one_time::OneTimeToken;
use trunkline_domain::identity::{self, CreatePerson};
use trunkline_domain::kernel::db::Tenant;

use super::session_types::Session;
use super::staff_types::Staff;
use super::types::TenantProfile;
use crate::graphql::error::payload;
use crate::graphql::ids;
use crate::graphql::scalars::DateTime;

/// Your belonging to one ISP. The ISP learns of no other.
#[derive(SimpleObject)]
pub struct Membership {
    /// Names it, for you alone.
    id: ID,
    /// The ISP.
    tenant: TenantProfile,
    /// Where the ISP is, with the port if that is not the usual one.
    host: String,
    /// False while the ISP is suspended: then nobody gets in.
    open: bool,
    /// When you joined.
    joined_at: Option<DateTime>,
    /// When you last went there from here.
    last_entered_at: Option<DateTime>,
}

impl Membership {
    pub fn of(membership: &identity::Membership, tenant: &Tenant, host: String) -> Self {
        Self {
            id: ids::out(membership.id),
            tenant: tenant.into(),
            host,
            open: tenant.ensure_open().is_ok(),
            joined_at: membership.joined_at.map(DateTime),
            last_entered_at: membership.last_entered_at.map(DateTime),
        }
    }
}

/// Who makes an account, by which code of which ISP.
#[derive(InputObject)]
pub struct PersonCreateInput {
    /// The ISP's host name, as in the link that brought the code.
    pub host: String,
    /// Of an invitation, or of `staffLinkCreate`; good once.
    code: String,
    /// Your name, 1 to 120 characters.
    name: String,
    /// What you will sign in with on the platform's host, 10 to 200 characters.
    password: String,
}

impl From<PersonCreateInput> for CreatePerson {
    fn from(input: PersonCreateInput) -> Self {
        Self {
            code: input.code,
            name: input.name,
            password: input.password,
        }
    }
}

/// Which ISP to join, by which code of it.
#[derive(InputObject)]
pub struct MembershipJoinInput {
    /// The ISP's host name, as in the link that brought the code.
    pub host: String,
    /// Of an invitation, or of `staffLinkCreate`; good once.
    pub code: String,
}

/// Which ISP to leave.
#[derive(InputObject)]
pub struct MembershipLeaveInput {
    /// Of the membership.
    pub id: ID,
}

/// Where to go.
#[derive(InputObject)]
pub struct TenantSessionOpenInput {
    /// One of your own.
    pub membership_id: ID,
}

/// A way into an ISP, good once and for a minute.
#[derive(SimpleObject)]
pub struct TenantEntry {
    /// For `sessionExchange` on that host, and no other.
    code: String,
    /// The ISP's host, with the port if that is not the usual one.
    host: String,
    /// Until then it is good.
    expires_at: DateTime,
}

impl TenantEntry {
    pub fn of(token: &OneTimeToken, host: String) -> Self {
        Self {
            code: token.text(),
            host,
            expires_at: DateTime(token.expires_at),
        }
    }
}

/// What was brought from the platform's host.
#[derive(InputObject)]
pub struct SessionExchangeInput {
    /// Of `tenantSessionOpen`.
    pub code: String,
    /// True: tokens travel in HttpOnly, SameSite cookies and are null in the answer.
    #[graphql(default = false)]
    pub cookie: bool,
}

/// A code to take to the platform's host.
#[derive(SimpleObject)]
pub struct StaffLinkCode {
    /// Good once.
    code: String,
    /// Until then it is good.
    expires_at: DateTime,
}

impl From<OneTimeToken> for StaffLinkCode {
    fn from(token: OneTimeToken) -> Self {
        Self {
            code: token.text(),
            expires_at: DateTime(token.expires_at),
        }
    }
}

/// Whose way in from the platform's host ends.
#[derive(InputObject)]
pub struct StaffUnlinkInput {
    /// Who; yourself, too.
    pub id: ID,
}

payload!(PersonCreatePayload { membership: Membership });
payload!(MembershipJoinPayload { membership: Membership });
payload!(
    /// The membership that is over.
    MembershipLeavePayload { left_id: ID }
);
payload!(TenantSessionOpenPayload { entry: TenantEntry });
payload!(SessionExchangePayload { session: Session });
payload!(StaffLinkCreatePayload { link: StaffLinkCode });
payload!(StaffUnlinkPayload { staff: Staff });
