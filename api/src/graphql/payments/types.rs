use std::collections::HashMap;

use async_graphql::dataloader::Loader;
use async_graphql::{Context, Enum, ID, InputObject, Object};
use trunkline_domain::kernel::ids::{PaymentId, SubscriberId};
use trunkline_domain::kernel::money;
use trunkline_domain::payments::{self, RecordPayment, ReversePayment};
use trunkline_domain::{Error, Result, ledger};

use super::receipt::{Receipt, ReceiptOf};
use crate::graphql::billing::Invoice;
use crate::graphql::ctx::{CtxExt, Lookup, lookup};
use crate::graphql::error::{ApiError, ApiResult, payload};
use crate::graphql::ids;
use crate::graphql::page::connection;
use crate::graphql::scalars::{DateTime, Decimal, Money, Uuid};
use crate::graphql::subscribers::Subscriber;

/// What the payer paid with.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "payments::PaymentMethod")]
pub enum PaymentMethod {
    /// Notes and coins.
    Cash,
    /// A transfer between banks.
    BankTransfer,
    /// A cheque.
    Cheque,
    /// A telephone's wallet, such as M-Pesa.
    MobileMoney,
    /// A debit or credit card.
    Card,
    /// India's Unified Payments Interface.
    Upi,
    /// Anything else.
    Other,
}

/// Whether the money is there.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "payments::PaymentStatus")]
pub enum PaymentStatus {
    /// On its way.
    Pending,
    /// Received.
    Succeeded,
    /// It never came.
    Failed,
    /// Taken back; what it had settled is owed again.
    Reversed,
}

/// Money received from a subscriber.
#[derive(Clone)]
pub struct Payment(pub payments::Payment);

impl From<payments::Payment> for Payment {
    fn from(payment: payments::Payment) -> Self {
        Self(payment)
    }
}

/// Money received from a subscriber.
#[Object]
impl Payment {
    /// Names it everywhere.
    pub async fn id(&self) -> ID {
        ids::out(self.0.id)
    }

    /// Null while nobody knows whose it is.
    async fn subscriber(&self, ctx: &Context<'_>) -> ApiResult<Option<Subscriber>> {
        let Some(id) = self.0.subscriber_id else { return Ok(None) };
        Ok(ctx.rq().loader().load_one(id).await?.map(Subscriber::from))
    }

    /// What was received.
    async fn amount(&self) -> ApiResult<Money> {
        Ok(self.0.amount()?.into())
    }

    /// What was paid with.
    async fn method(&self) -> PaymentMethod {
        self.0.method.into()
    }

    /// Whether the money is there.
    async fn status(&self) -> PaymentStatus {
        self.0.status.into()
    }

    /// The payer's or gateway's own reference; unique per tenant for MOBILE_MONEY, UPI, CARD and gateways.
    async fn reference(&self) -> Option<&str> {
        self.0.reference.as_deref()
    }

    /// Null where the money came in before receipts were numbered.
    async fn receipt(&self, ctx: &Context<'_>) -> ApiResult<Option<Receipt>> {
        let found = ctx.rq().loader().load_one(ReceiptOf(self.0.id)).await?;
        let status = self.0.receipt_status();
        Ok(found.map(|of| Receipt { of, status }))
    }

    /// When the money came.
    async fn received_at(&self) -> DateTime {
        DateTime(self.0.received_at)
    }

    /// What it settled, in order; of a REVERSED payment, what it had settled.
    async fn allocations(&self, ctx: &Context<'_>) -> ApiResult<Vec<PaymentAllocation>> {
        let found = ctx.rq().loader().load_one(AllocationsOf(self.0.id)).await?;
        Ok(found.unwrap_or_default().into_iter().map(PaymentAllocation).collect())
    }

    /// What has been paid back of it out of credit in hand, as far as refunds name it.
    async fn refunded(&self) -> ApiResult<Money> {
        Ok(self.0.refunded()?.into())
    }

    /// What no invoice took; held as the subscriber's credit, unless the payment is REVERSED.
    async fn unallocated(&self) -> ApiResult<Money> {
        Ok(self.0.unallocated()?.into())
    }
}

/// What a payment settled of one invoice.
pub struct PaymentAllocation(pub payments::Allocation);

/// What a payment settled of one invoice.
#[Object]
impl PaymentAllocation {
    /// What was settled.
    async fn invoice(&self, ctx: &Context<'_>) -> ApiResult<Invoice> {
        let found = ctx.rq().loader().load_one(self.0.invoice_id).await?;
        Ok(found
            .map(Invoice)
            .ok_or_else(|| Error::internal("a settled invoice is missing"))?)
    }

    /// How much of it.
    async fn amount(&self) -> ApiResult<Money> {
        Ok(self.0.amount()?.into())
    }
}

connection!(PaymentConnection, PaymentEdge, Payment);
lookup!(PaymentId => payments::Payment, payments::by_ids, |payment| payment.id);

/// Loads a payment's allocations.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct AllocationsOf(pub PaymentId);

impl Loader<AllocationsOf> for Lookup {
    type Value = Vec<payments::Allocation>;
    type Error = ApiError;

    async fn load(&self, keys: &[AllocationsOf]) -> ApiResult<HashMap<AllocationsOf, Self::Value>> {
        let ids: Vec<PaymentId> = keys.iter().map(|k| k.0).collect();
        let rows = self.0.read(async move |tx| payments::allocations_of(tx, &ids).await).await?;
        let mut all: HashMap<AllocationsOf, Self::Value> = HashMap::new();
        for row in rows {
            all.entry(AllocationsOf(row.payment_id)).or_default().push(row);
        }
        Ok(all)
    }
}

/// Loads a subscriber's balance.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct BalanceOf(pub SubscriberId);

impl Loader<BalanceOf> for Lookup {
    type Value = money::Money;
    type Error = ApiError;

    async fn load(&self, keys: &[BalanceOf]) -> ApiResult<HashMap<BalanceOf, Self::Value>> {
        let ids: Vec<SubscriberId> = keys.iter().map(|k| k.0).collect();
        let all = self.0.read(async move |tx| ledger::balances(tx, &ids).await).await?;
        Ok(all.into_iter().map(|(id, balance)| (BalanceOf(id), balance)).collect())
    }
}

/// Allocated to `invoiceIds` in their order, else to the oldest due first.
#[derive(InputObject)]
pub struct PaymentRecordInput {
    /// Who paid; its own invoices are settled.
    subscriber_id: ID,
    /// What was received, in the ISP's currency.
    amount: Decimal,
    /// What was paid with.
    method: PaymentMethod,
    /// The payer's or gateway's own reference.
    reference: Option<String>,
    /// Default: now. Not in the future.
    received_at: Option<DateTime>,
    /// No others are settled; what they do not take is credit in hand.
    invoice_ids: Option<Vec<ID>>,
    /// Makes a repeated call answer with the first one's payment.
    idempotency_key: Uuid,
}

impl PaymentRecordInput {
    pub fn command(self) -> Result<RecordPayment> {
        let invoice_ids = self.invoice_ids.unwrap_or_default();
        Ok(RecordPayment {
            subscriber_id: ids::input(&self.subscriber_id, "subscriberId")?,
            amount: self.amount.0,
            method: self.method.into(),
            reference: self.reference,
            received_at: self.received_at.map(|at| at.0),
            invoice_ids: (invoice_ids.iter().enumerate())
                .map(|(n, id)| ids::input(id, &format!("invoiceIds.{n}")))
                .collect::<Result<_>>()?,
            key: Some(self.idempotency_key.0),
        })
    }
}

/// A payment that is taken back.
#[derive(InputObject)]
pub struct PaymentReverseInput {
    /// Which.
    id: ID,
    /// Why, for the books.
    reason: String,
    /// Makes a repeated call answer with the first one's result.
    idempotency_key: Uuid,
}

impl PaymentReverseInput {
    pub fn command(self) -> Result<ReversePayment> {
        Ok(ReversePayment {
            id: ids::input(&self.id, "id")?,
            reason: self.reason,
            key: Some(self.idempotency_key.0),
        })
    }
}

payload!(PaymentRecordPayload { payment: Payment });
payload!(PaymentReversePayload { payment: Payment });
