use serde::Serialize;

use super::entity::{Nas, NasVendor};
use super::queries;
use super::rules::{NasSecret, check_coa_port, checked_address};
use crate::kernel::Permission;
use crate::kernel::check::Checks;
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, ErrorCode, Result};
use crate::kernel::ids::NasId;

#[derive(Clone, Debug, Serialize)]
pub struct CreateNas {
    pub name: String,
    /// None: it is not answered until it gets one.
    pub address: Option<String>,
    pub secret: NasSecret,
    pub vendor: NasVendor,
    pub coa_port: i32,
}

/// Lets a router ask about this ISP's subscribers. TAKEN when any ISP's router has the address; nothing tells whose.
pub async fn create(tx: &TenantTx, mut cmd: CreateNas) -> Result<Nas> {
    tx.require(Permission::NasWrite)?;
    check(&mut cmd)?;
    let id = NasId::new();
    let inserted = tx
        .sql(
            "INSERT INTO radius.nas (uid, tenant_id, name, src_ip, secret, vendor, coa_port, created_at)
             VALUES ($1, $2, $3, $4::text::inet, $5, $6, $7, $8) ON CONFLICT (src_ip) DO NOTHING",
        )
        .bind(id)
        .bind(tx.tenant().number())
        .bind(cmd.name.as_str())
        .bind(cmd.address.clone())
        .bind(cmd.secret.reveal())
        .bind(cmd.vendor)
        .bind(cmd.coa_port)
        .bind(tx.now())
        .run()
        .await?;
    if inserted == 0 {
        return Err(taken());
    }
    tx.audit("nasCreate", id.0, &cmd).await?;
    queries::get(tx, id).await
}

fn check(cmd: &mut CreateNas) -> Result<()> {
    let mut checks = Checks::new();
    cmd.name = checks.line(&cmd.name, 80, "name");
    cmd.address = cmd.address.take().map(|a| checked_address(&a, "address", &mut checks));
    cmd.secret.check("secret", &mut checks);
    check_coa_port(cmd.coa_port, &mut checks);
    checks.done()
}

pub(super) fn taken() -> Error {
    Error::user(ErrorCode::Taken, "address", "Another router has this address.")
}
