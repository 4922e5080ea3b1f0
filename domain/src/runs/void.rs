use serde::Serialize;
use uuid::Uuid;

use super::held::Held;
use crate::addons;
use crate::billing::{self, Invoice, PlanTime};
use crate::kernel::Permission;
use crate::kernel::check::Checks;
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, Result};
use crate::kernel::ids::{InvoiceId, ServiceId};
use crate::plans::{self, BillIn, PaymentMode};
use crate::services::{self, ServiceState};
use crate::subscribers;

#[derive(Clone, Debug, Serialize)]
pub struct VoidInvoice {
    pub invoice_id: InvoiceId,
    pub reason: String,
    pub idempotency_key: Uuid,
}

/// Withdraws an invoice on which nothing is paid or credited, where the tax rules let one. Its number stays used. What it
/// charged of services' time is to be charged again, with the next run; so is what it charged once, with the next invoice.
pub async fn invoice_void(tx: &TenantTx, mut cmd: VoidInvoice) -> Result<Invoice> {
    tx.require(Permission::InvoiceWrite)?;
    let mut checks = Checks::new();
    cmd.reason = checks.line(&cmd.reason, 200, "reason");
    checks.done()?;
    let key = Some(cmd.idempotency_key);
    if tx.claim_key("invoiceVoid", key, &cmd, Uuid::now_v7()).await?.is_some() {
        return billing::get(tx, cmd.invoice_id).await;
    }
    let mut held = lock(tx, cmd.invoice_id).await?;
    let charged = billing::plan_time_of(tx, cmd.invoice_id).await?;
    billing::void(tx, cmd.invoice_id, &cmd.reason).await?;
    for held in &mut held {
        if let Some(time) = charged.iter().find(|time| time.service_id == held.service.id) {
            held.uncharge(tx, time).await?;
        }
    }
    let ended = |held: &&Held| held.service.state == ServiceState::Terminated;
    let going_on: Vec<ServiceId> = (held.iter()).filter(|h| !ended(h)).map(|h| h.service.id).collect();
    addons::uncharge(tx, cmd.invoice_id, &going_on).await?;
    if !held.is_empty() {
        Held::keep_all(tx, &held).await?;
    }
    tx.audit("invoiceVoid", cmd.invoice_id.0, &cmd).await?;
    billing::get(tx, cmd.invoice_id).await
}

/// The invoice's services, locked after its payer and all who pay for them.
async fn lock(tx: &TenantTx, id: InvoiceId) -> Result<Vec<Held>> {
    let (payer, services) = billing::parties(tx, id, "invoiceId").await?;
    let mut people = services::subscribers_of(tx, &services).await?;
    people.push(payer);
    subscribers::lock_with_payers(tx, &people).await?;
    let mut held = Vec::with_capacity(services.len());
    for service in services::lock_all(tx, &services).await? {
        let plan = plans::version(tx, service.plan_version_id).await?;
        held.push(Held::of(tx, service, plan).await?);
    }
    Ok(held)
}

impl Held {
    /// That time is not charged any more, and is what is to be charged next.
    async fn uncharge(&mut self, tx: &TenantTx, time: &PlanTime) -> Result<()> {
        let refuse = |why: &str| Err(Error::state("invoiceId", why));
        if time.others_follow {
            return refuse(
                "Other invoices charge its service for that time or for later: withdraw those first, or credit this one.",
            );
        }
        if self.service.state == ServiceState::Terminated {
            self.service.billed_until = Some(time.starts_at);
            return Ok(());
        }
        if self.service.state.suspension().is_some() {
            // Nothing would be owed any more, so that it went on at once, and was charged from that day on only.
            return refuse("Its service is suspended: resume that first, or issue a credit note instead.");
        }
        if self.service.awaits_payment || (self.plan.payment_mode == PaymentMode::Prepaid && !time.continues) {
            return refuse("It is what its prepaid service began with: end the service, which credits it.");
        }
        if self.service.billed_until != Some(time.ends_at) {
            // Charged anew from there, these days would be charged as well.
            return refuse("Its service was off for days after that time, which are not charged: issue a credit note instead.");
        }
        self.service.billed_until = Some(time.starts_at);
        match self.plan.bill_in {
            BillIn::Arrears => self.use_on_credit(tx).await?,
            BillIn::Advance => self.service.next_billing_on = self.advance_billing_on(tx, time.starts_at),
        }
        Ok(())
    }
}
