//! What to type into a router so that it asks this platform. The secret is write-only, so a placeholder stands for it.

use super::entity::{Nas, NasVendor};

/// Where routers send RADIUS packets to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RadiusEndpoint {
    /// An IP address.
    pub address: String,
    pub auth_port: u16,
    pub acct_port: u16,
}

/// Usage is reported every so many minutes; RFC 2869 §2.1 asks for 10 at least.
const INTERIM_MINUTES: u32 = 10;

/// Commands for the router's vendor, ready to be pasted once SECRET is replaced.
pub fn setup_script(nas: &Nas, server: &RadiusEndpoint) -> String {
    match nas.vendor {
        NasVendor::Mikrotik => mikrotik(nas, server),
        NasVendor::Cisco => cisco(nas, server),
        NasVendor::Juniper => juniper(nas, server),
        NasVendor::Huawei => huawei(nas, server),
        NasVendor::Generic => generic(nas, server),
    }
}

/// RouterOS 7. Its client waits 1.1 s by default, too little over the Internet; the default CoA port differs by version.
fn mikrotik(nas: &Nas, server: &RadiusEndpoint) -> String {
    let RadiusEndpoint {
        address,
        auth_port,
        acct_port,
    } = server;
    let coa_port = nas.coa_port;
    let source = nas.address.as_ref().map(|a| format!(" src-address={a}")).unwrap_or_default();
    let ip = if address.contains(':') { "ipv6" } else { "ip" };
    let rule = format!(
        "/{ip} firewall filter add chain=input action=accept protocol=udp src-address={address} dst-port={coa_port} \
         comment=\"trunkline CoA\""
    );
    format!(
        "# RouterOS 7. Replace SECRET by the secret of this router. Behind NAT leave src-address out.\n\
         /radius add service=ppp,hotspot address={address} authentication-port={auth_port} accounting-port={acct_port} \
         secret=\"SECRET\"{source} timeout=3s require-message-auth=yes-for-request-resp comment=\"trunkline\"\n\
         /radius incoming set accept=yes port={coa_port}\n\
         :do {{ {rule} place-before=0 }} on-error={{ {rule} }}\n\
         /ppp aaa set use-radius=yes accounting=yes interim-update={INTERIM_MINUTES}m\n\
         # Each hotspot's profile, by its name:\n\
         # /ip hotspot profile set PROFILE use-radius=yes radius-accounting=yes radius-interim-update=received\n"
    )
}

/// IOS XE.
fn cisco(nas: &Nas, server: &RadiusEndpoint) -> String {
    let RadiusEndpoint {
        address,
        auth_port,
        acct_port,
    } = server;
    let family = if address.contains(':') { "ipv6" } else { "ipv4" };
    format!(
        "! IOS XE. Replace SECRET by the secret of this router.\n\
         aaa new-model\n\
         radius server TRUNKLINE\n \
         address {family} {address} auth-port {auth_port} acct-port {acct_port}\n \
         key SECRET\n\
         exit\n\
         aaa group server radius TRUNKLINE-GROUP\n \
         server name TRUNKLINE\n\
         exit\n\
         aaa authentication ppp default group TRUNKLINE-GROUP\n\
         aaa authorization network default group TRUNKLINE-GROUP\n\
         aaa accounting network default start-stop group TRUNKLINE-GROUP\n\
         aaa accounting update newinfo periodic {INTERIM_MINUTES}\n\
         aaa server radius dynamic-author\n \
         client {address} server-key SECRET\n \
         port {coa_port}\n\
         exit\n{source}",
        coa_port = nas.coa_port,
        source = source_note(nas, "! ip radius source-interface"),
    )
}

/// Junos with subscriber management.
fn juniper(nas: &Nas, server: &RadiusEndpoint) -> String {
    let RadiusEndpoint {
        address,
        auth_port,
        acct_port,
    } = server;
    let at = format!("set access radius-server {address}");
    let source = nas
        .address
        .as_ref()
        .map(|a| format!("{at} source-address {a}\n"))
        .unwrap_or_default();
    let profile = "set access profile trunkline";
    format!(
        "# Junos with subscriber management. Replace SECRET by the secret of this router.\n\
         {at} port {auth_port}\n\
         {at} accounting-port {acct_port}\n\
         {at} dynamic-request-port {coa_port}\n\
         {at} secret SECRET\n\
         {source}\
         {profile} authentication-order radius\n\
         {profile} radius authentication-server {address}\n\
         {profile} radius accounting-server {address}\n\
         {profile} accounting order radius\n\
         {profile} accounting update-interval {INTERIM_MINUTES}\n\
         set access-profile trunkline\n",
        coa_port = nas.coa_port,
    )
}

/// NetEngine and ME60. The port for CoA is fixed there.
fn huawei(nas: &Nas, server: &RadiusEndpoint) -> String {
    let RadiusEndpoint {
        address,
        auth_port,
        acct_port,
    } = server;
    format!(
        "# NetEngine, ME60. Replace SECRET by the secret of this router.\n\
         radius-server group trunkline\n \
         radius-server authentication {address} {auth_port}\n \
         radius-server accounting {address} {acct_port}\n \
         radius-server shared-key-cipher SECRET\n \
         quit\n\
         radius-server authorization {address} shared-key-cipher SECRET server-group trunkline\n\
         aaa\n \
         authentication-scheme trunkline\n  \
         authentication-mode radius\n  \
         quit\n \
         accounting-scheme trunkline\n  \
         accounting-mode radius\n  \
         accounting interim interval {INTERIM_MINUTES}\n  \
         quit\n \
         domain trunkline\n  \
         authentication-scheme trunkline\n  \
         accounting-scheme trunkline\n  \
         radius-server group trunkline\n  \
         quit\n \
         quit\n{source}",
        source = source_note(nas, "# radius-server source interface"),
    )
}

fn generic(nas: &Nas, server: &RadiusEndpoint) -> String {
    let source = nas
        .address
        .as_ref()
        .map(|a| format!("Source address of RADIUS packets: {a}\n"))
        .unwrap_or_default();
    format!(
        "Authentication server: {address}, UDP port {auth_port}\n\
         Accounting server: {address}, UDP port {acct_port}, start-stop, interim updates every {INTERIM_MINUTES} minutes\n\
         Shared secret: the secret of this router\n\
         Message-Authenticator in every request: on\n\
         {source}\
         Dynamic authorisation (RFC 5176): accept CoA and Disconnect from {address} on UDP port {coa_port}, same secret\n\
         Speeds arrive as WISPr-Bandwidth-Max-Up and WISPr-Bandwidth-Max-Down, bit/s\n",
        address = server.address,
        auth_port = server.auth_port,
        acct_port = server.acct_port,
        coa_port = nas.coa_port,
    )
}

/// These routers choose the source address by interface, whose name only the ISP knows.
fn source_note(nas: &Nas, command: &str) -> String {
    match &nas.address {
        Some(address) => format!("{command} INTERFACE   (the one that has {address})\n"),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::ids::NasId;

    fn script(vendor: NasVendor, address: Option<&str>, server: &str) -> String {
        let nas = Nas {
            id: NasId::new(),
            name: "core-1".into(),
            address: address.map(str::to_owned),
            vendor,
            coa_port: 3799,
            last_seen_at: None,
            online: false,
            version: 1,
        };
        let server = RadiusEndpoint {
            address: server.into(),
            auth_port: 1812,
            acct_port: 1813,
        };
        setup_script(&nas, &server)
    }

    #[test]
    fn mikrotik_is_told_everything() {
        insta::assert_snapshot!(script(NasVendor::Mikrotik, Some("100.64.0.1"), "198.51.100.10"), @r#"
        # RouterOS 7. Replace SECRET by the secret of this router. Behind NAT leave src-address out.
        /radius add service=ppp,hotspot address=198.51.100.10 authentication-port=1812 accounting-port=1813 secret="SECRET" src-address=100.64.0.1 timeout=3s require-message-auth=yes-for-request-resp comment="trunkline"
        /radius incoming set accept=yes port=3799
        :do { /ip firewall filter add chain=input action=accept protocol=udp src-address=198.51.100.10 dst-port=3799 comment="trunkline CoA" place-before=0 } on-error={ /ip firewall filter add chain=input action=accept protocol=udp src-address=198.51.100.10 dst-port=3799 comment="trunkline CoA" }
        /ppp aaa set use-radius=yes accounting=yes interim-update=10m
        # Each hotspot's profile, by its name:
        # /ip hotspot profile set PROFILE use-radius=yes radius-accounting=yes radius-interim-update=received
        "#);
    }

    #[test]
    fn an_ipv6_platform_has_an_ipv6_rule() {
        let script = script(NasVendor::Mikrotik, None, "2001:db8::10");
        assert!(
            script.contains("/ipv6 firewall filter") && !script.contains(" src-address= "),
            "{script}"
        );
    }

    #[test]
    fn every_vendor_is_told_the_ports_and_a_placeholder() {
        use NasVendor::{Cisco, Generic, Huawei, Juniper, Mikrotik};
        for vendor in [Mikrotik, Cisco, Juniper, Huawei, Generic] {
            let script = script(vendor, Some("100.64.0.1"), "198.51.100.10");
            for part in ["198.51.100.10", "1812", "1813", "100.64.0.1"] {
                assert!(script.contains(part), "{vendor}: {part} is missing from\n{script}");
            }
            assert!(script.contains("SECRET") || vendor == Generic);
            assert!(script.contains("3799") || vendor == Huawei);
            assert!(!script.contains("\n\n") && script.ends_with('\n'));
        }
    }
}
