use bytes::Bytes;
use chrono::{DateTime, Utc};
use sea_orm::FromQueryResult;
use serde::Serialize;

use super::super::events::InvoiceTemplateUpdated;
use super::{Sheet, TypesetError, Typesetter, content, pack, sample};
use crate::billing::queries;
use crate::kernel::Permission;
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, ErrorCode, Result};
use crate::kernel::ids::InvoiceId;

/// Longer templates are refused: bytes.
const MAX_SOURCE: usize = 128 * 1024;

/// How the ISP's invoices look.
#[derive(Clone, Debug, PartialEq)]
pub struct InvoiceTemplate {
    /// Typst.
    pub source: String,
    /// It is the starter pack's.
    pub is_default: bool,
    /// Counts changes, for `expectedVersion`; 0: never changed.
    pub version: i32,
    pub updated_at: Option<DateTime<Utc>>,
}

#[derive(Clone, Debug)]
pub struct UpdateTemplate {
    pub expected_version: i32,
    pub source: String,
}

#[derive(Clone, Debug)]
pub struct ResetTemplate {
    pub expected_version: i32,
}

#[derive(Clone, Debug)]
pub struct PreviewTemplate {
    /// None: the one in force.
    pub source: Option<String>,
    /// None: a sample.
    pub invoice_id: Option<InvoiceId>,
}

/// A template that waits for its trial.
#[derive(Debug)]
pub struct Trial {
    tenant: i32,
    sheets: Vec<Sheet>,
    cmd: UpdateTemplate,
}

/// A template with which documents could be typeset.
#[derive(Clone, Debug)]
pub struct ProvenTemplate(UpdateTemplate);

/// A document that waits to be looked at.
#[derive(Debug)]
pub struct Preview {
    tenant: i32,
    sheet: Sheet,
}

#[derive(Default, FromQueryResult)]
struct Row {
    source: Option<String>,
    version: i32,
    updated_at: Option<DateTime<Utc>>,
}

#[derive(Serialize)]
struct Detail {
    version: i32,
    /// None: back to the starter pack's.
    bytes: Option<usize>,
}

pub async fn template(tx: &TenantTx) -> Result<InvoiceTemplate> {
    tx.require(Permission::SettingsRead)?;
    current(tx).await
}

async fn current(tx: &TenantTx) -> Result<InvoiceTemplate> {
    let row = row(tx).await?;
    Ok(InvoiceTemplate {
        is_default: row.source.is_none(),
        source: match row.source {
            Some(source) => source,
            None => pack(tx)?.invoice().to_owned(),
        },
        version: row.version,
        updated_at: row.updated_at,
    })
}

/// What a new template is tried with before it is accepted: a full sample, one that lacks what an
/// invoice may lack, and a credit note.
pub async fn template_trial(tx: &TenantTx, cmd: UpdateTemplate) -> Result<Trial> {
    tx.require(Permission::SettingsWrite)?;
    check(&cmd.source)?;
    if row(tx).await?.version != cmd.expected_version {
        return Err(Error::stale("expectedVersion"));
    }
    let samples = sample::samples(tx).await?;
    let sheets = samples.iter().map(|sample| sample.sheet(&cmd.source));
    Ok(Trial {
        tenant: tx.tenant().number(),
        sheets: sheets.collect::<Result<_>>()?,
        cmd,
    })
}

impl Trial {
    /// Typesets the samples, with no transaction open. The refusal names the line that is at fault.
    pub async fn run(self, typesetter: &impl Typesetter) -> Result<ProvenTemplate> {
        let kinds = [
            "",
            " (on an invoice without addresses, tax ids and taxes)",
            " (on a credit note)",
        ];
        for (sheet, of) in self.sheets.iter().zip(kinds) {
            typesetter.pdf(self.tenant, sheet).await.map_err(|e| refusal(e, of))?;
        }
        Ok(ProvenTemplate(self.cmd))
    }
}

/// Stores a template with which documents could be typeset.
pub async fn template_update(tx: &TenantTx, template: ProvenTemplate) -> Result<InvoiceTemplate> {
    store(tx, template.0.expected_version, Some(template.0.source)).await
}

/// Back to the starter pack's.
pub async fn template_reset(tx: &TenantTx, cmd: ResetTemplate) -> Result<InvoiceTemplate> {
    store(tx, cmd.expected_version, None).await
}

/// A sample or an invoice to look at a template with.
pub async fn template_preview(tx: &TenantTx, cmd: PreviewTemplate) -> Result<Preview> {
    tx.require(Permission::SettingsWrite)?;
    let source = match cmd.source {
        Some(source) => source,
        None => current(tx).await?.source,
    };
    check(&source)?;
    let content = match cmd.invoice_id {
        Some(id) => {
            let invoice = queries::find(tx, id).await?.ok_or_else(|| Error::not_found("invoiceId"))?;
            content::of_invoice(tx, invoice).await?
        }
        None => {
            let [full, ..] = sample::samples(tx).await?;
            full
        }
    };
    Ok(Preview {
        tenant: tx.tenant().number(),
        sheet: content.sheet(&source)?,
    })
}

impl Preview {
    /// The PDF, made with no transaction open.
    pub async fn run(self, typesetter: &impl Typesetter) -> Result<Bytes> {
        typesetter.pdf(self.tenant, &self.sheet).await.map_err(|e| refusal(e, ""))
    }
}

/// The ISP's own template, if it has one. For whoever prints.
pub(super) async fn own(tx: &TenantTx) -> Result<Option<String>> {
    Ok(row(tx).await?.source)
}

fn check(source: &str) -> Result<()> {
    if source.trim().is_empty() {
        return Err(Error::user(ErrorCode::Required, "source", "Must not be blank."));
    }
    if source.len() > MAX_SOURCE {
        return Err(Error::invalid("source", format!("Must have at most {MAX_SOURCE} bytes.")));
    }
    if source.contains('\0') {
        return Err(Error::invalid("source", "Must not contain U+0000."));
    }
    Ok(())
}

fn refusal(e: TypesetError, of: &str) -> Error {
    match e {
        TypesetError::Template(fault) => Error::invalid("source", format!("{}{of}", fault.sentence())),
        TypesetError::Unavailable(why) => {
            tracing::warn!(%why, "a template could not be tried");
            Error::state("", "Documents cannot be typeset right now; try again later.")
        }
    }
}

async fn row(tx: &TenantTx) -> Result<Row> {
    let row = tx
        .sql("SELECT source, version, updated_at FROM invoice_template")
        .optional()
        .await?;
    Ok(row.unwrap_or_default())
}

async fn store(tx: &TenantTx, expected: i32, source: Option<String>) -> Result<InvoiceTemplate> {
    tx.require(Permission::SettingsWrite)?;
    tx.sql("INSERT INTO invoice_template (source, version, updated_at) VALUES (NULL, 0, $1) ON CONFLICT (only_row) DO NOTHING")
        .bind(tx.now())
        .run()
        .await?;
    let bytes = source.as_ref().map(String::len);
    let stored = tx
        .sql("UPDATE invoice_template SET source = $1, version = version + 1, updated_at = $2 WHERE version = $3")
        .bind(source)
        .bind(tx.now())
        .bind(expected)
        .run()
        .await?;
    if stored == 0 {
        return Err(Error::stale("expectedVersion"));
    }
    let action = if bytes.is_some() {
        "invoiceTemplateUpdate"
    } else {
        "invoiceTemplateReset"
    };
    let version = expected + 1;
    tx.audit(action, tx.tenant().id().0, Detail { version, bytes }).await?;
    tx.emit(&InvoiceTemplateUpdated { version }).await?;
    current(tx).await
}
