//! What an invoice by hand would be: as `invoiceIssue`, with nothing done.

use async_graphql::{Context, ID, InputObject, Object};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use trunkline_domain::billing::pdf::TypesetError;
use trunkline_domain::billing::{self, Draft, IssueInvoice, ManualLine};
use trunkline_domain::kernel::error::ErrorCode;
use trunkline_domain::{Error, Result};
use uuid::Uuid;

use super::mutation::InvoiceLineInput;
use crate::graphql::ctx::CtxExt;
use crate::graphql::error::{ApiResult, UserError, settle};
use crate::graphql::ids;
use crate::graphql::scalars::Date;
use crate::graphql::services::PreviewDocument;

#[derive(Default)]
pub struct InvoicePreviewQuery;

#[Object]
impl InvoicePreviewQuery {
    /// What `invoiceIssue` would issue for these lines, to the last minor unit. Nothing is done and no number is used up. Null
    /// where there is no such subscriber.
    #[graphql(complexity = "200 + child_complexity")]
    async fn invoice_issue_preview(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What would be asked for.")] input: InvoiceIssuePreviewInput,
    ) -> ApiResult<Option<InvoicePreview>> {
        let Some(subscriber_id) = ids::query(&input.subscriber_id)? else {
            return Ok(None);
        };
        let cmd = IssueInvoice {
            subscriber_id,
            lines: input.lines.into_iter().map(ManualLine::from).collect(),
            due_on: input.due_on.map(|day| day.0),
            idempotency_key: Uuid::now_v7(),
        };
        InvoicePreview::of(billing::preview_manual(ctx.rq().apart().await?, cmd).await)
    }
}

impl InvoicePreview {
    /// What came of the look; None where what it is about does not exist.
    pub fn of(result: Result<Draft>) -> ApiResult<Option<Self>> {
        if let Err(Error::User(refusals)) = &result
            && refusals.iter().any(|r| r.code == ErrorCode::NotFound)
        {
            return Ok(None);
        }
        let (draft, refusals) = settle(result)?;
        Ok(Some(Self { draft, refusals }))
    }
}

/// An invoice that may be issued or not: as `InvoiceIssueInput`.
#[derive(InputObject)]
pub struct InvoiceIssuePreviewInput {
    /// Whom it would be for; who pays for them would get it.
    subscriber_id: ID,
    /// What would be charged, in order.
    lines: Vec<InvoiceLineInput>,
    /// Default: `BillingSettings.dueDays` from today.
    due_on: Option<Date>,
}

/// What would come of writing an invoice.
pub struct InvoicePreview {
    draft: Option<Draft>,
    refusals: Vec<UserError>,
}

/// What would come of writing an invoice.
#[Object]
impl InvoicePreview {
    /// The invoice, but for its number; null when it would be refused.
    async fn document(&self) -> ApiResult<Option<PreviewDocument>> {
        let document = self.draft.as_ref().map(|draft| draft.document.clone());
        Ok(document.map(PreviewDocument::of).transpose()?)
    }

    /// How it would look, as PDF in base64, marked as a draft; null when it would be refused.
    #[graphql(complexity = 500)]
    async fn pdf(&self, ctx: &Context<'_>) -> ApiResult<Option<String>> {
        let Some(draft) = &self.draft else { return Ok(None) };
        let rq = ctx.rq();
        rq.release().await;
        let tenant = rq.on_tenant_host()?.number();
        match draft.printable.typeset(tenant, &rq.app.renderers).await {
            Ok(pdf) => Ok(Some(STANDARD.encode(&pdf))),
            Err(TypesetError::Unavailable(why)) => Err(Error::Unavailable(why).into()),
            Err(fault) => Err(Error::internal(fault).into()),
        }
    }

    /// Why it would be refused; empty when it would be issued.
    async fn refusals(&self) -> &[UserError] {
        &self.refusals
    }
}
