//! Where a request came from. Behind our own proxies that is what they say in `X-Forwarded-For`; from anybody else, the header
//! is the caller's invention.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::extract::{ConnectInfo, Request, State};
use axum::http::HeaderMap;
use axum::middleware::Next;
use axum::response::Response;

use crate::app::App;
use crate::config::Proxies;

/// The caller's address, in every request's extensions.
#[derive(Clone, Copy, Debug)]
pub struct ClientAddress(pub IpAddr);

pub async fn identify(State(app): State<App>, mut request: Request, next: Next) -> Response {
    // Without a connection there is no peer: tests call the router itself.
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let peer = peer.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |c| c.0.ip().to_canonical());
    let address = behind(&app.config.trusted_proxies, peer, request.headers());
    request.extensions_mut().insert(ClientAddress(address));
    next.run(request).await
}

/// Goes back through proxies of ours to the first address that is not one.
fn behind(proxies: &Proxies, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
    let mut address = peer;
    let lists: Vec<&str> = (headers.get_all("x-forwarded-for").iter())
        .filter_map(|v| v.to_str().ok())
        .collect();
    for hop in lists.iter().flat_map(|v| v.split(',')).rev() {
        if !proxies.contains(address) {
            break;
        }
        let Ok(before) = hop.trim().parse::<IpAddr>() else { break };
        address = before.to_canonical();
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_proxies_are_believed() {
        let proxies: Proxies = "10.0.0.0/8, 2001:db8::1".to_owned().try_into().unwrap();
        let forwarded =
            |value: &'static str| HeaderMap::from_iter([("x-forwarded-for".parse().unwrap(), value.parse().unwrap())]);
        for (peer, header, found) in [
            ("203.0.113.9", "198.51.100.1", "203.0.113.9"),
            ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
            ("10.0.0.1", "1.2.3.4, 198.51.100.1", "198.51.100.1"),
            ("10.0.0.1", "198.51.100.1, 10.1.1.1", "198.51.100.1"),
            ("10.0.0.1", "nonsense", "10.0.0.1"),
            ("10.0.0.1", "", "10.0.0.1"),
            ("2001:db8::1", "2001:db8:9::7", "2001:db8:9::7"),
        ] {
            let address = behind(&proxies, peer.parse().unwrap(), &forwarded(header));
            assert_eq!(address.to_string(), found, "{peer} {header}");
        }
    }
}
