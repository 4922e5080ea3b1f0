//! Sessions in cookies: out of reach of scripts, and worth nothing to another site's page.

use axum::http::header;
use serde_json::{Value, json};

use super::ground::{Tokens, sign_in, with_headers};
use crate::harness::{Answer, Ask, PASSWORD, TestApp};

const SIGN_IN: &str = "mutation($i: SessionCreateInput!) { sessionCreate(input: $i) {
    session { accessToken refreshToken expiresAt viewer { id } } userErrors { code field message } } }";
const REFRESH: &str = "mutation { sessionRefresh(input: {}) {
    session { accessToken refreshToken viewer { id } } userErrors { code field message } } }";
const END: &str = "mutation { sessionEnd(input: {}) { endedId userErrors { code } } }";

fn set_cookies(answer: &Answer) -> Vec<String> {
    let all = answer.headers.get_all(header::SET_COOKIE).iter();
    all.map(|v| v.to_str().unwrap().to_owned()).collect()
}

/// As a browser would send them back.
fn jar(answer: &Answer) -> String {
    let pairs: Vec<String> = set_cookies(answer)
        .iter()
        .map(|c| c.split(';').next().unwrap().to_owned())
        .collect();
    assert_eq!(pairs.len(), 2, "{pairs:?}");
    pairs.join("; ")
}

async fn enter(ask: &Ask<'_>, headers: &[(&str, &str)]) -> Answer {
    let slug = ask.host.trim_end_matches(".localhost");
    let input = json!({ "email": format!("owner@{slug}.example"), "password": PASSWORD, "cookie": true });
    with_headers(ask, SIGN_IN, json!({ "i": input }), headers).await
}

async fn viewer(ask: &Ask<'_>, headers: &[(&str, &str)]) -> Value {
    with_headers(ask, "{ viewer { id } }", json!({}), headers).await.at("viewer")
}

#[tokio::test]
async fn a_browser_signs_in_goes_on_and_signs_out() {
    let app = TestApp::new().await;
    let ask = app.on("asha");
    let answer = enter(
        &ask,
        &[("origin", "http://asha.localhost"), ("sec-fetch-site", "same-origin")],
    )
    .await;
    let session = answer.done()["session"].clone();
    assert!(
        session["accessToken"].is_null() && session["refreshToken"].is_null(),
        "{session}"
    );
    for cookie in set_cookies(&answer) {
        for part in ["; Path=/", "; HttpOnly", "; SameSite=Strict", "; Max-Age="] {
            assert!(cookie.contains(part), "{cookie}");
        }
        assert!(!cookie.contains("Domain"));
    }
    let cookie = jar(&answer);
    assert!(viewer(&ask, &[("cookie", &cookie)]).await.is_object());
    let own = [("cookie", cookie.as_str()), ("origin", "http://asha.localhost")];
    assert!(viewer(&ask, &own).await.is_object());

    let refreshed = with_headers(&ask, REFRESH, json!({}), &own).await;
    assert!(refreshed.done()["session"]["refreshToken"].is_null());
    let second = jar(&refreshed);
    assert_ne!(cookie, second);
    assert!(viewer(&ask, &[("cookie", &second)]).await.is_object());

    let ended = with_headers(&ask, END, json!({}), &[("cookie", &second)]).await;
    assert!(ended.done()["endedId"].is_string());
    for cookie in set_cookies(&ended) {
        assert!(cookie.contains("=; ") && cookie.contains("Max-Age=0"), "{cookie}");
    }
    // What a browser still holds is nobody, not an error: the page can offer to sign in.
    assert!(viewer(&ask, &[("cookie", &second)]).await.is_null());
    let again = with_headers(&ask, REFRESH, json!({}), &[("cookie", &second)]).await;
    assert_eq!(again.refusals(), ["INVALID_CREDENTIALS refreshToken"]);
    assert!(set_cookies(&again).iter().all(|c| c.contains("Max-Age=0")) && set_cookies(&again).len() == 2);
}

#[tokio::test]
async fn over_tls_cookies_are_bound_to_the_host() {
    let app = TestApp::new().await;
    let ask = app.on("asha");
    let tls = ("x-forwarded-proto", "https");
    let answer = enter(&ask, &[tls, ("origin", "https://asha.localhost")]).await;
    answer.done();
    for cookie in set_cookies(&answer) {
        assert!(
            cookie.starts_with("__Host-trunkline-") && cookie.ends_with("; Secure"),
            "{cookie}"
        );
    }
    let cookie = jar(&answer);
    assert!(viewer(&ask, &[tls, ("cookie", &cookie)]).await.is_object());
    // A neighbour's page can set a cookie for the domain above, but not under the prefixed name.
    let tossed = cookie.replace("__Host-", "");
    assert!(viewer(&ask, &[tls, ("cookie", &tossed)]).await.is_null());
}

#[tokio::test]
async fn another_sites_page_is_nobody() {
    let app = TestApp::new().await;
    let ask = app.on("asha");
    let cookie = jar(&enter(&ask, &[]).await);
    let cookie = ("cookie", cookie.as_str());
    for forged in [
        vec![("origin", "https://evil.example")],
        // A neighbour under the same domain is the same site to a browser.
        vec![("origin", "http://baraka.localhost"), ("sec-fetch-site", "same-site")],
        vec![("origin", "http://asha.localhost:9999")],
        vec![("origin", "null")],
        vec![("sec-fetch-site", "cross-site")],
        vec![("sec-fetch-site", "none")],
    ] {
        let mut headers = vec![cookie];
        headers.extend(forged);
        assert!(viewer(&ask, &headers).await.is_null(), "{headers:?}");
        let answer = with_headers(&ask, REFRESH, json!({}), &headers).await;
        assert_eq!(answer.refusals(), ["REQUIRED refreshToken"], "{headers:?}");
        let answer = with_headers(&ask, END, json!({}), &headers).await;
        assert!(answer.done()["endedId"].is_null(), "{headers:?}");
        let answer = enter(&ask, &headers).await;
        assert_eq!(answer.refusals(), ["INVALID cookie"], "signed in by {headers:?}");
        assert!(set_cookies(&answer).is_empty());
    }
    // A form's body is not JSON by its type, whatever it holds.
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
    ] {
        let headers = [cookie, ("content-type", kind)];
        let answer = with_headers(&ask, "{ viewer { id } }", json!({}), &headers).await;
        assert!(answer.body["data"]["viewer"].is_null(), "{kind}: {}", answer.text);
    }
    assert!(viewer(&ask, &[cookie]).await.is_object(), "the session was harmed");
}

#[tokio::test]
async fn a_bearer_wins_and_a_cookie_is_its_own_hosts() {
    let app = TestApp::new().await;
    let ask = app.on("asha");
    let cookie = jar(&enter(&ask, &[]).await);
    let owner = viewer(&ask, &[("cookie", &cookie)]).await;
    let support: Tokens = sign_in(&ask, "support@asha.example").await;
    let bearer = format!("Bearer {}", support.access);
    let both = viewer(&ask, &[("cookie", &cookie), ("authorization", &bearer)]).await;
    assert!(both.is_object() && both != owner);
    let bad = [("cookie", cookie.as_str()), ("authorization", "Bearer x")];
    let answer = with_headers(&ask, "{ viewer { id } }", json!({}), &bad).await;
    assert_eq!(answer.status.as_u16(), 401);
    // Shown on another host, by whatever mistake, it is nobody's.
    assert!(viewer(&app.on("baraka"), &[("cookie", &cookie)]).await.is_null());
    let answer = with_headers(&app.on("baraka"), REFRESH, json!({}), &[("cookie", &cookie)]).await;
    assert_eq!(answer.refusals(), ["INVALID_CREDENTIALS refreshToken"]);
    assert!(viewer(&ask, &[("cookie", &cookie)]).await.is_object());
}
