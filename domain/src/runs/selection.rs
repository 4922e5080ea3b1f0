//! Which services a run has to look at.

use std::collections::HashMap;

use chrono::{DateTime, Days, NaiveDate, Utc};
use sea_orm::FromQueryResult;
use serde::{Deserialize, Serialize};

use super::desk::by;
use crate::billing::rules::BillingSettings;
use crate::kernel::db::{Sql, TenantTx};
use crate::kernel::error::Result;
use crate::kernel::ids::{ServiceId, SubscriberId};

/// How far a run has come: it looks at services that are to be charged, in the order of the days on which they were, then at
/// those whose other dates, or debts, ask for something, in the order of their ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Place {
    Charging(Option<Chargeable>),
    Others(Option<ServiceId>),
}

impl Place {
    pub const FIRST: Self = Self::Charging(None);

    /// Where a run goes on that has seen all that is there.
    pub(super) fn beyond(self) -> Option<Self> {
        match self {
            Self::Charging(_) => Some(Self::Others(None)),
            Self::Others(_) => None,
        }
    }
}

/// A service on the day of its next charge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, FromQueryResult)]
pub struct Chargeable {
    pub next_billing_on: NaiveDate,
    pub id: ServiceId,
}

/// The services at a place, at most `limit`, and the place behind them.
pub(super) async fn services(
    tx: &TenantTx,
    date: NaiveDate,
    settings: &BillingSettings,
    place: Place,
    limit: u16,
) -> Result<(Vec<ServiceId>, Place)> {
    match place {
        Place::Charging(after) => {
            let due = charging(tx, date, after, limit).await?;
            let next = Place::Charging(due.last().copied().or(after));
            Ok((due.into_iter().map(|c| c.id).collect(), next))
        }
        Place::Others(after) => {
            let due = others(tx, date, settings, after, limit).await?;
            let next = Place::Others(due.last().copied().or(after));
            Ok((due, next))
        }
    }
}

/// Services that are to be charged by that day, the longest due first.
async fn charging(tx: &TenantTx, date: NaiveDate, after: Option<Chargeable>, limit: u16) -> Result<Vec<Chargeable>> {
    tx.sql(
        "SELECT next_billing_on, id FROM service
         WHERE status IN ('ACTIVE', 'GRACE', 'SUSPENDED') AND next_billing_on <= $1
             AND (next_billing_on, id) > (COALESCE($2::date, '-infinity'), COALESCE($3::uuid, '00000000-0000-0000-0000-000000000000'))
         ORDER BY next_billing_on, id LIMIT $4",
    )
    .bind(date)
    .bind(after.map(|a| a.next_billing_on))
    .bind(after.map(|a| a.id))
    .bind(i64::from(limit))
    .all()
    .await
}

/// A service that is to stand on one invoice with others that the same one pays for.
#[derive(Clone, Copy, Debug, FromQueryResult)]
pub(super) struct OfPayer {
    pub payer: SubscriberId,
    pub service: ServiceId,
    /// The run has looked at it, and it stayed due.
    pub seen: bool,
}

/// Where one pays for several, or has some at other sites: all services that are to be charged by that day and that are paid for by
/// whoever pays for one of these.
pub(super) async fn of_payers(
    tx: &TenantTx,
    date: NaiveDate,
    after: Option<Chargeable>,
    services: &[ServiceId],
) -> Result<Vec<OfPayer>> {
    tx.sql(
        "WITH payer AS MATERIALIZED (
             SELECT DISTINCT COALESCE(p.bill_to_id, p.id) AS id FROM service v JOIN subscriber p ON p.id = v.subscriber_id
             WHERE EXISTS (SELECT FROM subscriber WHERE bill_to_id IS NOT NULL) AND v.id = ANY($1)
                 AND (p.bill_to_id IS NOT NULL OR EXISTS (SELECT FROM subscriber o WHERE o.bill_to_id = p.id))
             UNION SELECT o.subscriber_id FROM service o
             WHERE o.next_billing_on <= $2 AND o.status IN ('ACTIVE', 'GRACE', 'SUSPENDED') AND o.subscriber_id IN (
                 SELECT v.subscriber_id FROM service v JOIN subscriber p ON p.id = v.subscriber_id
                 WHERE v.id = ANY($1) AND p.bill_to_id IS NULL)
             GROUP BY o.subscriber_id
             HAVING count(DISTINCT o.installation_address) + (count(*) > count(o.installation_address))::integer > 1
         )
         SELECT payer.id AS payer, s.id AS service, ((s.next_billing_on, s.id) <= ($3::date, $4::uuid)) IS TRUE AS seen
         FROM payer CROSS JOIN LATERAL (SELECT payer.id UNION ALL SELECT o.id FROM subscriber o WHERE o.bill_to_id = payer.id) AS w
             JOIN service s ON s.subscriber_id = w.id
         WHERE s.status IN ('ACTIVE', 'GRACE', 'SUSPENDED') AND s.next_billing_on <= $2
         ORDER BY payer.id, s.id",
    )
    .bind(ServiceId::array(services))
    .bind(date)
    .bind(after.map(|a| a.next_billing_on))
    .bind(after.map(|a| a.id))
    .all()
    .await
}

/// Services as they share transactions, so many each: what one pays for is not parted, however much it is. Of a dry run all
/// services stay due: those that one pays for were counted with the first of them.
pub(super) fn batches(services: &[ServiceId], bundles: Vec<OfPayer>, dry_run: bool, size: usize) -> Vec<Vec<ServiceId>> {
    let payer: HashMap<ServiceId, SubscriberId> = bundles.iter().map(|b| (b.service, b.payer)).collect();
    let mut bundles = by(bundles, |b| b.payer);
    bundles.retain(|_, bundle| {
        let seen = bundle.extract_if(.., |b| b.seen).count();
        !(dry_run && seen > 0)
    });
    let mut batches: Vec<Vec<ServiceId>> = Vec::new();
    for service in services {
        let whole = match payer.get(service) {
            None => vec![*service],
            // The first of them takes the others along.
            Some(payer) => match bundles.remove(payer) {
                Some(bundle) => bundle.iter().map(|b| b.service).collect(),
                None => continue,
            },
        };
        match batches.last_mut() {
            Some(batch) if batch.len() + whole.len() <= size => batch.extend(whole),
            _ => batches.push(whole),
        }
    }
    batches
}

/// Services that are not to be charged by that day, `$1`, and that something else asks for by now, `$2`: they begin, expire,
/// enter another period, begin or end a pause, end (those blocked since `$3` too), are overdue, or off for what was due by `$4`;
/// and what was left undone when it was paid for: those that failed, those off though nothing due by `$4` is open, though time is
/// paid for after they went off, or though there is credit in hand.
macro_rules! others {
    ($head:literal, $tail:literal) => {
        concat!(
            $head,
            " FROM (
                 SELECT id FROM service WHERE status = 'PENDING' AND started_on <= $1 AND anchor_at IS NOT NULL AND NOT awaits_payment
                 UNION SELECT id FROM service WHERE status IN ('ACTIVE', 'GRACE') AND access_until <= $2
                 UNION SELECT id FROM service WHERE status = 'ACTIVE' AND paid_until <= $2
                 UNION SELECT id FROM service WHERE status IN ('ACTIVE', 'GRACE') AND period_ends_at <= $2 AND billed_until > period_ends_at
                 UNION SELECT id FROM service WHERE ends_on <= $1 AND status <> 'TERMINATED'
                 UNION SELECT id FROM service WHERE pause_starts_on <= $1 AND status IN ('ACTIVE', 'GRACE')
                 UNION SELECT id FROM service WHERE pause_ends_on <= $1
                 UNION SELECT id FROM service WHERE status = 'SUSPENDED' AND suspension_cause IN ('ARREARS', 'EXPIRED')
                     AND suspension_since <= $3
                 UNION SELECT s.id FROM invoice i JOIN invoice_line l ON l.invoice_id = i.id JOIN service s ON s.id = l.service_id
                     WHERE i.status IN ('ISSUED', 'PARTIALLY_PAID') AND i.due_on < $1
                         AND (s.status = 'ACTIVE' OR s.status = 'GRACE' AND i.due_on <= $4)
                 UNION SELECT service_id FROM billing_failure WHERE resolved_at IS NULL
                 UNION SELECT s.id FROM service s WHERE s.status = 'SUSPENDED' AND s.suspension_cause = 'ARREARS'
                     AND NOT EXISTS (SELECT FROM coverage c JOIN invoice_line l ON l.id = c.invoice_line_id
                         JOIN invoice i ON i.id = l.invoice_id
                         WHERE c.service_id = s.id AND i.status IN ('ISSUED', 'PARTIALLY_PAID') AND i.due_on <= $4)
                 UNION SELECT s.id FROM service s WHERE s.status = 'SUSPENDED' AND s.suspension_cause = 'EXPIRED'
                     AND (EXISTS (SELECT FROM coverage c JOIN invoice_line l ON l.id = c.invoice_line_id
                             JOIN invoice i ON i.id = l.invoice_id WHERE c.service_id = s.id
                             AND upper(c.period) > s.suspension_since AND i.status NOT IN ('ISSUED', 'PARTIALLY_PAID'))
                         OR EXISTS (SELECT FROM subscriber p JOIN ledger_account a ON a.subscriber_id = COALESCE(p.bill_to_id, p.id)
                             WHERE p.id = s.subscriber_id AND a.kind = 'SUBSCRIBER_CREDIT' AND a.credit_total > a.debit_total))
             ) AS one JOIN service v USING (id)
             WHERE (v.next_billing_on <= $1 AND v.status IN ('ACTIVE', 'GRACE', 'SUSPENDED')) IS NOT TRUE ",
            $tail
        )
    };
}

/// Binds `$1` to `$4` of [`others!`].
fn bind<'t>(sql: Sql<'t>, tx: &TenantTx, date: NaiveDate, settings: &BillingSettings) -> Sql<'t> {
    let days = |n: u32| Days::new(u64::from(n));
    let blocked_before: Option<DateTime<Utc>> = settings.terminate_after_days.and_then(|n| tx.now().checked_sub_days(days(n)));
    // On the day itself nothing is overdue; the due date is the first of the days of grace.
    let grace_over = date.checked_sub_days(days(settings.grace_days.max(1)));
    sql.bind(date).bind(tx.now()).bind(blocked_before).bind(grace_over)
}

async fn others(
    tx: &TenantTx,
    date: NaiveDate,
    settings: &BillingSettings,
    after: Option<ServiceId>,
    limit: u16,
) -> Result<Vec<ServiceId>> {
    let text = others!("SELECT v.id", "AND ($5::uuid IS NULL OR v.id > $5) ORDER BY v.id LIMIT $6");
    let some = bind(tx.sql(text), tx, date, settings).bind(after).bind(i64::from(limit));
    some.scalars().await
}

/// How many services there are to look at.
pub(super) async fn count(tx: &TenantTx, date: NaiveDate, settings: &BillingSettings) -> Result<i64> {
    let text = others!(
        "SELECT count(*) + (SELECT count(*) FROM service WHERE status IN ('ACTIVE', 'GRACE', 'SUSPENDED') AND next_billing_on <= $1)",
        ""
    );
    Ok(bind(tx.sql(text), tx, date, settings).scalar().await?.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_pays_for_is_not_parted() {
        let services: Vec<ServiceId> = (0..7).map(|_| ServiceId::new()).collect();
        let (one, other) = (SubscriberId::new(), SubscriberId::new());
        let later = ServiceId::new();
        let bundle = |payer, service| OfPayer {
            payer,
            service,
            seen: false,
        };
        let bundles = vec![
            bundle(one, services[1]),
            bundle(one, services[5]),
            bundle(one, later),
            bundle(other, services[4]),
            bundle(other, services[6]),
        ];
        let placed = batches(&services, bundles.clone(), false, 2);
        let wanted = [
            vec![services[0]],
            vec![services[1], services[5], later],
            vec![services[2], services[3]],
            vec![services[4], services[6]],
        ];
        assert_eq!(placed, wanted);
        let seen = |b: &OfPayer| OfPayer {
            seen: b.service == services[1],
            ..*b
        };
        let bundles: Vec<OfPayer> = bundles.iter().map(seen).collect();
        let real = batches(&services[2..], bundles.clone(), false, 2);
        assert_eq!(real[1..], [vec![services[4], services[6]], vec![services[5], later]]);
        let dry = batches(&services[2..], bundles, true, 2);
        assert_eq!(dry, [&services[2..4], &[services[4], services[6]]]);
        assert_eq!(batches(&services, Vec::new(), false, 4), [&services[..4], &services[4..]]);
        assert!(batches(&[], Vec::new(), false, 4).is_empty());
    }
}
