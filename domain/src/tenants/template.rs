//! Tenant templates: starter packs from which a new ISP is provisioned. A folder of `tenant-templates/` each,
//! embedded in the binary.
//!
//! What a later capability owns (billing settings, taxes) is handed to it as the type it asks for, so that this
//! module depends on none of them; errors name file and key all the same.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

use rust_decimal::Decimal;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::kernel::calendar::{Interval, Zone};
use crate::kernel::money::{Currency, Money, decimal_text};
use crate::kernel::text_enum;

/// A template's text, file by file.
#[derive(Clone, Copy, Debug)]
pub struct TemplateFiles {
    pub template: &'static str,
    pub taxes: &'static str,
    pub plans: &'static str,
    pub roles: &'static str,
    /// How its invoices look, in Typst, …
    pub invoice: &'static str,
    /// … and an invoice to try such a text with, as JSON.
    pub sample: &'static str,
    /// How its receipts and statements of account look.
    pub receipt: &'static str,
    pub statement: &'static str,
}

macro_rules! folder {
    ($name:literal) => {
        (
            $name,
            TemplateFiles {
                template: include_str!(concat!("../../../tenant-templates/", $name, "/template.toml")),
                taxes: include_str!(concat!("../../../tenant-templates/", $name, "/taxes.toml")),
                plans: include_str!(concat!("../../../tenant-templates/", $name, "/plans.toml")),
                roles: include_str!(concat!("../../../tenant-templates/", $name, "/roles.toml")),
                invoice: include_str!(concat!("../../../tenant-templates/", $name, "/invoice.typ")),
                sample: include_str!(concat!("../../../tenant-templates/", $name, "/sample.json")),
                receipt: include_str!(concat!("../../../tenant-templates/", $name, "/receipt.typ")),
                statement: include_str!(concat!("../../../tenant-templates/", $name, "/statement.typ")),
            },
        )
    };
}

/// The templates by name, which is their folder's.
pub const TEMPLATES: [(&str, TemplateFiles); 2] = [folder!("in-broadband"), folder!("ke-hotspot")];

/// The files of a template's folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TemplateFile {
    Template,
    Taxes,
    Plans,
    Roles,
}

impl fmt::Display for TemplateFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Template => "template.toml",
            Self::Taxes => "taxes.toml",
            Self::Plans => "plans.toml",
            Self::Roles => "roles.toml",
        })
    }
}

/// Why a template cannot be used, with the file and key at fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    #[error("there is no template {0:?}")]
    Unknown(String),
    #[error("{file}: {problem}")]
    Syntax { file: TemplateFile, problem: String },
    #[error("{file}: {key}: {problem}")]
    Invalid {
        file: TemplateFile,
        key: String,
        problem: String,
    },
}

impl TemplateError {
    pub fn invalid(file: TemplateFile, key: &str, problem: &dyn fmt::Display) -> Self {
        Self::Invalid {
            file,
            key: key.to_owned(),
            problem: problem.to_string(),
        }
    }
}

/// Who the template is for, and the tenant's basics.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TemplateProfile {
    pub name: String,
    pub description: String,
    /// ISO 3166-1 alpha-2.
    pub country: String,
    pub currency: Currency,
    pub timezone: Zone,
}

text_enum! {
    /// What a starter plan sells.
    TemplatePlanKind { Broadband, Hotspot, Addon }
    /// Whether a starter plan is paid before or after use.
    TemplatePaymentMode { Prepaid, Postpaid }
    /// Whether a starter plan's period is invoiced at its beginning or end.
    TemplateBillIn { Advance, Arrears }
}

/// A starter plan.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TemplatePlan {
    pub code: String,
    pub name: String,
    pub kind: TemplatePlanKind,
    pub payment_mode: TemplatePaymentMode,
    pub bill_in: TemplateBillIn,
    #[serde(deserialize_with = "decimal_text")]
    pub price: Decimal,
    pub tax_inclusive: bool,
    /// None: internet access.
    #[serde(default)]
    pub tax_code: Option<String>,
    pub period: Interval,
    #[serde(default)]
    pub download_kbps: Option<u32>,
    #[serde(default)]
    pub upload_kbps: Option<u32>,
    /// Octets per period before the fair-use speed applies.
    #[serde(default)]
    pub data_cap_bytes: Option<u64>,
    #[serde(default)]
    pub fair_use_download_kbps: Option<u32>,
    #[serde(default)]
    pub fair_use_upload_kbps: Option<u32>,
    pub simultaneous_sessions: u16,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TemplateToml {
    profile: TemplateProfile,
    billing: toml::Table,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PlansToml {
    #[serde(default)]
    plan: Vec<TemplatePlan>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RolesToml {
    roles: BTreeMap<String, Vec<String>>,
}

/// The regions of the country that a template is for, as its tax rules name them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Regions {
    country: String,
    /// Each with other codes that stand for it; empty: any will do.
    codes: BTreeMap<String, Vec<String>>,
}

impl Regions {
    /// Those of a template that there is.
    pub fn of(template: &str) -> Option<&'static Self> {
        static ALL: LazyLock<BTreeMap<&str, Regions>> = LazyLock::new(|| {
            let known = TEMPLATES
                .iter()
                .filter_map(|(name, _)| Some((*name, Template::load(name).ok()?.regions().ok()?)));
            known.collect()
        });
        ALL.get(template)
    }

    /// The present code of a region, which may be written by any other that stands for it. None: the country has no such region.
    pub fn present(&self, country: &str, region: &str) -> Option<String> {
        if country != self.country || self.codes.is_empty() || self.codes.contains_key(region) {
            return Some(region.to_owned());
        }
        let known = self
            .codes
            .iter()
            .find(|(_, others)| others.iter().any(|other| other == region));
        known.map(|(code, _)| code.clone())
    }
}

/// A parsed template.
#[derive(Clone, Debug)]
pub struct Template {
    profile: TemplateProfile,
    billing: toml::Table,
    taxes: &'static str,
    plans: Vec<TemplatePlan>,
    roles: BTreeMap<String, Vec<String>>,
    invoice: &'static str,
    sample: &'static str,
    receipt: &'static str,
    statement: &'static str,
}

impl Template {
    /// One of [`TEMPLATES`].
    pub fn load(name: &str) -> Result<Self, TemplateError> {
        let files = TEMPLATES.iter().find(|(known, _)| *known == name);
        let (_, files) = files.ok_or_else(|| TemplateError::Unknown(name.to_owned()))?;
        Self::parse(files)
    }

    /// Parses and checks what belongs to no later capability.
    pub fn parse(files: &TemplateFiles) -> Result<Self, TemplateError> {
        let head: TemplateToml = read(TemplateFile::Template, files.template)?;
        let plans: PlansToml = read(TemplateFile::Plans, files.plans)?;
        let roles: RolesToml = read(TemplateFile::Roles, files.roles)?;
        check_country(&head.profile)?;
        check_plans(&plans.plan, head.profile.currency)?;
        check_roles(&roles.roles)?;
        Ok(Self {
            profile: head.profile,
            billing: head.billing,
            taxes: files.taxes,
            plans: plans.plan,
            roles: roles.roles,
            invoice: files.invoice,
            sample: files.sample,
            receipt: files.receipt,
            statement: files.statement,
        })
    }

    pub fn profile(&self) -> &TemplateProfile {
        &self.profile
    }

    pub fn plans(&self) -> &[TemplatePlan] {
        &self.plans
    }

    /// Permissions ("resource:action") by role.
    pub fn roles(&self) -> &BTreeMap<String, Vec<String>> {
        &self.roles
    }

    /// How invoices look, in Typst.
    pub fn invoice(&self) -> &'static str {
        self.invoice
    }

    /// An invoice to try that with, as JSON.
    pub fn sample(&self) -> &'static str {
        self.sample
    }

    /// How receipts look, in Typst.
    pub fn receipt(&self) -> &'static str {
        self.receipt
    }

    /// How statements of account look, in Typst.
    pub fn statement(&self) -> &'static str {
        self.statement
    }

    /// The `billing` table, as the type of the capability that owns it.
    pub fn billing<T: DeserializeOwned>(&self) -> Result<T, TemplateError> {
        let table = toml::Value::Table(self.billing.clone());
        (table.try_into()).map_err(|error: toml::de::Error| {
            TemplateError::invalid(TemplateFile::Template, "billing", &error.to_string().trim())
        })
    }

    /// The tax rules, as the type of the capability that owns them.
    pub fn taxes<T: DeserializeOwned>(&self) -> Result<T, TemplateError> {
        read(TemplateFile::Taxes, self.taxes)
    }

    fn regions(&self) -> Result<Regions, TemplateError> {
        #[derive(Deserialize)]
        struct Named {
            #[serde(default)]
            regions: BTreeMap<String, Vec<String>>,
        }
        let named: Named = read(TemplateFile::Taxes, self.taxes)?;
        Ok(Regions {
            country: self.profile.country.clone(),
            codes: named.regions,
        })
    }
}

fn read<T: DeserializeOwned>(file: TemplateFile, text: &str) -> Result<T, TemplateError> {
    toml::from_str(text).map_err(|error| TemplateError::Syntax {
        file,
        problem: error.to_string().trim().to_owned(),
    })
}

fn check_country(profile: &TemplateProfile) -> Result<(), TemplateError> {
    let code = &profile.country;
    if code.len() == 2 && code.chars().all(|c| c.is_ascii_uppercase()) {
        return Ok(());
    }
    let problem = "two capital letters (ISO 3166-1)";
    Err(TemplateError::invalid(TemplateFile::Template, "profile.country", &problem))
}

fn check_plans(plans: &[TemplatePlan], currency: Currency) -> Result<(), TemplateError> {
    for (index, plan) in plans.iter().enumerate() {
        let wrong = |key: &str, problem: &dyn fmt::Display| {
            let key = format!("plan.{}.{key}", plan.code);
            TemplateError::invalid(TemplateFile::Plans, &key, problem)
        };
        if plans[..index].iter().any(|other| other.code == plan.code) {
            return Err(wrong("code", &"is used twice"));
        }
        let price = Money::new(plan.price, currency).map_err(|error| wrong("price", &error))?;
        if price.is_negative() {
            return Err(wrong("price", &"is negative"));
        }
        if plan.bill_in == TemplateBillIn::Arrears && plan.payment_mode == TemplatePaymentMode::Prepaid {
            return Err(wrong("bill_in", &"only POSTPAID may be ARREARS"));
        }
        if plan.simultaneous_sessions == 0 {
            return Err(wrong("simultaneous_sessions", &"must be 1 or more"));
        }
    }
    Ok(())
}

fn check_roles(roles: &BTreeMap<String, Vec<String>>) -> Result<(), TemplateError> {
    let word = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase() || c == '-');
    let well_formed =
        |permission: &str| (permission.split_once(':')).is_some_and(|(resource, action)| word(resource) && word(action));
    for (role, permissions) in roles {
        if let Some(wrong) = permissions.iter().find(|p| !well_formed(p)) {
            let problem = format!("{wrong:?} is no permission (resource:action)");
            let key = format!("roles.{role}");
            return Err(TemplateError::invalid(TemplateFile::Roles, &key, &problem));
        }
    }
    if roles.get("owner").is_some_and(|owner| !owner.is_empty()) {
        return Ok(());
    }
    let problem = "a tenant needs a role with permissions for its owner";
    Err(TemplateError::invalid(TemplateFile::Roles, "roles.owner", &problem))
}

#[cfg(test)]
#[path = "template_tests.rs"]
mod tests;
