use chrono::TimeDelta;
use proptest::prelude::*;

use super::*;
use crate::kernel::calendar::Interval;

fn zone() -> Zone {
    "Asia/Kolkata".parse().unwrap()
}

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// Midnight of that day.
fn at(text: &str) -> DateTime<Utc> {
    zone().start_of_day(day(text))
}

fn charged(from: &str, until: &str, paid: bool, due_on: &str) -> Charged {
    Charged {
        period: Period::of_days(zone(), day(from), day(until)).unwrap(),
        paid,
        credited: false,
        written_off_at: None,
        due_on: day(due_on),
        awaited_until: day(due_on),
    }
}

fn facts(mode: PaymentMode, grace_days: u32, charged: Vec<Charged>) -> Facts {
    Facts {
        mode,
        unit: IntervalUnit::Month,
        grace_days,
        awaits_payment: false,
        in_arrears_since: None,
        kept_on_until: None,
        zone: zone(),
        charged,
    }
}

const EXPIRED: Standing = Standing::Blocked(SuspensionCause::Expired);
const ARREARS: Standing = Standing::Blocked(SuspensionCause::Arrears);

/// The standing at the start of each of these days.
fn course(facts: &Facts, days: &[&str]) -> Vec<Standing> {
    days.iter().map(|d| facts.standing(at(d))).collect()
}

/// What falls due on the day itself is not overdue: neither what is due then, nor time that is paid until then.
#[test]
fn overdue_is_what_was_to_be_paid_before_today() {
    let prepaid = |paid| charged("2026-05-05", "2026-06-05", paid, "2026-05-05");
    let april = charged("2026-04-05", "2026-05-05", true, "2026-04-05");
    for (mode, charged, day, overdue) in [
        (PaymentMode::Prepaid, vec![april], "2026-05-05", false),
        (PaymentMode::Prepaid, vec![april], "2026-05-06", true),
        (PaymentMode::Prepaid, vec![april, prepaid(false)], "2026-05-05", false),
        (PaymentMode::Prepaid, vec![april, prepaid(false)], "2026-05-06", true),
        (PaymentMode::Prepaid, vec![april, prepaid(true)], "2026-05-06", false),
        (PaymentMode::Postpaid, vec![prepaid(false)], "2026-05-05", false),
        (PaymentMode::Postpaid, vec![prepaid(false)], "2026-05-06", true),
        (PaymentMode::Postpaid, vec![prepaid(true)], "2026-05-06", false),
    ] {
        let noon = at(day) + TimeDelta::hours(12);
        assert_eq!(
            facts(mode, 5, charged.clone()).is_overdue(noon),
            overdue,
            "{mode:?} {charged:?} on {day}"
        );
    }
}

/// Golden IN-09: renewal due on 5 May, five days of grace, off from 10 May at midnight, on again when paid.
#[test]
fn an_unpaid_renewal_has_five_days_of_grace() {
    let mut facts = facts(
        PaymentMode::Prepaid,
        5,
        vec![
            charged("2026-04-05", "2026-05-05", true, "2026-04-05"),
            charged("2026-05-05", "2026-06-05", false, "2026-05-05"),
        ],
    );
    let days = ["2026-05-04", "2026-05-05", "2026-05-09", "2026-05-10", "2026-05-16"];
    assert_eq!(
        course(&facts, &days),
        [Standing::Good, Standing::Grace, Standing::Grace, EXPIRED, EXPIRED]
    );
    assert_eq!(facts.access_until(), Some(at("2026-05-10")));
    assert_eq!(facts.standing(at("2026-05-10") - TimeDelta::seconds(1)), Standing::Grace);
    facts.charged[1].paid = true;
    assert_eq!(facts.standing(at("2026-05-16")), Standing::Good);
    assert_eq!(facts.paid_until(), Some(at("2026-06-05")));
}

#[test]
fn a_first_invoice_counts_from_its_due_date() {
    let first = |grace| {
        facts(
            PaymentMode::Prepaid,
            grace,
            vec![charged("2026-04-01", "2026-05-01", false, "2026-04-01")],
        )
    };
    let days = ["2026-04-01", "2026-04-02", "2026-04-03", "2026-04-04"];
    assert_eq!(
        course(&first(3), &days),
        [Standing::Good, Standing::Grace, Standing::Grace, EXPIRED]
    );
    // Without grace the due date itself is served: it can still be paid on that day.
    assert_eq!(course(&first(0), &days[..2]), [Standing::Good, EXPIRED]);
    assert_eq!(first(3).paid_until(), None);
}

#[test]
fn what_awaits_payment_is_not_served_before() {
    let mut facts = facts(
        PaymentMode::Prepaid,
        3,
        vec![charged("2026-04-01", "2026-05-01", false, "2026-04-01")],
    );
    facts.awaits_payment = true;
    assert_eq!(facts.standing(at("2026-04-01")), EXPIRED);
}

#[test]
fn a_pass_of_one_hour_ends_with_its_hour() {
    let start = at("2026-04-01") + TimeDelta::hours(10);
    let end = start + TimeDelta::hours(1);
    for paid in [true, false] {
        let facts = Facts {
            unit: IntervalUnit::Hour,
            ..facts(
                PaymentMode::Prepaid,
                3,
                vec![Charged {
                    period: Period::new(start, end).unwrap(),
                    paid,
                    credited: false,
                    written_off_at: None,
                    due_on: day("2026-04-01"),
                    awaited_until: day("2026-04-01"),
                }],
            )
        };
        assert_eq!(facts.standing(end - TimeDelta::seconds(1)), Standing::Good);
        assert_eq!(facts.standing(end), EXPIRED);
        assert_eq!(facts.access_until(), Some(end));
    }
}

#[test]
fn postpaid_is_off_after_due_date_and_grace_and_radius_alone_never_ends_it() {
    let mut facts = facts(
        PaymentMode::Postpaid,
        3,
        vec![
            charged("2026-03-01", "2026-04-01", true, "2026-03-16"),
            charged("2026-04-01", "2026-05-01", false, "2026-04-16"),
            charged("2026-05-01", "2026-06-01", false, "2026-05-16"),
        ],
    );
    let days = ["2026-04-16", "2026-04-17", "2026-04-18", "2026-04-19", "2026-06-30"];
    assert_eq!(
        course(&facts, &days),
        [Standing::Good, Standing::Grace, Standing::Grace, ARREARS, ARREARS]
    );
    assert_eq!((facts.access_until(), facts.paid_until()), (None, None));
    facts.charged[1].paid = true;
    assert_eq!(facts.standing(at("2026-05-16")), Standing::Good);
    assert_eq!(facts.standing(at("2026-05-19")), ARREARS);
    facts.charged.clear();
    assert_eq!(facts.standing(at("2026-05-19")), Standing::Good);
}

#[test]
fn without_grace_it_is_renewed_at_the_end_of_its_paid_time_and_not_later() {
    let mut facts = facts(
        PaymentMode::Prepaid,
        0,
        vec![charged("2026-04-01", "2026-05-01", true, "2026-04-01")],
    );
    assert_eq!(facts.standing(at("2026-05-01")), EXPIRED);
    assert!(facts.renews(at("2026-05-01")) && !facts.renews(at("2026-05-02")));
    facts.grace_days = 2;
    assert!(facts.renews(at("2026-05-02")) && !facts.renews(at("2026-05-03")));
}

/// A period after a gap, in which the service was off, begins a new count.
#[test]
fn a_new_beginning_counts_from_its_own_due_date() {
    let facts = facts(
        PaymentMode::Prepaid,
        3,
        vec![
            charged("2026-04-05", "2026-05-05", true, "2026-04-05"),
            charged("2026-06-20", "2026-07-20", false, "2026-06-20"),
        ],
    );
    assert_eq!(
        course(&facts, &["2026-06-20", "2026-06-22", "2026-06-23"]),
        [Standing::Good, Standing::Grace, EXPIRED]
    );
}

fn schedule(start: DateTime<Utc>, anchor: BillingAnchor) -> Schedule {
    Schedule::new(start, Interval::new(IntervalUnit::Month, 1).unwrap(), anchor, zone())
}

fn first_of_month() -> BillingAnchor {
    BillingAnchor::Calendar(1.try_into().unwrap())
}

/// Golden IN-06: from 10 February 2028 to the calendar's 1 March, 20 of 29 days; then whole months.
#[test]
fn the_first_charge_of_a_calendar_is_a_stub() {
    let schedule = schedule(at("2028-02-10"), first_of_month());
    let first = charge_from(&schedule, at("2028-02-10"), zone()).unwrap();
    assert_eq!(first.share, Some(DayShare::new(20, 29).unwrap()));
    assert_eq!(first.period.end(), at("2028-03-01"));
    let second = charge_from(&schedule, first.period.end(), zone()).unwrap();
    assert!(second.share.unwrap().is_whole());
    assert_eq!(second.period.end(), at("2028-04-01"));
}

/// Golden IN-10: from 31 December, charge by charge, each from the original anchor.
#[test]
fn charges_follow_the_original_anchor() {
    let schedule = schedule(at("2027-12-31"), BillingAnchor::Anniversary);
    let mut from = at("2027-12-31");
    let mut starts = Vec::new();
    for _ in 0..5 {
        let charge = charge_from(&schedule, from, zone()).unwrap();
        assert!(charge.share.unwrap().is_whole());
        from = charge.period.end();
        starts.push(zone().local_date(from).to_string());
    }
    assert_eq!(starts, ["2028-01-31", "2028-02-29", "2028-03-31", "2028-04-30", "2028-05-31"]);
}

#[test]
fn what_is_left_of_a_period_is_charged_by_its_days() {
    let schedule = schedule(at("2026-04-01"), BillingAnchor::Anniversary);
    let rest = charge_from(&schedule, at("2026-04-21"), zone()).unwrap();
    assert_eq!(rest.share, Some(DayShare::new(10, 30).unwrap()));
    assert_eq!(rest.period.end(), at("2026-05-01"));
}

#[test]
fn a_first_period_begins_when_it_is_paid() {
    let moved = |from: &str, until: &str, paid: &str, anchor, whole| {
        let charged = Period::of_days(zone(), day(from), day(until)).unwrap();
        let paid_at = at(paid) + TimeDelta::hours(15);
        let to = moved_to(
            charged,
            paid_at,
            IntervalUnit::Month,
            anchor,
            whole,
            |start| schedule(start, anchor),
            zone(),
        )
        .unwrap();
        (
            zone().local_date(to.start()).to_string(),
            zone().local_date(to.end()).to_string(),
        )
    };
    let anniversary = BillingAnchor::Anniversary;
    for (from, until, paid, anchor, whole, expected) in [
        (
            "2026-04-01",
            "2026-05-01",
            "2026-04-01",
            anniversary,
            true,
            ("2026-04-01", "2026-05-01"),
        ),
        (
            "2026-04-01",
            "2026-05-01",
            "2026-03-30",
            anniversary,
            true,
            ("2026-04-01", "2026-05-01"),
        ),
        (
            "2026-04-01",
            "2026-05-01",
            "2026-05-04",
            anniversary,
            true,
            ("2026-05-04", "2026-06-04"),
        ),
        (
            "2026-04-18",
            "2026-05-01",
            "2026-05-04",
            anniversary,
            false,
            ("2026-05-04", "2026-05-17"),
        ),
        (
            "2026-04-18",
            "2026-05-01",
            "2026-04-20",
            first_of_month(),
            true,
            ("2026-04-20", "2026-05-03"),
        ),
    ] {
        let (start, end) = moved(from, until, paid, anchor, whole);
        assert_eq!((start.as_str(), end.as_str()), expected, "{from} paid on {paid}");
    }
}

proptest! {
    /// Paying never shortens access, and standing only gets worse with time while nobody pays.
    #[test]
    fn payment_helps_and_time_does_not(
        paid in proptest::collection::vec(any::<bool>(), 1..6),
        pay in any::<prop::sample::Index>(),
        grace in 0_u32..10,
        prepaid in any::<bool>(),
        hours in proptest::collection::vec(0_i64..6000, 2),
    ) {
        let schedule = schedule(at("2026-01-31"), BillingAnchor::Anniversary);
        let charged: Vec<Charged> = paid.iter().enumerate().map(|(i, paid)| {
            let period = schedule.period(i as u32).unwrap().period;
            Charged { period, paid: *paid, credited: false, written_off_at: None, due_on: zone().local_date(period.start()), awaited_until: zone().local_date(period.start()) }
        }).collect();
        let mode = if prepaid { PaymentMode::Prepaid } else { PaymentMode::Postpaid };
        let before = facts(mode, grace, charged);
        let rank = |s: Standing| match s { Standing::Good => 0, Standing::Grace => 1, Standing::Blocked(_) => 2 };
        let mut times: Vec<_> = hours.iter().map(|h| at("2026-01-31") + TimeDelta::hours(*h)).collect();
        times.sort();
        prop_assert!(rank(before.standing(times[0])) <= rank(before.standing(times[1])));
        let mut after = before.clone();
        let i = pay.index(after.charged.len());
        after.charged[i].paid = true;
        prop_assert!(after.paid_until() >= before.paid_until());
        prop_assert!(rank(after.standing(times[1])) <= rank(before.standing(times[1])));
        prop_assert_eq!(after.standing(times[0]), after.standing(times[0]));
    }

    /// Charges, one after the other, leave no gap and never overlap, wherever they begin.
    #[test]
    fn charges_join(days_in in 0_u64..400, calendar in any::<bool>(), n in 1_usize..15) {
        let anchor = if calendar { first_of_month() } else { BillingAnchor::Anniversary };
        let start = day("2027-12-31");
        let schedule = schedule(zone().start_of_day(start), anchor);
        let mut from = zone().start_of_day(start + Days::new(days_in));
        for _ in 0..n {
            let charge = charge_from(&schedule, from, zone()).unwrap();
            prop_assert_eq!(charge.period.start(), from);
            let share = charge.share.unwrap();
            prop_assert_eq!(i64::from(share.charged()), zone().days_in(charge.period));
            from = charge.period.end();
        }
    }
}

/// A promise holds the end of service until its last day is over, and nothing else.
#[test]
fn a_promise_and_the_brake_hold_the_end_of_service_only() {
    let mut postpaid = facts(
        PaymentMode::Postpaid,
        3,
        vec![charged("2026-04-01", "2026-05-01", false, "2026-04-16")],
    );
    let days = ["2026-04-16", "2026-04-17", "2026-04-19", "2026-04-24", "2026-04-25"];
    assert_eq!(
        course(&postpaid, &days),
        [Standing::Good, Standing::Grace, ARREARS, ARREARS, ARREARS]
    );
    postpaid.charged[0].awaited_until = day("2026-04-24");
    assert_eq!(
        course(&postpaid, &days),
        [Standing::Good, Standing::Grace, Standing::Grace, Standing::Grace, ARREARS]
    );
    // Another invoice that nobody promised to pay is due as it says.
    postpaid
        .charged
        .push(charged("2026-05-01", "2026-06-01", false, "2026-04-17"));
    assert_eq!(postpaid.standing(at("2026-04-20")), ARREARS);
    postpaid.kept_on_until = Some(at("2026-04-22"));
    assert_eq!(postpaid.standing(at("2026-04-20")), Standing::Grace);
    assert_eq!(postpaid.standing(at("2026-04-22")), ARREARS);

    let mut prepaid = facts(
        PaymentMode::Prepaid,
        3,
        vec![
            charged("2026-04-01", "2026-05-01", true, "2026-04-01"),
            charged("2026-05-01", "2026-06-01", false, "2026-05-01"),
        ],
    );
    assert_eq!(prepaid.access_until(), Some(at("2026-05-04")));
    prepaid.charged[1].awaited_until = day("2026-05-10");
    assert_eq!(prepaid.access_until(), Some(at("2026-05-11")));
    assert_eq!(prepaid.paid_until(), Some(at("2026-05-01")), "it is not paid for all that");
    prepaid.charged[1].awaited_until = day("2026-05-02");
    assert_eq!(prepaid.access_until(), Some(at("2026-05-04")), "never sooner than without it");
    prepaid.kept_on_until = Some(at("2026-05-20"));
    assert_eq!(prepaid.access_until(), Some(at("2026-05-20")));
}

/// Given up, prepaid time is neither paid nor owed.
#[test]
fn what_is_given_up_is_no_paid_time() {
    let mut facts = facts(
        PaymentMode::Prepaid,
        3,
        vec![
            charged("2026-04-01", "2026-05-01", true, "2026-04-01"),
            charged("2026-05-01", "2026-06-01", true, "2026-05-01"),
        ],
    );
    facts.charged[1].written_off_at = Some(at("2026-05-02"));
    assert_eq!(facts.paid_until(), Some(at("2026-05-01")));
    assert!(!facts.owes() && facts.given_up() && !facts.charged[1].is_bought());
    assert!(!facts.renews(at("2026-05-20")));
    assert_eq!(course(&facts, &["2026-05-03", "2026-05-04"]), [Standing::Grace, EXPIRED]);
    // What is charged later counts for itself.
    facts.charged.push(charged("2026-07-01", "2026-08-01", false, "2026-07-01"));
    assert_eq!(course(&facts, &["2026-07-01", "2026-07-04"]), [Standing::Good, EXPIRED]);
    facts.charged[2].paid = true;
    assert_eq!(facts.standing(at("2026-07-04")), Standing::Good);
    assert!(!facts.given_up());
}

/// Postpaid, it keeps a debtor off who is off, and cuts nobody.
#[test]
fn what_is_given_up_brings_no_debtor_back_and_cuts_nobody() {
    let mut facts = facts(
        PaymentMode::Postpaid,
        3,
        vec![charged("2026-04-01", "2026-05-01", true, "2026-04-16")],
    );
    facts.charged[0].written_off_at = Some(at("2026-07-20"));
    assert_eq!(facts.standing(at("2026-07-21")), Standing::Good, "it is on");
    facts.in_arrears_since = Some(at("2026-04-19"));
    assert_eq!(course(&facts, &["2026-07-21", "2026-09-01"]), [ARREARS, ARREARS]);
    facts.charged[0].written_off_at = None;
    assert_eq!(facts.standing(at("2026-07-21")), Standing::Good, "paid after all");
    // What was given up while it was on has nothing to do with a later debt that is paid.
    facts.charged[0].written_off_at = Some(at("2026-04-18"));
    assert_eq!(facts.standing(at("2026-07-21")), Standing::Good);
}
