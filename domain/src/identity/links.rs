//! Memberships as the ISP has them: a link beside a member of staff, and nothing of who that is elsewhere.

use chrono::TimeDelta;
use sea_orm::FromQueryResult;
use uuid::Uuid;

use super::authority::{Authority, serialize};
use super::events::{StaffEntered, StaffLinked, StaffUnlinked};
use super::invitations::{redeem, take_on};
use super::one_time::{self, OneTimeToken, Purpose};
use super::principal::Principal;
use super::sessions::{EndReason, end_all};
use super::staff::{Staff, select_staff};
use super::staff_change::changeable;
use super::totp;
use crate::kernel::actor::{Actor, Permission};
use crate::kernel::crypto::hash_password;
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, ErrorCode, Result};
use crate::kernel::ids::StaffId;

/// For how long a code is good that is carried to the platform's host.
const CODE_LIFETIME: TimeDelta = TimeDelta::minutes(10);

/// A code by which oneself, being staff here, is linked to whoever shows it on the platform's host.
pub async fn staff_link_create(tx: &TenantTx) -> Result<OneTimeToken> {
    let id = oneself(tx)?;
    let token = one_time::issue(tx.into(), Purpose::StaffLink, id.0, CODE_LIFETIME).await?;
    tx.audit("staffLinkCreate", id.0, serde_json::json!({})).await?;
    Ok(token)
}

fn oneself(tx: &TenantTx) -> Result<StaffId> {
    match tx.actor() {
        Actor::Staff { id, .. } => Ok(*id),
        Actor::Anonymous => Err(Error::Unauthenticated),
        _ => Err(Error::Forbidden),
    }
}

/// What a code that is shown on the platform's host would lead to: the address of the invitation or of the member of staff.
/// Uses the code up: for a transaction that is not committed.
pub(super) async fn address_of_code(tx: &TenantTx, code: &str) -> Result<String> {
    if let Some(id) = one_time::redeem(tx.into(), Purpose::StaffLink, code).await? {
        let email: Option<String> = tx
            .sql("SELECT email FROM staff WHERE id = $1 AND disabled_at IS NULL AND membership_link IS NULL")
            .bind(id)
            .scalar()
            .await?;
        return email.ok_or_else(refused);
    }
    Ok(redeem(tx, code).await.map_err(as_code)?.email)
}

/// Writes the ISP's side of a membership: by an invitation whoever holds it comes to work here under `name`, by a link code a
/// member of staff is linked. Doing it again for the same link does nothing.
pub(super) async fn join(tx: &TenantTx, code: &str, link: Uuid, name: &str) -> Result<()> {
    serialize(tx).await?;
    if by_link(tx, link).await?.is_some() {
        return Ok(());
    }
    let staff = match one_time::redeem(tx.into(), Purpose::StaffLink, code).await? {
        Some(id) => StaffId(id),
        None => {
            let invitation = redeem(tx, code).await.map_err(as_code)?;
            // Nobody knows it: this one signs in on the platform's host until they set another.
            let password: [u8; 32] = rand::random();
            let hash = hash_password(&hex::encode(password)).await?;
            take_on(tx, &invitation, name, hash).await?.id
        }
    };
    let linked = tx
        .sql("UPDATE staff SET membership_link = $2 WHERE id = $1 AND disabled_at IS NULL AND membership_link IS NULL")
        .bind(staff)
        .bind(link)
        .run()
        .await?;
    if linked == 0 {
        return Err(refused());
    }
    tx.audit("staffLink", staff.0, serde_json::json!({})).await?;
    tx.emit(&StaffLinked { staff_id: staff }).await
}

/// A member of staff whom a link names.
#[derive(Clone, Debug, FromQueryResult)]
pub(super) struct Linked {
    pub id: StaffId,
    pub name: String,
    pub disabled: bool,
}

pub(super) async fn by_link(tx: &TenantTx, link: Uuid) -> Result<Option<Linked>> {
    tx.sql("SELECT id, name, disabled_at IS NOT NULL AS disabled FROM staff WHERE membership_link = $1")
        .bind(link)
        .optional()
        .await
}

/// Whether somebody signs in here with a second factor.
pub(super) async fn has_second_factor(tx: &TenantTx, id: StaffId) -> Result<bool> {
    Ok(totp::status(tx.into(), id.0).await?.enabled)
}

/// Writes down that somebody has come in from the platform's host. The transaction is theirs.
pub(super) async fn entered(tx: &TenantTx, id: StaffId) -> Result<()> {
    tx.audit("sessionExchange", id.0, serde_json::json!({ "from": "platform" }))
        .await?;
    tx.emit(&StaffEntered { staff_id: id }).await
}

/// Ends the ISP's side of a membership that its person has ended.
pub(super) async fn leave(tx: &TenantTx, link: Uuid) -> Result<Option<StaffId>> {
    serialize(tx).await?;
    match by_link(tx, link).await? {
        Some(linked) => unlink(tx, linked.id, "staffLeave").await.map(|()| Some(linked.id)),
        None => Ok(None),
    }
}

/// Ends somebody's way in from the platform's host: one's own, or that of a colleague who has nothing that one lacks. They
/// keep what they sign in with here. Gives the link that is over, if there was one.
pub(super) async fn staff_unlink(tx: &TenantTx, id: StaffId) -> Result<(Staff, Option<Uuid>)> {
    if oneself(tx)? == id {
        serialize(tx).await?;
    } else {
        let authority = Authority::hold(tx, Permission::StaffWrite).await?;
        changeable(tx, &authority, id).await?;
    }
    let link: Option<Option<Uuid>> = tx
        .sql("SELECT membership_link FROM staff WHERE id = $1")
        .bind(id)
        .scalar()
        .await?;
    let link = link.flatten();
    if link.is_some() {
        unlink(tx, id, "staffUnlink").await?;
    }
    Ok((tx.sql(select_staff!("WHERE id = $1")).bind(id).one().await?, link))
}

async fn unlink(tx: &TenantTx, id: StaffId, action: &'static str) -> Result<()> {
    tx.sql("UPDATE staff SET membership_link = NULL WHERE id = $1")
        .bind(id)
        .run()
        .await?;
    end_all(tx.into(), Principal::Staff(id), None, EndReason::Revoked).await?;
    tx.audit(action, id.0, serde_json::json!({})).await?;
    tx.emit(&StaffUnlinked { staff_id: id }).await
}

/// A code that is good for nothing.
pub fn refused() -> Error {
    Error::user(
        ErrorCode::InvalidCredentials,
        "code",
        "This code is not, or no longer, good for this provider; ask for another one.",
    )
}

/// What is wrong with an invitation's token is wrong with the code.
fn as_code(e: Error) -> Error {
    match e {
        Error::User(errors) if errors.iter().any(|e| e.code == ErrorCode::InvalidCredentials) => refused(),
        other => other,
    }
}
