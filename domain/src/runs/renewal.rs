//! Bringing services up to a date: they begin on their day, are charged for their next period, run out, or are blocked for what
//! they owe.

use chrono::{NaiveDate, TimeDelta};
use serde::{Deserialize, Serialize};
use tokio::time::{Duration, Instant};

use super::charge::RefreshService;
use super::desk::Desk;
use super::each::each;
use super::held::{Held, Tally};
use super::settle::{BeginAgain, refresh};
use crate::billing::rules::BillingSettings;
use crate::dunning::Kept;
use crate::kernel::db::{TenantDb, TenantTx};
use crate::kernel::error::Result;
use crate::kernel::event::Job;
use crate::kernel::ids::ServiceId;
use crate::services;

/// Looks at every service that is not over again: until when they are on has changed for all of them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RefreshServices {
    /// Of the settings that changed it.
    pub version: i32,
    /// For how many hours it has waited for the platform to open the ISP again.
    #[serde(default)]
    pub waited: u32,
}

impl Job for RefreshServices {
    const KIND: &'static str = "service.refreshAll";

    fn dedup_key(&self) -> Option<String> {
        match self.waited {
            0 => Some(self.version.to_string()),
            hours => Some(format!("{} after {hours} hours", self.version)),
        }
    }
}

/// Whether what was decided on is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Write,
    /// To see what would be, with whom brake and holds would keep on.
    Look(Kept),
}

impl Purpose {
    fn settings(self, settings: BillingSettings) -> BillingSettings {
        match self {
            Self::Write => settings,
            Self::Look(kept) => BillingSettings {
                cut_nobody_before: kept.cut_nobody_before,
                expire_nobody_before: kept.expire_nobody_before,
                ..settings
            },
        }
    }
}

/// What was done to services together, and which of them have to be looked at alone.
#[derive(Default)]
pub(super) struct Done {
    pub issued: Tally,
    pub services: Vec<ServiceId>,
    /// How many of these are not as they were.
    pub changed: usize,
    pub aside: Vec<ServiceId>,
    /// For how long it was read, decided on and written.
    pub took: Duration,
}

/// Brings services up to the date in one transaction, with as many statements for many as for one. Nothing is written before
/// all have been decided on, so that one that cannot be decided on, or needs statements of its own, is left out.
pub(super) async fn together(tx: &TenantTx, ids: &[ServiceId], date: NaiveDate, purpose: Purpose) -> Result<Done> {
    let mut lap = Lap::default();
    let (mut desk, services) = Desk::together(tx, ids).await?;
    lap.end("read");
    let settings = purpose.settings(desk.settings(tx).await?);
    let (mut done, mut changed) = (Done::default(), Vec::with_capacity(services.len()));
    for service in services {
        let (id, mark) = (service.id, desk.mark(service.id));
        let plan = desk.version(tx, service.plan_version_id).await?;
        let mut held = Held::at(desk, service, plan, settings.clone());
        let outcome = held.bring_up_to(tx, date).await;
        desk = held.swap_desk(Desk::Alone);
        match outcome {
            Ok(()) => {
                done.services.push(id);
                changed.push(held);
            }
            Err(e) if e.ends_transaction() => return Err(e),
            Err(_) => {
                desk.rewind(id, mark)?;
                done.aside.push(id);
            }
        }
    }
    done.issued = desk.consolidate(tx)?;
    done.changed = changed.iter().filter(|held| held.has_changed()).count();
    lap.end("decide");
    if purpose == Purpose::Write {
        Held::keep_all(tx, &changed).await?;
        desk.close(tx).await?;
        lap.end("write");
        metrics::counter!("trunkline_billing_invoices_total").increment(u64::from(done.issued.invoices));
    }
    done.took = lap.until_now();
    Ok(done)
}

/// How long what is done to services together takes, by its phases, which follow on each other.
pub(super) struct Lap {
    begun: Instant,
    last: Instant,
}

impl Default for Lap {
    fn default() -> Self {
        let now = Instant::now();
        Self { begun: now, last: now }
    }
}

impl Lap {
    fn end(&mut self, phase: &'static str) {
        let last = std::mem::replace(&mut self.last, Instant::now());
        phase_took(phase, self.last - last);
    }

    /// Ends the last of the phases, which is all that the others, whose time is given, have left.
    pub(super) fn rest(self, phase: &'static str, others: Duration) {
        phase_took(phase, self.begun.elapsed().saturating_sub(others));
    }

    fn until_now(&self) -> Duration {
        self.begun.elapsed()
    }
}

fn phase_took(phase: &'static str, took: Duration) {
    metrics::histogram!("trunkline_billing_batch_seconds", "phase" => phase).record(took);
}

/// Brings one service up to the date; whether that has changed it, and what was issued.
pub(super) async fn alone(tx: &TenantTx, id: ServiceId, date: NaiveDate, purpose: Purpose) -> Result<(bool, Tally)> {
    let Some(mut held) = Held::lock(tx, id).await? else {
        return Ok((false, Tally::default()));
    };
    held.settings = purpose.settings(held.settings);
    held.bring_up_to(tx, date).await?;
    let (changed, issued) = (held.has_changed(), held.issued);
    held.keep(tx, None).await?;
    Ok((changed, issued))
}

/// Looks at one service again; see [`RefreshService`]. Of an ISP that the platform has closed nothing is charged: it is looked at
/// when that is open again.
pub async fn refresh_service(db: &TenantDb, job: RefreshService) -> Result<()> {
    if db.tenant().ensure_open().is_err() {
        let (service_id, at) = (job.service_id, job.at + TimeDelta::hours(1));
        return db
            .write_last(async move |tx| {
                let again = RefreshService { service_id, at };
                tx.enqueue(&again, again.at.max(tx.now() + TimeDelta::hours(1))).await
            })
            .await;
    }
    db.write(async move |tx| refresh(tx, job.service_id, BeginAgain::IfCovered).await)
        .await
}

/// Carries out [`RefreshServices`].
pub async fn refresh_services(db: &TenantDb, job: RefreshServices) -> Result<()> {
    if db.tenant().ensure_open().is_err() {
        let waited = job.waited + 1;
        let later = RefreshServices { waited, ..job };
        return db
            .write_last(async move |tx| tx.enqueue(&later, tx.now() + TimeDelta::hours(1)).await)
            .await;
    }
    super::brake::before_cutting(db).await?;
    let mut after = None;
    loop {
        let some = db.read(async move |tx| services::begun(tx, after, 500).await).await?;
        each(db, &some, |tx, id| Box::pin(look_again(tx, id))).await?;
        after = some.last().copied();
        if after.is_none() {
            return Ok(());
        }
    }
}

pub(super) async fn look_again(tx: &TenantTx, id: ServiceId) -> Result<()> {
    let Some(mut held) = Held::lock(tx, id).await? else {
        return Ok(());
    };
    held.settle(tx, false).await?;
    held.keep(tx, None).await?;
    Ok(())
}
