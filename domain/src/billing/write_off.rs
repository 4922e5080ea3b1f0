//! What is given up: debts that nobody will pay. What comes in after all is taken back out of what was given up.

use rust_decimal::Decimal;
use serde::Serialize;
use uuid::Uuid;

use super::entity::{Invoice, InvoiceKind, InvoiceStatus};
use super::events::{InvoiceReopened, InvoiceWriteOffReversed, InvoiceWrittenOff};
use super::payment::{open_invoices, status};
use super::{credit, queries};
use crate::kernel::Permission;
use crate::kernel::check::Checks;
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, Result};
use crate::kernel::ids::{InvoiceId, SubscriberId};
use crate::kernel::money::Money;
use crate::ledger::{self, Account, Entry, Transfer};
use crate::subscribers;

#[derive(Clone, Debug, Serialize)]
pub struct WriteOffInvoice {
    pub invoice_id: InvoiceId,
    /// None: all that is due.
    pub amount: Option<Decimal>,
    pub reason: String,
    pub idempotency_key: Uuid,
}

#[derive(Clone, Debug, Serialize)]
pub struct ReverseWriteOff {
    pub invoice_id: InvoiceId,
    pub reason: String,
    pub idempotency_key: Uuid,
}

/// Gives up what is due on an invoice, or a part of it. Its taxes stay as they were charged: that a debt is bad does not take
/// back the supply. It is no payment: nothing begins or comes back for it.
pub async fn invoice_write_off(tx: &TenantTx, mut cmd: WriteOffInvoice) -> Result<Invoice> {
    tx.require(Permission::InvoiceWriteOff)?;
    let currency = tx.tenant().currency();
    let mut checks = Checks::new();
    cmd.reason = checks.line(&cmd.reason, 500, "reason");
    if let Some(amount) = &mut cmd.amount {
        checks.positive(amount, currency, "amount");
    }
    checks.done()?;
    let key = Some(cmd.idempotency_key);
    if tx.claim_key("invoiceWriteOff", key, &cmd, Uuid::now_v7()).await?.is_some() {
        return queries::get(tx, cmd.invoice_id).await;
    }
    let payer = lock(tx, cmd.invoice_id).await?;
    if queries::get(tx, cmd.invoice_id).await?.kind == InvoiceKind::Deposit {
        // What was never paid would be held all the same, and could be paid out.
        let message = "A deposit is no debt to be given up: return it, which settles its invoice.";
        return Err(Error::state("invoiceId", message));
    }
    let open = open_invoices(tx, payer).await?;
    let Some(due) = open.iter().find(|i| i.id == cmd.invoice_id).map(|i| i.amount_due) else {
        return Err(Error::state("invoiceId", "Nothing is due on this invoice."));
    };
    let amount = match cmd.amount {
        Some(amount) => Money::new(amount, currency).map_err(Error::internal)?,
        None => due,
    };
    if amount.amount() > due.amount() {
        return Err(Error::invalid(
            "amount",
            format!("Only {} is due on this invoice.", due.amount()),
        ));
    }
    book(tx, cmd.invoice_id, payer, amount, &cmd.reason).await?;
    tx.audit("invoiceWriteOff", cmd.invoice_id.0, &cmd).await?;
    let (invoice_id, subscriber_id) = (cmd.invoice_id, payer);
    tx.emit(&InvoiceWrittenOff {
        invoice_id,
        subscriber_id,
    })
    .await?;
    queries::get(tx, cmd.invoice_id).await
}

/// What was given up of an invoice is owed again.
pub async fn invoice_write_off_reverse(tx: &TenantTx, mut cmd: ReverseWriteOff) -> Result<Invoice> {
    tx.require(Permission::InvoiceWriteOff)?;
    let mut checks = Checks::new();
    cmd.reason = checks.line(&cmd.reason, 500, "reason");
    checks.done()?;
    let key = Some(cmd.idempotency_key);
    if tx
        .claim_key("invoiceWriteOffReverse", key, &cmd, Uuid::now_v7())
        .await?
        .is_some()
    {
        return queries::get(tx, cmd.invoice_id).await;
    }
    let payer = lock(tx, cmd.invoice_id).await?;
    let before = queries::get(tx, cmd.invoice_id).await?;
    let all = before.money(before.written_off)?;
    if !all.is_positive() {
        return Err(Error::state("invoiceId", "Nothing of this invoice is written off."));
    }
    book(tx, cmd.invoice_id, payer, -all, &cmd.reason).await?;
    tx.audit("invoiceWriteOffReverse", cmd.invoice_id.0, &cmd).await?;
    tx.emit(&InvoiceWriteOffReversed {
        invoice_id: cmd.invoice_id,
        subscriber_id: payer,
    })
    .await?;
    if before.amount_due.is_zero() {
        tx.emit(&InvoiceReopened {
            invoice_id: cmd.invoice_id,
            subscriber_id: payer,
        })
        .await?;
    }
    credit::consume_again(tx, payer, &[cmd.invoice_id]).await?;
    queries::get(tx, cmd.invoice_id).await
}

/// Makes room for money on invoices of which something was given up: what comes in for them, in this order, beyond what is due
/// is owed again before it is paid. Answers those that are given up whole and that the money does not reach. The payer is locked.
pub async fn reclaim_for_payment(
    tx: &TenantTx,
    payer: SubscriberId,
    invoices: &[InvoiceId],
    amount: Money,
) -> Result<Vec<InvoiceId>> {
    let known = queries::by_ids(tx, invoices).await?;
    let in_order = (invoices.iter()).filter_map(|id| known.iter().find(|i| i.id == *id && i.subscriber_id == payer));
    let (mut left, mut not_reached) = (amount, Vec::new());
    for invoice in in_order {
        let beyond = left.checked_sub(left.at_most(invoice.money(invoice.amount_due)?).map_err(Error::internal)?);
        let beyond = beyond.map_err(Error::internal)?;
        let reclaimed = reclaim(tx, invoice, beyond, "Paid after all").await?;
        left = beyond.checked_sub(reclaimed).map_err(Error::internal)?;
        if invoice.status == InvoiceStatus::WrittenOff && reclaimed.is_zero() {
            not_reached.push(invoice.id);
        }
    }
    Ok(not_reached)
}

/// Owes again what was given up of an invoice, up to an amount; answers how much that is. The payer is locked.
pub(super) async fn reclaim(tx: &TenantTx, invoice: &Invoice, up_to: Money, reason: &str) -> Result<Money> {
    let reclaimed = invoice.money(invoice.written_off)?.at_most(up_to).map_err(Error::internal)?;
    if !reclaimed.is_positive() {
        return Ok(Money::zero(up_to.currency()));
    }
    book(tx, invoice.id, invoice.subscriber_id, -reclaimed, reason).await?;
    Ok(reclaimed)
}

/// The invoice's payer, locked.
async fn lock(tx: &TenantTx, invoice: InvoiceId) -> Result<SubscriberId> {
    let found = queries::by_ids(tx, &[invoice]).await?.into_iter().next();
    let payer = found.ok_or_else(|| Error::not_found("invoiceId"))?.subscriber_id;
    subscribers::lock(tx, payer).await?;
    Ok(payer)
}

/// Writes a part off, or takes it back where it is negative.
async fn book(tx: &TenantTx, invoice: InvoiceId, payer: SubscriberId, amount: Money, reason: &str) -> Result<()> {
    let id = Uuid::now_v7();
    tx.sql("INSERT INTO write_off (id, invoice_id, amount, reason, created_at) VALUES ($1, $2, $3, $4, $5)")
        .bind(id)
        .bind(invoice)
        .bind(amount.amount())
        .bind(reason)
        .bind(tx.now())
        .run()
        .await?;
    let changed = tx
        .sql(concat!(
            "UPDATE invoice i SET written_off = i.written_off + $2, amount_credited = i.amount_credited + $2, status = ",
            status!(
                "i.amount_paid",
                "i.amount_credited + $2",
                "i.credit_noted",
                "i.written_off + $2"
            ),
            " WHERE i.id = $1"
        ))
        .bind(invoice)
        .bind(amount.amount())
        .run()
        .await?;
    if changed != 1 {
        return Err(Error::internal("the invoice that was to be written off is gone"));
    }
    let description = match amount.is_positive() {
        true => "Written off",
        false => "Write-off taken back",
    };
    let entry = Entry {
        kind: "write-off",
        source: id,
        booked_on: tx.today(),
        description: description.to_owned(),
        transfers: vec![Transfer::new(Account::WriteOff, Account::Receivable(payer), amount)],
    };
    ledger::post(tx, entry).await?;
    Ok(())
}
