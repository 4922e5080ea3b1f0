use async_graphql::{Context, ID, InputObject, Object};
use trunkline_domain::billing::{ReverseWriteOff, WriteOffInvoice};
use trunkline_domain::credits::{self, ChargeDeposit, PayOut, RefundCredit, ReturnDeposit, TransferCredit};
use trunkline_domain::{Error, Result};

use crate::graphql::billing::Invoice;
use crate::graphql::ctx::CtxExt;
use crate::graphql::error::{ApiResult, payload};
use crate::graphql::ids;
use crate::graphql::payments::Payment;
use crate::graphql::payments::types::PaymentMethod;
use crate::graphql::scalars::{Date, DateTime, Decimal, Money, Uuid};
use crate::graphql::services::Service;
use crate::graphql::subscribers::Subscriber;

pub struct Refund(pub credits::Refund);

impl From<credits::Refund> for Refund {
    fn from(refund: credits::Refund) -> Self {
        Self(refund)
    }
}

/// Money that was paid back to a subscriber out of its credit in hand.
#[Object]
impl Refund {
    /// Names it everywhere.
    async fn id(&self) -> ID {
        ids::out(self.0.id)
    }

    /// To whom it was paid back.
    async fn subscriber(&self, ctx: &Context<'_>) -> ApiResult<Option<Subscriber>> {
        Ok(ctx.rq().loader().load_one(self.0.subscriber_id).await?.map(Subscriber::from))
    }

    /// The payment whose money it was; null where nobody said so.
    async fn payment(&self, ctx: &Context<'_>) -> ApiResult<Option<Payment>> {
        let Some(id) = self.0.payment_id else { return Ok(None) };
        Ok(ctx.rq().loader().load_one(id).await?.map(Payment))
    }

    /// How much.
    async fn amount(&self) -> ApiResult<Money> {
        Ok(self.0.amount()?.into())
    }

    /// How it was paid back.
    async fn method(&self) -> PaymentMethod {
        self.0.method.into()
    }

    /// Of the transfer, the cheque or the like.
    async fn reference(&self) -> Option<&str> {
        self.0.reference.as_deref()
    }

    /// Why.
    async fn reason(&self) -> &str {
        &self.0.reason
    }

    /// On the ISP's calendar.
    async fn refunded_on(&self) -> Date {
        Date(self.0.refunded_on)
    }
}

pub struct CreditTransfer(credits::CreditTransfer);

impl From<credits::CreditTransfer> for CreditTransfer {
    fn from(transfer: credits::CreditTransfer) -> Self {
        Self(transfer)
    }
}

/// Credit in hand that became another subscriber's.
#[Object]
impl CreditTransfer {
    /// Whose it was.
    #[graphql(name = "from")]
    async fn from_subscriber(&self, ctx: &Context<'_>) -> ApiResult<Option<Subscriber>> {
        let found = ctx.rq().loader().load_one(self.0.from_subscriber_id).await?;
        Ok(found.map(Subscriber::from))
    }

    /// Whose it is.
    async fn to(&self, ctx: &Context<'_>) -> ApiResult<Option<Subscriber>> {
        Ok(ctx
            .rq()
            .loader()
            .load_one(self.0.to_subscriber_id)
            .await?
            .map(Subscriber::from))
    }

    /// How much.
    async fn amount(&self) -> ApiResult<Money> {
        Ok(self.0.amount()?.into())
    }

    /// Why.
    async fn reason(&self) -> &str {
        &self.0.reason
    }

    /// When it was moved.
    async fn at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }
}

pub struct Deposit(pub credits::Deposit);

impl From<credits::Deposit> for Deposit {
    fn from(deposit: credits::Deposit) -> Self {
        Self(deposit)
    }
}

/// Money that is held for a subscriber, and goes back.
#[Object]
impl Deposit {
    /// Names it everywhere.
    async fn id(&self) -> ID {
        ids::out(self.0.id)
    }

    /// Whose it is: who pays the invoice that asks for it.
    async fn subscriber(&self, ctx: &Context<'_>) -> ApiResult<Option<Subscriber>> {
        Ok(ctx.rq().loader().load_one(self.0.subscriber_id).await?.map(Subscriber::from))
    }

    /// At its end the deposit settles what is owed; null: it stays until it is returned.
    async fn service(&self, ctx: &Context<'_>) -> ApiResult<Option<Service>> {
        let Some(id) = self.0.service_id else { return Ok(None) };
        Ok(ctx.rq().loader().load_one(id).await?.map(Service))
    }

    /// Asks for it; nothing is held until it is paid.
    async fn invoice(&self, ctx: &Context<'_>) -> ApiResult<Invoice> {
        let found = ctx.rq().loader().load_one(self.0.invoice_id).await?;
        Ok(found
            .map(Invoice)
            .ok_or_else(|| Error::internal("a deposit's invoice is missing"))?)
    }

    /// What it is for.
    async fn description(&self) -> &str {
        &self.0.description
    }

    /// What was asked for.
    async fn amount(&self) -> ApiResult<Money> {
        Ok(self.0.money(self.0.amount)?.into())
    }

    /// What has gone back of it.
    async fn returned(&self) -> ApiResult<Money> {
        Ok(self.0.money(self.0.returned)?.into())
    }

    /// What has not gone back yet, paid or not.
    async fn held(&self) -> ApiResult<Money> {
        Ok(self.0.held()?.into())
    }
}

/// Credit in hand that is to be paid back.
#[derive(InputObject)]
pub struct CreditRefundInput {
    /// Whose credit.
    subscriber_id: ID,
    /// At most what is in hand.
    amount: Decimal,
    /// How it is paid back.
    method: PaymentMethod,
    /// Of the transfer, the cheque or the like.
    reference: Option<String>,
    /// Why, for the books.
    reason: String,
    /// The payment whose money it is: it is told on `Payment.refunded`, and can never exceed it.
    payment_id: Option<ID>,
    /// Makes a repeated call answer with the first one's refund.
    idempotency_key: Uuid,
}

impl CreditRefundInput {
    pub fn command(self) -> Result<RefundCredit> {
        let payment = self.payment_id.map(|id| ids::input(&id, "paymentId")).transpose()?;
        Ok(RefundCredit {
            subscriber_id: ids::input(&self.subscriber_id, "subscriberId")?,
            amount: self.amount.0,
            method: self.method.into(),
            reference: self.reference,
            reason: self.reason,
            payment_id: payment,
            idempotency_key: self.idempotency_key.0,
        })
    }
}

/// Credit in hand that is to become another subscriber's.
#[derive(InputObject)]
pub struct CreditTransferInput {
    /// Whose it is.
    from_subscriber_id: ID,
    /// Whose it is to be: one with the same payer, tax id, e-mail address or telephone.
    to_subscriber_id: ID,
    /// At most what is in hand.
    amount: Decimal,
    /// Why, for the books.
    reason: String,
    /// Makes a repeated call answer with the first one's transfer.
    idempotency_key: Uuid,
}

impl CreditTransferInput {
    pub fn command(self) -> Result<TransferCredit> {
        Ok(TransferCredit {
            from_subscriber_id: ids::input(&self.from_subscriber_id, "fromSubscriberId")?,
            to_subscriber_id: ids::input(&self.to_subscriber_id, "toSubscriberId")?,
            amount: self.amount.0,
            reason: self.reason,
            idempotency_key: self.idempotency_key.0,
        })
    }
}

/// A deposit that is to be asked for.
#[derive(InputObject)]
pub struct DepositChargeInput {
    /// Whom it is for; who pays for them is asked for it.
    subscriber_id: ID,
    /// At its end the deposit settles what is owed.
    service_id: Option<ID>,
    /// How much; no tax is added.
    amount: Decimal,
    /// What it is for, such as a router.
    description: String,
    /// Default: `BillingSettings.dueDays` from today.
    due_on: Option<Date>,
    /// Makes a repeated call answer with the first one's deposit.
    idempotency_key: Uuid,
}

impl DepositChargeInput {
    pub fn command(self) -> Result<ChargeDeposit> {
        let service = self.service_id.map(|id| ids::input(&id, "serviceId")).transpose()?;
        Ok(ChargeDeposit {
            subscriber_id: ids::input(&self.subscriber_id, "subscriberId")?,
            service_id: service,
            amount: self.amount.0,
            description: self.description,
            due_on: self.due_on.map(|day| day.0),
            idempotency_key: self.idempotency_key.0,
        })
    }
}

/// How money is handed out.
#[derive(InputObject)]
pub struct PayOutInput {
    /// What it is paid with.
    method: PaymentMethod,
    /// Of the transfer, the cheque or the like.
    reference: Option<String>,
}

/// A deposit that is to go back.
#[derive(InputObject)]
pub struct DepositReturnInput {
    /// Which.
    id: ID,
    /// How much of it; all that is held when absent.
    amount: Option<Decimal>,
    /// Why, for the books.
    reason: String,
    /// Pays out what is left once all that is owed is settled; absent: it stays as credit in hand.
    pay_out: Option<PayOutInput>,
    /// Makes a repeated call answer with the first one's result.
    idempotency_key: Uuid,
}

impl DepositReturnInput {
    pub fn command(self) -> Result<ReturnDeposit> {
        let pay_out = |out: PayOutInput| PayOut {
            method: out.method.into(),
            reference: out.reference,
        };
        Ok(ReturnDeposit {
            id: ids::input(&self.id, "id")?,
            amount: self.amount.map(|amount| amount.0),
            reason: self.reason,
            pay_out: self.pay_out.map(pay_out),
            idempotency_key: self.idempotency_key.0,
        })
    }
}

/// What is to be given up of an invoice.
#[derive(InputObject)]
pub struct InvoiceWriteOffInput {
    /// Which.
    invoice_id: ID,
    /// At most what is due; all of that when absent.
    amount: Option<Decimal>,
    /// Why, for the books.
    reason: String,
    /// Makes a repeated call answer with the first one's result.
    idempotency_key: Uuid,
}

impl InvoiceWriteOffInput {
    pub fn command(self) -> Result<WriteOffInvoice> {
        Ok(WriteOffInvoice {
            invoice_id: ids::input(&self.invoice_id, "invoiceId")?,
            amount: self.amount.map(|amount| amount.0),
            reason: self.reason,
            idempotency_key: self.idempotency_key.0,
        })
    }
}

/// An invoice of which nothing is to be given up after all.
#[derive(InputObject)]
pub struct InvoiceWriteOffReverseInput {
    /// Which.
    invoice_id: ID,
    /// Why, for the books.
    reason: String,
    /// Makes a repeated call answer with the first one's result.
    idempotency_key: Uuid,
}

impl InvoiceWriteOffReverseInput {
    pub fn command(self) -> Result<ReverseWriteOff> {
        Ok(ReverseWriteOff {
            invoice_id: ids::input(&self.invoice_id, "invoiceId")?,
            reason: self.reason,
            idempotency_key: self.idempotency_key.0,
        })
    }
}

payload!(CreditRefundPayload { refund: Refund });
payload!(CreditTransferPayload {
    transfer: CreditTransfer
});
payload!(DepositChargePayload { deposit: Deposit });
payload!(DepositReturnPayload { deposit: Deposit });
payload!(InvoiceWriteOffPayload { invoice: Invoice });
payload!(InvoiceWriteOffReversePayload { invoice: Invoice });
