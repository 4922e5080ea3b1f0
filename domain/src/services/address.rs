use serde::Serialize;

use super::entity::{Service, ServiceState};
use super::events::ServiceAddressChanged;
use super::{queries, save};
use crate::kernel::Permission;
use crate::kernel::check::Checks;
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, Result};
use crate::kernel::ids::ServiceId;
use crate::subscribers::{self, Address};
use crate::tenants::template::Regions;

#[derive(Clone, Debug, Serialize)]
pub struct SetServiceAddress {
    pub id: ServiceId,
    /// Where it is installed from now on; None: where the subscriber lives, wherever that is.
    pub installation_address: Option<Address>,
}

/// Notes that a service is installed elsewhere: it was moved, or the address was wrong. What is charged from now on is supplied
/// there (IGST Act s.12(11)(a)); documents that were issued stay what they are.
pub async fn address_set(tx: &TenantTx, cmd: &SetServiceAddress) -> Result<Service> {
    tx.require(Permission::ServiceWrite)?;
    let mut checks = Checks::new();
    let address = cmd.installation_address.clone();
    let address = address.map(|a| a.checked("installationAddress", Regions::of(tx.tenant().template()), &mut checks));
    checks.done()?;
    let owner = queries::subscribers_of(tx, &[cmd.id]).await?;
    subscribers::lock_all(tx, &owner).await?;
    let service = queries::lock_all(tx, &[cmd.id])
        .await?
        .pop()
        .ok_or_else(|| Error::not_found("id"))?;
    if service.state == ServiceState::Terminated {
        return Err(Error::state("id", "The service is terminated."));
    }
    if service.installation_address == address {
        return Ok(service);
    }
    tx.sql("UPDATE service SET installation_address = $2 WHERE id = $1")
        .bind(cmd.id)
        .bind(address)
        .run()
        .await?;
    let service = save::touch(tx, cmd.id).await?;
    tx.audit("serviceAddressSet", cmd.id.0, cmd).await?;
    tx.emit(&ServiceAddressChanged {
        service_id: cmd.id,
        version: service.version,
    })
    .await?;
    Ok(service)
}
