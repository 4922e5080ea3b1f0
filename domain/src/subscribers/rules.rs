//! What a subscriber's particulars must look like.

use super::address::Address;
use crate::kernel::check::Checks;
use crate::tenants::template::Regions;

/// The particulars that creating and changing a subscriber have in common.
pub(super) struct Particulars {
    pub name: String,
    pub email: Option<String>,
    pub phone: Option<String>,
    pub tax_id: Option<String>,
    pub address: Option<Address>,
}

impl Particulars {
    /// Notes everything that is wrong with them; the result is tidy. `home`: the regions of the ISP's country.
    #[must_use]
    pub fn checked(self, home: Option<&Regions>, checks: &mut Checks) -> Self {
        Self {
            name: checks.line(&self.name, 120, "name"),
            email: filled(self.email).map(|email| checks.email(&email, "email")),
            phone: filled(self.phone).map(|phone| checks.phone(&phone, "phone")),
            tax_id: filled(self.tax_id).map(|id| checked_tax_id(&id, checks)),
            address: self.address.map(|address| address.checked("address", home, checks)),
        }
    }
}

/// Blank counts as absent.
fn filled(text: Option<String>) -> Option<String> {
    text.filter(|t| !t.trim().is_empty())
}

/// Its form only; whether it is valid in its country is for billing to say, which knows the tax rules.
fn checked_tax_id(text: &str, checks: &mut Checks) -> String {
    let id = text.trim().to_ascii_uppercase();
    let plausible = (4..=30).contains(&id.len())
        && id
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'/' | b'.'));
    checks.ensure(plausible, "taxId", "Must be 4 to 30 letters and digits.");
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tax_ids_are_written_in_upper_case() {
        let id = |text| {
            let mut checks = Checks::new();
            let id = checked_tax_id(text, &mut checks);
            checks.done().is_ok().then_some(id)
        };
        assert_eq!(id(" 29aabct1332l1zm ").as_deref(), Some("29AABCT1332L1ZM"));
        assert_eq!(id("P051234567Z").as_deref(), Some("P051234567Z"));
        for bad in ["29", "29 AABCT", "29AABCT1332L1ZM29AABCT1332L1ZM29", "ÄÖÜß"] {
            assert_eq!(id(bad), None, "{bad}");
        }
    }

    #[test]
    fn blank_is_absent() {
        let mut checks = Checks::new();
        let tidy = Particulars {
            name: " Asha Rao ".into(),
            email: Some(" ".into()),
            phone: Some(String::new()),
            tax_id: Some("\t".into()),
            address: None,
        }
        .checked(None, &mut checks);
        assert!(checks.done().is_ok());
        assert_eq!(
            (tidy.name.as_str(), tidy.email, tidy.phone, tidy.tax_id),
            ("Asha Rao", None, None, None)
        );
    }
}
