//! Automatic persisted queries, as Apollo's clients speak them, and media types.

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::harness::{Answer, Ask, TestApp};

fn hash(text: &str) -> String {
    Sha256::digest(text).iter().map(|b| format!("{b:02x}")).collect()
}

async fn ask(ask: &Ask<'_>, query: Option<&str>, hash: &str) -> Answer {
    let mut body = json!({
        "operationName": null,
        "variables": { "n": 1 },
        "extensions": { "persistedQuery": { "version": 1, "sha256Hash": hash }, "other": true },
    });
    if let Some(query) = query {
        body["query"] = query.into();
    }
    ask.post(body.to_string().into_bytes()).await
}

#[tokio::test]
async fn a_query_is_sent_once_and_then_named() {
    let app = TestApp::new().await;
    let owner = app.on("asha").as_owner();
    let subscriber = owner.first_subscriber("meera").await;
    owner.portal_password(&subscriber.subscriber).await;
    let query = "query($n: Int!) { plans(first: $n) { nodes { id } } }";
    let name = hash(query);
    let unknown = ask(&owner, None, &name).await;
    assert_eq!(unknown.status, StatusCode::OK);
    assert_eq!(unknown.code().as_deref(), Some("PERSISTED_QUERY_NOT_FOUND"));
    assert_eq!(unknown.body["errors"][0]["message"], "PersistedQueryNotFound");
    let registered = ask(&owner, Some(query), &name).await;
    let named = ask(&owner, None, &name).await;
    assert_eq!(registered.at("plans.nodes").as_array().unwrap().len(), 1);
    assert_eq!(named.body, registered.body);
    // Nobody else finds it, or that it is there.
    for other in [
        app.on("asha"),
        app.on("asha").as_subscriber(&subscriber.account_number),
        app.on("baraka").as_owner(),
        app.on_platform().as_platform_staff(),
        app.on_platform().as_director(),
    ] {
        let answer = ask(&other, None, &name).await;
        assert_eq!(answer.body, unknown.body, "{:?} on {}", other.who, other.host);
    }
    // A hash that is not the text's is refused, and registers nothing.
    let lie = ask(&owner, Some("{ viewer { id } }"), &name).await;
    assert_eq!(
        (lie.code().as_deref(), &lie.body["data"]),
        (Some("BAD_ARGUMENT"), &Value::Null)
    );
    assert_eq!(ask(&owner, None, &name).await.body, named.body);
    for odd in ["", "x", &"0".repeat(63), &"g".repeat(64)] {
        assert_eq!(ask(&owner, None, odd).await.code().as_deref(), Some("BAD_ARGUMENT"), "{odd}");
    }
    // Limits are not got round by a name.
    let bomb = format!("{{ {} }}", "a:b ".repeat(50_000));
    for query in [Some(bomb.as_str()), None] {
        let answer = ask(&owner, query, &hash(&bomb)).await;
        let code = if query.is_some() {
            "TOO_COMPLEX"
        } else {
            "PERSISTED_QUERY_NOT_FOUND"
        };
        assert_eq!(answer.code().as_deref(), Some(code));
    }
    app.jobs_may_remain();
}

async fn post(ask: &Ask<'_>, content_type: Option<&str>, accept: Option<&str>, body: &str) -> Answer {
    let mut request = Request::post("/graphql").header(header::HOST, &ask.host);
    if let Some(content_type) = content_type {
        request = request.header(header::CONTENT_TYPE, content_type);
    }
    if let Some(accept) = accept {
        request = request.header(header::ACCEPT, accept);
    }
    ask.send(request.body(Body::from(body.to_owned())).unwrap()).await
}

#[tokio::test]
async fn only_json_is_taken() {
    let app = TestApp::new().await;
    let nobody = app.on("asha");
    let body = r#"{"query":"{ viewer { id } }"}"#;
    for good in [
        "application/json",
        "application/json; charset=utf-8",
        "Application/JSON;charset=\"UTF-8\"",
    ] {
        assert_eq!(post(&nobody, Some(good), None, body).await.status, StatusCode::OK, "{good}");
    }
    // What a page of another site can make a browser send without asking first is among these.
    for bad in [
        None,
        Some("text/plain"),
        Some("application/x-www-form-urlencoded"),
        Some("multipart/form-data; boundary=x"),
        Some("application/graphql"),
        Some("application/json; charset=utf-16"),
    ] {
        let answer = post(&nobody, bad, None, body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{bad:?}");
        assert_eq!(answer.code().as_deref(), Some("BAD_ARGUMENT"), "{bad:?}");
    }
    for odd in [
        r#"{"query":"{ viewer { id } }","query":"{ __typename }"}"#,
        r#"{"query":"{ viewer { id } }","variables":[]}"#,
        r#"{"query":["{ viewer { id } }"]}"#,
        r#"{"query":"{ viewer { id } }","extensions":"x"}"#,
        &format!(
            r#"{{"query":"{{ viewer {{ id }} }}","variables":{{"x":{}}}}}"#,
            "[".repeat(100_000)
        ),
        &format!(
            r#"{{"query":"{{ viewer {{ id }} }}","variables":{{"x":{}{}}}}}"#,
            "[".repeat(200),
            "]".repeat(200)
        ),
    ] {
        let answer = post(&nobody, Some("application/json"), None, odd).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{odd:.80}: {}", answer.text);
    }
    let invalid = [b"{\"query\":\"{ viewer { id } } # ".as_slice(), b"\xff\xfe", b"\"}"].concat();
    assert_eq!(nobody.post(invalid).await.status, StatusCode::BAD_REQUEST);
    // Large, but what was allowed: variables that nothing uses.
    let huge = json!({ "query": "{ viewer { id } }", "variables": { "x": vec![json!({ "y": "z" }); 40_000] } });
    assert_eq!(nobody.post(huge.to_string().into_bytes()).await.status, StatusCode::OK);
}

#[tokio::test]
async fn answers_have_the_media_type_that_was_asked_for() {
    let app = TestApp::new().await;
    let nobody = app.on("asha");
    let media = "application/graphql-response+json";
    for (query, json_status, graphql_status) in [
        ("{ viewer { id } }", 200, 200),
        ("{ plans(first: 1) { nodes { id } } }", 200, 200),
        ("{ nothing }", 200, 400),
        ("{", 200, 400),
    ] {
        let body = json!({ "query": query }).to_string();
        let plain = post(&nobody, Some("application/json"), Some("application/json"), &body).await;
        let graphql = post(&nobody, Some("application/json"), Some(media), &body).await;
        assert_eq!(
            (plain.status.as_u16(), graphql.status.as_u16()),
            (json_status, graphql_status),
            "{query}"
        );
        assert_eq!(plain.headers[header::CONTENT_TYPE], "application/json");
        assert_eq!(graphql.headers[header::CONTENT_TYPE], media);
        assert_eq!(plain.body["data"], graphql.body["data"]);
    }
}
