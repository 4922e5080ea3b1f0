use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use trunkline_migration::TENANT_SCHEMA_VERSION;

use super::database::Database;
use super::lease::Lease;
use super::sql::STALE_PLAN;
use super::tenant::Tenant;
use super::tenant_tx::TenantTx;
use crate::kernel::actor::Actor;
use crate::kernel::error::{Error, Result};

/// One ISP as one actor sees it. It cannot be queried: it only hands out transactions.
#[derive(Clone)]
pub struct TenantDb {
    database: Database,
    tenant: Tenant,
    actor: Arc<Actor>,
    lease: Option<Lease>,
    ended: Arc<AtomicBool>,
}

impl TenantDb {
    pub fn new(database: Database, tenant: Tenant, actor: Arc<Actor>) -> Self {
        Self {
            database,
            tenant,
            actor,
            lease: None,
            ended: Arc::default(),
        }
    }

    /// For a job: what it writes is committed only while the job is its worker's.
    #[must_use]
    pub fn under(self, lease: Lease) -> Self {
        Self {
            lease: Some(lease),
            ..self
        }
    }

    /// Whether the job was ended by its last transaction.
    pub fn job_has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    pub fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    pub fn actor(&self) -> &Actor {
        &self.actor
    }

    /// Runs `work` in one transaction and commits if it succeeds; anything else leaves no trace. When another schema version
    /// met this connection's prepared statements ("cached plan must not change result type"), when two transactions
    /// deadlocked or could not be serialised, it was rolled back and is run once more from the start.
    pub async fn write<T>(&self, work: impl AsyncFn(&TenantTx) -> Result<T>) -> Result<T> {
        self.commit(work, async |tx, lease| tx.hold_job(lease).await).await
    }

    /// As [`Self::write`], for a job's last transaction: with it the job is done, so that what it adds up is added once.
    pub async fn write_last<T>(&self, work: impl AsyncFn(&TenantTx) -> Result<T>) -> Result<T> {
        let out = self.commit(work, async |tx, lease| tx.end_job(lease).await).await?;
        self.ended.store(true, Ordering::Release);
        Ok(out)
    }

    async fn commit<T>(
        &self,
        work: impl AsyncFn(&TenantTx) -> Result<T>,
        show: impl AsyncFn(&TenantTx, &Lease) -> Result<()>,
    ) -> Result<T> {
        let tx = self.begin(false).await?;
        let out = self.twice(&tx, work).await?;
        if let Some(lease) = &self.lease {
            show(&tx, lease).await?;
        }
        tx.commit().await?;
        Ok(out)
    }

    /// As [`Self::write`], but takes back all that it did: what would come of it. Its clock can be moved
    /// ([`TenantTx::move_clock`]). What it locks others wait for, so keep it short.
    pub async fn rehearse<T>(&self, work: impl AsyncFn(&TenantTx) -> Result<T>) -> Result<T> {
        let tx = self.begin(false).await?.rehearsing();
        self.twice(&tx, work).await
    }

    /// As [`Self::write`], read-only.
    pub async fn read<T>(&self, work: impl AsyncFn(&TenantTx) -> Result<T>) -> Result<T> {
        let tx = self.begin(true).await?;
        self.twice(&tx, work).await
    }

    /// Runs `work` in an open transaction, and once more from a new beginning where that may help. A reader may share the
    /// transaction; whoever else worked in it finds the new beginning. A writer must not.
    pub async fn twice<T>(&self, tx: &TenantTx, work: impl AsyncFn(&TenantTx) -> Result<T>) -> Result<T> {
        let known = tx.beginning();
        match work(tx).await {
            Err(e) if repeatable(&e) => {
                tx.begin_anew(known).await?;
                work(tx).await.map_err(|e| self.in_the_end(e))
            }
            other => other.map_err(|e| self.in_the_end(e)),
        }
    }

    /// What is missing in an ISP's schema that lacks a step of this release is on its way; who lost to others twice may win
    /// the third time.
    fn in_the_end(&self, e: Error) -> Error {
        let missing = matches!(e.sqlstate(), Some("42P01" | "42703" | "42883"));
        if missing && self.tenant.schema_version() < TENANT_SCHEMA_VERSION {
            return Error::Unavailable(format!("{} has not been migrated yet: {e}", self.tenant.slug()));
        }
        match repeatable(&e) {
            true => Error::Unavailable(e.to_string()),
            false => e,
        }
    }

    /// A transaction for a caller that keeps it open over several calls, such as a request's reader.
    pub async fn begin(&self, read_only: bool) -> Result<TenantTx> {
        self.database.begin_tenant(&self.tenant, self.actor.clone(), read_only).await
    }
}

/// 25P02: somebody else who reads in the same transaction has failed in it.
fn repeatable(e: &Error) -> bool {
    matches!(e.sqlstate(), Some(STALE_PLAN | "40001" | "40P01" | "25P02"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_send<T: Send>(t: T) -> T {
        t
    }

    struct Cmd {
        name: String,
    }

    async fn use_case(tx: &TenantTx, cmd: &Cmd) -> Result<String> {
        tx.require(crate::Permission::PlanRead)?;
        let n: Option<i64> = tx.sql("SELECT 1").bind(cmd.name.as_str()).scalar().await?;
        Ok(format!("{n:?}"))
    }

    /// Resolvers and jobs are spawned: what runs a transaction must be `Send`.
    #[expect(dead_code, reason = "compiling is the test")]
    fn transactions_can_be_spawned(db: &TenantDb, cmd: Cmd) {
        drop(assert_send(db.write(async move |tx| use_case(tx, &cmd).await)));
    }
}
