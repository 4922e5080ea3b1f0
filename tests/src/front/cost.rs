//! Costs, and buckets for callers, addresses and ISPs.

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, StatusCode, header};
use futures::future::join_all;
use serde_json::{Value, json};
use std::net::SocketAddr;

use crate::harness::{Answer, Ask, TestApp, Who};

const CHEAP: &str = "{ viewer { id } }";

/// Asks until the answer is 429, at most this often. How often it was served.
async fn served(ask: &Ask<'_>, query: &str, at_most: usize) -> (usize, Option<Answer>) {
    for n in 0..at_most {
        let answer = ask.gql(query, json!({})).await;
        if answer.status == StatusCode::TOO_MANY_REQUESTS {
            return (n, Some(answer));
        }
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    }
    (at_most, None)
}

#[track_caller]
fn is_rate_limited(answer: &Answer) {
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(answer.code().as_deref(), Some("RATE_LIMITED"), "{}", answer.text);
    let wait = answer.body["errors"][0]["extensions"]["retryAfter"].as_u64().unwrap();
    assert!((1..=10).contains(&wait), "{}", answer.text);
    assert_eq!(answer.headers[header::RETRY_AFTER], wait.to_string());
}

#[tokio::test]
async fn each_credential_has_so_many_requests_a_second() {
    let app = TestApp::with_rate("50000/4").await;
    let owner = app.on("asha").as_owner();
    let _ = owner.token().await;
    let (n, refused) = served(&owner, CHEAP, 500).await;
    assert!(n >= 4, "{n}");
    is_rate_limited(&refused.expect("asked faster than four times a second"));
    // The clock of the product is no way round.
    app.set_clock("2027-01-01T00:00:00Z").await;
    app.set_clock(crate::harness::START).await;
    // Another token of the same person is.
    let fresh = app.on("asha").as_owner();
    let _ = fresh.token().await;
    let (n, _) = served(&fresh, CHEAP, 500).await;
    assert!(n < 400, "{n}");
    for other in [
        app.on("asha"),
        app.on("baraka").as_owner(),
        app.on_platform().as_platform_staff(),
    ] {
        assert_eq!(other.gql(CHEAP, json!({})).await.status, StatusCode::OK, "{:?}", other.who);
    }
}

/// From another address.
async fn from(app: &TestApp, address: &str, token: Option<&str>) -> Answer {
    let mut request = Request::post("/graphql")
        .header(header::HOST, "asha.localhost")
        .header(header::CONTENT_TYPE, "application/json")
        // Nobody's word is taken for it.
        .header("x-forwarded-for", "198.51.100.77");
    if let Some(token) = token {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    let mut request = request.body(Body::from(json!({ "query": CHEAP }).to_string())).unwrap();
    let peer: SocketAddr = format!("{address}:4000").parse().unwrap();
    request.extensions_mut().insert(ConnectInfo(peer));
    app.on("asha").send(request).await
}

#[tokio::test]
async fn who_has_not_signed_in_is_known_by_the_address() {
    let app = TestApp::with_rate("50000/4").await;
    let hammered = async |address: &str, token: Option<&str>| {
        for _ in 0..500 {
            let answer = from(&app, address, token).await;
            if answer.status == StatusCode::TOO_MANY_REQUESTS {
                is_rate_limited(&answer);
                return;
            }
        }
        panic!("never limited");
    };
    hammered("203.0.113.1", None).await;
    assert_eq!(from(&app, "203.0.113.2", None).await.status, StatusCode::OK);
    // Trying out tokens is no cheaper.
    hammered("203.0.113.3", Some("a.b.c")).await;
    assert_eq!(
        from(&app, "203.0.113.4", Some("a.b.c")).await.status,
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn one_isp_cannot_starve_the_others() {
    let app = TestApp::with_rate("50000/2").await;
    // At once, or a slow machine would never ask too much.
    let many = (0..200).map(|n| {
        let app = &app;
        async move { from(app, &format!("203.0.113.{n}"), None).await }
    });
    let answers = join_all(many).await;
    let limited = answers.iter().any(|a| a.status == StatusCode::TOO_MANY_REQUESTS);
    assert!(limited, "the ISP as a whole is limited");
    let neighbour = app.on("baraka").gql(CHEAP, json!({})).await;
    assert_eq!(neighbour.status, StatusCode::OK);
}

#[tokio::test]
async fn cost_is_counted_before_anything_is_executed() {
    let app = TestApp::with_rate("400/100000").await;
    let owner = app.on("asha").as_owner();
    let page = "query($n: Int!) { plans(first: $n) { nodes { id code } } }";
    let first = owner.gql(page, json!({ "n": 50 })).await;
    let cost = &first.body["extensions"]["cost"];
    // 25 for a field of Query, 10 for a list, 50 × (nodes + id + code)
    assert_eq!(cost["requested"], 185, "{}", first.text);
    assert_eq!((&cost["limit"], &cost["maximum"]), (&json!(400), &json!(30_000)));
    assert!(cost["remaining"].as_u64().unwrap() <= 400 - 185 + 100, "{cost}");
    // Many seconds' worth at once.
    let many = (0..20).map(|_| owner.gql(page, json!({ "n": 100 })));
    let refused = join_all(many).await.into_iter().find(|a| a.status != StatusCode::OK);
    let refused = refused.expect("nobody can pay for all of that");
    is_rate_limited(&refused);
    assert!(refused.body["data"].is_null());
    assert_eq!(refused.body["extensions"]["cost"]["remaining"], 0, "{}", refused.text);
    // What no second is long enough for will never be served; waiting is no help.
    let never = owner
        .gql(
            "{ a: plans(first: 100) { nodes { id code } } b: plans(first: 100) { nodes { id } } }",
            json!({}),
        )
        .await;
    assert_eq!(never.code().as_deref(), Some("TOO_COMPLEX"), "{}", never.text);
    // A mutation that cannot be paid for is not carried out.
    let sign_in = json!({ "email": "owner@asha.example", "password": crate::harness::PASSWORD });
    let many = (0..20).map(|_| owner.mutate("sessionCreate", sign_in.clone(), "session { accessToken }"));
    let mut refusals = 0;
    for answer in join_all(many).await {
        if answer.status == StatusCode::TOO_MANY_REQUESTS {
            assert!(answer.body["data"].is_null(), "{}", answer.text);
            refusals += 1;
        }
    }
    assert!(refusals > 0, "signing in costs more than a field");
}

#[tokio::test]
async fn costs_add_up_over_aliases_fragments_and_variables() {
    let app = TestApp::new().await;
    let owner = app.on("asha").as_owner();
    let cost = async |query: &str, variables: Value| {
        let answer = owner.gql(query, variables).await;
        assert!(answer.body["errors"].is_null(), "{}", answer.text);
        answer.body["extensions"]["cost"].clone()
    };
    let one = cost("{ plans(first: 10) { nodes { id } } }", json!({})).await;
    assert_eq!(
        one,
        json!({ "requested": 55, "maximum": 30_000, "limit": null, "remaining": null })
    );
    let aliased = "{ a: plans(first: 10) { nodes { id } } b: plans(first: 10) { nodes { id } } }";
    assert_eq!(cost(aliased, json!({})).await["requested"], 110);
    let spread = "{ ...F a: plans(first: 10) { ...N } } fragment F on Query { plans(first: 10) { ...N } } \
                  fragment N on PlanConnection { nodes { id } }";
    assert_eq!(cost(spread, json!({})).await["requested"], 110);
    let variable = "query($n: Int! = 20) { plans(first: $n) { nodes { id } } }";
    assert_eq!(cost(variable, json!({})).await["requested"], 75);
    assert_eq!(cost(variable, json!({ "n": 5 })).await["requested"], 45);
    let nested = "{ subscribers(first: 10) { nodes { services(first: 5) { nodes { id } } } } }";
    // 25 + 10 + 10 × (nodes + 10 + 5 × (nodes + id))
    assert_eq!(cost(nested, json!({})).await["requested"], 245);
    let skipped = owner
        .gql("query($n: Int!) { plans(first: $n) { nodes { id } } }", json!({ "n": "x" }))
        .await;
    assert_eq!(skipped.code().as_deref(), Some("BAD_ARGUMENT"), "{}", skipped.text);
}

/// The whole body is within 1 MiB, and refused without being parsed.
#[tokio::test]
async fn a_million_aliases_are_refused_cheaply() {
    let app = TestApp::new().await;
    let owner = app.on("asha").as_owner();
    let _ = owner.token().await;
    let bombs = [
        format!("{{ {} }}", "a:viewer{id} ".repeat(80_000)),
        format!("{{ {} }}", "a:b ".repeat(250_000)),
        format!(
            "mutation {{ {} }}",
            "a:planRetire(input:{id:\"x\"}){plan{id}} ".repeat(25_000)
        ),
        format!("{{ {} }}", "...F ".repeat(150_000)) + " fragment F on Query { viewer { id } }",
        format!("{{ viewer {{ id {} }} }}", "@include(if:true) ".repeat(50_000)),
        "{a".repeat(400_000),
    ];
    for bomb in &bombs {
        let begun = std::time::Instant::now();
        let answer = owner.gql(bomb, json!({})).await;
        assert_eq!(answer.code().as_deref(), Some("TOO_COMPLEX"), "{:.200}", answer.text);
        assert!(begun.elapsed() < std::time::Duration::from_secs(10), "{:?}", begun.elapsed());
    }
    // Each within 20,000 tokens: the schema walked in circles, fragments that double, and a statement too many.
    let circle =
        "{ __schema { types { fields { type { fields { type { fields { type { fields { name } } } } } } } } } }".to_owned();
    let doubling: String = (0..40)
        .map(|n| format!("fragment F{n} on Query {{ ...F{0} ...F{0} }} ", n + 1))
        .collect();
    let doubling = format!("{{ ...F0 }} {doubling} fragment F40 on Query {{ viewer {{ id }} }}");
    let many = format!("{{ {} }}", "viewer{id} ".repeat(1_500));
    for bomb in [circle, doubling, many] {
        let answer = owner.gql(&bomb, json!({})).await;
        assert_eq!(
            answer.code().as_deref(),
            Some("TOO_COMPLEX"),
            "{bomb:.80}: {:.200}",
            answer.text
        );
    }
    let still = owner.with(Who::Nobody).gql(CHEAP, json!({})).await;
    assert_eq!(still.status, StatusCode::OK);
}
