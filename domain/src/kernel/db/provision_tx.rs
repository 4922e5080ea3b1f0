use std::sync::Arc;

use sqlx::{AssertSqlSafe, Executor};
use trunkline_migration as migration;

use super::database::Database;
use super::platform_tx::PlatformTx;
use super::tenant::Tenant;
use super::tenant_tx::TenantTx;
use crate::kernel::actor::Actor;
use crate::kernel::error::{Error, Result};

/// The transaction that opens an ISP: it begins as the administrator on the platform schema, makes role and schema, and
/// goes on inside the new ISP under its role. One transaction throughout: on any error nothing remains.
pub struct ProvisionTx {
    tx: PlatformTx,
    database: Database,
}

impl ProvisionTx {
    pub(super) fn new(tx: PlatformTx, database: Database) -> Self {
        Self { tx, database }
    }

    /// Platform SQL within it.
    pub fn platform(&self) -> &PlatformTx {
        &self.tx
    }

    /// A cell with room, made if all are full. Provisions wait for each other here.
    pub async fn assign_cell(&self) -> Result<i32> {
        let mut conn = self.tx.conn.lock().await;
        migration::assign_cell(&mut conn, self.database.installation(), self.database.secret())
            .await
            .map_err(failure)
    }

    /// Makes the tenant's role and schema with all its tables. Its row in `platform.tenant` must exist.
    pub async fn create_schema(&self, tenant: &Tenant) -> Result<()> {
        let mut conn = self.tx.conn.lock().await;
        migration::create_schema(&mut conn, self.database.installation(), tenant.number(), tenant.cell())
            .await
            .map_err(failure)?;
        Ok(())
    }

    /// Goes on inside the tenant, under its role and search path, as the product itself.
    pub async fn enter(self, tenant: &Tenant) -> Result<TenantTx> {
        let now = self.tx.now();
        // On failure the transaction is dropped with its connection, which rolls back.
        self.tx
            .conn
            .lock()
            .await
            .execute(AssertSqlSafe(tenant.enter().to_owned()))
            .await?;
        let conn = self
            .tx
            .release()
            .ok_or_else(|| Error::internal("the provisioning transaction is still in use"))?;
        Ok(TenantTx::new(
            conn,
            false,
            tenant.clone(),
            Arc::new(Actor::System),
            now,
            self.database.wake().clone(),
        ))
    }
}

pub(super) fn failure(e: migration::Error) -> Error {
    match e {
        migration::Error::Database(e) => e.into(),
        other => Error::internal(other),
    }
}
