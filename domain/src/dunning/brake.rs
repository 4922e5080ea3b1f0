//! Runs that were stopped. The settings' row is locked before any of these, so that two who decide take turns.

use chrono::{DateTime, Days, NaiveDate, Utc};
use sea_orm::FromQueryResult;

use super::entity::{Brake, BrakeReason};
use super::events::{DunningBrakeEnded, DunningBraked};
use super::rules::{self, Prospect};
use super::settings;
use crate::kernel::Permission;
use crate::kernel::calendar::Zone;
use crate::kernel::check::Checks;
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, Result};
use crate::kernel::ids::BrakeId;
use crate::kernel::page::{Page, PageRequest};

macro_rules! select {
    ($tail:literal) => {
        concat!(
            "SELECT b.id, b.reasons, b.suspensions, b.subscribers, b.terminations, b.of_subscribers,
                 b.unmatched, b.first_on, b.last_on, b.until, b.braked_at, b.ended_at, b.released_on, b.release_reason
             FROM dunning_brake b ",
            $tail
        )
    };
}

#[derive(FromQueryResult)]
struct Row {
    id: BrakeId,
    reasons: Vec<String>,
    suspensions: i32,
    subscribers: i32,
    terminations: i32,
    of_subscribers: i32,
    unmatched: i32,
    first_on: NaiveDate,
    last_on: NaiveDate,
    until: DateTime<Utc>,
    braked_at: DateTime<Utc>,
    ended_at: Option<DateTime<Utc>>,
    released_on: Option<NaiveDate>,
    release_reason: Option<String>,
}

impl TryFrom<Row> for Brake {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let reasons = row.reasons.iter().map(|r| r.parse().map_err(Error::internal));
        Ok(Self {
            id: row.id,
            reasons: reasons.collect::<Result<Vec<BrakeReason>>>()?,
            suspensions: row.suspensions,
            subscribers: row.subscribers,
            terminations: row.terminations,
            of_subscribers: row.of_subscribers,
            unmatched: row.unmatched,
            first_on: row.first_on,
            last_on: row.last_on,
            until: row.until,
            braked_at: row.braked_at,
            ended_at: row.ended_at,
            released_on: row.released_on,
            release_reason: row.release_reason,
        })
    }
}

/// What a run would do that is about to begin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outlook {
    /// Services that it would switch off, and whose subscribers.
    pub suspensions: u32,
    pub subscribers: u32,
    pub terminations: u32,
    pub of_subscribers: u32,
    pub unmatched: u32,
    pub on_hold: bool,
}

impl Outlook {
    /// As the rules look at it.
    pub fn prospect(&self) -> Prospect {
        Prospect {
            subscribers: self.subscribers,
            cuts: self.suspensions + self.terminations,
            of_subscribers: self.of_subscribers,
            unmatched: self.unmatched,
            on_hold: self.on_hold,
        }
    }
}

/// The stops, newest first.
pub async fn brakes(tx: &TenantTx, page: PageRequest<BrakeId>) -> Result<Page<Brake>> {
    tx.require(Permission::InvoiceRead)?;
    let rows: Vec<Row> = tx
        .sql(select!("WHERE ($1::uuid IS NULL OR b.id < $1) ORDER BY b.id DESC LIMIT $2"))
        .bind(page.after)
        .bind(page.limit() as i64)
        .all()
        .await?;
    let rows = rows.into_iter().map(TryInto::try_into).collect::<Result<Vec<_>>>()?;
    Ok(Page::from_rows(&page, rows))
}

/// How many runs were stopped.
pub async fn count_brakes(tx: &TenantTx) -> Result<i64> {
    tx.require(Permission::InvoiceRead)?;
    Ok(tx.sql("SELECT count(*) FROM dunning_brake").scalar().await?.unwrap_or(0))
}

/// A stop that must exist.
pub async fn brake_by_id(tx: &TenantTx, id: BrakeId) -> Result<Brake> {
    let found: Option<Row> = tx.sql(select!("WHERE b.id = $1")).bind(id).optional().await?;
    found.ok_or_else(|| Error::not_found("id"))?.try_into()
}

async fn open(tx: &TenantTx) -> Result<Option<Brake>> {
    settings::lock(tx).await?;
    let found: Option<Row> = tx.sql(select!("WHERE b.ended_at IS NULL FOR UPDATE")).optional().await?;
    found.map(TryInto::try_into).transpose()
}

/// How many cuts staff have looked at and released today.
async fn released_today(tx: &TenantTx) -> Result<Option<i32>> {
    tx.sql(
        "SELECT suspensions + terminations FROM dunning_brake WHERE released_on = $1
         ORDER BY suspensions + terminations DESC LIMIT 1",
    )
    .bind(tx.today())
    .scalar()
    .await
}

/// Stops the run that is about to begin, keeps one stopped, or lets it go on, as the rules say. What staff released today is
/// not stopped again before tomorrow, unless it would cut more than they looked at.
pub async fn keep_or_lift(tx: &TenantTx, outlook: &Outlook) -> Result<Option<Brake>> {
    let open = open(tx).await?;
    let cuts = i32::try_from(outlook.prospect().cuts).unwrap_or(i32::MAX);
    if open.is_none() && released_today(tx).await?.is_some_and(|released| cuts <= released) {
        return Ok(None);
    }
    let settings = settings(tx).await?;
    let reasons = rules::reasons(&settings.brake, &outlook.prospect());
    match (open, reasons.is_empty()) {
        (None, true) => Ok(None),
        (Some(brake), true) => {
            end_brake(tx, brake.id).await?;
            Ok(None)
        }
        (open, false) => {
            let id = open.as_ref().map_or_else(BrakeId::new, |b| b.id);
            write(tx, id, outlook, &reasons).await?;
            if open.is_none_or(|b| b.reasons != reasons) {
                tx.emit(&DunningBraked { brake_id: id, reasons }).await?;
            }
            brake_by_id(tx, id).await.map(Some)
        }
    }
}

/// Until the end of tomorrow: by then another run has looked again, and an ISP whose runs do not run is not served for nothing.
async fn write(tx: &TenantTx, id: BrakeId, outlook: &Outlook, reasons: &[BrakeReason]) -> Result<()> {
    let after = tx.today().checked_add_days(Days::new(2)).unwrap_or(NaiveDate::MAX);
    let until = Zone::from(tx.tenant().timezone()).start_of_day(after);
    let count = |n: u32| i32::try_from(n).unwrap_or(i32::MAX);
    tx.sql(
        "INSERT INTO dunning_brake (id, reasons, suspensions, subscribers, terminations, of_subscribers, unmatched, first_on,
             last_on, until, braked_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, $9, $10)
         ON CONFLICT (id) DO UPDATE SET reasons = EXCLUDED.reasons, suspensions = EXCLUDED.suspensions,
             subscribers = EXCLUDED.subscribers, terminations = EXCLUDED.terminations,
             of_subscribers = EXCLUDED.of_subscribers, unmatched = EXCLUDED.unmatched, last_on = EXCLUDED.last_on,
             until = EXCLUDED.until",
    )
    .bind(id)
    .bind(reasons.iter().map(ToString::to_string).collect::<Vec<String>>())
    .bind(count(outlook.suspensions))
    .bind(count(outlook.subscribers))
    .bind(count(outlook.terminations))
    .bind(count(outlook.of_subscribers))
    .bind(count(outlook.unmatched))
    .bind(tx.today())
    .bind(until)
    .bind(tx.now())
    .run()
    .await?;
    Ok(())
}

/// It has no reason any more.
pub async fn end_brake(tx: &TenantTx, id: BrakeId) -> Result<()> {
    tx.sql("UPDATE dunning_brake SET ended_at = $2 WHERE id = $1 AND ended_at IS NULL")
        .bind(id)
        .bind(tx.now())
        .run()
        .await?;
    tx.emit(&DunningBrakeEnded {
        brake_id: id,
        released: false,
    })
    .await
}

/// Staff have looked, and let today's run do what it would. Answers false when it was released before.
pub async fn release(tx: &TenantTx, id: BrakeId, reason: &str) -> Result<bool> {
    tx.require(Permission::DunningWrite)?;
    let mut checks = Checks::new();
    let reason = checks.line(reason, 200, "reason");
    checks.done()?;
    let open = open(tx).await?;
    if open.is_none_or(|b| b.id != id) {
        let known = brake_by_id(tx, id).await?;
        return match known.released_on {
            Some(_) => Ok(false),
            None => Err(Error::state("id", "The run is not stopped any more.")),
        };
    }
    tx.sql("UPDATE dunning_brake SET ended_at = $2, released_on = $3, release_reason = $4 WHERE id = $1")
        .bind(id)
        .bind(tx.now())
        .bind(tx.today())
        .bind(reason.clone())
        .run()
        .await?;
    tx.audit("dunningBrakeRelease", id.0, serde_json::json!({ "reason": reason }))
        .await?;
    tx.emit(&DunningBrakeEnded {
        brake_id: id,
        released: true,
    })
    .await?;
    Ok(true)
}
