//! What invoices charge of a service's time.

use std::collections::HashMap;

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use rust_decimal::Decimal;
use sea_orm::FromQueryResult;
use uuid::Uuid;

use super::lines::PLAN_CHARGE;
use crate::kernel::calendar::{Period, Zone, days_between};
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, Result};
use crate::kernel::ids::{InvoiceId, InvoiceLineId, PlanVersionId, ServiceId};
use crate::kernel::money::Money;

/// Time of a service that an invoice charges, half-open.
#[derive(Clone, Debug, PartialEq)]
pub struct Covered {
    pub starts_at: DateTime<Utc>,
    pub ends_at: DateTime<Utc>,
    /// Nothing is due for it: neither on the invoice nor on one over a plan change's difference, nor, postpaid, over an add-on.
    /// Prepaid time goes on when an add-on on an invoice of its own is unpaid.
    pub paid: bool,
    /// Nothing is due because credit notes took all of it back.
    pub credited: bool,
    /// When it was given up, if nothing is due because of that. Who pays what a write-off left has paid all the same.
    pub written_off_at: Option<DateTime<Utc>>,
    pub due_on: NaiveDate,
    /// The last day of a promise to pay it; else its due date.
    pub awaited_until: NaiveDate,
    /// The plan's version that the service has in that time: by which it was charged, or by which it was last charged more. None
    /// where it is over, or where a cheaper plan than the invoice's has it.
    pub version_id: Option<PlanVersionId>,
}

/// All that is charged of the service's time, in its order.
pub async fn covered(tx: &TenantTx, service: ServiceId) -> Result<Vec<Covered>> {
    Ok(covered_of(tx, &[service]).await?.remove(&service).unwrap_or_default())
}

/// As [`covered`], of many services; those that have been charged at all. Ids are in the order of time: a write-off settled
/// an invoice unless something came in after the last one. The id of a payment or credit note is older than what it reclaims.
pub async fn covered_of(tx: &TenantTx, services: &[ServiceId]) -> Result<HashMap<ServiceId, Vec<Covered>>> {
    #[derive(FromQueryResult)]
    struct Row {
        service_id: ServiceId,
        starts_at: DateTime<Utc>,
        ends_at: DateTime<Utc>,
        paid: bool,
        credited: bool,
        written_off_at: Option<DateTime<Utc>>,
        due_on: NaiveDate,
        awaited_until: NaiveDate,
        /// As explanations name it.
        version: Option<String>,
    }
    // OFFSET 0 keeps each service's lookup one in the index of the constraint. Explanations, which are long, are read of time to
    // come alone.
    let rows: Vec<Row> = tx
        .sql(
            "WITH piece AS MATERIALIZED (
                 SELECT c.service_id, c.charge, c.period, c.price, l.id AS line_id,
                     CASE WHEN upper(c.period) > $3 THEN l.explanation #>> '{line,plan_version,id}' END AS version, i.amount_due, i.due_on, i.status, COALESCE(i.promised_until, i.due_on) AS awaited,
                     given.up_at AS written_off_at
                 FROM unnest($1::uuid[]) AS w(id)
                 CROSS JOIN LATERAL (SELECT v.* FROM coverage v WHERE v.service_id = w.id OFFSET 0) AS c
                 JOIN invoice_line l ON l.id = c.invoice_line_id JOIN invoice i ON i.id = l.invoice_id
                 LEFT JOIN LATERAL (
                     SELECT w.created_at AS up_at FROM (
                         SELECT o.id, o.created_at FROM write_off o
                         WHERE i.status = 'WRITTEN_OFF' AND o.invoice_id = i.id ORDER BY o.id DESC LIMIT 1
                     ) AS w
                     WHERE NOT EXISTS (SELECT FROM payment_allocation a WHERE a.invoice_id = i.id AND a.payment_id > w.id)
                         AND NOT EXISTS (SELECT FROM credit_application a WHERE a.invoice_id = i.id AND a.id > w.id)
                         AND NOT EXISTS (SELECT FROM credit_note n WHERE n.invoice_id = i.id AND n.id > w.id)
                 ) given ON true
             ), difference AS MATERIALIZED (
                 SELECT p.service_id, p.period, p.amount_due, p.due_on, p.awaited, p.written_off_at FROM piece p JOIN service s ON s.id = p.service_id
                 JOIN plan q ON q.id = s.plan_id
                 WHERE p.charge <> $2 AND (p.amount_due > 0 OR p.written_off_at IS NOT NULL) AND (q.payment_mode = 'POSTPAID' OR p.charge LIKE 'difference %')
             ), dearer AS MATERIALIZED (
                 SELECT service_id, period, line_id, version FROM piece WHERE charge LIKE 'difference %' AND version IS NOT NULL
             )
             SELECT c.service_id, lower(c.period) AS starts_at, upper(c.period) AS ends_at,
                 c.amount_due = 0 AND other.due_on IS NULL AS paid, c.status = 'CREDITED' AS credited,
                 GREATEST(c.written_off_at, other.written_off_at) AS written_off_at,
                 CASE WHEN c.amount_due = 0 THEN COALESCE(other.due_on, c.due_on) ELSE LEAST(c.due_on, other.due_on) END AS due_on,
                 CASE WHEN c.amount_due = 0 THEN COALESCE(other.awaited, c.due_on) ELSE LEAST(c.awaited, other.awaited) END
                     AS awaited_until,
                 CASE WHEN c.price IS NULL THEN COALESCE(latest.version, c.version) END AS version
             FROM piece c LEFT JOIN LATERAL (
                 SELECT d.version FROM dearer d WHERE d.service_id = c.service_id AND d.period && c.period ORDER BY d.line_id DESC LIMIT 1
             ) latest ON true LEFT JOIN LATERAL (
                 SELECT min(d.due_on) FILTER (WHERE d.amount_due > 0) AS due_on, min(d.awaited) FILTER (WHERE d.amount_due > 0) AS awaited,
                     max(d.written_off_at) AS written_off_at
                 FROM difference d WHERE d.service_id = c.service_id AND d.period && c.period
             ) other ON true
             WHERE c.charge = $2 ORDER BY c.service_id, lower(c.period)",
        )
        .bind(ServiceId::array(services))
        .bind(PLAN_CHARGE)
        .bind(tx.now())
        .all()
        .await?;
    let mut all: HashMap<ServiceId, Vec<Covered>> = HashMap::new();
    for row in rows {
        all.entry(row.service_id).or_default().push(Covered {
            starts_at: row.starts_at,
            ends_at: row.ends_at,
            paid: row.paid,
            credited: row.credited,
            written_off_at: row.written_off_at,
            due_on: row.due_on,
            awaited_until: row.awaited_until,
            version_id: row.version.map(|id| id.parse()).transpose().map_err(Error::internal)?,
        });
    }
    Ok(all)
}

/// Whether something of that time was charged on top, for a dearer plan.
pub async fn has_difference(tx: &TenantTx, service: ServiceId, period: Period) -> Result<bool> {
    let found = tx
        .sql(
            "SELECT EXISTS (SELECT FROM coverage WHERE service_id = $1 AND charge LIKE 'difference %' AND period && tstzrange($2, $3, '[)'))",
        )
        .bind(service)
        .bind(period.start())
        .bind(period.end());
    Ok(found.scalar().await?.unwrap_or(false))
}

/// Lets what was charged for one period of a service cover another, of so many days: it began when it was paid for. The
/// invoice's line stays as it was written.
pub async fn move_coverage(tx: &TenantTx, service: ServiceId, from: Period, to: Period, days: Option<i32>) -> Result<()> {
    let moved = tx
        .sql(
            "UPDATE coverage SET period = tstzrange($5, $6, '[)'), days = COALESCE($7, days)
             WHERE service_id = $1 AND charge = $2 AND period = tstzrange($3, $4, '[)')",
        )
        .bind(service)
        .bind(PLAN_CHARGE)
        .bind(from.start())
        .bind(from.end())
        .bind(to.start())
        .bind(to.end())
        .bind(days)
        .run()
        .await?;
    if moved == 1 {
        return move_addons(tx, service, from, to, days).await;
    }
    Err(Error::internal(format!(
        "{service} is not covered for the period that is to be moved"
    )))
}

/// Add-ons move with the time that they go with: what covers all of it covers all of the other; a part of it is given as many
/// days later, and up to the same end if it went up to the end. What is left of one, the rest of which was credited, keeps its
/// days.
async fn move_addons(tx: &TenantTx, service: ServiceId, from: Period, to: Period, days: Option<i32>) -> Result<()> {
    let zone = Zone::from(tx.tenant().timezone());
    let later = u64::try_from(days_between(zone.local_date(from.start()), zone.local_date(to.start()))).unwrap_or(0);
    let shifted = |at: DateTime<Utc>| zone.start_of_day(zone.local_date(at) + Days::new(later));
    let addons = pieces(tx, service, None, from.start(), Some(from.end())).await?;
    for piece in addons.into_iter().rev().filter(|p| p.charge.starts_with("addon ")) {
        let whole = piece.starts_at <= from.start();
        let starts_at = if whole {
            to.start()
        } else {
            shifted(piece.starts_at).min(to.end())
        };
        let had = zone.days_in(piece.period()?);
        let uncut = piece.spread.is_none_or(|spread| i64::from(spread) == had);
        let ends_at = if uncut && piece.ends_at == from.end() {
            to.end()
        } else {
            shifted(piece.ends_at).min(to.end())
        };
        let Ok(period) = Period::new(starts_at, ends_at) else {
            continue;
        };
        let has = zone.days_in(period);
        let spread = days.filter(|_| uncut && has != had).map(|_| i32::try_from(has));
        tx.sql("UPDATE coverage SET period = tstzrange($2, $3, '[)'), days = COALESCE($4, days) WHERE id = $1")
            .bind(piece.id)
            .bind(starts_at)
            .bind(ends_at)
            .bind(spread.transpose().map_err(Error::internal)?)
            .run()
            .await?;
    }
    Ok(())
}

/// A piece of covered time that one line charges.
#[derive(Clone, Debug, PartialEq, FromQueryResult)]
pub(super) struct Fragment {
    pub id: Uuid,
    pub charge: String,
    pub invoice_line_id: InvoiceLineId,
    pub invoice_id: InvoiceId,
    pub starts_at: DateTime<Utc>,
    pub ends_at: DateTime<Utc>,
    /// The days that the line's price is spread over: those that it charges, unless they were moved; None for hours.
    pub spread: Option<i32>,
    /// What a full period costs on these days, where it is not the line's price.
    pub price: Option<Decimal>,
}

impl Fragment {
    pub fn is_plan_charge(&self) -> bool {
        self.charge == PLAN_CHARGE
    }

    /// Whether it charges what a dearer plan costs more.
    pub fn is_difference(&self) -> bool {
        self.charge.starts_with("difference ")
    }
}

/// The pieces that cover the service's time from `from` until `until`, in its order; those that reach beyond are cut in two.
pub(super) async fn cut_out(
    tx: &TenantTx,
    service: ServiceId,
    from: DateTime<Utc>,
    until: Option<DateTime<Utc>>,
) -> Result<Vec<Fragment>> {
    cut(tx, service, None, from).await?;
    if let Some(until) = until {
        cut(tx, service, None, until).await?;
    }
    pieces(tx, service, None, from, until).await
}

/// As [`cut_out`], of one charge alone.
pub(super) async fn cut_out_of(tx: &TenantTx, service: ServiceId, charge: &str, from: DateTime<Utc>) -> Result<Vec<Fragment>> {
    cut(tx, service, Some(charge), from).await?;
    pieces(tx, service, Some(charge), from, None).await
}

/// What covers the service's time from `from` on, clipped to it; nothing is cut.
pub(super) async fn clipped(tx: &TenantTx, service: ServiceId, from: DateTime<Utc>) -> Result<Vec<Fragment>> {
    let mut all = pieces(tx, service, None, from, None).await?;
    for piece in &mut all {
        piece.starts_at = piece.starts_at.max(from);
    }
    Ok(all)
}

/// Parts what a plan is charged for at an instant, so that what lies before it stays paid when something is due on what follows.
pub async fn part_at(tx: &TenantTx, service: ServiceId, at: DateTime<Utc>) -> Result<()> {
    cut(tx, service, Some(PLAN_CHARGE), at).await
}

/// The end of the last time that is charged nowhere and lies between what is; None when there is none.
pub async fn last_gap(tx: &TenantTx, service: ServiceId) -> Result<Option<DateTime<Utc>>> {
    tx.sql(
        "SELECT c.starts_at FROM (
             SELECT lower(period) AS starts_at, lag(upper(period)) OVER (ORDER BY lower(period)) AS ended_at
             FROM coverage WHERE service_id = $1 AND charge = $2
         ) AS c WHERE c.ended_at < c.starts_at ORDER BY c.starts_at DESC LIMIT 1",
    )
    .bind(service)
    .bind(PLAN_CHARGE)
    .scalar()
    .await
}

/// Until when the line charges for that instant by which a charge does, if it charged for the time before too.
pub async fn charged_through(
    tx: &TenantTx,
    service: ServiceId,
    charge: &str,
    at: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>> {
    tx.sql(
        "SELECT upper(later.period) FROM coverage c
         JOIN coverage later ON later.invoice_line_id = c.invoice_line_id AND later.charge = c.charge
         WHERE c.service_id = $1 AND c.charge = $2 AND c.period @> $3
             AND EXISTS (SELECT FROM coverage before WHERE before.invoice_line_id = c.invoice_line_id AND before.charge = c.charge
                 AND lower(before.period) < $3)
         ORDER BY upper(later.period) DESC LIMIT 1",
    )
    .bind(service)
    .bind(charge)
    .bind(at)
    .scalar()
    .await
}

async fn pieces(
    tx: &TenantTx,
    service: ServiceId,
    charge: Option<&str>,
    from: DateTime<Utc>,
    until: Option<DateTime<Utc>>,
) -> Result<Vec<Fragment>> {
    tx.sql(
        "SELECT c.id, c.charge, c.invoice_line_id, l.invoice_id, lower(c.period) AS starts_at, upper(c.period) AS ends_at,
             COALESCE(c.days, (l.explanation #>> '{line,charge,days,days}')::integer) AS spread, c.price
         FROM coverage c JOIN invoice_line l ON l.id = c.invoice_line_id
         WHERE c.service_id = $1 AND c.period && tstzrange($2, $3, '[)')
             AND ($4::text IS NULL OR c.charge = $4) ORDER BY lower(c.period), l.invoice_id, c.charge",
    )
    .bind(service)
    .bind(from)
    .bind(until)
    .bind(charge.map(str::to_owned))
    .all()
    .await
}

/// Cuts what covers the instant in two.
async fn cut(tx: &TenantTx, service: ServiceId, charge: Option<&str>, at: DateTime<Utc>) -> Result<()> {
    #[derive(FromQueryResult)]
    struct Row {
        id: Uuid,
        ends_at: DateTime<Utc>,
    }
    let rows: Vec<Row> = tx
        .sql(
            "SELECT id, upper(period) AS ends_at FROM coverage WHERE service_id = $1 AND lower(period) < $2 AND upper(period) > $2
                 AND ($3::text IS NULL OR charge = $3)",
        )
        .bind(service)
        .bind(at)
        .bind(charge.map(str::to_owned))
        .all()
        .await?;
    for row in rows {
        tx.sql("UPDATE coverage SET period = tstzrange(lower(period), $2, '[)') WHERE id = $1")
            .bind(row.id)
            .bind(at)
            .run()
            .await?;
        tx.sql(
            "INSERT INTO coverage (id, service_id, charge, period, invoice_line_id, days, price)
             SELECT $2, service_id, charge, tstzrange($3, $4, '[)'), invoice_line_id, days, price FROM coverage WHERE id = $1",
        )
        .bind(row.id)
        .bind(Uuid::now_v7())
        .bind(at)
        .bind(row.ends_at)
        .run()
        .await?;
    }
    Ok(())
}

/// The time of these pieces is not charged any more.
pub(super) async fn uncover(tx: &TenantTx, pieces: &[Uuid]) -> Result<()> {
    let gone = tx.sql("DELETE FROM coverage WHERE id = ANY($1)").bind(pieces.to_vec());
    gone.run().await.map(|_| ())
}

/// Those of the lines that charge no time any more.
pub(super) async fn lines_without(tx: &TenantTx, lines: &[InvoiceLineId]) -> Result<Vec<InvoiceLineId>> {
    tx.sql(
        "SELECT l.id FROM unnest($1::uuid[]) AS l(id) WHERE NOT EXISTS (SELECT FROM coverage c WHERE c.invoice_line_id = l.id)",
    )
    .bind(InvoiceLineId::array(lines))
    .scalars()
    .await
}

/// The days of a piece stand at another price from now on.
pub(super) async fn reprice(tx: &TenantTx, piece: Uuid, price: Money) -> Result<()> {
    tx.sql("UPDATE coverage SET price = $2 WHERE id = $1")
        .bind(piece)
        .bind(price.amount())
        .run()
        .await?;
    Ok(())
}

/// Lets the time that is charged from `from` on be given from the day `to` on, without the gaps that it has by now; the days
/// between are not charged. Local days keep their number, whatever the clocks do.
pub async fn shift_coverage(tx: &TenantTx, service: ServiceId, from: DateTime<Utc>, to: NaiveDate) -> Result<Shift> {
    let zone = Zone::from(tx.tenant().timezone());
    let pieces = cut_out(tx, service, from, None).await?;
    let days = pieces
        .iter()
        .map(|p| (zone.local_date(p.starts_at), zone.local_date(p.ends_at)));
    let shift = Shift::new(to, days);
    let later = |p: &&Fragment| shift.of(zone.local_date(p.starts_at)) >= zone.local_date(p.starts_at);
    // Each moves to where nothing is any more.
    let rightwards = pieces.iter().rev().filter(later);
    let leftwards = pieces.iter().filter(|p| !later(p));
    for piece in rightwards.chain(leftwards) {
        tx.sql("UPDATE coverage SET period = tstzrange($2, $3, '[)') WHERE id = $1")
            .bind(piece.id)
            .bind(zone.start_of_day(shift.of(zone.local_date(piece.starts_at))))
            .bind(zone.start_of_day(shift.of(zone.local_date(piece.ends_at))))
            .run()
            .await?;
    }
    Ok(shift)
}

/// Where charged days come to lie that are given one after the other from another day on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shift {
    to: NaiveDate,
    /// Half-open, in their order, apart from one another.
    charged: Vec<(NaiveDate, NaiveDate)>,
}

impl Shift {
    fn new(to: NaiveDate, pieces: impl Iterator<Item = (NaiveDate, NaiveDate)>) -> Self {
        let mut charged: Vec<(NaiveDate, NaiveDate)> = Vec::new();
        for (first, end) in pieces {
            match charged.last_mut() {
                Some(last) if first <= last.1 => last.1 = last.1.max(end),
                _ => charged.push((first, end)),
            }
        }
        Self { to, charged }
    }

    /// Where the beginning of that day comes to lie: after as many days as were charged before it.
    pub fn of(&self, day: NaiveDate) -> NaiveDate {
        let before = |&(first, end): &(NaiveDate, NaiveDate)| days_between(first, end.min(day)).max(0);
        let days = self.charged.iter().map(before).sum::<i64>();
        self.to.checked_add_signed(TimeDelta::days(days)).unwrap_or(NaiveDate::MAX)
    }
}

/// The first invoice that charged for the service.
pub async fn first_invoice_of(tx: &TenantTx, service: ServiceId) -> Result<Option<InvoiceId>> {
    tx.sql("SELECT invoice_id FROM invoice_line WHERE service_id = $1 ORDER BY id LIMIT 1")
        .bind(service)
        .scalar()
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 3, day).unwrap()
    }

    #[test]
    fn charged_days_follow_one_another_whatever_gaps_they_had() {
        // A line and the difference of a dearer plan over the same days; then a week that was shifted away before.
        let pieces = [(2, 8), (4, 8), (15, 20)].map(|(first, end)| (day(first), day(end)));
        let shift = Shift::new(day(10), pieces.into_iter());
        for (was, is) in [(2, 10), (4, 12), (8, 16), (12, 16), (15, 16), (20, 21), (25, 21)] {
            assert_eq!(shift.of(day(was)), day(is), "{was}");
        }
        assert_eq!(Shift::new(day(10), std::iter::empty()).of(day(20)), day(10));
    }
}
