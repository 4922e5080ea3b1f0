use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use sea_orm::FromQueryResult;

use super::rules::{BillingSettings, Registration, TaxAmount, aggregate};
use crate::kernel::error::{Error, Result};
use crate::kernel::ids::{InvoiceId, InvoiceLineId, PlanId, ServiceId, SubscriberId, TaxRegistrationId};
use crate::kernel::money::{Currency, Money};
use crate::kernel::text_enum;

text_enum! {
    /// `Issued` and `PartiallyPaid` are open: something is due on them.
    InvoiceStatus { Draft, Issued, PartiallyPaid, Paid, Credited, WrittenOff, Void }
    /// A debit note adds to an invoice that was issued before; an opening balance is what was owed in the system before; a
    /// deposit is asked for without tax.
    InvoiceKind { Invoice, DebitNote, OpeningBalance, Deposit }
    InvoiceLineKind { Period, OneTime, Deposit, Adjustment, LateFee }
}

impl InvoiceStatus {
    /// Whether something is due.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Issued | Self::PartiallyPaid)
    }
}

/// How this ISP bills, with the version that an update must name.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    pub settings: BillingSettings,
    pub version: i32,
}

/// A registration of this ISP with a tax authority.
#[derive(Clone, Debug, PartialEq, FromQueryResult)]
pub struct TaxRegistration {
    pub id: TaxRegistrationId,
    pub country: String,
    pub region: Option<String>,
    pub tax_id: String,
    /// Stands for it in document numbers.
    pub short_code: String,
    pub created_at: DateTime<Utc>,
}

impl TaxRegistration {
    pub(super) fn for_rules(&self) -> Registration {
        Registration {
            country: self.country.clone(),
            region: self.region.clone(),
            tax_id: self.tax_id.clone(),
        }
    }
}

/// An invoice's head. Amounts are of `currency`; `amount_due` is kept by the database.
#[derive(Clone, Debug, PartialEq, FromQueryResult)]
pub struct Invoice {
    pub id: InvoiceId,
    pub kind: InvoiceKind,
    /// Of a debit note, the invoice that it adds to.
    pub refers_to_id: Option<InvoiceId>,
    /// Of a debit note, why it was issued.
    pub reason: Option<String>,
    pub number: Option<String>,
    pub status: InvoiceStatus,
    /// Who pays it.
    pub subscriber_id: SubscriberId,
    pub registration_id: Option<TaxRegistrationId>,
    pub issued_on: Option<NaiveDate>,
    pub due_on: Option<NaiveDate>,
    pub currency: String,
    pub subtotal: Decimal,
    pub discount: Decimal,
    pub tax_total: Decimal,
    pub rounding: Decimal,
    pub total: Decimal,
    pub amount_paid: Decimal,
    /// By credit in hand, credit notes and write-offs; all of it when it is void.
    pub amount_credited: Decimal,
    /// What was given up of it; a part of `amount_credited`.
    pub written_off: Decimal,
    /// What its payer withheld as tax; a part of `amount_paid`.
    pub withheld: Decimal,
    pub amount_due: Decimal,
    /// The sum of the credit notes against it.
    pub credit_noted: Decimal,
    /// The sum of the debit notes that add to it.
    pub debit_noted: Decimal,
    pub voided_at: Option<DateTime<Utc>>,
    pub void_reason: Option<String>,
    /// Open, and due before today on the tenant's calendar.
    pub overdue: bool,
    pub created_at: DateTime<Utc>,
}

impl Invoice {
    /// One of its amounts, in its currency.
    pub fn money(&self, amount: Decimal) -> Result<Money> {
        let currency: Currency = self.currency.parse().map_err(Error::internal)?;
        Money::new(amount, currency).map_err(Error::internal)
    }
}

/// What an invoice charges for one thing.
#[derive(Clone, Debug, PartialEq, FromQueryResult)]
pub struct InvoiceLine {
    pub id: InvoiceLineId,
    pub invoice_id: InvoiceId,
    pub position: i32,
    pub kind: InvoiceLineKind,
    pub description: String,
    /// Who it is for; another than the invoice's when that one pays for it.
    pub subscriber_id: SubscriberId,
    pub service_id: Option<ServiceId>,
    pub plan_id: Option<PlanId>,
    pub quantity: Decimal,
    pub unit_price: Decimal,
    pub discount: Decimal,
    pub amount: Decimal,
    pub currency: String,
    pub tax_code: Option<String>,
    pub period_starts_at: Option<DateTime<Utc>>,
    pub period_ends_at: Option<DateTime<Utc>>,
    /// A [`super::rules::Explanation`].
    pub explanation: serde_json::Value,
}

impl InvoiceLine {
    /// One of its amounts, in its currency.
    pub fn money(&self, amount: Decimal) -> Result<Money> {
        let currency: Currency = self.currency.parse().map_err(Error::internal)?;
        Money::new(amount, currency).map_err(Error::internal)
    }
}

/// One tax on one line.
#[derive(Clone, Debug, PartialEq, FromQueryResult)]
pub struct InvoiceTax {
    pub invoice_id: InvoiceId,
    pub line_id: Option<InvoiceLineId>,
    pub position: i32,
    pub name: String,
    pub rate: Decimal,
    pub base: Decimal,
    pub amount: Decimal,
    pub currency: String,
}

impl InvoiceTax {
    /// As the rules compute with it; the rate without trailing zeros.
    pub fn amount(&self) -> Result<TaxAmount> {
        let currency: Currency = self.currency.parse().map_err(Error::internal)?;
        let money = |amount| Money::new(amount, currency).map_err(Error::internal);
        Ok(TaxAmount {
            name: self.name.clone(),
            rate: self.rate.normalize(),
            base: money(self.base)?,
            amount: money(self.amount)?,
        })
    }
}

/// Sums of an invoice's taxes by name and rate, in the order of their first appearance.
pub fn sum_taxes(taxes: &[InvoiceTax]) -> Result<Vec<TaxAmount>> {
    let amounts = taxes.iter().map(InvoiceTax::amount).collect::<Result<Vec<_>>>()?;
    aggregate(&amounts).map_err(Error::internal)
}
