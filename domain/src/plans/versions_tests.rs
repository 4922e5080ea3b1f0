use chrono::{DateTime, Utc};
use proptest::prelude::*;
use rust_decimal::Decimal;

use super::*;
use crate::kernel::ids::PlanId;
use crate::plans::{BillIn, IntervalUnit, PaymentMode, PlanKind};

fn day(n: i64) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 1, 1).unwrap() + chrono::TimeDelta::days(n)
}

/// The version with that number, from day `from` on.
fn version(number: i32, from: Option<i64>, new_services_only: bool, withdrawn: bool) -> Plan {
    Plan {
        id: PlanId::new(),
        code: "home".into(),
        name: "Home".into(),
        kind: PlanKind::Broadband,
        payment_mode: PaymentMode::Prepaid,
        bill_in: BillIn::Advance,
        period_unit: IntervalUnit::Month,
        period_count: 1,
        retired_at: None,
        created_at: DateTime::<Utc>::UNIX_EPOCH,
        version: 1,
        version_id: PlanVersionId::new(),
        version_number: number,
        effective_on: from.map(day),
        new_services_only,
        withdrawn_at: withdrawn.then_some(DateTime::<Utc>::UNIX_EPOCH),
        version_created_at: DateTime::<Utc>::UNIX_EPOCH,
        price: Decimal::from(number),
        currency: "INR".into(),
        tax_inclusive: false,
        tax_code: None,
        download_kbps: None,
        upload_kbps: None,
        data_cap_bytes: None,
        fair_use_download_kbps: None,
        fair_use_upload_kbps: None,
        simultaneous_sessions: 1,
        trial_days: None,
        term_unit: None,
        term_count: None,
        exit_kind: None,
        exit_value: None,
    }
}

#[test]
fn what_is_sold_and_what_a_service_gets() {
    let all = [
        version(1, None, false, false),
        version(2, Some(10), false, false),
        version(3, Some(20), true, false),
        version(5, Some(25), false, true),
        version(4, Some(30), false, false),
    ];
    let number = |found: Option<&Plan>| found.map(|v| v.version_number);
    for (on, sold, of_first, of_third) in [(9, 1, 1, 3), (10, 2, 2, 3), (20, 3, 2, 3), (29, 3, 2, 3), (30, 4, 4, 4)] {
        assert_eq!(number(in_force(&all, day(on))), Some(sold), "sold on day {on}");
        let next = |n: usize| number(next_for(&all, all[n].version_id, day(on)));
        assert_eq!(next(0), Some(of_first), "of the first on day {on}");
        assert_eq!(next(2), Some(of_third), "of the third on day {on}");
    }
    assert_eq!(number(next_for(&all, PlanVersionId::new(), day(50))), None);
}

/// What was invoiced in advance by a version that was taken back stays; nothing else is charged by it.
#[test]
fn whoever_has_a_withdrawn_version_gets_the_last_one_that_counts() {
    let number = |all: &[Plan], own: usize, on: i64| next_for(all, all[own].version_id, day(on)).map(|v| v.version_number);
    let taken_back = [
        version(1, None, false, false),
        version(2, Some(10), true, false),
        version(3, Some(20), false, true),
        version(4, Some(40), false, false),
    ];
    assert_eq!(number(&taken_back, 2, 30), Some(1), "not what new services get");
    assert_eq!(number(&taken_back, 2, 40), Some(4));
    assert_eq!(number(&taken_back, 1, 30), Some(2), "who was sold it keeps it");
    let only_for_new = [version(1, None, true, false), version(2, Some(20), false, true)];
    assert_eq!(number(&only_for_new, 1, 30), Some(1), "there is no other");
}

proptest! {
    /// A service never goes back to an earlier version, nor to one that does not count or is not for it; and the later the
    /// day, the later the version.
    #[test]
    fn a_service_only_goes_forward(
        flags in prop::collection::vec((0_i64..40, any::<bool>(), any::<bool>()), 1..8),
        own in 0_usize..8,
        on in 0_i64..45,
    ) {
        let mut all = vec![version(1, None, false, false)];
        let mut days: Vec<_> = flags;
        days.sort_by_key(|f| f.0);
        all.extend((2..).zip(days).map(|(n, (from, new, gone))| version(n, Some(from), new, gone)));
        let own = own.min(all.len() - 1);
        let at = |on: i64| {
            let found = next_for(&all, all[own].version_id, day(on)).expect("its own at least");
            all.iter().position(|v| v.version_id == found.version_id).expect("one of them")
        };
        let next = at(on);
        let withdrawn = all[own].withdrawn_at.is_some();
        prop_assert!(next >= own || withdrawn);
        let counted = counts(&all[next], day(on));
        let allowed = if withdrawn { counted } else { next == own || (counted && !all[next].new_services_only) };
        prop_assert!(allowed);
        prop_assert!(at(on + 1) >= next);
        prop_assert!(in_force(&all, day(on)).is_some_and(|v| counts(v, day(on))));
    }
}
