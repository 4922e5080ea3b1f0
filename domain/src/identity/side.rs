use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::principal::Principal;
use crate::kernel::actor::Actor;
use crate::kernel::db::{PlatformTx, Sql, TenantTx};
use crate::kernel::error::{Error, Result};
use crate::kernel::event::Event;

/// Where somebody signs in: on an ISP's host, or on the platform's. Both have the same tables for it, in the ISP's schema
/// and in `platform`; [`both!`] writes one statement for the two.
#[derive(Clone, Copy)]
pub enum Side<'t> {
    Tenant(&'t TenantTx),
    Platform(&'t PlatformTx),
}

impl<'t> From<&'t TenantTx> for Side<'t> {
    fn from(tx: &'t TenantTx) -> Self {
        Self::Tenant(tx)
    }
}

impl<'t> From<&'t PlatformTx> for Side<'t> {
    fn from(tx: &'t PlatformTx) -> Self {
        Self::Platform(tx)
    }
}

impl<'t> Side<'t> {
    /// The statement's text for an ISP's schema and for the platform's: use [`both!`].
    pub(super) fn sql(self, tenant: &'static str, platform: &'static str) -> Sql<'t> {
        match self {
            Self::Tenant(tx) => tx.sql(tenant),
            Self::Platform(tx) => tx.sql(platform),
        }
    }

    pub fn now(self) -> DateTime<Utc> {
        match self {
            Self::Tenant(tx) => tx.now(),
            Self::Platform(tx) => tx.now(),
        }
    }

    pub fn actor(self) -> &'t Actor {
        match self {
            Self::Tenant(tx) => tx.actor(),
            Self::Platform(tx) => tx.actor(),
        }
    }

    /// Who is signed in.
    pub fn principal(self) -> Result<Principal> {
        Principal::of(self.actor()).ok_or(Error::Unauthenticated)
    }

    pub async fn audit(self, action: &'static str, target: Uuid, detail: impl Serialize) -> Result<()> {
        match self {
            Self::Tenant(tx) => tx.audit(action, target, detail).await,
            Self::Platform(tx) => tx.audit(action, target, detail).await,
        }
    }

    /// Leaves a message for whoever sends messages: in the outbox for an ISP's people, in `platform.notice` for the
    /// platform's.
    pub async fn notify<E: Event>(self, event: &E) -> Result<()> {
        match self {
            Self::Tenant(tx) => tx.emit(event).await,
            Self::Platform(tx) => {
                tx.sql("INSERT INTO platform.notice (id, kind, payload, occurred_at) VALUES ($1, $2, $3, $4)")
                    .bind(Uuid::now_v7())
                    .bind(E::KIND)
                    .bind(serde_json::to_value(event)?)
                    .bind(tx.now())
                    .run()
                    .await?;
                Ok(())
            }
        }
    }
}

/// One statement on the tables that an ISP's schema and the platform's have alike: texts as literals, tables as names.
/// `both!(side, "DELETE FROM " session " WHERE id = $1")`
macro_rules! both {
    (@tenant $text:literal) => { $text };
    (@tenant $table:ident) => { stringify!($table) };
    (@platform $text:literal) => { $text };
    (@platform $table:ident) => { concat!("platform.", stringify!($table)) };
    ($side:expr, $($part:tt)+) => {
        $side.sql(
            concat!($($crate::identity::side::both!(@tenant $part)),+),
            concat!($($crate::identity::side::both!(@platform $part)),+),
        )
    };
}
pub(super) use both;
