//! What a NAS must look like.

use std::fmt;
use std::net::IpAddr;

use serde::{Serialize, Serializer};

use crate::kernel::check::Checks;

/// A RADIUS shared secret; neither logs nor the audit show it.
#[derive(Clone)]
pub struct NasSecret(String);

impl NasSecret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(super) fn reveal(&self) -> &str {
        &self.0
    }

    /// Blanks, quotes and backslashes are left out because FreeRADIUS and router command lines each escape them in their
    /// own way; `radius.nas` refuses them too.
    pub(super) fn check(&self, field: &str, checks: &mut Checks) {
        let plain = |b: u8| b.is_ascii_graphic() && !matches!(b, b'"' | b'\'' | b'\\' | b'`');
        checks.ensure(
            (12..=128).contains(&self.0.len()) && self.0.bytes().all(plain),
            field,
            "Must have 12 to 128 printable ASCII characters, without blanks, quotes and backslashes.",
        );
    }
}

impl fmt::Debug for NasSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NasSecret(***)")
    }
}

impl Serialize for NasSecret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("***")
    }
}

/// The address of one machine, in its shortest spelling.
pub(super) fn checked_address(text: &str, field: &str, checks: &mut Checks) -> String {
    let address = text.trim().parse().ok().map(|ip: IpAddr| ip.to_canonical());
    checks.ensure(
        address.is_some_and(is_unicast),
        field,
        "Must be the IPv4 or IPv6 address of one machine, such as 100.64.0.1.",
    );
    address.map_or_else(|| text.to_owned(), |ip| ip.to_string())
}

fn is_unicast(ip: IpAddr) -> bool {
    match ip {
        // 0.0.0.0/8 is "this network" (RFC 791), 240.0.0.0/4 reserved (RFC 1112) with the broadcast address in it.
        IpAddr::V4(v4) => !v4.is_multicast() && v4.octets()[0] != 0 && v4.octets()[0] < 240,
        IpAddr::V6(v6) => !v6.is_unspecified() && !v6.is_multicast(),
    }
}

pub(super) fn check_coa_port(port: i32, checks: &mut Checks) {
    checks.ensure((1..=65_535).contains(&port), "coaPort", "Must be 1 to 65535.");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_those_of_one_machine() {
        let address = |text| {
            let mut checks = Checks::new();
            let address = checked_address(text, "address", &mut checks);
            checks.done().is_ok().then_some(address)
        };
        for (given, kept) in [
            ("100.64.0.1", "100.64.0.1"),
            (" 127.0.0.2 ", "127.0.0.2"),
            ("2001:DB8:0:0::1", "2001:db8::1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
        ] {
            assert_eq!(address(given).as_deref(), Some(kept), "{given}");
        }
        for bad in [
            "",
            "router.example",
            "100.64.0.0/24",
            "100.64.0.1:1812",
            "1.2.3",
            "010.0.0.1",
            "0.0.0.0",
            "0.1.2.3",
            "224.0.0.1",
            "255.255.255.255",
            "240.0.0.1",
            "::",
            "ff02::1",
            "fe80::1%eth0",
            "::ffff:255.255.255.255",
        ] {
            assert_eq!(address(bad), None, "{bad}");
        }
    }

    #[test]
    fn secrets_are_long_plain_and_never_shown() {
        let fits = |text: &str| {
            let mut checks = Checks::new();
            NasSecret::new(text).check("secret", &mut checks);
            checks.done().is_ok()
        };
        assert!(fits("s3cret-s3cret") && fits(&"x".repeat(128)) && fits("!#$%&()*+,-./:;"));
        for bad in [
            "",
            "short-11-ch",
            "with a blank in it",
            "quote\"quote\"quote",
            "back\\slash\\es",
            "ümlaut-ümlaut",
        ] {
            assert!(!fits(bad), "{bad}");
        }
        assert!(!fits(&"x".repeat(129)));
        let secret = NasSecret::new("s3cret-s3cret");
        assert_eq!(serde_json::to_string(&secret).unwrap(), "\"***\"");
        assert!(!format!("{secret:?}").contains("s3cret"));
    }
}
