//! The daily run of one ISP: services begin on their day, are charged for their next period, run out, or are blocked for
//! what they owe. Each service has a transaction of its own, so that one that fails holds nobody up.

use chrono::{DateTime, Days, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use super::charge::RefreshService;
use super::held::{Held, same_periods};
use super::settle::{BeginAgain, refresh};
use crate::billing;
use crate::kernel::db::{TenantDb, TenantTx};
use crate::kernel::error::{Error, Result};
use crate::kernel::event::Job;
use crate::kernel::ids::ServiceId;
use crate::plans::{BillIn, Plan};
use crate::services;

/// Asks for the daily run of a date on the ISP's calendar, or for a part of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RenewDue {
    pub date: NaiveDate,
    /// Where it goes on; None: it begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Place>,
}

/// How far a run has come, in the order of services' ids: it visits those whose own dates ask for something, then those that
/// owe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Place {
    Due(Option<ServiceId>),
    Owing(Option<ServiceId>),
}

impl Job for RenewDue {
    const KIND: &'static str = "billing.renew";

    fn dedup_key(&self) -> Option<String> {
        let date = self.date;
        Some(match self.from {
            None => date.to_string(),
            Some(Place::Due(after)) => format!("{date} due {}", after.map(|id| id.0).unwrap_or_default()),
            Some(Place::Owing(after)) => format!("{date} owing {}", after.map(|id| id.0).unwrap_or_default()),
        })
    }
}

/// Looks at every service that is not over again: until when they are on has changed for all of them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RefreshServices {
    /// Of the settings that changed it.
    pub version: i32,
}

impl Job for RefreshServices {
    const KIND: &'static str = "service.refreshAll";

    fn dedup_key(&self) -> Option<String> {
        Some(self.version.to_string())
    }
}

/// What a part of a run did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    pub considered: u32,
    pub invoices: u32,
    /// Services that could not be brought up to date, and why; the others were.
    pub failures: Vec<(ServiceId, String)>,
}

/// Services that one job visits of each kind: few, for a part whose workers are killed more than ten times is parked.
const BATCH: usize = 25;

/// Does the part of a run that the job names, of what is due by its date, which is not later than today, and asks for the next
/// part. Doing it again changes nothing. A worker that dies has its part repeated, not the run: that comes to its end however
/// often workers die, and other ISPs' jobs have their turns between its parts.
pub async fn run(db: &TenantDb, job: RenewDue) -> Result<Summary> {
    let date = job.date;
    let mut summary = Summary::default();
    let mut place = job.from.unwrap_or(Place::Due(None));
    loop {
        let services = db.read(async move |tx| batch(tx, date.min(tx.today()), place).await).await?;
        let last = services.last().copied();
        let full = services.len() == BATCH;
        visit(db, services, date, &mut summary).await?;
        place = match (place, full) {
            (Place::Due(_), true) => Place::Due(last),
            (Place::Due(_), false) => Place::Owing(None),
            (Place::Owing(_), true) => Place::Owing(last),
            (Place::Owing(_), false) => return Ok(summary),
        };
        if full {
            let next = RenewDue { date, from: Some(place) };
            db.write(async move |tx| tx.enqueue(&next, tx.now()).await).await?;
            return Ok(summary);
        }
    }
}

async fn batch(tx: &TenantTx, date: NaiveDate, place: Place) -> Result<Vec<ServiceId>> {
    let limit = i64::try_from(BATCH).map_err(Error::internal)?;
    match place {
        Place::Due(after) => services::due(tx, date, tx.now(), blocked_before(tx).await?, after, limit).await,
        Place::Owing(after) => billing::owing_services(tx, date, after, limit).await,
    }
}

async fn visit(db: &TenantDb, services: Vec<ServiceId>, date: NaiveDate, summary: &mut Summary) -> Result<()> {
    for id in services {
        summary.considered += 1;
        match db.write(async move |tx| renew(tx, id, date.min(tx.today())).await).await {
            Ok(invoices) => summary.invoices += invoices,
            // Nothing is wrong with the service: the run is repeated as a whole.
            Err(e @ Error::Unavailable(_)) => return Err(e),
            Err(e) => {
                tracing::warn!(service = %id, error = e.summary(), "a service could not be renewed");
                summary.failures.push((id, e.summary()));
            }
        }
    }
    Ok(())
}

/// Brings one service up to the date; answers how many invoices that took.
async fn renew(tx: &TenantTx, id: ServiceId, date: NaiveDate) -> Result<u32> {
    let Some(mut held) = Held::lock(tx, id).await? else {
        return Ok(0);
    };
    held.start_if_due(tx.now());
    let invoices = held.charge_due(tx, date).await?;
    held.enter_period(tx).await?;
    held.settle(tx, false).await?;
    if let Some((day, reason)) = held.end_due(tx, date) {
        held.end(tx, day, reason).await?;
    }
    held.keep(tx, None).await?;
    Ok(invoices)
}

/// Since when a service must have been blocked to be over now.
async fn blocked_before(tx: &TenantTx) -> Result<Option<DateTime<Utc>>> {
    let days = billing::settings(tx).await?.settings.terminate_after_days;
    Ok(days.and_then(|days| tx.now().checked_sub_days(Days::new(u64::from(days)))))
}

impl Held {
    /// Charges what is due by that day; answers how many invoices that took.
    pub(super) async fn charge_due(&mut self, tx: &TenantTx, date: NaiveDate) -> Result<u32> {
        let mut invoices = 0;
        while self.service.next_billing_on.is_some_and(|on| on <= date) && self.charge_next(tx).await? {
            invoices += 1;
        }
        Ok(invoices)
    }

    /// Charges what is due next, as of the day on which it fell due: a run that comes late charges what it would have
    /// charged in time, and not what a service used that would have been off by then.
    async fn charge_next(&mut self, tx: &TenantTx) -> Result<bool> {
        let plan = self.next_plan(tx, self.charged_until()?).await?;
        if self.plan.bill_in == BillIn::Arrears {
            return self.charge_used(tx, plan).await;
        }
        let Some(on) = self.service.next_billing_on.filter(|_| self.service.state.is_on()) else {
            return Ok(false);
        };
        let as_of = self.zone(tx).start_of_day(on);
        if !self.facts(tx).await?.renews(as_of) {
            return Ok(false);
        }
        if plan.bill_in == BillIn::Arrears {
            // Not before the period that is charged has ended.
            let from = self.service.pending_change.map(|p| p.effective_on);
            if from.is_some_and(|from| tx.today() < from) {
                self.service.next_billing_on = from;
                return Ok(false);
            }
            self.set_plan(plan);
            self.use_on_credit(tx).await?;
            return Ok(false);
        }
        let only_if_covered = self.renews_when_covered();
        Ok(self.charge_in_advance(tx, &plan, only_if_covered).await?.is_some())
    }

    /// Charges the period that was used, and goes on under the plan that follows.
    async fn charge_used(&mut self, tx: &TenantTx, next: Plan) -> Result<bool> {
        if next.id == self.plan.id || !self.service.state.is_on() {
            return self.charge_in_arrears(tx).await;
        }
        let end = self.next_charge(tx, &self.plan)?.map(|c| c.period.end());
        if let Some(end) = end {
            self.charge_used_until(tx, end).await?;
            if !same_periods(&self.plan, &next) {
                self.service.anchor_at = Some(end);
            }
        }
        self.set_plan(next.clone());
        match next.bill_in {
            BillIn::Arrears => self.use_on_credit(tx).await?,
            BillIn::Advance => {
                let only_if_covered = self.renews_when_covered();
                let charged = self.charge_in_advance(tx, &next, only_if_covered).await?;
                if charged.is_some() {
                    self.service.period_starts_at = end.or(self.service.period_starts_at);
                    self.service.period_ends_at = self.service.billed_until;
                }
            }
        }
        Ok(true)
    }
}

/// Looks at one service again; see [`RefreshService`].
pub async fn refresh_service(db: &TenantDb, job: RefreshService) -> Result<()> {
    db.write(async move |tx| refresh(tx, job.service_id, BeginAgain::IfCovered).await)
        .await
}

/// Carries out [`RefreshServices`].
pub async fn refresh_services(db: &TenantDb, _job: RefreshServices) -> Result<()> {
    let mut after = None;
    loop {
        let some = db.read(async move |tx| services::begun(tx, after, 500).await).await?;
        for id in some.iter().copied() {
            db.write(async move |tx| look_again(tx, id).await).await?;
        }
        after = some.last().copied();
        if after.is_none() {
            return Ok(());
        }
    }
}

async fn look_again(tx: &TenantTx, id: ServiceId) -> Result<()> {
    let Some(mut held) = Held::lock(tx, id).await? else {
        return Ok(());
    };
    held.settle(tx, false).await?;
    held.keep(tx, None).await?;
    Ok(())
}
