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
    "trunkline",
    "webmail",
    "webmaster",
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
    if announces || slug.starts_with("pg-") || RESERVED.contains(&slug) {
        return Err(SlugError::Reserved);
    }
    Ok(())
}

/// The name of an ISP's own domain as the DNS writes it: lower case, internationalised labels in punycode. Names under the
/// platform's own domain are not anybody's to claim.
pub fn check_hostname(hostname: &str, base_domain: &str) -> Result<String, &'static str> {
    const SHAPE: &str = "Must be a full host name, such as portal.example.net.";
    let given = hostname.trim();
    let given = given.strip_suffix('.').unwrap_or(given);
    // The parser is a URL's and would decode and strip what a host name does not have.
    if given
        .chars()
        .any(|c| c.is_ascii() && !c.is_ascii_alphanumeric() && c != '-' && c != '.')
    {
        return Err(SHAPE);
    }
    let Ok(url::Host::Domain(name)) = url::Host::parse(given) else {
        return Err(SHAPE);
    };
    let label = |l: &str| {
        (1..=63).contains(&l.len())
            && l.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !l.starts_with('-')
            && !l.ends_with('-')
    };
    let labels: Vec<&str> = name.split('.').collect();
    let numeric_top = labels.last().is_some_and(|l| l.bytes().all(|b| b.is_ascii_digit()));
    // 253 octets are all that a name may have; the record that proves it needs eleven more.
    if labels.len() < 2 || name.len() > 253 - "_trunkline.".len() || numeric_top || !labels.iter().all(|l| label(l)) {
        return Err(SHAPE);
    }
    let under_base = name
        .strip_suffix(base_domain)
        .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    if under_base {
        return Err("Names under the platform's own domain are given by the platform.");
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

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
            "webmail",
            "webmaster",
        ] {
            assert_eq!(check_slug(reserved), Err(SlugError::Reserved), "{reserved}");
        }
        assert_eq!(check_slug("pg"), Err(SlugError::Shape));
    }
    #[test]
    fn hostnames() {
        for (given, name) in [
            ("portal.example.net", "portal.example.net"),
            (" Portal.Example.NET. ", "portal.example.net"),
            ("bücher.example", "xn--bcher-kva.example"),
            ("xn--bcher-kva.example", "xn--bcher-kva.example"),
            ("notplatform.test", "notplatform.test"),
        ] {
            assert_eq!(check_hostname(given, "platform.test").as_deref(), Ok(name), "{given}");
        }
        for bad in [
            "",
            "localhost",
            "example",
            "10.0.0.1",
            "0x7f.1",
            "[::1]",
            "a..b",
            ".a.b",
            "a.b..",
            "-a.example",
            "a-.example",
            "a_b.example",
            "*.example.net",
            "a b.example",
            "a.example/x",
            "a.example:80",
            "a%2eb.example",
            "user@a.example",
            "platform.test",
            "acme.platform.test",
            "ACME.Platform.Test.",
            &format!("{}.example", "a".repeat(64)),
            &format!("{}example", "a.".repeat(125)),
        ] {
            assert!(check_hostname(bad, "platform.test").is_err(), "{bad}");
        }
    }
}
