//! Passwords and sealing of secrets at rest.

use argon2::Argon2;
use argon2::password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash};
use sha2::{Digest, Sha256};
use trunkline_migration::Unsealable;
pub use trunkline_migration::{SealedBy, SecretKey};

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

impl From<Unsealable> for Error {
    fn from(e: Unsealable) -> Self {
        Self::internal(e)
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

    #[test]
    fn the_previous_key_opens_and_the_first_seals() {
        let (old, new) = (secret(1), secret(2));
        let both = new.with_previous(&[1; 32]).unwrap();
        let sealed = old.seal("signing", "kid-1", b"private").unwrap();
        assert_eq!(both.open("signing", "kid-1", &sealed).unwrap(), b"private");
        let again = both.seal("signing", "kid-1", b"private").unwrap();
        assert_eq!(new.open("signing", "kid-1", &again).unwrap(), b"private");
        assert_eq!(old.open("signing", "kid-1", &again), None);
        let by = |sealed: &[u8]| both.sealed_by(sealed);
        assert_eq!((by(&again), by(&sealed)), (SealedBy::Current, SealedBy::Previous));
        assert_eq!((new.sealed_by(&sealed), by(b"")), (SealedBy::Stranger, SealedBy::Stranger));
        assert_eq!(both.mac("x", b"y"), new.mac("x", b"y"));
        assert!(new.with_previous(&[1; 31]).is_none());
    }
}
