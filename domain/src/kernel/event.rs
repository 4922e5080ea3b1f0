//! Facts that a transaction leaves behind for later modules, and work asked for.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::Result;

/// Something that happened in one ISP. Written to the outbox in the transaction that made it true.
pub trait Event: Serialize + DeserializeOwned + Send + Sync {
    /// Stable name, such as `PaymentRecorded`.
    const KIND: &'static str;
}

/// An event on its way to the outbox with others.
#[derive(Clone, Debug)]
pub struct Fact {
    pub(super) kind: &'static str,
    /// JSON.
    pub(super) payload: String,
}

impl Fact {
    pub fn of<E: Event>(event: &E) -> Result<Self> {
        Ok(Self {
            kind: E::KIND,
            payload: serde_json::to_string(event)?,
        })
    }
}

/// Work that one ISP's transaction asks for.
pub trait Job: Serialize + DeserializeOwned + Send + Sync {
    /// Stable name, such as `billing.renew`.
    const KIND: &'static str;

    /// Jobs of one kind and key run once, ever; None runs each time it is asked for.
    fn dedup_key(&self) -> Option<String> {
        None
    }
}
