//! Tax identification numbers: validators that a template names.

use serde::{Deserialize, Serialize};

/// How a tax id is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, strum::Display, strum::EnumString, strum::IntoStaticStr)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum TaxIdValidator {
    /// Goods and Services Tax Identification Number: state, PAN, entity, "Z", check character.
    Gstin,
    /// Kenya Revenue Authority PIN; no check digit is published.
    KraPin,
    /// Any text.
    None,
}

/// Why a tax id is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TaxIdError {
    #[error("the tax id is empty")]
    Empty,
    #[error("{0:?} does not have the form of a tax id")]
    Form(String),
    #[error("{0:?} has a wrong check character")]
    CheckCharacter(String),
    #[error("{0:?} begins with an unknown state code")]
    UnknownRegion(String),
    #[error("the tax id {tax_id} does not belong to the region {region}")]
    OtherRegion { tax_id: String, region: String },
    #[error("the registration needs a region")]
    NoRegion,
}

/// A checked tax id, without blanks and in upper case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidTaxId {
    pub text: String,
    /// The region it names, as the second part of an ISO 3166-2 code; None if it names none.
    pub region: Option<&'static str>,
}

/// GST state codes and the ISO 3166-2:IN codes (as of November 2023: CG, OD, TS, UK). 25 and 28 are old codes
/// of regions that have another now; 97 (other territory) has no ISO code.
const GST_STATES: [(&str, &str); 38] = [
    ("01", "JK"),
    ("02", "HP"),
    ("03", "PB"),
    ("04", "CH"),
    ("05", "UK"),
    ("06", "HR"),
    ("07", "DL"),
    ("08", "RJ"),
    ("09", "UP"),
    ("10", "BR"),
    ("11", "SK"),
    ("12", "AR"),
    ("13", "NL"),
    ("14", "MN"),
    ("15", "MZ"),
    ("16", "TR"),
    ("17", "ML"),
    ("18", "AS"),
    ("19", "WB"),
    ("20", "JH"),
    ("21", "OD"),
    ("22", "CG"),
    ("23", "MP"),
    ("24", "GJ"),
    ("25", "DH"),
    ("26", "DH"),
    ("27", "MH"),
    ("28", "AP"),
    ("29", "KA"),
    ("30", "GA"),
    ("31", "LD"),
    ("32", "KL"),
    ("33", "TN"),
    ("34", "PY"),
    ("35", "AN"),
    ("36", "TS"),
    ("37", "AP"),
    ("38", "LA"),
];

impl TaxIdValidator {
    /// Checks form, check character and state code.
    pub fn check(self, text: &str) -> Result<ValidTaxId, TaxIdError> {
        let text: String = text
            .chars()
            .filter(|c| !c.is_whitespace())
            .flat_map(char::to_uppercase)
            .collect();
        if text.is_empty() {
            return Err(TaxIdError::Empty);
        }
        let region = match self {
            Self::Gstin => gstin_region(&text)?,
            Self::KraPin => {
                require_form(&text, "B999999999A")?;
                None
            }
            Self::None => None,
        };
        Ok(ValidTaxId { text, region })
    }

    /// As [`Self::check`], of a buyer: also those may buy who can't sell, such as authorities and embassies.
    pub fn check_buyer(self, text: &str) -> Result<(), TaxIdError> {
        let pictures = match self {
            Self::Gstin => GSTINS_OF_BUYERS,
            Self::KraPin | Self::None => &[],
        };
        match pictures.iter().any(|picture| require_form(text, picture).is_ok()) {
            true => Ok(()),
            false => self.check(text).map(|_| ()),
        }
    }
}

/// Forms of those who are not normal taxpayers: who deducts tax at source, by PAN or by TAN; who collects it; United Nations
/// bodies and embassies; other notified persons; non-residents. Of these no check character is published.
const GSTINS_OF_BUYERS: &[&str] = &[
    "99AAAAA9999AEDX",
    "99AAAA99999AEDX",
    "99AAAAA9999AECX",
    "9999AAA99999UNX",
    "9999AAA99999ONX",
    "9999AAA99999NRX",
];

/// A normal taxpayer's GSTIN. Position 14 is "Z"; the forms of deductors, collectors and UN bodies differ and
/// are not for a seller.
fn gstin_region(text: &str) -> Result<Option<&'static str>, TaxIdError> {
    require_form(text, "99AAAAA9999AEZX")?;
    if gstin_check_character(text) != text.chars().last() {
        return Err(TaxIdError::CheckCharacter(text.to_owned()));
    }
    let state = (GST_STATES.iter()).find(|(code, _)| text.starts_with(code));
    match state {
        Some((_, region)) => Ok(Some(region)),
        None if text.starts_with("97") => Ok(None),
        None => Err(TaxIdError::UnknownRegion(text.to_owned())),
    }
}

/// Weights 1, 2, 1, 2, … over the first 14 characters as digits of base 36; a product counts as its two
/// base-36 digits' sum.
fn gstin_check_character(text: &str) -> Option<char> {
    let mut sum = 0;
    for (index, c) in text.chars().take(14).enumerate() {
        let product = c.to_digit(36)? * if index % 2 == 0 { 1 } else { 2 };
        sum += product / 36 + product % 36;
    }
    char::from_digit((36 - sum % 36) % 36, 36).map(|c| c.to_ascii_uppercase())
}

/// A picture of the form: 9 digit, A letter, B "A" or "P", E 1-9 or letter, X digit or letter, Z itself.
fn require_form(text: &str, picture: &str) -> Result<(), TaxIdError> {
    let matches = text.chars().count() == picture.len()
        && text.chars().zip(picture.chars()).all(|(c, kind)| match kind {
            '9' => c.is_ascii_digit(),
            'A' => c.is_ascii_uppercase(),
            'B' => c == 'A' || c == 'P',
            'E' => ('1'..='9').contains(&c) || c.is_ascii_uppercase(),
            'X' => c.is_ascii_digit() || c.is_ascii_uppercase(),
            literal => c == literal,
        });
    if matches {
        return Ok(());
    }
    Err(TaxIdError::Form(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn some_buy_who_sell_nothing() {
        for (text, good) in [
            ("29AAACI1681G1DM", true),
            ("29BLRA12345F1DM", true),
            ("29AAACI1681G1CM", true),
            ("0717UNO00157UNU", true),
            ("9917USA29001NRF", true),
            ("0717UNO00157UXU", false),
            ("29AABCR1718E1ZL", true),
            ("29AABCR1718E1ZM", false),
        ] {
            assert_eq!(TaxIdValidator::Gstin.check_buyer(text).is_ok(), good, "{text}");
        }
        assert!(TaxIdValidator::KraPin.check_buyer("29AABCR1718E1ZL").is_err());
        assert!(TaxIdValidator::None.check_buyer("DE123456789").is_ok());
    }

    #[test]
    fn gstins() {
        for (text, region) in [
            ("27AAPFU0939F1ZV", "MH"),
            ("29AAGCB7383J1Z4", "KA"),
            ("24AAQCA8719H1ZC", "GJ"),
            ("05AAACG2115R1ZN", "UK"),
            ("29AABCR1718E1ZL", "KA"),
            ("33AAAAR6720M1ZG", "TN"),
            (" 27aapfu0939f1zv ", "MH"),
        ] {
            let valid = TaxIdValidator::Gstin.check(text).expect(text);
            assert_eq!(valid.region, Some(region), "{text}");
        }
        for text in [
            "",
            "27AAPFU0939F1ZO",
            "27AAPFU0939F1AA",
            "16DEFPS8555D1Z7",
            "02AMBPG7773M002",
            "27AAPFU0939F1Z",
            "27AAPFU0939F1ZVV",
            "₹7AAPFU0939F1ZV",
        ] {
            assert!(TaxIdValidator::Gstin.check(text).is_err(), "{text}");
        }
    }

    #[test]
    fn other_validators() {
        for (text, good) in [
            ("P051234567Q", true),
            ("a001234567z", true),
            ("B051234567Q", false),
            ("P05123456Q", false),
            ("P0512345678", false),
        ] {
            assert_eq!(TaxIdValidator::KraPin.check(text).is_ok(), good, "{text}");
        }
        assert!(TaxIdValidator::None.check("anything 1").is_ok());
        assert_eq!("kra-pin".parse(), Ok(TaxIdValidator::KraPin));
        assert!("vat".parse::<TaxIdValidator>().is_err());
    }

    proptest! {
        #[test]
        fn one_wrong_character_is_noticed(position in 0_usize..15, with in "[0-9A-Z]") {
            let mut text = "29AABCR1718E1ZL".to_owned();
            text.replace_range(position..=position, &with);
            prop_assert_eq!(TaxIdValidator::Gstin.check(&text).is_ok(), text == "29AABCR1718E1ZL");
        }
    }
}
