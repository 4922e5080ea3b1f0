//! Which periods a service has: always counted from its original anchor, so that no clamped month end
//! shifts the ones after it.

use chrono::{DateTime, Datelike, Months, NaiveDate, TimeDelta, Utc};
use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::Zero;
use serde::{Deserialize, Serialize};

use crate::kernel::calendar::{CalendarError, Interval, IntervalUnit, Period, Zone, days_between};

/// Why there is no such period.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PeriodError {
    #[error(transparent)]
    Calendar(#[from] CalendarError),
    #[error("the billing day is from 1 to 28, not {0}")]
    CalendarDay(u8),
    #[error("{charged} of {total} days is no share of a period")]
    DayShare { charged: u32, total: u32 },
    #[error("the days asked for are not within the period")]
    OutsidePeriod,
    #[error("a period of hours has no days")]
    NoDays,
}

/// A day that every month has: 1 to 28.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct CalendarDay(u8);

impl TryFrom<u8> for CalendarDay {
    type Error = PeriodError;

    fn try_from(day: u8) -> Result<Self, PeriodError> {
        if (1..=28).contains(&day) {
            return Ok(Self(day));
        }
        Err(PeriodError::CalendarDay(day))
    }
}

impl From<CalendarDay> for u8 {
    fn from(day: CalendarDay) -> Self {
        day.0
    }
}

/// Where periods begin. `Calendar` concerns months and years; hours, days and weeks know no day of the month
/// and always run from the service's own start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BillingAnchor {
    Anniversary,
    Calendar(CalendarDay),
}

/// Charged days of a period's days: the exact share of the price that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RawDayShare")]
pub struct DayShare {
    days: u32,
    period_days: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDayShare {
    days: u32,
    period_days: u32,
}

impl TryFrom<RawDayShare> for DayShare {
    type Error = PeriodError;

    fn try_from(raw: RawDayShare) -> Result<Self, PeriodError> {
        Self::new(raw.days, raw.period_days)
    }
}

impl DayShare {
    pub fn new(charged: u32, total: u32) -> Result<Self, PeriodError> {
        if total > 0 && charged <= total {
            return Ok(Self {
                days: charged,
                period_days: total,
            });
        }
        Err(PeriodError::DayShare { charged, total })
    }

    fn between(from: NaiveDate, to: NaiveDate, total: u32) -> Result<Self, PeriodError> {
        let days = u32::try_from(days_between(from, to)).map_err(|_| PeriodError::OutsidePeriod)?;
        Self::new(days, total)
    }

    /// What `part` of `all` days are of the full period, over all of which this share is spread evenly: in days themselves,
    /// where that is exact.
    pub fn part(self, part: u32, all: u32) -> Result<Self, PeriodError> {
        let whole = all.saturating_mul(self.period_days);
        match whole.checked_rem(self.days) {
            Some(0) => Self::new(part, whole / self.days),
            _ => Self::new(part.saturating_mul(self.days), whole),
        }
    }

    /// Days charged.
    pub fn charged(self) -> u32 {
        self.days
    }

    /// Days of the full period.
    pub fn total(self) -> u32 {
        self.period_days
    }

    /// Whether the whole price is due.
    pub fn is_whole(self) -> bool {
        self.days == self.period_days
    }
}

/// One period of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BillingPeriod {
    /// 0 for the first one.
    pub index: u32,
    pub period: Period,
    /// Local days, first and last inclusive; None for hours, whose price is due whole.
    pub days: Option<DayShare>,
}

impl BillingPeriod {
    /// The share that a part of the period is of the *full* period: for plan changes, terminations and
    /// suspension credits. Both ends are taken by their local dates.
    pub fn share_of(&self, part: Period, zone: Zone) -> Result<DayShare, PeriodError> {
        let total = self.days.ok_or(PeriodError::NoDays)?.total();
        if !self.period.covers(part) {
            return Err(PeriodError::OutsidePeriod);
        }
        DayShare::between(zone.local_date(part.start()), zone.local_date(part.end()), total)
    }
}

/// All periods of a service, given its original start.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    start: DateTime<Utc>,
    interval: Interval,
    anchor: BillingAnchor,
    zone: Zone,
}

impl Schedule {
    /// `start` is the service's original start; its local date counts, save for hours.
    pub fn new(start: DateTime<Utc>, interval: Interval, anchor: BillingAnchor, zone: Zone) -> Self {
        Self {
            start,
            interval,
            anchor,
            zone,
        }
    }

    /// The period with that index; the 0th begins with the service. Under `Calendar` it is the stub up to the
    /// next billing day, charged by its days out of the full period that ends there.
    pub fn period(&self, index: u32) -> Result<BillingPeriod, PeriodError> {
        let next = index.checked_add(1).ok_or(CalendarError::OutOfRange)?;
        if self.interval.unit() == IntervalUnit::Hour {
            let period = Period::new(self.hour_boundary(index)?, self.hour_boundary(next)?)?;
            return Ok(BillingPeriod {
                index,
                period,
                days: None,
            });
        }
        let (from, to) = (self.boundary(i64::from(index))?, self.boundary(i64::from(next))?);
        let charged_from = from.max(self.first_day());
        let total = u32::try_from(days_between(from, to)).map_err(|_| CalendarError::OutOfRange)?;
        Ok(BillingPeriod {
            index,
            period: Period::of_days(self.zone, charged_from, to)?,
            days: Some(DayShare::between(charged_from, to, total)?),
        })
    }

    /// The period in which that instant lies; None before the service's start. The period after one that
    /// ends at `t` is the one containing `t`.
    pub fn containing(&self, at: DateTime<Utc>) -> Result<Option<BillingPeriod>, PeriodError> {
        let index = match self.interval.unit() {
            IntervalUnit::Hour => {
                let seconds = at.signed_duration_since(self.start).num_seconds();
                seconds.div_euclid(i64::from(self.interval.count()) * 3600)
            }
            _ => self.index_of(self.zone.local_date(at))?,
        };
        if index < 0 || at < self.period(0)?.period.start() {
            return Ok(None);
        }
        let index = u32::try_from(index).map_err(|_| CalendarError::OutOfRange)?;
        self.period(index).map(Some)
    }

    /// How many periods' prices the days from `from` until `until` are: whole periods, and of those that they share the days. The
    /// periods are continued before the service's start as if it had begun sooner. None for hours, which are not counted by days.
    pub fn periods_between(&self, from: NaiveDate, until: NaiveDate) -> Result<Option<BigRational>, PeriodError> {
        if self.interval.unit() == IntervalUnit::Hour {
            return Ok(None);
        }
        let (mut at, mut sum) = (from, BigRational::zero());
        while at < until {
            let index = self.index_of(at)?;
            let (begin, end) = (self.boundary(index)?, self.boundary(index + 1)?);
            let days = |from, to| BigInt::from(days_between(from, to));
            sum += BigRational::new(days(at, end.min(until)), days(begin, end));
            at = end;
        }
        Ok(Some(sum))
    }

    fn first_day(&self) -> NaiveDate {
        self.zone.local_date(self.start)
    }

    fn index_of(&self, date: NaiveDate) -> Result<i64, PeriodError> {
        let origin = self.origin()?;
        let count = i64::from(self.interval.count());
        let days = days_between(origin, date);
        let months = months_between(origin, date);
        let index = match self.interval.unit() {
            IntervalUnit::Hour | IntervalUnit::Day => days.div_euclid(count),
            IntervalUnit::Week => days.div_euclid(count * 7),
            IntervalUnit::Month => months.div_euclid(count),
            IntervalUnit::Year => months.div_euclid(count * 12),
        };
        Ok(index - i64::from(self.boundary(index)? > date))
    }

    /// The date from which boundaries are counted: the start itself, or under `Calendar` the billing day one
    /// full period before the first billing day after the start.
    fn origin(&self) -> Result<NaiveDate, PeriodError> {
        let start = self.first_day();
        let (BillingAnchor::Calendar(CalendarDay(day)), Some(months)) = (self.anchor, self.interval_months()) else {
            return Ok(start);
        };
        let day = u32::from(day);
        if start.day() == day {
            return Ok(start);
        }
        let this_month = start.with_day(day).ok_or(CalendarError::OutOfRange)?;
        let next = if start.day() < day {
            Some(this_month)
        } else {
            this_month.checked_add_months(Months::new(1))
        };
        let origin = next.and_then(|next| next.checked_sub_months(Months::new(months)));
        Ok(origin.ok_or(CalendarError::OutOfRange)?)
    }

    fn interval_months(&self) -> Option<u32> {
        match self.interval.unit() {
            IntervalUnit::Month => Some(self.interval.count()),
            IntervalUnit::Year => Some(self.interval.count() * 12),
            IntervalUnit::Hour | IntervalUnit::Day | IntervalUnit::Week => None,
        }
    }

    /// Where the period with that index begins; negative ones lie before the service's start.
    fn boundary(&self, index: i64) -> Result<NaiveDate, PeriodError> {
        let origin = self.origin()?;
        let times = u32::try_from(index.unsigned_abs()).map_err(|_| CalendarError::OutOfRange)?;
        let date = match index < 0 {
            true => self.interval.before(origin, times)?,
            false => self.interval.after(origin, times)?,
        };
        date.ok_or(PeriodError::NoDays)
    }

    fn hour_boundary(&self, index: u32) -> Result<DateTime<Utc>, PeriodError> {
        let hours = i64::from(self.interval.count()) * i64::from(index);
        let end = TimeDelta::try_hours(hours).and_then(|d| self.start.checked_add_signed(d));
        Ok(end.ok_or(CalendarError::OutOfRange)?)
    }
}

fn months_between(from: NaiveDate, to: NaiveDate) -> i64 {
    let month = |date: NaiveDate| i64::from(date.year()) * 12 + i64::from(date.month0());
    month(to) - month(from)
}

#[cfg(test)]
#[path = "periods_tests.rs"]
mod tests;
