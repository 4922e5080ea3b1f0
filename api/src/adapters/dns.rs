use std::net::SocketAddr;
use std::time::Duration;

use async_trait::async_trait;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::RData;
use hickory_resolver::{Resolver, TokioResolver};
use trunkline_domain::tenants::TxtResolver;
use trunkline_domain::{Error, Result};

/// The DNS, through the machine's own name servers or one that the settings name.
#[derive(Clone)]
pub struct Dns(Option<TokioResolver>);

impl Dns {
    /// A machine without name servers is no reason not to start: only what asks the DNS does not work there.
    pub fn new(server: Option<SocketAddr>) -> Self {
        let builder = match server {
            Some(address) => {
                let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
                    connection.port = address.port();
                    connection
                });
                let server = NameServerConfig::new(address.ip(), true, connections.into());
                let config = ResolverConfig::from_name_servers(vec![server]);
                Ok(Resolver::builder_with_config(config, TokioRuntimeProvider::default()))
            }
            None => Resolver::builder_tokio(),
        };
        let resolver = builder.and_then(|mut builder| {
            let options = builder.options_mut();
            // Whoever has just published a record wants it seen.
            options.cache_size = 0;
            options.timeout = Duration::from_secs(3);
            options.attempts = 2;
            builder.build()
        });
        Self(resolver.inspect_err(|error| tracing::warn!(%error, "no name server")).ok())
    }
}

#[async_trait]
impl TxtResolver for Dns {
    async fn txt(&self, name: &str) -> Result<Vec<String>> {
        let unavailable = || Error::Unavailable("no name server answers".into());
        let resolver = self.0.as_ref().ok_or_else(unavailable)?;
        // With a final dot no search domain is tried.
        match resolver.txt_lookup(format!("{name}.")).await {
            Ok(found) => Ok(found.answers().iter().filter_map(|record| text(&record.data)).collect()),
            Err(e) if e.is_no_records_found() => Ok(Vec::new()),
            Err(error) => {
                tracing::warn!(%error, name, "a DNS look-up failed");
                Err(unavailable())
            }
        }
    }
}

/// A TXT record's text: its parts joined (RFC 7208, 3.3).
fn text(data: &RData) -> Option<String> {
    let RData::TXT(txt) = data else { return None };
    Some(String::from_utf8_lossy(&txt.txt_data.concat()).into_owned())
}
