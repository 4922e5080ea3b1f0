//! What invoices and payments do to services: handlers of events. Each looks at the present alone, so that they may come
//! late, twice and in any order.

use std::collections::BTreeSet;

use super::renewal::RefreshServices;
use super::settle::{BeginAgain, refresh};
use crate::billing::events::{
    BillingSettingsUpdated, CreditNoteIssued, InvoicePaid, InvoiceReopened, InvoiceVoided, InvoiceWrittenOff,
};
use crate::billing::lines_of;
use crate::credits;
use crate::credits::events::{CreditTransferred, DepositReturned};
use crate::dunning;
use crate::kernel::db::TenantTx;
use crate::kernel::error::Result;
use crate::kernel::ids::{InvoiceId, ServiceId};
use crate::payments::events::PaymentRecorded;
use crate::services::{self, ServiceTerminated};

/// Services whose time is now paid begin, go on, or come back.
pub async fn invoice_paid(tx: &TenantTx, event: InvoicePaid) -> Result<()> {
    refresh_services_of(tx, event.invoice_id, BeginAgain::AsRenewed).await?;
    dunning::keep_paid(tx, event.invoice_id).await
}

/// What had been paid is owed again: time that was paid for may be over.
pub async fn invoice_reopened(tx: &TenantTx, event: InvoiceReopened) -> Result<()> {
    refresh_services_of(tx, event.invoice_id, BeginAgain::AsRenewed).await
}

/// What was owed is owed no more: services that were blocked for it go on.
pub async fn invoice_voided(tx: &TenantTx, event: InvoiceVoided) -> Result<()> {
    refresh_services_of(tx, event.invoice_id, BeginAgain::IfCovered).await?;
    dunning::keep_paid(tx, event.invoice_id).await
}

/// What was owed is given up: nothing begins for that and nothing comes back, but who was waited for is waited for no more.
pub async fn invoice_written_off(tx: &TenantTx, event: InvoiceWrittenOff) -> Result<()> {
    refresh_services_of(tx, event.invoice_id, BeginAgain::IfCovered).await?;
    dunning::keep_paid(tx, event.invoice_id).await
}

/// A payment may have left credit in hand: it renews what had run out for want of it.
pub async fn payment_recorded(tx: &TenantTx, event: PaymentRecorded) -> Result<()> {
    for service in services::expired_of(tx, event.subscriber_id).await? {
        refresh(tx, service, BeginAgain::IfCovered).await?;
    }
    Ok(())
}

/// A credit note may have left credit in hand, as a payment.
pub async fn credit_note_issued(tx: &TenantTx, event: CreditNoteIssued) -> Result<()> {
    for service in services::expired_of(tx, event.subscriber_id).await? {
        refresh(tx, service, BeginAgain::IfCovered).await?;
    }
    Ok(())
}

/// Credit has come from another subscriber: it renews what had run out for want of it.
pub async fn credit_transferred(tx: &TenantTx, event: CreditTransferred) -> Result<()> {
    for service in services::expired_of(tx, event.to_subscriber_id).await? {
        refresh(tx, service, BeginAgain::IfCovered).await?;
    }
    Ok(())
}

/// A deposit may have left credit in hand, as a payment.
pub async fn deposit_returned(tx: &TenantTx, event: DepositReturned) -> Result<()> {
    for service in services::expired_of(tx, event.subscriber_id).await? {
        refresh(tx, service, BeginAgain::IfCovered).await?;
    }
    Ok(())
}

/// What was deposited for the service settles what is owed.
pub async fn service_terminated(tx: &TenantTx, event: ServiceTerminated) -> Result<()> {
    credits::set_off(tx, event.service_id).await
}

/// Other days of grace count for what is unpaid now.
pub async fn settings_updated(tx: &TenantTx, event: BillingSettingsUpdated) -> Result<()> {
    if !event.grace_days_changed {
        return Ok(());
    }
    let refresh = RefreshServices { version: event.version };
    tx.enqueue(&refresh, tx.now()).await
}

async fn refresh_services_of(tx: &TenantTx, invoice: InvoiceId, again: BeginAgain) -> Result<()> {
    let lines = lines_of(tx, &[invoice]).await?;
    // In the order of their ids, as every transaction that holds several.
    let services: BTreeSet<ServiceId> = lines.into_iter().filter_map(|l| l.service_id).collect();
    for service in services {
        refresh(tx, service, again).await?;
    }
    Ok(())
}
