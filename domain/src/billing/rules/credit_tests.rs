use proptest::prelude::*;
use rust_decimal::Decimal;
use rust_decimal_macros::dec;

use super::super::tax_rules::{BuyerClass, Place, Registration, TaxFacts, TaxRuleSet};
use super::super::{DraftLine, InvoicePolicy, TaxLevel, compute_invoice};
use super::*;
use crate::kernel::calendar::{Period, Zone};
use crate::kernel::money::Currency;
use crate::tenants::template::Template;

fn inr() -> Currency {
    "INR".parse().expect("a currency")
}

fn rupees(amount: Decimal) -> Money {
    Money::new(amount, inr()).expect("an amount")
}

/// A line over these days of a period of so many, as an invoice has it.
fn charged(price: Decimal, days: u32, of: u32, inclusive: bool, tax_level: TaxLevel) -> (Explanation, LineAmounts) {
    let template = Template::load("in-broadband").expect("a template");
    let rules: TaxRuleSet = template.taxes().expect("rules");
    let region = Some("KA".to_owned());
    let facts = TaxFacts {
        code: None,
        date: "2026-04-01".parse().expect("a date"),
        place: Place {
            country: "IN".to_owned(),
            region: region.clone(),
        },
        registration: Some(Registration {
            country: "IN".to_owned(),
            region,
            tax_id: "29AABCR1718E1ZL".to_owned(),
        }),
        buyer: BuyerClass::Regular,
        registered: false,
    };
    let zone: Zone = "Asia/Kolkata".parse().expect("a zone");
    let day = |n: u64| {
        let first: chrono::NaiveDate = "2026-01-15".parse().expect("a date");
        first + chrono::Days::new(n)
    };
    let line = DraftLine {
        charge: Charge::Period {
            units: 1,
            price: rupees(price),
            period: Period::of_days(zone, day(0), day(u64::from(days.max(1)))).expect("a period"),
            days: Some(DayShare::new(days, of).expect("a share")),
        },
        inclusive,
        discount: None,
        treatment: rules.treatment(&facts).expect("a treatment"),
        zone: Some(zone),
        plan_version: None,
    };
    let policy = InvoicePolicy {
        currency: inr(),
        tax_level,
        rounding_mode: RoundingMode::HalfUp,
        round_to: None,
    };
    let mut invoice = compute_invoice(vec![line], &policy).expect("an invoice");
    let line = invoice.lines.remove(0);
    let amounts = LineAmounts {
        amount: line.amount,
        taxes: line.taxes,
        residual: line.residual,
    };
    (line.explanation, amounts)
}

fn credit(of: &Explanation, left: &LineAmounts, credit: LineCredit) -> Result<CreditedLine, CreditError> {
    credit_line(of.clone(), left.clone(), credit, &mut TaxPool::new(of.tax_level))
}

fn days(charged: u32, total: u32) -> LineCredit {
    LineCredit::Days {
        share: DayShare::new(charged, total).expect("a share"),
        price: None,
    }
}

#[test]
fn days_amounts_and_the_rest() {
    let (of, line) = charged(dec!(599), 31, 31, false, TaxLevel::Line);
    let unused = credit(&of, &line, days(21, 31)).expect("a credit");
    assert_eq!(unused.amounts.amount, rupees(dec!(405.77)));
    assert_eq!(unused.amounts.total().expect("a total"), rupees(dec!(478.81)));
    let rest = line.less(&unused.amounts).expect("less");
    let all = credit(&of, &rest, LineCredit::AllLeft).expect("a credit");
    assert_eq!(all.amounts.total().expect("a total"), rupees(dec!(228.01)));
    assert!(rest.less(&all.amounts).expect("less").is_nothing());
    // 599 - 405.77 is left.
    let refused = credit(
        &of,
        &rest,
        LineCredit::Amount {
            amount: rupees(dec!(193.24)),
        },
    );
    assert_eq!(
        refused,
        Err(CreditError::MoreThanLeft {
            left: rupees(dec!(193.23))
        })
    );
    let nothing = credit(&of, &rest, LineCredit::Amount { amount: rupees(dec!(0)) });
    assert_eq!(nothing, Err(CreditError::NotPositive));
    // By days it takes what is left, not more.
    let capped = credit(&of, &rest, days(31, 31)).expect("a credit");
    assert_eq!(capped.amounts, rest);
}

#[test]
fn a_cheaper_plan_credits_the_difference() {
    let (of, line) = charged(dec!(999), 31, 31, false, TaxLevel::Line);
    let share = DayShare::new(21, 31).expect("a share");
    let by = rupees(dec!(400));
    let cheaper = credit(&of, &line, LineCredit::Cheaper { share, by }).expect("a credit");
    assert_eq!(cheaper.amounts.amount, rupees(dec!(270.97)));
    assert_eq!(cheaper.amounts.total().expect("a total"), rupees(dec!(319.75)));
    let left = line.less(&cheaper.amounts).expect("less");
    // Its last ten days stand at the new price.
    let share = DayShare::new(10, 31).expect("a share");
    let price = Some(rupees(dec!(599)));
    let last = credit(&of, &left, LineCredit::Days { share, price }).expect("a credit");
    assert_eq!(last.amounts.amount, rupees(dec!(193.23)));
}

#[test]
fn an_amount_is_shared_by_what_is_left() {
    let lines: Vec<_> = [dec!(100), dec!(200), dec!(0.01)]
        .map(|price| charged(price, 30, 30, false, TaxLevel::Line))
        .into();
    let lines: Vec<_> = lines.iter().map(|(of, left)| (of, left)).collect();
    let parts = in_proportion(rupees(dec!(30)), &lines).expect("parts");
    assert_eq!(parts, [Some(rupees(dec!(10))), Some(rupees(dec!(20))), None]);
    let all = in_proportion(rupees(dec!(300.01)), &lines).expect("parts");
    assert_eq!(all.iter().flatten().count(), 3);
    assert!(matches!(
        in_proportion(rupees(dec!(300.02)), &lines),
        Err(CreditError::MoreThanLeft { .. })
    ));
    let mut other = charged(dec!(5), 30, 30, false, TaxLevel::Line);
    other.0.line.treatment.taxes.pop();
    let lines = [lines[0], (&other.0, &other.1)];
    assert_eq!(in_proportion(rupees(dec!(1)), &lines), Err(CreditError::TaxedDifferently));
    // What is credited whole does not matter any more.
    let gone = other.1.less(&other.1).expect("less");
    let lines = [lines[0], (&other.0, &gone)];
    let parts = in_proportion(rupees(dec!(1)), &lines).expect("parts");
    assert_eq!(parts, [Some(rupees(dec!(1))), None]);
}

proptest! {
    /// However a line is credited, in as many parts as one likes: no amount and no tax goes below nothing, what is taken and
    /// what is left make the line, the last part takes all, and each part replays.
    #[test]
    fn parts_never_exceed_the_line(
        price in 1_i64..10_000_000, of_days in 1_u32..367, cut in 0_u32..367, inclusive: bool, by_invoice: bool,
        parts in prop::collection::vec((any::<bool>(), 1_u32..367, 1_i64..5_000_000), 0..6),
    ) {
        let level = if by_invoice { TaxLevel::Invoice } else { TaxLevel::Line };
        let charged_days = of_days - cut.min(of_days - 1);
        let (of, line) = charged(Decimal::new(price, 2), charged_days, of_days, inclusive, level);
        let mut left = line.clone();
        for (by_days, n, minor) in parts {
            let asked = match by_days {
                true => days(n.min(charged_days), of_days),
                false => LineCredit::Amount { amount: Money::from_minor_units(minor, inr()).expect("an amount") },
            };
            let Ok(credited) = credit(&of, &left, asked) else { continue };
            let again = replay_credit(&credited.explanation);
            prop_assert_eq!(again.as_ref(), Ok(&credited));
            left = left.less(&credited.amounts).expect("less");
            prop_assert!(!left.amount.is_negative());
            prop_assert!(left.taxes.iter().all(|tax| !tax.amount.is_negative() && !tax.base.is_negative()));
        }
        let rest = credit(&of, &left, LineCredit::AllLeft).expect("a credit");
        let again = replay_credit(&rest.explanation);
        prop_assert_eq!(again.as_ref(), Ok(&rest));
        prop_assert!(left.less(&rest.amounts).expect("less").is_nothing());
    }

    #[test]
    fn shares_of_an_amount_sum_to_it(prices in prop::collection::vec(0_i64..100_000, 1..12), wanted in 1_i64..1_200_000) {
        let lines: Vec<_> = prices.iter().map(|p| charged(Decimal::new(*p, 2), 30, 30, false, TaxLevel::Line)).collect();
        let lines: Vec<_> = lines.iter().map(|(of, left)| (of, left)).collect();
        let wanted = Money::from_minor_units(wanted, inr()).expect("an amount");
        match in_proportion(wanted, &lines) {
            Err(e) => prop_assert!(i128::from(prices.iter().sum::<i64>()) < wanted.minor_units(), "{e}"),
            Ok(parts) => {
                prop_assert_eq!(Money::sum(parts.iter().flatten().copied(), inr()), Ok(wanted));
                for (part, (_, left)) in parts.iter().zip(&lines) {
                    prop_assert!(part.is_none_or(|part| part.minor_units() <= left.amount.minor_units()));
                }
            }
        }
    }
}
