use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;

use super::charge::RefreshService;
use super::desk::Desk;
use super::standing::{Charged, Facts, Standing};
use crate::billing::rules::{BillingSettings, Schedule};
use crate::billing::{Issued, NewInvoice};
use crate::kernel::calendar::{Interval, IntervalUnit, Period, Zone};
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, Result};
use crate::kernel::ids::{InvoiceId, PlanVersionId, ServiceId};
use crate::plans::{self, Plan};
use crate::radius;
use crate::services::{self, Service, ServiceState, Suspension, SuspensionCause};
use crate::subscribers;

/// A service in hand: locked, with what decides on it. Changes are made to `service` and written by [`Self::keep`].
pub(super) struct Held {
    before: Service,
    /// The version that RADIUS has heard of, and what it was told.
    told: (i32, radius::Terms),
    pub service: Service,
    /// In the version that the service has.
    pub plan: Plan,
    pub settings: BillingSettings,
    pub(super) desk: Desk,
    pub issued: Tally,
    /// The first day of another plan that it was given.
    pub(super) changed_on: Option<NaiveDate>,
    /// What the plan that it has now binds it to is written down.
    pub(super) is_bound: bool,
}

/// Invoices that were issued for a service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub invoices: u32,
    pub total: Decimal,
}

impl Tally {
    pub fn count(&mut self, issued: Issued) {
        self.invoices += 1;
        self.total += issued.total.amount();
    }
}

/// Whether two plans have periods of one length.
pub(super) fn same_periods(one: &Plan, other: &Plan) -> bool {
    (one.period_unit, one.period_count) == (other.period_unit, other.period_count)
}

impl Held {
    /// Locks the subscriber, whoever pays for it, and the service.
    pub async fn lock(tx: &TenantTx, id: ServiceId) -> Result<Option<Self>> {
        let subscribers = services::subscribers_of(tx, &[id]).await?;
        subscribers::lock_with_payers(tx, &subscribers).await?;
        let Some(service) = services::lock_all(tx, &[id]).await?.pop() else {
            return Ok(None);
        };
        let plan = plans::version(tx, service.plan_version_id).await?;
        Self::of(tx, service, plan).await.map(Some)
    }

    /// A service that the caller holds already.
    pub async fn of(tx: &TenantTx, service: Service, plan: Plan) -> Result<Self> {
        let settings = Desk::Alone.settings(tx).await?;
        Ok(Self::at(Desk::Alone, service, plan, settings))
    }

    /// A service among those that the desk is about.
    pub fn at(desk: Desk, service: Service, plan: Plan, settings: BillingSettings) -> Self {
        Self {
            before: service.clone(),
            told: (service.version, radius::Terms::of(&service, &plan)),
            service,
            plan,
            settings,
            desk,
            issued: Tally::default(),
            changed_on: None,
            is_bound: false,
        }
    }

    /// Writes what was changed and tells RADIUS; `password` only when it is new.
    pub async fn keep(self, tx: &TenantTx, password: Option<&str>) -> Result<Service> {
        let id = self.service.id;
        if let Some(password) = password {
            let service = services::save(tx, &self.before, self.service.clone()).await?;
            radius::sync(tx, &service, &self.plan, Some(password)).await?;
            self.look_again(tx).await?;
            return Ok(service);
        }
        Self::keep_all(tx, &[self]).await?;
        services::get(tx, id).await
    }

    /// As [`Self::keep`], for many.
    pub async fn keep_all(tx: &TenantTx, all: &[Self]) -> Result<()> {
        let changes: Vec<(&Service, &Service)> = all.iter().map(|held| (&held.before, &held.service)).collect();
        services::save_all(tx, &changes).await?;
        let told: Vec<(Service, &Plan)> = all.iter().filter_map(Self::to_be_told).collect();
        radius::sync_all(tx, &told).await?;
        for held in all {
            held.look_again(tx).await?;
            held.write_bond(tx).await?;
        }
        Ok(())
    }

    /// What RADIUS has to hear. Of a service that stays as it was on the network it hears nothing.
    fn to_be_told(&self) -> Option<(Service, &Plan)> {
        let changed = i32::from(self.service != self.before);
        let now = Service {
            version: self.before.version + changed,
            ..self.service.clone()
        };
        let (version, terms) = &self.told;
        let news = now.version != *version && (!now.state.is_on() || radius::Terms::of(&now, &self.plan) != *terms);
        news.then_some((now, &self.plan))
    }

    /// The version of the plan that it had.
    pub(super) fn plan_left(&self) -> PlanVersionId {
        self.before.plan_version_id
    }

    /// Whether it has another plan than it had, or a version of its own that it asked for.
    pub(super) fn has_followed(&self) -> bool {
        let (before, now) = (&self.before, &self.service);
        let asked = before.pending_change.is_some_and(|p| p.plan_id == now.plan_id) && now.pending_change.is_none();
        let another = before.plan_id != now.plan_id || asked || self.changed_on.is_some();
        before.anchor_at.is_some() && another && before.plan_version_id != now.plan_version_id
    }

    /// Days end with the daily run; a pass of some hours ends at its own instant.
    async fn look_again(&self, tx: &TenantTx) -> Result<()> {
        let ends_at = self.service.access_until.filter(|end| Some(*end) != self.before.access_until);
        if let (Some(at), IntervalUnit::Hour) = (ends_at, self.plan.period_unit) {
            let refresh = RefreshService {
                service_id: self.service.id,
                at,
            };
            tx.enqueue(&refresh, at).await?;
        }
        Ok(())
    }

    /// Lays the service on another desk; answers the one that it was on.
    pub fn swap_desk(&mut self, desk: Desk) -> Desk {
        std::mem::replace(&mut self.desk, desk)
    }

    /// Issues an invoice for the service.
    pub async fn issue(&mut self, tx: &TenantTx, new: NewInvoice) -> Result<InvoiceId> {
        let issued = self.desk.issue(tx, new).await?;
        self.issued.count(issued);
        Ok(issued.id)
    }

    /// Writes what was changed so far, where the state passes through one that later modules are to hear of.
    pub async fn checkpoint(&mut self, tx: &TenantTx) -> Result<()> {
        self.desk.be_alone()?;
        self.before = services::save(tx, &self.before, self.service.clone()).await?;
        self.service = self.before.clone();
        Ok(())
    }

    /// Whether it is not as RADIUS and everybody else know it.
    pub fn has_changed(&self) -> bool {
        self.service != self.before || self.service.version != self.told.0 || self.issued.invoices > 0
    }

    /// Whether it is written down as pending.
    pub fn was_pending(&self) -> bool {
        self.before.state == ServiceState::Pending
    }

    pub fn zone(&self, tx: &TenantTx) -> Zone {
        Zone::from(tx.tenant().timezone())
    }

    /// The service's periods, counted from `start`.
    pub fn schedule_from(&self, tx: &TenantTx, start: DateTime<Utc>) -> Result<Schedule> {
        self.schedule_of(tx, &self.plan, start)
    }

    pub(super) fn schedule_of(&self, tx: &TenantTx, plan: &Plan, start: DateTime<Utc>) -> Result<Schedule> {
        let count = u32::try_from(plan.period_count).map_err(Error::internal)?;
        let interval = Interval::new(plan.period_unit, count).map_err(Error::internal)?;
        Ok(Schedule::new(start, interval, self.settings.billing_anchor(), self.zone(tx)))
    }

    /// The periods of a plan that follows at `from`: as they were, unless its periods have another length.
    pub fn schedule_after(&self, tx: &TenantTx, plan: &Plan, from: DateTime<Utc>) -> Result<Schedule> {
        match same_periods(&self.plan, plan) {
            true => self.schedule(tx),
            false => self.schedule_of(tx, plan, from),
        }
    }

    pub fn schedule(&self, tx: &TenantTx) -> Result<Schedule> {
        let anchor = (self.service.anchor_at).ok_or_else(|| Error::internal(format!("{} has not begun", self.service.id)))?;
        self.schedule_from(tx, anchor)
    }

    pub async fn facts(&self, tx: &TenantTx) -> Result<Facts> {
        let covered = self.desk.covered(tx, self.service.id).await?;
        let charged = (covered.into_iter())
            .map(|c| {
                Ok(Charged {
                    period: Period::new(c.starts_at, c.ends_at)?,
                    paid: c.paid,
                    credited: c.credited,
                    written_off_at: c.written_off_at,
                    due_on: c.due_on,
                    awaited_until: c.awaited_until,
                })
            })
            .collect::<Result<Vec<_>, _>>()
            .map_err(|e: crate::kernel::calendar::CalendarError| Error::internal(e))?;
        Ok(Facts {
            mode: self.plan.payment_mode,
            unit: self.plan.period_unit,
            grace_days: self.settings.grace_days,
            awaits_payment: self.service.awaits_payment,
            in_arrears_since: (self.service.state.suspension())
                .filter(|s| s.cause == SuspensionCause::Arrears)
                .map(|s| s.since),
            kept_on_until: self.kept_on_until(),
            zone: self.zone(tx),
            charged,
        })
    }

    /// Brings paid time, access and, for a service that has begun, its state in line with the facts. What staff or the
    /// subscriber switched off stays off unless `lift`.
    pub fn apply(&mut self, facts: &Facts, now: DateTime<Utc>, lift: bool) {
        let since = self.off_since(now);
        self.service.paid_until = facts.paid_until();
        let ends_at = self.service.ends_on.map(|day| facts.zone.start_of_day(day));
        self.service.access_until = [facts.access_until(), ends_at].into_iter().flatten().min();
        let stays = match &self.service.state {
            ServiceState::Pending | ServiceState::Terminated => true,
            ServiceState::Suspended(s) => matches!(s.cause, SuspensionCause::Staff | SuspensionCause::Subscriber) && !lift,
            ServiceState::Active | ServiceState::Grace => false,
        };
        if stays {
            return;
        }
        match facts.standing(now) {
            Standing::Good => self.service.state = ServiceState::Active,
            Standing::Grace => self.service.state = ServiceState::Grace,
            Standing::Blocked(cause) if self.service.state.cause() == Some(cause) => {}
            Standing::Blocked(cause) => self.suspend(cause, None, since),
        }
    }

    /// Since when nobody is let in for want of money, if that is so now: from when on RADIUS let nobody in, whenever a job comes
    /// to say so. What staff or the subscriber switch on again is off for that from now on; it was off for another reason.
    fn off_since(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let told_until = self.service.access_until.filter(|end| *end <= now);
        match &self.service.state {
            ServiceState::Suspended(s) if s.cause.is_for_money() => s.since,
            ServiceState::Suspended(_) => now,
            _ => told_until.unwrap_or(now),
        }
    }

    pub fn suspend(&mut self, cause: SuspensionCause, reason: Option<String>, since: DateTime<Utc>) {
        self.service.state = ServiceState::Suspended(Suspension { cause, since, reason });
    }
}
