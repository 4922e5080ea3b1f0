use async_graphql::{Enum, ID, InputObject, Object, SimpleObject};
use trunkline_domain::Result;
use trunkline_domain::billing::{self, RecordOpeningBalance};
use trunkline_domain::books::{self, DocumentKind};
use trunkline_domain::kernel::ids::{CreditNoteId, InvoiceId, PaymentId, RefundId};
use trunkline_domain::ledger::{self, ClosePeriod, ReopenPeriod};

use crate::graphql::billing::Invoice;
use crate::graphql::ctx::CtxExt;
use crate::graphql::error::{ApiResult, payload};
use crate::graphql::ids;
use crate::graphql::scalars::{BigInt, Date, DateTime, Decimal, Money, Uuid};
use crate::graphql::subscribers::Subscriber;

/// What an account is for.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "ledger::AccountKind")]
pub enum LedgerAccountKind {
    /// What subscribers have been invoiced and not yet paid.
    Receivable,
    /// What subscribers have paid or been credited beyond their invoices.
    SubscriberCredit,
    /// What was earned.
    Revenue,
    /// Collected for the tax authority, an account a tax.
    TaxPayable,
    /// What rounding of invoices leaves over.
    Rounding,
    /// Money that came in, an account a payment method.
    Cash,
    /// What payers withheld and the tax authority owes.
    WithholdingReceivable,
    /// On its way from a payment provider.
    GatewayClearing,
    /// What was given up.
    WriteOff,
    /// Held for subscribers, to be given back.
    Deposit,
    /// Sold as vouchers and not used yet.
    VoucherLiability,
    /// Owed to partners.
    PartnerPayable,
    /// What other systems' books were taken over against.
    Opening,
}

/// What sort of document it is.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "DocumentKind")]
pub enum LedgerDocumentKind {
    /// An invoice; of credit that was applied, the one that it was applied to.
    Invoice,
    /// A credit note.
    CreditNote,
    /// A payment, or its reversal.
    Payment,
    /// A refund.
    Refund,
}

/// The document that an entry of the ledger stands for.
pub struct LedgerDocument(pub books::Document);

/// The document that an entry of the ledger stands for.
#[Object]
impl LedgerDocument {
    /// What sort of document it is.
    async fn kind(&self) -> LedgerDocumentKind {
        self.0.kind.into()
    }

    /// The document's id, for `node`.
    async fn id(&self) -> ID {
        match self.0.kind {
            DocumentKind::Invoice => ids::out(InvoiceId(self.0.id)),
            DocumentKind::CreditNote => ids::out(CreditNoteId(self.0.id)),
            DocumentKind::Payment => ids::out(PaymentId(self.0.id)),
            DocumentKind::Refund => ids::out(RefundId(self.0.id)),
        }
    }

    /// Its number; of a payment, its reference, if it has one.
    async fn number(&self) -> Option<&str> {
        self.0.number.as_deref()
    }
}

/// Up to which day the books are closed, and how that came about.
pub struct LedgerPeriod(pub Vec<ledger::PeriodChange>);

impl From<Vec<ledger::PeriodChange>> for LedgerPeriod {
    fn from(changes: Vec<ledger::PeriodChange>) -> Self {
        Self(changes)
    }
}

/// Up to which day the books are closed, and how that came about.
#[Object]
impl LedgerPeriod {
    /// The last day that takes no entry any more; null: every day is open.
    async fn closed_through(&self) -> Option<Date> {
        self.0.first().and_then(|last| last.through).map(Date)
    }

    /// Every closing and reopening, the latest first.
    async fn changes(&self) -> Vec<LedgerPeriodChange> {
        self.0.iter().map(LedgerPeriodChange::from).collect()
    }
}

/// A closing of the books, or a reopening.
#[derive(SimpleObject)]
pub struct LedgerPeriodChange {
    /// The last closed day from then on; null: none.
    pub closed_through: Option<Date>,
    /// Why.
    pub reason: String,
    /// When it was done.
    pub at: DateTime,
}

impl From<&ledger::PeriodChange> for LedgerPeriodChange {
    fn from(change: &ledger::PeriodChange) -> Self {
        Self {
            closed_through: change.through.map(Date),
            reason: change.reason.clone(),
            at: DateTime(change.closed_at),
        }
    }
}

/// A day up to which the books are to be closed.
#[derive(InputObject)]
pub struct LedgerPeriodCloseInput {
    /// The last day that takes no entry any more; before today.
    through: Date,
    /// Why, for the audit.
    reason: String,
    /// Makes a repeated call answer with the present state.
    idempotency_key: Uuid,
}

impl From<LedgerPeriodCloseInput> for ClosePeriod {
    fn from(input: LedgerPeriodCloseInput) -> Self {
        Self {
            through: input.through.0,
            reason: input.reason,
            idempotency_key: input.idempotency_key.0,
        }
    }
}

/// Days that are to be opened again: those after one.
#[derive(InputObject)]
pub struct LedgerPeriodReopenInput {
    /// The last day that stays closed; null: every day is opened.
    through: Option<Date>,
    /// Why, for the audit.
    reason: String,
    /// Makes a repeated call answer with the present state.
    idempotency_key: Uuid,
}

impl From<LedgerPeriodReopenInput> for ReopenPeriod {
    fn from(input: LedgerPeriodReopenInput) -> Self {
        Self {
            through: input.through.map(|day| day.0),
            reason: input.reason,
            idempotency_key: input.idempotency_key.0,
        }
    }
}

payload!(LedgerPeriodClosePayload { period: LedgerPeriod });
payload!(LedgerPeriodReopenPayload { period: LedgerPeriod });

/// The balance that a subscriber brings along from the system before.
#[derive(InputObject)]
pub struct OpeningBalanceRecordInput {
    /// Whose; one that pays its invoices itself, and has brought no balance along yet.
    subscriber_id: ID,
    /// Positive: it owed that much. Negative: it had that much in hand.
    amount: Decimal,
    /// The day on whose end that was so.
    as_of: Date,
    /// When what it owed is due; `BillingSettings.dueDays` from today when absent.
    due_on: Option<Date>,
    /// What the system before called the account, or the like.
    reference: Option<String>,
    /// Makes a repeated call answer with the first one's result.
    idempotency_key: Uuid,
}

impl OpeningBalanceRecordInput {
    pub fn command(self) -> Result<RecordOpeningBalance> {
        Ok(RecordOpeningBalance {
            subscriber_id: ids::input(&self.subscriber_id, "subscriberId")?,
            amount: self.amount.0,
            as_of: self.as_of.0,
            due_on: self.due_on.map(|day| day.0),
            reference: self.reference,
            idempotency_key: self.idempotency_key.0,
        })
    }
}

pub struct OpeningBalance(billing::OpeningBalance);

impl From<billing::OpeningBalance> for OpeningBalance {
    fn from(balance: billing::OpeningBalance) -> Self {
        Self(balance)
    }
}

/// What a subscriber owed, or had in hand, in the system before.
#[Object]
impl OpeningBalance {
    /// Whose it is.
    async fn subscriber(&self, ctx: &async_graphql::Context<'_>) -> ApiResult<Option<Subscriber>> {
        Ok(ctx.rq().loader().load_one(self.0.subscriber_id).await?.map(Subscriber::from))
    }

    /// Positive: it owed that much. Negative: it had that much in hand.
    async fn amount(&self) -> ApiResult<Money> {
        Ok(self.0.amount()?.into())
    }

    /// The day on whose end that was so.
    async fn as_of(&self) -> Date {
        Date(self.0.as_of)
    }

    /// What the system before called the account, or the like.
    async fn reference(&self) -> Option<&str> {
        self.0.reference.as_deref()
    }

    /// What it owed stands on this one, until it is paid; null where it had money in hand.
    async fn invoice(&self, ctx: &async_graphql::Context<'_>) -> ApiResult<Option<Invoice>> {
        let Some(id) = self.0.invoice_id else { return Ok(None) };
        Ok(ctx.rq().loader().load_one(id).await?.map(Invoice))
    }
}

payload!(OpeningBalanceRecordPayload {
    opening_balance: OpeningBalance
});

/// Who is to read the journal.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "books::ExportFormat")]
pub enum LedgerExportFormat {
    /// Spreadsheets and other bookkeeping: comma-separated values, a row for each account that an entry moved.
    Csv,
    /// hledger, plain text accounting.
    Hledger,
    /// Beancount, plain text accounting.
    Beancount,
}

/// Where the journal can be fetched.
#[derive(SimpleObject)]
pub struct LedgerExport {
    /// Host-relative; GET it with the same authorisation as this query. It is streamed, however long it is.
    pub url: String,
    /// How many entries it has now.
    pub entries: BigInt,
}
