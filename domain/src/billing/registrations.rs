//! Where this ISP is registered for tax. In India one registration per state.

use serde::Serialize;

use super::entity::TaxRegistration;
use super::events::TaxRegistrationAdded;
use super::lines::place;
use super::rules::{FiscalYear, Place, Registration, TaxIdError, TaxRuleSet};
use super::{numbers, setup};
use crate::kernel::Permission;
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, ErrorCode, Result};
use crate::kernel::ids::TaxRegistrationId;
use crate::subscribers::Subscriber;

#[derive(Clone, Debug, Serialize)]
pub struct AddTaxRegistration {
    pub country: String,
    pub region: Option<String>,
    pub tax_id: String,
}

/// Adds a registration, from which the next document on counts. TAKEN when the region or the tax id has one.
pub async fn tax_registration_add(tx: &TenantTx, cmd: AddTaxRegistration) -> Result<TaxRegistration> {
    tx.require(Permission::SettingsWrite)?;
    let valid = check(tx, &cmd, &setup::tax_rules(tx).await?)?;
    let short_code = valid.region.clone().unwrap_or_else(|| valid.country.clone());
    // Two additions at once must see each other, for what numbers must look like depends on how many there are.
    tx.sql("SELECT only_row FROM billing_settings FOR UPDATE").run().await?;
    let known = all(tx).await?;
    if let Some(same) = known.iter().find(|r| r.tax_id == valid.tax_id || r.short_code == short_code) {
        let field = if same.tax_id == valid.tax_id { "taxId" } else { "region" };
        return Err(Error::user(ErrorCode::Taken, field, "There is such a registration already."));
    }
    check_numbers(tx, &known, &short_code).await?;
    let added = TaxRegistration {
        id: TaxRegistrationId::new(),
        country: valid.country,
        region: valid.region,
        tax_id: valid.tax_id,
        short_code,
        created_at: tx.now(),
    };
    insert(tx, &added).await?;
    tx.audit("taxRegistrationAdd", added.id.0, &cmd).await?;
    let tax_registration_id = added.id;
    tx.emit(&TaxRegistrationAdded { tax_registration_id }).await?;
    Ok(added)
}

/// The ISP's registrations, oldest first.
pub async fn tax_registrations(tx: &TenantTx) -> Result<Vec<TaxRegistration>> {
    tx.require(Permission::SettingsRead)?;
    all(tx).await
}

pub(super) async fn all(tx: &TenantTx) -> Result<Vec<TaxRegistration>> {
    tx.sql("SELECT id, country, region, tax_id, short_code, created_at FROM tax_registration ORDER BY created_at, id")
        .all()
        .await
}

/// The registration under which a supply there is invoiced: that of its region (a supplier is registered, and supplies,
/// per state: CGST Act s.22, s.25(4)), else the first, which is the place of business.
pub(super) fn for_place<'r>(
    registrations: &'r [TaxRegistration],
    rules: &TaxRuleSet,
    place: &Place,
) -> Option<&'r TaxRegistration> {
    let region = place.region.as_deref().map(|r| rules.region(r));
    let own = |r: &&TaxRegistration| r.country == place.country && r.region.is_some() && r.region == region;
    registrations.iter().find(own).or_else(|| registrations.first())
}

/// The registration under which what is not about a supply is written to a subscriber: that of its place.
pub(super) async fn of_subscriber(tx: &TenantTx, subscriber: &Subscriber) -> Result<Option<TaxRegistration>> {
    let all = all(tx).await?;
    if all.len() < 2 {
        return Ok(all.into_iter().next());
    }
    let place = place(tx, subscriber.address.as_ref());
    Ok(for_place(&all, &setup::tax_rules(tx).await?, &place).cloned())
}

fn check(tx: &TenantTx, cmd: &AddTaxRegistration, rules: &TaxRuleSet) -> Result<Registration> {
    let home = tx.tenant().country();
    let country = cmd.country.trim().to_uppercase();
    if country != home {
        return Err(Error::invalid(
            "country",
            format!("This ISP's tax rules are those of {home}."),
        ));
    }
    let region = cmd.region.as_deref().map(str::trim).filter(|r| !r.is_empty());
    let well_formed = |r: &str| r.len() <= 3 && r.bytes().all(|b| b.is_ascii_alphanumeric());
    if region.is_some_and(|r| !well_formed(r)) {
        return Err(Error::invalid(
            "region",
            "Must be the second part of an ISO 3166-2 code, such as KA.",
        ));
    }
    if let Some(unknown) = region.filter(|r| !rules.has_region(&rules.region(r))) {
        let message = format!("{home} has no region {unknown}: write the second part of its ISO 3166-2 code.");
        return Err(Error::invalid("region", message));
    }
    if cmd.tax_id.chars().count() > 40 {
        return Err(Error::invalid("taxId", "Must have at most 40 characters."));
    }
    rules.registration(&country, region, &cmd.tax_id).map_err(|e| {
        let (code, field) = match e {
            TaxIdError::Empty => (ErrorCode::Required, "taxId"),
            TaxIdError::NoRegion => (ErrorCode::Required, "region"),
            TaxIdError::OtherRegion { .. } => (ErrorCode::Invalid, "region"),
            TaxIdError::Form(_) | TaxIdError::CheckCharacter(_) | TaxIdError::UnknownRegion(_) => (ErrorCode::Invalid, "taxId"),
        };
        Error::user(code, field, sentence(&e.to_string()))
    })
}

/// Each registration numbers its own documents, so with two of them the patterns must tell them apart.
async fn check_numbers(tx: &TenantTx, known: &[TaxRegistration], added: &str) -> Result<()> {
    let rule = setup::number_rule(tx)?;
    let codes: Vec<&str> = known.iter().map(|r| r.short_code.as_str()).chain([added]).collect();
    let settings = setup::settings(tx).await?.settings;
    settings
        .check(tx.tenant().currency(), &rule, &codes)
        .map_err(|e| Error::state("", sentence(&e.to_string())))?;
    let year = FiscalYear::of(tx.today(), settings.fiscal_year_start_month);
    for ((field, pattern), series) in settings.number_patterns().into_iter().zip(numbers::SERIES) {
        if pattern.names_registration() && numbers::would_repeat(tx, series, pattern, year, &[added]).await? {
            let message = format!("{field}: the numbers that it would give here have been given to other documents already.");
            return Err(Error::state("", message));
        }
    }
    Ok(())
}

/// What stands for registrations in documents' numbers: their short codes, or the country's where there is none.
pub(super) fn codes<'r>(tx: &'r TenantTx, known: &'r [TaxRegistration]) -> Vec<&'r str> {
    match known {
        [] => vec![tx.tenant().country()],
        known => known.iter().map(|r| r.short_code.as_str()).collect(),
    }
}

async fn insert(tx: &TenantTx, r: &TaxRegistration) -> Result<()> {
    tx.sql("INSERT INTO tax_registration (id, country, region, tax_id, short_code, created_at) VALUES ($1, $2, $3, $4, $5, $6)")
        .bind(r.id)
        .bind(r.country.as_str())
        .bind(r.region.clone())
        .bind(r.tax_id.as_str())
        .bind(r.short_code.as_str())
        .bind(r.created_at)
        .run()
        .await?;
    Ok(())
}

/// An error's text as a sentence for people.
pub fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let head: String = chars.next().into_iter().flat_map(char::to_uppercase).collect();
    format!("{head}{}.", chars.as_str())
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::billing::rules::BillingPack;
    use crate::tenants::template::Template;

    fn registration(region: Option<&str>) -> TaxRegistration {
        TaxRegistration {
            id: TaxRegistrationId::new(),
            country: "IN".into(),
            region: region.map(str::to_owned),
            tax_id: String::new(),
            short_code: region.unwrap_or("IN").into(),
            created_at: DateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_supply_is_invoiced_under_its_own_regions_registration_else_the_first() {
        let template = Template::load("in-broadband").expect("a template");
        let rules = BillingPack::from_template(&template).expect("a pack").taxes;
        let known = [registration(Some("KA")), registration(Some("OD")), registration(None)];
        for (country, region, expected) in [
            ("IN", Some("KA"), "KA"),
            ("IN", Some("OD"), "OD"),
            ("IN", Some("or"), "OD"),
            ("IN", Some("MH"), "KA"),
            ("IN", None, "KA"),
            ("US", Some("OD"), "KA"),
        ] {
            let place = Place {
                country: country.into(),
                region: region.map(str::to_owned),
            };
            let chosen = for_place(&known, &rules, &place).map(|r| r.short_code.as_str());
            assert_eq!(chosen, Some(expected), "{country} {region:?}");
        }
        let nowhere = Place {
            country: "IN".into(),
            region: None,
        };
        assert!(for_place(&[], &rules, &nowhere).is_none());
    }
}
