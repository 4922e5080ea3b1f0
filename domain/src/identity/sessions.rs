//! Sessions as rows: begun at sign-in, carried on by refresh tokens, over when they are not used for a while, at the latest
//! some time after the sign-in, or when somebody ends them.

use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::FromQueryResult;
use uuid::Uuid;

use super::authenticator::{Authenticator, SignedIn};
use super::authority::Authority;
use super::principal::Principal;
use super::refresh_token::RefreshToken;
use super::side::{Side, both};
use super::staff_change::changeable;
use crate::kernel::actor::{Actor, Permission};
use crate::kernel::db::{Tenant, TenantTx};
use crate::kernel::error::{Error, Result};
use crate::kernel::ids::{StaffId, UserSessionId};

/// From where somebody asks.
#[derive(Clone, Debug, Default)]
pub struct Client {
    pub address: Option<IpAddr>,
    /// As the browser or program names itself; shortened.
    pub user_agent: Option<String>,
}

/// How long a session lasts without a refresh, and at most.
struct Lifetime {
    idle: TimeDelta,
    most: TimeDelta,
}

/// Who works here signs in anew every month (NIST SP 800-63B, AAL1) and after a week away; a subscriber's portal may stay
/// signed in longer.
const fn lifetime(principal: Principal) -> Lifetime {
    let (idle, most) = match principal {
        Principal::Account(_) | Principal::Staff(_) => (7, 30),
        Principal::Subscriber(_) => (30, 180),
    };
    Lifetime {
        idle: TimeDelta::days(idle),
        most: TimeDelta::days(most),
    }
}

/// Why a session is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::Display)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum EndReason {
    SignedOut,
    /// Ended by its owner from another session, or by a colleague.
    Revoked,
    /// A refresh token was used twice.
    Reused,
    /// The password was changed or reset.
    Password,
    /// Its owner may no longer sign in.
    Disabled,
}

/// Somebody's being signed in on one device.
#[derive(Clone, Debug, PartialEq, FromQueryResult)]
pub struct UserSession {
    pub id: UserSessionId,
    pub address: Option<String>,
    pub user_agent: Option<String>,
    pub created_at: DateTime<Utc>,
    /// The sign-in or the last refresh.
    pub last_used_at: DateTime<Utc>,
    /// When it ends at the latest.
    pub expires_at: DateTime<Utc>,
}

/// A session that was begun or refreshed: its next refresh token, good until `idle_until`.
pub(super) struct Carried {
    pub principal: Principal,
    pub token: RefreshToken,
    pub idle_until: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
}

/// Begins a session.
pub(super) async fn open(side: Side<'_>, principal: Principal, client: &Client) -> Result<Carried> {
    let token = RefreshToken::first(UserSessionId::new());
    let now = side.now();
    let lifetime = lifetime(principal);
    let carried = Carried {
        principal,
        token,
        idle_until: now + lifetime.idle,
        expires_at: now + lifetime.most,
    };
    both!(side, "INSERT INTO " session " (id, principal_kind, principal_id, family_hash, refresh_hash, address, user_agent,
         created_at, last_used_at, idle_until, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, $9, $10)")
    .bind(token.session)
    .bind(principal.kind())
    .bind(principal.id())
    .bind(token.family_hash())
    .bind(token.hash())
    .bind(client.address.map(|a| a.to_canonical().to_string()))
    .bind(client.user_agent.clone())
    .bind(now)
    .bind(carried.idle_until)
    .bind(carried.expires_at)
    .run()
    .await?;
    Ok(carried)
}

#[derive(FromQueryResult)]
struct Row {
    principal_kind: String,
    principal_id: Uuid,
    family_hash: Vec<u8>,
    refresh_hash: Vec<u8>,
    idle_until: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    ended_at: Option<DateTime<Utc>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Good,
    /// A token of this session that another has taken the place of: two have it, and one of them stole it.
    Reused,
    Refused,
}

/// What a refresh token is worth. One that was used before ends its session even when that has expired meanwhile.
fn judge(row: &Row, token: &RefreshToken, now: DateTime<Utc>) -> Verdict {
    if row.family_hash != token.family_hash() || row.ended_at.is_some() {
        Verdict::Refused
    } else if row.refresh_hash != token.hash() {
        Verdict::Reused
    } else if now < row.idle_until.min(row.expires_at) {
        Verdict::Good
    } else {
        Verdict::Refused
    }
}

/// Trades a refresh token for its successor; none when it is not good. Of two callers with the same token the second finds
/// it used, and the session is over for both: there is no time of grace, since a thief could use it as well.
pub(super) async fn refresh(side: Side<'_>, token: RefreshToken, client: &Client) -> Result<Option<Carried>> {
    let row: Option<Row> = both!(side, "SELECT principal_kind, principal_id, family_hash, refresh_hash, idle_until, expires_at,
         ended_at FROM " session " WHERE id = $1 FOR UPDATE")
    .bind(token.session)
    .optional()
    .await?;
    let Some(row) = row else { return Ok(None) };
    let now = side.now();
    match judge(&row, &token, now) {
        Verdict::Good => {}
        Verdict::Refused => return Ok(None),
        Verdict::Reused => {
            end(side, token.session, EndReason::Reused).await?;
            let detail = serde_json::json!({ "address": client.address });
            side.audit("sessionReuse", token.session.0, detail).await?;
            return Ok(None);
        }
    }
    let principal = Principal::from_row(&row.principal_kind, row.principal_id)
        .ok_or_else(|| Error::internal("a session of nobody we know"))?;
    let next = token.next();
    let idle_until = (now + lifetime(principal).idle).min(row.expires_at);
    both!(side, "UPDATE " session " SET refresh_hash = $2, last_used_at = $3, idle_until = $4, address = $5, user_agent = $6
         WHERE id = $1")
    .bind(token.session)
    .bind(next.hash())
    .bind(now)
    .bind(idle_until)
    .bind(client.address.map(|a| a.to_canonical().to_string()))
    .bind(client.user_agent.clone())
    .run()
    .await?;
    Ok(Some(Carried {
        principal,
        token: next,
        idle_until,
        expires_at: row.expires_at,
    }))
}

/// The session that a refresh token carries on; of a used one too, for signing out harms nobody.
pub(super) async fn of_token(side: Side<'_>, token: &RefreshToken) -> Result<Option<UserSessionId>> {
    both!(side, "SELECT id FROM " session " WHERE id = $1 AND family_hash = $2")
        .bind(token.session)
        .bind(token.family_hash())
        .scalar()
        .await
}

/// Ends one session; false when it was over before.
pub(super) async fn end(side: Side<'_>, session: UserSessionId, reason: EndReason) -> Result<bool> {
    let ended = both!(side, "UPDATE " session " SET ended_at = $2, end_reason = $3 WHERE id = $1 AND ended_at IS NULL")
        .bind(session)
        .bind(side.now())
        .bind(reason.to_string())
        .run()
        .await?;
    Ok(ended == 1)
}

/// Ends all of somebody's sessions, but for `except`; how many. For use cases that have checked who may.
pub async fn end_all(side: Side<'_>, whose: Principal, except: Option<UserSessionId>, reason: EndReason) -> Result<u64> {
    both!(side, "UPDATE " session " SET ended_at = $4, end_reason = $5
         WHERE principal_id = $1 AND principal_kind = $2 AND ended_at IS NULL AND id IS DISTINCT FROM $3")
    .bind(whose.id())
    .bind(whose.kind())
    .bind(except)
    .bind(side.now())
    .bind(reason.to_string())
    .run()
    .await
}

impl Authenticator {
    /// See [`list`].
    pub async fn sessions(&self, host: Option<&Tenant>, who: &SignedIn, of: Option<StaffId>) -> Result<Option<Vec<UserSession>>> {
        self.0
            .write(host, who.actor.clone(), async move |side| list(side, of).await)
            .await
    }

    /// See [`revoke`].
    pub async fn session_revoke(&self, host: Option<&Tenant>, who: &SignedIn, id: UserSessionId) -> Result<UserSessionId> {
        self.0
            .write(host, who.actor.clone(), async move |side| revoke(side, id).await)
            .await?;
        self.forget_session(host, id);
        Ok(id)
    }

    /// See [`revoke_all`]; how many ended.
    pub async fn session_revoke_all(&self, host: Option<&Tenant>, who: &SignedIn, of: Option<StaffId>) -> Result<u64> {
        let current = who.session;
        let (whose, ended) = self
            .0
            .write(host, who.actor.clone(), async move |side| revoke_all(side, of, current).await)
            .await?;
        self.forget_principal(host, whose);
        Ok(ended)
    }
}

/// Sessions that are listed at most; older ones can be ended all at once.
const LISTED: i64 = 100;

/// The sessions that one has oneself, or with `staff:write` a colleague, the last begun first; none for a colleague that
/// there is not.
async fn list(side: Side<'_>, of: Option<StaffId>) -> Result<Option<Vec<UserSession>>> {
    let whose = whose(side, of)?;
    if !is_there(side, of).await? {
        return Ok(None);
    }
    let found = both!(side, "SELECT id, address, user_agent, created_at, last_used_at, expires_at FROM " session "
         WHERE principal_id = $1 AND principal_kind = $2 AND ended_at IS NULL AND idle_until > $3 AND expires_at > $3
         ORDER BY created_at DESC, id DESC LIMIT $4")
    .bind(whose.id())
    .bind(whose.kind())
    .bind(side.now())
    .bind(LISTED)
    .all()
    .await?;
    Ok(Some(found))
}

/// Ends one of one's own sessions, or with `staff:write` one of a colleague's who has nothing that one lacks.
async fn revoke(side: Side<'_>, id: UserSessionId) -> Result<()> {
    let me = side.principal()?;
    let found: Option<Owner> =
        both!(side, "SELECT principal_kind, principal_id FROM " session " WHERE id = $1 AND ended_at IS NULL")
            .bind(id)
            .optional()
            .await?;
    let owner = found.and_then(|o| Principal::from_row(&o.principal_kind, o.principal_id));
    if owner != Some(me) {
        let (Side::Tenant(tx), Some(Principal::Staff(colleague))) = (side, owner) else {
            return Err(Error::not_found("id"));
        };
        if !tx.actor().may(Permission::StaffWrite) {
            return Err(Error::not_found("id"));
        }
        require_authority(tx, colleague).await?;
    }
    end(side, id, EndReason::Revoked).await?;
    side.audit("sessionRevoke", id.0, serde_json::json!({ "of": owner.map(Principal::id) }))
        .await
}

/// Ends all of one's own sessions but the one that asks, or with `staff:write` all of a colleague's who has nothing that one
/// lacks; whose, and how many.
async fn revoke_all(side: Side<'_>, of: Option<StaffId>, current: UserSessionId) -> Result<(Principal, u64)> {
    let whose = whose(side, of)?;
    if !is_there(side, of).await? {
        return Err(Error::not_found("staffId"));
    }
    if let (Side::Tenant(tx), Principal::Staff(colleague)) = (side, whose)
        && whose != side.principal()?
    {
        require_authority(tx, colleague).await?;
    }
    let ended = end_all(side, whose, Some(current), EndReason::Revoked).await?;
    side.audit("sessionRevokeAll", whose.id(), serde_json::json!({ "ended": ended }))
        .await?;
    Ok((whose, ended))
}

fn whose(side: Side<'_>, of: Option<StaffId>) -> Result<Principal> {
    let me = side.principal()?;
    match (side, of) {
        (_, None) => Ok(me),
        (Side::Tenant(_), Some(id)) if matches!(side.actor(), Actor::Staff { id: own, .. } if *own == id) => Ok(me),
        (Side::Tenant(tx), Some(id)) => {
            tx.require(Permission::StaffWrite)?;
            Ok(Principal::Staff(id))
        }
        (Side::Platform(_), Some(_)) => Err(Error::not_found("staffId")),
    }
}

/// Whoever has less than somebody cannot keep them out.
async fn require_authority(tx: &TenantTx, colleague: StaffId) -> Result<()> {
    let authority = Authority::hold(tx, Permission::StaffWrite).await?;
    changeable(tx, &authority, colleague).await.map(|_| ())
}

async fn is_there(side: Side<'_>, of: Option<StaffId>) -> Result<bool> {
    let (Side::Tenant(tx), Some(staff)) = (side, of) else {
        return Ok(true);
    };
    let known: Option<i32> = tx.sql("SELECT 1 FROM staff WHERE id = $1").bind(staff).scalar().await?;
    Ok(known.is_some())
}

#[derive(FromQueryResult)]
struct Owner {
    principal_kind: String,
    principal_id: Uuid,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refresh_token_is_worth_what_its_row_says() {
        let now: DateTime<Utc> = "2026-04-01T00:00:00Z".parse().unwrap();
        let token = RefreshToken::first(UserSessionId::new());
        let row = |idle: i64, most: i64, ended: bool| Row {
            principal_kind: "STAFF".into(),
            principal_id: Uuid::nil(),
            family_hash: token.family_hash(),
            refresh_hash: token.hash(),
            idle_until: now + TimeDelta::seconds(idle),
            expires_at: now + TimeDelta::seconds(most),
            ended_at: ended.then_some(now),
        };
        let used = token.next();
        let stranger = RefreshToken::first(token.session);
        for (row, shown, verdict) in [
            (row(1, 1, false), token, Verdict::Good),
            (row(0, 1, false), token, Verdict::Refused),
            (row(1, 0, false), token, Verdict::Refused),
            (row(1, 1, true), token, Verdict::Refused),
            (row(1, 1, false), used, Verdict::Reused),
            (row(-9, -9, false), used, Verdict::Reused),
            (row(1, 1, true), used, Verdict::Refused),
            (row(1, 1, false), stranger, Verdict::Refused),
        ] {
            assert_eq!(judge(&row, &shown, now), verdict);
        }
    }
}
