//! Credit in hand: what a payer has paid beyond its invoices. An invoice consumes it when it is issued.

use rust_decimal::Decimal;
use sea_orm::FromQueryResult;
use uuid::Uuid;

use super::events::InvoicePaid;
use super::payment::{Settled, announce_reopened, open_invoices, status};
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, ErrorCode, Result};
use crate::kernel::ids::{InvoiceId, SubscriberId};
use crate::kernel::money::Money;
use crate::ledger::{self, Account, Entry, Transfer};

/// Credit in hand that an invoice is to take.
pub(super) struct Taken {
    application: Uuid,
    pub payer: SubscriberId,
    pub invoice: InvoiceId,
    pub amount: Money,
}

impl Taken {
    /// What an invoice takes of what its payer has in hand; None when there is nothing.
    pub fn of(payer: SubscriberId, in_hand: Money, invoice: InvoiceId, total: Money) -> Result<Option<Self>> {
        let amount = in_hand.at_most(total).map_err(Error::internal)?;
        Ok(amount.is_positive().then(|| Self {
            application: Uuid::now_v7(),
            payer,
            invoice,
            amount,
        }))
    }

    pub fn entry(&self, tx: &TenantTx) -> Entry {
        let (credit, owed) = (Account::SubscriberCredit(self.payer), Account::Receivable(self.payer));
        Entry {
            kind: "credit",
            source: self.application,
            booked_on: tx.today(),
            description: "Credit in hand applied to an invoice".to_owned(),
            transfers: vec![Transfer::new(credit, owed, self.amount)],
        }
    }
}

/// Writes down which invoice took what. The invoices are there; booking it is the caller's.
pub(super) async fn insert_all(tx: &TenantTx, taken: &[&Taken]) -> Result<()> {
    if taken.is_empty() {
        return Ok(());
    }
    tx.sql(
        "INSERT INTO credit_application (id, subscriber_id, invoice_id, amount, applied_at)
         SELECT id, subscriber_id, invoice_id, amount, $5
         FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::numeric[]) AS a(id, subscriber_id, invoice_id, amount)",
    )
    .bind(taken.iter().map(|t| t.application).collect::<Vec<_>>())
    .bind(taken.iter().map(|t| t.payer.0).collect::<Vec<_>>())
    .bind(taken.iter().map(|t| t.invoice.0).collect::<Vec<_>>())
    .bind(taken.iter().map(|t| t.amount.amount()).collect::<Vec<_>>())
    .bind(tx.now())
    .run()
    .await?;
    Ok(())
}

/// Lets an invoice take what it can of the payer's credit in hand; answers how much. The payer is locked.
async fn consume(tx: &TenantTx, payer: SubscriberId, invoice: InvoiceId, total: Money) -> Result<Money> {
    let in_hand = ledger::credit_in_hand(tx, payer).await?;
    let Some(taken) = Taken::of(payer, in_hand, invoice, total)? else {
        return Ok(Money::zero(total.currency()));
    };
    insert_all(tx, &[&taken]).await?;
    ledger::post(tx, taken.entry(tx)).await?;
    Ok(taken.amount)
}

/// Lets invoices that are owed again take what credit the payer has in hand, the oldest due first: none stays open beside it.
/// The payer is locked.
pub async fn consume_again(tx: &TenantTx, payer: SubscriberId, invoices: &[InvoiceId]) -> Result<()> {
    let mut open = open_invoices(tx, payer).await?;
    open.retain(|invoice| invoices.contains(&invoice.id));
    open.sort_by_key(|invoice| (invoice.due_on, invoice.issued_on));
    for invoice in open {
        let taken = consume(tx, payer, invoice.id, invoice.amount_due).await?;
        if !taken.is_positive() {
            return Ok(());
        }
        tx.sql(concat!(
            "UPDATE invoice i SET amount_credited = i.amount_credited + $2, status = ",
            status!("i.amount_paid", "i.amount_credited + $2", "i.credit_noted"),
            " WHERE i.id = $1"
        ))
        .bind(invoice.id)
        .bind(taken.amount())
        .run()
        .await?;
        if taken == invoice.amount_due {
            tx.emit(&InvoicePaid {
                invoice_id: invoice.id,
                subscriber_id: payer,
            })
            .await?;
        }
    }
    Ok(())
}

/// As [`consume_again`], of all that the payer owes.
pub async fn settle_from_credit(tx: &TenantTx, payer: SubscriberId) -> Result<()> {
    let open: Vec<InvoiceId> = open_invoices(tx, payer).await?.iter().map(|i| i.id).collect();
    consume_again(tx, payer, &open).await
}

#[derive(Clone, Debug, PartialEq, FromQueryResult)]
struct Application {
    id: Uuid,
    invoice_id: InvoiceId,
    amount: Decimal,
}

/// Gives credit that invoices consumed back to the payer, the newest application first; the invoices are owed again. For a
/// payment that is reversed after its surplus was used. The payer is locked.
pub async fn undo_credit(tx: &TenantTx, payer: SubscriberId, amount: Money) -> Result<()> {
    let applications: Vec<Application> = tx
        .sql(
            "SELECT id, invoice_id, amount FROM credit_application WHERE subscriber_id = $1 AND undone_at IS NULL
             ORDER BY applied_at DESC, id DESC",
        )
        .bind(payer)
        .all()
        .await?;
    let undone = newest_first(amount.amount(), &applications).ok_or_else(|| {
        let message = "Its surplus has been refunded or moved since: that money has to come back first.";
        Error::user(ErrorCode::InsufficientFunds, "id", message)
    })?;
    if undone.is_empty() {
        return Ok(());
    }
    mark_undone(tx, payer, &undone).await?;
    let entries = (undone.iter())
        .map(|(application, part)| entry(tx, payer, application.id, *part))
        .collect::<Result<Vec<_>>>()?;
    ledger::post_all(tx, &entries).await?;
    let lowered = lower_credited(tx, &undone).await?;
    announce_reopened(tx, &lowered).await
}

/// How much of which application goes; None when there is not enough.
fn newest_first(amount: Decimal, applications: &[Application]) -> Option<Vec<(&Application, Decimal)>> {
    let mut left = amount;
    let mut undone = Vec::new();
    for application in applications {
        if left <= Decimal::ZERO {
            break;
        }
        let part = left.min(application.amount);
        undone.push((application, part));
        left -= part;
    }
    (left <= Decimal::ZERO).then_some(undone)
}

/// An application undone in part goes on as another over the rest.
async fn mark_undone(tx: &TenantTx, payer: SubscriberId, undone: &[(&Application, Decimal)]) -> Result<()> {
    tx.sql("UPDATE credit_application SET undone_at = $2 WHERE id = ANY($1)")
        .bind(undone.iter().map(|(a, _)| a.id).collect::<Vec<_>>())
        .bind(tx.now())
        .run()
        .await?;
    for (application, part) in undone {
        let rest = application.amount - part;
        if rest > Decimal::ZERO {
            let rest = Money::new(rest, tx.tenant().currency()).map_err(Error::internal)?;
            let again = Taken {
                application: Uuid::now_v7(),
                payer,
                invoice: application.invoice_id,
                amount: rest,
            };
            insert_all(tx, &[&again]).await?;
        }
    }
    Ok(())
}

fn entry(tx: &TenantTx, payer: SubscriberId, application: Uuid, part: Decimal) -> Result<Entry> {
    let part = Money::new(part, tx.tenant().currency()).map_err(Error::internal)?;
    Ok(Entry {
        kind: "credit-undone",
        source: application,
        booked_on: tx.today(),
        description: "Credit in hand taken back from an invoice".to_owned(),
        transfers: vec![Transfer::new(
            Account::Receivable(payer),
            Account::SubscriberCredit(payer),
            part,
        )],
    })
}

async fn lower_credited(tx: &TenantTx, undone: &[(&Application, Decimal)]) -> Result<Vec<Settled>> {
    tx.sql(concat!(
        "WITH part AS (
                 SELECT id, sum(amount) AS amount FROM unnest($1::uuid[], $2::numeric[]) AS a(id, amount) GROUP BY id
             ), old AS MATERIALIZED (
                 SELECT i.id, i.status FROM invoice i WHERE i.id = ANY($1) ORDER BY i.id FOR NO KEY UPDATE
             )
             UPDATE invoice i SET amount_credited = i.amount_credited - part.amount, status = ",
        status!("i.amount_paid", "i.amount_credited - part.amount", "i.credit_noted"),
        " FROM part JOIN old ON old.id = part.id WHERE i.id = part.id
             RETURNING i.id, i.subscriber_id, old.status IN ('PAID', 'CREDITED', 'WRITTEN_OFF') AS changed"
    ))
    .bind(undone.iter().map(|(a, _)| a.invoice_id.0).collect::<Vec<_>>())
    .bind(undone.iter().map(|(_, part)| *part).collect::<Vec<_>>())
    .all()
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_applications_go_first_and_the_last_one_in_part() {
        let application = |amount: i64| Application {
            id: Uuid::now_v7(),
            invoice_id: InvoiceId::new(),
            amount: Decimal::new(amount, 2),
        };
        let known = [application(500), application(300), application(200)];
        let parts = |amount: i64| {
            let undone = newest_first(Decimal::new(amount, 2), &known)?;
            Some(undone.iter().map(|(_, part)| part.to_string()).collect::<Vec<_>>())
        };
        assert_eq!(parts(0), Some(vec![]));
        assert_eq!(parts(400), Some(vec!["4.00".into()]));
        assert_eq!(parts(600), Some(vec!["5.00".into(), "1.00".into()]));
        assert_eq!(parts(1000), Some(vec!["5.00".into(), "3.00".into(), "2.00".into()]));
        assert_eq!(parts(1001), None);
    }
}
