use std::collections::HashMap;

use async_graphql::dataloader::Loader;
use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};
use trunkline_domain::Error;
use trunkline_domain::billing::{self, InvoiceTax};
use trunkline_domain::kernel::ids::{CreditNoteId, InvoiceId, SubscriberId};
use trunkline_domain::kernel::money;

use super::credit_note::{CreditNote, CreditNotesOf, CreditTaxesOf};
use crate::graphql::ctx::{CtxExt, Lookup, lookup};
use crate::graphql::error::{ApiError, ApiResult};
use crate::graphql::ids;
use crate::graphql::page::connection;
use crate::graphql::plans::Plan;
use crate::graphql::scalars::{Date, DateRange, DateTime, Decimal, Json, Money};
use crate::graphql::services::Service;
use crate::graphql::subscribers::Subscriber;

/// Where an invoice stands between issue and settlement.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "billing::InvoiceStatus")]
pub enum InvoiceStatus {
    /// Not issued: it has no number and nobody owes it.
    Draft,
    /// Nothing is paid of it.
    Issued,
    /// A part is paid.
    PartiallyPaid,
    /// All is paid.
    Paid,
    /// A credit note took all of it back.
    Credited,
    /// What was not paid of it is given up.
    WrittenOff,
    /// Withdrawn: nobody owes it.
    Void,
}

/// What sort of document it is.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "billing::InvoiceKind")]
pub enum InvoiceKind {
    /// An invoice.
    Invoice,
    /// Adds to an invoice that was issued before.
    DebitNote,
    /// What a subscriber owed in the system before.
    OpeningBalance,
    /// A deposit that is asked for, without tax.
    Deposit,
}

/// What sort of charge a line is.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "billing::InvoiceLineKind")]
pub enum InvoiceLineKind {
    /// A service's period.
    Period,
    /// Something sold once, such as an installation.
    OneTime,
    /// Money held for the subscriber.
    Deposit,
    /// A correction.
    Adjustment,
    /// For an invoice that was not paid in time.
    LateFee,
}

/// What a subscriber is asked to pay. Once issued it never changes, but for what is paid and credited on it.
#[derive(Clone)]
pub struct Invoice(pub billing::Invoice);

impl From<billing::Invoice> for Invoice {
    fn from(invoice: billing::Invoice) -> Self {
        Self(invoice)
    }
}

impl Invoice {
    fn money(&self, amount: rust_decimal::Decimal) -> ApiResult<Money> {
        Ok(self.0.money(amount)?.into())
    }
}

/// What a subscriber is asked to pay. Once issued it never changes, but for what is paid and credited on it.
#[Object]
impl Invoice {
    /// Names it everywhere.
    pub async fn id(&self) -> ID {
        ids::out(self.0.id)
    }

    /// Gapless within its series; null while DRAFT.
    async fn number(&self) -> Option<&str> {
        self.0.number.as_deref()
    }

    /// What sort of document it is.
    async fn kind(&self) -> InvoiceKind {
        self.0.kind.into()
    }

    /// Of a debit note, the invoice that it adds to.
    async fn refers_to(&self, ctx: &Context<'_>) -> ApiResult<Option<Self>> {
        let Some(id) = self.0.refers_to_id else { return Ok(None) };
        Ok(ctx.rq().loader().load_one(id).await?.map(Self))
    }

    /// Of a debit note, why it was issued.
    async fn reason(&self) -> Option<&str> {
        self.0.reason.as_deref()
    }

    /// When it was withdrawn; null unless it is VOID.
    async fn voided_at(&self) -> Option<DateTime> {
        self.0.voided_at.map(DateTime)
    }

    /// Why it was withdrawn.
    async fn void_reason(&self) -> Option<&str> {
        self.0.void_reason.as_deref()
    }

    /// Where it stands between issue and settlement.
    async fn status(&self) -> InvoiceStatus {
        self.0.status.into()
    }

    /// Something is due on it, since before today.
    async fn overdue(&self) -> bool {
        self.0.overdue
    }

    /// Who pays it.
    async fn subscriber(&self, ctx: &Context<'_>) -> ApiResult<Subscriber> {
        subscriber(ctx, self.0.subscriber_id).await
    }

    /// The date on it; null while it is a draft.
    async fn issued_on(&self) -> Option<Date> {
        self.0.issued_on.map(Date)
    }

    /// Until when it is to be paid; null while it is a draft.
    async fn due_on(&self) -> Option<Date> {
        self.0.due_on.map(Date)
    }

    /// What is charged, in order.
    async fn lines(&self, ctx: &Context<'_>) -> ApiResult<Vec<InvoiceLine>> {
        let lines = ctx.rq().loader().load_one(LinesOf(self.0.id)).await?;
        Ok(lines.unwrap_or_default().into_iter().map(InvoiceLine::of_invoice).collect())
    }

    /// Summed over the lines, by name and rate.
    async fn taxes(&self, ctx: &Context<'_>) -> ApiResult<Vec<TaxAmount>> {
        let taxes = ctx.rq().loader().load_one(TaxesOf(self.0.id)).await?.unwrap_or_default();
        let sums = billing::sum_taxes(&taxes)?;
        Ok(sums.into_iter().map(Into::into).collect())
    }

    /// Before tax, after discounts.
    async fn subtotal(&self) -> ApiResult<Money> {
        self.money(self.0.subtotal)
    }

    /// What was taken off before tax.
    async fn discount(&self) -> ApiResult<Money> {
        self.money(self.0.discount)
    }

    /// All taxes together.
    async fn tax_total(&self) -> ApiResult<Money> {
        self.money(self.0.tax_total)
    }

    /// Rounding of the whole invoice, and what a tax-inclusive price leaves over.
    async fn rounding(&self) -> ApiResult<Money> {
        self.money(self.0.rounding)
    }

    /// subtotal + taxTotal + rounding
    async fn total(&self) -> ApiResult<Money> {
        self.money(self.0.total)
    }

    /// What payments and credit have settled of it.
    async fn amount_paid(&self) -> ApiResult<Money> {
        self.money(self.0.amount_paid)
    }

    /// By credit notes against it and by credit in hand; of a void invoice, all of it.
    async fn amount_credited(&self) -> ApiResult<Money> {
        self.money(self.0.amount_credited)
    }

    /// What was given up of it; a part of `amountCredited`.
    async fn written_off(&self) -> ApiResult<Money> {
        self.money(self.0.written_off)
    }

    /// What its payer withheld as tax, and the authority owes since; a part of `amountPaid`.
    async fn withheld(&self) -> ApiResult<Money> {
        self.money(self.0.withheld)
    }

    /// Host-relative, needs the same authorisation as this query.
    async fn pdf_url(&self) -> String {
        format!("/invoices/{}.pdf", self.0.id)
    }

    /// total − amountPaid − amountCredited
    async fn amount_due(&self) -> ApiResult<Money> {
        self.money(self.0.amount_due)
    }

    /// The credit notes against it, oldest first.
    async fn credit_notes(&self, ctx: &Context<'_>) -> ApiResult<Vec<CreditNote>> {
        let notes = ctx.rq().loader().load_one(CreditNotesOf(self.0.id)).await?;
        Ok(notes.unwrap_or_default().into_iter().map(CreditNote).collect())
    }

    /// The debit notes that add to it, oldest first, void ones among them.
    async fn debit_notes(&self, ctx: &Context<'_>) -> ApiResult<Vec<Self>> {
        let notes = ctx.rq().loader().load_one(DebitNotesOf(self.0.id)).await?;
        Ok(notes.unwrap_or_default().into_iter().map(Self).collect())
    }
}

connection!(InvoiceConnection, InvoiceEdge, Invoice);
lookup!(InvoiceId => billing::Invoice, billing::by_ids, |invoice| invoice.id);

/// What an invoice charges for one thing, or a credit note takes back of it.
#[derive(Clone)]
pub struct InvoiceLine(billing::InvoiceLine, Document);

/// The document on which a line stands.
#[derive(Clone, Copy)]
enum Document {
    Invoice(InvoiceId),
    CreditNote(CreditNoteId),
}

impl InvoiceLine {
    fn of_invoice(line: billing::InvoiceLine) -> Self {
        let document = Document::Invoice(line.invoice_id);
        Self(line, document)
    }

    pub fn of_credit_note(line: billing::credit_notes::CreditNoteLine) -> Self {
        Self(line.line, Document::CreditNote(line.credit_note_id))
    }

    fn money(&self, amount: rust_decimal::Decimal) -> ApiResult<Money> {
        Ok(self.exact(amount)?.into())
    }

    fn exact(&self, amount: rust_decimal::Decimal) -> ApiResult<money::Money> {
        let currency = self.0.currency.parse().map_err(Error::internal)?;
        Ok(money::Money::new(amount, currency).map_err(Error::internal)?)
    }
}

/// What an invoice charges for one thing.
#[Object]
impl InvoiceLine {
    /// Names it everywhere.
    async fn id(&self) -> ID {
        ids::out(self.0.id)
    }

    /// What sort of charge it is.
    async fn kind(&self) -> InvoiceLineKind {
        self.0.kind.into()
    }

    /// What is charged, in the words on the invoice.
    async fn description(&self) -> &str {
        &self.0.description
    }

    /// The subscriber that it is for; another than the invoice's when that one pays for it.
    async fn subscriber(&self, ctx: &Context<'_>) -> ApiResult<Subscriber> {
        subscriber(ctx, self.0.subscriber_id).await
    }

    /// The service that it charges for, if any.
    async fn service(&self, ctx: &Context<'_>) -> ApiResult<Option<Service>> {
        let Some(id) = self.0.service_id else { return Ok(None) };
        Ok(ctx.rq().loader().load_one(id).await?.map(Service))
    }

    /// The plan that it charges for; null for a line that is not of a service.
    async fn plan(&self, ctx: &Context<'_>) -> ApiResult<Option<Plan>> {
        let Some(id) = self.0.plan_id else { return Ok(None) };
        Ok(ctx.rq().loader().load_one(id).await?.map(Plan))
    }

    /// How many.
    async fn quantity(&self) -> Decimal {
        Decimal(self.0.quantity.normalize())
    }

    /// For reading; `amount` counts.
    async fn unit_price(&self) -> Decimal {
        // At the currency's scale, or finer where it was priced so.
        let price = self.exact(self.0.unit_price).map(money::Money::amount);
        Decimal(price.unwrap_or(self.0.unit_price.normalize()))
    }

    /// What was taken off before tax.
    async fn discount(&self) -> ApiResult<Money> {
        self.money(self.0.discount)
    }

    /// Tax excluded, after discount, in the currency's minor unit.
    async fn amount(&self) -> ApiResult<Money> {
        self.money(self.0.amount)
    }

    /// HSN/SAC or the local equivalent.
    async fn tax_code(&self) -> Option<&str> {
        self.0.tax_code.as_deref()
    }

    /// Each tax with its base.
    async fn taxes(&self, ctx: &Context<'_>) -> ApiResult<Vec<TaxAmount>> {
        let loader = ctx.rq().loader();
        let taxes = match self.1 {
            Document::Invoice(id) => loader.load_one(TaxesOf(id)).await?,
            Document::CreditNote(id) => loader.load_one(CreditTaxesOf(id)).await?,
        };
        let taxes = taxes.unwrap_or_default();
        let own = taxes.iter().filter(|tax| tax.line_id == Some(self.0.id));
        own.map(|tax| Ok(tax.amount()?.into())).collect()
    }

    /// The charged period's begin, inclusive.
    async fn period_starts_at(&self) -> Option<DateTime> {
        self.0.period_starts_at.map(DateTime)
    }

    /// … and its end, exclusive.
    async fn period_ends_at(&self) -> Option<DateTime> {
        self.0.period_ends_at.map(DateTime)
    }

    /// How the amount came about: plan version, days, rate, tax rule, rounding steps.
    async fn explanation(&self) -> Json {
        Json(self.0.explanation.clone())
    }
}

/// An amount of one tax.
#[derive(SimpleObject)]
pub struct TaxAmount {
    /// CGST, SGST, IGST, VAT, EXCISE, …
    name: String,
    /// Percent, e.g. "9".
    rate: Decimal,
    /// What it is computed on.
    base: Money,
    /// What the tax comes to.
    amount: Money,
}

impl From<billing::rules::TaxAmount> for TaxAmount {
    fn from(tax: billing::rules::TaxAmount) -> Self {
        Self {
            name: tax.name,
            rate: Decimal(tax.rate),
            base: tax.base.into(),
            amount: tax.amount.into(),
        }
    }
}

/// What is absent does not restrict the list.
#[derive(InputObject)]
pub struct InvoiceFilter {
    /// In this state.
    status: Option<InvoiceStatus>,
    /// Something is due on it, since before today.
    overdue: Option<bool>,
    /// Who pays it.
    subscriber_id: Option<ID>,
    /// When it was issued.
    issued: Option<DateRange>,
}

impl InvoiceFilter {
    /// None: it names a subscriber by an id of another kind, whose invoices nobody has.
    pub fn domain(self) -> ApiResult<Option<billing::InvoiceFilter>> {
        let subscriber_id = match self.subscriber_id {
            None => None,
            Some(id) => match ids::query::<SubscriberId>(&id)? {
                None => return Ok(None),
                known => known,
            },
        };
        Ok(Some(billing::InvoiceFilter {
            status: self.status.map(Into::into),
            overdue: self.overdue,
            subscriber_id,
            issued: self.issued.map(|range| (range.from.0, range.to.0)),
        }))
    }
}

pub async fn subscriber(ctx: &Context<'_>, id: SubscriberId) -> ApiResult<Subscriber> {
    let found = ctx.rq().loader().load_one(id).await?;
    Ok(found.map(Subscriber::from).ok_or(Error::Forbidden)?)
}

/// The lines of an invoice, in their order.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct LinesOf(InvoiceId);

/// The taxes of an invoice's lines.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TaxesOf(InvoiceId);

/// The debit notes that add to an invoice.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct DebitNotesOf(InvoiceId);

impl Loader<DebitNotesOf> for Lookup {
    type Value = Vec<billing::Invoice>;
    type Error = ApiError;

    async fn load(&self, keys: &[DebitNotesOf]) -> Result<HashMap<DebitNotesOf, Self::Value>, ApiError> {
        let invoices: Vec<InvoiceId> = keys.iter().map(|key| key.0).collect();
        let notes = self
            .0
            .read(async move |tx| billing::debit_notes_of(tx, &invoices).await)
            .await?;
        let mut by_invoice: HashMap<DebitNotesOf, Self::Value> = HashMap::new();
        for (added_to, note) in notes.into_iter().filter_map(|n| Some((n.refers_to_id?, n))) {
            by_invoice.entry(DebitNotesOf(added_to)).or_default().push(note);
        }
        Ok(by_invoice)
    }
}

impl Loader<LinesOf> for Lookup {
    type Value = Vec<billing::InvoiceLine>;
    type Error = ApiError;

    async fn load(&self, keys: &[LinesOf]) -> Result<HashMap<LinesOf, Self::Value>, ApiError> {
        let invoices: Vec<InvoiceId> = keys.iter().map(|key| key.0).collect();
        let lines = self.0.read(async move |tx| billing::lines_of(tx, &invoices).await).await?;
        let mut by_invoice: HashMap<LinesOf, Self::Value> = HashMap::new();
        for line in lines {
            by_invoice.entry(LinesOf(line.invoice_id)).or_default().push(line);
        }
        Ok(by_invoice)
    }
}

impl Loader<TaxesOf> for Lookup {
    type Value = Vec<InvoiceTax>;
    type Error = ApiError;

    async fn load(&self, keys: &[TaxesOf]) -> Result<HashMap<TaxesOf, Self::Value>, ApiError> {
        let invoices: Vec<InvoiceId> = keys.iter().map(|key| key.0).collect();
        let taxes = self.0.read(async move |tx| billing::taxes_of(tx, &invoices).await).await?;
        let mut by_invoice: HashMap<TaxesOf, Self::Value> = HashMap::new();
        for tax in taxes {
            by_invoice.entry(TaxesOf(tax.invoice_id)).or_default().push(tax);
        }
        Ok(by_invoice)
    }
}
