use proptest::prelude::*;
use rust_decimal_macros::dec;

use super::super::tax_rules::{BuyerClass, Place, Registration, TaxFacts, TaxRuleSet};
use super::*;
use crate::tenants::template::Template;

fn inr() -> Currency {
    "INR".parse().expect("a currency")
}

fn policy(tax_level: TaxLevel) -> InvoicePolicy {
    InvoicePolicy {
        currency: inr(),
        tax_level,
        rounding_mode: RoundingMode::HalfUp,
        round_to: None,
    }
}

fn treatment() -> TaxTreatment {
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
    rules.treatment(&facts).expect("a treatment")
}

fn units(quantity: Decimal, unit_price: Decimal, inclusive: bool) -> DraftLine {
    DraftLine {
        charge: Charge::Units {
            quantity,
            unit_price,
            currency: inr(),
        },
        inclusive,
        discount: None,
        treatment: treatment(),
        zone: None,
        plan_version: None,
    }
}

#[test]
fn the_level_of_rounding_matters() {
    let lines = || vec![units(dec!(1), dec!(100.50), false), units(dec!(1), dec!(100.50), false)];
    for (level, expected) in [(TaxLevel::Line, dec!(18.10)), (TaxLevel::Invoice, dec!(18.09))] {
        let invoice = compute_invoice(lines(), &policy(level)).expect("an invoice");
        assert_eq!(invoice.totals.taxes.len(), 2);
        assert_eq!(invoice.totals.taxes[0].amount.amount(), expected, "{level}");
        assert_eq!(invoice.totals.taxes[0].base.amount(), dec!(201.00));
    }
}

#[test]
fn fine_unit_prices_are_rounded_once() {
    let invoice = compute_invoice(vec![units(dec!(3), dec!(0.3350), false)], &policy(TaxLevel::Line));
    let invoice = invoice.expect("an invoice");
    let line = &invoice.lines[0];
    assert_eq!(line.amount.amount(), dec!(1.01));
    assert_eq!((line.quantity, line.unit_price), (dec!(3), dec!(0.3350)));
    assert_eq!(line.explanation.steps[0].label, "quantity");
}

#[test]
fn what_cannot_be_invoiced() {
    let refuse = |line: DraftLine| compute_invoice(vec![line], &policy(TaxLevel::Line)).expect_err("refused");
    assert_eq!(refuse(units(dec!(0), dec!(1), false)), LineError::Quantity);
    let discounted = |discount| DraftLine {
        discount: Some(discount),
        ..units(dec!(1), dec!(10), false)
    };
    for percent in [dec!(-1), dec!(101)] {
        assert_eq!(refuse(discounted(Discount::Percent { percent })), LineError::Discount);
    }
    let amount = Money::new(dec!(10.01), inr()).expect("an amount");
    assert_eq!(refuse(discounted(Discount::Amount { amount })), LineError::Discount);
    let kenyan = Charge::Units {
        quantity: dec!(1),
        unit_price: dec!(1),
        currency: "KES".parse().expect("a currency"),
    };
    let error = refuse(DraftLine {
        charge: kenyan,
        ..units(dec!(1), dec!(1), false)
    });
    assert!(matches!(error, LineError::Money(MoneyError::CurrencyMismatch { .. })));
    let zero = InvoicePolicy {
        round_to: Some(dec!(0)),
        ..policy(TaxLevel::Line)
    };
    assert_eq!(compute_invoice(vec![], &zero), Err(LineError::RoundTo));
}

#[test]
fn totals_are_rounded_after_the_lines_residuals() {
    let policy = InvoicePolicy {
        round_to: Some(dec!(1)),
        ..policy(TaxLevel::Line)
    };
    let invoice = compute_invoice(
        vec![units(dec!(1), dec!(999), true), units(dec!(1), dec!(0.60), true)],
        &policy,
    );
    let totals = invoice.expect("an invoice").totals;
    assert_eq!(totals.total.amount(), dec!(1000));
    assert_eq!(
        totals.subtotal.amount() + totals.tax_total.amount() + totals.rounding.amount(),
        dec!(1000)
    );
    assert_eq!(totals.steps.len(), 1);
}

/// Shares of the price, and amounts that may be larger than it.
fn agreed() -> impl Strategy<Value = AgreedDiscount> {
    let off = prop_oneof![
        (1_i64..=1_000_000).prop_map(|n| TakenOff::Percent {
            percent: Decimal::new(n, 4)
        }),
        (1_i64..2_000_000).prop_map(|minor| TakenOff::Amount {
            amount: Money::from_minor_units(minor, inr()).expect("an amount")
        }),
    ];
    off.prop_map(|off| AgreedDiscount {
        id: "d".to_owned(),
        name: "Loyal".to_owned(),
        off,
    })
}

fn draft() -> impl Strategy<Value = DraftLine> {
    let discount = prop_oneof![
        Just(None),
        (0_i64..=100).prop_map(|percent| Some(Discount::Percent {
            percent: Decimal::from(percent)
        })),
        prop::collection::vec(agreed(), 1..4).prop_map(|parts| Some(Discount::Agreed { parts })),
    ];
    (
        1_i64..1_000_000,
        any::<bool>(),
        discount,
        prop::option::of((0_u32..=31, 1_u32..5)),
    )
        .prop_map(|(minor, inclusive, discount, period)| {
            let charge = match period {
                Some((days, number)) => Charge::Period {
                    units: 1,
                    price: Money::from_minor_units(minor, inr()).expect("a price"),
                    period: Period::new(
                        "2026-03-31T18:30:00Z".parse().expect("an instant"),
                        "2026-04-30T18:30:00Z".parse().expect("an instant"),
                    )
                    .expect("a period"),
                    days: (number > 1).then(|| DayShare::new(days, 31).expect("a share")),
                },
                None => Charge::Units {
                    quantity: dec!(1.5),
                    unit_price: Decimal::new(minor, 4),
                    currency: inr(),
                },
            };
            DraftLine {
                charge,
                inclusive,
                discount,
                treatment: treatment(),
                zone: Some("Asia/Kolkata".parse().expect("a zone")),
                plan_version: Some(PlanVersionRef {
                    free_trial: false,
                    id: "v".to_owned(),
                    number: 1,
                }),
            }
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn an_explanation_gives_the_same_line_again(
        drafts in prop::collection::vec(draft(), 1..6), at_invoice: bool,
    ) {
        let level = if at_invoice { TaxLevel::Invoice } else { TaxLevel::Line };
        let invoice = compute_invoice(drafts, &policy(level)).expect("an invoice");
        for line in &invoice.lines {
            let stored = serde_json::to_string(&line.explanation).expect("json");
            let explanation: Explanation = serde_json::from_str(&stored).expect("an explanation");
            prop_assert_eq!(&replay(&explanation).expect("a line"), line);
            prop_assert!(!line.amount.is_negative() && !line.discount.is_negative(), "{:?}", line);
        }
    }

    #[test]
    fn an_invoice_adds_up(
        drafts in prop::collection::vec(draft(), 0..6), at_invoice: bool, whole: bool,
    ) {
        let level = if at_invoice { TaxLevel::Invoice } else { TaxLevel::Line };
        let policy = InvoicePolicy { round_to: whole.then_some(dec!(1)), ..policy(level) };
        let ComputedInvoice { lines, totals } = compute_invoice(drafts, &policy).expect("an invoice");
        let sum = |of: fn(&ComputedLine) -> Decimal| -> Decimal { lines.iter().map(of).sum() };
        prop_assert_eq!(totals.subtotal.amount(), sum(|line| line.amount.amount()));
        prop_assert_eq!(totals.tax_total.amount(), sum(|line| line.taxes.iter().map(|tax| tax.amount.amount()).sum()));
        prop_assert_eq!(totals.total.amount(), totals.subtotal.amount() + totals.tax_total.amount() + totals.rounding.amount());
        if whole {
            prop_assert!(totals.total.amount().fract().is_zero());
        } else {
            prop_assert_eq!(totals.rounding.amount(), sum(|line| line.residual.amount()));
        }
        if at_invoice {
            for tax in &totals.taxes {
                let exact_tax = exact(tax.base.amount()) * exact(tax.rate) / exact(dec!(100));
                let once = Money::from_exact(&exact_tax, inr(), RoundingMode::HalfUp).expect("in range");
                prop_assert_eq!(tax.amount, once);
            }
        }
    }
}
