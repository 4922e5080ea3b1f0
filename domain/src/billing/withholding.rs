//! Tax that payers withhold: it settles their invoices, and the authority owes it from then on.

use rust_decimal::Decimal;
use serde::Serialize;
use uuid::Uuid;

use super::entity::{Invoice, InvoiceKind};
use super::events::{WithholdingRecorded, WithholdingReversed};
use super::{credit, payment, queries};
use crate::kernel::Permission;
use crate::kernel::check::Checks;
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, Result};
use crate::kernel::ids::InvoiceId;
use crate::kernel::money::Money;
use crate::ledger::{self, Account, Entry, Transfer};
use crate::subscribers;

/// Tax that the payer of an invoice withheld and paid to the authority in the ISP's name (India: CGST Act s.51, 2 % of the
/// value without GST; certificate GSTR-7A).
#[derive(Clone, Debug, Serialize)]
pub struct RecordWithholding {
    pub invoice_id: InvoiceId,
    pub amount: Decimal,
    /// Of the certificate.
    pub reference: Option<String>,
    pub idempotency_key: Uuid,
}

#[derive(Clone, Debug, Serialize)]
pub struct ReverseWithholding {
    pub invoice_id: InvoiceId,
    /// None: all that is withheld of it.
    pub amount: Option<Decimal>,
    pub reason: String,
    pub idempotency_key: Uuid,
}

/// Settles a part of an invoice by what the payer withheld; it is a receivable from the authority from then on, not a
/// discount.
pub async fn withholding_record(tx: &TenantTx, mut cmd: RecordWithholding) -> Result<Invoice> {
    tx.require(Permission::PaymentWrite)?;
    let mut checks = Checks::new();
    cmd.reference = checks.optional_line(cmd.reference.as_deref(), 100, "reference");
    checks.ensure(cmd.amount > Decimal::ZERO, "amount", "Must be more than 0.");
    let exact = Money::new(cmd.amount, tx.tenant().currency());
    checks.ensure(exact.is_ok(), "amount", "Has more decimals than the currency.");
    checks.done()?;
    let amount = exact.map_err(Error::internal)?;
    cmd.amount = amount.amount();
    let id = Uuid::now_v7();
    let key = Some(cmd.idempotency_key);
    if tx.claim_key("withholdingRecord", key, &cmd, id).await?.is_some() {
        return queries::get(tx, cmd.invoice_id).await;
    }
    let invoice = queries::by_ids(tx, &[cmd.invoice_id]).await?.into_iter().next();
    let invoice = invoice.ok_or_else(|| Error::not_found("invoiceId"))?;
    if invoice.kind == InvoiceKind::Deposit {
        // It is returned in money, which this would not have been.
        let message = "A deposit is no supply that tax is withheld from.";
        return Err(Error::state("invoiceId", message));
    }
    let payer = invoice.subscriber_id;
    subscribers::lock(tx, payer).await?;
    let open = payment::open_invoices(tx, payer).await?;
    let Some(due) = open.iter().find(|i| i.id == cmd.invoice_id).map(|i| i.amount_due) else {
        return Err(Error::state("invoiceId", "Nothing is due on this invoice."));
    };
    if amount.minor_units() > due.minor_units() {
        return Err(Error::invalid(
            "amount",
            format!("Only {} is due on this invoice.", due.amount()),
        ));
    }
    payment::apply_payment(tx, &[(cmd.invoice_id, amount)]).await?;
    write(tx, id, cmd.invoice_id, amount, cmd.reference.as_deref(), None).await?;
    book(tx, id, &invoice, amount).await?;
    tx.audit("withholdingRecord", cmd.invoice_id.0, &cmd).await?;
    tx.emit(&WithholdingRecorded {
        invoice_id: cmd.invoice_id,
        subscriber_id: payer,
    })
    .await?;
    queries::get(tx, cmd.invoice_id).await
}

/// Takes back that tax was withheld, e.g. because no certificate ever came: it is owed again, but for what credit in hand settles
/// in its place.
pub async fn withholding_reverse(tx: &TenantTx, mut cmd: ReverseWithholding) -> Result<Invoice> {
    tx.require(Permission::PaymentReverse)?;
    let currency = tx.tenant().currency();
    let mut checks = Checks::new();
    cmd.reason = checks.line(&cmd.reason, 500, "reason");
    if let Some(amount) = &mut cmd.amount {
        checks.positive(amount, currency, "amount");
    }
    checks.done()?;
    let id = Uuid::now_v7();
    let key = Some(cmd.idempotency_key);
    if tx.claim_key("withholdingReverse", key, &cmd, id).await?.is_some() {
        return queries::get(tx, cmd.invoice_id).await;
    }
    let invoice = queries::lock(tx, cmd.invoice_id, "invoiceId").await?;
    let withheld = invoice.money(invoice.withheld)?;
    if !withheld.is_positive() {
        return Err(Error::state("invoiceId", "Nothing is withheld of this invoice."));
    }
    let amount = match cmd.amount {
        Some(amount) => Money::new(amount, currency).map_err(Error::internal)?,
        None => withheld,
    };
    if amount.amount() > withheld.amount() {
        let message = format!("Only {} is withheld of this invoice.", withheld.amount());
        return Err(Error::invalid("amount", message));
    }
    write(tx, id, cmd.invoice_id, -amount, None, Some(&cmd.reason)).await?;
    payment::unapply_payment(tx, &[(cmd.invoice_id, amount)]).await?;
    book(tx, id, &invoice, -amount).await?;
    credit::consume_again(tx, invoice.subscriber_id, &[cmd.invoice_id]).await?;
    tx.audit("withholdingReverse", cmd.invoice_id.0, &cmd).await?;
    tx.emit(&WithholdingReversed {
        invoice_id: cmd.invoice_id,
        subscriber_id: invoice.subscriber_id,
    })
    .await?;
    queries::get(tx, cmd.invoice_id).await
}

/// Notes what is withheld, or taken back where it is negative.
async fn write(
    tx: &TenantTx,
    id: Uuid,
    invoice: InvoiceId,
    amount: Money,
    reference: Option<&str>,
    reason: Option<&str>,
) -> Result<()> {
    tx.sql("INSERT INTO withholding (id, invoice_id, amount, reference, reason, created_at) VALUES ($1, $2, $3, $4, $5, $6)")
        .bind(id)
        .bind(invoice)
        .bind(amount.amount())
        .bind(reference.map(str::to_owned))
        .bind(reason.map(str::to_owned))
        .bind(tx.now())
        .run()
        .await?;
    tx.sql("UPDATE invoice SET withheld = withheld + $2 WHERE id = $1")
        .bind(invoice)
        .bind(amount.amount())
        .run()
        .await?;
    Ok(())
}

/// The authority owes what was withheld, and the payer does not; the other way round where it is negative.
async fn book(tx: &TenantTx, id: Uuid, invoice: &Invoice, amount: Money) -> Result<()> {
    let number = invoice.number.as_deref().unwrap_or_default();
    let description = match amount.is_positive() {
        true => format!("Tax withheld by the payer from invoice {number}"),
        false => format!("Tax not withheld after all from invoice {number}"),
    };
    let owed = Account::Receivable(invoice.subscriber_id);
    let entry = Entry {
        kind: "withholding",
        source: id,
        booked_on: tx.today(),
        description,
        transfers: vec![Transfer::new(Account::WithholdingReceivable, owed, amount)],
    };
    ledger::post(tx, entry).await?;
    Ok(())
}
