use proptest::prelude::*;

use super::*;

fn date(text: &str) -> NaiveDate {
    text.parse().expect("a date")
}

fn zone(name: &str) -> Zone {
    name.parse().expect("a zone")
}

#[test]
fn zones_parse_by_their_iana_name() {
    assert_eq!(zone("Asia/Kolkata").name(), "Asia/Kolkata");
    assert!("Asia/Atlantis".parse::<Zone>().is_err());
    assert!("".parse::<Zone>().is_err());
}

#[test]
fn a_day_starts_at_its_first_instant() {
    for (name, day, expected) in [
        ("Asia/Kolkata", "2026-04-01", "2026-03-31T18:30:00Z"),
        ("Africa/Nairobi", "2026-04-01", "2026-03-31T21:00:00Z"),
        // Midnight is skipped: 00:00 becomes 01:00.
        ("Africa/Cairo", "2026-04-24", "2026-04-23T22:00:00Z"),
        ("America/Santiago", "2026-09-06", "2026-09-06T04:00:00Z"),
        // Midnight comes twice: 01:00 becomes 00:00.
        ("America/Havana", "2026-11-01", "2026-11-01T04:00:00Z"),
        // 24:00 becomes 23:00 of the same day: midnight comes once.
        ("America/Santiago", "2026-04-05", "2026-04-05T04:00:00Z"),
        // The day that Samoa left out.
        ("Pacific/Apia", "2011-12-30", "2011-12-30T10:00:00Z"),
        ("Pacific/Apia", "2011-12-31", "2011-12-30T10:00:00Z"),
    ] {
        let start = zone(name).start_of_day(date(day));
        assert_eq!(
            start.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
            expected,
            "{name} {day}"
        );
    }
}

#[test]
fn periods_are_half_open_and_never_empty() {
    let kolkata = zone("Asia/Kolkata");
    let april = Period::of_days(kolkata, date("2026-04-01"), date("2026-05-01")).expect("a month");
    assert!(april.contains(april.start()));
    assert!(!april.contains(april.end()));
    assert_eq!(kolkata.days_in(april), 30);
    assert_eq!(Period::new(april.start(), april.start()), Err(CalendarError::EmptyPeriod));
    assert_eq!(Period::new(april.end(), april.start()), Err(CalendarError::EmptyPeriod));
    let json = serde_json::to_string(&april).expect("json");
    assert_eq!(serde_json::from_str::<Period>(&json).expect("period"), april);
}

#[test]
fn intervals_are_bounded() {
    assert!(Interval::new(IntervalUnit::Day, 0).is_err());
    assert!(Interval::new(IntervalUnit::Day, Interval::MAX_COUNT + 1).is_err());
    assert!(serde_json::from_str::<Interval>(r#"{"unit":"DAY","count":0}"#).is_err());
    let month = Interval::new(IntervalUnit::Month, 1).expect("a month");
    assert_eq!(month.after(date("2027-12-31"), 2), Ok(Some(date("2028-02-29"))));
    assert_eq!(month.after(date("2027-12-31"), u32::MAX), Err(CalendarError::OutOfRange));
}

proptest! {
    #[test]
    fn the_instant_before_a_day_belongs_to_another(offset in 0_i64..20_000, which in 0_usize..6) {
        let zones = ["Asia/Kolkata", "Africa/Nairobi", "Africa/Cairo", "America/Santiago", "America/Havana", "Asia/Beirut"];
        let zone = zone(zones[which]);
        let day = date("2000-01-01") + TimeDelta::days(offset);
        let start = zone.start_of_day(day);
        prop_assert_eq!(zone.local_date(start), day);
        prop_assert!(zone.local_date(start - TimeDelta::seconds(1)) < day);
    }
}

#[test]
fn hours_of_a_day_are_the_first_of_two_and_the_next_after_a_gap() {
    let at = |name, day, hour| zone(name).hour_of_day(date(day), hour).to_rfc3339();
    assert_eq!(at("Asia/Kolkata", "2026-05-01", 3), "2026-04-30T21:30:00+00:00");
    // 02:00 becomes 03:00.
    assert_eq!(at("America/New_York", "2026-03-08", 2), "2026-03-08T07:00:00+00:00");
    // 01:00 comes twice.
    assert_eq!(at("America/New_York", "2026-11-01", 1), "2026-11-01T05:00:00+00:00");
}
