//! What a service is charged for once: at once, or with its next invoice, and never again.

use rust_decimal::Decimal;
use serde::Serialize;
use uuid::Uuid;

use super::catalogue::check_tax_code;
use super::extras::require_for_price;
use super::held::Held;
use super::pricing::one_time_line;
use crate::addons::{self, Addon, AddonCharging, NewCharge, OneTimeCharge};
use crate::billing::{self, Invoice, NewInvoice};
use crate::kernel::Permission;
use crate::kernel::check::Checks;
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, ErrorCode, Result};
use crate::kernel::ids::{AddonId, InvoiceId, OneTimeChargeId, ServiceId};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum WhenCharged {
    /// On an invoice of its own, now.
    AtOnce,
    /// With the service's next invoice, whatever that is over.
    NextInvoice,
}

/// Something out of the catalogue, or anything else by its description and price.
#[derive(Clone, Debug, Serialize)]
pub struct AddCharge {
    pub service_id: ServiceId,
    pub addon_id: Option<AddonId>,
    /// None: the add-on's name.
    pub description: Option<String>,
    pub quantity: i32,
    /// For each piece; None: the add-on's.
    pub unit_price: Option<Decimal>,
    /// None: as the add-on's price; else without tax.
    pub tax_inclusive: Option<bool>,
    /// None: as the add-on's; else internet access.
    pub tax_code: Option<String>,
    pub when: WhenCharged,
    pub idempotency_key: Uuid,
}

#[derive(Serialize)]
struct Detail<'a> {
    #[serde(flatten)]
    cmd: &'a AddCharge,
    invoice_id: Option<Uuid>,
}

/// Charges a service for something once.
pub async fn service_charge_add(tx: &TenantTx, cmd: &AddCharge) -> Result<(OneTimeCharge, Option<Invoice>)> {
    tx.require(Permission::ServiceWrite)?;
    require_for_price(tx, cmd.unit_price)?;
    if cmd.tax_code.is_some() || cmd.tax_inclusive.is_some() {
        tx.require(Permission::InvoiceWrite)?;
    }
    let id = OneTimeChargeId::new();
    let key = cmd.idempotency_key;
    if let Some(known) = tx.claim_key("serviceChargeAdd", Some(key), cmd, id.0).await? {
        let charge = addons::find_charge(tx, OneTimeChargeId(known)).await?;
        let invoice = billing::made_by(tx, "serviceChargeAdd", charge.service_id, key).await?;
        return Ok((charge, invoice));
    }
    let missing = || Error::not_found("serviceId");
    let held = Held::lock(tx, cmd.service_id).await?.ok_or_else(missing)?;
    let addon = match cmd.addon_id {
        Some(id) => Some(addons::get(tx, id).await?),
        None => None,
    };
    held.check_not_over("serviceId")?;
    let new = held.checked_charge(tx, id, cmd, addon.as_ref()).await?;
    let mut charge = addons::insert_charge(tx, new).await?;
    let invoice = match cmd.when {
        WhenCharged::NextInvoice => None,
        WhenCharged::AtOnce => Some(held.charge_at_once(tx, &charge).await?),
    };
    if invoice.is_some() {
        charge = addons::find_charge(tx, id).await?;
    }
    let detail = Detail {
        cmd,
        invoice_id: invoice.as_ref().map(|i| i.id.0),
    };
    tx.audit("serviceChargeAdd", cmd.service_id.0, detail).await?;
    Ok((charge, invoice))
}

/// Takes back a charge that waits for the next invoice.
pub async fn service_charge_cancel(tx: &TenantTx, id: OneTimeChargeId) -> Result<OneTimeCharge> {
    tx.require(Permission::ServiceWrite)?;
    let service = addons::find_charge(tx, id).await?.service_id;
    Held::lock(tx, service).await?.ok_or_else(|| Error::not_found("id"))?;
    let charge = addons::find_charge(tx, id).await?;
    let cancelled = addons::cancel(tx, &charge).await?;
    tx.audit("serviceChargeCancel", service.0, serde_json::json!({ "chargeId": id }))
        .await?;
    Ok(cancelled)
}

impl Held {
    async fn checked_charge(
        &self,
        tx: &TenantTx,
        id: OneTimeChargeId,
        cmd: &AddCharge,
        addon: Option<&Addon>,
    ) -> Result<NewCharge> {
        if let Some(addon) = addon {
            self.check_goes(addon, "addonId")?;
            if addon.charged == AddonCharging::PerPeriod {
                return Err(Error::invalid("addonId", "It is charged per period: use serviceAddonAdd."));
            }
        }
        let mut checks = Checks::new();
        addons::check_quantity(cmd.quantity, "quantity", &mut checks);
        let description = cmd.description.as_deref().or(addon.map(|a| a.name.as_str()));
        let description = checks.line(description.unwrap_or_default(), 200, "description");
        let price = match cmd.unit_price.or(addon.map(|a| a.price)) {
            Some(price) => addons::check_price(tx, price, "unitPrice", &mut checks),
            None => {
                checks.add(ErrorCode::Required, "unitPrice", "Say what it costs, or which add-on it is.");
                Decimal::ZERO
            }
        };
        let tax_code = checks.optional_line(cmd.tax_code.as_deref(), 20, "taxCode");
        checks.done()?;
        check_tax_code(tx, tax_code.as_deref()).await?;
        Ok(NewCharge {
            id,
            service_id: self.service.id,
            addon_id: addon.map(|a| a.id),
            description,
            quantity: cmd.quantity,
            unit_price: price,
            tax_inclusive: cmd.tax_inclusive.or(addon.map(|a| a.tax_inclusive)).unwrap_or(false),
            tax_code: tax_code.or(addon.and_then(|a| a.tax_code.clone())),
        })
    }

    /// Notes what the catalogue has for the service's next invoice.
    pub(super) async fn charge_later(
        &self,
        tx: &TenantTx,
        addon: &Addon,
        quantity: i32,
        price: Option<Decimal>,
    ) -> Result<OneTimeCharge> {
        let new = NewCharge {
            id: OneTimeChargeId::new(),
            service_id: self.service.id,
            addon_id: Some(addon.id),
            description: addon.name.clone(),
            quantity,
            unit_price: price.unwrap_or(addon.price),
            tax_inclusive: addon.tax_inclusive,
            tax_code: addon.tax_code.clone(),
        };
        addons::insert_charge(tx, new).await
    }

    async fn charge_at_once(&self, tx: &TenantTx, charge: &OneTimeCharge) -> Result<Invoice> {
        let new = NewInvoice {
            id: InvoiceId::new(),
            subscriber_id: self.service.subscriber_id,
            due_on: self.due_on(tx, &self.plan, tx.now()),
            lines: vec![one_time_line(&self.as_charged(), charge)],
        };
        let issued = billing::issue(tx, new).await?;
        addons::mark_charged(tx, &[charge.id], issued.id).await?;
        billing::get(tx, issued.id).await
    }

    /// What still waits for the next invoice when there is none to come is charged with the end of the service, or, if it
    /// never began, not at all.
    pub(super) async fn charge_open_at_end(&mut self, tx: &TenantTx, never_began: bool) -> Result<()> {
        let open = addons::open_charges(tx, self.service.id).await?;
        if never_began {
            for charge in &open {
                addons::cancel(tx, charge).await?;
            }
            return Ok(());
        }
        if open.is_empty() {
            return Ok(());
        }
        let of = self.as_charged();
        let new = NewInvoice {
            id: InvoiceId::new(),
            subscriber_id: self.service.subscriber_id,
            due_on: self.due_on(tx, &self.plan, tx.now()),
            lines: open.iter().map(|charge| one_time_line(&of, charge)).collect(),
        };
        let invoice = self.issue(tx, new).await?;
        let ids: Vec<OneTimeChargeId> = open.iter().map(|charge| charge.id).collect();
        addons::mark_charged(tx, &ids, invoice).await
    }
}
