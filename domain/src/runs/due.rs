//! What a service is to be charged, and how it goes on, by a day.

use chrono::NaiveDate;

use super::held::{Held, same_periods};
use super::settle::BeginAgain;
use crate::kernel::db::TenantTx;
use crate::kernel::error::Result;
use crate::plans::BillIn;

impl Held {
    /// Brings the service up to the date: it begins, goes off and on, is charged, or ends.
    pub async fn bring_up_to(&mut self, tx: &TenantTx, date: NaiveDate) -> Result<()> {
        let was_off = !self.service.state.is_on();
        self.start_if_due(tx.now());
        self.keep_pause(tx, date).await?;
        self.charge_due(tx, date).await?;
        self.enter_period(tx).await?;
        self.settle(tx, false).await?;
        if was_off && self.service.pending_change.is_none() {
            // Where whoever heard of the credit could not do it. Another plan may begin without any: not in a run.
            self.go_on(tx, BeginAgain::IfCovered).await?;
        }
        match self.end_due(tx, date) {
            Some((day, reason)) => self.end(tx, day, reason).await.map(|_| ()),
            None => Ok(()),
        }
    }

    /// Charges what is due by that day.
    pub async fn charge_due(&mut self, tx: &TenantTx, date: NaiveDate) -> Result<()> {
        while self.service.next_billing_on.is_some_and(|on| on <= date) && self.charge_next(tx).await? {}
        Ok(())
    }

    /// Charges what is due next, as of the day on which it fell due: a run that comes late charges what it would have
    /// charged in time, and not what a service used that would have been off by then.
    async fn charge_next(&mut self, tx: &TenantTx) -> Result<bool> {
        if self.plan.bill_in == BillIn::Arrears && self.is_still_used(tx)? {
            return Ok(false);
        }
        if self.plan.bill_in == BillIn::Arrears {
            return self.charge_used(tx).await;
        }
        let plan = self.next_plan(tx, self.charged_until()?).await?;
        let Some(on) = self.service.next_billing_on.filter(|_| self.service.state.is_on()) else {
            return Ok(false);
        };
        let as_of = self.zone(tx).start_of_day(on);
        if !self.facts(tx).await?.renews(as_of) {
            return Ok(false);
        }
        if plan.bill_in == BillIn::Arrears {
            // Not before the period that is charged has ended, which may have been put off.
            let ends = self.zone(tx).local_date(self.charged_until()?);
            let from = self.service.pending_change.map_or(ends, |p| p.effective_on.max(ends));
            if tx.today() < from {
                self.service.next_billing_on = Some(from);
                return Ok(false);
            }
            self.set_plan(plan);
            self.use_on_credit(tx).await?;
            return Ok(false);
        }
        let only_if_covered = self.waits_for_credit(&plan);
        Ok(self.charge_in_advance(tx, &plan, only_if_covered).await?.is_some())
    }

    /// Whether the period used on credit has not ended, though it was to be charged by now: the ISP's periods have become longer
    /// meanwhile. It is charged when it has.
    fn is_still_used(&mut self, tx: &TenantTx) -> Result<bool> {
        let end = self.next_charge(tx, &self.plan)?.map(|next| next.period.end());
        let Some(end) = end.filter(|end| *end > tx.now()) else {
            return Ok(false);
        };
        self.service.period_ends_at = Some(end);
        self.service.next_billing_on = Some(self.zone(tx).local_date(end));
        Ok(true)
    }

    /// Charges the period that was used, and goes on under the plan that follows. One that is off goes on when it is on again.
    async fn charge_used(&mut self, tx: &TenantTx) -> Result<bool> {
        let end = self.next_charge(tx, &self.plan)?.map(|c| c.period.end());
        if let Some(end) = end {
            self.charge_used_until(tx, end).await?;
        }
        if !self.service.state.is_on() {
            self.service.next_billing_on = None;
            return Ok(end.is_some());
        }
        let charged = self.enter_next(tx).await?;
        Ok(end.is_some() || charged)
    }

    /// Enters the period after what has been charged of a plan in arrears, under the plan that follows if that is due: it is
    /// charged when it has ended, or at once if that plan is charged in advance. Answers whether it was charged.
    pub(super) async fn enter_next(&mut self, tx: &TenantTx) -> Result<bool> {
        let from = self.charged_until()?;
        let on = self.zone(tx).local_date(from);
        let follows = self.service.pending_change.is_some_and(|p| p.effective_on <= on);
        let next = match follows {
            true => self.next_plan(tx, from).await?,
            false => self.own_version(tx, on).await?,
        };
        if follows {
            if !same_periods(&self.plan, &next) {
                self.service.anchor_at = Some(from);
            }
            self.service.pending_change = None;
            self.changed_on = Some(on);
            self.set_plan(next.clone());
        }
        if next.bill_in == BillIn::Arrears {
            self.use_on_credit(tx).await?;
            return Ok(false);
        }
        let only_if_covered = self.waits_for_credit(&next);
        let charged = self.charge_in_advance(tx, &next, only_if_covered).await?.is_some();
        if charged {
            self.service.period_starts_at = Some(from);
            self.service.period_ends_at = self.service.billed_until;
        } else {
            self.service.next_billing_on = self.advance_billing_on(tx, from);
        }
        Ok(charged)
    }
}
