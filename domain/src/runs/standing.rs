//! Whether a service may be used, given what has been charged and paid. Pure; decided from the present alone, so that
//! events may come in any order and any number of times.

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};

use crate::billing::rules::{BillingAnchor, DayShare, PeriodError, Schedule};
use crate::kernel::calendar::{IntervalUnit, Period, Zone};
use crate::plans::PaymentMode;
use crate::services::SuspensionCause;

/// Time of a service that an invoice charges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charged {
    pub period: Period,
    /// Nothing is due on the invoice.
    pub paid: bool,
    /// … because credit notes took all of it back.
    pub credited: bool,
    /// … because it was given up then.
    pub written_off_at: Option<DateTime<Utc>>,
    pub due_on: NaiveDate,
    /// The last day of a promise to pay it; else its due date.
    pub awaited_until: NaiveDate,
}

impl Charged {
    /// Money is there for it. What was given up is not owed any more, and not paid for either.
    fn is_paid_for(&self) -> bool {
        self.paid && self.written_off_at.is_none()
    }

    /// As paid for, and not taken back.
    pub fn is_bought(&self) -> bool {
        self.is_paid_for() && !self.credited
    }
}

/// All that the standing of a service depends on.
#[derive(Clone, Debug)]
pub struct Facts {
    pub mode: PaymentMode,
    pub unit: IntervalUnit,
    pub grace_days: u32,
    /// It begins, or begins again, when it is paid for and not before.
    pub awaits_payment: bool,
    /// Since when it is off for want of money, postpaid. What is given up from then on does not bring it back.
    pub in_arrears_since: Option<DateTime<Utc>>,
    /// Nobody who is served is switched off before: the brake, or a collection hold.
    pub kept_on_until: Option<DateTime<Utc>>,
    pub zone: Zone,
    /// In the order of their time.
    pub charged: Vec<Charged>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Good,
    /// Unpaid, but still to be served.
    Grace,
    Blocked(SuspensionCause),
}

/// Until when a service is in which standing, money staying as it is. `Blocked` from `ends_at` on; None: never.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Terms {
    good_until: DateTime<Utc>,
    ends_at: DateTime<Utc>,
}

impl Facts {
    /// Prepaid: the end of what is paid.
    pub fn paid_until(&self) -> Option<DateTime<Utc>> {
        match self.mode {
            PaymentMode::Prepaid => self.charged.iter().filter(|c| c.is_paid_for()).map(|c| c.period.end()).max(),
            PaymentMode::Postpaid => None,
        }
    }

    /// Whether something of what was charged is unpaid.
    pub fn owes(&self) -> bool {
        self.charged.iter().any(|c| !c.paid)
    }

    /// Whether something was given up that keeps it off: prepaid time that nothing paid since, or what it is in arrears with.
    pub fn given_up(&self) -> bool {
        match self.mode {
            PaymentMode::Prepaid => {
                let paid_until = self.paid_until();
                let mut given_up = self.charged.iter().filter(|c| c.written_off_at.is_some());
                given_up.any(|c| Some(c.period.start()) >= paid_until)
            }
            PaymentMode::Postpaid => {
                let since = self.in_arrears_since;
                since.is_some() && self.charged.iter().any(|c| c.written_off_at >= since)
            }
        }
    }

    /// Whether time was given up that reaches beyond an instant.
    pub fn given_up_from(&self, at: DateTime<Utc>) -> bool {
        let mut given_up = self.charged.iter().filter(|c| c.written_off_at.is_some());
        given_up.any(|c| c.period.end() > at)
    }

    /// From when on RADIUS lets nobody in, whether or not a job says so meanwhile. Only prepaid time ends by itself: a
    /// postpaid subscriber who has paid must not be off because a worker is.
    pub fn access_until(&self) -> Option<DateTime<Utc>> {
        match self.mode {
            PaymentMode::Prepaid => self.terms().map(|t| t.ends_at),
            PaymentMode::Postpaid => None,
        }
    }

    pub fn standing(&self, at: DateTime<Utc>) -> Standing {
        let cause = match self.mode {
            PaymentMode::Prepaid => SuspensionCause::Expired,
            PaymentMode::Postpaid => SuspensionCause::Arrears,
        };
        if self.mode == PaymentMode::Postpaid && self.given_up() {
            return Standing::Blocked(cause);
        }
        match self.terms() {
            Some(terms) if at < terms.good_until => Standing::Good,
            Some(terms) if at < terms.ends_at => Standing::Grace,
            Some(_) => Standing::Blocked(cause),
            // Nothing is charged yet: postpaid is served on credit, prepaid has no time.
            None if self.mode == PaymentMode::Postpaid => Standing::Good,
            None => Standing::Blocked(cause),
        }
    }

    /// Whether it is served though something has to be paid: what falls due on the day itself is not overdue.
    pub fn is_overdue(&self, now: DateTime<Utc>) -> bool {
        let at = match self.mode {
            PaymentMode::Postpaid => now,
            // Paid until the beginning of the day on which more falls due.
            PaymentMode::Prepaid => self.zone.start_of_day(self.zone.local_date(now)) - TimeDelta::seconds(1),
        };
        self.standing(at) != Standing::Good
    }

    /// Whether it is to be charged for its next period on that day: while it is served, also when its paid time ends at the
    /// very beginning of the day and there is no grace.
    pub fn renews(&self, at: DateTime<Utc>) -> bool {
        !matches!(self.standing(at), Standing::Blocked(_)) || self.paid_until().is_some_and(|end| at <= end)
    }

    fn terms(&self) -> Option<Terms> {
        let terms = match self.mode {
            PaymentMode::Prepaid => self.prepaid_terms()?,
            PaymentMode::Postpaid => {
                let owed = self.charged.iter().filter(|c| !c.paid);
                let each = owed.map(|c| (self.after_due(c.due_on).good_until, self.ends_at(c, self.after_due(c.due_on))));
                let (good_until, ends_at): (Vec<_>, Vec<_>) = each.unzip();
                Terms {
                    good_until: good_until.into_iter().min()?,
                    ends_at: ends_at.into_iter().min()?,
                }
            }
        };
        Some(Terms {
            ends_at: self.kept_on_until.map_or(terms.ends_at, |kept| kept.max(terms.ends_at)),
            ..terms
        })
    }

    /// When service ends that these terms give for an unpaid charge: not before a promise to pay it is over.
    fn ends_at(&self, charge: &Charged, terms: Terms) -> DateTime<Utc> {
        match charge.awaited_until > charge.due_on {
            true => terms.ends_at.max(self.start_of(charge.awaited_until, 1)),
            false => terms.ends_at,
        }
    }

    /// The end of the paid time and the days of grace after it. A charge that nothing paid leads up to, such as the first
    /// one, counts from its due date instead.
    fn prepaid_terms(&self) -> Option<Terms> {
        let paid_until = self.paid_until();
        let mut after = self.charged.iter().filter(|c| Some(c.period.start()) >= paid_until);
        let next = after.clone().find(|c| !c.paid).or_else(|| after.find(|c| !c.is_paid_for()));
        let fresh = next.filter(|c| Some(c.period.start()) > paid_until);
        let terms = match (fresh, paid_until) {
            (Some(first), _) if self.awaits_payment => Some(Terms {
                good_until: first.period.start(),
                ends_at: first.period.start(),
            }),
            (Some(first), _) if self.unit == IntervalUnit::Hour => Some(Terms {
                good_until: first.period.end(),
                ends_at: first.period.end(),
            }),
            (Some(first), _) => Some(self.after_due(first.due_on)),
            // A pass of some hours ends with its hours: days of grace would be worth many times the pass.
            (None, Some(end)) if self.unit == IntervalUnit::Hour => Some(Terms {
                good_until: end,
                ends_at: end,
            }),
            (None, Some(end)) => Some(Terms {
                good_until: end,
                ends_at: self.start_of(self.zone.local_date(end), self.grace_days).max(end),
            }),
            (None, None) => None,
        };
        match (terms, next) {
            (Some(terms), Some(next)) if self.unit != IntervalUnit::Hour => Some(Terms {
                ends_at: self.ends_at(next, terms),
                ..terms
            }),
            (terms, _) => terms,
        }
    }

    /// The due date is the first of the days of grace (golden IN-09: due on the 5th, five days, off from the 10th at
    /// midnight); on the day itself nothing is overdue.
    fn after_due(&self, due: NaiveDate) -> Terms {
        Terms {
            good_until: self.start_of(due, 1),
            ends_at: self.start_of(due, self.grace_days.max(1)),
        }
    }

    fn start_of(&self, day: NaiveDate, later: u32) -> DateTime<Utc> {
        let day = day.checked_add_days(Days::new(u64::from(later))).unwrap_or(NaiveDate::MAX);
        self.zone.start_of_day(day)
    }
}

/// Time to be charged, and which share of the plan's price it is; None: all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charge {
    pub period: Period,
    pub share: Option<DayShare>,
}

/// What comes next for a service charged up to `from`: the rest of the period that `from` lies in, which is all of it
/// unless the periods were moved.
pub fn charge_from(schedule: &Schedule, from: DateTime<Utc>, zone: Zone) -> Result<Charge, PeriodError> {
    let full = schedule.containing(from)?.ok_or(PeriodError::OutsidePeriod)?;
    if full.period.start() == from {
        return Ok(Charge {
            period: full.period,
            share: full.days,
        });
    }
    let rest = Period::new(from, full.period.end())?;
    let share = match full.days {
        Some(_) => Some(full.share_of(rest, zone)?),
        None => None,
    };
    Ok(Charge { period: rest, share })
}

/// The part of a charge before an instant, which is the beginning of a day; None when nothing of it is.
pub fn cut_at(charge: Charge, end: DateTime<Utc>, zone: Zone) -> Result<Option<Charge>, PeriodError> {
    if charge.period.end() <= end {
        return Ok(Some(charge));
    }
    if end <= charge.period.start() {
        return Ok(None);
    }
    let period = Period::new(charge.period.start(), end)?;
    let days = u32::try_from(zone.days_in(period)).map_err(|_| PeriodError::OutsidePeriod)?;
    let share = charge.share.map(|share| DayShare::new(days, share.total())).transpose()?;
    Ok(Some(Charge { period, share }))
}

/// Where a period lies that was charged as `charged` and is paid at `paid_at`: there, or as much later as it was paid later.
/// Whole days move by days, hours by the instant. What is left of one (not `whole`) keeps the number of its days.
pub fn moved_to(
    charged: Period,
    paid_at: DateTime<Utc>,
    unit: IntervalUnit,
    anchor: BillingAnchor,
    whole: bool,
    schedule_from: impl Fn(DateTime<Utc>) -> Schedule,
    zone: Zone,
) -> Result<Period, PeriodError> {
    let start = match unit {
        IntervalUnit::Hour => paid_at,
        _ => zone.start_of_day(zone.local_date(paid_at)),
    };
    if start <= charged.start() {
        return Ok(charged);
    }
    let by_calendar = matches!(anchor, BillingAnchor::Calendar(_)) && matches!(unit, IntervalUnit::Month | IntervalUnit::Year);
    if by_calendar || !(whole || unit == IntervalUnit::Hour) {
        // A stub charged by its days keeps their number; the next charge ends where the calendar wants it.
        let days = u64::try_from(zone.days_in(charged)).map_err(|_| PeriodError::OutsidePeriod)?;
        let first = zone.local_date(start);
        let until = first.checked_add_days(Days::new(days)).ok_or(PeriodError::OutsidePeriod)?;
        return Ok(Period::of_days(zone, first, until)?);
    }
    Ok(schedule_from(start).period(0)?.period)
}

#[cfg(test)]
#[path = "standing_tests.rs"]
mod tests;
