//! Facts that a transaction leaves behind for later modules, and work asked for.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::Result;

/// Something that happened in one ISP. Written to the outbox in the transaction that made it true.
pub trait Event: Serialize + DeserializeOwned + Send + Sync {
    /// Stable name, such as `PaymentRecorded`.
    const KIND: &'static str;
}

/// Events that say what they are about, and no more.
macro_rules! events {
    ($($(#[$doc:meta])* $name:ident { $($field:ident: $ty:ty),+ };)+) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
            pub struct $name {
                $(pub $field: $ty,)+
            }

            impl $crate::kernel::event::Event for $name {
                const KIND: &'static str = stringify!($name);
            }
        )+
    };
}
pub(crate) use events;

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
