//! Documents as PDF; invoices and credit notes here, others by later modules. What is printed is gathered as JSON; a template in Typst, the starter pack's or the ISP's own, lays
//! it out; a process of its own typesets it (`api::adapters::render`), because templates are programs that tenants write.
//!
//! A PDF shows the invoice as it was issued and, besides, what has been paid and credited on it by now.

mod content;
mod data;
mod sample;
mod template;
mod upi;

use async_trait::async_trait;
use bytes::Bytes;
pub use content::{amount, buyer};
pub use data::{Buyer, Files, Seller};
use serde::Serialize;
use sha2::{Digest, Sha256};
pub use template::{
    InvoiceTemplate, Preview, PreviewTemplate, ProvenTemplate, ResetTemplate, Trial, UpdateTemplate, template, template_preview,
    template_reset, template_trial, template_update,
};

use super::entity::{Invoice, InvoiceStatus};
use super::{credit_notes, queries, registrations};
use crate::branding;
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, Result};
use crate::kernel::ids::{CreditNoteId, InvoiceId, TaxRegistrationId};
use crate::subscribers::Subscriber;
use crate::tenants::template::Template;

/// What templates import.
const LIBRARY: &str = include_str!("../../../../tenant-templates/trunkline.typ");
const TEMPLATE_FILE: &str = "invoice.typ";
const LIBRARY_FILE: &str = "trunkline.typ";
const DATA_FILE: &str = "data.json";
const UPI_FILE: &str = "upi.svg";

/// A document to be typeset: all that its template can read, the template first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sheet {
    pub files: Vec<(&'static str, Vec<u8>)>,
}

impl Sheet {
    fn of(template: &str, data: Vec<u8>) -> Self {
        Self {
            files: vec![
                (TEMPLATE_FILE, template.as_bytes().to_vec()),
                (LIBRARY_FILE, LIBRARY.as_bytes().to_vec()),
                (DATA_FILE, data),
            ],
        }
    }

    /// The same for the same document, and for no other.
    pub fn digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        for part in self.files.iter().flat_map(|(name, content)| [name.as_bytes(), content]) {
            hash.update(part.len().to_be_bytes());
            hash.update(part);
        }
        hash.finalize().into()
    }
}

/// What is wrong with a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// File, line and column, counted from 1, where one of them is to blame.
    pub place: Option<(String, u32, u32)>,
    pub message: String,
    pub hints: Vec<String>,
}

impl Fault {
    /// One that no line is to blame for.
    pub fn of(message: impl Into<String>) -> Self {
        Self {
            place: None,
            message: message.into(),
            hints: Vec::new(),
        }
    }

    /// For the person who wrote the template.
    pub fn sentence(&self) -> String {
        let place = match &self.place {
            Some((file, line, column)) if file == TEMPLATE_FILE => format!("Line {line}, column {column}: "),
            Some((file, line, _)) => format!("{file}, line {line}: "),
            None => String::new(),
        };
        let hints: String = self.hints.iter().map(|hint| format!(" ({hint})")).collect();
        format!("{place}{}{hints}", self.message)
    }
}

#[derive(Clone, Debug, thiserror::Error)]
pub enum TypesetError {
    /// It compiles to no document, or not within the limits of memory and time.
    #[error("the template is at fault: {0:?}")]
    Template(Fault),
    #[error("documents cannot be typeset: {0}")]
    Unavailable(String),
}

/// Typesets. Implemented by processes of their own in `api`.
#[async_trait]
pub trait Typesetter: Send + Sync {
    /// A PDF. `tenant` is whose document it is: one ISP's documents never hold up all others'.
    async fn pdf(&self, tenant: i32, sheet: &Sheet) -> Result<Bytes, TypesetError>;
}

/// Which document is to be printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DocumentId {
    Invoice(InvoiceId),
    CreditNote(CreditNoteId),
}

/// A document that the actor may see, ready to be typeset.
#[derive(Clone, Debug)]
pub struct Printable {
    /// As its number, for a file's name.
    pub name: String,
    pub sheet: Sheet,
    /// The same in the starter pack's layout, where the ISP has one of its own.
    pub plain: Option<Sheet>,
}

impl Printable {
    /// The PDF, made with no transaction open. A template that was accepted and fails on this document must not keep its payer
    /// from it: the starter pack's is complete.
    pub async fn typeset(&self, tenant: i32, typesetter: &impl Typesetter) -> Result<Bytes, TypesetError> {
        let pdf = typesetter.pdf(tenant, &self.sheet).await;
        match (pdf, &self.plain) {
            (Err(TypesetError::Template(fault)), Some(plain)) => {
                let (document, fault) = (&self.name, fault.sentence());
                tracing::warn!(tenant, document, fault, "the ISP's own template failed");
                typesetter.pdf(tenant, plain).await
            }
            (pdf, _) => pdf,
        }
    }

    /// A document that the starter pack lays out for every ISP that was made from it.
    pub fn of(name: String, template: &str, data: &impl Serialize) -> Result<Self> {
        Ok(Self {
            name,
            sheet: Sheet::of(template, serde_json::to_vec(data)?),
            plain: None,
        })
    }
}

/// A document that the actor may see, or none.
pub async fn printable(tx: &TenantTx, id: DocumentId) -> Result<Option<Printable>> {
    let content = match id {
        DocumentId::Invoice(id) => match queries::find(tx, id).await? {
            Some(invoice) => content::of_invoice(tx, invoice).await?,
            None => return Ok(None),
        },
        DocumentId::CreditNote(id) => match credit_notes::find(tx, id).await? {
            Some(note) => content::of_credit_note(tx, note).await?,
            None => return Ok(None),
        },
    };
    laid_out(tx, content).await.map(Some)
}

/// An invoice that was made to be looked at, without its number.
pub async fn draft(tx: &TenantTx, mut invoice: Invoice) -> Result<Printable> {
    invoice.number = None;
    invoice.status = InvoiceStatus::Draft;
    laid_out(tx, content::of_invoice(tx, invoice).await?).await
}

/// By the ISP's own template, if it has one.
async fn laid_out(tx: &TenantTx, content: data::Content) -> Result<Printable> {
    let name = content.document.invoice.number.clone().unwrap_or_else(|| "draft".to_owned());
    let plain = content.sheet(pack(tx)?.invoice())?;
    Ok(match template::own(tx).await? {
        Some(source) => Printable {
            name,
            sheet: content.sheet(&source)?,
            plain: Some(plain),
        },
        None => Printable {
            name,
            sheet: plain,
            plain: None,
        },
    })
}

/// Who issues a document, under that registration.
pub async fn seller(tx: &TenantTx, under: Option<TaxRegistrationId>) -> Result<Seller> {
    let registration = registrations::all(tx).await?.into_iter().find(|r| Some(r.id) == under);
    let registered = registration.map(|r| (r.tax_id, r.region));
    Ok(content::seller(branding::get(tx).await?, tx.tenant().country(), registered))
}

/// Who issues what is about a subscriber and no supply.
pub async fn seller_for(tx: &TenantTx, subscriber: &Subscriber) -> Result<Seller> {
    let under = registrations::of_subscriber(tx, subscriber).await?;
    seller(tx, under.map(|r| r.id)).await
}

/// The starter pack from which the ISP was made.
pub fn pack(tx: &TenantTx) -> Result<Template> {
    Template::load(tx.tenant().template()).map_err(Error::internal)
}
