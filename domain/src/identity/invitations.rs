use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::FromQueryResult;
use serde::Serialize;

use super::authority::{Authority, serialize};
use super::events::{StaffInvitationAccepted, StaffInvitationRevoked, StaffInvited};
use super::one_time::{self, Purpose};
use super::roles::role_find;
use super::staff::{NewStaff, Staff, insert, select_staff};
use crate::kernel::actor::{Actor, Permission};
use crate::kernel::check::Checks;
use crate::kernel::crypto::{SecretKey, hash_password};
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, ErrorCode, Result};
use crate::kernel::ids::{StaffId, StaffInvitationId};
use crate::kernel::page::{Page, PageRequest};

/// For how long an invitation is good.
const LIFETIME: TimeDelta = TimeDelta::days(7);
/// An ISP has no more open invitations than this.
const MAX_OPEN: i64 = 200;

/// Somebody who may come to work for an ISP by setting name and password.
#[derive(Clone, Debug, PartialEq, FromQueryResult)]
pub struct StaffInvitation {
    pub id: StaffInvitationId,
    pub email: String,
    pub role_code: String,
    /// None: the product itself.
    pub invited_by: Option<StaffId>,
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
}

macro_rules! select_invitation {
    ($tail:literal) => {
        concat!(
            "SELECT id, email, role_code, invited_by, created_at, expires_at FROM staff_invitation ",
            $tail
        )
    };
}

#[derive(Clone, Serialize)]
pub struct InviteStaff {
    pub email: String,
    /// Code of a role.
    pub role: String,
}

/// Invites an address to a role. Nobody grants what they lack. An earlier invitation of the same address ends. The message
/// that is to be sent carries the token sealed with `key`.
pub async fn staff_invite(tx: &TenantTx, mut cmd: InviteStaff, key: &SecretKey) -> Result<StaffInvitation> {
    let authority = Authority::hold(tx, Permission::StaffWrite).await?;
    let mut checks = Checks::new();
    cmd.email = checks.email(&cmd.email, "email");
    checks.done()?;
    let role = role_find(tx, &cmd.role).await?.ok_or_else(|| Error::not_found("role"))?;
    authority.require(&role)?;
    let known: Option<i32> = tx
        .sql("SELECT 1 FROM staff WHERE lower(email) = lower($1)")
        .bind(cmd.email.as_str())
        .scalar()
        .await?;
    if known.is_some() {
        return Err(Error::user(ErrorCode::Taken, "email", "Somebody here has this address."));
    }
    make_room(tx, &authority, &cmd.email).await?;
    let id = StaffInvitationId::new();
    let token = one_time::issue(tx.into(), Purpose::Invitation, id.0, LIFETIME).await?;
    let giver = match tx.actor() {
        Actor::Staff { id, .. } => Some(*id),
        _ => None,
    };
    tx.sql(
        "INSERT INTO staff_invitation (id, email, role_code, invited_by, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(id)
    .bind(cmd.email.as_str())
    .bind(cmd.role.as_str())
    .bind(giver)
    .bind(tx.now())
    .bind(token.expires_at)
    .run()
    .await?;
    tx.audit("staffInvite", id.0, &cmd).await?;
    let event = StaffInvited {
        invitation_id: id,
        email: cmd.email,
        token: token.seal(key)?,
        expires_at: token.expires_at,
    };
    tx.emit(&event).await?;
    tx.sql(select_invitation!("WHERE id = $1")).bind(id).one().await
}

/// Takes away what has expired and what this address has, and refuses more than there may be.
async fn make_room(tx: &TenantTx, authority: &Authority, email: &str) -> Result<()> {
    tx.sql("DELETE FROM staff_invitation WHERE expires_at <= $1")
        .bind(tx.now())
        .run()
        .await?;
    let earlier: Option<StaffInvitation> = tx
        .sql(select_invitation!("WHERE lower(email) = lower($1)"))
        .bind(email)
        .optional()
        .await?;
    if let Some(earlier) = earlier {
        withdraw(tx, authority, &earlier).await?;
    }
    let open: i64 = tx.sql("SELECT count(*) FROM staff_invitation").scalar().await?.unwrap_or(0);
    if open >= MAX_OPEN {
        let message = format!("A provider has at most {MAX_OPEN} open invitations; revoke some.");
        return Err(Error::user(ErrorCode::LimitExceeded, "", message));
    }
    Ok(())
}

/// Takes an open invitation back.
pub async fn staff_invitation_revoke(tx: &TenantTx, id: StaffInvitationId) -> Result<StaffInvitationId> {
    let authority = Authority::hold(tx, Permission::StaffWrite).await?;
    let invitation: StaffInvitation = tx
        .sql(select_invitation!("WHERE id = $1 AND expires_at > $2"))
        .bind(id)
        .bind(tx.now())
        .optional()
        .await?
        .ok_or_else(|| Error::not_found("id"))?;
    withdraw(tx, &authority, &invitation).await?;
    Ok(id)
}

async fn withdraw(tx: &TenantTx, authority: &Authority, invitation: &StaffInvitation) -> Result<()> {
    let role = role_find(tx, &invitation.role_code).await?;
    if let Some(role) = role {
        authority.require(&role)?;
    }
    let id = invitation.id;
    one_time::withdraw(tx.into(), Purpose::Invitation, id.0).await?;
    tx.sql("DELETE FROM staff_invitation WHERE id = $1").bind(id).run().await?;
    let detail = serde_json::json!({ "email": invitation.email, "role": invitation.role_code });
    tx.audit("staffInvitationRevoke", id.0, detail).await?;
    tx.emit(&StaffInvitationRevoked { invitation_id: id }).await
}

#[derive(Clone)]
pub struct AcceptStaffInvitation {
    pub token: String,
    pub name: String,
    pub password: String,
}

/// Whoever holds the token comes to work here, under the address and with the role that they were invited to. Whatever is
/// wrong with the token, the answer is the same.
pub async fn staff_invitation_accept(tx: &TenantTx, mut cmd: AcceptStaffInvitation) -> Result<Staff> {
    tx.tenant().ensure_open()?;
    let mut checks = Checks::new();
    cmd.name = checks.line(&cmd.name, 120, "name");
    checks.password(&cmd.password, "password");
    checks.done()?;
    // Only who holds a token makes us hash a password, which costs.
    let invitation = redeem(tx, &cmd.token).await?;
    let password_hash = hash_password(&cmd.password).await?;
    take_on(tx, &invitation, &cmd.name, password_hash).await
}

/// Makes the member of staff that an invitation which was redeemed is for.
pub(super) async fn take_on(tx: &TenantTx, invitation: &StaffInvitation, name: &str, password_hash: String) -> Result<Staff> {
    let id = StaffId::new();
    let staff = NewStaff {
        name,
        email: &invitation.email,
        password_hash,
        role: &invitation.role_code,
    };
    insert(tx, id, staff).await?;
    let detail = serde_json::json!({ "invitation": invitation.id, "name": name, "role": invitation.role_code });
    tx.audit("staffInvitationAccept", id.0, detail).await?;
    tx.emit(&StaffInvitationAccepted {
        invitation_id: invitation.id,
        staff_id: id,
    })
    .await?;
    tx.sql(select_staff!("WHERE id = $1")).bind(id).one().await
}

/// The open invitation of a token, which is used up. It is worth what its giver could give now: who was disabled, or lost
/// rights, has invited nobody to them.
pub(super) async fn redeem(tx: &TenantTx, token: &str) -> Result<StaffInvitation> {
    serialize(tx).await?;
    let id = one_time::redeem(tx.into(), Purpose::Invitation, token).await?;
    let found: Option<StaffInvitation> = tx
        .sql(select_invitation!(
            "WHERE id = $1 AND expires_at > $2 AND (invited_by IS NULL OR EXISTS (
                 SELECT 1 FROM staff s JOIN role g ON g.code = s.role_code JOIN role r ON r.code = staff_invitation.role_code
                 WHERE s.id = staff_invitation.invited_by AND s.disabled_at IS NULL AND 'staff:write' = ANY (g.permissions)
                   AND r.permissions <@ g.permissions AND (r.code <> 'owner' OR g.code = 'owner')))"
        ))
        .bind(id)
        .bind(tx.now())
        .optional()
        .await?;
    let Some(invitation) = found else {
        let message = "This invitation is not, or no longer, good; ask for another one.";
        return Err(Error::user(ErrorCode::InvalidCredentials, "token", message));
    };
    tx.sql("DELETE FROM staff_invitation WHERE id = $1")
        .bind(invitation.id)
        .run()
        .await?;
    Ok(invitation)
}

/// Invitations are listed in the order in which they were made.
pub type StaffInvitationKey = (DateTime<Utc>, StaffInvitationId);

/// Those that are open.
pub async fn staff_invitations(tx: &TenantTx, page: PageRequest<StaffInvitationKey>) -> Result<Page<StaffInvitation>> {
    tx.require(Permission::StaffRead)?;
    let (created_at, id) = page.after.unzip();
    let rows = tx
        .sql(select_invitation!(
            "WHERE expires_at > $1 AND ($2::timestamptz IS NULL OR (created_at, id) > ($2, $3)) ORDER BY created_at, id LIMIT $4"
        ))
        .bind(tx.now())
        .bind(created_at)
        .bind(id)
        .bind(page.limit() as i64)
        .all()
        .await?;
    Ok(Page::from_rows(&page, rows))
}

pub async fn staff_invitation_count(tx: &TenantTx) -> Result<i64> {
    tx.require(Permission::StaffRead)?;
    Ok(tx
        .sql("SELECT count(*) FROM staff_invitation WHERE expires_at > $1")
        .bind(tx.now())
        .scalar()
        .await?
        .unwrap_or(0))
}
