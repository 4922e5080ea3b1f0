//! Passwords and sealing of secrets at rest.

use argon2::Argon2;
use argon2::password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash};
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

use super::error::{Error, Result};

/// Argon2id hash in PHC form (RFC 9106). Takes tens of milliseconds and 19 MiB; runs off the async threads.
pub async fn hash_password(password: &str) -> Result<String> {
    let password = password.to_owned();
    blocking(move || {
        Argon2::default()
            .hash_password(password.as_bytes())
            .map(|h| h.to_string())
            .map_err(|e| Error::internal(e.to_string()))
    })
    .await?
}

/// Whether `password` is the hashed one. Without a hash the same time is spent and the answer is no, so that the answer's
/// time does not tell whether an account exists.
pub async fn verify_password(password: &str, hash: Option<&str>) -> Result<bool> {
    let password = password.to_owned();
    let known = hash.is_some();
    let hash = hash.unwrap_or(NOBODY).to_owned();
    blocking(move || {
        let parsed = PasswordHash::new(&hash).map_err(|e| Error::internal(e.to_string()))?;
        Ok(Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok() && known)
    })
    .await?
}

/// The hash of no password: it has the parameters of ours, so that refusing an unknown name takes as long as a known one.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5bm9ib2R5$HqG3bTKGPMeeJyLTtmkVQ6X1nRB3LcPzMCLuVjE4sMs";

async fn blocking<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(f).await.map_err(Error::internal)
}

/// The installation's master secret, from which passwords of database roles and sealing keys are derived.
#[derive(Clone)]
pub struct SecretKey(std::sync::Arc<[u8]>);

impl SecretKey {
    pub const MIN_LEN: usize = 32;

    pub fn new(bytes: &[u8]) -> Option<Self> {
        (bytes.len() >= Self::MIN_LEN).then(|| Self(bytes.into()))
    }

    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// A key of its own for each purpose (HMAC-SHA256 as a pseudorandom function).
    pub fn derive(&self, purpose: &str) -> [u8; 32] {
        self.mac(purpose, b"")
    }

    /// A fingerprint of `data` that nobody can guess from without the key, such as a password's in an idempotency record.
    pub fn mac(&self, purpose: &str, data: &[u8]) -> [u8; 32] {
        #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&self.0).expect("any key length");
        mac.update(purpose.as_bytes());
        mac.update(&[0]);
        mac.update(data);
        mac.finalize().into_bytes().into()
    }

    /// Encrypts a secret for storage (XChaCha20-Poly1305, random nonce in front). `context` says what it is and whose; the
    /// same must be given to open it, so that a sealed value cannot be moved to another row.
    pub fn seal(&self, purpose: &str, context: &str, secret: &[u8]) -> Result<Vec<u8>> {
        let nonce: [u8; NONCE] = rand::random();
        let payload = Payload {
            msg: secret,
            aad: context.as_bytes(),
        };
        let sealed = self
            .cipher(purpose)
            .encrypt(&XNonce::from(nonce), payload)
            .map_err(|_| Error::internal("a secret could not be sealed"))?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    /// What [`Self::seal`] sealed; none if it was sealed with another key, for another purpose or context, or tampered with.
    pub fn open(&self, purpose: &str, context: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, msg) = sealed.split_first_chunk::<NONCE>()?;
        let aad = context.as_bytes();
        self.cipher(purpose).decrypt(&XNonce::from(*nonce), Payload { msg, aad }).ok()
    }

    fn cipher(&self, purpose: &str) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&self.derive(purpose).into())
    }
}

const NONCE: usize = 24;

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretKey(***)")
    }
}

/// Fingerprint of a mutation's input, to tell a replay from a reuse of its idempotency key.
pub fn fingerprint(input: &impl serde::Serialize) -> Result<Vec<u8>> {
    Ok(Sha256::digest(serde_json::to_vec(input)?).to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(byte: u8) -> SecretKey {
        SecretKey::new(&[byte; 32]).unwrap()
    }

    #[test]
    fn nobody_is_hashed_like_everybody() {
        let ours = Argon2::default().hash_password(b"a password").unwrap().to_string();
        let ours = PasswordHash::new(&ours).unwrap();
        let nobody = PasswordHash::new(NOBODY).unwrap();
        assert_eq!(nobody.algorithm, ours.algorithm);
        assert_eq!(nobody.version, ours.version);
        assert_eq!(nobody.params, ours.params);
        assert_eq!(nobody.hash.unwrap().len(), ours.hash.unwrap().len());
    }

    #[tokio::test]
    async fn passwords_are_verified() {
        let hash = hash_password("correct horse").await.unwrap();
        assert!(verify_password("correct horse", Some(&hash)).await.unwrap());
        assert!(!verify_password("correct horsf", Some(&hash)).await.unwrap());
        assert!(!verify_password("correct horse", None).await.unwrap());
    }

    #[test]
    fn sealed_secrets_open_only_where_they_belong() {
        let sealed = secret(1).seal("signing", "kid-1", b"private").unwrap();
        assert_eq!(secret(1).open("signing", "kid-1", &sealed).unwrap(), b"private");
        assert_eq!(secret(2).open("signing", "kid-1", &sealed), None);
        assert_eq!(secret(1).open("other", "kid-1", &sealed), None);
        assert_eq!(secret(1).open("signing", "kid-2", &sealed), None);
        for i in 0..sealed.len() {
            let mut tampered = sealed.clone();
            tampered[i] ^= 1;
            assert_eq!(secret(1).open("signing", "kid-1", &tampered), None);
        }
        assert_eq!(secret(1).open("signing", "kid-1", &sealed[..10]), None);
        assert_ne!(sealed, secret(1).seal("signing", "kid-1", b"private").unwrap());
    }
}
