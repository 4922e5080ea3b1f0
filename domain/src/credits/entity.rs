use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use sea_orm::FromQueryResult;
use uuid::Uuid;

use crate::kernel::error::{Error, Result};
use crate::kernel::ids::{DepositId, InvoiceId, PaymentId, RefundId, ServiceId, SubscriberId};
use crate::kernel::money::Money;
use crate::payments::PaymentMethod;

/// Money that was paid back out of credit in hand.
#[derive(Clone, Debug, PartialEq, FromQueryResult)]
pub struct Refund {
    pub id: RefundId,
    pub subscriber_id: SubscriberId,
    /// The payment whose money it was, where somebody said so.
    pub payment_id: Option<PaymentId>,
    pub amount: Decimal,
    pub currency: String,
    pub method: PaymentMethod,
    pub reference: Option<String>,
    pub reason: String,
    pub refunded_on: NaiveDate,
    pub created_at: DateTime<Utc>,
}

impl Refund {
    pub fn amount(&self) -> Result<Money> {
        money(self.amount, &self.currency)
    }
}

/// Credit in hand that became another subscriber's.
#[derive(Clone, Debug, PartialEq, FromQueryResult)]
pub struct CreditTransfer {
    pub id: Uuid,
    pub from_subscriber_id: SubscriberId,
    pub to_subscriber_id: SubscriberId,
    pub amount: Decimal,
    pub currency: String,
    pub reason: String,
    pub created_at: DateTime<Utc>,
}

impl CreditTransfer {
    pub fn amount(&self) -> Result<Money> {
        money(self.amount, &self.currency)
    }
}

/// Money that is held for a subscriber.
#[derive(Clone, Debug, PartialEq, FromQueryResult)]
pub struct Deposit {
    pub id: DepositId,
    /// Whose it is: who pays its invoice.
    pub subscriber_id: SubscriberId,
    /// At whose end it is set off against what is owed.
    pub service_id: Option<ServiceId>,
    pub invoice_id: InvoiceId,
    pub description: String,
    pub amount: Decimal,
    /// What has gone back of it.
    pub returned: Decimal,
    pub currency: String,
    pub created_at: DateTime<Utc>,
}

impl Deposit {
    /// One of its amounts.
    pub fn money(&self, amount: Decimal) -> Result<Money> {
        money(amount, &self.currency)
    }

    /// What has not gone back yet.
    pub fn held(&self) -> Result<Money> {
        self.money(self.amount - self.returned)
    }
}

fn money(amount: Decimal, currency: &str) -> Result<Money> {
    let currency = currency.parse().map_err(Error::internal)?;
    Money::new(amount, currency).map_err(Error::internal)
}
