//! The installation's secret keys, from which sealing keys are derived.

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac};
use sha2::Sha256;

/// The installation's master secret, and while it is being changed the one before: the first seals, both open. Cheap to
/// clone.
#[derive(Clone)]
pub struct SecretKey(std::sync::Arc<Ring>);

struct Ring {
    key: Key,
    previous: Option<Key>,
}

struct Key {
    /// In front of what it sealed.
    id: [u8; ID],
    bytes: Box<[u8]>,
}

const ID: usize = 4;
const NONCE: usize = 24;

/// Which key a value was sealed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SealedBy {
    /// The one that seals now.
    Current,
    Previous,
    /// One that we do not have.
    Stranger,
}

impl SecretKey {
    pub const MIN_LEN: usize = 32;

    pub fn new(bytes: &[u8]) -> Option<Self> {
        let key = Key::new(bytes)?;
        Some(Self(std::sync::Arc::new(Ring { key, previous: None })))
    }

    /// The same key, which also opens what `previous` sealed.
    pub fn with_previous(&self, previous: &[u8]) -> Option<Self> {
        let key = Key::new(self.bytes())?;
        let previous = Some(Key::new(previous)?);
        Some(Self(std::sync::Arc::new(Ring { key, previous })))
    }

    pub fn bytes(&self) -> &[u8] {
        &self.0.key.bytes
    }

    /// A key of its own for each purpose (HMAC-SHA256 as a pseudorandom function).
    pub fn derive(&self, purpose: &str) -> [u8; 32] {
        self.mac(purpose, b"")
    }

    /// A fingerprint of `data` that nobody can guess from without the key, such as a password's in an idempotency record.
    /// It changes with the key.
    pub fn mac(&self, purpose: &str, data: &[u8]) -> [u8; 32] {
        self.0.key.mac(purpose, data)
    }

    /// Encrypts a secret for storage (XChaCha20-Poly1305; the key's id and a random nonce in front). `context` says what it
    /// is and whose; the same must be given to open it, so that a sealed value cannot be moved to another row.
    pub fn seal(&self, purpose: &str, context: &str, secret: &[u8]) -> Result<Vec<u8>, Unsealable> {
        let nonce: [u8; NONCE] = rand::random();
        let payload = Payload {
            msg: secret,
            aad: context.as_bytes(),
        };
        let key = &self.0.key;
        let sealed = key
            .cipher(purpose)
            .encrypt(&XNonce::from(nonce), payload)
            .map_err(|_| Unsealable)?;
        Ok([key.id.as_slice(), &nonce, &sealed].concat())
    }

    /// What [`Self::seal`] sealed with any of our keys; none if it was sealed with another key, for another purpose or
    /// context, or tampered with.
    pub fn open(&self, purpose: &str, context: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        let (id, sealed) = sealed.split_first_chunk::<ID>()?;
        let (nonce, msg) = sealed.split_first_chunk::<NONCE>()?;
        let key = [Some(&self.0.key), self.0.previous.as_ref()]
            .into_iter()
            .flatten()
            .find(|k| k.id == *id)?;
        let aad = context.as_bytes();
        key.cipher(purpose).decrypt(&XNonce::from(*nonce), Payload { msg, aad }).ok()
    }

    /// Whose work a sealed value is.
    pub fn sealed_by(&self, sealed: &[u8]) -> SealedBy {
        match sealed.first_chunk::<ID>() {
            Some(id) if *id == self.0.key.id => SealedBy::Current,
            Some(id) if self.0.previous.as_ref().is_some_and(|k| k.id == *id) => SealedBy::Previous,
            _ => SealedBy::Stranger,
        }
    }
}

impl Key {
    fn new(bytes: &[u8]) -> Option<Self> {
        if bytes.len() < SecretKey::MIN_LEN {
            return None;
        }
        let mut key = Self {
            id: [0; ID],
            bytes: bytes.into(),
        };
        let [a, b, c, d, ..] = key.mac("key id", b"");
        key.id = [a, b, c, d];
        Some(key)
    }

    fn mac(&self, purpose: &str, data: &[u8]) -> [u8; 32] {
        #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&self.bytes).expect("any key length");
        mac.update(purpose.as_bytes());
        mac.update(&[0]);
        mac.update(data);
        mac.finalize().into_bytes().into()
    }

    fn cipher(&self, purpose: &str) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&self.mac(purpose, b"").into())
    }
}

/// A secret that is longer than the cipher can take.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("a secret could not be sealed")]
pub struct Unsealable;

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretKey(***)")
    }
}
