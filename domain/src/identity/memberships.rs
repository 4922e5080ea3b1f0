//! A person's memberships, on the platform's side. What an ISP knows of one is its link alone: a random id that stands in
//! `staff.membership_link` there and nowhere else.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::FromQueryResult;
use uuid::Uuid;

use super::one_time::{self, OneTimeToken, Purpose};
use super::side::Side;
use super::totp;
use crate::kernel::actor::Actor;
use crate::kernel::db::{PlatformTx, Tenant};
use crate::kernel::error::{Error, Result};
use crate::kernel::ids::{AccountId, MembershipId};

/// For how long a code that leads to an ISP's host is good.
pub const ENTRY_LIFETIME: TimeDelta = TimeDelta::seconds(60);

/// Somebody's belonging to one ISP.
#[derive(Clone, Debug, PartialEq, FromQueryResult)]
pub struct Membership {
    pub id: MembershipId,
    pub account_id: AccountId,
    /// The ISP's number.
    pub tenant_id: i32,
    pub(super) link: Uuid,
    /// None while the ISP's side is not written.
    pub joined_at: Option<DateTime<Utc>>,
    /// When the person last came in from the platform's host.
    pub last_entered_at: Option<DateTime<Utc>>,
}

macro_rules! select_membership {
    ($tail:literal) => {
        concat!(
            "SELECT m.id, m.account_id, m.tenant_id, m.link, m.joined_at, m.last_entered_at FROM platform.membership m ",
            $tail
        )
    };
}

/// Whoever has signed in on the platform's host: platform staff, a director or a person.
pub(super) fn account_of(tx: &PlatformTx) -> Result<AccountId> {
    match tx.actor() {
        Actor::PlatformStaff { account, .. } | Actor::Director { account, .. } | Actor::Person { account, .. } => Ok(*account),
        Actor::Anonymous => Err(Error::Unauthenticated),
        Actor::System | Actor::Staff { .. } | Actor::Subscriber { .. } => Err(Error::Forbidden),
    }
}

/// One's own memberships, in the order in which they were made.
pub async fn memberships(tx: &PlatformTx) -> Result<Vec<Membership>> {
    let account = account_of(tx)?;
    tx.sql(select_membership!(
        "WHERE m.account_id = $1 AND m.joined_at IS NOT NULL AND m.ended_at IS NULL ORDER BY m.joined_at, m.id"
    ))
    .bind(account)
    .all()
    .await
}

/// One of one's own memberships.
pub async fn membership(tx: &PlatformTx, id: MembershipId, field: &str) -> Result<Membership> {
    let account = account_of(tx)?;
    tx.sql(select_membership!(
        "WHERE m.id = $1 AND m.account_id = $2 AND m.joined_at IS NOT NULL AND m.ended_at IS NULL"
    ))
    .bind(id)
    .bind(account)
    .optional()
    .await?
    .ok_or_else(|| Error::not_found(field))
}

/// One's membership of an ISP, or one that waits for the ISP's side.
pub(super) async fn prepare(tx: &PlatformTx, tenant: &Tenant) -> Result<MembershipId> {
    let account = account_of(tx)?;
    tx.sql(
        "INSERT INTO platform.membership (id, account_id, tenant_id, link, created_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (account_id, tenant_id) WHERE ended_at IS NULL DO NOTHING",
    )
    .bind(MembershipId::new())
    .bind(account)
    .bind(tenant.number())
    .bind(random_link())
    .bind(tx.now())
    .run()
    .await?;
    let id = tx
        .sql("SELECT id FROM platform.membership WHERE account_id = $1 AND tenant_id = $2 AND ended_at IS NULL")
        .bind(account)
        .bind(tenant.number())
        .scalar()
        .await?;
    id.ok_or_else(|| Error::internal("a membership that was made is not there"))
}

/// Not of version 7: that would tell when it was made, and two of one person's could be matched by it.
fn random_link() -> Uuid {
    uuid::Builder::from_random_bytes(rand::random()).into_uuid()
}

/// Holds a membership until the transaction ends; none when it has gone meanwhile.
pub(super) async fn lock(tx: &PlatformTx, id: MembershipId) -> Result<Option<Membership>> {
    tx.sql(select_membership!("WHERE m.id = $1 AND m.ended_at IS NULL FOR UPDATE"))
        .bind(id)
        .optional()
        .await
}

pub(super) async fn joined(tx: &PlatformTx, id: MembershipId) -> Result<()> {
    tx.sql("UPDATE platform.membership SET joined_at = $2 WHERE id = $1")
        .bind(id)
        .bind(tx.now())
        .run()
        .await?;
    tx.audit("membershipJoin", id.0, serde_json::json!({})).await
}

/// Takes a membership away to which the ISP did not agree.
pub(super) async fn discard(tx: &PlatformTx, id: MembershipId) -> Result<()> {
    tx.sql("DELETE FROM platform.membership WHERE id = $1 AND joined_at IS NULL")
        .bind(id)
        .run()
        .await?;
    Ok(())
}

/// Ends the membership of a link, and with it the codes that were made for it; false when there is none.
pub(super) async fn end(tx: &PlatformTx, link: Uuid, action: &'static str) -> Result<bool> {
    let ended: Option<Uuid> = tx
        .sql("UPDATE platform.membership SET ended_at = $2 WHERE link = $1 AND ended_at IS NULL RETURNING id")
        .bind(link)
        .bind(tx.now())
        .scalar()
        .await?;
    let Some(id) = ended else { return Ok(false) };
    one_time::withdraw(Side::Platform(tx), Purpose::TenantEntry, id).await?;
    tx.audit(action, id, serde_json::json!({})).await?;
    Ok(true)
}

/// A code by which the person comes in on the ISP's host.
pub(super) async fn issue_entry(tx: &PlatformTx, membership: &Membership) -> Result<OneTimeToken> {
    let token = one_time::issue(Side::Platform(tx), Purpose::TenantEntry, membership.id.0, ENTRY_LIFETIME).await?;
    let detail = serde_json::json!({ "tenant": membership.tenant_id });
    tx.audit("tenantSessionOpen", membership.id.0, detail).await?;
    Ok(token)
}

/// What a code is for, which is used up, whatever comes of it: shown on another host, it has been lost to somebody.
pub(super) async fn redeem_entry(tx: &PlatformTx, tenant: &Tenant, code: &str) -> Result<Option<Membership>> {
    let Some(id) = one_time::redeem(Side::Platform(tx), Purpose::TenantEntry, code).await? else {
        return Ok(None);
    };
    let membership: Option<Membership> = tx
        .sql(select_membership!(
            "JOIN platform.account a ON a.id = m.account_id
             WHERE m.id = $1 AND m.tenant_id = $2 AND m.joined_at IS NOT NULL AND m.ended_at IS NULL AND a.disabled_at IS NULL"
        ))
        .bind(id)
        .bind(tenant.number())
        .optional()
        .await?;
    let shown_at = serde_json::json!({ "tenant": tenant.number(), "good": membership.is_some() });
    tx.audit("sessionExchange", id, shown_at).await?;
    if membership.is_some() {
        tx.sql("UPDATE platform.membership SET last_entered_at = $2 WHERE id = $1")
            .bind(id)
            .bind(tx.now())
            .run()
            .await?;
    }
    Ok(membership)
}

/// Whether the person signs in on the platform's host with a second factor.
pub(super) async fn has_second_factor(tx: &PlatformTx, account: AccountId) -> Result<bool> {
    Ok(totp::status(Side::Platform(tx), account.0).await?.enabled)
}
