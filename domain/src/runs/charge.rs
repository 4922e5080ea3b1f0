use chrono::{DateTime, Days, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use super::held::{Held, same_periods};
use super::settle::BeginAgain;
use super::standing::{self, Charge};
use crate::billing;
use crate::billing::rules::{ActivationPolicy, PrepaidRenewal, SuspensionCredit};
use crate::kernel::calendar::IntervalUnit;
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, Result};
use crate::kernel::event::Job;
use crate::kernel::ids::{InvoiceId, ServiceId};
use crate::plans::{BillIn, PaymentMode, Plan};
use crate::services::ServiceState;

/// Looks at one service again at an instant, such as the end of a pass of some hours.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RefreshService {
    pub service_id: ServiceId,
    pub at: DateTime<Utc>,
}

impl Job for RefreshService {
    const KIND: &'static str = "service.refresh";

    fn dedup_key(&self) -> Option<String> {
        Some(format!("{}@{}", self.service_id, self.at.timestamp()))
    }
}

impl Held {
    /// Up to where its time is charged.
    pub(super) fn charged_until(&self) -> Result<DateTime<Utc>> {
        let until = self.service.billed_until.or(self.service.anchor_at);
        until.ok_or_else(|| Error::internal(format!("{} has not begun", self.service.id)))
    }

    /// The time that is to be charged next, at that plan; None when the service ends before.
    pub fn next_charge(&self, tx: &TenantTx, plan: &Plan) -> Result<Option<Charge>> {
        let (from, zone) = (self.charged_until()?, self.zone(tx));
        let schedule = self.schedule_after(tx, plan, from)?;
        let charge = standing::charge_from(&schedule, from, zone).map_err(Error::internal)?;
        match self.service.ends_on {
            None => Ok(Some(charge)),
            Some(day) => standing::cut_at(charge, zone.start_of_day(day), zone).map_err(Error::internal),
        }
    }

    /// Whether credit in hand would pay for what is charged next at that plan, as things stand.
    pub async fn next_would_be_covered(&self, tx: &TenantTx, plan: &Plan) -> Result<bool> {
        match self.next_charge(tx, plan)? {
            Some(charge) => billing::would_be_covered(tx, &self.draw_up(tx, charge, plan).await?.invoice).await,
            None => Ok(false),
        }
    }

    /// When what is charged from an instant on is due.
    pub fn due_on(&self, tx: &TenantTx, plan: &Plan, from: DateTime<Utc>) -> NaiveDate {
        match plan.payment_mode {
            // Due on the day from which it is to give access, however early or late it is invoiced.
            PaymentMode::Prepaid => self.zone(tx).local_date(from).max(tx.today()),
            PaymentMode::Postpaid => after(tx.today(), self.settings.due_days),
        }
    }

    /// Invoices the next period, which has not ended, in advance. With `only_if_covered` nothing happens unless credit in
    /// hand pays for it.
    pub async fn charge_in_advance(&mut self, tx: &TenantTx, plan: &Plan, only_if_covered: bool) -> Result<Option<InvoiceId>> {
        let Some(charge) = self.next_charge(tx, plan)? else {
            self.service.next_billing_on = None;
            return Ok(None);
        };
        let drawn = self.draw_up(tx, charge, plan).await?;
        if only_if_covered && !self.desk.covered_by_credit(tx, &drawn.invoice).await? {
            return Ok(None);
        }
        // What was charged before is entered by its own version.
        self.enter_period(tx).await?;
        let invoice = self.issue_drawn(tx, drawn).await?;
        if !same_periods(&self.plan, plan) {
            self.service.anchor_at = Some(charge.period.start());
        }
        self.service.billed_until = Some(charge.period.end());
        self.service.billed_version_id = Some(plan.version_id);
        self.service.next_billing_on = self.advance_billing_on(tx, charge.period.end());
        self.enter_period(tx).await?;
        Ok(Some(invoice))
    }

    /// Invoices what was used on credit up to the beginning of a day; the last invoice, if there was anything.
    pub async fn charge_used_until(&mut self, tx: &TenantTx, end: DateTime<Utc>) -> Result<Option<InvoiceId>> {
        let mut last = None;
        while self.charged_until()? < end {
            let Some(next) = self.next_charge(tx, &self.plan)? else {
                break;
            };
            let cut = standing::cut_at(next, end, self.zone(tx)).map_err(Error::internal)?;
            let Some(charge) = cut else { break };
            let drawn = self.draw_up(tx, charge, &self.plan).await?;
            last = Some(self.issue_drawn(tx, drawn).await?);
            self.service.billed_until = Some(charge.period.end());
        }
        Ok(last)
    }

    /// Enters the period after what has been charged, to be charged when it has ended. What is to follow still follows.
    pub async fn use_on_credit(&mut self, tx: &TenantTx) -> Result<()> {
        let on = self.zone(tx).local_date(self.charged_until()?);
        let follows = self.service.pending_change;
        self.set_plan(self.own_version(tx, on).await?);
        self.service.pending_change = follows;
        self.service.next_billing_on = None;
        if let Some(next) = self.next_charge(tx, &self.plan)? {
            self.service.period_starts_at = Some(next.period.start());
            self.service.period_ends_at = Some(next.period.end());
            self.service.next_billing_on = Some(self.zone(tx).local_date(next.period.end()));
        }
        Ok(())
    }

    /// Moves the period being used on when the next one, charged in advance, has begun.
    pub async fn enter_period(&mut self, tx: &TenantTx) -> Result<()> {
        let (Some(billed_until), now) = (self.service.billed_until, tx.now()) else {
            return Ok(());
        };
        let ended = self.service.period_ends_at.is_none_or(|end| end <= now && end < billed_until);
        if !ended {
            return Ok(());
        }
        let charged = self.desk.covered(tx, self.service.id).await?;
        let Some(used) = (charged.iter().rev().find(|c| c.starts_at <= now)).or(charged.first()) else {
            return Ok(());
        };
        self.service.period_starts_at = Some(used.starts_at);
        self.service.period_ends_at = Some(used.ends_at);
        let last = charged.last().is_some_and(|last| last.starts_at == used.starts_at);
        let version = if last {
            self.service.billed_version_id
        } else {
            used.version_id
        };
        if let Some(version) = version.filter(|v| *v != self.plan.version_id) {
            self.set_plan(self.desk.version(tx, version).await?);
        }
        Ok(())
    }

    /// The service has that plan from now on.
    pub fn set_plan(&mut self, plan: Plan) {
        self.service.pending_change = self.service.pending_change.filter(|p| p.plan_id != plan.id);
        self.service.plan_id = plan.id;
        self.service.plan_version_id = plan.version_id;
        self.plan = plan;
    }

    /// The day on which what follows `end` is invoiced in advance; none for a pass.
    pub fn advance_billing_on(&self, tx: &TenantTx, end: DateTime<Utc>) -> Option<NaiveDate> {
        let end = self.zone(tx).local_date(end);
        let over = self.service.ends_on.is_some_and(|last| last <= end);
        (!self.is_pass() && !over).then(|| before(end, self.settings.renewal_lead_days))
    }

    /// A prepaid plan of some hours. It has no day of renewal: invoiced on and on, it would fill the books with hours that
    /// nobody used. It begins again when credit in hand pays for it.
    pub(super) fn is_pass(&self) -> bool {
        self.plan.payment_mode == PaymentMode::Prepaid && self.plan.period_unit == IntervalUnit::Hour
    }

    /// Whether a period at that plan waits for credit in hand.
    pub(super) fn waits_for_credit(&self, plan: &Plan) -> bool {
        let prepaid = plan.payment_mode == PaymentMode::Prepaid;
        let pass = prepaid && plan.period_unit == IntervalUnit::Hour;
        prepaid && (self.settings.prepaid_renewal == PrepaidRenewal::WhenCovered || pass)
    }

    /// A suspension since that day is over, whether it is on now or off for another reason: days without service that were not
    /// invoiced are not charged, what was used before is. Prepaid that expired is charged from when it begins again; its days of
    /// grace are given, where it is renewed by credit.
    pub(super) async fn skip_days_off(&mut self, tx: &TenantTx, off_from: DateTime<Utc>) -> Result<()> {
        let today = self.zone(tx).start_of_day(tx.today());
        let counts = self.service.state.is_on() || self.plan.payment_mode == PaymentMode::Postpaid;
        let charged = self.service.billed_until;
        if self.service.next_billing_on.is_some() || !counts || self.is_pass() || charged >= Some(today) {
            return Ok(());
        }
        if charged < Some(off_from) && !self.waits_for_credit(&self.plan) {
            self.charge_used_until(tx, off_from.min(today)).await?;
        }
        self.service.billed_until = Some(today);
        if self.plan.bill_in == BillIn::Advance && self.settings.suspension_credit == SuspensionCredit::ShiftPeriod {
            self.service.anchor_at = Some(today);
        }
        Ok(())
    }

    /// Charging goes on, after time off or where nothing said when. Answers whether something was charged at once, or another plan
    /// has begun.
    pub async fn resume_charging(&mut self, tx: &TenantTx, was_off: bool) -> Result<bool> {
        if !self.service.state.is_on() || self.service.next_billing_on.is_some() {
            return Ok(false);
        }
        let today = self.zone(tx).start_of_day(tx.today());
        match (self.plan.bill_in, self.service.billed_until) {
            (BillIn::Arrears, until) => {
                let was = self.plan.version_id;
                let charged = self.enter_next(tx).await?;
                if was_off && until > Some(today) {
                    // What is left of free days comes first.
                    self.service.period_starts_at = Some(today);
                }
                Ok(charged || self.plan.version_id != was)
            }
            (BillIn::Advance, Some(until)) => {
                self.service.next_billing_on = self.advance_billing_on(tx, until);
                Ok(false)
            }
            (BillIn::Advance, None) => Ok(false),
        }
    }

    /// A service that is off is not renewed; what it used in arrears is still charged when its period ends.
    pub fn stop_charging(&mut self) {
        if self.plan.bill_in == BillIn::Advance && !self.service.state.is_on() && self.service.state != ServiceState::Pending {
            self.service.next_billing_on = None;
        }
    }

    /// A prepaid service whose time is over and which owes nothing begins again, from today, at the plan that is to follow if
    /// one is: if credit in hand pays for it, else it is invoiced, if that is how it is to begin; what is billed in arrears is
    /// used first, unless what it owed was given up. Days without service are not charged. Answers whether it does.
    pub async fn begin_again(&mut self, tx: &TenantTx, again: BeginAgain) -> Result<bool> {
        let was = self.service.clone();
        let not_before = |start| was.billed_until.map_or(start, |end| end.max(start));
        let today = self.zone(tx).start_of_day(tx.today());
        let plan = self.next_plan(tx, not_before(today)).await?;
        let start = not_before(if plan.period_unit == IntervalUnit::Hour {
            tx.now()
        } else {
            today
        });
        self.service.anchor_at = Some(start);
        if plan.bill_in == BillIn::Arrears {
            if self.facts(tx).await?.given_up() {
                self.service = was;
                return Ok(false);
            }
            self.service.billed_until = Some(start);
            self.set_plan(plan);
            self.use_on_credit(tx).await?;
            return Ok(true);
        }
        self.service.billed_until = None;
        let waits = plan.payment_mode == PaymentMode::Prepaid && again == BeginAgain::IfCovered;
        let invoice = self
            .charge_in_advance(tx, &plan, waits || self.waits_for_credit(&plan))
            .await?;
        match &invoice {
            None => self.service = was,
            Some(_) => self.service.awaits_payment = self.settings.activation == ActivationPolicy::OnPayment,
        }
        Ok(invoice.is_some())
    }
}

fn after(date: NaiveDate, days: u32) -> NaiveDate {
    date.checked_add_days(Days::new(u64::from(days))).unwrap_or(NaiveDate::MAX)
}

fn before(date: NaiveDate, days: u32) -> NaiveDate {
    date.checked_sub_days(Days::new(u64::from(days))).unwrap_or(NaiveDate::MIN)
}
