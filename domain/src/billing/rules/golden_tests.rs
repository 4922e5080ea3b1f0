//! The worked cases of `tests/golden/billing-golden.json`, reproduced to the last minor unit.

use chrono::{DateTime, Days, NaiveDate, Utc};
use rust_decimal::Decimal;
use serde_json::Value;

use self::harness::*;
use super::*;
use crate::kernel::calendar::{Period, days_between};
use crate::kernel::money::RoundingMode;

mod harness;

/// Cases whose arithmetic is reproduced here.
const COVERED: [&str; 13] = [
    "IN-01", "IN-02", "IN-03", "IN-04", "IN-06", "IN-07", "IN-09", "IN-10", "IN-13", "KE-01", "KE-03", "KE-04", "KE-06",
];
/// Issue 4 (tax withheld by the customer) covers the rest.
const ISSUE_4: [&str; 1] = ["IN-12"];

#[test]
fn every_case_is_spoken_for() {
    for case in cases() {
        let id = case["id"].as_str().expect("an id").to_owned();
        let known = COVERED.contains(&id.as_str()) || ISSUE_4.contains(&id.as_str());
        assert!(known, "{id} is neither covered nor put off");
    }
    assert!(
        COVERED
            .iter()
            .chain(&ISSUE_4)
            .all(|id| cases().iter().any(|case| case["id"] == *id))
    );
}

#[test]
fn in_01_within_the_state() {
    let case = case("IN-01");
    let india = Country::of(&case);
    let line = india.line(decimal(&case["inputs"]["plan_price"]));
    let invoice = india.invoice(vec![line.clone()]);
    assert_document(&invoice, &case["expected"]["documents"][0]);
    assert_steps(&invoice, &case);
    let rounded = india.rounded(vec![line], RoundingMode::HalfUp, Some(Decimal::ONE));
    let expected = &case["expected"]["variant_round_to_rupee"];
    assert_eq!(amount(rounded.totals.rounding), decimal(&expected["round_off"]));
    assert_eq!(amount(rounded.totals.total), decimal(&expected["total"]));
    assert_steps(&rounded, &case);
}

#[test]
fn in_02_between_states() {
    let case = case("IN-02");
    let india = Country::of(&case);
    let mut line = india.line(decimal(&case["inputs"]["plan_price"]));
    line.treatment = india.treatment("MH", None, "2026-04-01".parse().expect("a date"));
    let invoice = india.invoice(vec![line]);
    assert_document(&invoice, &case["expected"]["documents"][0]);
    assert_steps(&invoice, &case);
}

#[test]
fn in_03_a_tie() {
    let case = case("IN-03");
    let india = Country::of(&case);
    let intra = india.line(decimal(&case["inputs"]["taxable"]));
    let mut inter = intra.clone();
    inter.treatment = india.treatment("MH", None, "2026-04-01".parse().expect("a date"));
    for (key, line, mode) in [
        ("half_up", &intra, RoundingMode::HalfUp),
        ("half_even", &intra, RoundingMode::HalfEven),
        ("igst_half_up", &inter, RoundingMode::HalfUp),
    ] {
        let invoice = india.rounded(vec![line.clone()], mode, None);
        let expected = &case["expected"][key];
        assert_taxes(&invoice.totals.taxes, expected, "");
        assert_eq!(amount(invoice.totals.total), decimal(&expected["total"]), "{key}");
        assert_steps(&invoice, &case);
    }
}

#[test]
fn in_04_a_price_with_tax() {
    let case = case("IN-04");
    let india = Country::of(&case);
    for (key, region) in [("intra", "KA"), ("inter", "MH")] {
        let mut line = india.line(decimal(&case["inputs"]["plan_price"]));
        line.inclusive = true;
        line.treatment = india.treatment(region, None, "2026-04-01".parse().expect("a date"));
        let invoice = india.invoice(vec![line]);
        let expected = &case["expected"][key];
        assert_eq!(amount(invoice.totals.subtotal), decimal(&expected["taxable"]));
        assert_taxes(&invoice.totals.taxes, expected, "");
        assert_eq!(amount(invoice.totals.rounding), decimal(&expected["round_off"]));
        assert_eq!(amount(invoice.totals.total), decimal(&expected["total"]));
        assert_steps(&invoice, &case);
    }
}

fn stub(country: &Country, price: Decimal, start: NaiveDate) -> (DayShare, ComputedInvoice) {
    let schedule = country.schedule(start, IntervalUnit::Month, first_of_month());
    let first = schedule.period(0).expect("a period");
    let share = first.days.expect("days");
    let invoice = country.invoice(vec![country.period(price, first.period, share)]);
    (share, invoice)
}

#[test]
fn in_06_the_first_days_of_calendar_billing() {
    let case = case("IN-06");
    let india = Country::of(&case);
    let price = decimal(&case["inputs"]["plan_price"]);
    let expected = &case["expected"];
    let (share, invoice) = stub(&india, price, date(&case["inputs"]["activation"]));
    assert_eq!(Value::from(share.charged()), expected["charge_days"]);
    assert_eq!(Value::from(share.total()), expected["period_days"]);
    assert_document(&invoice, &expected["documents"][0]);
    assert_steps(&invoice, &case);

    let expected = &expected["contrast_nonleap_2027"];
    let (share, invoice) = stub(&india, price, "2027-02-10".parse().expect("a date"));
    assert_eq!(Value::from(share.charged()), expected["charge_days"]);
    assert_eq!(Value::from(share.total()), expected["period_days"]);
    assert_eq!(amount(invoice.totals.total), decimal(&expected["total"]));
}

#[test]
fn in_07_an_upgrade() {
    let case = case("IN-07");
    let india = Country::of(&case);
    let (old, new) = (decimal(&case["inputs"]["old_plan"]), decimal(&case["inputs"]["new_plan"]));
    let start = "2026-01-15".parse().expect("a date");
    let schedule = india.schedule(start, IntervalUnit::Month, BillingAnchor::Anniversary);
    let current = schedule.period(0).expect("a period");
    let rest = india.days("2026-01-25", "2026-02-15");
    let share = current.share_of(rest, india.zone).expect("a share");
    let expected = &case["expected"];
    let credit = india.invoice(vec![india.period(old, rest, share)]);
    assert_document(&credit, &expected["documents"][0]);
    assert_steps(&credit, &case);
    let invoice = india.invoice(vec![india.period(new, rest, share)]);
    assert_document(&invoice, &expected["documents"][1]);
    assert_steps(&invoice, &case);
    let net = invoice
        .totals
        .total
        .checked_sub(credit.totals.total)
        .expect("like currencies");
    assert_eq!(amount(net), decimal(&expected["net_payable"]));

    let difference = india.invoice(vec![india.period(new - old, rest, share)]);
    let expected = &expected["variant_single_debit_note"];
    assert_eq!(amount(difference.totals.subtotal), decimal(&expected["taxable"]));
    assert_eq!(amount(difference.totals.total), decimal(&expected["total"]));
    assert_steps(&difference, &case);
}

#[test]
fn in_09_an_unpaid_renewal() {
    let case = case("IN-09");
    let india = Country::of(&case);
    let (inputs, expected) = (&case["inputs"], &case["expected"]);
    let price = decimal(&inputs["plan_price"]);
    let schedule = india.schedule(date(&inputs["due_date"]), IntervalUnit::Month, BillingAnchor::Anniversary);
    let current = schedule.period(0).expect("a period");
    let whole = current.days.expect("days");
    let renewal = india.invoice(vec![india.period(price, current.period, whole)]);
    let policy_a = &expected["policy_A_no_credit"];
    assert_document(&renewal, &policy_a["documents"][0]);
    let late_fee = india.invoice(vec![india.line(decimal(&inputs["late_fee"]))]);
    assert_document(&late_fee, &policy_a["documents"][1]);
    let both = renewal
        .totals
        .total
        .checked_add(late_fee.totals.total)
        .expect("like currencies");
    assert_eq!(amount(both), decimal(&policy_a["payable"]));

    let grace = Days::new(inputs["grace_days"].as_u64().expect("a number"));
    let suspended_on = date(&inputs["due_date"]) + grace;
    let suspend_at: DateTime<Utc> = expected["suspend_at"].as_str().expect("text").parse().expect("an instant");
    assert_eq!(india.zone.start_of_day(suspended_on), suspend_at);
    let paid_on = date(&inputs["paid_on"]);
    assert_eq!(Value::from(days_between(suspended_on, paid_on)), expected["suspended_days"]);
    let suspended = Period::of_days(india.zone, suspended_on, paid_on).expect("a period");
    let share = current.share_of(suspended, india.zone).expect("a share");
    let credit = india.invoice(vec![india.period(price, suspended, share)]);
    let policy_b = &expected["policy_B_credit_suspended_days"];
    assert_document(&credit, &policy_b["documents"][1]);
    let net = renewal
        .totals
        .total
        .checked_sub(credit.totals.total)
        .expect("like currencies");
    assert_eq!(amount(net), decimal(&policy_b["payable"]));

    let shifted = india.schedule(paid_on, IntervalUnit::Month, BillingAnchor::Anniversary);
    let shifted = shifted.period(0).expect("a period").period;
    assert_eq!(shifted, india.days("2026-05-16", "2026-06-16"));
    for invoice in [&renewal, &late_fee, &credit] {
        assert_steps(invoice, &case);
    }
}

#[test]
fn in_10_month_ends() {
    let case = case("IN-10");
    let india = Country::of(&case);
    for (start, unit, renewals) in [
        ("monthly_anchor", IntervalUnit::Month, "monthly_renewals"),
        ("annual_anchor", IntervalUnit::Year, "annual_renewals"),
    ] {
        let start = date(&case["inputs"][start]);
        let schedule = india.schedule(start, unit, BillingAnchor::Anniversary);
        for (expected, k) in case["expected"][renewals].as_array().expect("dates").iter().zip(0..) {
            let begins = schedule.period(k).expect("a period").period.start();
            assert_eq!(india.zone.local_date(begins), date(expected), "{unit} {k}");
        }
    }
    let start = date(&case["inputs"]["monthly_anchor"]);
    let schedule = india.schedule(start, IntervalUnit::Month, BillingAnchor::Anniversary);
    let days = case["expected"]["period_days"].as_array().expect("days");
    let periods = case["expected"]["monthly_periods"].as_array().expect("periods");
    for ((days, text), k) in days.iter().zip(periods).zip(0..) {
        let found = schedule.period(k).expect("a period");
        assert_eq!(&Value::from(found.days.expect("days").total()), days);
        let first = india.zone.local_date(found.period.start());
        let last = india.zone.local_date(found.period.end()) - Days::new(1);
        assert_eq!(Value::from(format!("{first}..{last}")), *text);
    }
}

#[test]
fn in_13_a_coupon() {
    let case = case("IN-13");
    let india = Country::of(&case);
    let mut plan = india.line(decimal(&case["inputs"]["plan_price"]));
    let percent = decimal(&case["inputs"]["coupon_pct"]);
    plan.discount = Some(Discount::Percent { percent });
    let addon = india.line(decimal(&case["inputs"]["addon_static_ip"]));
    let invoice = india.invoice(vec![plan, addon]);
    assert_eq!(amount(invoice.totals.discount), decimal(&case["expected"]["discount"]));
    assert_document(&invoice, &case["expected"]["documents"][0]);
    assert_steps(&invoice, &case);
}

#[test]
fn ke_01_excise_then_vat() {
    let case = case("KE-01");
    let kenya = Country::of(&case);
    let invoice = kenya.invoice(vec![kenya.line(decimal(&case["inputs"]["plan_price"]))]);
    assert_document(&invoice, &case["expected"]["documents"][0]);
    assert_steps(&invoice, &case);
}

#[test]
fn ke_03_the_first_days_and_whole_shillings() {
    let case = case("KE-03");
    let kenya = Country::of(&case);
    let price = decimal(&case["inputs"]["plan_price"]);
    let (share, invoice) = stub(&kenya, price, date(&case["inputs"]["activation"]));
    let expected = &case["expected"];
    assert_eq!(Value::from(share.charged()), expected["charge_days"]);
    assert_eq!(Value::from(share.total()), expected["period_days"]);
    assert_document(&invoice, &expected["documents"][0]);
    assert_steps(&invoice, &case);

    let asked = amount(invoice.totals.total).ceil();
    assert_eq!(asked, Decimal::from(expected["stk_push_amount"].as_u64().expect("a number")));
    let due: NaiveDate = "2026-03-18".parse().expect("a date");
    let open = OpenInvoice {
        id: 1,
        due_on: due,
        issued_on: due,
        amount_due: invoice.totals.total,
    };
    let settled = allocate(kenya.money(asked), &[open], &[]).expect("allocated");
    assert_eq!(amount(settled.unallocated), decimal(&expected["wallet_credit_after_payment"]));
}

#[test]
fn ke_04_hardware_bears_vat_only() {
    let case = case("KE-04");
    let kenya = Country::of(&case);
    let mut router = kenya.line(decimal(&case["inputs"]["router"]));
    router.treatment = kenya.treatment("", Some("HARDWARE"), "2026-04-01".parse().expect("a date"));
    let invoice = kenya.invoice(vec![kenya.line(decimal(&case["inputs"]["internet"])), router]);
    assert_document(&invoice, &case["expected"]["documents"][0]);
    assert_steps(&invoice, &case);
}

#[test]
fn ke_06_rates_by_date() {
    let case = case("KE-06");
    let kenya = Country::of(&case);
    for tax_point in case["inputs"]["tax_points"].as_array().expect("dates") {
        let mut line = kenya.line(decimal(&case["inputs"]["plan_price"]));
        line.treatment = kenya.treatment("", None, date(tax_point));
        let invoice = kenya.invoice(vec![line]);
        let expected = &case["expected"][tax_point.as_str().expect("text")];
        assert_taxes(&invoice.totals.taxes, expected, "");
        assert_eq!(amount(invoice.totals.total), decimal(&expected["total"]));
        assert_steps(&invoice, &case);
    }
}
