//! Gathers everything that is wrong with an input, so that a form shows all its errors at once.

use rust_decimal::Decimal;

use super::error::{Error, ErrorCode, Result, UserError};
use super::money::{Currency, Money};

#[derive(Debug, Default)]
pub struct Checks(Vec<UserError>);

impl Checks {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn add(&mut self, code: ErrorCode, field: &str, message: impl Into<String>) {
        self.0.push(UserError::new(code, field, message));
    }

    /// Notes `message` under INVALID unless `holds`.
    pub fn ensure(&mut self, holds: bool, field: &str, message: &str) {
        if !holds {
            self.add(ErrorCode::Invalid, field, message);
        }
    }

    /// An amount of money: more than nothing, exact in the currency. It is brought into one shape, for an idempotency key does not
    /// care how it was written.
    pub fn positive(&mut self, amount: &mut Decimal, currency: Currency, field: &str) {
        let exact = Money::new(*amount, currency).ok().filter(|exact| exact.is_positive());
        let message = format!("Must be more than 0, with at most {} decimals.", currency.scale());
        self.ensure(exact.is_some(), field, &message);
        *amount = exact.map_or(*amount, Money::amount);
    }

    /// A name, code or other line of text: not blank, no control characters, at most `max` characters. Returns it trimmed.
    pub fn line(&mut self, text: &str, max: usize, field: &str) -> String {
        let text = text.trim();
        if text.is_empty() {
            self.add(ErrorCode::Required, field, "Must not be blank.");
        } else if text.chars().count() > max {
            self.add(ErrorCode::Invalid, field, format!("Must have at most {max} characters."));
        } else if text.chars().any(char::is_control) {
            self.add(ErrorCode::Invalid, field, "Must not contain control characters.");
        }
        text.to_owned()
    }

    /// As `line`, for text that may be absent; blank counts as absent.
    pub fn optional_line(&mut self, text: Option<&str>, max: usize, field: &str) -> Option<String> {
        let text = text.map(str::trim).filter(|t| !t.is_empty())?;
        Some(self.line(text, max, field))
    }

    /// An address that mail could be sent to: one `@`, a domain with a dot or `localhost`, no blanks.
    pub fn email(&mut self, text: &str, field: &str) -> String {
        let text = self.line(text, 254, field);
        let plausible = text.split_once('@').is_some_and(|(user, host)| {
            !user.is_empty()
                && !host.contains('@')
                && !host.is_empty()
                && !host.starts_with('.')
                && !host.ends_with('.')
                && !host.contains("..")
        }) && !text.contains(char::is_whitespace);
        if !text.is_empty() {
            self.ensure(plausible, field, "Must be an e-mail address.");
        }
        text
    }

    /// A telephone number: E.164 (`+` and 7 to 15 digits, the first not 0), or 6 to 15 digits as dialled at home. Returns it
    /// without the blanks, hyphens, dots and brackets that people write into it.
    pub fn phone(&mut self, text: &str, field: &str) -> String {
        let phone = compact_phone(text);
        let all_digits = |digits: &str| digits.bytes().all(|b| b.is_ascii_digit());
        let plausible = match phone.strip_prefix('+') {
            Some(digits) => (7..=15).contains(&digits.len()) && !digits.starts_with('0') && all_digits(digits),
            None => (6..=15).contains(&phone.len()) && all_digits(&phone),
        };
        self.ensure(plausible, field, "Must be a telephone number, such as +919845012345.");
        phone
    }

    /// A password that someone may sign in with: 10 to 200 characters (NIST SP 800-63B asks for 8 at least and no rules of composition).
    pub fn password(&mut self, text: &str, field: &str) {
        self.ensure(
            (10..=200).contains(&text.chars().count()),
            field,
            "Must have 10 to 200 characters.",
        );
    }

    pub fn done(self) -> Result<()> {
        if self.0.is_empty() { Ok(()) } else { Err(Error::User(self.0)) }
    }
}

/// A telephone number without the blanks, hyphens, dots and brackets that people write into it.
pub fn compact_phone(text: &str) -> String {
    text.chars()
        .filter(|c| !matches!(c, ' ' | '-' | '.' | '(' | ')' | '\u{a0}'))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phones_are_kept_without_their_blanks() {
        let phone = |text| {
            let mut checks = Checks::new();
            let phone = checks.phone(text, "phone");
            checks.done().is_ok().then_some(phone)
        };
        for (given, kept) in [
            ("+91 98450-12345", "+919845012345"),
            ("+254 (712) 345.678", "+254712345678"),
            ("080 2345 678", "0802345678"),
            ("100200", "100200"),
        ] {
            assert_eq!(phone(given).as_deref(), Some(kept), "{given}");
        }
        for bad in [
            "12345",
            "+0123456789",
            "+123456",
            "1234567890123456",
            "98450x12345",
            "++919845012345",
            "９８４５０１２３４５",
        ] {
            assert_eq!(phone(bad), None, "{bad}");
        }
    }
}
