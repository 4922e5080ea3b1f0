//! What an ISP may be called on the internet.

/// What a hostname, PostgreSQL, the platform or customs of the internet reserve. `pg-…` and punycode are refused by shape.
const RESERVED: &[&str] = &[
    "account",
    "accounts",
    "admin",
    "administrator",
    "api",
    "app",
    "apps",
    "assets",
    "auth",
    "autoconfig",
    "autodiscover",
    "billing",
    "blog",
    "broadcasthost",
    "cdn",
    "dashboard",
    "default",
    "demo-platform",
    "dns",
    "docs",
    "email",
    "example",
    "extension",
    "ftp",
    "graphql",
    "health",
    "help",
    "hostmaster",
    "imap",
    "information-schema",
    "internal",
    "invalid",
    "isatap",
    "local",
    "localdomain",
    "localhost",
    "login",
    "mail",
    "metrics",
    "mta-sts",
    "mx",
    "none",
    "noreply",
    "ns1",
    "ns2",
    "null",
    "pg",
    "platform",
    "pop3",
    "postgres",
    "postmaster",
    "public",
    "radius",
    "root",
    "security",
    "signup",
    "smtp",
    "sso",
    "static",
    "status",
    "support",
    "system",
    "template0",
    "template1",
    "test-clock",
    "trunkline",
    "webmaster",
    "webmail",
    "wpad",
    "www",
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlugError {
    Shape,
    Reserved,
}

impl SlugError {
    pub fn message(self) -> &'static str {
        match self {
            Self::Shape => "Must be 3 to 40 lower-case letters, digits and inner hyphens.",
            Self::Reserved => "This name is reserved; choose another.",
        }
    }
}

/// A slug is one label of a hostname (RFC 1035, RFC 5891).
pub fn check_slug(slug: &str) -> Result<(), SlugError> {
    let letters = slug
        .bytes()
        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if !(3..=40).contains(&slug.len()) || !letters || slug.starts_with('-') || slug.ends_with('-') {
        return Err(SlugError::Shape);
    }
    // Hyphens in third and fourth place announce an internationalised label, which a slug is not.
    let announces = slug.as_bytes().get(2..4) == Some(b"--".as_slice());
    if announces || slug.starts_with("pg-") || RESERVED.binary_search(&slug).is_ok() {
        return Err(SlugError::Reserved);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted() {
        assert!(RESERVED.is_sorted());
    }

    #[test]
    fn slugs() {
        for good in ["abc", "a-1", "acme-fibre", "123", &"a".repeat(40), "pgnet", "xn-net"] {
            assert_eq!(check_slug(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "ab",
            &"a".repeat(41),
            "-abc",
            "abc-",
            "Acme",
            "a_b",
            "a.b",
            "a b",
            "ünder",
            "a\"; DROP SCHEMA x; --",
            "abc\n",
            "abc\0",
        ] {
            assert_eq!(check_slug(bad), Err(SlugError::Shape), "{bad}");
        }
        for reserved in [
            "platform",
            "www",
            "api",
            "admin",
            "public",
            "radius",
            "information-schema",
            "pg-catalog",
            "pg-x",
            "xn--abc",
            "localhost",
        ] {
            assert_eq!(check_slug(reserved), Err(SlugError::Reserved), "{reserved}");
        }
        assert_eq!(check_slug("pg"), Err(SlugError::Shape));
    }
}
