//! Documents that were seen before: parsed ones, so that a front end's queries are parsed once (measured: 34 µs of the 76 µs
//! that async-graphql takes for a point query; validation, about 9 µs, depends on the variables and runs each time), and
//! those that clients registered under their hash (automatic persisted queries).

use std::sync::Arc;

use async_graphql::ServerError;
use moka::sync::Cache;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use trunkline_domain::Actor;
use trunkline_domain::tenants::Site;

use crate::graphql::document::{self, Document, refusal};

const PARSED_BYTES: u64 = 48 * 1024 * 1024;
/// What a parsed document takes for each byte of its text, about.
const BYTES_PER_BYTE: usize = 24;
const PERSISTED_BYTES: u64 = 16 * 1024 * 1024;
/// Longer documents are not remembered; they can still be sent.
const LONGEST: usize = 32 * 1024;

type Hash = [u8; 32];

/// Who may use a persisted query: those who could have registered it. Others find nothing under its hash, so that nobody
/// learns what another ISP's front ends, or its staff's, ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Audience {
    site: i32,
    kind: &'static str,
}

impl Audience {
    pub fn of(site: &Site, actor: &Actor) -> Self {
        Self {
            site: site.number(),
            kind: actor.kind(),
        }
    }
}

/// `extensions.persistedQuery` of Apollo's protocol.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PersistedQuery {
    version: i64,
    sha256_hash: String,
}

/// This process's memory of documents, bounded by bytes.
pub struct Documents {
    parsed: Cache<Hash, Arc<Document>>,
    persisted: Cache<(Audience, Hash), Arc<str>>,
}

impl Default for Documents {
    fn default() -> Self {
        let weight = |bytes: usize| u32::try_from(bytes.saturating_add(200)).unwrap_or(u32::MAX);
        Self {
            parsed: Cache::builder()
                .max_capacity(PARSED_BYTES)
                .weigher(move |_, document: &Arc<Document>| weight(document.length.saturating_mul(BYTES_PER_BYTE)))
                .build(),
            persisted: Cache::builder()
                .max_capacity(PERSISTED_BYTES)
                .weigher(move |_, text: &Arc<str>| weight(text.len()))
                .build(),
        }
    }
}

impl Documents {
    /// The document of a request: its text, or the one that its audience registered under the hash.
    pub fn find(
        &self,
        audience: Audience,
        text: Option<&str>,
        persisted: Option<&PersistedQuery>,
    ) -> Result<Arc<Document>, ServerError> {
        match (text, persisted.map(hash_of).transpose()?) {
            (Some(text), None) => self.parse(text, Sha256::digest(text).into()),
            (Some(text), Some(wanted)) => {
                let hash: Hash = Sha256::digest(text).into();
                if hash != wanted {
                    return Err(refusal("BAD_ARGUMENT", "provided sha does not match query"));
                }
                let document = self.parse(text, hash)?;
                if text.len() <= LONGEST {
                    self.persisted.insert((audience, hash), text.into());
                }
                Ok(document)
            }
            (None, Some(hash)) => match self.persisted.get(&(audience, hash)) {
                Some(text) => self.parse(&text, hash),
                None => Err(refusal("PERSISTED_QUERY_NOT_FOUND", "PersistedQueryNotFound")),
            },
            (None, None) => Err(refusal("BAD_ARGUMENT", "The request has no `query`.")),
        }
    }

    fn parse(&self, text: &str, hash: Hash) -> Result<Arc<Document>, ServerError> {
        if let Some(known) = self.parsed.get(&hash) {
            return Ok(known);
        }
        let document = Arc::new(document::read(text)?);
        if text.len() <= LONGEST {
            self.parsed.insert(hash, document.clone());
        }
        Ok(document)
    }
}

fn hash_of(query: &PersistedQuery) -> Result<Hash, ServerError> {
    if query.version != 1 {
        return Err(refusal(
            "PERSISTED_QUERY_NOT_SUPPORTED",
            "Only version 1 of persisted queries is served.",
        ));
    }
    let mut hash = Hash::default();
    hex::decode_to_slice(&query.sha256_hash, &mut hash)
        .map_err(|_| refusal("BAD_ARGUMENT", "`sha256Hash` must be 64 hexadecimal digits."))?;
    Ok(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Audience = Audience {
        site: 1,
        kind: "TENANT_STAFF",
    };

    fn named(hash: &str) -> PersistedQuery {
        PersistedQuery {
            version: 1,
            sha256_hash: hash.to_owned(),
        }
    }

    fn hash(text: &str) -> String {
        Sha256::digest(text).iter().map(|b| format!("{b:02x}")).collect()
    }

    #[test]
    fn a_registered_document_is_its_audiences_alone() {
        let documents = Documents::default();
        let query = named(&hash("{ a }"));
        let message = |found: Result<Arc<Document>, ServerError>| found.err().map(|e| e.message);
        assert_eq!(
            message(documents.find(HERE, None, Some(&query))).as_deref(),
            Some("PersistedQueryNotFound")
        );
        assert!(documents.find(HERE, Some("{ a }"), Some(&query)).is_ok());
        assert!(documents.find(HERE, None, Some(&query)).is_ok());
        for other in [
            Audience { site: 2, ..HERE },
            Audience {
                kind: "SUBSCRIBER",
                ..HERE
            },
        ] {
            assert!(message(documents.find(other, None, Some(&query))).is_some(), "{other:?}");
        }
        assert!(
            documents.find(HERE, Some("{ b }"), Some(&query)).is_err(),
            "another text under the hash"
        );
        let upper = named(&hash("{ a }").to_uppercase());
        assert!(documents.find(HERE, None, Some(&upper)).is_ok());
    }

    #[test]
    fn what_is_no_hash_is_refused() {
        let documents = Documents::default();
        let long = "0".repeat(65);
        for odd in ["", "x", &long, &"g".repeat(64), &"é".repeat(32)] {
            assert!(documents.find(HERE, Some("{ a }"), Some(&named(odd))).is_err(), "{odd}");
        }
        let old = PersistedQuery {
            version: 2,
            sha256_hash: hash("{ a }"),
        };
        assert!(documents.find(HERE, Some("{ a }"), Some(&old)).is_err());
    }

    #[test]
    fn memory_is_bounded() {
        let documents = Documents::default();
        for n in 0..600 {
            let text = format!("{{ a{n}(s: \"{}\") }}", "x".repeat(30_000));
            documents.find(HERE, Some(&text), Some(&named(&hash(&text)))).unwrap();
        }
        documents.persisted.run_pending_tasks();
        documents.parsed.run_pending_tasks();
        assert!(documents.persisted.weighted_size() <= PERSISTED_BYTES);
        assert!(documents.parsed.weighted_size() <= PARSED_BYTES);
    }
}
