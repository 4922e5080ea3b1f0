//! Settings: embedded defaults, then the file that `TRUNKLINE_CONFIG` names, then `TRUNKLINE_…` variables. An unknown or
//! wrong key stops the start.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::path::PathBuf;

use anyhow::{Context, bail};
use ipnet::IpNet;
use serde::{Deserialize, Serialize, Serializer};

/// A value that is never printed.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("***")
    }
}

/// Everything that can be set. `DEFAULTS` holds the values that stand without being set.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where HTTP is served, `address:port`.
    pub listen: SocketAddr,
    /// Where operators are told of health; nowhere when absent.
    pub ops_listen: Option<SocketAddr>,
    /// The platform's host is `platform.<base_domain>`, a tenant's `<slug>.<base_domain>`.
    pub base_domain: String,
    /// Embedded PostgreSQL, the generated secret key and whatever else must outlive the process.
    pub data_dir: Option<PathBuf>,
    /// Refuses what must not be on in production: the test clock, GraphiQL, a generated secret key.
    pub production: bool,
    /// Serves `PUT /test/clock` and `POST /test/jobs/drain` on the platform host.
    pub test_clock: bool,
    /// Master secret, at least 32 characters; generated into `data_dir` outside production.
    pub secret_key: Option<Secret>,
    /// The one before, or the one to come, while the key is being changed: opened with, never sealed with.
    pub secret_key_previous: Option<Secret>,
    /// First platform sign-in, made at the first start.
    pub admin_email: Option<String>,
    pub admin_password: Option<Secret>,
    /// Database connections per cell and process.
    pub database_connections: u32,
    /// Jobs that a worker runs side by side.
    pub worker_places: u32,
    /// After how many seconds without a sign of life a worker's jobs are taken over by others.
    pub worker_lease_seconds: u32,
    /// What one credential may ask for in a second: `cost units/requests`, such as `50000/200`, or `off`.
    pub api_rate: ApiRate,
    /// Our own proxies, addresses and networks with commas between: their `X-Forwarded-For` is believed, nobody else's.
    pub trusted_proxies: Proxies,
    /// What routers are told to send RADIUS packets to.
    pub radius_address: String,
    pub radius_auth_port: u16,
    pub radius_acct_port: u16,
    /// Name server for domain verification, `address:port`; the system's when absent.
    pub dns_server: Option<SocketAddr>,
    /// How long a process that was told to stop by SIGTERM goes on serving while it says that it is not ready: until those who
    /// balance load have noticed.
    pub drain_seconds: u32,
    /// Traces are exported: a variable of OpenTelemetry names a collector. They say all else about it.
    #[serde(default)]
    pub traces: bool,
    /// The program that typesets documents; `trunkline-render` beside this one when absent.
    pub renderer: Option<PathBuf>,
    /// `tracing` filter, such as `info` or `trunkline_domain=debug`.
    pub log: String,
    /// An object a line rather than text; when it is not said, everywhere but at a terminal.
    pub log_json: Option<bool>,
    #[serde(default)]
    pub database_url: Option<Secret>,
    #[serde(default)]
    pub database_admin_url: Option<Secret>,
    #[serde(default)]
    pub database_listen_url: Option<Secret>,
}

/// Cost units and requests that one credential may spend a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub enum ApiRate {
    Off,
    PerSecond { cost: NonZeroU32, requests: NonZeroU32 },
}

impl ApiRate {
    /// Buckets are refilled by the nanosecond, and an ISP's is ten times as large.
    const MOST: u32 = 100_000_000;
}

impl TryFrom<String> for ApiRate {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text == "off" {
            return Ok(Self::Off);
        }
        let (cost, requests) = text.split_once('/').unwrap_or_default();
        match (cost.trim().parse::<NonZeroU32>(), requests.trim().parse::<NonZeroU32>()) {
            (Ok(cost), Ok(requests)) if cost.get().max(requests.get()) <= Self::MOST => Ok(Self::PerSecond { cost, requests }),
            _ => Err(format!(
                "api_rate: cost units and requests a second, such as 50000/200, or off; not {text:?}"
            )),
        }
    }
}

impl From<ApiRate> for String {
    fn from(rate: ApiRate) -> Self {
        match rate {
            ApiRate::Off => "off".into(),
            ApiRate::PerSecond { cost, requests } => format!("{cost}/{requests}"),
        }
    }
}

/// Networks whose word is believed.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Proxies(Vec<IpNet>);

impl Proxies {
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|net| net.contains(&address))
    }
}

impl TryFrom<String> for Proxies {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let one = |part: &str| {
            let alone = part.parse::<IpAddr>().map(IpNet::from);
            let net = alone.or_else(|_| part.parse());
            net.map_err(|_| format!("trusted_proxies: {part:?} is no address and no network"))
        };
        let parts = text.split(',').map(str::trim).filter(|p| !p.is_empty());
        parts.map(one).collect::<Result<_, _>>().map(Self)
    }
}

impl From<Proxies> for String {
    fn from(proxies: Proxies) -> Self {
        let all: Vec<String> = proxies.0.iter().map(IpNet::to_string).collect();
        all.join(",")
    }
}

const DEFAULTS: &str = r#"
listen = "127.0.0.1:8080"
base_domain = "localhost"
production = false
test_clock = false
database_connections = 12
worker_places = 4
worker_lease_seconds = 60
api_rate = "50000/200"
trusted_proxies = ""
radius_address = "127.0.0.1"
radius_auth_port = 1812
radius_acct_port = 1813
drain_seconds = 5
log = "info"
"#;

impl Config {
    /// Reads the environment of this process.
    pub fn load() -> anyhow::Result<Self> {
        Self::from_env(std::env::vars())
    }

    /// As [`Self::load`], from given variables.
    pub fn from_env(vars: impl IntoIterator<Item = (String, String)>) -> anyhow::Result<Self> {
        let mut file = None;
        let (mut collector, mut disabled) = (false, false);
        let mut set = std::collections::HashMap::new();
        for (name, value) in vars {
            match name.as_str() {
                "TRUNKLINE_CONFIG" => file = Some(value),
                "DATABASE_URL" | "DATABASE_ADMIN_URL" | "DATABASE_LISTEN_URL" => {
                    set.insert(format!("TRUNKLINE_{name}"), value);
                }
                // An argument of `tenant create`, not a setting.
                "TRUNKLINE_OWNER_PASSWORD" => {}
                "OTEL_EXPORTER_OTLP_ENDPOINT" | "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT" => collector |= !value.is_empty(),
                "OTEL_SDK_DISABLED" => disabled = value.eq_ignore_ascii_case("true"),
                _ if name.starts_with("TRUNKLINE_") => {
                    set.insert(name, value);
                }
                _ => {}
            }
        }
        let mut builder = config::Config::builder().add_source(config::File::from_str(DEFAULTS, config::FileFormat::Toml));
        if let Some(path) = &file {
            builder = builder.add_source(config::File::new(path, config::FileFormat::Toml));
        }
        let env = config::Environment::with_prefix("TRUNKLINE")
            .prefix_separator("_")
            .ignore_empty(true)
            .source(Some(set));
        let mut loaded: Self = builder
            .add_source(env)
            .build()
            .and_then(config::Config::try_deserialize)
            .context("settings (TRUNKLINE_… variables and the file that TRUNKLINE_CONFIG names)")?;
        loaded.traces |= collector;
        loaded.traces &= !disabled;
        loaded.check()?;
        Ok(loaded)
    }

    fn check(&self) -> anyhow::Result<()> {
        if self.base_domain.is_empty()
            || self.base_domain != self.base_domain.to_lowercase()
            || self.base_domain.contains([':', '/', ' '])
        {
            bail!(
                "base_domain: must be a lower-case host name without port, not {:?}",
                self.base_domain
            );
        }
        if self.production && self.test_clock {
            bail!("test_clock: the test clock does not exist in production");
        }
        if self.production && self.secret_key.is_none() {
            bail!("secret_key: set TRUNKLINE_SECRET_KEY (at least 32 characters) in production");
        }
        for (name, key) in [
            ("secret_key", &self.secret_key),
            ("secret_key_previous", &self.secret_key_previous),
        ] {
            if key.as_ref().is_some_and(|key| key.reveal().len() < 32) {
                bail!("{name}: must have at least 32 characters");
            }
        }
        if self.admin_email.is_some() != self.admin_password.is_some() {
            bail!("admin_email and admin_password: set both or none");
        }
        if !(2..=200).contains(&self.database_connections) {
            bail!("database_connections: must be 2 to 200");
        }
        if self.drain_seconds > 300 {
            bail!("drain_seconds: must be 0 to 300");
        }
        if !(1..=200).contains(&self.worker_places) {
            bail!("worker_places: must be 1 to 200");
        }
        if !(2..=3600).contains(&self.worker_lease_seconds) {
            bail!("worker_lease_seconds: must be 2 to 3600");
        }
        Ok(())
    }

    /// As TOML, secrets masked.
    pub fn masked(&self) -> anyhow::Result<String> {
        Ok(toml::to_string(self)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(vars: &[(&str, &str)]) -> Result<Config, String> {
        Config::from_env(vars.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))).map_err(|e| format!("{e:#}"))
    }

    #[test]
    fn variables_are_read_as_their_setting_wants() {
        let config = load(&[
            ("TRUNKLINE_TEST_CLOCK", "1"),
            ("TRUNKLINE_LISTEN", "127.0.0.1:0"),
            ("TRUNKLINE_ADMIN_EMAIL", "a@b.c"),
            ("TRUNKLINE_ADMIN_PASSWORD", "1234567890"),
            ("TRUNKLINE_API_RATE", "100/20"),
            ("TRUNKLINE_TRUSTED_PROXIES", "10.0.0.0/8, ::1"),
            ("TRUNKLINE_OWNER_PASSWORD", "not a setting"),
            ("DATABASE_URL", "postgres://u:secret@h/d"),
            ("HOME", "/"),
        ])
        .unwrap();
        assert!(config.test_clock);
        let [cost, requests] = [100, 20].map(|n| NonZeroU32::new(n).unwrap());
        assert_eq!(config.api_rate, ApiRate::PerSecond { cost, requests });
        assert!(config.trusted_proxies.contains("10.9.9.9".parse().unwrap()));
        assert_eq!(config.admin_password.as_ref().unwrap().reveal(), "1234567890");
        let shown = config.masked().unwrap();
        assert!(
            !shown.contains("1234567890") && !shown.contains("secret@") && shown.contains("***"),
            "{shown}"
        );
    }

    #[test]
    fn traces_are_exported_where_a_collector_is_named() {
        let at = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318");
        for (vars, on) in [
            (&[][..], false),
            (&[at], true),
            (
                &[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://collector:4318/v1/traces")],
                true,
            ),
            (&[("OTEL_EXPORTER_OTLP_ENDPOINT", "")], false),
            (&[("OTEL_SDK_DISABLED", "true"), at], false),
            (&[("OTEL_SERVICE_NAME", "trunkline-eu"), ("OTEL_WHATEVER", "1")], false),
        ] {
            assert_eq!(load(vars).unwrap().traces, on, "{vars:?}");
        }
    }

    #[test]
    fn unknown_and_wrong_keys_are_named() {
        for (key, value, named) in [
            ("TRUNKLINE_LISTN", "x", "listn"),
            ("TRUNKLINE_LISTEN", "nowhere", "listen"),
            ("TRUNKLINE_DATABASE_CONNECTIONS", "many", "database_connections"),
            ("TRUNKLINE_BASE_DOMAIN", "http://x", "base_domain"),
            ("TRUNKLINE_SECRET_KEY", "short", "secret_key"),
            ("TRUNKLINE_SECRET_KEY_PREVIOUS", "short", "secret_key_previous"),
            ("TRUNKLINE_ADMIN_EMAIL", "a@b.c", "admin_password"),
            ("TRUNKLINE_PRODUCTION", "true", "secret_key"),
            ("TRUNKLINE_DRAIN_SECONDS", "301", "drain_seconds"),
            ("TRUNKLINE_API_RATE", "many", "api_rate"),
            ("TRUNKLINE_API_RATE", "0/200", "api_rate"),
            ("TRUNKLINE_API_RATE", "100000001/200", "api_rate"),
            ("TRUNKLINE_API_RATE", "50000", "api_rate"),
            ("TRUNKLINE_TRUSTED_PROXIES", "10.0.0.0/8,proxy", "proxy"),
        ] {
            let error = load(&[(key, value)]).unwrap_err();
            assert!(error.contains(named), "{key}: {error}");
        }
    }
}
