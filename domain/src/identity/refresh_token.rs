//! Refresh tokens. Each is its session's id, 256 random bits that all tokens of the session share (the family), and 256 more
//! that only the last one has. Whoever shows the family's bits with other last ones shows a token that was used before: that
//! is told from a forgery without keeping the used ones, and nobody who merely knows the id can end the session.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::kernel::ids::UserSessionId;

const HALF: usize = 32;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct RefreshToken {
    pub session: UserSessionId,
    family: [u8; HALF],
    last: [u8; HALF],
}

impl RefreshToken {
    /// The first one of a new session.
    pub fn first(session: UserSessionId) -> Self {
        Self {
            session,
            family: rand::random(),
            last: rand::random(),
        }
    }

    /// The one that takes this one's place.
    pub fn next(self) -> Self {
        Self {
            last: rand::random(),
            ..self
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        // 107 characters; the longest that is looked at bounds the work.
        let bytes = (text.len() <= 128).then(|| URL_SAFE_NO_PAD.decode(text.trim()).ok())??;
        let (id, rest) = bytes.split_first_chunk::<16>()?;
        let (family, last) = rest.split_first_chunk::<HALF>()?;
        Some(Self {
            session: UserSessionId(Uuid::from_bytes(*id)),
            family: *family,
            last: last.try_into().ok()?,
        })
    }

    pub fn text(&self) -> String {
        URL_SAFE_NO_PAD.encode([self.session.0.as_bytes().as_slice(), &self.family, &self.last].concat())
    }

    pub fn family_hash(&self) -> Vec<u8> {
        Sha256::digest(self.family).to_vec()
    }

    /// Of the last bits and the family's together.
    pub fn hash(&self) -> Vec<u8> {
        Sha256::new()
            .chain_update(self.family)
            .chain_update(self.last)
            .finalize()
            .to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn successors_share_the_family_and_nothing_else() {
        let first = RefreshToken::first(UserSessionId::new());
        let next = first.next();
        assert_eq!(first.family_hash(), next.family_hash());
        assert_ne!(first.hash(), next.hash());
        assert!(RefreshToken::parse(&next.text()) == Some(next));
        let stranger = RefreshToken::first(first.session);
        assert_ne!(first.family_hash(), stranger.family_hash());
    }

    #[test]
    fn only_whole_tokens_are_read() {
        let text = RefreshToken::first(UserSessionId::new()).text();
        for bad in ["", "x", &text[..text.len() - 2], &format!("{text}AA"), &"A".repeat(5000), "é"] {
            assert!(RefreshToken::parse(bad).is_none(), "{bad}");
        }
    }
}
