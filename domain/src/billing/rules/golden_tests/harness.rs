//! What the golden cases share: a country with a seller in it, and comparing documents with the file.

use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde_json::Value;

use super::super::*;
use crate::kernel::calendar::{Period, Zone};
use crate::kernel::money::{Currency, Money, RoundingMode};
use crate::tenants::template::Template;

pub(super) fn cases() -> Vec<Value> {
    let file = include_str!("../../../../../tests/golden/billing-golden.json");
    let file: Value = serde_json::from_str(file).expect("json");
    file["cases"].as_array().expect("cases").clone()
}

pub(super) fn case(id: &str) -> Value {
    let found = cases().into_iter().find(|case| case["id"] == id);
    found.expect(id)
}

pub(super) fn decimal(value: &Value) -> Decimal {
    value.as_str().expect("text").parse().expect("a decimal")
}

pub(super) fn date(value: &Value) -> NaiveDate {
    value.as_str().expect("text").parse().expect("a date")
}

pub(super) fn amount(money: Money) -> Decimal {
    money.amount()
}

/// A country's rules with a seller in its region 29 (Karnataka) and buyers where a case puts them.
pub(super) struct Country {
    pub(super) taxes: TaxRuleSet,
    pub(super) currency: Currency,
    pub(super) zone: Zone,
    pub(super) code: &'static str,
}

impl Country {
    pub(super) fn of(case: &Value) -> Self {
        let (name, code) = match case["country"].as_str() {
            Some("IN") => ("in-broadband", "IN"),
            _ => ("ke-hotspot", "KE"),
        };
        let template = Template::load(name).expect("a template");
        Self {
            taxes: template.taxes().expect("rules"),
            currency: template.profile().currency,
            zone: template.profile().timezone,
            code,
        }
    }

    pub(super) fn money(&self, amount: Decimal) -> Money {
        Money::new(amount, self.currency).expect("an amount")
    }

    pub(super) fn treatment(&self, region: &str, code: Option<&str>, date: NaiveDate) -> TaxTreatment {
        let registration = (self.code == "IN").then(|| {
            let checked = self.taxes.registration("IN", Some("KA"), "29AABCR1718E1ZL");
            checked.expect("a registration")
        });
        let facts = TaxFacts {
            code: code.map(str::to_owned),
            date,
            place: Place {
                country: self.code.to_owned(),
                region: (self.code == "IN").then(|| region.to_owned()),
            },
            registration,
            buyer: BuyerClass::Regular,
            registered: false,
        };
        self.taxes.treatment(&facts).expect("a treatment")
    }

    pub(super) fn line(&self, price: Decimal) -> DraftLine {
        DraftLine {
            charge: Charge::Units {
                quantity: Decimal::ONE,
                unit_price: price,
                currency: self.currency,
            },
            inclusive: false,
            discount: None,
            treatment: self.treatment("KA", None, "2026-04-01".parse().expect("a date")),
            zone: Some(self.zone),
            plan_version: None,
        }
    }

    pub(super) fn period(&self, price: Decimal, period: Period, share: DayShare) -> DraftLine {
        DraftLine {
            charge: Charge::Period {
                units: 1,
                price: self.money(price),
                period,
                days: Some(share),
            },
            ..self.line(price)
        }
    }

    pub(super) fn days(&self, from: &str, until: &str) -> Period {
        let date = |text: &str| text.parse().expect("a date");
        Period::of_days(self.zone, date(from), date(until)).expect("a period")
    }

    pub(super) fn schedule(&self, start: NaiveDate, unit: IntervalUnit, anchor: BillingAnchor) -> Schedule {
        let interval = Interval::new(unit, 1).expect("an interval");
        Schedule::new(self.zone.start_of_day(start), interval, anchor, self.zone)
    }

    pub(super) fn invoice(&self, lines: Vec<DraftLine>) -> ComputedInvoice {
        self.rounded(lines, RoundingMode::HalfUp, None)
    }

    pub(super) fn rounded(
        &self,
        lines: Vec<DraftLine>,
        rounding_mode: RoundingMode,
        round_to: Option<Decimal>,
    ) -> ComputedInvoice {
        let policy = InvoicePolicy {
            currency: self.currency,
            tax_level: TaxLevel::Line,
            rounding_mode,
            round_to,
        };
        let invoice = compute_invoice(lines, &policy).expect("an invoice");
        for line in &invoice.lines {
            assert_eq!(&replay(&line.explanation).expect("a line"), line);
        }
        invoice
    }
}

pub(super) fn first_of_month() -> BillingAnchor {
    BillingAnchor::Calendar(CalendarDay::try_from(1).expect("a day"))
}

pub(super) fn tax<'a>(taxes: &'a [TaxAmount], name: &str) -> Option<&'a TaxAmount> {
    taxes.iter().find(|tax| tax.name.eq_ignore_ascii_case(name))
}

/// Compares taxes with the keys of a golden line or document: `cgst`, `cgst_rate`, `vat_base`, …
pub(super) fn assert_taxes(taxes: &[TaxAmount], expected: &Value, suffix: &str) {
    for name in ["cgst", "sgst", "igst", "excise", "vat"] {
        let found = tax(taxes, name);
        let given = |key: String| expected.get(key).map(decimal);
        if let Some(amount) = given(format!("{name}{suffix}")) {
            let found = found.map_or(Decimal::ZERO, |tax| tax.amount.amount());
            assert_eq!(found, amount, "{name}: {expected}");
        } else {
            assert!(found.is_none(), "{name}: {expected}");
        }
        if let Some(rate) = given(format!("{name}_rate")) {
            assert_eq!(found.map_or(Decimal::ZERO, |tax| tax.rate), rate, "{name}: {expected}");
        }
        if let (Some(base), Some(found)) = (given(format!("{name}_base{suffix}")), found) {
            assert_eq!(found.base.amount(), base, "{name}: {expected}");
        }
    }
}

pub(super) fn assert_document(invoice: &ComputedInvoice, document: &Value) {
    let lines = document["lines"].as_array().expect("lines");
    assert_eq!(invoice.lines.len(), lines.len());
    for (line, expected) in invoice.lines.iter().zip(lines) {
        let taxable = expected.get("taxable").or_else(|| expected.get("net")).expect("a base");
        assert_eq!(amount(line.amount), decimal(taxable), "{expected}");
        assert_taxes(&line.taxes, expected, "");
        if let Some(code) = expected["sac"].as_str() {
            assert_eq!(line.explanation.line.treatment.code, code);
        }
    }
    let totals = &invoice.totals;
    let net = document.get("taxable_total").or_else(|| document.get("net_total"));
    assert_eq!(amount(totals.subtotal), decimal(net.expect("a base")));
    let suffix = if document.get("vat_total").is_some() { "_total" } else { "" };
    assert_taxes(&totals.taxes, document, suffix);
    if let Some(tax_total) = document.get("tax_total") {
        assert_eq!(amount(totals.tax_total), decimal(tax_total));
    }
    assert_eq!(amount(totals.rounding), decimal(&document["round_off"]));
    assert_eq!(amount(totals.total), decimal(&document["total"]));
    assert_eq!(Value::from(totals.total.minor_units() as i64), document["total_minor"]);
}

/// Every rounding of ours that is also a golden step has its exact value and result.
pub(super) fn assert_steps(invoice: &ComputedInvoice, case: &Value) {
    let golden = case["steps"].as_array().expect("steps");
    let all = invoice.lines.iter().flat_map(|line| &line.explanation.steps);
    for step in all
        .chain(&invoice.totals.steps)
        .filter(|step| !step.label.starts_with("SGST"))
    {
        let same = |g: &&Value| g["exact"] == step.exact.as_str() && decimal(&g["rounded"]) == step.rounded;
        assert!(golden.iter().any(|g| same(&g)), "{step:?}");
    }
}
