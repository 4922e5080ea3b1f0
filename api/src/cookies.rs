//! Sessions in cookies, for front ends in a browser. The tokens are out of reach of scripts (`HttpOnly`), go to this very host
//! only (`__Host-`: no domain, whole path, TLS), and never with what another site makes the browser send (`SameSite=Strict`).
//!
//! ISPs are neighbours under one domain, so to a browser they are one *site*: SameSite does not keep them apart. Hence a
//! cookie counts only when the browser says that the request comes from a page of the asked host itself (`Sec-Fetch-Site`,
//! `Origin`), and GraphQL is taken as `application/json` only, which another origin may not send without asking first.

use axum::http::{HeaderMap, HeaderValue, header};
use chrono::{DateTime, Utc};
use trunkline_domain::identity::Session;
use trunkline_domain::{Error, Result};

/// The session cookies of one request, and the way to set them.
#[derive(Clone, Debug, Default)]
pub struct Cookies {
    /// TLS on the caller's side: then cookies carry `Secure` and the prefix that demands it.
    secure: bool,
    /// The request comes from a page of this host, or from no browser.
    own_page: bool,
    access: Option<String>,
    refresh: Option<String>,
}

impl Cookies {
    /// `origin` is what was asked, as `scheme://host[:port]`. In production the caller's side is always TLS, whatever a proxy
    /// forgets to say.
    pub fn read(headers: &HeaderMap, origin: &str, production: bool) -> Self {
        let secure = production || origin.starts_with("https://");
        let value = |name| find(headers, &full_name(name, secure));
        Self {
            secure,
            own_page: is_json(headers) && is_own_page(headers, origin, secure),
            access: value(ACCESS),
            refresh: value(REFRESH),
        }
    }

    /// For a GET that changes nothing, such as a document's: it has no media type, and an address that the user types or keeps
    /// among the bookmarks counts too.
    pub fn for_reading(headers: &HeaderMap, origin: &str, production: bool) -> Self {
        let all = Self::read(headers, origin, production);
        let typed = headers.get("sec-fetch-site").is_some_and(|site| site == "none");
        Self {
            own_page: typed || is_own_page(headers, origin, all.secure),
            refresh: None,
            ..all
        }
    }

    /// The access token, if this request may be authenticated by it.
    pub fn access(&self) -> Option<&str> {
        self.access.as_deref().filter(|_| self.own_page)
    }

    /// The refresh token, if this request may use it.
    pub fn refresh(&self) -> Option<&str> {
        self.refresh.as_deref().filter(|_| self.own_page)
    }

    /// Refuses to set cookies for what another site sends: it could sign its visitor in as somebody else.
    pub fn require_own_page(&self) -> Result<()> {
        if self.own_page {
            return Ok(());
        }
        Err(Error::invalid(
            "cookie",
            "Cookies are only set for requests of this host's own pages, sent as application/json.",
        ))
    }

    /// `Set-Cookie` values that hold a session's tokens.
    pub fn set(&self, session: &Session, now: DateTime<Utc>) -> Vec<HeaderValue> {
        let left = |until: DateTime<Utc>| (until - now).num_seconds().max(0);
        let access = self.cookie(ACCESS, &session.access_token, left(session.expires_at));
        let refresh = self.cookie(REFRESH, &session.refresh_token, left(session.refresh_expires_at));
        access.into_iter().chain(refresh).collect()
    }

    /// `Set-Cookie` values that take the tokens away.
    pub fn clear(&self) -> Vec<HeaderValue> {
        [ACCESS, REFRESH]
            .into_iter()
            .filter_map(|name| self.cookie(name, "", 0))
            .collect()
    }

    fn cookie(&self, name: &str, value: &str, seconds: i64) -> Option<HeaderValue> {
        let name = full_name(name, self.secure);
        let secure = if self.secure { "; Secure" } else { "" };
        let text = format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}");
        HeaderValue::from_str(&text).ok()
    }
}

const ACCESS: &str = "trunkline-access";
const REFRESH: &str = "trunkline-refresh";

/// Browsers take the prefixed name only with `Secure`; without TLS, which is development, there is none.
fn full_name(name: &str, secure: bool) -> String {
    let prefix = if secure { "__Host-" } else { "" };
    format!("{prefix}{name}")
}

/// A cookie's value (RFC 6265, 4.2); ours hold nothing that needs quotes.
fn find(headers: &HeaderMap, name: &str) -> Option<String> {
    let all = headers.get_all(header::COOKIE).into_iter().filter_map(|v| v.to_str().ok());
    let mut pairs = all.flat_map(|v| v.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let (_, value) = pairs.find(|(found, _)| *found == name)?;
    (!value.is_empty()).then(|| value.to_owned())
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok());
    let media = value.and_then(|v| v.split(';').next());
    media.is_some_and(|m| m.trim().eq_ignore_ascii_case("application/json"))
}

/// Every browser of today sends both headers with a POST; what sends neither is no browser, and nobody's trick can make it
/// carry somebody's cookies.
fn is_own_page(headers: &HeaderMap, asked: &str, secure: bool) -> bool {
    let host = asked.split_once("://").map_or(asked, |(_, host)| host);
    let scheme = if secure { "https" } else { "http" };
    let own = format!("{scheme}://{host}");
    let fetched = match headers.get("sec-fetch-site") {
        Some(site) => site == "same-origin",
        None => true,
    };
    let from = match headers.get(header::ORIGIN) {
        Some(origin) => origin.to_str().is_ok_and(|o| o.eq_ignore_ascii_case(&own)),
        None => true,
    };
    fetched && from
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.parse::<header::HeaderName>().unwrap(), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn a_cookie_counts_on_pages_of_the_asked_host_only() {
        const JSON: (&str, &str) = ("content-type", "application/json; charset=utf-8");
        const COOKIE: (&str, &str) = ("cookie", "a=b; __Host-trunkline-access=t; trunkline-access=u");
        for (pairs, counts) in [
            (&[][..], true),
            (
                &[("sec-fetch-site", "same-origin"), ("origin", "https://asha.isp.example")],
                true,
            ),
            (&[("origin", "https://ASHA.isp.example")], true),
            // A neighbour under the same domain is of the same site.
            (
                &[("sec-fetch-site", "same-site"), ("origin", "https://baraka.isp.example")],
                false,
            ),
            (&[("sec-fetch-site", "cross-site")], false),
            (&[("sec-fetch-site", "none")], false),
            (&[("origin", "https://evil.example")], false),
            (&[("origin", "http://asha.isp.example")], false),
            (&[("origin", "https://asha.isp.example:8443")], false),
            (&[("origin", "null")], false),
            (
                &[("sec-fetch-site", "same-origin"), ("origin", "https://evil.example")],
                false,
            ),
        ] {
            let mut all = vec![JSON, COOKIE];
            all.extend(pairs);
            let cookies = Cookies::read(&headers(&all), "http://asha.isp.example", true);
            assert_eq!(cookies.access(), counts.then_some("t"), "{pairs:?}");
            assert_eq!(cookies.require_own_page().is_ok(), counts, "{pairs:?}");
        }
        let form = headers(&[("content-type", "text/plain"), COOKIE]);
        assert_eq!(Cookies::read(&form, "https://asha.isp.example", true).access(), None);
    }

    #[test]
    fn names_follow_the_scheme() {
        let sent = headers(&[
            ("content-type", "application/json"),
            ("cookie", "__Host-trunkline-access=t; trunkline-access=u"),
        ]);
        let read = |origin, production| Cookies::read(&sent, origin, production).access().map(str::to_owned);
        assert_eq!(read("http://asha.localhost", false).as_deref(), Some("u"));
        assert_eq!(read("https://asha.localhost", false).as_deref(), Some("t"));
        let cleared = Cookies::read(&sent, "https://asha.localhost", false).clear();
        let cleared: Vec<&str> = cleared.iter().map(|v| v.to_str().unwrap()).collect();
        assert_eq!(
            cleared[0],
            "__Host-trunkline-access=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict; Secure"
        );
        assert_eq!(cleared.len(), 2);
    }
}
