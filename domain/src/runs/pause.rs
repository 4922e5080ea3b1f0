//! Pauses: a subscriber who is away has the service off for some days, from today or a day to come, and on again by itself.
//! What becomes of the days is for `suspensionCredit` to say, as of every suspension. Money does not end a pause.

use chrono::{DateTime, Datelike, Days, NaiveDate, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::held::Held;
use super::settle::BeginAgain;
use super::standing::Standing;
use crate::billing::rules::{Pauses, SuspensionCredit};
use crate::kernel::calendar::{IntervalUnit, days_between};
use crate::kernel::check::Checks;
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, ErrorCode, Result};
use crate::kernel::ids::ServiceId;
use crate::kernel::{Actor, Permission};
use crate::services::{self, Pause, PausesHad, Service, ServiceState, SuspensionCause};

/// How far ahead a pause may begin, and how long it may be said to last.
const MAX_DAYS: u64 = 366;

#[derive(Clone, Debug, Serialize)]
pub struct PauseService {
    pub id: ServiceId,
    /// The first day without service; default: today.
    pub starts_on: Option<NaiveDate>,
    /// The day on which it goes on; None: when somebody says so, or when the ISP lets it last no longer.
    pub ends_on: Option<NaiveDate>,
    pub reason: Option<String>,
    pub idempotency_key: Uuid,
}

#[derive(Clone, Debug, Serialize)]
pub struct UnpauseService {
    pub id: ServiceId,
    pub idempotency_key: Uuid,
}

/// Switches a service off because its subscriber wants a pause, today or on a day to come. Staff may, and subscribers for
/// services of their own where their ISP lets them, within its limits.
pub async fn service_pause(tx: &TenantTx, cmd: &PauseService) -> Result<Service> {
    let by_subscriber = authorize(tx, cmd.id).await?;
    let mut checks = Checks::new();
    let reason = checks.optional_line(cmd.reason.as_deref(), 200, "reason");
    checks.done()?;
    let key = Some(cmd.idempotency_key);
    if let Some(known) = tx.claim_key("servicePause", key, cmd, cmd.id.0).await? {
        return services::get(tx, ServiceId(known)).await;
    }
    let mut held = Held::lock(tx, cmd.id).await?.ok_or_else(|| Error::not_found("id"))?;
    held.check_pause(tx, by_subscriber).await?;
    let starts_on = check_days(tx, &held.service, cmd)?;
    let ends_on = match by_subscriber {
        true => held.allowed_until(tx, starts_on, cmd.ends_on).await?,
        false => cmd.ends_on,
    };
    let pause = Pause { starts_on, ends_on };
    services::note_pause(tx, cmd.id, pause, reason.as_deref(), by_subscriber).await?;
    held.service.pause = Some(pause);
    if starts_on <= tx.today() {
        held.begin_pause(tx.now(), reason);
    }
    let service = held.keep(tx, None).await?;
    tx.audit("servicePause", cmd.id.0, cmd).await?;
    Ok(service)
}

/// Ends a pause today, or takes back one that is to come. A service that has to be paid for first stays off, for that reason;
/// what staff switched off stays off.
pub async fn service_unpause(tx: &TenantTx, cmd: &UnpauseService) -> Result<Service> {
    authorize(tx, cmd.id).await?;
    let key = Some(cmd.idempotency_key);
    if let Some(known) = tx.claim_key("serviceUnpause", key, cmd, cmd.id.0).await? {
        return services::get(tx, ServiceId(known)).await;
    }
    let mut held = Held::lock(tx, cmd.id).await?.ok_or_else(|| Error::not_found("id"))?;
    if held.is_paused() {
        held.lift_pause(tx).await?;
    } else if held.service.pause.is_some() {
        held.forget_pause(tx).await?;
    } else {
        return Err(Error::state(
            "id",
            format!("A service that is {} is not paused, and is not to be.", held.service.state),
        ));
    }
    let service = held.keep(tx, None).await?;
    tx.audit("serviceUnpause", cmd.id.0, cmd).await?;
    Ok(service)
}

/// Whether it is a subscriber who asks; for services of its own alone.
async fn authorize(tx: &TenantTx, id: ServiceId) -> Result<bool> {
    let by_subscriber = matches!(tx.actor(), Actor::Subscriber { .. });
    if !by_subscriber {
        tx.require(Permission::ServiceWrite)?;
    }
    let owner = services::subscribers_of(tx, &[id]).await?.pop();
    let owner = owner.filter(|owner| tx.actor().may_for(Permission::ServiceWrite, *owner));
    owner.map(|_| by_subscriber).ok_or_else(|| Error::not_found("id"))
}

/// The day on which it begins.
fn check_days(tx: &TenantTx, service: &Service, cmd: &PauseService) -> Result<NaiveDate> {
    let today = tx.today();
    let starts_on = cmd.starts_on.unwrap_or(today);
    let within = |day: NaiveDate, of: NaiveDate| of.checked_add_days(Days::new(MAX_DAYS)).is_none_or(|last| day <= last);
    let mut checks = Checks::new();
    let near = starts_on >= today && within(starts_on, today);
    checks.ensure(near, "startsOn", "Must be from today to a year from today.");
    let sound = cmd.ends_on.is_none_or(|end| end > starts_on && within(end, starts_on));
    checks.ensure(sound, "endsOn", "Must be after its first day, and within a year of it.");
    let over = service.ends_on.is_some_and(|end| end <= starts_on);
    checks.ensure(!over, "startsOn", "The service ends before.");
    checks.done()?;
    Ok(starts_on)
}

/// Until when a pause may last that a subscriber asks for, given those that began in the same year.
fn allowed(limits: &Pauses, had: PausesHad, starts_on: NaiveDate, ends_on: Option<NaiveDate>) -> Result<Option<NaiveDate>> {
    let refuse = |field: &str, message: String| Err(Error::user(ErrorCode::LimitExceeded, field, message));
    if let Some(most) = limits.max_per_year.filter(|most| had.pauses >= *most) {
        return refuse("id", format!("No more than {most} pauses may begin in a year."));
    }
    let left = limits.max_days_per_year.map(|most| most.saturating_sub(had.days));
    let Some(most) = limits.max_days.into_iter().chain(left).min() else {
        return Ok(ends_on);
    };
    if most == 0 {
        return refuse("id", "This year's days of pause are used up.".to_owned());
    }
    match ends_on {
        Some(end) if days_between(starts_on, end) > i64::from(most) => {
            refuse("endsOn", format!("The pause may last at most {most} days."))
        }
        Some(end) => Ok(Some(end)),
        None => Ok(starts_on.checked_add_days(Days::new(u64::from(most)))),
    }
}

impl Held {
    pub(super) fn is_paused(&self) -> bool {
        self.service.state.cause() == Some(SuspensionCause::Subscriber)
    }

    async fn check_pause(&self, tx: &TenantTx, by_subscriber: bool) -> Result<()> {
        let state = &self.service.state;
        if !state.is_on() {
            return Err(Error::state("id", format!("A service that is {state} cannot be paused.")));
        }
        if let Some(pause) = self.service.pause {
            return Err(Error::state(
                "id",
                format!("A pause from {} on is planned already: take it back first.", pause.starts_on),
            ));
        }
        if self.plan.period_unit == IntervalUnit::Hour {
            return Err(Error::state("id", "A pass of some hours is used up, not paused."));
        }
        if by_subscriber && !self.settings.pauses.by_subscriber {
            return Err(Error::state("", "This provider takes no pauses here; ask its staff."));
        }
        if by_subscriber && self.facts(tx).await?.is_overdue(tx.now()) {
            return Err(Error::state(
                "id",
                "Something is overdue: pay it first, or ask the provider's staff.",
            ));
        }
        Ok(())
    }

    async fn allowed_until(&self, tx: &TenantTx, starts_on: NaiveDate, ends_on: Option<NaiveDate>) -> Result<Option<NaiveDate>> {
        let first = |year: i32| NaiveDate::from_ymd_opt(year, 1, 1).ok_or_else(|| Error::internal("a year out of range"));
        let year = starts_on.year();
        let had = services::pauses_had(tx, self.service.id, first(year)?, first(year + 1)?).await?;
        allowed(&self.settings.pauses, had, starts_on, ends_on)
    }

    fn begin_pause(&mut self, since: DateTime<Utc>, reason: Option<String>) {
        self.suspend(SuspensionCause::Subscriber, reason, since);
        self.stop_charging();
    }

    /// The pause that begins, or ends, by that day does. What fell due before it begins is charged first.
    pub(super) async fn keep_pause(&mut self, tx: &TenantTx, date: NaiveDate) -> Result<()> {
        let Some(pause) = self.service.pause else {
            return Ok(());
        };
        let date = date.min(tx.today());
        if pause.ends_on.is_some_and(|end| end <= date) {
            return match self.is_paused() {
                true => self.lift_pause(tx).await,
                false => self.forget_pause(tx).await,
            };
        }
        if pause.starts_on > date || !self.service.state.is_on() {
            return Ok(());
        }
        self.desk.be_alone()?;
        self.charge_due(tx, pause.starts_on.pred_opt().unwrap_or(pause.starts_on))
            .await?;
        self.enter_period(tx).await?;
        let planned = services::planned_pause(tx, self.service.id).await?;
        // Who is to be switched off for a debt is not spared that, nor does a subscriber put off being reminded of one.
        let facts = self.facts(tx).await?;
        let to_be_cut = facts.owes() && matches!(facts.standing(tx.now()), Standing::Blocked(_));
        let waits = to_be_cut || (planned.by_subscriber && facts.is_overdue(tx.now()));
        if !waits {
            // Planned for the whole of its first day.
            self.begin_pause(self.zone(tx).start_of_day(tx.today()), planned.reason);
        }
        Ok(())
    }

    /// It goes on, unless it has to be paid for first. Prepaid time that was over meanwhile is followed by another period, as
    /// this ISP renews.
    pub(super) async fn lift_pause(&mut self, tx: &TenantTx) -> Result<()> {
        self.desk.be_alone()?;
        let paused = self.service.state.clone();
        self.settle(tx, true).await?;
        self.go_on(tx, BeginAgain::AsRenewed).await?;
        self.end_pause(tx, &paused).await
    }

    /// Notes that a service that was in a pause, in the state `paused`, is so no longer. A minimum term is longer by the days
    /// that are not charged.
    pub(super) async fn end_pause(&mut self, tx: &TenantTx, paused: &ServiceState) -> Result<()> {
        let Some(since) = paused.suspension().filter(|s| s.cause == SuspensionCause::Subscriber) else {
            return Ok(());
        };
        let (first, today) = (since.first_day(self.zone(tx)), tx.today());
        self.service.pause = None;
        services::end_pause(tx, self.service.id, Some((first, today.max(first)))).await?;
        if self.settings.suspension_credit != SuspensionCredit::None {
            services::extend_term(tx, self.service.id, first, today).await?;
        }
        Ok(())
    }

    /// The service ends on that day, and with it the pause that it is in or is to have.
    pub(super) async fn drop_pause(&mut self, tx: &TenantTx, day: NaiveDate) -> Result<()> {
        if self.service.pause.take().is_none() {
            return Ok(());
        }
        let pause = self.service.state.suspension().filter(|_| self.is_paused());
        let first = pause.map(|s| s.first_day(self.zone(tx)));
        services::end_pause(tx, self.service.id, first.map(|first| (first, day.max(first)))).await
    }

    /// The pause that it is to have never comes.
    pub(super) async fn forget_pause(&mut self, tx: &TenantTx) -> Result<()> {
        self.desk.be_alone()?;
        self.service.pause = None;
        services::end_pause(tx, self.service.id, None).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_subscriber_may_ask_for() {
        let day = |n: u32| NaiveDate::from_ymd_opt(2026, 5, n).unwrap();
        let limits = |max_days, max_per_year, max_days_per_year| Pauses {
            by_subscriber: true,
            max_days,
            max_per_year,
            max_days_per_year,
        };
        for (limits, pauses, days, ends_on, answer) in [
            (limits(None, None, None), 9, 300, None, Ok(None)),
            (limits(None, None, None), 9, 300, Some(day(20)), Ok(Some(day(20)))),
            (limits(Some(10), None, None), 9, 300, None, Ok(Some(day(11)))),
            (limits(Some(10), None, None), 0, 0, Some(day(11)), Ok(Some(day(11)))),
            (limits(Some(10), None, None), 0, 0, Some(day(12)), Err("endsOn")),
            (limits(Some(10), None, Some(30)), 1, 25, None, Ok(Some(day(6)))),
            (limits(Some(10), None, Some(30)), 1, 25, Some(day(7)), Err("endsOn")),
            (limits(None, None, Some(30)), 1, 30, Some(day(2)), Err("id")),
            (limits(None, Some(2), None), 1, 300, None, Ok(None)),
            (limits(None, Some(2), None), 2, 2, None, Err("id")),
        ] {
            let found = allowed(&limits, PausesHad { pauses, days }, day(1), ends_on);
            match (found, answer) {
                (Ok(found), Ok(wanted)) => assert_eq!(found, wanted, "{limits:?}"),
                (Err(Error::User(refusals)), Err(field)) => assert_eq!(refusals[0].field, [field], "{limits:?}"),
                (found, _) => panic!("{limits:?}: {found:?}"),
            }
        }
    }
}
