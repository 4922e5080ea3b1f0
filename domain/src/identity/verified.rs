use std::sync::Arc;

use chrono::{DateTime, Utc};
use jsonwebtoken::DecodingKey;
use moka::future::Cache;
use sha2::{Digest, Sha256};

use super::token::{self, Claims};
use crate::kernel::error::Result;

/// Checking a signature takes as long as a small query, and a token is shown with every request of its fifteen minutes.
const REMEMBERED: u64 = 20_000;

/// Tokens whose signature was found good. It remembers what they say and nothing of whether that still holds: key, host, time,
/// session and rights are looked at for every request.
pub(super) struct Verified(Cache<[u8; 32], Arc<Claims>>);

impl Default for Verified {
    fn default() -> Self {
        let lifetime = token::LIFETIME.to_std().unwrap_or_default();
        Self(Cache::builder().max_capacity(REMEMBERED).time_to_live(lifetime).build())
    }
}

impl Verified {
    /// As [`token::verify`]. `key` is the one that the token names, and is one of ours at this moment.
    pub async fn claims(
        &self,
        token: &str,
        key: &DecodingKey,
        iss: &str,
        audience: &str,
        now: DateTime<Utc>,
    ) -> Result<Arc<Claims>> {
        // Of the whole token: its head names the key, and its tail is the signature that was checked.
        let hash: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        if let Some(known) = self.0.get(&hash).await {
            token::holds(&known, iss, audience, now)?;
            return Ok(known);
        }
        let claims = Arc::new(token::verify(token, key, iss, audience, now)?);
        self.0.insert(hash, claims.clone()).await;
        Ok(claims)
    }
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::SigningKey;
    use ed25519_dalek::pkcs8::EncodePrivateKey;
    use jsonwebtoken::EncodingKey;

    use super::*;
    use crate::identity::token::tests::claims;

    #[tokio::test]
    async fn what_is_remembered_holds_no_longer_and_nowhere_else_than_the_token() {
        let signing = SigningKey::from_bytes(&[1; 32]);
        let key = DecodingKey::from_ed_der(signing.verifying_key().as_bytes());
        let encoding = EncodingKey::from_ed_der(signing.to_pkcs8_der().unwrap().as_bytes());
        let now: DateTime<Utc> = "2026-04-01T00:00:00Z".parse().unwrap();
        let text = token::sign(&claims(now), "k1", &encoding).unwrap();
        let verified = Verified::default();
        for _ in 0..2 {
            assert!(verified.claims(&text, &key, "inst", "platform", now).await.is_ok());
            assert!(verified.claims(&text, &key, "other", "platform", now).await.is_err());
            assert!(verified.claims(&text, &key, "inst", "0193-tenant", now).await.is_err());
            assert!(
                verified
                    .claims(&text, &key, "inst", "platform", now + token::LIFETIME)
                    .await
                    .is_err()
            );
            let forged = format!("{}A", &text[..text.len() - 1]);
            assert!(forged == text || verified.claims(&forged, &key, "inst", "platform", now).await.is_err());
        }
    }
}
