//! Subscribers as buyers: what the tax rules have to say of their particulars.

use crate::billing;
use crate::kernel::Permission;
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, Result};
use crate::subscribers::{self, Address, CreateSubscriber, Subscriber, UpdateSubscriber};

/// As [`subscribers::create`], with a tax id that its country gives.
pub async fn subscriber_create(tx: &TenantTx, cmd: CreateSubscriber) -> Result<Subscriber> {
    tx.require(Permission::SubscriberWrite)?;
    check(tx, None, &Buyer::of(tx, cmd.tax_id.as_deref(), cmd.address.as_ref())).await?;
    subscribers::create(tx, cmd).await
}

/// As [`subscribers::update`], with a tax id that its country gives. One that was taken before stays until it, or the country, is
/// changed.
pub async fn subscriber_update(tx: &TenantTx, cmd: UpdateSubscriber) -> Result<Subscriber> {
    tx.require(Permission::SubscriberWrite)?;
    if let Some(old) = subscribers::look(tx, cmd.id).await? {
        let (tax_id, address) = (
            cmd.tax_id.clone().or(old.tax_id.clone()),
            cmd.address.clone().or(old.address.clone()),
        );
        let before = Buyer::of(tx, old.tax_id.as_deref(), old.address.as_ref());
        check(tx, Some(&before), &Buyer::of(tx, tax_id.as_deref(), address.as_ref())).await?;
    }
    subscribers::update(tx, cmd).await
}

#[derive(PartialEq, Eq)]
struct Buyer {
    tax_id: Option<String>,
    /// Of buyers abroad nothing is known but the form of their ids.
    at_home: bool,
}

impl Buyer {
    fn of(tx: &TenantTx, tax_id: Option<&str>, address: Option<&Address>) -> Self {
        let tax_id = tax_id.map(|id| id.trim().to_ascii_uppercase()).filter(|id| !id.is_empty());
        let home = tx.tenant().country();
        Self {
            tax_id,
            at_home: address.is_none_or(|a| a.country.trim().eq_ignore_ascii_case(home)),
        }
    }
}

/// The id stands on tax invoices, by which the buyer deducts the tax. Where it decides which taxes are charged, as a tax class does,
/// it takes as much as that.
async fn check(tx: &TenantTx, before: Option<&Buyer>, buyer: &Buyer) -> Result<()> {
    if before == Some(buyer) || before.is_none() && buyer.tax_id.is_none() {
        return Ok(());
    }
    let rules = billing::tax_rules(tx).await?;
    let was_registered = before.is_some_and(|b| b.tax_id.is_some());
    if rules.ask_for_registration() && was_registered != buyer.tax_id.is_some() {
        tx.require(Permission::InvoiceWrite)?;
    }
    match &buyer.tax_id {
        Some(tax_id) if buyer.at_home => rules
            .buyer(tax_id)
            .map_err(|e| Error::invalid("taxId", billing::sentence(&e.to_string()))),
        _ => Ok(()),
    }
}
