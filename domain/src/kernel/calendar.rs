//! The calendar in a tenant's own time zone: local days, billing intervals and half-open periods.
//!
//! Nothing here reads a clock or the server's zone; both are passed in.

use std::fmt;
use std::str::FromStr;

use chrono::offset::LocalResult;
use chrono::{DateTime, Days, Months, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::text_enum;

/// Why a zone, an interval or a period is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CalendarError {
    #[error("{0:?} is not a time zone of the IANA database")]
    UnknownZone(String),
    #[error("an interval counts from 1 to {max}, not {0}", max = Interval::MAX_COUNT)]
    IntervalCount(u32),
    #[error("a period must end after it starts")]
    EmptyPeriod,
    #[error("the date is out of range")]
    OutOfRange,
}

/// A tenant's time zone, e.g. Asia/Kolkata.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Zone(Tz);

impl Zone {
    /// Its IANA name.
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// The calendar date that people there have at that instant.
    pub fn local_date(self, instant: DateTime<Utc>) -> NaiveDate {
        self.local(instant).date()
    }

    /// The first instant of that local day: of two midnights (clocks set back) the first; when midnight is
    /// skipped (clocks set forward) the instant of the change. For a day that the zone skipped altogether
    /// (Pacific/Apia, 30 December 2011) that is the start of the day after.
    pub fn start_of_day(self, date: NaiveDate) -> DateTime<Utc> {
        self.first_instant_at(date.and_time(NaiveTime::MIN))
    }

    /// The instant at which that full hour of a local day begins, by the rules of [`Zone::start_of_day`]. `hour`: 0 to 23.
    pub fn hour_of_day(self, date: NaiveDate, hour: u32) -> DateTime<Utc> {
        let time = NaiveTime::from_hms_opt(hour, 0, 0).unwrap_or(NaiveTime::MIN);
        self.first_instant_at(date.and_time(time))
    }

    fn first_instant_at(self, local: NaiveDateTime) -> DateTime<Utc> {
        match self.0.from_local_datetime(&local) {
            LocalResult::Single(instant) | LocalResult::Ambiguous(instant, _) => instant.with_timezone(&Utc),
            LocalResult::None => self.first_instant_not_before(local),
        }
    }

    /// How many local days lie between a period's ends.
    pub fn days_in(self, period: Period) -> i64 {
        days_between(self.local_date(period.start), self.local_date(period.end))
    }

    fn local(self, instant: DateTime<Utc>) -> NaiveDateTime {
        instant.with_timezone(&self.0).naive_local()
    }

    /// Bisects to the second at which the zone's clocks jump over `local`. No zone is more than 15 hours from
    /// UTC and no jump longer than a day.
    fn first_instant_not_before(self, local: NaiveDateTime) -> DateTime<Utc> {
        let (mut before, mut after) = (-2 * 86_400_i64, 2 * 86_400_i64);
        let at = |offset: i64| local.and_utc() + TimeDelta::seconds(offset);
        while after - before > 1 {
            let middle = before + (after - before) / 2;
            if self.local(at(middle)) < local {
                before = middle;
            } else {
                after = middle;
            }
        }
        at(after)
    }
}

impl From<Tz> for Zone {
    fn from(zone: Tz) -> Self {
        Self(zone)
    }
}

impl FromStr for Zone {
    type Err = CalendarError;

    fn from_str(text: &str) -> Result<Self, CalendarError> {
        text.parse()
            .map(Self)
            .map_err(|_| CalendarError::UnknownZone(text.to_owned()))
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Zone {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Zone {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Days from the one date to the other.
pub fn days_between(from: NaiveDate, to: NaiveDate) -> i64 {
    to.signed_duration_since(from).num_days()
}

/// A half-open range of instants, never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "RawPeriod")]
pub struct Period {
    start: DateTime<Utc>,
    end: DateTime<Utc>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPeriod {
    start: DateTime<Utc>,
    end: DateTime<Utc>,
}

impl TryFrom<RawPeriod> for Period {
    type Error = CalendarError;

    fn try_from(raw: RawPeriod) -> Result<Self, CalendarError> {
        Self::new(raw.start, raw.end)
    }
}

impl Period {
    pub fn new(start: DateTime<Utc>, end: DateTime<Utc>) -> Result<Self, CalendarError> {
        if start < end {
            return Ok(Self { start, end });
        }
        Err(CalendarError::EmptyPeriod)
    }

    /// Whole local days, the last one exclusive.
    pub fn of_days(zone: Zone, from: NaiveDate, until: NaiveDate) -> Result<Self, CalendarError> {
        Self::new(zone.start_of_day(from), zone.start_of_day(until))
    }

    /// Inclusive.
    pub fn start(self) -> DateTime<Utc> {
        self.start
    }

    /// Exclusive.
    pub fn end(self) -> DateTime<Utc> {
        self.end
    }

    pub fn contains(self, instant: DateTime<Utc>) -> bool {
        self.start <= instant && instant < self.end
    }

    /// Whether the other lies within this one.
    pub fn covers(self, other: Self) -> bool {
        self.start <= other.start && other.end <= self.end
    }
}

text_enum! {
    /// The unit in which plans are sold.
    IntervalUnit { Hour, Day, Week, Month, Year }
}

/// How long a plan's period is. Hours are exact; the others are counted in local dates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "RawInterval")]
pub struct Interval {
    unit: IntervalUnit,
    count: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawInterval {
    unit: IntervalUnit,
    count: u32,
}

impl TryFrom<RawInterval> for Interval {
    type Error = CalendarError;

    fn try_from(raw: RawInterval) -> Result<Self, CalendarError> {
        Self::new(raw.unit, raw.count)
    }
}

impl Interval {
    /// More than a year's hours in one period is a mistake.
    pub const MAX_COUNT: u32 = 10_000;

    pub fn new(unit: IntervalUnit, count: u32) -> Result<Self, CalendarError> {
        if (1..=Self::MAX_COUNT).contains(&count) {
            return Ok(Self { unit, count });
        }
        Err(CalendarError::IntervalCount(count))
    }

    pub fn unit(self) -> IntervalUnit {
        self.unit
    }

    pub fn count(self) -> u32 {
        self.count
    }

    /// The date `times` intervals after `date`, clamped to the month's end; always computed from the original
    /// date, so that 31 January is followed by 29 February and 31 March. None for hours, which are no dates.
    pub fn after(self, date: NaiveDate, times: u32) -> Result<Option<NaiveDate>, CalendarError> {
        let steps = self.count.checked_mul(times).ok_or(CalendarError::OutOfRange)?;
        let next = match self.unit {
            IntervalUnit::Hour => return Ok(None),
            IntervalUnit::Day => date.checked_add_days(Days::new(u64::from(steps))),
            IntervalUnit::Week => date.checked_add_days(Days::new(u64::from(steps) * 7)),
            IntervalUnit::Month => date.checked_add_months(Months::new(steps)),
            IntervalUnit::Year => steps
                .checked_mul(12)
                .and_then(|months| date.checked_add_months(Months::new(months))),
        };
        next.map(Some).ok_or(CalendarError::OutOfRange)
    }

    /// As [`Self::after`], `times` intervals before `date`.
    pub fn before(self, date: NaiveDate, times: u32) -> Result<Option<NaiveDate>, CalendarError> {
        let steps = self.count.checked_mul(times).ok_or(CalendarError::OutOfRange)?;
        let before = match self.unit {
            IntervalUnit::Hour => return Ok(None),
            IntervalUnit::Day => date.checked_sub_days(Days::new(u64::from(steps))),
            IntervalUnit::Week => date.checked_sub_days(Days::new(u64::from(steps) * 7)),
            IntervalUnit::Month => date.checked_sub_months(Months::new(steps)),
            IntervalUnit::Year => (steps.checked_mul(12)).and_then(|months| date.checked_sub_months(Months::new(months))),
        };
        before.map(Some).ok_or(CalendarError::OutOfRange)
    }
}

#[cfg(test)]
#[path = "calendar_tests.rs"]
mod tests;
