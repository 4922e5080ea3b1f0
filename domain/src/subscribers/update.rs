use serde::Serialize;

use super::address::Address;
use super::entity::{Subscriber, TaxClass};
use super::events::SubscriberUpdated;
use super::rules::Particulars;
use super::{payer, queries};
use crate::kernel::Permission;
use crate::kernel::check::Checks;
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, Result};
use crate::kernel::ids::SubscriberId;
use crate::kernel::patch::Patch;
use crate::tenants::template::Regions;

/// Absent fields stay as they are; `Patch::Clear` empties what may be empty.
#[derive(Clone, Debug, Serialize)]
pub struct UpdateSubscriber {
    pub id: SubscriberId,
    pub expected_version: i32,
    pub name: Patch<String>,
    pub email: Patch<String>,
    pub phone: Patch<String>,
    pub tax_id: Patch<String>,
    /// Counts from the next charge on. Takes `InvoiceWrite`, for it decides which taxes are charged.
    pub tax_class: Patch<TaxClass>,
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
    let (id, (new, tax_class)) = (old.id, changed(tx, &old, &cmd)?);
    if tax_class != old.tax_class {
        tx.require(Permission::InvoiceWrite)?;
    }
    let bill_to = cmd.bill_to_id.clone().or(old.bill_to_id);
    if let Some(bill_to) = bill_to.filter(|b| old.bill_to_id != Some(*b)) {
        payer::check(tx, id, bill_to).await?;
    }
    tx.sql(
        "UPDATE subscriber SET name = $2, email = $3, phone = $4, tax_id = $5, address = $6, bill_to_id = $7,
             tax_class = $8, version = version + 1 WHERE id = $1",
    )
    .bind(id)
    .bind(new.name)
    .bind(new.email)
    .bind(new.phone)
    .bind(new.tax_id)
    .bind(new.address)
    .bind(bill_to)
    .bind(tax_class)
    .run()
    .await?;
    tx.audit("subscriberUpdate", id.0, &cmd).await?;
    tx.emit(&SubscriberUpdated { subscriber_id: id }).await?;
    queries::get(tx, id).await
}

async fn lock(tx: &TenantTx, cmd: &UpdateSubscriber) -> Result<Option<Subscriber>> {
    match &cmd.bill_to_id {
        Patch::Set(payer) => queries::lock_both(tx, cmd.id, *payer).await,
        Patch::Keep | Patch::Clear => queries::lock(tx, cmd.id).await,
    }
}

fn changed(tx: &TenantTx, old: &Subscriber, cmd: &UpdateSubscriber) -> Result<(Particulars, TaxClass)> {
    let (old, cmd) = (old.clone(), cmd.clone());
    let mut checks = Checks::new();
    // One that was taken when more were is looked at when it is changed.
    let home = Regions::of(tx.tenant().template()).filter(|_| matches!(cmd.address, Patch::Set(_)));
    let tax_class = cmd.tax_class.required(old.tax_class, "taxClass", &mut checks);
    let particulars = Particulars {
        name: cmd.name.required(old.name, "name", &mut checks),
        email: cmd.email.or(old.email),
        phone: cmd.phone.or(old.phone),
        tax_id: cmd.tax_id.or(old.tax_id),
        address: cmd.address.or(old.address),
    }
    .checked(home, &mut checks);
    checks.done()?;
    Ok((particulars, tax_class))
}
