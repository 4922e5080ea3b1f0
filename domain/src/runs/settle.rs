use chrono::{DateTime, Utc};

use super::held::{Held, Tally};
use super::standing::{Facts, Standing};
use crate::billing;
use crate::kernel::calendar::{IntervalUnit, Period};
use crate::kernel::db::TenantTx;
use crate::kernel::error::Result;
use crate::kernel::ids::ServiceId;
use crate::services::{ServiceState, SuspensionCause};

/// When a prepaid service begins again whose time is over and which owes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BeginAgain {
    /// If credit in hand pays for it.
    IfCovered,
    /// As this ISP renews: invoiced, or if credit in hand pays for it.
    AsRenewed,
}

/// Brings a service in line with what has been charged and paid by now. It may be asked for at any time and as often as one
/// likes: it looks at the present alone.
pub(super) async fn refresh(tx: &TenantTx, id: ServiceId, again: BeginAgain) -> Result<()> {
    let Some(mut held) = Held::lock(tx, id).await? else {
        return Ok(());
    };
    held.settle(tx, false).await?;
    held.go_on(tx, again).await?;
    held.keep(tx, None).await?;
    Ok(())
}

/// Credit has come in hand: it renews what waits for that, whether its time is over or only about to be. What is on and is not
/// renewed stays as it is: whether it is cut is for a run to say, which asks the brake.
pub(super) async fn credited(tx: &TenantTx, id: ServiceId) -> Result<()> {
    let Some(mut held) = Held::lock(tx, id).await? else {
        return Ok(());
    };
    if held.service.state.is_on() {
        if held.waits_for_credit(&held.plan) {
            held.charge_due(tx, tx.today()).await?;
        }
        if held.issued == Tally::default() {
            return Ok(());
        }
        held.enter_period(tx).await?;
    }
    held.settle(tx, false).await?;
    held.go_on(tx, BeginAgain::IfCovered).await?;
    held.keep(tx, None).await?;
    Ok(())
}

impl Held {
    /// A prepaid service that is off because its time is over, and which owes nothing, begins again.
    pub(super) async fn go_on(&mut self, tx: &TenantTx, again: BeginAgain) -> Result<()> {
        if self.service.state.cause() != Some(SuspensionCause::Expired) || self.service.awaits_payment {
            return Ok(());
        }
        let facts = self.facts(tx).await?;
        // A debt that was given up is not followed by another.
        let again = match facts.given_up() {
            true => BeginAgain::IfCovered,
            false => again,
        };
        if !facts.owes() && self.begin_again(tx, again).await? {
            self.settle(tx, false).await?;
        }
        Ok(())
    }

    /// The state that follows from the facts. `lift`: also where staff or the subscriber had switched the service off.
    pub async fn settle(&mut self, tx: &TenantTx, lift: bool) -> Result<()> {
        let (was, off_from) = (self.service.state.cause(), self.off_from(tx));
        let mut facts = self.facts_to_settle(tx, lift).await?;
        if self.service.awaits_payment && self.begin_if_paid(tx, &facts).await? {
            facts = self.facts_to_settle(tx, lift).await?;
        }
        if self.compensate(tx, &facts, lift).await? {
            facts = self.facts_to_settle(tx, lift).await?;
        }
        self.start_if_due(tx.now());
        let starts = self.was_pending() && self.service.state.is_on();
        if starts && facts.standing(tx.now()) != Standing::Good {
            // Whatever it becomes now, it was on first.
            self.checkpoint(tx).await?;
        }
        let was_on = self.service.state.is_on();
        self.apply(&facts, tx.now(), lift);
        if was_on && !self.service.state.is_on() && self.settings.late_fee.is_some() {
            self.desk.be_alone()?;
            for fee in billing::charge_late_fees(tx, self.service.id, self.service.subscriber_id).await? {
                self.issued.count(fee);
            }
        }
        self.stop_charging();
        if let Some(off_from) = off_from.filter(|_| self.service.state.cause() != was) {
            self.skip_days_off(tx, off_from).await?;
        }
        if self.resume_charging(tx, off_from.is_some()).await? {
            let facts = self.facts_to_settle(tx, lift).await?;
            self.apply(&facts, tx.now(), lift);
            self.stop_charging();
        }
        Ok(())
    }

    /// Where staff switch it on, what was given up does not hold it.
    async fn facts_to_settle(&self, tx: &TenantTx, lift: bool) -> Result<Facts> {
        let facts = self.facts(tx).await?;
        Ok(Facts {
            in_arrears_since: facts.in_arrears_since.filter(|_| !lift),
            ..facts
        })
    }

    /// A service whose day has come, and which waits for no payment, begins.
    pub fn start_if_due(&mut self, now: DateTime<Utc>) {
        // Free days lie before the anchor.
        let begins = [self.service.anchor_at, self.service.period_starts_at];
        let due = begins.into_iter().flatten().any(|start| start <= now);
        if due && self.service.state == ServiceState::Pending && !self.service.awaits_payment {
            self.service.state = ServiceState::Active;
        }
    }

    /// What was to begin with its payment begins, if that is there: where it was charged, or today if that is later.
    async fn begin_if_paid(&mut self, tx: &TenantTx, facts: &Facts) -> Result<bool> {
        let Some(first) = facts.charged.last().filter(|c| c.is_bought()) else {
            return Ok(false);
        };
        self.begin_now(tx, first.period).await?;
        Ok(true)
    }

    /// What waited for its payment waits no longer: what was charged lies where it was charged, or today if that is later.
    pub(super) async fn begin_now(&mut self, tx: &TenantTx, charged: Period) -> Result<()> {
        self.service.awaits_payment = false;
        self.begin_today(tx, charged).await.map(|_| ())
    }

    /// The days of a period that something is spread over; None for hours.
    pub(super) fn days_of(&self, tx: &TenantTx, period: Period) -> Option<i32> {
        let days = self.zone(tx).days_in(period);
        (self.plan.period_unit != IntervalUnit::Hour).then(|| i32::try_from(days).unwrap_or(i32::MAX))
    }

    pub(super) fn use_from(&mut self, tx: &TenantTx, period: Period) {
        if self.service.state == ServiceState::Pending {
            self.service.started_on = Some(self.zone(tx).local_date(period.start()));
        }
        self.service.anchor_at = Some(period.start());
        self.service.period_starts_at = Some(period.start());
        self.service.period_ends_at = Some(period.end());
        self.service.billed_until = Some(period.end());
        self.service.next_billing_on = self.advance_billing_on(tx, period.end());
    }
}
