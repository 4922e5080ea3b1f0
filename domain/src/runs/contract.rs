//! How a service begins and ends by its plan's contract: free days first, and a charge for who leaves before the minimum term
//! is over.

use chrono::{Days, NaiveDate};
use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::Zero;
use rust_decimal::Decimal;

use super::held::Held;
use super::standing::Charge;
use crate::billing::credit_notes;
use crate::billing::rules::{DayShare, Schedule, SuspensionCredit};
use crate::billing::{NewInvoice, NewLine, OneTimeCharge, ServiceCharge};
use crate::kernel::calendar::{Interval, IntervalUnit, Period, days_between};
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, Result};
use crate::kernel::ids::{InvoiceId, ServiceId};
use crate::kernel::money::{Money, RoundingMode, exact};
use crate::plans::{self, BillIn, ExitKind, PaymentMode, Plan};
use crate::services::{self, ServiceState, ServiceTerm, SuspensionCause};

/// What the end of a bound service costs on a day, of a plan with that price whose periods are these; nothing during a free
/// trial, which comes before the term, and nothing from the term's own end on. What stays charged up to `charged_until` is
/// not charged again. Rounded once.
pub(super) fn exit_charge(
    term: &ServiceTerm,
    day: NaiveDate,
    charged_until: NaiveDate,
    price: Money,
    schedule: &Schedule,
    mode: RoundingMode,
) -> Result<Money> {
    let currency = price.currency();
    if day < term.starts_on || day >= term.ends_on {
        return Ok(Money::zero(currency));
    }
    let left = BigRational::from_integer(BigInt::from(days_between(day, term.ends_on)));
    let value = match term.exit_kind {
        ExitKind::Fixed => exact(term.exit_value),
        ExitKind::Declining => {
            let whole = BigRational::from_integer(BigInt::from(days_between(term.starts_on, term.ends_on)));
            exact(term.exit_value) * left / whole
        }
        ExitKind::Remaining => {
            let share = exact(term.exit_value) / exact(Decimal::ONE_HUNDRED);
            let periods = schedule.periods_between(day.max(charged_until), term.ends_on);
            price.exact() * periods.map_err(Error::internal)?.unwrap_or_else(BigRational::zero) * share
        }
    };
    Money::from_exact(&value, currency, mode).map_err(Error::internal)
}

/// From when on a service was of no use to anybody, because it is off.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unserved {
    /// Nothing prepaid is paid for.
    unpaid_from: Option<NaiveDate>,
    /// It is off for want of money.
    off_from: Option<NaiveDate>,
}

impl Held {
    /// The service begins with free days, if its plan gives some: they are charged at nothing, and its periods begin after
    /// them. Answers the invoice over nothing.
    pub(super) async fn begin_trial(&mut self, tx: &TenantTx, first_day: NaiveDate) -> Result<Option<InvoiceId>> {
        let days = self.plan.trial_days.and_then(|days| u32::try_from(days).ok());
        let Some(days) = days.filter(|_| self.plan.period_unit != IntervalUnit::Hour) else {
            return Ok(None);
        };
        let zone = self.zone(tx);
        let end = first_day + Days::new(u64::from(days));
        let period = Period::of_days(zone, first_day, end).map_err(Error::internal)?;
        let share = DayShare::new(days, days).map_err(Error::internal)?;
        let free = Plan {
            name: format!("{}, free trial", self.plan.name),
            price: Decimal::ZERO,
            ..self.plan.clone()
        };
        let charge = Charge {
            period,
            share: Some(share),
        };
        let new = self.free_of_charge(tx, &free, charge);
        let invoice = self.issue(tx, new).await?;
        self.service.anchor_at = Some(period.end());
        self.service.billed_until = Some(period.end());
        self.service.billed_version_id = Some(self.plan.version_id);
        self.service.period_starts_at = Some(period.start());
        self.service.period_ends_at = Some(period.end());
        self.service.awaits_payment = false;
        match self.plan.bill_in {
            BillIn::Advance => self.service.next_billing_on = self.advance_billing_on(tx, period.end()),
            BillIn::Arrears => {
                self.use_on_credit(tx).await?;
                self.service.period_starts_at = Some(period.start());
            }
        }
        Ok(Some(invoice))
    }

    /// Whether a free trial goes on on that day.
    pub(super) async fn in_free_trial(&self, tx: &TenantTx, day: NaiveDate) -> Result<bool> {
        let charged = credit_notes::charged_days(tx, self.service.id, self.zone(tx).start_of_day(day)).await?;
        Ok(charged.iter().any(|days| days.free_trial))
    }

    fn free_of_charge(&self, tx: &TenantTx, free: &Plan, charge: Charge) -> NewInvoice {
        NewInvoice {
            id: InvoiceId::new(),
            subscriber_id: self.service.subscriber_id,
            due_on: tx.today(),
            lines: vec![NewLine::Period(ServiceCharge {
                service_id: self.service.id,
                subscriber_id: self.service.subscriber_id,
                plan: free.clone(),
                period: charge.period,
                share: charge.share,
                installation: self.service.installation_address.clone(),
                difference: false,
                free_trial: true,
                discount: None,
            })],
        }
    }

    /// Binds a service that begins to its plan's minimum term, if there is one, from its first charged day on.
    pub(super) async fn bind(&self, tx: &TenantTx) -> Result<()> {
        let starts_on = self.service.anchor_at.map(|anchor| self.zone(tx).local_date(anchor));
        match starts_on.map(|day| self.minimum_term(day)).transpose()?.flatten() {
            Some(term) => services::bind(tx, &term).await,
            None => Ok(()),
        }
    }

    /// Binds a service that has another plan now to the minimum term of it, if there is one, from the day of the change, or from the
    /// first of its first period. What binds it from before goes on to.
    pub(super) async fn bind_to_new_plan(&mut self, tx: &TenantTx) -> Result<()> {
        self.write_bond(tx).await?;
        self.is_bound = true;
        Ok(())
    }

    /// As [`Self::bind_to_new_plan`], when all is written down.
    pub(super) async fn write_bond(&self, tx: &TenantTx) -> Result<()> {
        if self.is_bound || !self.has_followed() {
            return Ok(());
        }
        self.name_plan_left(tx).await?;
        let begins = self.service.period_starts_at.map(|at| self.zone(tx).local_date(at));
        match self
            .changed_on
            .or(begins)
            .map(|day| self.minimum_term(day))
            .transpose()?
            .flatten()
        {
            Some(term) => services::bind_also(tx, &term).await,
            None => Ok(()),
        }
    }

    /// Services that began before bonds named their plans had theirs by the plan that is left now.
    async fn name_plan_left(&self, tx: &TenantTx) -> Result<()> {
        let unnamed = services::terms_of(tx, self.service.id).await?;
        for term in unnamed.into_iter().filter(|term| term.plan_version_id.is_none()) {
            let named = ServiceTerm {
                plan_version_id: Some(self.plan_left()),
                ..term
            };
            services::bind_also(tx, &named).await?;
        }
        Ok(())
    }

    fn minimum_term(&self, starts_on: NaiveDate) -> Result<Option<ServiceTerm>> {
        let Some(term) = self.plan.minimum_term() else {
            return Ok(None);
        };
        let count = u32::try_from(term.count).map_err(Error::internal)?;
        let interval = Interval::new(term.unit, count).map_err(Error::internal)?;
        let ends_on = interval.after(starts_on, 1).map_err(Error::internal)?;
        let ends_on = ends_on.ok_or_else(|| Error::internal("a term of hours"))?;
        Ok(Some(ServiceTerm {
            service_id: self.service.id,
            plan_version_id: Some(self.plan.version_id),
            starts_on,
            ends_on,
            exit_kind: term.exit_kind,
            exit_value: term.exit_value,
        }))
    }

    /// What binds the service, each with the plan by which it does. `unserved` is [`Self::unserved`].
    async fn binding(&self, tx: &TenantTx, unserved: Unserved) -> Result<Vec<(ServiceTerm, Plan)>> {
        let mut binding = Vec::new();
        for term in services::terms_of(tx, self.service.id).await? {
            let plan = match term.plan_version_id {
                Some(version) if version != self.plan.version_id => plans::version(tx, version).await?,
                _ => self.plan.clone(),
            };
            let from_then_on = |day: Option<NaiveDate>| day.is_some_and(|day| day <= term.starts_on);
            let unpaid = plan.payment_mode == PaymentMode::Prepaid && from_then_on(unserved.unpaid_from);
            if !unpaid && !from_then_on(unserved.off_from) {
                binding.push((term, plan));
            }
        }
        Ok(binding)
    }

    /// What it costs to end the service on that day, and the plan by which it is bound; None when it is not bound then. Of several
    /// that bind it the one that comes to most: a change of plan frees nobody.
    async fn exit_charge_on(&self, tx: &TenantTx, day: NaiveDate, unserved: Unserved) -> Result<Option<(Money, Plan)>> {
        let terms = self.binding(tx, unserved).await?;
        let Some(anchor) = self.service.anchor_at.filter(|_| !terms.is_empty()) else {
            return Ok(None);
        };
        let (zone, mode) = (self.zone(tx), self.settings.rounding_mode);
        let charged_until = zone.local_date(self.stays_charged_until(tx, zone.start_of_day(day)).await?);
        let mut dearest: Option<(Money, Plan)> = None;
        for (mut term, plan) in terms {
            self.as_it_would_be(tx, &mut term, day);
            let schedule = self.schedule_of(tx, &plan, anchor)?;
            let currency = plan.currency.parse().map_err(Error::internal)?;
            let price = Money::new(plan.price, currency).map_err(Error::internal)?;
            let charge = exit_charge(&term, day, charged_until, price, &schedule, mode)?;
            let so_far = dearest.as_ref().map_or(Decimal::ZERO, |(charge, _)| charge.amount());
            if charge.amount() > so_far {
                dearest = Some((charge, plan));
            }
        }
        Ok(dearest)
    }

    /// Nobody is bound by what never began.
    pub(super) async fn unserved(&self, tx: &TenantTx) -> Result<Unserved> {
        let zone = self.zone(tx);
        let suspension = self.service.state.suspension();
        let for_money = |cause| matches!(cause, SuspensionCause::Expired | SuspensionCause::Arrears);
        let off_from = suspension.filter(|s| for_money(s.cause)).map(|s| s.first_day(zone));
        let mut unpaid_from = None;
        if self.plan.payment_mode == PaymentMode::Prepaid && (suspension.is_some() || self.service.awaits_payment) {
            let facts = self.facts(tx).await?;
            let paid_until = facts.paid_until();
            let mut begins = facts.charged.iter().map(|c| c.period.start());
            let unpaid = begins.find(|at| Some(*at) >= paid_until).or(paid_until);
            unpaid_from = unpaid.map(|at| zone.local_date(at));
        }
        Ok(Unserved { unpaid_from, off_from })
    }

    /// Changes the term as the end of time off is going to: on that day, or the day that was said.
    fn as_it_would_be(&self, tx: &TenantTx, term: &mut ServiceTerm, day: NaiveDate) {
        let zone = self.zone(tx);
        let off = self.service.state.suspension().map(|s| s.first_day(zone));
        let free_days = off.filter(|off| *off < term.starts_on && *off < day);
        if let (Some(off), SuspensionCredit::ShiftPeriod) = (free_days, self.settings.suspension_credit) {
            let days = Days::new(u64::try_from(days_between(off, day)).unwrap_or(0));
            (term.starts_on, term.ends_on) = (term.starts_on + days, term.ends_on + days);
        }
        let paused = self
            .service
            .pause
            .filter(|_| self.settings.suspension_credit != SuspensionCredit::None);
        if let Some(pause) = paused {
            let first = off.filter(|_| self.is_paused()).unwrap_or(pause.starts_on);
            let until = pause.ends_on.map_or(day, |end| end.min(day));
            term.ends_on = term.ends_on + Days::new(term.longer_by(first, until));
        }
    }

    /// Charges the end of a service that is bound still. It is taxed as that plan's price is, of whose supply it is part.
    pub(super) async fn charge_exit(&mut self, tx: &TenantTx, day: NaiveDate, unserved: Unserved) -> Result<Option<InvoiceId>> {
        let Some((charge, plan)) = self.exit_charge_on(tx, day, unserved).await? else {
            return Ok(None);
        };
        let line = NewLine::OneTime(OneTimeCharge {
            of: Some(self.as_charged()),
            description: format!("{}, ended before its minimum term", plan.name),
            quantity: Decimal::ONE,
            unit_price: charge.amount(),
            tax_inclusive: plan.tax_inclusive,
            discount_percent: None,
            tax_code: plan.tax_code.clone(),
        });
        let new = NewInvoice {
            id: InvoiceId::new(),
            subscriber_id: self.service.subscriber_id,
            due_on: self.due_on(tx, &self.plan, tx.now()),
            lines: vec![line],
        };
        self.issue(tx, new).await.map(Some)
    }
}

/// What the end of a service on that day would cost, before tax or with it as the price of the plan that binds it: nothing is done.
pub async fn exit_preview(tx: &TenantTx, id: ServiceId, day: Option<NaiveDate>) -> Result<Option<Money>> {
    // One that never began ends free.
    let Some(held) = look(tx, id).await?.filter(|held| held.service.state != ServiceState::Pending) else {
        return Ok(None);
    };
    let unserved = held.unserved(tx).await?;
    let charge = held.exit_charge_on(tx, day.unwrap_or(tx.today()), unserved).await?;
    Ok(charge.map(|(charge, _)| charge))
}

/// The first day on which a service is not bound any more, if something binds it.
pub async fn bound_until(tx: &TenantTx, id: ServiceId) -> Result<Option<NaiveDate>> {
    let Some(held) = look(tx, id).await? else {
        return Ok(None);
    };
    let unserved = held.unserved(tx).await?;
    let binding = held.binding(tx, unserved).await?;
    Ok(binding.iter().map(|(term, _)| term.ends_on).max())
}

/// A service that is not over, to be looked at.
async fn look(tx: &TenantTx, id: ServiceId) -> Result<Option<Held>> {
    let service = services::find(tx, id).await?.ok_or_else(|| Error::not_found("id"))?;
    if service.state == ServiceState::Terminated {
        return Ok(None);
    }
    let plan = plans::version(tx, service.plan_version_id).await?;
    Held::of(tx, service, plan).await.map(Some)
}
