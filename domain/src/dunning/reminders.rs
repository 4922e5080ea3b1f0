use chrono::NaiveDate;
use sea_orm::FromQueryResult;

use super::events::InvoiceReminderDue;
use super::{rules, settings};
use crate::kernel::db::TenantTx;
use crate::kernel::error::Result;
use crate::kernel::ids::{InvoiceId, SubscriberId};

#[derive(Clone, Debug, FromQueryResult)]
struct Open {
    id: InvoiceId,
    subscriber_id: SubscriberId,
    issued_on: NaiveDate,
    due_on: NaiveDate,
}

/// Reminds of the invoices that have come to a step of the ladder: looks at `limit` of them, those after `after`, and answers
/// the last. Nobody is reminded of what is paid or promised, nor twice at a step.
pub async fn remind(tx: &TenantTx, after: Option<InvoiceId>, limit: i64) -> Result<Option<InvoiceId>> {
    let ladder = settings(tx).await?.reminders;
    let Some((from, to)) = rules::reach(&ladder, tx.today()) else {
        return Ok(None);
    };
    let open: Vec<Open> = tx
        .sql(
            "SELECT id, subscriber_id, issued_on, due_on FROM invoice
             WHERE status IN ('ISSUED', 'PARTIALLY_PAID') AND amount_due > 0 AND due_on BETWEEN $1 AND $2
                 AND (promised_until IS NULL OR promised_until < $3) AND ($4::uuid IS NULL OR id > $4)
             ORDER BY id LIMIT $5",
        )
        .bind(from)
        .bind(to)
        .bind(tx.today())
        .bind(after)
        .bind(limit)
        .all()
        .await?;
    let steps: Vec<(&Open, i32)> = (open.iter())
        .filter_map(|i| Some((i, rules::step(&ladder, i.issued_on, i.due_on, tx.today())?)))
        .collect();
    for (invoice, days) in new_steps(tx, &steps).await? {
        tx.emit(&InvoiceReminderDue {
            invoice_id: invoice.id,
            subscriber_id: invoice.subscriber_id,
            days,
            due_on: invoice.due_on,
        })
        .await?;
    }
    Ok(open.last().map(|i| i.id))
}

/// Those that were not reminded of before; they are from now on.
async fn new_steps<'o>(tx: &TenantTx, steps: &[(&'o Open, i32)]) -> Result<Vec<(&'o Open, i32)>> {
    if steps.is_empty() {
        return Ok(Vec::new());
    }
    let new: Vec<InvoiceId> = tx
        .sql(
            "INSERT INTO dunning_notice (invoice_id, days, sent_at)
             SELECT s.id, s.days, $3 FROM unnest($1::uuid[], $2::integer[]) AS s(id, days)
             ON CONFLICT DO NOTHING RETURNING invoice_id",
        )
        .bind(steps.iter().map(|(invoice, _)| invoice.id.0).collect::<Vec<_>>())
        .bind(steps.iter().map(|(_, days)| *days).collect::<Vec<_>>())
        .bind(tx.now())
        .scalars()
        .await?;
    Ok(steps.iter().filter(|(i, _)| new.contains(&i.id)).copied().collect())
}
