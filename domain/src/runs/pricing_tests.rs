use chrono::{DateTime, Days, NaiveDate, Utc};
use proptest::prelude::*;

use super::*;
use crate::billing::rules::DayShare;
use crate::kernel::ids::{AddonId, ServiceAddonId, ServiceId, SubscriberId};
use crate::runs::standing::cut_at;

fn zone(n: usize) -> Zone {
    let names = ["Asia/Kolkata", "America/New_York", "Pacific/Auckland", "Africa/Nairobi"];
    names[n % names.len()].parse().expect("a zone")
}

fn day(n: u64) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 3, 1).expect("a day") + Days::new(n)
}

fn addon(from: u64, until: Option<u64>) -> ServiceAddon {
    ServiceAddon {
        id: ServiceAddonId::new(),
        service_id: ServiceId::new(),
        addon_id: AddonId::new(),
        name: "Fixed address".into(),
        quantity: 2,
        price: Decimal::from(150),
        agreed_price: None,
        currency: "INR".into(),
        tax_inclusive: false,
        tax_code: None,
        starts_on: day(from),
        ends_on: until.map(day),
        created_at: DateTime::<Utc>::UNIX_EPOCH,
    }
}

fn of() -> OfService {
    OfService {
        service_id: ServiceId::new(),
        subscriber_id: SubscriberId::new(),
        installation: None,
    }
}

/// So many days of a full period of `total`.
fn charge(zone: Zone, from: u64, days: u64, total: u32) -> Charge {
    Charge {
        period: Period::of_days(zone, day(from), day(from + days)).expect("a period"),
        share: Some(DayShare::new(u32::try_from(days).expect("few"), total).expect("a share")),
    }
}

fn charged(lines: &[NewLine]) -> Vec<(Period, Option<DayShare>)> {
    lines
        .iter()
        .filter_map(|line| match line {
            NewLine::Addon(addon) => Some((addon.period, addon.share)),
            _ => None,
        })
        .collect()
}

#[test]
fn hours_are_charged_whole_or_not_at_all() {
    let zone = zone(0);
    let noon = zone.start_of_day(day(5)) + chrono::TimeDelta::hours(12);
    let pass = Charge {
        period: Period::new(noon, noon + chrono::TimeDelta::hours(24)).expect("hours"),
        share: None,
    };
    for (from, until, has) in [(5, None, true), (6, None, false), (0, Some(5), false), (0, Some(6), true)] {
        let lines = addon_lines(&of(), &[addon(from, until)], &[], pass, zone).expect("lines");
        assert_eq!(charged(&lines).len(), usize::from(has), "{from} {until:?}");
    }
}

#[test]
fn time_that_was_moved_to_other_days_is_shared_evenly() {
    // A price for 28 days that is given on 31; the service has the add-on for the last ten of them.
    let zone = zone(0);
    let moved = Charge {
        period: Period::of_days(zone, day(0), day(31)).expect("a period"),
        share: Some(DayShare::new(28, 28).expect("all")),
    };
    let lines = addon_lines(&of(), &[addon(21, None)], &[], moved, zone).expect("lines");
    assert_eq!(charged(&lines)[0].1, Some(DayShare::new(10, 31).expect("a share")));
}

proptest! {
    /// Each day on which the service has the add-on is charged once, whether the period is charged at once or in pieces, and
    /// no other day is.
    #[test]
    fn each_day_of_an_addon_is_charged_once(
        z in 0_usize..4, begins in 0_u64..40, lasts in prop::option::of(0_u64..40), first in 0_u64..40, length in 1_u64..40,
        cut in 0_u64..40,
    ) {
        let zone = zone(z);
        let addon = addon(begins, lasts.map(|n| begins + n));
        let whole = charge(zone, first, length, 45);
        let at = zone.start_of_day(day(first + cut.min(length)));
        let rest = (cut < length).then(|| charge(zone, first + cut, length - cut, 45));
        let pieces = [cut_at(whole, at, zone).expect("a cut"), rest];
        let mut days: Vec<NaiveDate> = Vec::new();
        let mut shares = 0;
        for piece in pieces.into_iter().flatten() {
            for (period, share) in charged(&addon_lines(&of(), std::slice::from_ref(&addon), &[], piece, zone).expect("lines")) {
                let (from, until) = (zone.local_date(period.start()), zone.local_date(period.end()));
                days.extend(from.iter_days().take_while(|d| *d < until));
                shares += share.expect("days").charged();
                prop_assert_eq!(share.expect("days").total(), 45);
            }
        }
        let expected: Vec<NaiveDate> = (first..first + length)
            .map(day)
            .filter(|d| *d >= addon.starts_on && addon.ends_on.is_none_or(|end| *d < end))
            .collect();
        prop_assert_eq!(shares as usize, expected.len());
        prop_assert_eq!(days, expected);
    }
}
