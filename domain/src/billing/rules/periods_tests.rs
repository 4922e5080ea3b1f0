use chrono::Days;
use proptest::prelude::*;

use super::*;

fn date(text: &str) -> NaiveDate {
    text.parse().expect("a date")
}

fn kolkata() -> Zone {
    "Asia/Kolkata".parse().expect("a zone")
}

fn schedule(start: &str, unit: IntervalUnit, count: u32, day: Option<u8>) -> Schedule {
    let anchor = match day {
        Some(day) => BillingAnchor::Calendar(CalendarDay::try_from(day).expect("a day")),
        None => BillingAnchor::Anniversary,
    };
    let interval = Interval::new(unit, count).expect("an interval");
    Schedule::new(kolkata().start_of_day(date(start)), interval, anchor, kolkata())
}

fn dates(found: BillingPeriod) -> (String, String, u32, u32) {
    let days = found.days.expect("days");
    let local = |instant| kolkata().local_date(instant).to_string();
    (
        local(found.period.start()),
        local(found.period.end()),
        days.charged(),
        days.total(),
    )
}

#[test]
fn periods_by_unit_and_anchor() {
    use IntervalUnit::{Day, Month, Week, Year};
    for (start, unit, count, day, index, from, to, charged, total) in [
        ("2027-12-31", Month, 1, None, 2, "2028-02-29", "2028-03-31", 31, 31),
        ("2026-01-15", Month, 1, None, 0, "2026-01-15", "2026-02-15", 31, 31),
        ("2028-02-29", Year, 1, None, 1, "2029-02-28", "2030-02-28", 365, 365),
        ("2026-01-15", Day, 30, None, 1, "2026-02-14", "2026-03-16", 30, 30),
        ("2026-01-15", Week, 2, None, 1, "2026-01-29", "2026-02-12", 14, 14),
        ("2028-02-10", Month, 1, Some(1), 0, "2028-02-10", "2028-03-01", 20, 29),
        ("2028-02-10", Month, 1, Some(1), 1, "2028-03-01", "2028-04-01", 31, 31),
        ("2028-02-10", Month, 1, Some(15), 0, "2028-02-10", "2028-02-15", 5, 31),
        ("2028-02-10", Month, 1, Some(10), 0, "2028-02-10", "2028-03-10", 29, 29),
        // A quarter's stub runs to the next billing day, out of the quarter that ends there.
        ("2026-05-20", Month, 3, Some(1), 0, "2026-05-20", "2026-06-01", 12, 92),
        ("2026-05-20", Month, 3, Some(1), 1, "2026-06-01", "2026-09-01", 92, 92),
        ("2026-05-20", Year, 1, Some(1), 0, "2026-05-20", "2026-06-01", 12, 365),
        // Weeks know no day of the month.
        ("2026-05-20", Week, 1, Some(1), 0, "2026-05-20", "2026-05-27", 7, 7),
    ] {
        let found = schedule(start, unit, count, day).period(index).expect("a period");
        assert_eq!(
            dates(found),
            (from.to_owned(), to.to_owned(), charged, total),
            "{start} {unit} {count} {day:?} {index}"
        );
    }
}

#[test]
fn hours_are_instants() {
    let start: DateTime<Utc> = "2026-04-01T10:30:15Z".parse().expect("an instant");
    let interval = Interval::new(IntervalUnit::Hour, 2).expect("an interval");
    let schedule = Schedule::new(start, interval, BillingAnchor::Anniversary, kolkata());
    let second = schedule
        .containing(start + TimeDelta::hours(3))
        .expect("in range")
        .expect("a period");
    assert_eq!((second.index, second.days), (1, None));
    assert_eq!(second.period.start(), start + TimeDelta::hours(2));
    assert_eq!(second.period.end(), start + TimeDelta::hours(4));
    assert_eq!(schedule.containing(start - TimeDelta::seconds(1)), Ok(None));
    assert_eq!(second.share_of(second.period, kolkata()), Err(PeriodError::NoDays));
}

#[test]
fn a_part_is_a_share_of_the_full_period() {
    let first = schedule("2026-01-15", IntervalUnit::Month, 1, None)
        .period(0)
        .expect("a period");
    let rest = Period::of_days(kolkata(), date("2026-01-25"), date("2026-02-15")).expect("a part");
    assert_eq!(first.share_of(rest, kolkata()), DayShare::new(21, 31));
    let beyond = Period::of_days(kolkata(), date("2026-01-25"), date("2026-02-16")).expect("a part");
    assert_eq!(first.share_of(beyond, kolkata()), Err(PeriodError::OutsidePeriod));
}

#[test]
fn what_cannot_be() {
    assert!(CalendarDay::try_from(0).is_err());
    assert!(CalendarDay::try_from(29).is_err());
    assert!(DayShare::new(1, 0).is_err());
    assert!(DayShare::new(32, 31).is_err());
}

proptest! {
    #[test]
    fn periods_follow_each_other_without_gap(
        offset in 0_u64..3000, unit in 0_usize..4, count in 1_u32..14, day in proptest::option::of(1_u8..=28), index in 0_u32..40,
    ) {
        let units = [IntervalUnit::Day, IntervalUnit::Week, IntervalUnit::Month, IntervalUnit::Year];
        let start = (date("2024-01-01") + Days::new(offset)).to_string();
        let schedule = schedule(&start, units[unit], count, day);
        let this = schedule.period(index).expect("a period");
        let next = schedule.period(index + 1).expect("a period");
        prop_assert_eq!(this.period.end(), next.period.start());
        prop_assert_eq!(schedule.containing(this.period.start()), Ok(Some(this)));
        prop_assert_eq!(schedule.containing(this.period.end() - TimeDelta::seconds(1)), Ok(Some(this)));
        prop_assert_eq!(schedule.containing(this.period.end()), Ok(Some(next)));
        let days = this.days.expect("days");
        prop_assert_eq!(kolkata().days_in(this.period), i64::from(days.charged()));
        prop_assert!(days.is_whole() || index == 0);
    }
}

#[test]
fn periods_between_two_days_are_counted_before_the_start_as_well() {
    use IntervalUnit::{Hour, Month, Week};
    let ratio = |n: i64, d: i64| Some(BigRational::new(BigInt::from(n), BigInt::from(d)));
    for (start, unit, count, day, from, until, periods) in [
        ("2026-04-01", Month, 1, None, "2026-04-01", "2027-01-01", ratio(9, 1)),
        (
            "2026-04-01",
            Month,
            1,
            None,
            "2026-04-11",
            "2026-06-16",
            ratio(20 + 30 + 15, 30),
        ),
        // Twelve days of March, then nine months.
        (
            "2026-04-01",
            Month,
            1,
            None,
            "2026-03-20",
            "2027-01-01",
            ratio(9 * 31 + 12, 31),
        ),
        ("2026-03-31", Month, 1, None, "2026-01-31", "2026-04-30", ratio(3, 1)),
        ("2026-05-01", Month, 3, None, "2026-04-28", "2026-08-01", ratio(92, 89)),
        ("2026-05-20", Month, 1, Some(1), "2026-04-16", "2026-07-01", ratio(5, 2)),
        ("2026-05-20", Week, 2, None, "2026-05-13", "2026-06-03", ratio(3, 2)),
        ("2026-04-01", Month, 1, None, "2026-04-01", "2026-04-01", ratio(0, 1)),
        ("2026-04-01", Month, 1, None, "2026-04-02", "2026-04-01", ratio(0, 1)),
        ("2026-04-01", Hour, 6, None, "2026-04-01", "2026-05-01", None),
    ] {
        let found = schedule(start, unit, count, day)
            .periods_between(date(from), date(until))
            .expect("in range");
        assert_eq!(found, periods, "{start} {unit} {count} {day:?}: {from} to {until}");
    }
}
