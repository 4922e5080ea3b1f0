//! The doors: hosts, credentials, and requests that are not what they should be.

use axum::http::StatusCode;
use serde_json::json;

use crate::harness::{TestApp, Who};

#[tokio::test]
async fn an_unknown_host_is_nobodys() {
    let app = TestApp::new().await;
    let mut answers = Vec::new();
    for host in ["nobody", "asha.evil", "pg-x", "x", "information-schema"] {
        for ask in [app.on(host), app.on(host).with(Who::Token("x".into()))] {
            let answer = ask.gql("{ viewer { id } }", json!({})).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{host}");
            answers.push(answer.text);
        }
    }
    answers.dedup();
    assert_eq!(answers, ["not found\n"], "unknown hosts are answered alike");
}

#[tokio::test]
async fn a_token_is_good_on_its_own_host_only() {
    let app = TestApp::new().await;
    let query = "{ plans(first: 1) { nodes { id } } }";
    let tokens = [
        ("asha", app.on("asha").as_owner().token().await),
        ("baraka", app.on("baraka").as_owner().token().await),
        ("platform", app.on_platform().as_platform_staff().token().await),
        ("platform", app.on_platform().as_director().token().await),
    ];
    for host in ["asha", "baraka", "chandra", "platform"] {
        for (home, token) in &tokens {
            let answer = app.on(host).with(Who::Token(token.clone())).gql(query, json!({})).await;
            if host == *home {
                assert_eq!(answer.status, StatusCode::OK, "{home}'s token on {host}: {}", answer.text);
            } else {
                assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{home}'s token on {host}");
                assert_eq!(answer.code().as_deref(), Some("UNAUTHENTICATED"));
            }
        }
    }
}

#[tokio::test]
async fn a_bad_token_is_refused() {
    let app = TestApp::new().await;
    let good = app.on("asha").as_owner().token().await;
    let mut parts: Vec<String> = good.split('.').map(str::to_owned).collect();
    let bent: String = parts[2].chars().rev().collect();
    parts[2] = bent;
    for token in [
        "",
        "x",
        "a.b.c",
        &parts.join("."),
        &good[..good.len() - 3],
        &format!("{good}x"),
    ] {
        let answer = app
            .on("asha")
            .with(Who::Token(token.to_owned()))
            .gql("{ __typename }", json!({}))
            .await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{token}: {}", answer.text);
    }
}
