use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use sea_orm::FromQueryResult;

use crate::kernel::error::{Error, Result};
use crate::kernel::ids::{InvoiceId, PaymentId, SubscriberId};
use crate::kernel::money::Money;
use crate::kernel::text_enum;

text_enum! {
    /// What the payer paid with.
    PaymentMethod { Cash, BankTransfer, Cheque, MobileMoney, Card, Upi, Other }
    PaymentStatus { Pending, Succeeded, Failed, Reversed }
}

#[derive(Clone, Debug, PartialEq, FromQueryResult)]
pub struct Payment {
    pub id: PaymentId,
    /// None while nobody knows whose it is.
    pub subscriber_id: Option<SubscriberId>,
    pub amount: Decimal,
    pub currency: String,
    pub method: PaymentMethod,
    pub status: PaymentStatus,
    /// The payer's own reference, such as a mobile-money code.
    pub reference: Option<String>,
    pub received_at: DateTime<Utc>,
    /// What no invoice took; it became credit in hand.
    pub unallocated: Decimal,
    /// What has been paid back of it.
    pub refunded: Decimal,
    pub reversed_at: Option<DateTime<Utc>>,
    pub reversal_reason: Option<String>,
    pub created_at: DateTime<Utc>,
}

impl Payment {
    pub fn amount(&self) -> Result<Money> {
        self.money(self.amount)
    }

    pub fn unallocated(&self) -> Result<Money> {
        self.money(self.unallocated)
    }

    pub fn refunded(&self) -> Result<Money> {
        self.money(self.refunded)
    }

    fn money(&self, amount: Decimal) -> Result<Money> {
        let currency = self.currency.parse().map_err(Error::internal)?;
        Money::new(amount, currency).map_err(Error::internal)
    }
}

/// What a payment settled of an invoice. It stays written down when the payment is reversed.
#[derive(Clone, Debug, PartialEq, FromQueryResult)]
pub struct Allocation {
    pub payment_id: PaymentId,
    pub invoice_id: InvoiceId,
    pub amount: Decimal,
    pub currency: String,
}

impl Allocation {
    pub fn amount(&self) -> Result<Money> {
        let currency = self.currency.parse().map_err(Error::internal)?;
        Money::new(self.amount, currency).map_err(Error::internal)
    }
}
