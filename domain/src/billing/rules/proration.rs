//! The share of a price that some days of a period are worth.

use num_bigint::BigInt;
use num_rational::BigRational;

use super::periods::DayShare;
use super::steps::Steps;
use crate::kernel::money::{Money, MoneyError};

/// Actual days over actual days, exact, rounded once. A whole period costs the price itself.
pub fn prorate(price: Money, share: DayShare, label: &str, steps: &mut Steps) -> Result<Money, MoneyError> {
    if share.is_whole() {
        return Ok(price);
    }
    let (days, of) = (share.charged(), share.total());
    let exact = price.exact() * BigRational::new(BigInt::from(days), BigInt::from(of));
    let expr = format!("{} * {days} / {of}", price.amount());
    steps.round(label, expr, &exact, price.currency())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rust_decimal::Decimal;
    use rust_decimal_macros::dec;

    use super::*;
    use crate::kernel::money::RoundingMode;

    fn prorated(price: Decimal, days: u32, of: u32) -> (Decimal, Vec<super::super::Step>) {
        let mut steps = Steps::new(RoundingMode::HalfUp);
        let price = Money::new(price, "INR".parse().expect("a currency")).expect("a price");
        let share = DayShare::new(days, of).expect("a share");
        let part = prorate(price, share, "days", &mut steps).expect("in range");
        (part.amount(), steps.into_list())
    }

    #[test]
    fn shares_of_a_price() {
        for (price, days, of, expected) in [
            (dec!(999), 20, 29, dec!(688.97)),
            (dec!(999), 19, 28, dec!(677.89)),
            (dec!(599), 21, 31, dec!(405.77)),
            (dec!(1999), 14, 31, dec!(902.77)),
            (dec!(999), 0, 31, dec!(0)),
        ] {
            let (part, steps) = prorated(price, days, of);
            assert_eq!(part, expected, "{price} * {days} / {of}");
            assert_eq!(steps.len(), 1);
        }
        let (whole, steps) = prorated(dec!(999), 31, 31);
        assert_eq!((whole, steps.len()), (dec!(999.00), 0));
    }

    proptest! {
        #[test]
        fn the_parts_make_the_whole_but_for_one_rounding(price in 0_i64..100_000_000, of in 1_u32..366, cut in 0_u32..366) {
            let cut = cut.min(of);
            let price = Decimal::new(price, 2);
            let sum = prorated(price, cut, of).0 + prorated(price, of - cut, of).0;
            prop_assert!((sum - price).abs() <= dec!(0.01));
        }
    }
}
