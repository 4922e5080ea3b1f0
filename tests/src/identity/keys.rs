//! Signing keys: made before they sign, published, retired when their last token is over.

use axum::http::{Request, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::Value;
use trunkline_domain::identity::{self, Authenticator, Client, Credentials, Rotation, rotate_keys};
use trunkline_domain::kernel::Error;

use super::ground::{count, sign_in};
use crate::harness::{Answer, PASSWORD, TestApp};

async fn jwks(app: &TestApp, host: &str) -> Answer {
    let ask = app.on(host);
    let request = Request::get("/.well-known/jwks.json").header(header::HOST, &ask.host);
    ask.send(request.body(String::new().into()).unwrap()).await
}

fn kid(token: &str) -> String {
    jsonwebtoken::decode_header(token).unwrap().kid.unwrap()
}

/// A process that has just started, and what it signs.
async fn process(app: &TestApp) -> (Authenticator, String) {
    let process = Authenticator::new(app.app.database.clone());
    let credentials = Credentials::new("admin@platform.example", PASSWORD);
    let session = process.session_create(None, credentials, &Client::default()).await.unwrap();
    (process, session.access_token)
}

async fn unauthenticated(process: &Authenticator, token: &str) -> bool {
    matches!(process.authenticate(None, token).await, Err(Error::Unauthenticated))
}

#[tokio::test]
async fn the_published_keys_verify_tokens() {
    let app = TestApp::new().await;
    let token = sign_in(&app.on("asha"), "owner@asha.example").await.access;
    let mut answers = Vec::new();
    for host in ["asha", "baraka", "platform"] {
        let answer = jwks(&app, host).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.headers[header::CACHE_CONTROL], "public, max-age=300");
        answers.push(answer);
    }
    assert!(answers.iter().all(|a| a.body == answers[0].body));
    let keys = answers[0].body["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 1);
    let mut names: Vec<&str> = keys[0].as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        ["alg", "crv", "kid", "kty", "use", "x"],
        "public halves and nothing else"
    );
    assert_eq!((&keys[0]["kty"], &keys[0]["crv"]), (&"OKP".into(), &"Ed25519".into()));
    assert_eq!(keys[0]["kid"], kid(&token));
    let public = URL_SAFE_NO_PAD.decode(keys[0]["x"].as_str().unwrap()).unwrap();
    let mut rules = Validation::new(Algorithm::EdDSA);
    rules.validate_exp = false;
    rules.validate_aud = false;
    jsonwebtoken::decode::<Value>(&token, &DecodingKey::from_ed_der(&public), &rules).expect("verifies");
    assert_eq!(jwks(&app, "nobody").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_new_key_is_known_before_it_signs_and_the_old_one_goes_after_its_last_token() {
    let app = TestApp::new().await;
    let database = &app.app.database;
    let mut admin = app.db.admin().await;
    app.set_clock("2026-04-01T00:00:00Z").await;
    let (_, first) = process(&app).await;
    let new = rotate_keys(database, Rotation::Planned).await.unwrap();
    let (after, still_old) = process(&app).await;
    assert_eq!(kid(&still_old), kid(&first), "a key signs before the others know it");
    let published: Vec<String> = after.public_keys().await.unwrap().into_iter().map(|k| k.kid).collect();
    assert_eq!(published, [new.clone(), kid(&first)]);

    app.set_clock("2026-04-01T00:11:00Z").await;
    let (after, second) = process(&app).await;
    assert_eq!(kid(&second), new);
    after.authenticate(None, &still_old).await.unwrap();
    identity::upkeep(database).await.unwrap();
    let (_, third) = process(&app).await;
    after.authenticate(None, &third).await.unwrap();
    let old = "SELECT count(*) FROM platform.signing_key WHERE retired_at IS NULL AND sealed IS NOT NULL".to_owned();
    assert_eq!(
        count(&mut admin, old.clone()).await,
        2,
        "the old key went before its last token"
    );

    app.set_clock("2026-04-01T00:31:00Z").await;
    identity::upkeep(database).await.unwrap();
    assert_eq!(count(&mut admin, old.clone()).await, 1);
    let destroyed = "SELECT count(*) FROM platform.signing_key WHERE retired_at IS NOT NULL AND sealed IS NULL".to_owned();
    assert_eq!(count(&mut admin, destroyed).await, 1, "the private half is kept");
    let (after, _) = process(&app).await;
    assert!(unauthenticated(&after, &first).await);

    // By itself after thirty days, once however many processes look.
    app.set_clock("2026-05-01T00:09:00Z").await;
    identity::upkeep(database).await.unwrap();
    assert_eq!(count(&mut admin, old.clone()).await, 1);
    app.set_clock("2026-05-01T00:11:00Z").await;
    let (a, b) = tokio::join!(identity::upkeep(database), identity::upkeep(database));
    a.unwrap();
    b.unwrap();
    assert_eq!(count(&mut admin, old).await, 2);
    let (_, token) = process(&app).await;
    assert_eq!(kid(&token), new);
    app.jobs_may_remain();
}

#[tokio::test]
async fn a_leaked_key_is_worth_nothing_at_once() {
    let app = TestApp::new().await;
    let (_, first) = process(&app).await;
    let new = rotate_keys(&app.app.database, Rotation::Leaked).await.unwrap();
    let (after, second) = process(&app).await;
    assert!(unauthenticated(&after, &first).await);
    assert_eq!(kid(&second), new);
    let states = identity::key_states(&app.app.database).await.unwrap();
    let retired: Vec<bool> = states.iter().map(|s| s.retired_at.is_some()).collect();
    assert_eq!(retired, [false, true]);
}
