use num_traits::Signed;
use proptest::prelude::*;
use rust_decimal_macros::dec;

use super::*;

fn currency(code: &str) -> Currency {
    code.parse().expect("known currency")
}

fn inr(amount: Decimal) -> Money {
    Money::new(amount, currency("INR")).expect("an amount")
}

fn ratio(numerator: i64, denominator: i64) -> BigRational {
    BigRational::new(numerator.into(), denominator.into())
}

#[test]
fn currencies_know_their_minor_unit() {
    for (code, scale) in [("INR", 2), ("KES", 2), ("JPY", 0), ("UGX", 0), ("KWD", 3), ("CLF", 4)] {
        assert_eq!(currency(code).scale(), scale, "{code}");
    }
    for code in ["", "inr", "XAU", "ABC", "INR "] {
        assert!(code.parse::<Currency>().is_err(), "{code:?}");
    }
}

#[test]
fn each_currency_is_listed_once() {
    let mut codes: Vec<_> = CURRENCIES.iter().flat_map(|(_, codes)| *codes).collect();
    let listed = codes.len();
    codes.sort();
    codes.dedup();
    assert_eq!(codes.len(), listed);
    assert!(codes.iter().all(|code| code.len() == 3));
}

#[test]
fn an_amount_has_its_currencys_scale() {
    assert_eq!(inr(dec!(799)).amount().to_string(), "799.00");
    assert_eq!(inr(dec!(1.500)).amount().to_string(), "1.50");
    assert!(Money::new(dec!(1.005), currency("INR")).is_err());
    assert!(Money::new(dec!(0.5), currency("JPY")).is_err());
    assert_eq!(inr(dec!(999999999999999.99)).minor_units(), 99_999_999_999_999_999);
    assert_eq!(
        Money::new(dec!(1000000000000000), currency("INR")),
        Err(MoneyError::OutOfRange)
    );
    assert_eq!(Money::from_minor_units(94_282, currency("INR")), Ok(inr(dec!(942.82))));
}

#[test]
fn unlike_currencies_do_not_mix() {
    let shilling = Money::new(dec!(1), currency("KES")).expect("an amount");
    assert!(inr(dec!(1)).checked_add(shilling).is_err());
    assert!(inr(dec!(1)).compare(shilling).is_err());
    assert!(Money::sum([inr(dec!(1)), shilling], currency("INR")).is_err());
    assert_eq!(Money::sum([], currency("INR")), Ok(Money::zero(currency("INR"))));
    assert_eq!((-Money::zero(currency("INR"))).to_string(), "0.00 INR");
}

#[test]
fn serialises_as_text() {
    let json = serde_json::to_string(&inr(dec!(1))).expect("json");
    assert_eq!(json, r#"{"amount":"1.00","currency":"INR"}"#);
    assert_eq!(serde_json::from_str::<Money>(&json).expect("money"), inr(dec!(1)));
    for bad in [
        r#"{"amount":1.0,"currency":"INR"}"#,
        r#"{"amount":"1.001","currency":"INR"}"#,
        r#"{"amount":"1","currency":"XXX"}"#,
    ] {
        assert!(serde_json::from_str::<Money>(bad).is_err(), "{bad}");
    }
}

#[test]
fn ties_and_multiples() {
    use RoundingMode::{HalfEven, HalfUp};
    for (value, mode, expected) in [
        (ratio(1809, 200), HalfUp, dec!(9.05)),
        (ratio(1809, 200), HalfEven, dec!(9.04)),
        (ratio(1811, 200), HalfEven, dec!(9.06)),
        (ratio(-1809, 200), HalfUp, dec!(-9.05)),
        (ratio(-1809, 200), HalfEven, dec!(-9.04)),
        (ratio(2, 3), HalfUp, dec!(0.67)),
        (ratio(-2, 3), HalfUp, dec!(-0.67)),
    ] {
        assert_eq!(round(&value, 2, mode), Ok(expected), "{value} {mode}");
    }
    let total = exact(dec!(942.82));
    assert_eq!(round_to_multiple(&total, dec!(1), HalfUp), Ok(dec!(943)));
    assert_eq!(round_to_multiple(&total, dec!(0.05), HalfUp), Ok(dec!(942.80)));
    assert!(round_to_multiple(&total, dec!(0), HalfUp).is_err());
    assert_eq!(to_decimal(&ratio(1, 3)), None);
    assert_eq!(to_decimal(&ratio(59, 50)), Some(dec!(1.18)));
}

proptest! {
    #[test]
    fn rounding_is_never_off_by_more_than_half(n in any::<i64>(), d in 1_i64..1_000_000, even: bool) {
        let value = ratio(n, d);
        let mode = if even { RoundingMode::HalfEven } else { RoundingMode::HalfUp };
        let rounded = round(&value, 2, mode).expect("in range");
        prop_assert!((exact(rounded) - &value).abs() <= ratio(1, 200));
        prop_assert_eq!(round(&-value, 2, mode).expect("in range"), -rounded);
    }

    #[test]
    fn decimals_survive_the_way_through_rationals(units in any::<i64>(), scale in 0_u32..10) {
        let decimal = Decimal::new(units, scale);
        prop_assert_eq!(to_decimal(&exact(decimal)), Some(decimal));
    }

    #[test]
    fn what_is_added_can_be_taken_away(a in -1_000_000_000_i64..1_000_000_000, b in -1_000_000_000_i64..1_000_000_000) {
        let (a, b) = (inr(Decimal::new(a, 2)), inr(Decimal::new(b, 2)));
        let sum = a.checked_add(b).expect("in range");
        prop_assert_eq!(sum.checked_sub(b), Ok(a));
        prop_assert_eq!(sum.amount().scale(), 2);
    }
}
