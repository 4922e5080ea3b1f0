//! An invoice, locked, with what is left to credit of it.

use std::collections::HashMap;

use rust_decimal::Decimal;
use sea_orm::FromQueryResult;

use crate::billing::entity::{Invoice, InvoiceKind, InvoiceLine, InvoiceStatus};
use crate::billing::queries;
use crate::billing::rules::{Explanation, LineAmounts, TaxAmount, replay};
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, Result};
use crate::kernel::ids::{InvoiceId, InvoiceLineId};
use crate::kernel::money::Money;

pub(super) struct Creditable {
    pub invoice: Invoice,
    /// The sum of the credit notes so far.
    pub noted: Money,
    pub lines: Vec<CreditableLine>,
}

pub(super) struct CreditableLine {
    pub line: InvoiceLine,
    pub of: Explanation,
    pub left: LineAmounts,
}

impl Creditable {
    /// Locks the invoice's payer and the invoice, so that nobody else credits it meanwhile.
    pub async fn lock(tx: &TenantTx, id: InvoiceId, field: &str) -> Result<Self> {
        let invoice = queries::lock(tx, id, field).await?;
        if matches!(invoice.status, InvoiceStatus::Draft | InvoiceStatus::Void) {
            return Err(Error::state(
                field,
                format!("An invoice that is {} cannot be credited.", invoice.status),
            ));
        }
        if matches!(invoice.kind, InvoiceKind::OpeningBalance | InvoiceKind::Deposit) {
            return Err(Error::state(
                field,
                "This is no tax invoice: what was charged elsewhere is credited there, or written off here; a deposit is returned.",
            ));
        }
        let noted = invoice.money(invoice.credit_noted)?;
        let lines = lines(tx, &invoice).await?;
        Ok(Self { invoice, noted, lines })
    }

    pub fn line(&self, id: InvoiceLineId) -> Option<&CreditableLine> {
        self.lines.iter().find(|l| l.line.id == id)
    }

    /// Tax and rounding included.
    pub fn left(&self) -> Result<Money> {
        let total = self.invoice.money(self.invoice.total)?;
        total.checked_sub(self.noted).map_err(Error::internal)
    }
}

async fn lines(tx: &TenantTx, invoice: &Invoice) -> Result<Vec<CreditableLine>> {
    let taxes = queries::taxes_of(tx, &[invoice.id]).await?;
    let gone = credited(tx, invoice).await?;
    let lines = queries::lines_of(tx, &[invoice.id]).await?;
    lines
        .into_iter()
        .map(|line| {
            let of: Explanation = serde_json::from_value(line.explanation.clone())?;
            let own = taxes.iter().filter(|tax| tax.line_id == Some(line.id));
            let whole = LineAmounts {
                amount: invoice.money(line.amount)?,
                taxes: own.map(|tax| tax.amount()).collect::<Result<_>>()?,
                residual: replay(&of).map_err(Error::internal)?.residual,
            };
            let left = match gone.get(&line.id) {
                Some(gone) => whole.less(&gone.amounts(&whole, invoice)?).map_err(Error::internal)?,
                None => whole,
            };
            Ok(CreditableLine { line, of, left })
        })
        .collect()
}

/// What credit notes have taken of a line.
#[derive(Default)]
struct Gone {
    amount: Decimal,
    residual: Decimal,
    /// By the position of the tax: base and amount.
    taxes: HashMap<i32, (Decimal, Decimal)>,
}

impl Gone {
    fn amounts(&self, whole: &LineAmounts, invoice: &Invoice) -> Result<LineAmounts> {
        let taxes = (whole.taxes.iter().zip(0..)).map(|(tax, position)| {
            let (base, amount) = self.taxes.get(&position).copied().unwrap_or_default();
            Ok(TaxAmount {
                base: invoice.money(base)?,
                amount: invoice.money(amount)?,
                ..tax.clone()
            })
        });
        Ok(LineAmounts {
            amount: invoice.money(self.amount)?,
            taxes: taxes.collect::<Result<_>>()?,
            residual: invoice.money(self.residual)?,
        })
    }
}

async fn credited(tx: &TenantTx, invoice: &Invoice) -> Result<HashMap<InvoiceLineId, Gone>> {
    #[derive(FromQueryResult)]
    struct Line {
        invoice_line_id: InvoiceLineId,
        amount: Decimal,
        residual: Decimal,
    }
    #[derive(FromQueryResult)]
    struct Tax {
        invoice_line_id: InvoiceLineId,
        position: i32,
        base: Decimal,
        amount: Decimal,
    }
    let lines: Vec<Line> = tx
        .sql(
            "SELECT c.invoice_line_id, sum(c.amount) AS amount, sum(c.residual) AS residual
             FROM credit_note_line c JOIN credit_note n ON n.id = c.credit_note_id WHERE n.invoice_id = $1
             GROUP BY c.invoice_line_id",
        )
        .bind(invoice.id)
        .all()
        .await?;
    let taxes: Vec<Tax> = tx
        .sql(
            "SELECT c.invoice_line_id, t.position, sum(t.base) AS base, sum(t.amount) AS amount
             FROM credit_note_tax t JOIN credit_note_line c ON c.id = t.line_id JOIN credit_note n ON n.id = c.credit_note_id
             WHERE n.invoice_id = $1 GROUP BY c.invoice_line_id, t.position",
        )
        .bind(invoice.id)
        .all()
        .await?;
    let mut gone: HashMap<InvoiceLineId, Gone> = HashMap::new();
    for line in lines {
        let of_line = gone.entry(line.invoice_line_id).or_default();
        (of_line.amount, of_line.residual) = (line.amount, line.residual);
    }
    for tax in taxes {
        let of_line = gone.entry(tax.invoice_line_id).or_default();
        of_line.taxes.insert(tax.position, (tax.base, tax.amount));
    }
    Ok(gone)
}
