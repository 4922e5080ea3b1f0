use serde::Serialize;

use super::create::taken;
use super::entity::{Nas, NasVendor};
use super::queries;
use super::rules::{NasSecret, check_coa_port, checked_address};
use crate::kernel::Permission;
use crate::kernel::check::Checks;
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, ErrorCode, Result};
use crate::kernel::ids::NasId;
use crate::kernel::patch::Patch;

/// Absent fields stay as they are; `Patch::Clear` empties what may be empty.
#[derive(Clone, Debug, Serialize)]
pub struct UpdateNas {
    pub id: NasId,
    pub expected_version: i32,
    pub name: Patch<String>,
    pub address: Patch<String>,
    pub secret: Patch<NasSecret>,
    pub vendor: Patch<NasVendor>,
    pub coa_port: Patch<i32>,
}

/// Changes a router. RADIUS learns a new address or secret within a minute.
pub async fn update(tx: &TenantTx, cmd: UpdateNas) -> Result<Nas> {
    tx.require(Permission::NasWrite)?;
    let old = queries::lock(tx, cmd.id).await?.ok_or_else(|| Error::not_found("id"))?;
    if old.version != cmd.expected_version {
        return Err(Error::stale("expectedVersion"));
    }
    let new = changed(old, &cmd)?;
    write(tx, &new).await.map_err(address_taken)?;
    if let Patch::Set(secret) = &cmd.secret {
        // Apart, because what is kept cannot be read.
        tx.sql("UPDATE radius.nas SET secret = $2 WHERE uid = $1")
            .bind(new.id)
            .bind(secret.reveal())
            .run()
            .await?;
    }
    tx.audit("nasUpdate", new.id.0, &cmd).await?;
    queries::get(tx, new.id).await
}

async fn write(tx: &TenantTx, new: &Nas) -> Result<u64> {
    tx.sql(
        "UPDATE radius.nas SET name = $2, src_ip = $3::text::inet, vendor = $4, coa_port = $5, version = version + 1
         WHERE uid = $1",
    )
    .bind(new.id)
    .bind(new.name.as_str())
    .bind(new.address.clone())
    .bind(new.vendor)
    .bind(new.coa_port)
    .run()
    .await
}

fn address_taken(e: Error) -> Error {
    match e.constraint() {
        Some("nas_src_ip_key") => taken(),
        _ => e,
    }
}

fn changed(old: Nas, cmd: &UpdateNas) -> Result<Nas> {
    let cmd = cmd.clone();
    let mut checks = Checks::new();
    let name = cmd.name.required(old.name, "name", &mut checks);
    let new = Nas {
        name: checks.line(&name, 80, "name"),
        address: cmd
            .address
            .or(old.address)
            .map(|a| checked_address(&a, "address", &mut checks)),
        vendor: cmd.vendor.required(old.vendor, "vendor", &mut checks),
        coa_port: cmd.coa_port.required(old.coa_port, "coaPort", &mut checks),
        ..old
    };
    check_coa_port(new.coa_port, &mut checks);
    match cmd.secret {
        Patch::Keep => {}
        Patch::Clear => checks.add(ErrorCode::Required, "secret", "Cannot be cleared."),
        Patch::Set(secret) => secret.check("secret", &mut checks),
    }
    checks.done()?;
    Ok(new)
}
