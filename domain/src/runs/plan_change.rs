use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde::Serialize;
use uuid::Uuid;

use super::held::{Held, same_periods};
use crate::billing::credit_notes::{self, CreditNote};
use crate::billing::rules::PlanChangeDocument;
use crate::billing::{self, Invoice, NewInvoice, NewLine, ServiceCharge};
use crate::kernel::Permission;
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, Result};
use crate::kernel::ids::{InvoiceId, PlanId, ServiceId};
use crate::kernel::money::Money;
use crate::ledger;
use crate::plans::{self, BillIn, IntervalUnit, Plan};
use crate::services::{self, PendingChange, Service, ServiceState};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum ChangeTiming {
    Now,
    NextPeriod,
}

#[derive(Clone, Debug, Serialize)]
pub struct ChangePlan {
    pub id: ServiceId,
    pub plan_id: PlanId,
    pub timing: ChangeTiming,
    /// Only with `Now`; default today. That day belongs to the new plan.
    pub effective_on: Option<NaiveDate>,
    pub idempotency_key: Uuid,
}

/// A service with the documents that its change made.
#[derive(Clone, Debug)]
pub struct Changed {
    pub service: Service,
    pub invoice: Option<Invoice>,
    pub credit_note: Option<CreditNote>,
}

/// Gives a service another plan: from a day on, with what is charged of the old one credited and the new one invoiced (or one
/// document over the difference, as `planChangeDocument` says); or when the next period begins that is not charged yet.
pub async fn service_change_plan(tx: &TenantTx, cmd: &ChangePlan) -> Result<Changed> {
    tx.require(Permission::ServiceWrite)?;
    let key = cmd.idempotency_key;
    if let Some(known) = tx.claim_key("serviceChangePlan", Some(key), cmd, cmd.id.0).await? {
        return as_it_is(tx, ServiceId(known), key).await;
    }
    let mut held = Held::lock(tx, cmd.id).await?.ok_or_else(|| Error::not_found("id"))?;
    let plan = plans::on(tx, cmd.plan_id, cmd.effective_on.unwrap_or(tx.today())).await?;
    held.check_change(tx, cmd, &plan)?;
    held.check_addons_go_with(tx, &plan).await?;
    if let Some(day) = cmd.effective_on {
        ledger::require_open(tx, day, "effectiveOn").await?;
    }
    let (invoice, credit_note) = match (cmd.timing, held.service.anchor_at) {
        (_, None) => {
            held.set_plan(plan);
            (None, None)
        }
        (ChangeTiming::NextPeriod, Some(_)) => {
            held.change_later(tx, &plan);
            (None, None)
        }
        (ChangeTiming::Now, Some(_)) => held.change_now(tx, plan, cmd).await?,
    };
    let service = held.keep(tx, None).await?;
    let detail = Detail {
        cmd,
        invoice_id: invoice.map(|i| i.0),
        credit_note_id: credit_note.as_ref().map(|n| n.id.0),
    };
    tx.audit("serviceChangePlan", cmd.id.0, detail).await?;
    Ok(Changed {
        service,
        invoice: billing::get_if_any(tx, invoice).await?,
        credit_note,
    })
}

/// Takes back what is planned for a service: the plan that is to follow, unless that is invoiced already, and its end.
pub async fn service_change_cancel(tx: &TenantTx, id: ServiceId) -> Result<Service> {
    tx.require(Permission::ServiceWrite)?;
    let mut held = Held::lock(tx, id).await?.ok_or_else(|| Error::not_found("id"))?;
    let planned = held.service.pending_change.is_some() || held.service.ends_on.is_some();
    if !planned || held.service.state == ServiceState::Terminated {
        return Err(Error::state("id", "Nothing is planned for the service."));
    }
    // An end can be taken back all the same.
    match held.service.pending_change {
        Some(pending) if held.is_charged(tx, pending).await? => {
            if held.service.ends_on.is_none() {
                return Err(Error::state(
                    "id",
                    "The next period has been invoiced at the new plan already; change the plan again instead.",
                ));
            }
        }
        _ => held.service.pending_change = None,
    }
    held.service.ends_on = None;
    held.service.end_reason = None;
    held.plan_next_charge(tx)?;
    held.settle(tx, false).await?;
    let service = held.keep(tx, None).await?;
    tx.audit("serviceChangeCancel", id.0, serde_json::json!({})).await?;
    Ok(service)
}

#[derive(Serialize)]
struct Detail<'a> {
    #[serde(flatten)]
    cmd: &'a ChangePlan,
    invoice_id: Option<Uuid>,
    credit_note_id: Option<Uuid>,
}

/// The present state of what an earlier call made.
async fn as_it_is(tx: &TenantTx, id: ServiceId, key: Uuid) -> Result<Changed> {
    let service = services::get(tx, id).await?;
    let invoice = billing::made_by(tx, "serviceChangePlan", id, key).await?;
    let credit_note = credit_notes::made_by(tx, "serviceChangePlan", id, key).await?;
    Ok(Changed {
        service,
        invoice,
        credit_note,
    })
}

impl Held {
    fn check_change(&self, tx: &TenantTx, cmd: &ChangePlan, plan: &Plan) -> Result<()> {
        let state = &self.service.state;
        let now = cmd.timing == ChangeTiming::Now;
        let possible = match state {
            ServiceState::Terminated => false,
            ServiceState::Pending => self.service.anchor_at.is_none(),
            ServiceState::Suspended(_) => !now,
            ServiceState::Active | ServiceState::Grace => true,
        };
        if !possible {
            let when = if now { "now" } else { "at the next period" };
            return Err(Error::state(
                "id",
                format!("A service that is {state} cannot change its plan {when}."),
            ));
        }
        if plan.retired_at.is_some() {
            return Err(Error::state("planId", "The plan is no longer sold."));
        }
        if plan.has_network_access() != self.plan.has_network_access() {
            return Err(Error::invalid(
                "planId",
                "One of the plans gives network access and the other does not.",
            ));
        }
        if plan.version_id == self.service.plan_version_id && self.service.pending_change.is_none() {
            return Err(Error::invalid("planId", "The service has this plan already."));
        }
        let hours = [plan, &self.plan].iter().any(|p| p.period_unit == IntervalUnit::Hour);
        if hours && self.service.anchor_at.is_some() {
            return Err(Error::invalid("planId", "A pass of some hours is used up, not changed."));
        }
        self.check_day(tx, cmd)
    }

    fn check_day(&self, tx: &TenantTx, cmd: &ChangePlan) -> Result<()> {
        let Some(day) = cmd.effective_on else { return Ok(()) };
        if cmd.timing == ChangeTiming::NextPeriod {
            return Err(Error::invalid("effectiveOn", "Goes with NOW only."));
        }
        let first = self.service.period_starts_at.map(|at| self.zone(tx).local_date(at));
        if day > tx.today() || Some(day) < first {
            return Err(Error::invalid(
                "effectiveOn",
                "Must be from the first day of the period that is being used to today.",
            ));
        }
        Ok(())
    }

    /// Days without service that were given back are not charged by going back behind them.
    async fn check_served_since(&self, tx: &TenantTx, day: NaiveDate) -> Result<()> {
        let zone = self.zone(tx);
        match billing::last_gap(tx, self.service.id).await?.map(|end| zone.local_date(end)) {
            Some(since) if day < since && since <= tx.today() => Err(Error::invalid(
                "effectiveOn",
                format!("Must not be before {since}: days before it were given back."),
            )),
            _ => Ok(()),
        }
    }

    /// The new plan follows when what is charged, or used on credit, has ended.
    fn change_later(&mut self, tx: &TenantTx, plan: &Plan) {
        let until = match self.plan.bill_in {
            BillIn::Advance => self.service.billed_until,
            BillIn::Arrears => self.service.period_ends_at,
        };
        let ended = until.map_or(tx.today(), |until| self.zone(tx).local_date(until));
        self.service.pending_change = Some(PendingChange {
            plan_id: plan.id,
            effective_on: ended.max(tx.today()),
        });
    }

    /// Whether the plan that is to follow is invoiced already, so that it cannot be taken back by forgetting it.
    async fn is_charged(&self, tx: &TenantTx, pending: PendingChange) -> Result<bool> {
        match self.service.billed_version_id.filter(|_| self.plan.id != pending.plan_id) {
            Some(version) => Ok(plans::version(tx, version).await?.id == pending.plan_id),
            None => Ok(false),
        }
    }

    pub(super) fn plan_next_charge(&mut self, tx: &TenantTx) -> Result<()> {
        if self.service.state.is_on() {
            self.service.next_billing_on = match (self.plan.bill_in, self.service.billed_until) {
                (BillIn::Advance, Some(until)) => self.advance_billing_on(tx, until),
                (BillIn::Advance, None) => self.service.next_billing_on,
                (BillIn::Arrears, _) => {
                    let next = self.next_charge(tx, &self.plan)?;
                    self.service.period_ends_at = next.map(|c| c.period.end()).or(self.service.period_ends_at);
                    next.map(|c| self.zone(tx).local_date(c.period.end()))
                }
            };
        }
        Ok(())
    }

    async fn change_now(
        &mut self,
        tx: &TenantTx,
        plan: Plan,
        cmd: &ChangePlan,
    ) -> Result<(Option<InvoiceId>, Option<CreditNote>)> {
        self.charge_due(tx, tx.today()).await?;
        self.enter_period(tx).await?;
        self.check_day(tx, cmd)?;
        if let Some(day) = cmd.effective_on {
            self.check_served_since(tx, day).await?;
        }
        let day = cmd.effective_on.unwrap_or(tx.today());
        if self.plan.bill_in == BillIn::Advance && self.service.billed_until < Some(self.zone(tx).start_of_day(day)) {
            return Err(Error::state(
                "id",
                "The service has to be renewed before its plan can change.",
            ));
        }
        self.service.pending_change = None;
        let dearer_by = plan.price - self.plan.price;
        self.changed_on = Some(day);
        if self.goes_by_difference(tx, &plan, day).await? {
            self.charge_difference(tx, plan, day, dearer_by).await
        } else {
            self.replace(tx, plan, day).await
        }
    }

    /// Whether one document over the difference is asked for, and true of all that is charged: it is, where all of it stands
    /// at the price of the plan that is left. Elsewhere what is charged is credited and charged anew.
    async fn goes_by_difference(&self, tx: &TenantTx, plan: &Plan, day: NaiveDate) -> Result<bool> {
        let asked = self.settings.plan_change_document == PlanChangeDocument::Difference;
        if !asked || !self.differ_in_price_alone(plan) || self.in_free_trial(tx, day).await? || self.has_discounts(tx).await? {
            return Ok(false);
        }
        let code = self.plan.tax_code.as_deref();
        let prices = credit_notes::prices_from(tx, self.service.id, self.zone(tx).start_of_day(day)).await?;
        Ok(prices.iter().all(|of| {
            let at_this_price = of.in_all.is_some_and(|price| price.amount() == self.plan.price);
            let taxed_alike = of.inclusive == self.plan.tax_inclusive && code.is_none_or(|code| code == of.tax_code);
            // What was charged as differences stays, whatever becomes cheaper.
            at_this_price && taxed_alike && of.own.amount() + plan.price >= self.plan.price
        }))
    }

    /// Whether what one plan costs more than the other can be charged or credited by itself.
    fn differ_in_price_alone(&self, plan: &Plan) -> bool {
        let in_advance = [plan, &self.plan].iter().all(|p| p.bill_in == BillIn::Advance);
        let taxed_alike = (plan.tax_code.as_ref(), plan.tax_inclusive) == (self.plan.tax_code.as_ref(), self.plan.tax_inclusive);
        in_advance && taxed_alike && same_periods(plan, &self.plan)
    }

    /// What is charged from that day on stays charged; one document makes up the difference.
    async fn charge_difference(
        &mut self,
        tx: &TenantTx,
        plan: Plan,
        day: NaiveDate,
        dearer_by: Decimal,
    ) -> Result<(Option<InvoiceId>, Option<CreditNote>)> {
        let from = self.zone(tx).start_of_day(day);
        let reason = format!("Change to {}", plan.name);
        let difference = Money::new(dearer_by.abs(), tx.tenant().currency()).map_err(Error::internal)?;
        let (mut invoice, mut notes) = (None, Vec::new());
        if dearer_by < Decimal::ZERO {
            notes = credit_notes::credit_difference(tx, self.service.id, from, difference, &reason).await?;
        } else if dearer_by > Decimal::ZERO {
            billing::part_at(tx, self.service.id, from).await?;
            let charged = credit_notes::charged_days(tx, self.service.id, from).await?;
            let lines = charged.into_iter().map(|days| {
                NewLine::Period(ServiceCharge {
                    service_id: self.service.id,
                    subscriber_id: self.service.subscriber_id,
                    plan: Plan {
                        price: difference.amount(),
                        ..plan.clone()
                    },
                    period: days.period,
                    share: Some(days.share),
                    installation: self.service.installation_address.clone(),
                    difference: true,
                    free_trial: false,
                    discount: None,
                })
            });
            let new = NewInvoice {
                id: InvoiceId::new(),
                subscriber_id: self.service.subscriber_id,
                due_on: self.due_on(tx, &plan, from),
                lines: lines.collect(),
            };
            if !new.lines.is_empty() {
                invoice = Some(self.issue(tx, new).await?);
            }
        }
        self.service.billed_version_id = Some(plan.version_id);
        self.set_plan(plan);
        self.settle(tx, false).await?;
        Ok((invoice, notes.into_iter().next()))
    }

    /// What the old plan charges from that day on is credited, or what it used until then charged; the new one begins.
    async fn replace(&mut self, tx: &TenantTx, plan: Plan, day: NaiveDate) -> Result<(Option<InvoiceId>, Option<CreditNote>)> {
        let from = self.zone(tx).start_of_day(day);
        let reason = format!("Change to {}", plan.name);
        let (mut invoice, mut notes) = (None, Vec::new());
        match self.plan.bill_in {
            BillIn::Advance => notes = credit_notes::credit_time(tx, self.service.id, from, None, &reason).await?,
            // A free trial, which a change of plan ends.
            BillIn::Arrears if self.service.billed_until > Some(from) => {
                notes = credit_notes::credit_time(tx, self.service.id, from, None, &reason).await?;
            }
            BillIn::Arrears => invoice = self.charge_used_until(tx, from).await?,
        }
        // Charged time that lies before the anchor is a free trial, which ends here.
        if !same_periods(&self.plan, &plan) || self.service.anchor_at > Some(from) {
            self.service.anchor_at = Some(from);
            services::begin_term(tx, self.service.id, day).await?;
        }
        self.service.billed_until = Some(from);
        self.service.billed_version_id = Some(plan.version_id);
        self.set_plan(plan.clone());
        match plan.bill_in {
            BillIn::Arrears => self.use_on_credit(tx).await?,
            BillIn::Advance => {
                invoice = self.charge_in_advance(tx, &plan, false).await?.or(invoice);
                self.service.period_ends_at = self.service.billed_until.filter(|end| *end > from);
                self.service.period_starts_at = Some(from);
            }
        }
        self.settle(tx, false).await?;
        Ok((invoice, notes.into_iter().next()))
    }
}
