//! What payments do to invoices. The payer is locked before any of these (`subscribers::lock`).

use chrono::NaiveDate;
use rust_decimal::Decimal;
use sea_orm::FromQueryResult;

use super::events::{InvoicePaid, InvoiceReopened};
use super::rules::OpenInvoice;
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, Result};
use crate::kernel::ids::{InvoiceId, SubscriberId};
use crate::kernel::money::Money;

/// The status of invoice `i` with these sums of what was paid and credited, of its credit notes and of its write-offs.
macro_rules! status {
    ($paid:literal, $credited:literal, $noted:literal) => {
        status!($paid, $credited, $noted, "i.written_off")
    };
    ($paid:literal, $credited:literal, $noted:literal, $written_off:literal) => {
        concat!(
            "CASE WHEN i.total > ",
            $paid,
            " + ",
            $credited,
            " AND ",
            $paid,
            " + ",
            $credited,
            " > 0 THEN 'PARTIALLY_PAID'
             WHEN i.total > ",
            $paid,
            " + ",
            $credited,
            " THEN 'ISSUED' WHEN i.total > 0 AND i.total = ",
            $noted,
            " THEN 'CREDITED' WHEN ",
            $written_off,
            " > 0 THEN 'WRITTEN_OFF' ELSE 'PAID' END"
        )
    };
}
pub(super) use status;

/// An invoice that was changed, and whether that settled or reopened it.
#[derive(Clone, Debug, FromQueryResult)]
pub(super) struct Settled {
    pub id: InvoiceId,
    pub subscriber_id: SubscriberId,
    pub changed: bool,
}

/// The invoices on which the payer owes something, locked in the order of their ids.
pub async fn open_invoices(tx: &TenantTx, payer: SubscriberId) -> Result<Vec<OpenInvoice<InvoiceId>>> {
    #[derive(FromQueryResult)]
    struct Row {
        id: InvoiceId,
        due_on: NaiveDate,
        issued_on: NaiveDate,
        amount_due: Decimal,
    }
    let rows: Vec<Row> = tx
        .sql(
            "SELECT id, due_on, issued_on, amount_due FROM invoice
             WHERE subscriber_id = $1 AND status IN ('ISSUED', 'PARTIALLY_PAID') ORDER BY id FOR NO KEY UPDATE",
        )
        .bind(payer)
        .all()
        .await?;
    rows.into_iter()
        .map(|row| {
            Ok(OpenInvoice {
                id: row.id,
                due_on: row.due_on,
                issued_on: row.issued_on,
                amount_due: Money::new(row.amount_due, tx.tenant().currency()).map_err(Error::internal)?,
            })
        })
        .collect()
}

/// Settles open invoices by these amounts; announces those that are paid by it. Booking is the payment's.
pub async fn apply_payment(tx: &TenantTx, parts: &[(InvoiceId, Money)]) -> Result<()> {
    let (ids, amounts) = columns(parts);
    let settled: Vec<Settled> = tx
        .sql(concat!(
            "UPDATE invoice i SET amount_paid = i.amount_paid + a.amount, status = ",
            status!("i.amount_paid + a.amount", "i.amount_credited", "i.credit_noted"),
            " FROM unnest($1::uuid[], $2::numeric[]) AS a(id, amount)
                 WHERE i.id = a.id AND i.status IN ('ISSUED', 'PARTIALLY_PAID')
                 RETURNING i.id, i.subscriber_id, i.amount_due = 0 AS changed"
        ))
        .bind(ids)
        .bind(amounts)
        .all()
        .await?;
    all_changed(parts, &settled)?;
    for invoice in settled.iter().filter(|s| s.changed) {
        tx.emit(&InvoicePaid {
            invoice_id: invoice.id,
            subscriber_id: invoice.subscriber_id,
        })
        .await?;
    }
    Ok(())
}

/// Takes back what a payment had settled; announces the invoices that are owed again.
pub async fn unapply_payment(tx: &TenantTx, parts: &[(InvoiceId, Money)]) -> Result<()> {
    let (ids, amounts) = columns(parts);
    let lowered: Vec<Settled> = tx
        .sql(concat!(
            "WITH old AS MATERIALIZED (
                     SELECT i.id, i.status FROM invoice i WHERE i.id = ANY($1) ORDER BY i.id FOR NO KEY UPDATE
                 )
                 UPDATE invoice i SET amount_paid = i.amount_paid - a.amount, status = ",
            status!("i.amount_paid - a.amount", "i.amount_credited", "i.credit_noted"),
            " FROM unnest($1::uuid[], $2::numeric[]) AS a(id, amount) JOIN old ON old.id = a.id
                 WHERE i.id = a.id AND old.status IN ('PARTIALLY_PAID', 'PAID', 'CREDITED', 'WRITTEN_OFF')
                 RETURNING i.id, i.subscriber_id, old.status IN ('PAID', 'CREDITED', 'WRITTEN_OFF') AS changed"
        ))
        .bind(ids)
        .bind(amounts)
        .all()
        .await?;
    all_changed(parts, &lowered)?;
    announce_reopened(tx, &lowered).await
}

pub(super) async fn announce_reopened(tx: &TenantTx, lowered: &[Settled]) -> Result<()> {
    for invoice in lowered.iter().filter(|s| s.changed) {
        tx.emit(&InvoiceReopened {
            invoice_id: invoice.id,
            subscriber_id: invoice.subscriber_id,
        })
        .await?;
    }
    Ok(())
}

fn columns(parts: &[(InvoiceId, Money)]) -> (Vec<uuid::Uuid>, Vec<Decimal>) {
    parts.iter().map(|(id, amount)| (id.0, amount.amount())).unzip()
}

/// Each part must have met its invoice, and an invoice only one part.
fn all_changed(parts: &[(InvoiceId, Money)], changed: &[Settled]) -> Result<()> {
    if parts.len() == changed.len() {
        return Ok(());
    }
    Err(Error::internal("an invoice was not in the state in which it was locked"))
}
