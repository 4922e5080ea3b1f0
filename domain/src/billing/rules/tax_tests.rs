use proptest::prelude::*;
use rust_decimal_macros::dec;
use sha2::{Digest as _, Sha256};

use super::super::tax_rules::{TaxError, TaxFacts, TaxRuleSet};
use super::*;
use crate::kernel::money::RoundingMode;
use crate::tenants::template::{TEMPLATES, Template};

fn rules(template: &str) -> TaxRuleSet {
    let template = Template::load(template).expect("a template");
    template.taxes().expect("a rule set")
}

fn place(country: &str, region: Option<&str>) -> Place {
    let (country, region) = (country.to_owned(), region.map(str::to_owned));
    Place { country, region }
}

/// Broadband in the seller's own state, Karnataka.
fn facts() -> TaxFacts {
    TaxFacts {
        code: None,
        date: "2026-04-01".parse().expect("a date"),
        place: place("IN", Some("KA")),
        registration: Some(Registration {
            country: "IN".to_owned(),
            region: Some("KA".to_owned()),
            tax_id: "29AABCR1718E1ZL".to_owned(),
        }),
        buyer: BuyerClass::Regular,
        registered: false,
    }
}

fn kenyan(code: Option<&str>, date: &str) -> TaxFacts {
    TaxFacts {
        code: code.map(str::to_owned),
        date: date.parse().expect("a date"),
        place: place("KE", None),
        registration: None,
        buyer: BuyerClass::Regular,
        registered: false,
    }
}

fn applied(rules: &TaxRuleSet, facts: &TaxFacts) -> Vec<String> {
    let treatment = rules.treatment(facts).expect("a treatment");
    (treatment.taxes.iter())
        .map(|tax| format!("{} {}", tax.name, tax.percent))
        .collect()
}

fn money(amount: Decimal, currency: &str) -> Money {
    Money::new(amount, currency.parse().expect("a currency")).expect("an amount")
}

fn taxed(treatment: &TaxTreatment, amount: Money, inclusive: bool) -> Taxed {
    let mut steps = Steps::new(RoundingMode::HalfUp);
    let mut pool = TaxPool::new(TaxLevel::Line);
    (treatment.compute(amount, inclusive, &mut pool, &mut steps)).expect("taxed")
}

fn amounts(taxed: &Taxed) -> Vec<Decimal> {
    taxed.taxes.iter().map(|tax| tax.amount.amount()).collect()
}

#[test]
fn which_taxes_apply() {
    let india = rules("in-broadband");
    let both = vec!["CGST 9".to_owned(), "SGST 9".to_owned()];
    let inter = vec!["IGST 18".to_owned()];
    let telangana = Registration {
        region: Some("TS".to_owned()),
        ..facts().registration.expect("one")
    };
    for (facts, expected) in [
        (facts(), &both),
        (
            TaxFacts {
                place: place("IN", Some(" ka ")),
                ..facts()
            },
            &both,
        ),
        (
            TaxFacts {
                place: place("IN", Some("MH")),
                ..facts()
            },
            &inter,
        ),
        // Not on record: the seller's region. Abroad: inter-State.
        (
            TaxFacts {
                place: place("in", Some(" ")),
                ..facts()
            },
            &both,
        ),
        (
            TaxFacts {
                place: place("IN", None),
                ..facts()
            },
            &both,
        ),
        (
            TaxFacts {
                place: place("AE", None),
                ..facts()
            },
            &inter,
        ),
        (
            TaxFacts {
                place: place("AE", Some("KA")),
                ..facts()
            },
            &inter,
        ),
        (
            TaxFacts {
                buyer: BuyerClass::Special,
                ..facts()
            },
            &inter,
        ),
        (
            TaxFacts {
                buyer: BuyerClass::Exempt,
                ..facts()
            },
            &vec![],
        ),
        (
            TaxFacts {
                registration: None,
                ..facts()
            },
            &vec![],
        ),
        (
            TaxFacts {
                code: Some("8517".to_owned()),
                ..facts()
            },
            &both,
        ),
        // A former code of the same state.
        (
            TaxFacts {
                place: place("IN", Some("TG")),
                registration: Some(telangana),
                ..facts()
            },
            &both,
        ),
    ] {
        assert_eq!(&applied(&india, &facts), expected, "{facts:?}");
    }
    let kenya = rules("ke-hotspot");
    for (code, date, expected) in [
        (None, "2026-04-01", vec!["EXCISE 15", "VAT 16"]),
        (None, "2023-06-30", vec!["EXCISE 20", "VAT 16"]),
        (None, "2023-07-01", vec!["EXCISE 15", "VAT 16"]),
        (Some("HARDWARE"), "2026-04-01", vec!["VAT 16"]),
    ] {
        assert_eq!(applied(&kenya, &kenyan(code, date)), expected, "{code:?} {date}");
    }
}

#[test]
fn a_component_may_be_for_registered_buyers_or_for_all_others() {
    let written = include_str!("../../../../tenant-templates/ke-hotspot/taxes.toml");
    let tax = |registered: &str| {
        let vat = "name = \"VAT\"";
        assert!(written.contains(vat));
        let rules = toml::from_str::<TaxRuleSet>(&written.replacen(vat, &format!("{vat}\n{registered}"), 1));
        let rules = rules.expect(registered);
        [false, true].map(|registered| {
            let facts = TaxFacts {
                registered,
                ..kenyan(None, "2026-04-01")
            };
            let asked = rules.treatment(&facts).expect("a treatment").registered;
            (applied(&rules, &facts).len(), asked)
        })
    };
    assert_eq!(tax(""), [(2, false), (2, false)]);
    assert_eq!(tax("registered = true"), [(1, false), (2, true)]);
    assert_eq!(tax("registered = false"), [(2, false), (1, true)]);
}

#[test]
fn a_buyers_tax_id_is_checked_as_its_country_does() {
    let (india, kenya) = (rules("in-broadband"), rules("ke-hotspot"));
    for (rules, text, good) in [
        (&india, "29AAGCB7383J1Z4", true),
        // The check character, and a form that there is not.
        (&india, "27AAPFU0939F1ZO", false),
        (&india, "27AAPFU0939F1AA", false),
        (&india, "P051234567Q", false),
        (&kenya, "P051234567Q", true),
        (&kenya, "29AAGCB7383J1Z4", false),
    ] {
        assert_eq!(rules.buyer(text).is_ok(), good, "{text}");
    }
}

#[test]
fn what_is_not_known_is_refused() {
    let kenya = rules("ke-hotspot");
    let unknown = kenya.treatment(&kenyan(Some("998422"), "2026-04-01"));
    assert_eq!(unknown, Err(TaxError::UnknownCode("998422".to_owned())));
    let early = kenya.treatment(&kenyan(None, "2020-12-31"));
    assert!(matches!(early, Err(TaxError::NoRate { .. })));
}

#[test]
fn the_explanation_says_why_no_tax_is_charged() {
    let unregistered = TaxFacts {
        registration: None,
        ..facts()
    };
    let treatment = rules("in-broadband").treatment(&unregistered).expect("one");
    assert_eq!(treatment.notes, ["No tax is charged: the seller has no tax registration."]);
    let price = money(dec!(999), "INR");
    assert_eq!(taxed(&treatment, price, true).taxable, price);
}

#[test]
fn registrations_agree_with_their_region() {
    let india = rules("in-broadband");
    let region = |given: Option<&str>| india.registration("IN", given, "29aabcr1718e1zl");
    assert_eq!(region(None).expect("one").region.as_deref(), Some("KA"));
    assert_eq!(region(Some("ka")).expect("one").tax_id, "29AABCR1718E1ZL");
    assert!(region(Some("MH")).is_err());
    assert!(rules("ke-hotspot").registration("KE", None, "P051234567Q").is_ok());
}

#[test]
fn a_price_that_contains_tax() {
    let india = rules("in-broadband").treatment(&facts()).expect("one");
    let intra = taxed(&india, money(dec!(999), "INR"), true);
    assert_eq!(intra.taxable.amount(), dec!(846.61));
    assert_eq!(amounts(&intra), [dec!(76.19), dec!(76.19)]);
    assert_eq!(intra.residual.amount(), dec!(0.01));

    let kenya = rules("ke-hotspot").treatment(&kenyan(None, "2026-04-01")).expect("one");
    let mut steps = Steps::new(RoundingMode::HalfUp);
    let mut pool = TaxPool::new(TaxLevel::Line);
    let top_down = (kenya.compute(money(dec!(1000), "KES"), true, &mut pool, &mut steps)).expect("taxed");
    // 1000 * 16/116 = 137.931…; 862.07 * 15/115 = 112.4439…
    assert_eq!(amounts(&top_down), [dec!(112.44), dec!(137.93)]);
    assert_eq!(top_down.taxable.amount(), dec!(749.63));
    assert_eq!(top_down.taxes[1].base.amount(), dec!(862.07));
    let exprs: Vec<_> = steps.into_list().into_iter().map(|step| step.expr).collect();
    assert_eq!(exprs, ["1000.00 * 16/116", "862.07 * 15/115"]);
}

#[test]
fn rule_sets_that_contradict_themselves() {
    let good = include_str!("../../../../tenant-templates/ke-hotspot/taxes.toml");
    for (from, to, key) in [
        ("default_code = \"INTERNET\"", "default_code = \"NET\"", "default_code"),
        ("code = \"SERVICE\"", "code = \"HARDWARE\"", "codes"),
        ("on = [\"EXCISE\"]", "on = [\"DUTY\"]", "VAT"),
        ("on = [\"EXCISE\"]", "supply = \"INSIDE_REGION\"", "supply"),
        ("codes = [\"INTERNET\", ", "codes = [\"NET\", ", "EXCISE"),
        ("\"2021-07-01\"", "\"2023-07-01\"", "rates"),
        ("percent = \"16\"", "percent = \"-16\"", "rates"),
        ("percent = \"16\"", "percent = 16.0", "percent"),
        ("tax_id =", "tax_ids =", "tax_ids"),
    ] {
        assert!(good.contains(from), "{from}");
        let refused = toml::from_str::<TaxRuleSet>(&good.replacen(from, to, 1));
        let error = refused.expect_err(to).to_string();
        assert!(error.contains(key), "{error}");
    }
}

#[test]
fn rules_survive_storage() {
    for name in ["in-broadband", "ke-hotspot"] {
        let rules = rules(name);
        let json = serde_json::to_value(&rules).expect("json");
        assert_eq!(serde_json::from_value::<TaxRuleSet>(json).expect("rules"), rules);
    }
}

proptest! {
    #[test]
    fn an_inclusive_price_is_what_is_paid(minor in 0_i64..10_000_000_000, which in 0_usize..3) {
        let treatment = match which {
            0 => rules("in-broadband").treatment(&facts()),
            1 => rules("in-broadband").treatment(&TaxFacts { buyer: BuyerClass::Special, ..facts() }),
            _ => rules("ke-hotspot").treatment(&kenyan(None, "2026-04-01")),
        }.expect("a treatment");
        let price = money(Decimal::new(minor, 2), if which == 2 { "KES" } else { "INR" });
        let taxed = taxed(&treatment, price, true);
        let tax: Decimal = amounts(&taxed).iter().sum();
        prop_assert_eq!(taxed.taxable.amount() + tax + taxed.residual.amount(), price.amount());
        prop_assert!(taxed.residual.amount().abs() <= dec!(0.02));
        prop_assert!(which != 2 || taxed.residual.is_zero());
        prop_assert!(!taxed.taxable.is_negative());
    }

    #[test]
    fn halves_of_a_tax_are_equal(minor in 0_i64..10_000_000_000) {
        let treatment = rules("in-broadband").treatment(&facts()).expect("a treatment");
        let taxed = taxed(&treatment, money(Decimal::new(minor, 2), "INR"), false);
        prop_assert_eq!(taxed.taxes[0].amount, taxed.taxes[1].amount);
        prop_assert_eq!(taxed.taxes[0].base, taxed.taxes[1].base);
    }
}

/// ISPs that exist adopt rules whose version they have not seen: rules that are changed under the same name would never reach
/// them. Whoever comes by here has changed `taxes.toml`: give it another version, and write down both.
#[test]
fn whoever_changes_the_rules_changes_their_version() {
    let said = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
        lines.map(str::to_owned).collect()
    };
    for (template, version, expected) in [
        ("in-broadband", "in-gst-2026-11-22", "e107faeb281930c0"),
        ("ke-hotspot", "ke-excise-vat-2026-11-22", "f41544ecfbe5625d"),
    ] {
        let (_, files) = TEMPLATES.iter().find(|(name, _)| *name == template).expect("a template");
        let digest = Sha256::digest(said(files.taxes).join("\n").as_bytes());
        let digest: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let rules = rules(template);
        assert_eq!(
            (rules.data().version.as_str(), digest.as_str()),
            (version, expected),
            "{template}"
        );
    }
}

#[test]
fn rules_name_regions_that_there_are() {
    let mut data = rules("in-broadband").data().clone();
    data.components[1].except_regions.push("ZZ".to_owned());
    let refused = TaxRuleSet::try_from(data).expect_err("refused");
    assert!(refused.to_string().contains("\"ZZ\" is not among the regions"), "{refused}");
    let india = rules("in-broadband");
    for (text, present, known) in [
        ("29", "KA", true),
        (" or ", "OD", true),
        ("97", "97", true),
        ("ZZ", "ZZ", false),
    ] {
        assert_eq!(
            (india.region(text).as_str(), india.has_region(&india.region(text))),
            (present, known),
            "{text}"
        );
    }
}

#[test]
fn union_territories_levy_a_tax_of_their_own() {
    let rules = rules("in-broadband");
    for (seller, buyer, expected) in [
        ("KA", Some("KA"), ["CGST 9", "SGST 9"].as_slice()),
        ("DL", Some("07"), &["CGST 9", "SGST 9"]),
        ("PY", None, &["CGST 9", "SGST 9"]),
        ("AN", Some("35"), &["CGST 9", "UTGST 9"]),
        ("LA", None, &["CGST 9", "UTGST 9"]),
        ("CH", Some("DD"), &["IGST 18"]),
        ("DH", Some("DD"), &["CGST 9", "UTGST 9"]),
    ] {
        let mut facts = facts();
        facts.place = place("IN", buyer);
        if let Some(registration) = &mut facts.registration {
            registration.region = Some(seller.to_owned());
        }
        assert_eq!(applied(&rules, &facts), expected, "{seller} {buyer:?}");
    }
}
