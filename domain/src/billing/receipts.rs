//! Receipts: each payment that is recorded has one, whose number is taken as an invoice's is.

use chrono::NaiveDate;
use sea_orm::FromQueryResult;

use super::rules::BillingSettings;
use super::{numbers, registrations, setup};
use crate::kernel::db::TenantTx;
use crate::kernel::error::Result;
use crate::kernel::ids::{InvoiceId, PaymentId, TaxRegistrationId};
use crate::subscribers::Subscriber;

/// A receipt for money that was received. What it says is its payment's.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct Receipt {
    pub payment_id: PaymentId,
    pub number: String,
    pub issued_on: NaiveDate,
    /// Under which it was issued.
    pub registration_id: Option<TaxRegistrationId>,
}

/// Writes the receipt of a payment today, under the registration of the first invoice that it settles, else under that of the
/// payer's place. The last thing that the payment's transaction does: the series is locked until it ends.
pub async fn issue_receipt(tx: &TenantTx, payment: PaymentId, settles: Option<InvoiceId>, payer: &Subscriber) -> Result<()> {
    let settings = setup::settings(tx).await?.settings;
    let (registration, short_code) = registration(tx, settles, payer).await?;
    let number = number(tx, &settings, short_code.as_deref()).await?;
    tx.sql("INSERT INTO receipt (payment_id, number, issued_on, registration_id, created_at) VALUES ($1, $2, $3, $4, $5)")
        .bind(payment)
        .bind(number)
        .bind(tx.today())
        .bind(registration)
        .bind(tx.now())
        .run()
        .await?;
    Ok(())
}

async fn number(tx: &TenantTx, settings: &BillingSettings, short_code: Option<&str>) -> Result<String> {
    let pattern = &settings.receipt_number_pattern;
    numbers::next(tx, numbers::RECEIPTS, pattern, settings, tx.today(), short_code).await
}

async fn registration(
    tx: &TenantTx,
    settles: Option<InvoiceId>,
    payer: &Subscriber,
) -> Result<(Option<TaxRegistrationId>, Option<String>)> {
    let under: Option<TaxRegistrationId> = match settles {
        None => None,
        Some(invoice) => {
            let of_invoice = tx.sql("SELECT registration_id FROM invoice WHERE id = $1 AND registration_id IS NOT NULL");
            of_invoice.bind(invoice).scalar().await?
        }
    };
    let found = match under {
        Some(id) => registrations::all(tx).await?.into_iter().find(|r| r.id == id),
        None => registrations::of_subscriber(tx, payer).await?,
    };
    Ok(found.map(|r| (r.id, r.short_code)).unzip())
}

/// The receipts of payments that the caller may see; money that came in before receipts were numbered has none.
pub async fn receipts_of(tx: &TenantTx, payments: &[PaymentId]) -> Result<Vec<Receipt>> {
    tx.sql("SELECT payment_id, number, issued_on, registration_id FROM receipt WHERE payment_id = ANY($1)")
        .bind(PaymentId::array(payments))
        .all()
        .await
}
