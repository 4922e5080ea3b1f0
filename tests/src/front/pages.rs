//! Browsers: which pages may ask, what they are told about the answers, and compression.

use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode, header};
use serde_json::json;
use trunkline_api::config::Config;
use trunkline_api::http::router;

use crate::harness::{Answer, TestApp};

async fn preflight(app: &TestApp, host: &str, origin: &str) -> HeaderMap {
    let request = Request::options("/graphql")
        .header(header::HOST, host)
        .header(header::ORIGIN, origin)
        .header(header::ACCESS_CONTROL_REQUEST_METHOD, "POST")
        .header(header::ACCESS_CONTROL_REQUEST_HEADERS, "content-type,authorization")
        .body(Body::empty())
        .unwrap();
    app.on("asha").send(request).await.headers
}

async fn post(app: &TestApp, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::post("/graphql")
        .header(header::HOST, "asha.localhost")
        .header(header::CONTENT_TYPE, "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let query = json!({ "query": "{ __schema { types { name description } } }" });
    app.on("asha")
        .send(request.body(Body::from(query.to_string())).unwrap())
        .await
}

#[tokio::test]
async fn pages_of_a_site_may_ask_its_own_hosts() {
    let app = TestApp::new().await;
    sqlx::query(
        "INSERT INTO platform.domain (id, tenant_id, hostname, is_primary, verification_token, verified_at, created_at)
         SELECT gen_random_uuid(), id, host, false, 'x', CASE WHEN host LIKE 'my%' THEN now() END, now()
         FROM platform.tenant, unnest(ARRAY['my.asha.example', 'unverified.asha.example']) AS host WHERE slug = 'asha'",
    )
    .execute(&mut app.db.admin().await)
    .await
    .unwrap();
    for (host, origin, may) in [
        ("asha.localhost", "http://asha.localhost", true),
        ("asha.localhost", "http://asha.localhost:3000", true),
        ("asha.localhost", "https://my.asha.example", true),
        ("my.asha.example", "http://asha.localhost", true),
        ("platform.localhost", "http://platform.localhost", true),
        ("asha.localhost", "https://unverified.asha.example", false),
        ("asha.localhost", "http://baraka.localhost", false),
        ("asha.localhost", "http://platform.localhost", false),
        ("platform.localhost", "http://asha.localhost", false),
        ("baraka.localhost", "https://my.asha.example", false),
        ("asha.localhost", "http://asha.localhost.evil.example", false),
        ("asha.localhost", "http://evil.example", false),
        ("asha.localhost", "null", false),
        ("asha.localhost", "file://asha.localhost", false),
    ] {
        let headers = preflight(&app, host, origin).await;
        let allowed = headers.get(header::ACCESS_CONTROL_ALLOW_ORIGIN);
        match may {
            true => {
                assert_eq!(allowed.unwrap(), origin, "{origin} at {host}");
                assert_eq!(headers[header::ACCESS_CONTROL_ALLOW_CREDENTIALS], "true");
                assert_eq!(headers[header::ACCESS_CONTROL_ALLOW_METHODS], "POST");
                assert_eq!(headers[header::ACCESS_CONTROL_MAX_AGE], "600");
            }
            false => assert_eq!(allowed, None, "{origin} at {host}"),
        }
        assert!(
            headers
                .get_all(header::VARY)
                .iter()
                .any(|v| v.to_str().unwrap().to_lowercase().contains("origin"))
        );
    }
    // An answer is as readable as its preflight said.
    let ours = post(&app, &[("origin", "https://my.asha.example")]).await;
    assert_eq!(ours.headers[header::ACCESS_CONTROL_ALLOW_ORIGIN], "https://my.asha.example");
    let theirs = post(&app, &[("origin", "https://evil.example")]).await;
    assert!(!theirs.headers.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN));
}

#[tokio::test]
async fn browsers_are_told_to_trust_nothing() {
    let app = TestApp::new().await;
    let answer = post(&app, &[]).await;
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "no-referrer"),
        ("cache-control", "no-store"),
        ("cross-origin-resource-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
    ] {
        assert_eq!(answer.headers[name], value, "{name}");
    }
    let policy = answer.headers["content-security-policy"].to_str().unwrap();
    assert!(
        policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
        "{policy}"
    );
    assert!(
        !answer.headers.contains_key("strict-transport-security"),
        "plain HTTP in development"
    );
    // The explorer runs scripts, and only in development.
    let explorer = |router: axum::Router| async move {
        let request = Request::get("/graphql")
            .header(header::HOST, "asha.localhost")
            .body(Body::empty())
            .unwrap();
        tower::ServiceExt::oneshot(router, request).await.unwrap()
    };
    let page = explorer(app.router.clone()).await;
    assert_eq!(page.status(), StatusCode::OK);
    let policy = page.headers()["content-security-policy"].to_str().unwrap();
    assert!(
        policy.contains("script-src 'self'") && policy.contains("frame-ancestors 'none'"),
        "{policy}"
    );
    let production = Config::from_env([
        ("TRUNKLINE_PRODUCTION".into(), "1".into()),
        (
            "TRUNKLINE_SECRET_KEY".into(),
            "0123456789012345678901234567890123456789".into(),
        ),
        ("TRUNKLINE_BASE_DOMAIN".into(), "localhost".into()),
    ])
    .unwrap();
    let served = trunkline_api::app::App::open(
        production,
        crate::harness::settings(&app.db),
        trunkline_domain::Clock::system(),
    )
    .await
    .unwrap();
    let page = explorer(router(served)).await;
    assert_eq!(page.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(page.headers()["strict-transport-security"], "max-age=31536000");
}

#[tokio::test]
async fn answers_are_compressed_unless_a_cookie_came_along() {
    let app = TestApp::new().await;
    let plain = post(&app, &[]).await;
    assert!(!plain.headers.contains_key(header::CONTENT_ENCODING));
    let gzip = post(&app, &[("accept-encoding", "gzip, br")]).await;
    assert_eq!(gzip.headers[header::CONTENT_ENCODING], "gzip");
    assert!(gzip.text.len() < plain.text.len() / 2);
    let with_cookie = post(&app, &[("accept-encoding", "gzip"), ("cookie", "a=b")]).await;
    assert!(!with_cookie.headers.contains_key(header::CONTENT_ENCODING));
    assert_eq!(with_cookie.body["data"], plain.body["data"]);
}

/// Reading by GET is not served: nothing is gained by it, and mutations must never be.
#[tokio::test]
async fn nothing_is_executed_by_get() {
    let app = TestApp::new().await;
    for query in [
        "query=%7B__typename%7D",
        "query=mutation%7BplanRetire(input%3A%7Bid%3A%22x%22%7D)%7Bplan%7Bid%7D%7D%7D",
    ] {
        let request = Request::get(format!("/graphql?{query}"))
            .header(header::HOST, "asha.localhost")
            .body(Body::empty())
            .unwrap();
        let answer = app.on("asha").send(request).await;
        assert!(
            !answer.text.contains("__typename\":") && answer.body.is_null(),
            "{}",
            answer.text
        );
    }
}
