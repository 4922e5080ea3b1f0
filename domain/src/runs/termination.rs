use chrono::{DateTime, Days, NaiveDate, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::held::Held;
use crate::billing::credit_notes::{self, CreditNote};
use crate::billing::rules::{SuspensionCredit, TerminationCredit};
use crate::kernel::Permission;
use crate::kernel::check::Checks;
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, Result};
use crate::kernel::ids::ServiceId;
use crate::ledger;
use crate::plans::{BillIn, PaymentMode};
use crate::services::{self, Service, ServiceState};

/// How far from today a service may end, either way.
const MAX_DAYS_OFF: u64 = 366;

#[derive(Clone, Debug, Serialize)]
pub struct TerminateService {
    pub id: ServiceId,
    pub reason: String,
    /// The first day without service; default: today.
    pub effective_on: Option<NaiveDate>,
    pub idempotency_key: Uuid,
}

/// Ends a service, today or on a day that has passed: what it used and was not charged is charged, what is charged from that
/// day on is credited as `terminationCredit` says. A day to come is written down, and the service goes on until then. The
/// first of the credit notes, if there are any.
pub async fn service_terminate(tx: &TenantTx, cmd: &TerminateService) -> Result<(Service, Option<CreditNote>)> {
    tx.require(Permission::ServiceWrite)?;
    let mut checks = Checks::new();
    let reason = services::check_reason(&cmd.reason, "reason", &mut checks);
    checks.done()?;
    let key = Some(cmd.idempotency_key);
    if let Some(known) = tx.claim_key("serviceTerminate", key, cmd, cmd.id.0).await? {
        let service = services::get(tx, ServiceId(known)).await?;
        let note = credit_notes::made_by(tx, "serviceTerminate", service.id, cmd.idempotency_key).await?;
        return Ok((service, note));
    }
    let mut held = Held::lock(tx, cmd.id).await?.ok_or_else(|| Error::not_found("id"))?;
    held.service.state.check_becomes(&ServiceState::Terminated)?;
    let day = held.check_end(tx, cmd.effective_on)?;
    ledger::require_open(tx, day, "effectiveOn").await?;
    let notes = if day > tx.today() {
        held.end_later(tx, day, reason).await?;
        Vec::new()
    } else {
        held.charge_served(tx, day).await?;
        held.end(tx, day, reason).await?
    };
    let service = held.keep(tx, None).await?;
    let note = notes.into_iter().next();
    let detail = Detail {
        cmd,
        credit_note_id: note.as_ref().map(|n| n.id.0),
    };
    tx.audit("serviceTerminate", cmd.id.0, detail).await?;
    Ok((service, note))
}

#[derive(Serialize)]
struct Detail<'a> {
    #[serde(flatten)]
    cmd: &'a TerminateService,
    credit_note_id: Option<Uuid>,
}

impl Held {
    fn check_end(&self, tx: &TenantTx, day: Option<NaiveDate>) -> Result<NaiveDate> {
        let today = tx.today();
        let day = day.unwrap_or(today);
        let begun = self.service.state != ServiceState::Pending;
        if begun && self.service.started_on.is_some_and(|first| day < first) {
            return Err(Error::invalid("effectiveOn", "Must not be before the service began."));
        }
        let near = today.checked_sub_days(Days::new(MAX_DAYS_OFF)) <= Some(day)
            && today.checked_add_days(Days::new(MAX_DAYS_OFF)) >= Some(day);
        match near {
            true => Ok(day),
            false => Err(Error::invalid("effectiveOn", "Must be within a year of today.")),
        }
    }

    /// Charges what fell due before that day and no run has charged: it was served on credit.
    async fn charge_served(&mut self, tx: &TenantTx, day: NaiveDate) -> Result<()> {
        let on_credit = self.plan.payment_mode == PaymentMode::Postpaid && self.plan.bill_in == BillIn::Advance;
        let end = self.zone(tx).start_of_day(day);
        if !on_credit || self.service.billed_until >= Some(end) {
            return Ok(());
        }
        match self.off_from(tx) {
            Some(off) => self.charge_used_until(tx, off.min(end)).await.map(|_| ()),
            None => {
                self.charge_due(tx, day).await?;
                self.enter_period(tx).await
            }
        }
    }

    /// Its end is known: nothing is charged beyond, and nobody logs in from then on.
    async fn end_later(&mut self, tx: &TenantTx, day: NaiveDate, reason: String) -> Result<()> {
        let end = self.zone(tx).start_of_day(day);
        self.service.ends_on = Some(day);
        self.service.end_reason = Some(reason);
        if self.service.pending_change.is_some_and(|p| p.effective_on >= day) {
            self.service.pending_change = None;
        }
        if self.plan.bill_in == BillIn::Advance && self.service.billed_until >= Some(end) {
            self.service.next_billing_on = None;
        }
        if self.plan.bill_in == BillIn::Arrears {
            self.service.next_billing_on = self.service.next_billing_on.map(|on| on.min(day));
            // Where it was to end sooner, it is not charged before it is used.
            self.plan_next_charge(tx)?;
        }
        self.settle(tx, false).await
    }

    /// Whether it is to end by that day, on which day and why.
    pub(super) fn end_due(&self, tx: &TenantTx, date: NaiveDate) -> Option<(NaiveDate, String)> {
        if self.service.state == ServiceState::Terminated {
            return None;
        }
        if let Some(day) = self.service.ends_on.filter(|day| *day <= date) {
            return Some((day, self.service.end_reason.clone().unwrap_or_default()));
        }
        if self.settings.cut_nobody_before.is_some_and(|until| tx.now() < until) {
            return None;
        }
        let days = self.unpaid_too_long(tx.now())?;
        Some((tx.today(), format!("Not paid for {days} days")))
    }

    /// After how many days in suspension for want of money it ends, if it has been suspended for so long.
    pub(super) fn unpaid_too_long(&self, at: DateTime<Utc>) -> Option<u32> {
        let days = self.settings.terminate_after_days?;
        let suspension = self.service.state.suspension()?;
        let unpaid = suspension.cause.is_for_money();
        let over = suspension.since.checked_add_days(Days::new(u64::from(days)))? <= at;
        (unpaid && over).then_some(days)
    }

    /// The service is over from the beginning of that day, today or before.
    pub(super) async fn end(&mut self, tx: &TenantTx, day: NaiveDate, reason: String) -> Result<Vec<CreditNote>> {
        self.desk.be_alone()?;
        let zone = self.zone(tx);
        let mut from = zone.start_of_day(day);
        let facts = self.facts(tx).await?;
        // Before it is credited.
        let unserved = self.unserved(tx).await?;
        let first = facts.charged.first().map(|c| c.period.start());
        let pending = self.service.state == ServiceState::Pending;
        if let (true, Some(first)) = (pending, first) {
            // It never began: nothing of what was charged was given.
            from = first.min(from);
        } else if let (true, Some(unused)) = (self.service.awaits_payment, facts.charged.last().filter(|c| !c.paid)) {
            // It was to begin again with its payment, and never did.
            from = unused.period.start().min(from);
        } else if self.settings.termination_credit == TerminationCredit::None {
            // The period under way is kept; those that have not begun are not charged.
            from = self.stays_charged_until(tx, from).await?;
        }
        let mut used_until = zone.start_of_day(day);
        if let (Some(off), BillIn::Arrears) = (self.off_from(tx), self.plan.bill_in) {
            // What it would have used after the period in which it went off is not charged to who goes on, either.
            let last = self.service.period_ends_at.map_or(used_until, |end| end.max(off));
            used_until = used_until.min(last);
        }
        if let Some(off_since) = self.suspended_and_credited(tx) {
            used_until = used_until.min(off_since);
            from = if self.settings.termination_credit == TerminationCredit::None {
                from
            } else {
                from.min(off_since)
            };
        }
        let mut notes = Vec::new();
        if used_until < from && used_until < zone.start_of_day(day) {
            let off_until = Some(zone.start_of_day(day));
            notes.extend(credit_notes::credit_time(tx, self.service.id, used_until, off_until, &reason).await?);
        }
        notes.extend(credit_notes::credit_time(tx, self.service.id, from, None, &reason).await?);
        if self.plan.bill_in == BillIn::Arrears && !pending {
            self.charge_used_until(tx, used_until).await?;
        }
        if pending {
            notes.extend(credit_notes::credit_one_time(tx, self.service.id, &reason).await?);
        }
        self.charge_open_at_end(tx, pending).await?;
        if !pending {
            self.bind_to_new_plan(tx).await?;
            self.charge_exit(tx, day, unserved).await?;
        }
        self.drop_pause(tx, day).await?;
        self.service.state = ServiceState::Terminated;
        self.service.ends_on = Some(day);
        self.service.end_reason = Some(reason);
        self.service.pending_change = None;
        self.service.awaits_payment = false;
        self.service.next_billing_on = None;
        self.service.access_until = Some(zone.start_of_day(day));
        self.service.paid_until = self.facts(tx).await?.paid_until();
        Ok(notes)
    }

    /// Up to when what is charged stays charged, if the service ends then.
    pub(super) async fn stays_charged_until(&self, tx: &TenantTx, end: DateTime<Utc>) -> Result<DateTime<Utc>> {
        if self.settings.termination_credit != TerminationCredit::None {
            return Ok(end);
        }
        let charged = self.facts(tx).await?.charged;
        let Some(piece) = charged.iter().find(|c| c.period.start() <= end && end < c.period.end()) else {
            return Ok(end);
        };
        // A change of plan parts a period: what lies in it is under way, unless it begins that day.
        let full = self
            .schedule(tx)?
            .containing(end)
            .map_err(Error::internal)?
            .map(|full| full.period);
        if piece.period.start() == end && full.is_none_or(|full| full.start() == end) {
            return Ok(end);
        }
        let in_it = charged
            .iter()
            .filter(|c| full.is_some_and(|full| full.contains(c.period.start())));
        Ok(in_it.map(|c| c.period.end()).fold(piece.period.end(), DateTime::max))
    }

    /// Since when the days of a suspension are not to be charged, if it is suspended and that is how this ISP does it. Time
    /// that can be given later no more is credited.
    fn suspended_and_credited(&self, tx: &TenantTx) -> Option<DateTime<Utc>> {
        let credited = self.settings.suspension_credit != SuspensionCredit::None;
        self.off_from(tx).filter(|_| credited)
    }
}
