use async_graphql::{ID, InputObject, SimpleObject};
use trunkline_domain::identity::{self, Credentials};
use trunkline_domain::kernel::ids::UserSessionId;

use super::types::Viewer;
use crate::graphql::error::{UserError, payload};
use crate::graphql::ids;
use crate::graphql::scalars::DateTime;

/// Who signs in, and with what.
#[derive(InputObject)]
pub struct SessionCreateInput {
    /// Upper and lower case are the same.
    email: String,
    /// Up to 200 characters.
    password: String,
    /// Six digits, or a recovery code. Needed when two-factor sign-in is on; each is good once.
    totp_code: Option<String>,
    /// True: tokens travel in HttpOnly, SameSite cookies and are null in the answer.
    #[graphql(default = false)]
    pub cookie: bool,
}

impl From<SessionCreateInput> for Credentials {
    fn from(input: SessionCreateInput) -> Self {
        Self {
            login: input.email,
            password: input.password,
            totp_code: input.totp_code,
        }
    }
}

/// The portal's own password, never the network one.
#[derive(InputObject)]
pub struct SubscriberSessionCreateInput {
    /// Account number.
    login: String,
    /// As it was set for the portal.
    password: String,
    /// True: tokens travel in HttpOnly, SameSite cookies and are null in the answer.
    #[graphql(default = false)]
    pub cookie: bool,
}

impl From<SubscriberSessionCreateInput> for Credentials {
    fn from(input: SubscriberSessionCreateInput) -> Self {
        Self::new(input.login, input.password)
    }
}

/// Which session goes on.
#[derive(InputObject)]
pub struct SessionRefreshInput {
    /// Absent when it travels in a cookie.
    pub refresh_token: Option<String>,
}

/// Which session ends.
#[derive(InputObject)]
pub struct SessionEndInput {
    /// Of the session to end; absent when that is the one that asks, or when it travels in a cookie.
    pub refresh_token: Option<String>,
}

/// Which session is ended.
#[derive(InputObject)]
pub struct SessionRevokeInput {
    /// From the list of `sessions`.
    pub id: ID,
}

/// Whose sessions are ended.
#[derive(InputObject)]
pub struct SessionRevokeAllInput {
    /// A colleague; absent: your own, but for the one that asks.
    pub staff_id: Option<ID>,
}

/// Somebody's being signed in, as whoever has just signed in or refreshed gets it.
#[derive(SimpleObject)]
pub struct Session {
    /// Send it as `Authorization: Bearer <accessToken>`, to this host only. Null when it travels in a cookie.
    access_token: Option<String>,
    /// Good once, for `sessionRefresh` on this host. Null when it travels in a cookie.
    refresh_token: Option<String>,
    /// When the access token ends.
    expires_at: DateTime,
    /// When the refresh token ends, unless it is used before.
    refresh_expires_at: DateTime,
    /// Who signed in.
    viewer: Viewer,
}

impl Session {
    /// None for a session of nobody in particular, which there is not.
    pub fn of(session: identity::Session, in_cookies: bool) -> Option<Self> {
        let shown = |token: String| (!in_cookies).then_some(token);
        Some(Self {
            access_token: shown(session.access_token),
            refresh_token: shown(session.refresh_token),
            expires_at: DateTime(session.expires_at),
            refresh_expires_at: DateTime(session.refresh_expires_at),
            viewer: Viewer::of(session.viewer)?,
        })
    }
}

/// Where somebody is signed in.
#[derive(SimpleObject)]
pub struct UserSession {
    /// Names the session, to end it.
    id: ID,
    /// When the sign-in was.
    created_at: DateTime,
    /// The sign-in or the last refresh; use in between is not written down.
    last_used_at: DateTime,
    /// When it ends at the latest.
    expires_at: DateTime,
    /// Network address at the sign-in or the last refresh.
    address: Option<String>,
    /// How the browser or program named itself then.
    user_agent: Option<String>,
    /// Whether it is the session that asks.
    current: bool,
}

impl UserSession {
    pub fn of(session: identity::UserSession, current: UserSessionId) -> Self {
        Self {
            current: current == session.id,
            id: ids::out(session.id),
            created_at: DateTime(session.created_at),
            last_used_at: DateTime(session.last_used_at),
            expires_at: DateTime(session.expires_at),
            address: session.address,
            user_agent: session.user_agent,
        }
    }
}

/// How far two-factor sign-in is.
#[derive(SimpleObject)]
pub struct SecondFactor {
    /// Whether sign-in asks for a code.
    enabled: bool,
    /// Recovery codes that were not used yet.
    recovery_codes_left: i32,
}

impl From<identity::SecondFactor> for SecondFactor {
    fn from(factor: identity::SecondFactor) -> Self {
        Self {
            enabled: factor.enabled,
            recovery_codes_left: i32::try_from(factor.recovery_codes_left).unwrap_or(i32::MAX),
        }
    }
}

payload!(SessionCreatePayload { session: Session });
payload!(SubscriberSessionCreatePayload { session: Session });
payload!(SessionRefreshPayload { session: Session });
payload!(SessionRevokePayload { revoked_id: ID });
payload!(
    /// `ended`: how many sessions ended.
    SessionRevokeAllPayload { ended: i32 }
);

/// What became of a sign-out.
#[derive(SimpleObject)]
pub struct SessionEndPayload {
    /// Null when there was nothing to end.
    pub ended_id: Option<ID>,
    /// Business refusals; empty when it was done.
    pub user_errors: Vec<UserError>,
}
