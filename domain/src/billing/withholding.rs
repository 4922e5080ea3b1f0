use rust_decimal::Decimal;
use serde::Serialize;
use uuid::Uuid;

use super::entity::Invoice;
use super::{payment, queries};
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
    let entry = Entry {
        kind: "withholding",
        source: id,
        booked_on: tx.today(),
        description: format!(
            "Tax withheld by the payer from invoice {}",
            invoice.number.as_deref().unwrap_or_default()
        ),
        transfers: vec![Transfer::new(
            Account::WithholdingReceivable,
            Account::Receivable(payer),
            amount,
        )],
    };
    ledger::post(tx, entry).await?;
    tx.audit("withholdingRecord", cmd.invoice_id.0, &cmd).await?;
    queries::get(tx, cmd.invoice_id).await
}
