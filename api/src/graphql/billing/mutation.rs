use async_graphql::{Context, ID, InputObject, Object};
use axum::body::Bytes;
use trunkline_domain::Result;
use trunkline_domain::billing::pdf::{self, PreviewTemplate, UpdateTemplate};
use trunkline_domain::billing::{self, AddTaxRegistration, IssueInvoice, ManualLine, UpdateSettings, credit_notes};
use trunkline_domain::runs::{self, StartBillingRun};

use super::credit_note::{CreditNoteIssueInput, CreditNoteIssuePayload};
use super::debit_note::{DebitNoteIssueInput, DebitNoteIssuePayload, InvoiceVoidInput, InvoiceVoidPayload};
use super::invoice::Invoice;
use super::run::{BillingRunStartInput, BillingRunStartPayload};
use super::settings::{
    BillingSettingsUpdateInput, BillingSettingsUpdatePayload, TaxRegistrationAddInput, TaxRegistrationAddPayload,
};
use super::template::{
    InvoiceTemplatePreviewInput, InvoiceTemplatePreviewPayload, InvoiceTemplateResetInput, InvoiceTemplateResetPayload,
    InvoiceTemplateUpdateInput, InvoiceTemplateUpdatePayload, TemplatePreview,
};
use super::withholding::{WithholdingRecordInput, WithholdingRecordPayload, WithholdingReverseInput, WithholdingReversePayload};
use crate::graphql::ctx::{CtxExt, RequestCtx};
use crate::graphql::error::{ApiResult, payload};
use crate::graphql::ids;
use crate::graphql::scalars::{Date, Decimal, Uuid};

#[derive(Default)]
pub struct BillingMutation;

#[Object]
impl BillingMutation {
    /// Changes how this ISP bills.
    async fn billing_settings_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: BillingSettingsUpdateInput,
    ) -> ApiResult<BillingSettingsUpdatePayload> {
        let cmd = UpdateSettings::from(input);
        let result = ctx
            .rq()
            .write(async move |tx| billing::settings_update(tx, cmd.clone()).await)
            .await;
        BillingSettingsUpdatePayload::of(result)
    }

    /// Adds a registration with a tax authority; the next document counts it.
    async fn tax_registration_add(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: TaxRegistrationAddInput,
    ) -> ApiResult<TaxRegistrationAddPayload> {
        let cmd = AddTaxRegistration::from(input);
        let result = ctx
            .rq()
            .write(async move |tx| billing::tax_registration_add(tx, cmd.clone()).await)
            .await;
        TaxRegistrationAddPayload::of(result)
    }

    /// Issues an invoice over anything that is not a period of a service. It goes to whoever pays for the subscriber, and
    /// takes what it can of credit in hand.
    async fn invoice_issue(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: InvoiceIssueInput,
    ) -> ApiResult<InvoiceIssuePayload> {
        let result = match input.command() {
            Ok(cmd) => {
                ctx.rq()
                    .write(async move |tx| billing::issue_manual(tx, cmd.clone()).await)
                    .await
            }
            Err(e) => Err(e),
        };
        InvoiceIssuePayload::of(result)
    }

    /// Asks for a run over what is due by a day: services begin, are charged for their next period, expire or end. The daily run
    /// does the same by itself. It goes on after this has answered; look at it by its id.
    async fn billing_run_start(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: BillingRunStartInput,
    ) -> ApiResult<BillingRunStartPayload> {
        let cmd = StartBillingRun::from(input);
        let result = ctx.rq().write(async move |tx| runs::billing_run_start(tx, &cmd).await).await;
        BillingRunStartPayload::of(result)
    }

    /// Records tax that the payer withheld from an invoice and paid to the authority in this ISP's name, such as Indian TDS. It
    /// settles the invoice as money would; the authority owes it from then on.
    async fn withholding_record(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: WithholdingRecordInput,
    ) -> ApiResult<WithholdingRecordPayload> {
        let result = match input.command() {
            Ok(cmd) => {
                ctx.rq()
                    .write(async move |tx| billing::withholding_record(tx, cmd.clone()).await)
                    .await
            }
            Err(e) => Err(e),
        };
        WithholdingRecordPayload::of(result)
    }

    /// Takes back that tax was withheld from an invoice, or a part of it, e.g. because no certificate came: the payer owes it again,
    /// but for what its credit in hand settles in its place.
    async fn withholding_reverse(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: WithholdingReverseInput,
    ) -> ApiResult<WithholdingReversePayload> {
        let result = match input.command() {
            Ok(cmd) => {
                ctx.rq()
                    .write(async move |tx| billing::withholding_reverse(tx, cmd.clone()).await)
                    .await
            }
            Err(e) => Err(e),
        };
        WithholdingReversePayload::of(result)
    }

    /// Credits money of an invoice: of some lines, of all in proportion, or all that is left.
    async fn credit_note_issue(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: CreditNoteIssueInput,
    ) -> ApiResult<CreditNoteIssuePayload> {
        let result = match input.command() {
            Ok(cmd) => {
                ctx.rq()
                    .write(async move |tx| credit_notes::issue_by_hand(tx, cmd.clone()).await)
                    .await
            }
            Err(e) => Err(e),
        };
        CreditNoteIssuePayload::of(result)
    }

    /// Charges what lines of an invoice charged too little, by a debit note that refers to it, taxed as they were.
    async fn debit_note_issue(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: DebitNoteIssueInput,
    ) -> ApiResult<DebitNoteIssuePayload> {
        let result = match input.command() {
            Ok(cmd) => {
                ctx.rq()
                    .write(async move |tx| billing::debit_note_issue(tx, cmd.clone()).await)
                    .await
            }
            Err(e) => Err(e),
        };
        DebitNoteIssuePayload::of(result)
    }

    /// Withdraws an invoice or debit note on which nothing is paid or credited, where the tax rules of the ISP's country let one
    /// and the books of its day are open; else a credit note takes it back. Its number stays used. The time that it charged is
    /// charged again by the next run, and what it charged once with the service's next invoice.
    async fn invoice_void(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: InvoiceVoidInput,
    ) -> ApiResult<InvoiceVoidPayload> {
        let result = match input.command() {
            Ok(cmd) => {
                ctx.rq()
                    .write(async move |tx| runs::invoice_void(tx, cmd.clone()).await)
                    .await
            }
            Err(e) => Err(e),
        };
        InvoiceVoidPayload::of(result)
    }

    /// Gives this ISP's invoices a look of its own. The template is tried first; what is wrong with it is told with its line.
    async fn invoice_template_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: InvoiceTemplateUpdateInput,
    ) -> ApiResult<InvoiceTemplateUpdatePayload> {
        InvoiceTemplateUpdatePayload::of(update_template(ctx.rq(), input.into()).await)
    }

    /// Gives this ISP's invoices back the look of the template it was made from.
    async fn invoice_template_reset(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: InvoiceTemplateResetInput,
    ) -> ApiResult<InvoiceTemplateResetPayload> {
        let result = ctx
            .rq()
            .write(async move |tx| pdf::template_reset(tx, input.command()).await)
            .await;
        InvoiceTemplateResetPayload::of(result)
    }

    /// Typesets a sample, or an invoice, with a template that need not be stored. Nothing is written.
    async fn invoice_template_preview(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: InvoiceTemplatePreviewInput,
    ) -> ApiResult<InvoiceTemplatePreviewPayload> {
        let result = match input.command() {
            Ok(cmd) => preview_template(ctx.rq(), cmd).await,
            Err(e) => Err(e),
        };
        InvoiceTemplatePreviewPayload::of(result.map(TemplatePreview))
    }
}

async fn update_template(rq: &RequestCtx, cmd: UpdateTemplate) -> Result<pdf::InvoiceTemplate> {
    let trial = rq.read(async move |tx| pdf::template_trial(tx, cmd.clone()).await).await?;
    rq.release().await;
    let proven = trial.run(&rq.app.renderers).await?;
    rq.write(async move |tx| pdf::template_update(tx, proven.clone()).await).await
}

async fn preview_template(rq: &RequestCtx, cmd: PreviewTemplate) -> Result<Bytes> {
    let preview = rq.read(async move |tx| pdf::template_preview(tx, cmd.clone()).await).await?;
    rq.release().await;
    preview.run(&rq.app.renderers).await
}

/// One charge.
#[derive(InputObject)]
pub struct InvoiceLineInput {
    /// What is charged, in the words on the invoice.
    description: String,
    /// How many; 1 when absent.
    #[graphql(default_with = "Decimal(rust_decimal::Decimal::ONE)")]
    quantity: Decimal,
    /// Tax excluded.
    unit_price: Decimal,
    /// Off the price, 0 to 100; null = none.
    discount_percent: Option<Decimal>,
    /// HSN/SAC or the local equivalent; null = internet access.
    tax_code: Option<String>,
}

impl From<InvoiceLineInput> for ManualLine {
    fn from(line: InvoiceLineInput) -> Self {
        Self {
            description: line.description,
            quantity: line.quantity.0,
            unit_price: line.unit_price.0,
            discount_percent: line.discount_percent.map(|percent| percent.0),
            tax_code: line.tax_code,
        }
    }
}

/// An invoice of lines that you write, beside those that services bring.
#[derive(InputObject)]
pub struct InvoiceIssueInput {
    /// Whom it is for; who pays for them gets it.
    subscriber_id: ID,
    /// What is charged, in order.
    lines: Vec<InvoiceLineInput>,
    /// Default: `BillingSettings.dueDays` from today.
    due_on: Option<Date>,
    /// Makes a repeated call answer with the first one's invoice.
    idempotency_key: Uuid,
}

impl InvoiceIssueInput {
    fn command(self) -> Result<IssueInvoice> {
        Ok(IssueInvoice {
            subscriber_id: ids::input(&self.subscriber_id, "subscriberId")?,
            lines: self.lines.into_iter().map(ManualLine::from).collect(),
            due_on: self.due_on.map(|day| day.0),
            idempotency_key: self.idempotency_key.0,
        })
    }
}

payload!(InvoiceIssuePayload { invoice: Invoice });
