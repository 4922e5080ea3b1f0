use async_graphql::{ID, InputObject, Object, SimpleObject};
use axum::body::Bytes;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use trunkline_domain::Result;
use trunkline_domain::billing::pdf::{self, PreviewTemplate, ResetTemplate, UpdateTemplate};

use crate::graphql::error::payload;
use crate::graphql::ids;
use crate::graphql::scalars::DateTime;

/// How an ISP's invoices and credit notes look, as PDF.
#[derive(SimpleObject)]
pub struct InvoiceTemplate {
    /// In the language of Typst. It reads the invoice or credit note from `data.json` and may import `trunkline.typ`.
    source: String,
    /// It is that of the template the ISP was made from.
    is_default: bool,
    /// Pass it as `expectedVersion`.
    version: i32,
    /// When it was changed last; null: never.
    updated_at: Option<DateTime>,
}

impl From<pdf::InvoiceTemplate> for InvoiceTemplate {
    fn from(t: pdf::InvoiceTemplate) -> Self {
        Self {
            source: t.source,
            is_default: t.is_default,
            version: t.version,
            updated_at: t.updated_at.map(DateTime),
        }
    }
}

/// A look of the ISP's own.
#[derive(InputObject)]
pub struct InvoiceTemplateUpdateInput {
    /// `InvoiceTemplate.version` as it was read.
    expected_version: i32,
    /// In the language of Typst; at most 128 KiB.
    source: String,
}

impl From<InvoiceTemplateUpdateInput> for UpdateTemplate {
    fn from(input: InvoiceTemplateUpdateInput) -> Self {
        Self {
            expected_version: input.expected_version,
            source: input.source,
        }
    }
}

/// Back to the look of the template that the ISP was made from.
#[derive(InputObject)]
pub struct InvoiceTemplateResetInput {
    /// `InvoiceTemplate.version` as it was read.
    expected_version: i32,
}

impl InvoiceTemplateResetInput {
    pub fn command(&self) -> ResetTemplate {
        ResetTemplate {
            expected_version: self.expected_version,
        }
    }
}

/// What to look at, and by which template.
#[derive(InputObject)]
pub struct InvoiceTemplatePreviewInput {
    /// Typst. Default: the template in force.
    source: Option<String>,
    /// Default: a sample.
    invoice_id: Option<ID>,
}

impl InvoiceTemplatePreviewInput {
    pub fn command(self) -> Result<PreviewTemplate> {
        let invoice_id = self.invoice_id.map(|id| ids::input(&id, "invoiceId")).transpose()?;
        Ok(PreviewTemplate {
            source: self.source,
            invoice_id,
        })
    }
}

/// A document that was typeset to be looked at.
pub struct TemplatePreview(pub Bytes);

/// A document that was typeset to be looked at.
#[Object]
impl TemplatePreview {
    /// The PDF in base64.
    async fn pdf(&self) -> String {
        STANDARD.encode(&self.0)
    }
}

payload!(InvoiceTemplateUpdatePayload {
    invoice_template: InvoiceTemplate
});
payload!(InvoiceTemplateResetPayload {
    invoice_template: InvoiceTemplate
});
payload!(InvoiceTemplatePreviewPayload {
    preview: TemplatePreview
});
