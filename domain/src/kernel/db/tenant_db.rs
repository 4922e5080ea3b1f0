use std::sync::Arc;

use super::database::Database;
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
}

impl TenantDb {
    pub fn new(database: Database, tenant: Tenant, actor: Arc<Actor>) -> Self {
        Self { database, tenant, actor }
    }

    pub fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    pub fn actor(&self) -> &Actor {
        &self.actor
    }

    /// Runs `work` in one transaction and commits if it succeeds; anything else leaves no trace. When another ISP's schema
    /// version met this connection's prepared statements ("cached plan must not change result type", 0A000), when two
    /// transactions deadlocked or could not be serialised, it is run once more from the start.
    pub async fn write<T>(&self, work: impl AsyncFn(&TenantTx) -> Result<T>) -> Result<T> {
        let attempt = async || {
            let tx = self.begin(false).await?;
            let out = work(&tx).await?;
            tx.commit().await?;
            Ok(out)
        };
        match attempt().await {
            Err(e) if repeatable(&e) => attempt().await,
            other => other,
        }
    }

    /// As [`Self::write`], read-only.
    pub async fn read<T>(&self, work: impl AsyncFn(&TenantTx) -> Result<T>) -> Result<T> {
        let attempt = async || work(&self.begin(true).await?).await;
        match attempt().await {
            Err(e) if repeatable(&e) => attempt().await,
            other => other,
        }
    }

    /// A transaction for a caller that keeps it open over several calls, such as a request's reader.
    pub async fn begin(&self, read_only: bool) -> Result<TenantTx> {
        self.database.begin_tenant(&self.tenant, self.actor.clone(), read_only).await
    }
}

fn repeatable(e: &Error) -> bool {
    matches!(e.sqlstate(), Some("0A000" | "40001" | "40P01"))
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
