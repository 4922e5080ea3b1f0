//! Access tokens: JWT (RFC 7519) signed with Ed25519 (RFC 8037). The algorithm is pinned; time is the product's clock, not
//! the library's.

use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::kernel::db::Tenant;
use crate::kernel::error::{Error, Result};
use crate::kernel::ids::UserSessionId;

/// How long an access token is good.
pub const LIFETIME: TimeDelta = TimeDelta::minutes(15);

/// Longer texts are no token of ours.
const MAX_LEN: usize = 2048;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum Kind {
    PlatformStaff,
    Director,
    Person,
    TenantStaff,
    Subscriber,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Claims {
    /// The installation.
    pub iss: String,
    /// `platform`, or the tenant's uid.
    pub aud: String,
    pub sub: Uuid,
    pub kind: Kind,
    /// The session; when it is over, so is the token.
    pub sid: UserSessionId,
    pub iat: i64,
    pub exp: i64,
    pub jti: Uuid,
}

/// For whom a token is meant: the host that it may be shown to.
pub(super) fn audience(host: Option<&Tenant>) -> String {
    host.map_or_else(|| "platform".into(), |tenant| tenant.id().0.to_string())
}

impl Claims {
    pub fn new(iss: &str, aud: String, kind: Kind, sub: Uuid, sid: UserSessionId, now: DateTime<Utc>) -> Self {
        Self {
            iss: iss.to_owned(),
            aud,
            sub,
            kind,
            sid,
            iat: now.timestamp(),
            exp: (now + LIFETIME).timestamp(),
            jti: Uuid::now_v7(),
        }
    }

    /// No token outlasts its session.
    pub fn until(mut self, session_ends: DateTime<Utc>) -> Self {
        self.exp = self.exp.min(session_ends.timestamp());
        self
    }
}

pub(super) fn sign(claims: &Claims, kid: &str, key: &EncodingKey) -> Result<String> {
    let mut header = Header::new(Algorithm::EdDSA);
    header.kid = Some(kid.to_owned());
    jsonwebtoken::encode(&header, claims, key).map_err(Error::internal)
}

/// The key that a token says it is signed with.
pub(super) fn kid(token: &str) -> Result<String> {
    let header = (token.len() <= MAX_LEN).then(|| jsonwebtoken::decode_header(token));
    match header {
        Some(Ok(header)) if header.alg == Algorithm::EdDSA => header.kid.ok_or(Error::Unauthenticated),
        _ => Err(Error::Unauthenticated),
    }
}

/// What a token says, if it is signed with `key`, meant for `audience` and not expired.
pub(super) fn verify(token: &str, key: &DecodingKey, iss: &str, audience: &str, now: DateTime<Utc>) -> Result<Claims> {
    let mut rules = Validation::new(Algorithm::EdDSA);
    rules.set_issuer(&[iss]);
    rules.set_audience(&[audience]);
    rules.set_required_spec_claims(&["iss", "aud", "sub", "exp"]);
    // Decided below, against the product's clock.
    rules.validate_exp = false;
    rules.validate_nbf = false;
    let claims = jsonwebtoken::decode::<Claims>(token, key, &rules)
        .map_err(|_| Error::Unauthenticated)?
        .claims;
    holds(&claims, iss, audience, now)?;
    Ok(claims)
}

/// Whether what a token says is meant for this host and not over; its signature has been checked.
pub(super) fn holds(claims: &Claims, iss: &str, audience: &str, now: DateTime<Utc>) -> Result<()> {
    let good = claims.iss == iss && claims.aud == audience && now.timestamp() < claims.exp;
    if good { Ok(()) } else { Err(Error::Unauthenticated) }
}

#[cfg(test)]
#[path = "token_tests.rs"]
pub(super) mod tests;
