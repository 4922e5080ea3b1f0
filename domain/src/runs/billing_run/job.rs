//! A run is a chain of jobs: a worker that dies has its part repeated, not the run, which comes to its end however often
//! workers die; and other ISPs' jobs have their turns between its parts.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;
use tracing::Instrument as _;

use super::entity::{BillingRun, OperationStatus};
use super::record::{self, Seen};
use super::{open, queries};
use crate::billing;
use crate::dunning::Kept;
use crate::kernel::db::{TenantDb, TenantTx};
use crate::kernel::error::{Error, Result, UserError};
use crate::kernel::event::Job;
use crate::kernel::ids::{BillingRunId, ServiceId};
use crate::runs::brake::{self, Asked};
use crate::runs::hour::{self, Turn};
use crate::runs::renewal::{self, Lap, Purpose};
use crate::runs::selection::{self, Place};

/// Asks for the daily run of a date on the ISP's calendar.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RenewDue {
    pub date: NaiveDate,
    /// See [`RunPart`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub together: Option<u16>,
    /// It was put off until this hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hour: Option<u32>,
}

impl Job for RenewDue {
    const KIND: &'static str = "billing.renew";

    fn dedup_key(&self) -> Option<String> {
        Some(hour::key(self.date, self.hour))
    }
}

/// Asks for a part of a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunPart {
    pub run: BillingRunId,
    pub from: Place,
    /// How many services share a transaction: as many as is best, unless a test says otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub together: Option<u16>,
    /// When a part of the run before this one asked the brake.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Asked>,
}

impl Job for RunPart {
    const KIND: &'static str = "billing.run";

    fn dedup_key(&self) -> Option<String> {
        let run = self.run;
        Some(match self.from {
            Place::Charging(None) => format!("{run}"),
            Place::Charging(Some(after)) => format!("{run} after {} {}", after.next_billing_on, after.id.0),
            Place::Others(after) => format!("{run} others {}", after.map(|id| id.0).unwrap_or_default()),
        })
    }
}

/// Services that share a transaction. They are locked for as long as that takes, and the numbers for the last part of it: an
/// interactive invoice waits for two of them at most, about a quarter of a second.
const TOGETHER: u16 = 500;
/// Transactions of a part: a job of about a second. Then other ISPs' jobs have their turns.
const TRANSACTIONS: u16 = 8;
/// How many of them are on their way at once: one is read and decided on while another is written.
pub const LANES: usize = 2;

/// Opens the daily run of a date at the ISP's hour, whatever has become due since the last one.
pub async fn renew_due(db: &TenantDb, job: RenewDue) -> Result<()> {
    db.write(async move |tx| {
        billing::adopt_newer_rules(tx).await?;
        match hour::turn(tx, job.date, job.hour).await? {
            Turn::Now => open(tx, job.date.min(tx.today()), false, job.together).await.map(|_| ()),
            Turn::Later(hour, at) => {
                let hour = Some(hour);
                tx.enqueue(&RenewDue { hour, ..job }, at).await
            }
            Turn::Never => Ok(()),
        }
    })
    .await
}

/// Does a part of a run, and asks for the next one. Doing it again changes nothing.
pub async fn run_part(db: &TenantDb, job: RunPart) -> Result<()> {
    let id = job.run;
    let Some(run) = db.read(async move |tx| queries::find_unchecked(tx, id).await).await? else {
        return Ok(());
    };
    if !goes_on(db, &run).await? {
        return Ok(());
    }
    if db.tenant().ensure_open().is_err() {
        return db.write_last(async move |tx| break_off(tx, &run).await).await;
    }
    let asked = ask_brake(db, &run, job.asked).await?;
    let look = run.dry_run.then_some(asked.kept);
    let together = job.together.unwrap_or(TOGETHER).clamp(1, TOGETHER);
    let (mut place, mut seen) = (job.from, Seen::default());
    loop {
        let (batches, next) = next_batches(db, &run, place, together).await?;
        seen.add(visit_all(db, &run, look, batches).await?);
        if let Some(from) = next {
            let ask = async move |tx: &TenantTx| {
                record::got_on(tx, run.id, seen).await?;
                let asked = Some(asked);
                tx.enqueue(
                    &RunPart {
                        from,
                        asked,
                        ..job.clone()
                    },
                    tx.now(),
                )
                .await
            };
            return db.write_last(ask).await;
        }
        match place.beyond() {
            Some(beyond) => place = beyond,
            None => break,
        }
    }
    let finish = async move |tx: &TenantTx| {
        record::got_on(tx, run.id, seen).await?;
        record::finish(tx, &run).await
    };
    db.write_last(finish).await
}

/// Asks the brake, unless a part of the run has today: what goes on after days may cut others than it would have.
async fn ask_brake(db: &TenantDb, run: &BillingRun, before: Option<Asked>) -> Result<Asked> {
    let today = db.read(async move |tx| Ok(tx.today())).await?;
    match before.filter(|asked| asked.on == today) {
        Some(asked) => Ok(asked),
        None if run.dry_run => brake::before_looking(db).await,
        None => brake::before_cutting(db).await,
    }
}

/// The platform has closed the ISP: nothing is charged and nobody is cut. Another run takes it up in the next hour in which it
/// is open, or the next day's.
async fn break_off(tx: &TenantTx, run: &BillingRun) -> Result<()> {
    record::cancel(tx, run.id).await?;
    let today = tx.today();
    match hour::next(tx, today).filter(|_| !run.dry_run) {
        Some((hour, at)) => {
            let again = RenewDue {
                date: today,
                together: None,
                hour: Some(hour),
            };
            tx.enqueue(&again, at).await
        }
        None => Ok(()),
    }
}

/// The services of a part, as they share transactions, and the place behind them if there may be more.
async fn next_batches(
    db: &TenantDb,
    run: &BillingRun,
    place: Place,
    together: u16,
) -> Result<(Vec<Vec<ServiceId>>, Option<Place>)> {
    let (date, dry_run) = (run.billing_date, run.dry_run);
    db.read(async move |tx| {
        let settings = billing::settings(tx).await?.settings;
        let (date, limit) = (date.min(tx.today()), together * TRANSACTIONS);
        let (services, next) = selection::services(tx, date, &settings, place, limit).await?;
        let next = (services.len() == usize::from(limit)).then_some(next);
        let bundles = match place {
            Place::Charging(after) => selection::of_payers(tx, date, after, &services).await?,
            Place::Others(_) => Vec::new(),
        };
        let batches = selection::batches(&services, bundles, dry_run, usize::from(together));
        Ok((batches, next))
    })
    .await
}

/// Brings batches of services up to the run's date, [`LANES`] at a time.
async fn visit_all(db: &TenantDb, run: &BillingRun, look: Option<Kept>, batches: Vec<Vec<ServiceId>>) -> Result<Seen> {
    let (mut seen, mut lanes, mut batches) = (Seen::default(), JoinSet::new(), batches.into_iter());
    loop {
        while lanes.len() < LANES
            && let Some(batch) = batches.next()
        {
            let (db, run) = (db.clone(), run.clone());
            lanes.spawn(async move { visit(&db, &run, look, batch).await }.in_current_span());
        }
        match lanes.join_next().await {
            Some(done) => seen.add(done.map_err(Error::internal)??),
            None => return Ok(seen),
        }
    }
}

async fn goes_on(db: &TenantDb, run: &BillingRun) -> Result<bool> {
    match run.status {
        OperationStatus::Running => Ok(true),
        OperationStatus::Succeeded | OperationStatus::Cancelled => Ok(false),
        OperationStatus::Queued | OperationStatus::Failed => {
            let run = run.clone();
            db.write(async move |tx| record::begin(tx, &run).await).await
        }
    }
}

/// Brings services up to the run's date: all in one transaction but those that cannot share it. `look`: only to see what would
/// be, with whom brake and holds would keep on.
async fn visit(db: &TenantDb, run: &BillingRun, look: Option<Kept>, services: Vec<ServiceId>) -> Result<Seen> {
    let (mut seen, aside) = match all_together(db, run, look, services.clone()).await {
        Ok(done) => done,
        // Nothing is wrong with the services: the part is repeated as a whole.
        Err(e @ Error::Unavailable(_)) => return Err(e),
        Err(e) => {
            let tenant = db.tenant().slug();
            tracing::info!(tenant, reason = e.summary(), "services are brought up to date one by one");
            (Seen::default(), services)
        }
    };
    for service in aside {
        match one_alone(db, run, look, service).await {
            Ok(one) => seen.add(one),
            Err(e @ Error::Unavailable(_)) => return Err(e),
            Err(e) => park(db, run, service, &e).await?,
        }
    }
    Ok(seen)
}

/// Answers those that have to be looked at alone as well.
async fn all_together(
    db: &TenantDb,
    run: &BillingRun,
    look: Option<Kept>,
    services: Vec<ServiceId>,
) -> Result<(Seen, Vec<ServiceId>)> {
    let (id, date) = (run.id, run.billing_date);
    if let Some(kept) = look {
        let work = async move |tx: &TenantTx| renewal::together(tx, &services, date.min(tx.today()), Purpose::Look(kept)).await;
        let done = db.rehearse(work).await?;
        return Ok((Seen::of(done.services.len(), done.issued), done.aside));
    }
    let lap = Lap::default();
    let done = db
        .write(async move |tx| {
            let done = renewal::together(tx, &services, date.min(tx.today()), Purpose::Write).await?;
            record::visited(tx, id, &done.services, done.changed, done.issued).await?;
            Ok(done)
        })
        .await?;
    lap.rest("commit", done.took);
    Ok((Seen::unchanged(done.services.len() - done.changed), done.aside))
}

async fn one_alone(db: &TenantDb, run: &BillingRun, look: Option<Kept>, service: ServiceId) -> Result<Seen> {
    let (id, date) = (run.id, run.billing_date);
    if let Some(kept) = look {
        let work = async move |tx: &TenantTx| renewal::alone(tx, service, date.min(tx.today()), Purpose::Look(kept)).await;
        let (_, issued) = db.rehearse(work).await?;
        return Ok(Seen::of(1, issued));
    }
    db.write(async move |tx| {
        let (changed, issued) = renewal::alone(tx, service, date.min(tx.today()), Purpose::Write).await?;
        record::visited(tx, id, &[service], usize::from(changed), issued).await?;
        Ok(Seen::unchanged(usize::from(!changed)))
    })
    .await
}

/// Names a service in the run that could not be brought up to date.
async fn park(db: &TenantDb, run: &BillingRun, service: ServiceId, e: &Error) -> Result<()> {
    let (code, message) = told(db, service, e);
    let run = run.clone();
    db.write(async move |tx| record::failed(tx, &run, service, &code, &message).await)
        .await
}

/// Names a service in the last run that could not be brought in line with what was paid, or with other settings, since; the
/// next run looks at it.
pub(in crate::runs) async fn name_failure(db: &TenantDb, service: ServiceId, e: &Error) -> Result<()> {
    let (code, message) = told(db, service, e);
    db.write(async move |tx| record::failed_since(tx, service, &code, &message).await)
        .await
}

/// The code and the message of a failure.
fn told(db: &TenantDb, service: ServiceId, e: &Error) -> (String, String) {
    tracing::warn!(tenant = db.tenant().slug(), %service, error = e.summary(), "a service could not be renewed");
    let known = match e {
        Error::User(errors) => errors.first(),
        _ => None,
    };
    match known {
        Some(UserError { code, message, .. }) => (code.to_string(), message.clone()),
        None => {
            let message = "Something is wrong that only the platform's staff can mend; its log names the service.";
            ("INTERNAL".to_owned(), message.to_owned())
        }
    }
}
