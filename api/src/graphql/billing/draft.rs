//! Invoices by hand that are written and not issued yet.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object};
use trunkline_domain::Result;
use trunkline_domain::billing::{self, CreateInvoiceDraft, IssueInvoiceDraft, ManualLine, UpdateInvoiceDraft};
use trunkline_domain::kernel::ids::InvoiceDraftId;
use trunkline_domain::kernel::page::PageRequest;

use super::invoice::{Invoice, subscriber};
use super::mutation::InvoiceLineInput;
use super::preview::InvoicePreview;
use crate::graphql::ctx::CtxExt;
use crate::graphql::error::{ApiResult, payload};
use crate::graphql::page::connection;
use crate::graphql::scalars::{Date, DateTime, Decimal, Uuid, patch};
use crate::graphql::subscribers::Subscriber;
use crate::graphql::{ids, page};

/// An invoice by hand that waits to be issued. It has no number, is owed by nobody, and only those see it who may write invoices.
#[derive(Clone)]
pub struct InvoiceDraft(billing::InvoiceDraft);

impl From<billing::InvoiceDraft> for InvoiceDraft {
    fn from(draft: billing::InvoiceDraft) -> Self {
        Self(draft)
    }
}

/// An invoice by hand that waits to be issued. It has no number, is owed by nobody, and only those see it who may write invoices.
#[Object]
impl InvoiceDraft {
    /// Names it everywhere.
    async fn id(&self) -> ID {
        ids::out(self.0.id)
    }

    /// Whom it is for; who pays for them is going to get it.
    async fn subscriber(&self, ctx: &Context<'_>) -> ApiResult<Subscriber> {
        subscriber(ctx, self.0.subscriber_id).await
    }

    /// What is to be charged, in order.
    async fn lines(&self) -> Vec<InvoiceDraftLine> {
        self.0.lines.0.iter().cloned().map(InvoiceDraftLine).collect()
    }

    /// Until when it is to be paid; null: `BillingSettings.dueDays` from the day of its issue.
    async fn due_on(&self) -> Option<Date> {
        self.0.due_on.map(Date)
    }

    /// Pass it as `expectedVersion`.
    async fn version(&self) -> i32 {
        self.0.version
    }

    /// When it was written.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// When it was changed last.
    async fn updated_at(&self) -> DateTime {
        DateTime(self.0.updated_at)
    }
}

connection!(InvoiceDraftConnection, InvoiceDraftEdge, InvoiceDraft);

/// One charge of a draft.
pub struct InvoiceDraftLine(ManualLine);

/// One charge of a draft.
#[Object]
impl InvoiceDraftLine {
    /// What is charged, in the words on the invoice.
    async fn description(&self) -> &str {
        &self.0.description
    }

    /// How many.
    async fn quantity(&self) -> Decimal {
        Decimal(self.0.quantity)
    }

    /// Tax excluded.
    async fn unit_price(&self) -> Decimal {
        Decimal(self.0.unit_price)
    }

    /// Off the price, 0 to 100; null = none.
    async fn discount_percent(&self) -> Option<Decimal> {
        self.0.discount_percent.map(Decimal)
    }

    /// HSN/SAC or the local equivalent; null = internet access.
    async fn tax_code(&self) -> Option<&str> {
        self.0.tax_code.as_deref()
    }
}

#[derive(Default)]
pub struct InvoiceDraftQuery;

#[Object]
impl InvoiceDraftQuery {
    /// A draft by its id; null when it has been issued or discarded.
    async fn invoice_draft(&self, ctx: &Context<'_>, #[graphql(desc = "Which.")] id: ID) -> ApiResult<Option<InvoiceDraft>> {
        let Some(id) = ids::query(&id)? else { return Ok(None) };
        let found = ctx.rq().read(async move |tx| billing::draft_by_id(tx, id).await).await?;
        Ok(found.map(InvoiceDraft))
    }

    /// Invoices that are written and not issued, the newest first.
    #[graphql(complexity = "page::cost(first, child_complexity)")]
    async fn invoice_drafts(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many at most, 0 to 100.")] first: i32,
        #[graphql(desc = "Begins behind the object that this cursor names.")] after: Option<String>,
    ) -> ApiResult<Option<InvoiceDraftConnection>> {
        let request = PageRequest::new(first, after.as_deref())?;
        let wanted = page::wants_total(ctx);
        let (rows, total) = ctx
            .rq()
            .read(async move |tx| {
                let rows = billing::drafts(tx, request.clone()).await?;
                let total = match wanted {
                    true => Some(billing::count_drafts(tx).await?),
                    false => None,
                };
                Ok((rows, total))
            })
            .await?;
        Ok(Some(InvoiceDraftConnection::of(ctx, rows, total, |draft| draft.id)))
    }

    /// What would come of issuing a draft now, to the last minor unit. Nothing is done and no number is used up. Null where there is
    /// no such draft.
    #[graphql(complexity = "200 + child_complexity")]
    async fn invoice_draft_preview(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which.")] id: ID,
    ) -> ApiResult<Option<InvoicePreview>> {
        let Some(id) = ids::query(&id)? else { return Ok(None) };
        InvoicePreview::of(billing::preview_draft(ctx.rq().apart().await?, id).await)
    }
}

#[derive(Default)]
pub struct InvoiceDraftMutation;

#[Object]
impl InvoiceDraftMutation {
    /// Writes an invoice as `invoiceIssue` does, and keeps it for somebody to look at before it is issued.
    async fn invoice_draft_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: InvoiceDraftCreateInput,
    ) -> ApiResult<InvoiceDraftCreatePayload> {
        let result = match input.command() {
            Ok(cmd) => {
                ctx.rq()
                    .write(async move |tx| billing::invoice_draft_create(tx, cmd.clone()).await)
                    .await
            }
            Err(e) => Err(e),
        };
        InvoiceDraftCreatePayload::of(result)
    }

    /// Changes what waits to be issued.
    async fn invoice_draft_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: InvoiceDraftUpdateInput,
    ) -> ApiResult<InvoiceDraftUpdatePayload> {
        let result = match input.command() {
            Ok(cmd) => {
                ctx.rq()
                    .write(async move |tx| billing::invoice_draft_update(tx, cmd.clone()).await)
                    .await
            }
            Err(e) => Err(e),
        };
        InvoiceDraftUpdatePayload::of(result)
    }

    /// Throws a draft away.
    async fn invoice_draft_discard(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: InvoiceDraftDiscardInput,
    ) -> ApiResult<InvoiceDraftDiscardPayload> {
        let result = match ids::input(&input.id, "id") {
            Ok(id) => {
                ctx.rq()
                    .write(async move |tx| billing::invoice_draft_discard(tx, id).await)
                    .await
            }
            Err(e) => Err(e),
        };
        InvoiceDraftDiscardPayload::of(result)
    }

    /// Issues a draft, as `invoiceIssue` would issue it today; the draft is gone.
    async fn invoice_draft_issue(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: InvoiceDraftIssueInput,
    ) -> ApiResult<InvoiceDraftIssuePayload> {
        let result = match input.command() {
            Ok(cmd) => {
                ctx.rq()
                    .write(async move |tx| billing::invoice_draft_issue(tx, &cmd).await)
                    .await
            }
            Err(e) => Err(e),
        };
        InvoiceDraftIssuePayload::of(result)
    }
}

/// An invoice of lines that you write, to be issued later.
#[derive(InputObject)]
pub struct InvoiceDraftCreateInput {
    /// Whom it is for; who pays for them is going to get it.
    subscriber_id: ID,
    /// What is to be charged, in order.
    lines: Vec<InvoiceLineInput>,
    /// Default: `BillingSettings.dueDays` from the day of its issue.
    due_on: Option<Date>,
    /// Makes a repeated call answer with the first one's draft.
    idempotency_key: Uuid,
}

impl InvoiceDraftCreateInput {
    fn command(self) -> Result<CreateInvoiceDraft> {
        Ok(CreateInvoiceDraft {
            subscriber_id: ids::input(&self.subscriber_id, "subscriberId")?,
            lines: self.lines.into_iter().map(ManualLine::from).collect(),
            due_on: self.due_on.map(|day| day.0),
            idempotency_key: self.idempotency_key.0,
        })
    }
}

payload!(InvoiceDraftCreatePayload {
    invoice_draft: InvoiceDraft
});

/// What is to be changed of a draft; what is absent stays as it is.
#[derive(InputObject)]
pub struct InvoiceDraftUpdateInput {
    /// Which.
    id: ID,
    /// The `version` that you saw; another one is STALE_VERSION.
    expected_version: i32,
    /// Instead of those that there are.
    lines: MaybeUndefined<Vec<InvoiceLineInput>>,
    /// Null: `BillingSettings.dueDays` from the day of its issue.
    due_on: MaybeUndefined<Date>,
}

impl InvoiceDraftUpdateInput {
    fn command(self) -> Result<UpdateInvoiceDraft> {
        Ok(UpdateInvoiceDraft {
            id: ids::input(&self.id, "id")?,
            expected_version: self.expected_version,
            lines: patch(self.lines, |lines| lines.into_iter().map(ManualLine::from).collect()),
            due_on: patch(self.due_on, |day| day.0),
        })
    }
}

payload!(InvoiceDraftUpdatePayload {
    invoice_draft: InvoiceDraft
});

/// A draft that is not wanted.
#[derive(InputObject)]
pub struct InvoiceDraftDiscardInput {
    /// Which.
    id: ID,
}

payload!(InvoiceDraftDiscardPayload {
    invoice_draft: InvoiceDraft
});

/// A draft that is to be issued as it was looked at.
#[derive(InputObject)]
pub struct InvoiceDraftIssueInput {
    /// Which.
    id: ID,
    /// The `version` that you saw; another one is STALE_VERSION.
    expected_version: i32,
    /// Makes a repeated call answer with the first one's invoice.
    idempotency_key: Uuid,
}

impl InvoiceDraftIssueInput {
    fn command(self) -> Result<IssueInvoiceDraft> {
        let id: InvoiceDraftId = ids::input(&self.id, "id")?;
        Ok(IssueInvoiceDraft {
            id,
            expected_version: self.expected_version,
            idempotency_key: self.idempotency_key.0,
        })
    }
}

payload!(InvoiceDraftIssuePayload { invoice: Invoice });
