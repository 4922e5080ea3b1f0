//! A jurisdiction's taxes as data: which components exist, at which rates since when, on what and for whom.
//!
//! The same shape is a template's `taxes.toml` and the JSON a tenant stores. No country is named in code.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::tax::{AppliedTax, TaxTreatment};
use super::tax_id::{TaxIdError, TaxIdValidator};
use crate::kernel::money::decimal_text;
use crate::kernel::text_enum;

/// A rule set that has been checked: codes exist, rates are in order, bases refer backwards.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RuleSetData", into = "RuleSetData")]
pub struct TaxRuleSet(RuleSetData);

/// The rule set as it is written down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleSetData {
    /// Names this state of the rules in explanations.
    pub version: String,
    /// What a line without a code is: internet access.
    pub default_code: String,
    pub registration: RegistrationRule,
    pub inclusive: InclusiveMethod,
    /// Whether an invoice that was issued can be withdrawn.
    #[serde(default)]
    pub void: VoidRule,
    pub tax_id: TaxIdValidator,
    /// Regions of the country (second part of ISO 3166-2), each with other codes that stand for it; empty: any text is one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub regions: BTreeMap<String, Vec<String>>,
    /// As `regions` has them, in rules that were adopted before it did.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub region_aliases: BTreeMap<String, String>,
    /// What documents must say besides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<BuyerNote>,
    pub codes: Vec<TaxCode>,
    /// In the order of computation: a base may include earlier components only.
    pub components: Vec<TaxComponent>,
}

/// Whether one may charge tax without being registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RegistrationRule {
    /// None but the registered may collect the tax (CGST Act s.32(1)).
    RequiredToCharge,
    NotRequired,
}

/// How tax is taken out of a price that contains it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum InclusiveMethod {
    /// The taxable amount is rounded, taxes are computed forward from it, what is left over is rounding.
    ForwardWithRoundOff,
    /// Taxes are taken out from the last to the first; the net amount is what remains.
    TopDownResidual,
}

/// Until when an invoice can be withdrawn on which nothing is paid or credited; afterwards a credit note takes it back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum VoidRule {
    /// The authority hears of each as it is issued.
    #[default]
    Never,
    /// Until the month of its issue, for which the seller files a return, is over.
    MonthOfIssue,
}

/// A classification of supplies (HSN, SAC or the local equivalent).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaxCode {
    pub code: String,
    pub description: String,
}

/// What has to be said on what is supplied to buyers of a class.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BuyerNote {
    pub buyer: BuyerClass,
    pub text: String,
}

/// One tax and the conditions under which it applies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaxComponent {
    pub name: String,
    /// Only these codes; absent: all known ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub codes: Option<Vec<String>>,
    /// Only supplies inside or outside the registration's region; absent: both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supply: Option<SupplyScope>,
    /// Only supplies in these regions; absent: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regions: Option<Vec<String>>,
    /// Not supplies in these regions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub except_regions: Vec<String>,
    pub buyers: Vec<BuyerClass>,
    /// Only buyers who are registered for tax, or only those who are not; absent: both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registered: Option<bool>,
    /// Earlier components that belong to the base beside the net amount.
    #[serde(default)]
    pub on: Vec<String>,
    /// Each rate holds from its date until the next one's.
    pub rates: Vec<TaxRate>,
}

/// A rate and the first day on which it is in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaxRate {
    pub from: NaiveDate,
    #[serde(deserialize_with = "decimal_text")]
    pub percent: Decimal,
}

/// Where the place of supply is, seen from the registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SupplyScope {
    InsideRegion,
    OutsideRegion,
}

text_enum! {
    /// What the buyer is for tax: `Special` where the law treats some apart (e.g. special economic zones).
    BuyerClass { Regular, Exempt, Special }
}

/// Where a supply is taxed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// ISO 3166-1 alpha-2.
    pub country: String,
    /// The second part of the ISO 3166-2 code; None: not known.
    pub region: Option<String>,
}

/// The seller's registration under which a document is issued.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registration {
    pub country: String,
    pub region: Option<String>,
    pub tax_id: String,
}

/// What decides how a line is taxed.
#[derive(Clone, Debug)]
pub struct TaxFacts {
    /// None: internet access.
    pub code: Option<String>,
    /// The tax point, in the tenant's calendar.
    pub date: NaiveDate,
    pub place: Place,
    pub registration: Option<Registration>,
    pub buyer: BuyerClass,
    /// Whether the buyer has a tax id.
    pub registered: bool,
}

/// Why a rule set is refused, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {problem}")]
pub struct RuleSetError {
    pub key: String,
    pub problem: String,
}

/// Why a line cannot be taxed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TaxError {
    #[error("the tax code {0:?} is not known")]
    UnknownCode(String),
    #[error("no rate of {name} is known for {date}")]
    NoRate { name: String, date: NaiveDate },
    #[error("the tax registration has no region, which decides the tax")]
    RegistrationWithoutRegion,
}

impl From<TaxRuleSet> for RuleSetData {
    fn from(rules: TaxRuleSet) -> Self {
        rules.0
    }
}

impl TryFrom<RuleSetData> for TaxRuleSet {
    type Error = RuleSetError;

    fn try_from(data: RuleSetData) -> Result<Self, RuleSetError> {
        data.check_codes()?;
        for (index, component) in data.components.iter().enumerate() {
            data.check_component(index, component).map_err(|problem| RuleSetError {
                key: format!("components.{} (number {})", component.name, index + 1),
                problem,
            })?;
        }
        Ok(Self(data))
    }
}

impl RuleSetData {
    fn knows(&self, code: &str) -> bool {
        self.codes.iter().any(|known| known.code == code)
    }

    fn check_codes(&self) -> Result<(), RuleSetError> {
        for (index, code) in self.codes.iter().enumerate() {
            if self.codes[..index].iter().any(|c| c.code == code.code) {
                return Err(RuleSetError {
                    key: "codes".to_owned(),
                    problem: format!("{:?} is listed twice", code.code),
                });
            }
        }
        if self.knows(&self.default_code) {
            return Ok(());
        }
        Err(RuleSetError {
            key: "default_code".to_owned(),
            problem: format!("{:?} is not among the codes", self.default_code),
        })
    }

    fn check_component(&self, index: usize, component: &TaxComponent) -> Result<(), String> {
        if let Some(code) = component.codes.iter().flatten().find(|c| !self.knows(c)) {
            return Err(format!("codes: {code:?} is not among the codes"));
        }
        let mut regions = component.regions.iter().flatten().chain(&component.except_regions);
        if let Some(region) = regions.find(|r| !self.regions.contains_key(*r)) {
            return Err(format!("regions: {region:?} is not among the regions"));
        }
        let earlier = &self.components[..index];
        if let Some(name) = (component.on.iter()).find(|on| earlier.iter().all(|c| c.name != **on)) {
            return Err(format!("on: {name:?} is no earlier component"));
        }
        if component.supply.is_some() && self.registration == RegistrationRule::NotRequired {
            return Err("supply: needs a registration to look from".to_owned());
        }
        if component.rates.is_empty() {
            return Err("rates: there is none".to_owned());
        }
        if component.rates.iter().any(|rate| rate.percent.is_sign_negative()) {
            return Err("rates: a percentage is negative".to_owned());
        }
        if component.rates.windows(2).any(|pair| pair[0].from >= pair[1].from) {
            return Err("rates: the dates are not in order".to_owned());
        }
        Ok(())
    }
}

impl TaxComponent {
    /// Whether it is levied in that region.
    fn is_of(&self, region: Option<&str>) -> bool {
        let among = |all: &[String]| region.is_some_and(|region| all.iter().any(|r| r == region));
        self.regions.as_deref().is_none_or(among) && !among(&self.except_regions)
    }
}

impl TaxRuleSet {
    /// The rules as written.
    pub fn data(&self) -> &RuleSetData {
        &self.0
    }

    /// Whether a plan or line may carry that code.
    pub fn knows(&self, code: &str) -> bool {
        self.0.knows(code)
    }

    /// The region's present code: trimmed, upper case, other codes replaced.
    pub fn region(&self, text: &str) -> String {
        let code = text.trim().to_uppercase();
        let known = self.0.regions.iter().find(|(_, others)| others.contains(&code));
        let present = known.map(|(region, _)| region).or_else(|| self.0.region_aliases.get(&code));
        present.cloned().unwrap_or(code)
    }

    /// Whether a present code is one of a region.
    pub fn has_region(&self, code: &str) -> bool {
        self.0.regions.is_empty() || self.0.regions.contains_key(code)
    }

    /// Checks a registration's tax id, also against its region; without a region the id's own is taken.
    pub fn registration(&self, country: &str, region: Option<&str>, tax_id: &str) -> Result<Registration, TaxIdError> {
        let given = region.map(|region| self.region(region));
        let valid = self.0.tax_id.check(tax_id)?;
        if let (Some(given), Some(own)) = (&given, valid.region)
            && given != own
        {
            return Err(TaxIdError::OtherRegion {
                tax_id: valid.text,
                region: given.clone(),
            });
        }
        let needs_region = (self.0.components.iter()).any(|c| c.supply.is_some());
        let region = given.or_else(|| valid.region.map(str::to_owned));
        if needs_region && region.is_none() {
            return Err(TaxIdError::NoRegion);
        }
        Ok(Registration {
            country: country.to_owned(),
            region,
            tax_id: valid.text,
        })
    }

    /// Checks the tax id of somebody who buys here.
    pub fn buyer(&self, tax_id: &str) -> Result<(), TaxIdError> {
        self.0.tax_id.check_buyer(tax_id)
    }

    /// Whether it matters to them that a buyer is registered.
    pub fn ask_for_registration(&self) -> bool {
        self.0.components.iter().any(|c| c.registered.is_some())
    }

    /// Which taxes a line bears, and why: decided once, then only computed with.
    pub fn treatment(&self, facts: &TaxFacts) -> Result<TaxTreatment, TaxError> {
        let rules = &self.0;
        let code = facts.code.as_ref().unwrap_or(&rules.default_code);
        if !rules.knows(code) {
            return Err(TaxError::UnknownCode(code.clone()));
        }
        let unregistered = rules.registration == RegistrationRule::RequiredToCharge && facts.registration.is_none();
        let special = rules.notes.iter().filter(|note| note.buyer == facts.buyer);
        let mut notes: Vec<String> = special.map(|note| note.text.clone()).collect();
        let taxes = if facts.buyer == BuyerClass::Exempt {
            if notes.is_empty() {
                notes.push("No tax is charged: the buyer is exempt.".to_owned());
            }
            Vec::new()
        } else if unregistered {
            // What is said of taxed supplies does not hold.
            notes = vec!["No tax is charged: the seller has no tax registration.".to_owned()];
            Vec::new()
        } else {
            self.applied(facts, code, &mut notes)?
        };
        Ok(TaxTreatment {
            rules_version: rules.version.clone(),
            code: code.clone(),
            date: facts.date,
            place: facts.place.clone(),
            registration: facts.registration.clone(),
            buyer: facts.buyer,
            registered: facts.registered && self.ask_for_registration(),
            inclusive_method: rules.inclusive,
            taxes,
            notes,
        })
    }

    fn applied(&self, facts: &TaxFacts, code: &String, notes: &mut Vec<String>) -> Result<Vec<AppliedTax>, TaxError> {
        let mut taxes: Vec<AppliedTax> = Vec::new();
        let region = self.region_of(facts);
        let candidates = (self.0.components.iter())
            .filter(|c| c.codes.as_ref().is_none_or(|codes| codes.contains(code)))
            .filter(|c| c.buyers.contains(&facts.buyer))
            .filter(|c| c.registered.is_none_or(|wanted| wanted == facts.registered))
            .filter(|c| c.is_of(region.as_deref()));
        for component in candidates {
            if let Some(wanted) = component.supply
                && self.scope(facts, notes)? != wanted
            {
                continue;
            }
            let rate = (component.rates.iter().rev())
                .find(|rate| rate.from <= facts.date)
                .ok_or_else(|| TaxError::NoRate {
                    name: component.name.clone(),
                    date: facts.date,
                })?;
            let applies = |name: &&String| taxes.iter().any(|tax| tax.name == **name);
            let on = component.on.iter().filter(applies).cloned().collect();
            taxes.push(AppliedTax {
                name: component.name.clone(),
                percent: rate.percent,
                on,
            });
        }
        Ok(taxes)
    }

    /// The region of supply; where it is not on record, the registration's own.
    fn region_of(&self, facts: &TaxFacts) -> Option<String> {
        let on_record = facts.place.region.as_deref().filter(|region| !region.trim().is_empty());
        let own = || facts.registration.as_ref().and_then(|r| r.region.as_deref());
        on_record.or_else(own).map(|region| self.region(region))
    }

    /// A place abroad is outside (IGST Act s.7(5)(a): supplier here, place of supply abroad is inter-State;
    /// whether it is an export free of tax depends on more and is said by the buyer's class). Where the
    /// recipient's region is not on record the supplier's counts (IGST Act s.12(11)(d), proviso).
    fn scope(&self, facts: &TaxFacts, notes: &mut Vec<String>) -> Result<SupplyScope, TaxError> {
        let Some(registration) = &facts.registration else {
            return Err(TaxError::RegistrationWithoutRegion);
        };
        if !facts.place.country.eq_ignore_ascii_case(&registration.country) {
            return Ok(SupplyScope::OutsideRegion);
        }
        let on_record = facts.place.region.as_ref().filter(|region| !region.trim().is_empty());
        let Some(place) = on_record else {
            let note = "The region of supply is not on record: the seller's own is taken.";
            if !notes.iter().any(|known| known == note) {
                notes.push(note.to_owned());
            }
            return Ok(SupplyScope::InsideRegion);
        };
        let Some(own) = &registration.region else {
            return Err(TaxError::RegistrationWithoutRegion);
        };
        Ok(if self.region(place) == self.region(own) {
            SupplyScope::InsideRegion
        } else {
            SupplyScope::OutsideRegion
        })
    }
}
