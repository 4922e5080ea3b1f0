use serde::Serialize;

use super::address::Address;
use super::entity::Subscriber;
use super::rules::Particulars;
use super::{payer, queries};
use crate::kernel::Permission;
use crate::kernel::check::Checks;
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, Result};
use crate::kernel::ids::SubscriberId;
use crate::kernel::patch::Patch;

/// Absent fields stay as they are; `Patch::Clear` empties what may be empty.
#[derive(Clone, Debug, Serialize)]
pub struct UpdateSubscriber {
    pub id: SubscriberId,
    pub expected_version: i32,
    pub name: Patch<String>,
    pub email: Patch<String>,
    pub phone: Patch<String>,
    pub tax_id: Patch<String>,
    /// Replaces the address as a whole.
    pub address: Patch<Address>,
    /// Counts from the next invoice on.
    pub bill_to_id: Patch<SubscriberId>,
}

pub async fn update(tx: &TenantTx, cmd: UpdateSubscriber) -> Result<Subscriber> {
    tx.require(Permission::SubscriberWrite)?;
    let old = lock(tx, &cmd).await?.ok_or_else(|| Error::not_found("id"))?;
    if old.version != cmd.expected_version {
        return Err(Error::stale("expectedVersion"));
    }
    let (id, new) = (old.id, changed(&old, &cmd)?);
    let bill_to = cmd.bill_to_id.clone().or(old.bill_to_id);
    if let Some(bill_to) = bill_to.filter(|b| old.bill_to_id != Some(*b)) {
        payer::check(tx, id, bill_to).await?;
    }
    tx.sql(
        "UPDATE subscriber SET name = $2, email = $3, phone = $4, tax_id = $5, address = $6, bill_to_id = $7,
             version = version + 1 WHERE id = $1",
    )
    .bind(id)
    .bind(new.name)
    .bind(new.email)
    .bind(new.phone)
    .bind(new.tax_id)
    .bind(new.address)
    .bind(bill_to)
    .run()
    .await?;
    tx.audit("subscriberUpdate", id.0, &cmd).await?;
    queries::get(tx, id).await
}

async fn lock(tx: &TenantTx, cmd: &UpdateSubscriber) -> Result<Option<Subscriber>> {
    match &cmd.bill_to_id {
        Patch::Set(payer) => queries::lock_both(tx, cmd.id, *payer).await,
        Patch::Keep | Patch::Clear => queries::lock(tx, cmd.id).await,
    }
}

fn changed(old: &Subscriber, cmd: &UpdateSubscriber) -> Result<Particulars> {
    let (old, cmd) = (old.clone(), cmd.clone());
    let mut checks = Checks::new();
    let particulars = Particulars {
        name: cmd.name.required(old.name, "name", &mut checks),
        email: cmd.email.or(old.email),
        phone: cmd.phone.or(old.phone),
        tax_id: cmd.tax_id.or(old.tax_id),
        address: cmd.address.or(old.address),
    }
    .checked(&mut checks);
    checks.done()?;
    Ok(particulars)
}
