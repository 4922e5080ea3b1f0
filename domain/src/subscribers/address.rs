use sea_orm::FromJsonQueryResult;
use serde::{Deserialize, Serialize};

use crate::kernel::check::Checks;
use crate::kernel::country::is_country;
use crate::tenants::template::Regions;

/// A postal address. Its country and region decide the place of supply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult)]
pub struct Address {
    pub line1: String,
    pub line2: Option<String>,
    pub city: Option<String>,
    /// ISO 3166-2 subdivision without the country, such as `KA`.
    pub region: Option<String>,
    pub postal_code: Option<String>,
    /// ISO 3166-1 alpha-2.
    pub country: String,
}

impl Address {
    /// Notes everything that is wrong with it, under `field`; trims it and writes its codes in upper case, that of its region as
    /// the ISP's country writes it now. `home`: that country's regions. Other countries' are taken as they are written.
    #[must_use]
    pub fn checked(self, field: &str, home: Option<&Regions>, checks: &mut Checks) -> Self {
        let at = |member: &str| format!("{field}.{member}");
        let mut address = Self {
            line1: checks.line(&self.line1, 120, &at("line1")),
            line2: checks.optional_line(self.line2.as_deref(), 120, &at("line2")),
            city: checks.optional_line(self.city.as_deref(), 80, &at("city")),
            region: upper(self.region),
            postal_code: upper(self.postal_code),
            country: self.country.trim().to_ascii_uppercase(),
        };
        let region_ok = |r: &String| (1..=3).contains(&r.len()) && r.bytes().all(|b| b.is_ascii_alphanumeric());
        checks.ensure(
            address.region.as_ref().is_none_or(region_ok),
            &at("region"),
            "Must be an ISO 3166-2 subdivision without the country, such as KA.",
        );
        if let (Some(home), Some(region)) = (home, address.region.as_ref().filter(|r| region_ok(r))) {
            match home.present(&address.country, region) {
                Some(present) => address.region = Some(present),
                None => {
                    let message = format!(
                        "{} has no region {region}. Name it by ISO 3166-2, without the country.",
                        address.country
                    );
                    checks.ensure(false, &at("region"), &message);
                }
            }
        }
        let postal_ok = |p: &String| p.len() <= 12 && p.bytes().all(|b| b.is_ascii_alphanumeric() || b == b' ' || b == b'-');
        checks.ensure(
            address.postal_code.as_ref().is_none_or(postal_ok),
            &at("postalCode"),
            "Must be at most 12 letters, digits, blanks and hyphens.",
        );
        checks.ensure(
            is_country(&address.country),
            &at("country"),
            "Must be an ISO 3166-1 alpha-2 code, such as IN.",
        );
        address
    }
}

fn upper(text: Option<String>) -> Option<String> {
    text.map(|t| t.trim().to_ascii_uppercase()).filter(|t| !t.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Error;

    fn address() -> Address {
        Address {
            line1: "12 MG Road".into(),
            line2: None,
            city: Some("Bengaluru".into()),
            region: Some("KA".into()),
            postal_code: Some("560001".into()),
            country: "IN".into(),
        }
    }

    fn wrong(address: Address) -> Vec<String> {
        let mut checks = Checks::new();
        let _ = address.checked("address", Regions::of("in-broadband"), &mut checks);
        match checks.done() {
            Err(Error::User(errors)) => errors.into_iter().map(|e| e.field.join(".")).collect(),
            _ => Vec::new(),
        }
    }

    #[test]
    fn it_is_trimmed_and_its_codes_written_in_upper_case() {
        let mut checks = Checks::new();
        let untidy = Address {
            line1: "  12 MG Road ".into(),
            line2: Some(" ".into()),
            region: Some("ka ".into()),
            country: "in".into(),
            ..address()
        };
        assert_eq!(untidy.checked("address", None, &mut checks), address());
        assert!(checks.done().is_ok());
    }

    #[test]
    fn each_fault_is_named() {
        type Spoil = fn(&mut Address);
        let cases: [(Spoil, &str); 11] = [
            (|a| a.line1 = " ".into(), "address.line1"),
            (|a| a.line1 = "a\nb".into(), "address.line1"),
            (|a| a.line2 = Some("x".repeat(121)), "address.line2"),
            (|a| a.city = Some("\0".into()), "address.city"),
            (|a| a.region = Some("IN-KA".into()), "address.region"),
            (|a| a.region = Some("Karnataka".into()), "address.region"),
            (|a| a.region = Some("ZZ".into()), "address.region"),
            (|a| a.region = Some("39".into()), "address.region"),
            (|a| a.postal_code = Some("560_001".into()), "address.postalCode"),
            (|a| a.country = "India".into(), "address.country"),
            (|a| a.country = "XX".into(), "address.country"),
        ];
        for (spoil, field) in cases {
            let mut spoiled = address();
            spoil(&mut spoiled);
            assert_eq!(wrong(spoiled.clone()), [field], "{spoiled:?}");
        }
    }

    #[test]
    fn regions_are_those_of_the_country_in_their_present_codes() {
        for (template, country, region, expected) in [
            ("in-broadband", "IN", "29", Some("KA")),
            ("in-broadband", "IN", "or", Some("OD")),
            ("in-broadband", "IN", "97", Some("97")),
            ("in-broadband", "IN", "47", None),
            ("in-broadband", "US", "ZZ", Some("ZZ")),
            ("ke-hotspot", "KE", "1", Some("01")),
            ("ke-hotspot", "KE", "47", Some("47")),
            ("ke-hotspot", "KE", "48", None),
            ("ke-hotspot", "IN", "ZZ", Some("ZZ")),
        ] {
            let mut checks = Checks::new();
            let given = Address {
                region: Some(region.into()),
                country: country.into(),
                ..address()
            };
            let checked = given.checked("address", Regions::of(template), &mut checks);
            let region_found = checks.done().is_ok().then_some(checked.region).flatten();
            assert_eq!(region_found.as_deref(), expected, "{template} {country} {region}");
        }
    }

    #[test]
    fn it_survives_its_json() {
        let json = serde_json::to_value(address()).unwrap();
        assert_eq!(serde_json::from_value::<Address>(json).unwrap(), address());
    }
}
