//! Which step of the ladder an invoice is at, and when a run is stopped. Pure.

use chrono::{Days, NaiveDate};
use rust_decimal::Decimal;

use super::entity::BrakeReason;
use crate::kernel::calendar::days_between;

/// A step that was missed is made up for so many days later, and then no more.
const STALE_AFTER: i64 = 7;
/// How far from the due date a step may lie.
pub const EARLIEST_STEP: i32 = -60;
pub const LATEST_STEP: i32 = 365;
pub const MAX_STEPS: usize = 20;

/// The step that an unpaid invoice is to be reminded at today, given in days from its due date: the newest that has come. What
/// came before it is passed over, since it would say what is no longer so. None on or before the day of issue, which the
/// invoice itself speaks for; none before the due date once that has passed; and none that came more than a week ago.
pub fn step(ladder: &[i32], issued_on: NaiveDate, due_on: NaiveDate, today: NaiveDate) -> Option<i32> {
    let late = i32::try_from(days_between(due_on, today)).ok()?;
    let step = ladder.iter().copied().filter(|days| *days <= late).max()?;
    let came_on = day(due_on, step)?;
    let fresh = came_on > issued_on && i64::from(late - step) <= STALE_AFTER && (step >= 0 || late <= 0);
    fresh.then_some(step)
}

/// The due dates that invoices have which may be at one of these steps today.
pub fn reach(ladder: &[i32], today: NaiveDate) -> Option<(NaiveDate, NaiveDate)> {
    let (first, last) = (ladder.iter().min()?, ladder.iter().max()?);
    let stale = i32::try_from(STALE_AFTER).ok()?;
    Some((day(today, -(last + stale))?, day(today, -first)?))
}

fn day(from: NaiveDate, later: i32) -> Option<NaiveDate> {
    let days = Days::new(u64::from(later.unsigned_abs()));
    match later < 0 {
        true => from.checked_sub_days(days),
        false => from.checked_add_days(days),
    }
}

/// What anybody may promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PromiseLimits {
    /// Days from today; None: nothing is promised.
    pub max_days: Option<u32>,
    /// Open promises of one payer.
    pub max_open: u32,
}

/// When a run is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Percent of [`Prospect::of_subscribers`]; None: however many it would cut.
    pub share: Option<Decimal>,
    /// Not for fewer subscribers than these.
    pub least: u32,
    /// So many payments without a subscriber; None: however many there are.
    pub unmatched: Option<u32>,
}

/// What a run would do, and what there is to be considered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Prospect {
    /// Subscribers of whom it would switch off or end something.
    pub subscribers: u32,
    /// Services that it would switch off or end.
    pub cuts: u32,
    /// Subscribers who are served, and those of whom it would end something that is off.
    pub of_subscribers: u32,
    pub unmatched: u32,
    pub on_hold: bool,
}

/// Why such a run is stopped; nothing when it is not. One that would cut nobody has nothing to be stopped for.
pub fn reasons(limits: &Limits, prospect: &Prospect) -> Vec<BrakeReason> {
    if prospect.cuts == 0 {
        return Vec::new();
    }
    let too_many = limits.share.is_some_and(|share| {
        let allowed = Decimal::from(prospect.of_subscribers) * share;
        prospect.subscribers >= limits.least && Decimal::from(prospect.subscribers) * Decimal::ONE_HUNDRED > allowed
    });
    let unmatched = limits.unmatched.is_some_and(|least| prospect.unmatched >= least);
    [
        (too_many, BrakeReason::TooMany),
        (unmatched, BrakeReason::UnmatchedPayments),
        (prospect.on_hold, BrakeReason::CollectionHold),
    ]
    .into_iter()
    .filter_map(|(holds, reason)| holds.then_some(reason))
    .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rust_decimal_macros::dec;

    use super::*;

    fn at(day: &str) -> NaiveDate {
        day.parse().expect("a day")
    }

    #[test]
    fn the_newest_step_that_has_come_is_told_and_nothing_that_is_no_longer_so() {
        let ladder = [-3, 0, 1, 7];
        let due = at("2026-05-20");
        for (today, issued, expected) in [
            ("2026-05-16", "2026-05-05", None),
            ("2026-05-17", "2026-05-05", Some(-3)),
            ("2026-05-19", "2026-05-05", Some(-3)),
            ("2026-05-20", "2026-05-05", Some(0)),
            ("2026-05-21", "2026-05-05", Some(1)),
            ("2026-05-26", "2026-05-05", Some(1)),
            ("2026-05-27", "2026-05-05", Some(7)),
            ("2026-06-03", "2026-05-05", Some(7)),
            ("2026-06-04", "2026-05-05", None),
            // Issued on its due date: the invoice itself has said so.
            ("2026-05-20", "2026-05-20", None),
            ("2026-05-21", "2026-05-20", Some(1)),
            ("2026-05-18", "2026-05-18", None),
            ("2026-05-19", "2026-05-17", None),
        ] {
            assert_eq!(
                step(&ladder, at(issued), due, at(today)),
                expected,
                "{today}, issued {issued}"
            );
        }
        assert_eq!(step(&[-3], at("2026-05-05"), due, at("2026-05-20")), Some(-3), "due today");
        assert_eq!(
            step(&[-3], at("2026-05-05"), due, at("2026-05-21")),
            None,
            "not after the due date"
        );
        assert_eq!(step(&[], at("2026-05-05"), due, at("2026-05-21")), None);
    }

    proptest! {
        #[test]
        fn a_step_is_within_reach_and_never_the_older_of_two(
            ladder in prop::collection::vec(EARLIEST_STEP..=LATEST_STEP, 1..MAX_STEPS), late in -80_i64..400, lead in 0_u64..100,
        ) {
            let today = at("2026-05-20");
            let due = if late < 0 { today + Days::new(late.unsigned_abs()) } else { today - Days::new(late.unsigned_abs()) };
            let issued = due - Days::new(lead);
            if let Some(found) = step(&ladder, issued, due, today) {
                let (from, to) = reach(&ladder, today).unwrap();
                prop_assert!((from..=to).contains(&due));
                prop_assert!(i64::from(found) <= late);
                prop_assert!(ladder.iter().all(|other| i64::from(*other) > late || *other <= found));
            }
        }
    }

    #[test]
    fn a_run_is_stopped_by_its_share_above_a_least_number_by_unmatched_payments_and_by_a_hold() {
        let limits = Limits {
            share: Some(dec!(25)),
            least: 10,
            unmatched: Some(2),
        };
        let quiet = Prospect {
            subscribers: 10,
            cuts: 12,
            of_subscribers: 40,
            unmatched: 1,
            on_hold: false,
        };
        let with = |change: fn(&mut Prospect)| {
            let mut prospect = quiet;
            change(&mut prospect);
            reasons(&limits, &prospect)
        };
        assert_eq!(reasons(&limits, &quiet), [], "a quarter is not more than a quarter");
        assert_eq!(with(|p| p.of_subscribers = 39), [BrakeReason::TooMany]);
        assert_eq!(
            with(|p| {
                p.subscribers = 9;
                p.of_subscribers = 9;
            }),
            [],
            "fewer than the least number"
        );
        assert_eq!(with(|p| p.unmatched = 2), [BrakeReason::UnmatchedPayments]);
        assert_eq!(with(|p| p.on_hold = true), [BrakeReason::CollectionHold]);
        assert_eq!(
            with(|p| {
                p.cuts = 0;
                p.subscribers = 0;
                p.on_hold = true;
                p.unmatched = 9;
            }),
            [],
            "nobody would be cut"
        );
        let off = Limits {
            share: None,
            least: 1,
            unmatched: None,
        };
        assert_eq!(
            reasons(
                &off,
                &Prospect {
                    of_subscribers: 10,
                    unmatched: 9,
                    ..quiet
                }
            ),
            []
        );
    }
}
