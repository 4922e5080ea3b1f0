//! One-time tokens: a secret that is sent to somebody and is good once, for one purpose, for a while. Only its hash is kept,
//! so neither the database nor its backups hold a token that could be used; the message that carries it holds it sealed.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::side::{Side, both};
use crate::kernel::crypto::SecretKey;
use crate::kernel::error::{Error, Result};

const SEALED_FOR: &str = "one-time token";
const SECRET: usize = 32;

/// What a token is good for. One made for another purpose is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::Display, Serialize, Deserialize)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum Purpose {
    PasswordReset,
    Invitation,
    /// A member of staff becomes known to who they are on the platform.
    StaffLink,
    /// A member comes in on an ISP's host from the platform's.
    TenantEntry,
}

/// A token as it is sent. Shown to nobody else.
pub struct OneTimeToken {
    id: Uuid,
    secret: [u8; SECRET],
    pub expires_at: DateTime<Utc>,
}

/// A token as a message in the outbox carries it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SealedToken {
    id: Uuid,
    sealed: String,
}

impl OneTimeToken {
    /// What its receiver enters or follows.
    pub fn text(&self) -> String {
        URL_SAFE_NO_PAD.encode([self.id.as_bytes().as_slice(), &self.secret].concat())
    }

    pub fn seal(&self, key: &SecretKey) -> Result<SealedToken> {
        let sealed = key.seal(SEALED_FOR, &self.id.to_string(), self.text().as_bytes())?;
        Ok(SealedToken {
            id: self.id,
            sealed: URL_SAFE_NO_PAD.encode(sealed),
        })
    }
}

impl SealedToken {
    /// The token's text, for the message to its receiver.
    pub fn open(&self, key: &SecretKey) -> Result<String> {
        let sealed = URL_SAFE_NO_PAD.decode(&self.sealed).map_err(Error::internal)?;
        key.open(SEALED_FOR, &self.id.to_string(), &sealed)
            .and_then(|text| String::from_utf8(text).ok())
            .ok_or_else(|| Error::internal("a one-time token cannot be unsealed"))
    }
}

/// Makes a token for `principal` (its id, of whatever kind the purpose implies). The last one of the same purpose is no
/// longer good.
pub async fn issue(side: Side<'_>, purpose: Purpose, principal: Uuid, lifetime: TimeDelta) -> Result<OneTimeToken> {
    let token = OneTimeToken {
        id: Uuid::now_v7(),
        secret: rand::random(),
        expires_at: side.now() + lifetime,
    };
    both!(side, "INSERT INTO " one_time_token " AS t (id, purpose, principal_id, hash, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (purpose, principal_id) DO UPDATE SET id = excluded.id,
             hash = excluded.hash, created_at = excluded.created_at, expires_at = excluded.expires_at, used_at = NULL")
    .bind(token.id)
    .bind(purpose.to_string())
    .bind(principal)
    .bind(hash(&token.secret))
    .bind(side.now())
    .bind(token.expires_at)
    .run()
    .await?;
    Ok(token)
}

/// Uses a token up: whose it was, or none when it is unknown, used, replaced, expired or for another purpose. Of two at once
/// one wins.
pub async fn redeem(side: Side<'_>, purpose: Purpose, text: &str) -> Result<Option<Uuid>> {
    let Some((id, secret)) = parse(text) else { return Ok(None) };
    both!(side, "UPDATE " one_time_token " SET used_at = $5
         WHERE id = $1 AND purpose = $2 AND hash = $3 AND used_at IS NULL AND expires_at > $4 RETURNING principal_id")
    .bind(id)
    .bind(purpose.to_string())
    .bind(hash(&secret))
    .bind(side.now())
    .bind(side.now())
    .scalar()
    .await
}

/// Takes an unused token of this purpose back.
pub async fn withdraw(side: Side<'_>, purpose: Purpose, principal: Uuid) -> Result<()> {
    both!(side, "DELETE FROM " one_time_token " WHERE purpose = $1 AND principal_id = $2")
        .bind(purpose.to_string())
        .bind(principal)
        .run()
        .await?;
    Ok(())
}

fn parse(text: &str) -> Option<(Uuid, [u8; SECRET])> {
    let bytes = URL_SAFE_NO_PAD.decode(text.trim()).ok()?;
    let (id, secret) = bytes.split_first_chunk::<16>()?;
    Some((Uuid::from_bytes(*id), secret.try_into().ok()?))
}

fn hash(secret: &[u8]) -> Vec<u8> {
    Sha256::digest(secret).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tokens_text_is_read_back_and_only_whole() {
        let token = OneTimeToken {
            id: Uuid::now_v7(),
            secret: [7; SECRET],
            expires_at: DateTime::UNIX_EPOCH,
        };
        let text = token.text();
        assert_eq!(parse(&text), Some((token.id, token.secret)));
        for bad in ["", "x", &text[1..], &text[..text.len() - 2], &format!("{text}AA")] {
            assert_eq!(parse(bad), None, "{bad}");
        }
        let key = SecretKey::new(&[1; 32]).unwrap();
        let sealed = token.seal(&key).unwrap();
        assert!(!sealed.sealed.contains(&text));
        assert_eq!(sealed.open(&key).unwrap(), text);
        assert!(sealed.open(&SecretKey::new(&[2; 32]).unwrap()).is_err());
    }
}
