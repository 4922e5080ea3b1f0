//! What becomes of the days that a service was off, as `BillingSettings.suspensionCredit` says. They are whole days of the ISP's
//! calendar, from the day of the suspension to the day before the one on which it goes on, which is a service day again.

use chrono::{DateTime, Days, TimeDelta, Utc};

use super::held::Held;
use super::standing::{Charged, Facts, Standing, moved_to};
use crate::billing::rules::SuspensionCredit;
use crate::billing::{self, credit_notes};
use crate::kernel::calendar::{Interval, IntervalUnit, Period};
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, Result};
use crate::plans::BillIn;
use crate::services::{self, ServiceState, Suspension, SuspensionCause};

const REASON: &str = "Days without service";

impl Held {
    /// Gives back the days of a suspension that is about to be lifted; answers whether what is charged has changed. Days that
    /// were given back are not charged any more, so asking again does nothing.
    pub(super) async fn compensate(&mut self, tx: &TenantTx, facts: &Facts, lift: bool) -> Result<bool> {
        let Some(suspension) = self.service.state.suspension().cloned() else {
            return Ok(false);
        };
        if facts.given_up_from(suspension.since) || !is_over(&suspension, facts, lift, tx) {
            return Ok(false);
        }
        if self.settings.suspension_credit != SuspensionCredit::None {
            self.desk.be_alone()?;
        }
        match self.settings.suspension_credit {
            SuspensionCredit::None => Ok(false),
            SuspensionCredit::CreditDays => self.credit_days(tx, &suspension).await,
            SuspensionCredit::ShiftPeriod if self.plan.bill_in == BillIn::Arrears => self.put_off(tx, &suspension).await,
            SuspensionCredit::ShiftPeriod => match unpaid_period(&suspension, facts) {
                Some(period) if self.is_undivided(tx, period).await? => self.begin_today(tx, period).await,
                _ => self.shift_period(tx, &suspension).await,
            },
        }
    }

    async fn credit_days(&mut self, tx: &TenantTx, suspension: &Suspension) -> Result<bool> {
        let Some(off) = self.days_off(tx, suspension) else {
            return Ok(false);
        };
        let notes = credit_notes::credit_time(tx, self.service.id, off.start(), Some(off.end()), REASON).await?;
        let skipped = self.skip_uncharged(tx, off).await?;
        Ok(!notes.is_empty() || skipped)
    }

    async fn shift_period(&mut self, tx: &TenantTx, suspension: &Suspension) -> Result<bool> {
        let Some(off) = self.days_off(tx, suspension) else {
            return Ok(false);
        };
        match self.service.billed_until.filter(|until| *until > off.start()) {
            Some(billed) => self.shift_from(tx, off.start(), billed).await.map(|()| true),
            None => Ok(false),
        }
    }

    /// As [`Self::shift_period`], in arrears: of a period that ended meanwhile the days off were charged, and are credited; what is
    /// left of free days comes first when it goes on.
    async fn put_off(&mut self, tx: &TenantTx, suspension: &Suspension) -> Result<bool> {
        let Some(off) = self.days_off(tx, suspension) else {
            return Ok(false);
        };
        let paid_from = self.service.anchor_at.map_or(off.start(), |anchor| anchor.max(off.start()));
        let mut changed = false;
        if paid_from < off.end() {
            let notes = credit_notes::credit_time(tx, self.service.id, paid_from, Some(off.end()), REASON).await?;
            changed = !notes.is_empty();
        }
        if off.start() < paid_from {
            self.shift_from(tx, off.start(), paid_from).await?;
            self.service.next_billing_on = None;
            changed = true;
        }
        Ok(self.skip_uncharged(tx, off).await? || changed)
    }

    /// What is left of the charged time from that instant on is given from today on; later periods follow from there.
    async fn shift_from(&mut self, tx: &TenantTx, from: DateTime<Utc>, billed: DateTime<Utc>) -> Result<()> {
        let shift = billing::shift_coverage(tx, self.service.id, from, tx.today()).await?;
        let (zone, before, anchor) = (self.zone(tx), self.schedule(tx)?, self.service.anchor_at);
        let later = |at| zone.start_of_day(shift.of(zone.local_date(at)));
        self.service.billed_until = Some(later(billed));
        // What is used on credit since it began again was not interrupted.
        let charged = |end: DateTime<Utc>| end > from && end <= billed;
        self.service.period_ends_at = self
            .service
            .period_ends_at
            .map(|end| if charged(end) { later(end) } else { end });
        // Where the end stays, so does the anchor: counted back from the last day of a short month it would be another.
        if later(billed) != billed {
            if let Some(anchor) = anchor.filter(|anchor| from < *anchor) {
                // Free days were interrupted: what is charged comes after them still.
                let (off, begins) = (zone.local_date(from), shift.of(zone.local_date(anchor)));
                services::put_off_term(tx, self.service.id, off + Days::new(1), begins).await?;
            }
            self.service.anchor_at = match anchor.filter(|anchor| billed <= *anchor) {
                Some(anchor) => Some(later(anchor)),
                None => self.anchor_before(tx, later(billed))?.or(anchor),
            };
            // The period that is charged ahead, if one is, and the one that was interrupted.
            let last = |end: DateTime<Utc>| end - TimeDelta::seconds(1);
            self.move_discounts(tx, &before, last(billed), last(later(billed))).await?;
            self.move_discounts(tx, &before, from, zone.start_of_day(tx.today())).await?;
        }
        Ok(())
    }

    /// An anchor from which a period ends at that instant.
    fn anchor_before(&self, tx: &TenantTx, end: DateTime<Utc>) -> Result<Option<DateTime<Utc>>> {
        let count = u32::try_from(self.plan.period_count).map_err(Error::internal)?;
        let interval = Interval::new(self.plan.period_unit, count).map_err(Error::internal)?;
        let zone = self.zone(tx);
        let day = interval.before(zone.local_date(end), 1).map_err(Error::internal)?;
        Ok(day.map(|day| zone.start_of_day(day)))
    }

    /// What was charged for the last period begins today, if that is later; answers whether it moved. A period is given whole
    /// (golden IN-09, policy C); of one that a change of plan or a credit has parted, what is left, by its days.
    pub(super) async fn begin_today(&mut self, tx: &TenantTx, charged: Period) -> Result<bool> {
        let (zone, anchor) = (self.zone(tx), self.settings.billing_anchor());
        // Checked before, so that counting from another start cannot fail.
        let schedule = self.schedule(tx)?;
        let from = |start| self.schedule_from(tx, start).unwrap_or(schedule);
        let whole = self.is_undivided(tx, charged).await?;
        let to = moved_to(charged, tx.now(), self.plan.period_unit, anchor, whole, from, zone).map_err(Error::internal)?;
        if to == charged {
            return Ok(false);
        }
        self.desk.be_alone()?;
        if billing::has_difference(tx, self.service.id, charged).await? {
            self.shift_from(tx, charged.start(), charged.end()).await?;
            return Ok(true);
        }
        let spread = self.days_of(tx, to).filter(|days| Some(*days) != self.days_of(tx, charged));
        billing::move_coverage(tx, self.service.id, charged, to, spread).await?;
        if self.service.state == ServiceState::Pending {
            let (ordered, begins) = (zone.local_date(charged.start()), zone.local_date(to.start()));
            services::put_off_term(tx, self.service.id, ordered, begins).await?;
        }
        self.use_from(tx, to);
        if !whole {
            self.service.anchor_at = self.anchor_before(tx, to.end())?.or(self.service.anchor_at);
        }
        self.move_discounts(tx, &schedule, charged.start(), to.start()).await?;
        Ok(true)
    }

    /// Whether no change of plan has parted the period, and no credit: of one that was, some days have been used or given back.
    async fn is_undivided(&self, tx: &TenantTx, charged: Period) -> Result<bool> {
        if self.plan.period_unit == IntervalUnit::Hour {
            return Ok(true);
        }
        let full = self.schedule(tx)?.containing(charged.start()).map_err(Error::internal)?;
        let whole = full.is_some_and(|full| full.period == charged);
        Ok(whole && !billing::has_difference(tx, self.service.id, charged).await?)
    }

    /// When the days without service began, if it is off.
    pub(super) fn off_from(&self, tx: &TenantTx) -> Option<DateTime<Utc>> {
        let zone = self.zone(tx);
        let suspension = self.service.state.suspension()?;
        Some(zone.start_of_day(suspension.first_day(zone)))
    }

    /// The days without service; None when there are none.
    fn days_off(&self, tx: &TenantTx, suspension: &Suspension) -> Option<Period> {
        let zone = self.zone(tx);
        let first = suspension.first_day(zone);
        let some = first < tx.today() && self.plan.period_unit != IntervalUnit::Hour;
        some.then(|| Period::of_days(zone, first, tx.today()).ok()).flatten()
    }

    /// In arrears: what was used before the suspension is charged now, and the next charge begins where service does.
    async fn skip_uncharged(&mut self, tx: &TenantTx, off: Period) -> Result<bool> {
        let charged = self.service.billed_until.or(self.service.anchor_at);
        if self.plan.bill_in != BillIn::Arrears || charged >= Some(off.end()) {
            return Ok(false);
        }
        self.charge_used_until(tx, off.start()).await?;
        self.service.billed_until = Some(off.end());
        if self.settings.suspension_credit == SuspensionCredit::ShiftPeriod {
            self.service.anchor_at = Some(off.end());
        }
        // Where the next period lies is found when charging goes on.
        self.service.next_billing_on = None;
        Ok(true)
    }
}

/// Whether it goes on now, or has been paid for.
fn is_over(suspension: &Suspension, facts: &Facts, lift: bool, tx: &TenantTx) -> bool {
    match suspension.cause {
        SuspensionCause::Staff | SuspensionCause::Subscriber => lift,
        SuspensionCause::Arrears | SuspensionCause::Expired => {
            (!facts.owes() && !facts.given_up()) || !matches!(facts.standing(tx.now()), Standing::Blocked(_))
        }
    }
}

/// The last period that is charged, where it is the one that was not paid for in time.
fn unpaid_period(suspension: &Suspension, facts: &Facts) -> Option<Period> {
    let last: &Charged = facts.charged.last()?;
    let expired = suspension.cause == SuspensionCause::Expired;
    (expired && last.is_bought() && last.period.contains(suspension.since)).then_some(last.period)
}
