//! Withdrawing an invoice, where the law lets one: as the tax rules of the ISP's country say. Its number stays used.

use chrono::{DateTime, Datelike, NaiveDate, Utc};
use sea_orm::FromQueryResult;

use super::entity::{Invoice, InvoiceKind, InvoiceStatus, sum_taxes};
use super::events::InvoiceVoided;
use super::lines::PLAN_CHARGE;
use super::rules::VoidRule;
use super::{queries, setup};
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, Result};
use crate::kernel::ids::{InvoiceId, ServiceId, SubscriberId};
use crate::ledger::{self, Account, Entry, Transfer};

/// Time of a service's plan that an invoice charges.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct PlanTime {
    pub service_id: ServiceId,
    pub starts_at: DateTime<Utc>,
    pub ends_at: DateTime<Utc>,
    /// Other invoices charge the service for the same time, or for later.
    pub others_follow: bool,
    /// The time right before it is charged too.
    pub continues: bool,
}

/// Who pays an invoice, and the services on its lines; nothing is locked by it.
pub async fn parties(tx: &TenantTx, id: InvoiceId, field: &str) -> Result<(SubscriberId, Vec<ServiceId>)> {
    let payer: Option<SubscriberId> = tx
        .sql("SELECT subscriber_id FROM invoice WHERE id = $1")
        .bind(id)
        .scalar()
        .await?;
    let services: Vec<ServiceId> = tx
        .sql("SELECT DISTINCT service_id FROM invoice_line WHERE invoice_id = $1 AND service_id IS NOT NULL ORDER BY service_id")
        .bind(id)
        .scalars()
        .await?;
    Ok((payer.ok_or_else(|| Error::not_found(field))?, services))
}

/// What the invoice charges of its services' own time.
pub async fn plan_time_of(tx: &TenantTx, id: InvoiceId) -> Result<Vec<PlanTime>> {
    tx.sql(
        "WITH own AS (
             SELECT c.service_id, min(lower(c.period)) AS starts_at, max(upper(c.period)) AS ends_at
             FROM coverage c JOIN invoice_line l ON l.id = c.invoice_line_id
             WHERE l.invoice_id = $1 AND c.charge = $2 GROUP BY c.service_id
         )
         SELECT o.service_id, o.starts_at, o.ends_at,
             EXISTS (SELECT FROM coverage c JOIN invoice_line l ON l.id = c.invoice_line_id
                 WHERE c.service_id = o.service_id AND l.invoice_id <> $1 AND upper(c.period) > o.starts_at) AS others_follow,
             EXISTS (SELECT FROM coverage c
                 WHERE c.service_id = o.service_id AND c.charge = $2 AND upper(c.period) = o.starts_at) AS continues
         FROM own o ORDER BY o.service_id",
    )
    .bind(id)
    .bind(PLAN_CHARGE)
    .all()
    .await
}

/// Takes an invoice back as a whole: what it charged is owed by nobody and covers nothing. The payer is locked, and so are its
/// services. The use case has asked for a permission.
pub async fn void(tx: &TenantTx, id: InvoiceId, reason: &str) -> Result<()> {
    let invoice = queries::lock(tx, id, "invoiceId").await?;
    check(tx, &invoice).await?;
    check_time(tx, id).await?;
    book(tx, &invoice).await?;
    if let Some(issued_on) = invoice.issued_on {
        // Looked at when the books are held: nobody closes them any more before this is done.
        ledger::require_open(tx, issued_on, "invoiceId").await?;
    }
    tx.sql("DELETE FROM coverage WHERE invoice_line_id IN (SELECT id FROM invoice_line WHERE invoice_id = $1)")
        .bind(id)
        .run()
        .await?;
    tx.sql("UPDATE invoice SET status = 'VOID', amount_credited = total, voided_at = $2, void_reason = $3 WHERE id = $1")
        .bind(id)
        .bind(tx.now())
        .bind(reason)
        .run()
        .await?;
    if let Some(added_to) = invoice.refers_to_id {
        tx.sql("UPDATE invoice SET debit_noted = debit_noted - $2 WHERE id = $1")
            .bind(added_to)
            .bind(invoice.total)
            .run()
            .await?;
    }
    tx.emit(&InvoiceVoided {
        invoice_id: id,
        subscriber_id: invoice.subscriber_id,
    })
    .await
}

async fn check(tx: &TenantTx, invoice: &Invoice) -> Result<()> {
    let refuse = |why: &str| Err(Error::state("invoiceId", why));
    match invoice.kind {
        InvoiceKind::Invoice | InvoiceKind::DebitNote => {}
        InvoiceKind::Deposit => return refuse("A deposit is returned, which settles its invoice."),
        InvoiceKind::OpeningBalance => return refuse("A balance that was brought along is written off."),
    }
    let untouched = invoice.amount_paid.is_zero() && invoice.amount_credited.is_zero() && invoice.credit_noted.is_zero();
    match invoice.status {
        InvoiceStatus::Void => return refuse("It is void already."),
        InvoiceStatus::Issued if untouched => {}
        _ => return refuse("Something has been paid or credited on it: issue a credit note instead."),
    }
    if !invoice.debit_noted.is_zero() {
        return refuse("A debit note adds to it: withdraw that one first.");
    }
    if let Some(fee) = standing_late_fee(tx, invoice).await? {
        return refuse(&format!(
            "The late fee {fee} was charged for it: withdraw or credit that one first."
        ));
    }
    let rule = setup::tax_rules(tx).await?.data().void;
    match lawful(rule, invoice.issued_on, tx.today()) {
        true => Ok(()),
        false if rule == VoidRule::Never => {
            refuse("The tax rules let no issued invoice be withdrawn: issue a credit note instead.")
        }
        false => refuse("The tax rules let an invoice be withdrawn in the month of its issue only: issue a credit note instead."),
    }
}

/// The number of the invoice over the fee for having paid this one late, unless that was taken back.
async fn standing_late_fee(tx: &TenantTx, invoice: &Invoice) -> Result<Option<String>> {
    tx.sql(
        "SELECT f.number FROM invoice i JOIN invoice f ON f.id = i.late_fee_invoice_id
         WHERE i.id = $1 AND f.status <> 'VOID' AND f.credit_noted < f.total",
    )
    .bind(invoice.id)
    .scalar()
    .await
}

/// What goes with a service's time is charged again only together with that time: of an add-on or a difference alone it would
/// be lost.
async fn check_time(tx: &TenantTx, id: InvoiceId) -> Result<()> {
    let apart: bool = tx
        .sql(
            "WITH own AS (
                 SELECT c.service_id, c.charge, c.period FROM coverage c JOIN invoice_line l ON l.id = c.invoice_line_id
                 WHERE l.invoice_id = $1
             )
             SELECT EXISTS (SELECT FROM own o WHERE o.charge <> $2 AND NOT COALESCE(
                 (SELECT o.period <@ range_agg(p.period) FROM own p WHERE p.service_id = o.service_id AND p.charge = $2), false))",
        )
        .bind(id)
        .bind(PLAN_CHARGE)
        .scalar()
        .await?
        .unwrap_or_default();
    match apart {
        false => Ok(()),
        true => Err(Error::state(
            "invoiceId",
            "It charges an add-on, or what a change of plan costs more, without the plan's own time: credit it instead.",
        )),
    }
}

/// Whether the rule lets an invoice of that day be withdrawn today.
fn lawful(rule: VoidRule, issued_on: Option<NaiveDate>, today: NaiveDate) -> bool {
    match rule {
        VoidRule::Never => false,
        VoidRule::MonthOfIssue => issued_on.is_some_and(|day| (day.year(), day.month()) == (today.year(), today.month())),
    }
}

/// Takes revenue, taxes and rounding back from the payer's account.
async fn book(tx: &TenantTx, invoice: &Invoice) -> Result<()> {
    let taxes = queries::taxes_of(tx, &[invoice.id]).await?;
    let owed = Account::Receivable(invoice.subscriber_id);
    let mut transfers = vec![Transfer::new(
        Account::Revenue,
        owed.clone(),
        invoice.money(invoice.subtotal)?,
    )];
    let taxes = sum_taxes(&taxes)?;
    transfers.extend((taxes.into_iter()).map(|tax| Transfer::new(Account::TaxPayable(tax.name), owed.clone(), tax.amount)));
    transfers.push(Transfer::new(Account::Rounding, owed, invoice.money(invoice.rounding)?));
    let entry = Entry {
        kind: "void",
        source: invoice.id.0,
        booked_on: tx.today(),
        description: "Void".to_owned(),
        transfers,
    };
    ledger::post(tx, entry).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_the_month_of_issue_or_never() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        for (rule, issued_on, today, lawfully) in [
            (VoidRule::MonthOfIssue, Some("2026-04-01"), "2026-04-30", true),
            (VoidRule::MonthOfIssue, Some("2026-04-30"), "2026-05-01", false),
            (VoidRule::MonthOfIssue, Some("2025-04-30"), "2026-04-30", false),
            (VoidRule::MonthOfIssue, None, "2026-04-30", false),
            (VoidRule::Never, Some("2026-04-30"), "2026-04-30", false),
        ] {
            assert_eq!(
                lawful(rule, issued_on.map(day), day(today)),
                lawfully,
                "{rule:?} {issued_on:?} {today}"
            );
        }
    }
}
