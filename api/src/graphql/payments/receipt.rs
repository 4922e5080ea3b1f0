use std::collections::HashMap;

use async_graphql::dataloader::Loader;
use async_graphql::{Enum, Object};
use trunkline_domain::kernel::ids::PaymentId;
use trunkline_domain::{billing, payments};

use crate::graphql::ctx::Lookup;
use crate::graphql::error::{ApiError, ApiResult};
use crate::graphql::scalars::Date;

/// Whether the money that a receipt is about stayed.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "payments::ReceiptStatus")]
pub enum ReceiptStatus {
    /// It did.
    Valid,
    /// Some of it has been paid back.
    PartlyRefunded,
    /// All of it has been paid back.
    Refunded,
    /// The payment was taken back: the receipt no longer counts.
    Reversed,
}

/// The receipt for a payment.
pub struct Receipt {
    pub of: billing::Receipt,
    pub status: payments::ReceiptStatus,
}

/// The receipt for a payment.
#[Object]
impl Receipt {
    /// Gapless within its own series; made as `BillingSettings.receiptNumberPattern` says.
    async fn number(&self) -> &str {
        &self.of.number
    }

    /// The day on which the payment was recorded, on the ISP's calendar.
    async fn issued_on(&self) -> Date {
        Date(self.of.issued_on)
    }

    /// What became of the money since; the PDF says it as well.
    async fn status(&self) -> ReceiptStatus {
        self.status.into()
    }

    /// Host-relative, needs the same authorisation as this query.
    async fn pdf_url(&self) -> String {
        format!("/receipts/{}.pdf", self.of.payment_id)
    }
}

/// Loads a payment's receipt.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ReceiptOf(pub PaymentId);

impl Loader<ReceiptOf> for Lookup {
    type Value = billing::Receipt;
    type Error = ApiError;

    async fn load(&self, keys: &[ReceiptOf]) -> ApiResult<HashMap<ReceiptOf, Self::Value>> {
        let ids: Vec<PaymentId> = keys.iter().map(|k| k.0).collect();
        let rows = self.0.read(async move |tx| billing::receipts_of(tx, &ids).await).await?;
        Ok(rows.into_iter().map(|row| (ReceiptOf(row.payment_id), row)).collect())
    }
}
