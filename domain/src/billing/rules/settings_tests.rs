use rust_decimal_macros::dec;

use super::*;
use crate::tenants::template::{TEMPLATES, TemplateFiles};

fn pack(name: &str) -> BillingPack {
    let template = Template::load(name).expect("a template");
    BillingPack::from_template(&template).expect("a billing pack")
}

fn inr() -> Currency {
    "INR".parse().expect("a currency")
}

#[test]
fn both_templates_bill_as_promised() {
    for (name, activation, default_code) in [
        ("in-broadband", ActivationPolicy::OnCreate, "998422"),
        ("ke-hotspot", ActivationPolicy::OnPayment, "INTERNET"),
    ] {
        let BillingPack { settings, taxes, .. } = pack(name);
        assert_eq!(settings.activation, activation);
        assert_eq!(settings.billing_anchor(), BillingAnchor::Anniversary);
        assert_eq!(settings.prepaid_renewal, PrepaidRenewal::Invoice);
        assert_eq!(
            (settings.renewal_lead_days, settings.grace_days, settings.due_days),
            (0, 3, 15)
        );
        assert_eq!(settings.termination_credit, TerminationCredit::UnusedDays);
        assert_eq!(settings.suspension_credit, SuspensionCredit::None);
        assert_eq!(settings.plan_change_document, PlanChangeDocument::CreditNoteAndInvoice);
        assert_eq!(
            (settings.tax_level, settings.rounding_mode),
            (TaxLevel::Line, RoundingMode::HalfUp)
        );
        assert_eq!((settings.round_invoice_to, settings.late_fee), (None, None));
        assert_eq!(taxes.data().default_code, default_code);
    }
}

#[test]
fn settings_are_checked_together() {
    let BillingPack {
        settings, number_rule, ..
    } = pack("in-broadband");
    let key = |settings: BillingSettings, codes: &[&str]| settings.check(inr(), &number_rule, codes).err().map(|error| error.key);
    assert_eq!(key(settings.clone(), &["KA"]), None);
    assert_eq!(key(settings.clone(), &["KA", "MH"]), Some("invoice_number_pattern"));
    let finer = BillingSettings {
        round_invoice_to: Some(dec!(0.001)),
        ..settings.clone()
    };
    assert_eq!(key(finer, &[]), Some("round_invoice_to"));
    let free = BillingSettings {
        late_fee: Some(dec!(0)),
        ..settings
    };
    assert_eq!(key(free, &[]), Some("late_fee"));
}

#[test]
fn errors_name_file_and_key() {
    let good = TEMPLATES[0].1;
    let replace = |text: &str, from: &str, to: &str| -> &'static str {
        assert!(text.contains(from), "{from}");
        Box::leak(text.replacen(from, to, 1).into_boxed_str())
    };
    let template = |from: &str, to: &str| TemplateFiles {
        template: replace(good.template, from, to),
        ..good
    };
    for (files, expected) in [
        (template("grace_days", "graze_days"), "graze_days"),
        (template("calendar_day = 1", "calendar_day = 29"), "29"),
        (template("IN/{FY}", "INVOICE/{FY}"), "invoice_number_pattern"),
        (
            TemplateFiles {
                taxes: replace(good.taxes, "\"998422\"", "\"1\""),
                ..good
            },
            "default_code",
        ),
        (
            TemplateFiles {
                plans: replace(good.plans, "period =", "tax_code = \"1\"\nperiod ="),
                ..good
            },
            "plan.HOME-50.tax_code",
        ),
    ] {
        let template = Template::parse(&files).expect("a template");
        let error = BillingPack::from_template(&template).expect_err("refused").to_string();
        assert!(error.contains(".toml") && error.contains(expected), "{error}");
    }
}
