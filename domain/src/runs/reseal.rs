//! Every secret at rest follows the installation's secret key.

use std::sync::Arc;

use crate::kernel::db::{Database, Tenant, TenantDb, TenantRecord};
use crate::kernel::sealed::{SealedColumn, Tally, batch};
use crate::{Actor, Result};

/// Looks at every sealed column of the platform and of every ISP; with `rewrite` seals with the current key what the
/// previous one had sealed. Each batch is a transaction of its own: it may be stopped at any time and begun again, while
/// everybody works. What there was, by column; a rewrite counts it as it is afterwards.
pub async fn reseal(database: &Database, columns: &[SealedColumn], rewrite: bool) -> Result<Vec<(SealedColumn, Tally)>> {
    let mut found = Vec::new();
    let tenants = tenants(database).await?;
    for column in columns {
        let mut tally = Tally::default();
        if column.per_tenant {
            for tenant in &tenants {
                tally += tenant_column(database, tenant, column, rewrite).await?;
            }
        } else {
            tally += platform_column(database, column, rewrite).await?;
        }
        found.push((*column, tally));
    }
    Ok(found)
}

async fn tenants(database: &Database) -> Result<Vec<Tenant>> {
    let tx = database.begin_platform(Arc::new(Actor::System)).await?;
    let records: Vec<TenantRecord> = tx
        .sql(
            "SELECT id, uid, slug, name, country, currency, timezone, status, template, cell_id, role_name::text, schema_version
             FROM platform.tenant ORDER BY id",
        )
        .all()
        .await?;
    records.into_iter().map(Tenant::new).collect()
}

async fn platform_column(database: &Database, column: &SealedColumn, rewrite: bool) -> Result<Tally> {
    let (mut tally, mut after) = (Tally::default(), String::new());
    loop {
        let tx = database.begin_admin(Arc::new(Actor::System)).await?;
        let (found, last) = batch(|text| tx.sql(text), database.secret(), column, &after, rewrite).await?;
        tx.commit().await?;
        tally += found;
        match last {
            Some(id) => after = id,
            None => return Ok(tally),
        }
    }
}

async fn tenant_column(database: &Database, tenant: &Tenant, column: &SealedColumn, rewrite: bool) -> Result<Tally> {
    let db = TenantDb::new(database.clone(), tenant.clone(), Arc::new(Actor::System));
    let (mut tally, mut after) = (Tally::default(), String::new());
    loop {
        let (secret, from) = (database.secret(), &after);
        let (found, last) = db
            .write(async |tx| batch(|text| tx.sql(text), secret, column, from, rewrite).await)
            .await?;
        tally += found;
        match last {
            Some(id) => after = id,
            None => return Ok(tally),
        }
    }
}
