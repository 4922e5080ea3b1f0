use rust_decimal::Decimal;
use sea_orm::FromQueryResult;

use super::issue::{NewInvoice, issue};
use super::issuing::Issued;
use super::lines::{Buyer, LateFee, NewLine};
use super::rules::TaxTreatment;
use super::setup;
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, Result};
use crate::kernel::ids::{InvoiceId, ServiceId, SubscriberId};
use crate::kernel::money::Money;
use crate::subscribers;

/// Charges the settings' late fee, if there is one, for each invoice over the service's time that is due and unpaid, and not
/// promised for later: once an invoice, on an invoice of its own, to whom that one went. For a service that has just been
/// switched off for it.
pub async fn charge_late_fees(tx: &TenantTx, service_id: ServiceId, subscriber_id: SubscriberId) -> Result<Vec<Issued>> {
    let Some(fee) = setup::settings(tx).await?.settings.late_fee else {
        return Ok(Vec::new());
    };
    let fee: Decimal = Money::new(fee, tx.tenant().currency()).map_err(Error::internal)?.amount();
    let payers: Vec<SubscriberId> = late(tx, service_id).await?.iter().map(|invoice| invoice.payer).collect();
    if payers.is_empty() {
        return Ok(Vec::new());
    }
    // Whoever pays for the service by now is held already; those to whom the invoices went may pay, or have the fee, meanwhile.
    let payers = subscribers::lock_all(tx, &payers).await?;
    let mut issued = Vec::new();
    for invoice in late(tx, service_id).await? {
        let id = InvoiceId::new();
        let treatment: TaxTreatment = serde_json::from_value(invoice.treatment)?;
        let line = LateFee {
            service_id,
            subscriber_id,
            number: invoice.number,
            amount: fee,
            tax_code: invoice.tax_code,
            place: treatment.place,
            buyer: Buyer {
                class: treatment.buyer,
                registered: payers.iter().any(|p| p.id == invoice.payer && p.tax_id.is_some()),
            },
        };
        let new = NewInvoice {
            id,
            subscriber_id: invoice.payer,
            due_on: tx.today(),
            lines: vec![NewLine::LateFee(line)],
        };
        issued.push(issue(tx, new).await?);
        tx.sql("UPDATE invoice SET late_fee_invoice_id = $2 WHERE id = $1")
            .bind(invoice.id)
            .bind(id)
            .run()
            .await?;
    }
    Ok(issued)
}

#[derive(FromQueryResult)]
struct Late {
    id: InvoiceId,
    payer: SubscriberId,
    number: String,
    tax_code: Option<String>,
    treatment: serde_json::Value,
}

async fn late(tx: &TenantTx, service: ServiceId) -> Result<Vec<Late>> {
    tx.sql(
        "SELECT DISTINCT ON (i.id) i.id, i.subscriber_id AS payer, i.number, l.tax_code,
             l.explanation #> '{line,treatment}' AS treatment
         FROM coverage c JOIN invoice_line l ON l.id = c.invoice_line_id JOIN invoice i ON i.id = l.invoice_id
         WHERE c.service_id = $1 AND i.status IN ('ISSUED', 'PARTIALLY_PAID') AND i.due_on < $2
             AND (i.promised_until IS NULL OR i.promised_until < $2) AND i.late_fee_invoice_id IS NULL ORDER BY i.id, l.position",
    )
    .bind(service)
    .bind(tx.today())
    .all()
    .await
}
