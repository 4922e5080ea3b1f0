//! What invoices and payments do to services: handlers of events. Each looks at the present alone, so that they may come
//! late, twice and in any order. Each service has a transaction of its own: where one fails the others have it all the same; for
//! its sake the job is tried again, and then it is the next run's.

use std::collections::BTreeSet;

use super::each::each_and_end;
use super::renewal::RefreshServices;
use super::settle::{BeginAgain, credited, refresh};
use crate::billing::events::{
    BillingSettingsUpdated, CreditNoteIssued, InvoicePaid, InvoiceReopened, InvoiceVoided, InvoiceWrittenOff,
    OpeningBalanceRecorded,
};
use crate::billing::{self, lines_of};
use crate::credits;
use crate::credits::events::{CreditTransferred, DepositReturned};
use crate::dunning;
use crate::kernel::db::{TenantDb, TenantTx};
use crate::kernel::error::Result;
use crate::kernel::ids::{InvoiceId, ServiceId, SubscriberId};
use crate::payments::events::PaymentRecorded;
use crate::services::{self, ServiceTerminated};
use crate::subscribers;

/// Services whose time is now paid begin, go on, or come back.
pub async fn invoice_paid(db: &TenantDb, event: InvoicePaid) -> Result<()> {
    let services = settled(db, event.invoice_id).await?;
    each_and_end(db, &services, |tx, id| Box::pin(refresh(tx, id, BeginAgain::AsRenewed))).await
}

/// What had been paid is owed again: time that was paid for may be over.
pub async fn invoice_reopened(db: &TenantDb, event: InvoiceReopened) -> Result<()> {
    let services = db.read(async move |tx| services_of(tx, event.invoice_id).await).await?;
    each_and_end(db, &services, |tx, id| Box::pin(refresh(tx, id, BeginAgain::AsRenewed))).await
}

/// What was owed is owed no more: services that were blocked for it go on.
pub async fn invoice_voided(db: &TenantDb, event: InvoiceVoided) -> Result<()> {
    let services = settled(db, event.invoice_id).await?;
    each_and_end(db, &services, |tx, id| Box::pin(refresh(tx, id, BeginAgain::IfCovered))).await
}

/// What was owed is given up: nothing begins for that and nothing comes back, but who was waited for is waited for no more.
pub async fn invoice_written_off(db: &TenantDb, event: InvoiceWrittenOff) -> Result<()> {
    let services = settled(db, event.invoice_id).await?;
    each_and_end(db, &services, |tx, id| Box::pin(refresh(tx, id, BeginAgain::IfCovered))).await
}

/// A payment may have left credit in hand: it renews what waits for it.
pub async fn payment_recorded(db: &TenantDb, event: PaymentRecorded) -> Result<()> {
    renew(db, event.subscriber_id).await
}

/// A credit note may have left credit in hand: it settles what else its payer owes, and renews what waits for it.
pub async fn credit_note_issued(db: &TenantDb, event: CreditNoteIssued) -> Result<()> {
    let payer = event.subscriber_id;
    db.write(async move |tx| {
        subscribers::lock(tx, payer).await?;
        billing::settle_from_credit(tx, payer).await
    })
    .await?;
    renew(db, payer).await
}

/// Credit was brought along.
pub async fn opening_balance_recorded(db: &TenantDb, event: OpeningBalanceRecorded) -> Result<()> {
    renew(db, event.subscriber_id).await
}

/// Credit has come from another subscriber.
pub async fn credit_transferred(db: &TenantDb, event: CreditTransferred) -> Result<()> {
    renew(db, event.to_subscriber_id).await
}

/// A deposit may have left credit in hand, as a payment.
pub async fn deposit_returned(db: &TenantDb, event: DepositReturned) -> Result<()> {
    renew(db, event.subscriber_id).await
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
    let refresh = RefreshServices {
        version: event.version,
        waited: 0,
    };
    tx.enqueue(&refresh, tx.now()).await
}

/// Whoever is paid for is waited for no more; answers which services the invoice is about.
async fn settled(db: &TenantDb, invoice: InvoiceId) -> Result<Vec<ServiceId>> {
    db.write(async move |tx| {
        dunning::keep_paid(tx, invoice).await?;
        services_of(tx, invoice).await
    })
    .await
}

async fn services_of(tx: &TenantTx, invoice: InvoiceId) -> Result<Vec<ServiceId>> {
    let services: BTreeSet<ServiceId> = lines_of(tx, &[invoice])
        .await?
        .into_iter()
        .filter_map(|l| l.service_id)
        .collect();
    Ok(services.into_iter().collect())
}

/// Services that this subscriber pays for and that wait for credit in hand have it now.
async fn renew(db: &TenantDb, payer: SubscriberId) -> Result<()> {
    let services = db.read(async move |tx| services::waiting_for_credit(tx, payer).await).await?;
    each_and_end(db, &services, |tx, id| Box::pin(credited(tx, id))).await
}
