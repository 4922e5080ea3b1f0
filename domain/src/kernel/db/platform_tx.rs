use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use chrono::{DateTime, Utc};
use serde::Serialize;
use tokio::sync::Mutex;
use uuid::Uuid;

use super::begin;
use super::pool::Held;
use super::sql::{Runner, Sql, connection_trait};
use crate::kernel::actor::Actor;
use crate::kernel::error::{Error, ErrorCode, Result};

/// A transaction on the platform schema. It has no rights in any ISP's schema.
pub struct PlatformTx {
    pub(super) conn: Arc<Mutex<Held>>,
    spoilt: AtomicBool,
    actor: Arc<Actor>,
    now: DateTime<Utc>,
}

impl PlatformTx {
    pub(super) fn new(conn: Held, actor: Arc<Actor>, now: DateTime<Utc>) -> Self {
        Self {
            conn: Arc::new(Mutex::new(conn)),
            spoilt: AtomicBool::new(false),
            actor,
            now,
        }
    }

    pub async fn commit(self) -> Result<()> {
        begin::commit(&mut *self.conn.lock().await).await?;
        Ok(())
    }

    /// Gives up the connection with its transaction still open.
    pub(super) fn release(self) -> Option<Held> {
        let conn = self.conn.clone();
        drop(self);
        Arc::into_inner(conn).map(Mutex::into_inner)
    }

    pub fn sql(&self, text: &'static str) -> Sql<'_> {
        Sql::new(self, text)
    }

    pub fn actor(&self) -> &Actor {
        &self.actor
    }

    pub fn now(&self) -> DateTime<Utc> {
        self.now
    }

    pub fn require_platform_staff(&self) -> Result<()> {
        match &*self.actor {
            Actor::PlatformStaff { .. } | Actor::System => Ok(()),
            Actor::Anonymous => Err(Error::Unauthenticated),
            _ => Err(Error::Forbidden),
        }
    }

    /// As [`super::TenantTx::claim_key`], for mutations of the platform host.
    pub async fn claim_key(
        &self,
        mutation: &'static str,
        key: Option<Uuid>,
        input: &impl Serialize,
        result: Uuid,
    ) -> Result<Option<Uuid>> {
        let Some(key) = key else { return Ok(None) };
        let principal = self.actor.principal().unwrap_or(Uuid::nil());
        let hash = crate::kernel::crypto::fingerprint(input)?;
        let claimed = self
            .sql(
                "INSERT INTO platform.idempotency (mutation, principal, key, input_hash, result_id, created_at)
                 VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
            )
            .bind(mutation)
            .bind(principal)
            .bind(key)
            .bind(hash.clone())
            .bind(result)
            .bind(self.now)
            .run()
            .await?;
        if claimed == 1 {
            return Ok(None);
        }
        let known: Known = self
            .sql("SELECT input_hash, result_id FROM platform.idempotency WHERE mutation = $1 AND principal = $2 AND key = $3")
            .bind(mutation)
            .bind(principal)
            .bind(key)
            .one()
            .await?;
        if known.input_hash == hash {
            Ok(Some(known.result_id))
        } else {
            Err(Error::user(
                ErrorCode::IdempotencyKeyReused,
                "idempotencyKey",
                "This key was used with another input; use a new key.",
            ))
        }
    }

    pub async fn audit(&self, action: &'static str, target: Uuid, detail: impl Serialize) -> Result<()> {
        self.sql("INSERT INTO platform.audit_entry (id, at, actor_kind, actor_id, action, target_id, detail) VALUES ($1, $2, $3, $4, $5, $6, $7)")
            .bind(Uuid::now_v7())
            .bind(self.now)
            .bind(self.actor.kind())
            .bind(self.actor.principal())
            .bind(action)
            .bind(target)
            .bind(serde_json::to_value(detail)?)
            .run()
            .await?;
        Ok(())
    }
}

#[derive(sea_orm::FromQueryResult)]
struct Known {
    input_hash: Vec<u8>,
    result_id: Uuid,
}

impl Drop for PlatformTx {
    fn drop(&mut self) {
        if *self.spoilt.get_mut()
            && let Some(conn) = Arc::get_mut(&mut self.conn)
        {
            conn.get_mut().close_on_drop();
        }
    }
}

impl Runner for PlatformTx {
    fn connection(&self) -> &Mutex<Held> {
        &self.conn
    }

    fn spoilt(&self) -> &AtomicBool {
        &self.spoilt
    }
}

connection_trait!(PlatformTx);
