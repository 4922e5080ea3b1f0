//! How an ISP bills: the settings a template sets and the tenant may change.

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize};

use super::invoice_math::InvoicePolicy;
use super::numbering::{FiscalYear, NumberPattern, NumberRule, NumberingError, StartMonth};
use super::periods::{BillingAnchor, CalendarDay};
use super::tax::TaxLevel;
use super::tax_rules::TaxRuleSet;
use crate::kernel::money::{Currency, Money, RoundingMode};
use crate::kernel::text_enum;
use crate::tenants::template::{Template, TemplateError, TemplateFile};

text_enum! {
    /// Whether periods run from a service's own start or from one day of the month.
    AnchorKind { Anniversary, Calendar }
    /// When a new service goes on line.
    ActivationPolicy { OnCreate, OnPayment }
    /// How prepaid services renew: invoiced on the day, credit in hand consumed, the rest due; or only when credit
    /// in hand covers it, else they expire.
    PrepaidRenewal { Invoice, WhenCovered }
    /// What becomes of the days spent suspended.
    SuspensionCredit { None, CreditDays, ShiftPeriod }
    /// What becomes of days paid for and not used at the end.
    TerminationCredit { None, UnusedDays }
    /// Which documents a plan change within a period makes; `Difference`: one, over the difference.
    PlanChangeDocument { CreditNoteAndInvoice, Difference }
}

/// Why settings are refused, and which.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {problem}")]
pub struct SettingsError {
    /// The field's name as in [`BillingSettings`].
    pub key: &'static str,
    pub problem: String,
}

/// What subscribers may ask for themselves of pauses; staff may go beyond. None: no such limit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pauses {
    /// Whether they may ask at all.
    pub by_subscriber: bool,
    /// Most days in one pause.
    pub max_days: Option<u32>,
    /// Most pauses of a service that begin in one calendar year.
    pub max_per_year: Option<u32>,
    /// Most days of a service's pauses that begin in one calendar year.
    pub max_days_per_year: Option<u32>,
}

/// All billing settings; single values are right by type, [`BillingSettings::check`] sees to the rest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BillingSettings {
    pub anchor: AnchorKind,
    /// With `Calendar`, the day on which periods begin.
    pub calendar_day: CalendarDay,
    pub activation: ActivationPolicy,
    pub prepaid_renewal: PrepaidRenewal,
    /// Renewals are invoiced that many days before the period begins.
    pub renewal_lead_days: u32,
    /// Days from issue to due, postpaid.
    pub due_days: u32,
    /// Days of service after the due date or the end of the paid period.
    pub grace_days: u32,
    /// Days in suspension after which the service is terminated; None: never.
    #[serde(default)]
    pub terminate_after_days: Option<u32>,
    #[serde(default, deserialize_with = "optional_decimal")]
    pub late_fee: Option<Decimal>,
    pub suspension_credit: SuspensionCredit,
    pub termination_credit: TerminationCredit,
    pub plan_change_document: PlanChangeDocument,
    pub tax_level: TaxLevel,
    pub rounding_mode: RoundingMode,
    /// Totals are rounded to a multiple of this; None: not at all.
    #[serde(default, deserialize_with = "optional_decimal")]
    pub round_invoice_to: Option<Decimal>,
    pub invoice_number_pattern: NumberPattern,
    pub credit_note_number_pattern: NumberPattern,
    /// Need not name the registration: one series then counts over all.
    pub receipt_number_pattern: NumberPattern,
    /// With more than one registration debit notes need {REG} in it.
    pub debit_note_number_pattern: NumberPattern,
    pub fiscal_year_start_month: StartMonth,
    /// The daily run begins at that full hour of the ISP's own clock, 0 to 23.
    #[serde(default)]
    pub run_hour: u32,
    #[serde(default)]
    pub pauses: Pauses,
    /// What brake and holds of dunning come to, which are no settings of anybody's: before this instant nobody who is served
    /// is switched off for arrears, and nothing ends for them.
    #[serde(skip)]
    pub cut_nobody_before: Option<DateTime<Utc>>,
    /// As `cut_nobody_before`, for prepaid time of days or longer that runs out.
    #[serde(skip)]
    pub expire_nobody_before: Option<DateTime<Utc>>,
}

impl BillingSettings {
    /// Checks what depends on more than one value. `registrations` are the short codes of the tenant's tax
    /// registrations; of one that has none, what stands for that.
    pub fn check(&self, currency: Currency, rule: &NumberRule, registrations: &[&str]) -> Result<(), SettingsError> {
        let pattern = |key, pattern: &NumberPattern, registrations| {
            let checked = pattern.check(rule, self.fiscal_year_start_month, registrations);
            checked.map_err(|error: NumberingError| SettingsError {
                key,
                problem: error.to_string(),
            })
        };
        pattern("invoice_number_pattern", &self.invoice_number_pattern, registrations)?;
        pattern("credit_note_number_pattern", &self.credit_note_number_pattern, registrations)?;
        let of_receipts = self.named_on_receipts(registrations);
        pattern("receipt_number_pattern", &self.receipt_number_pattern, of_receipts)?;
        // Whoever has two registrations and issues no debit notes need not name them there: the first debit note asks for it.
        let of_debit_notes = match self.debit_note_number_pattern.names_registration() {
            true => registrations,
            false => &[],
        };
        pattern("debit_note_number_pattern", &self.debit_note_number_pattern, of_debit_notes)?;
        let year = FiscalYear::of(NaiveDate::default(), self.fiscal_year_start_month);
        if let Some((one, other)) = self.meeting(year, registrations).first() {
            return Err(SettingsError {
                key: other.0,
                problem: format!("its numbers could be those of {}", one.0),
            });
        }
        positive("late_fee", self.late_fee, currency)?;
        positive("round_invoice_to", self.round_invoice_to, currency)?;
        let hour = |problem: &str| SettingsError {
            key: "run_hour",
            problem: problem.to_owned(),
        };
        if self.run_hour > 23 {
            return Err(hour("must be 0 to 23"));
        }
        if self.runs_too_late() {
            return Err(hour("must be 0 where nothing is invoiced ahead and there is no grace"));
        }
        Ok(())
    }

    /// The patterns of all series of documents, by their fields.
    pub fn number_patterns(&self) -> [(&'static str, &NumberPattern); 4] {
        [
            ("invoice_number_pattern", &self.invoice_number_pattern),
            ("credit_note_number_pattern", &self.credit_note_number_pattern),
            ("receipt_number_pattern", &self.receipt_number_pattern),
            ("debit_note_number_pattern", &self.debit_note_number_pattern),
        ]
    }

    /// Those of the patterns, two by two, of which two documents could have the same number.
    pub fn meeting(&self, year: FiscalYear, registrations: &[&str]) -> Vec<(Numbered<'_>, Numbered<'_>)> {
        let all = self.number_patterns();
        let pairs = all
            .iter()
            .enumerate()
            .flat_map(|(n, one)| all[n + 1..].iter().map(|other| (*one, *other)));
        pairs
            .filter(|(one, other)| one.1.meets(other.1, year, registrations))
            .collect()
    }

    /// Prepaid time that ends at midnight would be renewed some hours later, and be off until then, credit in hand or not.
    pub fn runs_too_late(&self) -> bool {
        self.run_hour > 0 && self.renewal_lead_days == 0 && self.grace_days == 0
    }

    /// Those of the registrations that receipts' numbers tell apart.
    pub fn named_on_receipts<'r, 's>(&self, registrations: &'r [&'s str]) -> &'r [&'s str] {
        match self.receipt_number_pattern.names_registration() {
            true => registrations,
            false => &[],
        }
    }

    /// Where periods begin.
    pub fn billing_anchor(&self) -> BillingAnchor {
        match self.anchor {
            AnchorKind::Anniversary => BillingAnchor::Anniversary,
            AnchorKind::Calendar => BillingAnchor::Calendar(self.calendar_day),
        }
    }

    /// What bears on an invoice's arithmetic.
    pub fn invoice_policy(&self, currency: Currency) -> InvoicePolicy {
        InvoicePolicy {
            currency,
            tax_level: self.tax_level,
            rounding_mode: self.rounding_mode,
            round_to: self.round_invoice_to,
        }
    }
}

/// A series' field and its pattern.
type Numbered<'s> = (&'static str, &'s NumberPattern);

/// What billing takes from a tenant template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BillingPack {
    pub settings: BillingSettings,
    pub number_rule: NumberRule,
    pub taxes: TaxRuleSet,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TemplateBilling {
    settings: BillingSettings,
    number_rule: NumberRule,
}

impl BillingPack {
    /// Reads and checks a template's billing part; errors name file and key.
    pub fn from_template(template: &Template) -> Result<Self, TemplateError> {
        let billing: TemplateBilling = template.billing()?;
        let taxes: TaxRuleSet = template.taxes()?;
        let currency = template.profile().currency;
        let country = template.profile().country.as_str();
        (billing.settings.check(currency, &billing.number_rule, &[country]))
            .map_err(|error| TemplateError::invalid(TemplateFile::Template, "billing.settings", &error))?;
        for plan in template.plans() {
            let unknown = (plan.tax_code.as_ref()).filter(|code| !taxes.knows(code));
            if let Some(code) = unknown {
                let key = format!("plan.{}.tax_code", plan.code);
                let problem = format!("{code:?} is not among the codes of taxes.toml");
                return Err(TemplateError::invalid(TemplateFile::Plans, &key, &problem));
            }
        }
        Ok(Self {
            settings: billing.settings,
            number_rule: billing.number_rule,
            taxes,
        })
    }
}

fn positive(key: &'static str, value: Option<Decimal>, currency: Currency) -> Result<(), SettingsError> {
    let Some(value) = value else { return Ok(()) };
    let problem = match Money::new(value, currency) {
        Ok(amount) if amount.is_positive() => return Ok(()),
        Ok(_) => "must be more than nothing".to_owned(),
        Err(error) => error.to_string(),
    };
    Err(SettingsError { key, problem })
}

fn optional_decimal<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Decimal>, D::Error> {
    Option::<String>::deserialize(deserializer)?
        .map(|text| Decimal::from_str_exact(&text))
        .transpose()
        .map_err(serde::de::Error::custom)
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
