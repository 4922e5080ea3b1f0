//! Access tokens that are none: whatever is wrong with them, 401.

use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ed25519_dalek::SigningKey;
use ed25519_dalek::ed25519::signature::Signer;
use ed25519_dalek::pkcs8::EncodePrivateKey;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use super::ground::sign_in;
use crate::harness::{TestApp, Who, execute};

fn decode(part: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

fn encode(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

/// A token with this header and these claims, signed with Ed25519 by `key`.
fn signed(header: &Value, claims: &Value, key: &SigningKey) -> String {
    let text = format!("{}.{}", encode(header), encode(claims));
    let signature = key.sign(text.as_bytes()).to_bytes();
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn hmac(kid: &str, claims: &Value, secret: &[u8]) -> String {
    let mut header = Header::new(Algorithm::HS256);
    header.kid = Some(kid.to_owned());
    jsonwebtoken::encode(&header, claims, &EncodingKey::from_secret(secret)).unwrap()
}

#[tokio::test]
async fn tokens_that_were_made_up_or_changed_are_refused() {
    let app = TestApp::new().await;
    let ask = app.on("asha");
    let good = sign_in(&ask, "owner@asha.example").await.access;
    let parts: Vec<&str> = good.split('.').collect();
    let (header, claims) = (decode(parts[0]), decode(parts[1]));
    let kid = header["kid"].as_str().unwrap();
    let public: Vec<u8> = sqlx::query_scalar("SELECT public_key FROM platform.signing_key")
        .fetch_one(&mut app.db.admin().await)
        .await
        .unwrap();
    let thief = SigningKey::from_bytes(&[66; 32]);
    let thiefs_x = URL_SAFE_NO_PAD.encode(thief.verifying_key().as_bytes());
    let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": thiefs_x, "kid": kid });
    // SubjectPublicKeyInfo (RFC 8410), as a library may be fooled into taking for an HMAC secret.
    let spki = [hex(b"302a300506032b6570032100").as_slice(), &public].concat();
    let pem = format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
        STANDARD.encode(spki)
    );
    let with = |name: &str, value: Value| {
        let mut changed = claims.clone();
        changed[name] = value;
        changed
    };
    let head = |alg: &str, kid: &str| json!({ "typ": "JWT", "alg": alg, "kid": kid });
    let mut tokens: Vec<(&str, String)> = vec![
        ("another's key under our kid", signed(&header, &claims, &thief)),
        (
            "another's key with its jwk",
            signed(&json!({ "alg": "EdDSA", "kid": kid, "jwk": jwk }), &claims, &thief),
        ),
        (
            "another's key at its jku",
            signed(
                &json!({ "alg": "EdDSA", "kid": kid, "jku": "https://evil.example/jwks" }),
                &claims,
                &thief,
            ),
        ),
        ("its own kid", signed(&head("EdDSA", "evil"), &claims, &thief)),
        ("a path as kid", signed(&head("EdDSA", "../../../dev/null"), &claims, &thief)),
        ("SQL as kid", signed(&head("EdDSA", "' OR '1'='1"), &claims, &thief)),
        ("no kid", signed(&json!({ "alg": "EdDSA" }), &claims, &thief)),
        ("HS256 with the public key", hmac(kid, &claims, &public)),
        ("HS256 with the public key as PEM", hmac(kid, &claims, pem.as_bytes())),
        ("HS256 with nothing", hmac(kid, &claims, b"")),
        (
            "alg switched, signature kept",
            format!("{}.{}.{}", encode(&head("HS256", kid)), parts[1], parts[2]),
        ),
        (
            "an algorithm that is not",
            format!("{}.{}.{}", encode(&head("EdDSA2", kid)), parts[1], parts[2]),
        ),
        (
            "claims changed",
            format!("{}.{}.{}", parts[0], encode(&with("kind", json!("PLATFORM_STAFF"))), parts[2]),
        ),
        ("truncated", good[..good.len() - 4].to_owned()),
        ("half", good[..good.len() / 2].to_owned()),
        ("two parts", format!("{}.{}", parts[0], parts[1])),
        ("no signature", format!("{}.{}.", parts[0], parts[1])),
        ("four parts", format!("{good}.{}", parts[2])),
        ("signature in another spelling", format!("{good}=")),
        ("twenty thousand letters", "a".repeat(20_000)),
    ];
    for alg in ["none", "None", "NONE", ""] {
        tokens.push(("alg none", format!("{}.{}.", encode(&head(alg, kid)), parts[1])));
        tokens.push((
            "alg none, signature kept",
            format!("{}.{}.{}", encode(&head(alg, kid)), parts[1], parts[2]),
        ));
    }
    for (what, token) in tokens {
        let answer = ask.with(Who::Token(token)).gql("{ viewer { id } }", json!({})).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{what}: {}", answer.text);
        assert_eq!(answer.code().as_deref(), Some("UNAUTHENTICATED"), "{what}");
    }
    let answer = ask.with(Who::Token(good)).gql("{ viewer { id } }", json!({})).await;
    assert!(answer.at("viewer.id").is_string());
}

/// Signed with the installation's own key, and still for nobody: the claims must fit together.
#[tokio::test]
async fn our_own_signature_is_not_enough() {
    let app = TestApp::new().await;
    let ask = app.on("asha");
    let mut admin = app.db.admin().await;
    // A key that this test knows, put in place of the product's.
    let key = SigningKey::from_bytes(&[7; 32]);
    let der = key.to_pkcs8_der().unwrap();
    let sealed = app
        .app
        .database
        .secret()
        .seal("signing key", "known", der.as_bytes())
        .unwrap();
    sqlx::query(
        "INSERT INTO platform.signing_key (kid, sealed, public_key, created_at) VALUES ('known', $1, $2, platform.now())",
    )
    .bind(sealed)
    .bind(key.verifying_key().as_bytes().to_vec())
    .execute(&mut admin)
    .await
    .unwrap();
    let mine = sign_in(&ask, "support@asha.example").await.access;
    let owners = sign_in(&ask, "owner@asha.example").await.access;
    let part = |token: &str| decode(token.split('.').nth(1).unwrap());
    let (mine, owners) = (part(&mine), part(&owners));
    let header = json!({ "typ": "JWT", "alg": "EdDSA", "kid": "known" });
    let with = |changes: &[(&str, Value)]| {
        let mut claims = mine.clone();
        for (name, value) in changes {
            claims[*name] = value.clone();
        }
        signed(&header, &claims, &key)
    };
    let good = with(&[]);
    let answer = ask.with(Who::Token(good)).gql("{ viewer { id } }", json!({})).await;
    assert!(answer.at("viewer.id").is_string(), "{}", answer.text);
    let mut without = mine.clone();
    without.as_object_mut().unwrap().remove("sid");
    for (what, token) in [
        ("somebody else's session", with(&[("sid", owners["sid"].clone())])),
        ("somebody else in my session", with(&[("sub", owners["sub"].clone())])),
        (
            "a session that is not",
            with(&[("sid", json!("01939f00-0000-7000-8000-000000000000"))]),
        ),
        ("no session", signed(&header, &without, &key)),
        ("another kind", with(&[("kind", json!("SUBSCRIBER"))])),
        ("the platform's kind", with(&[("kind", json!("PLATFORM_STAFF"))])),
        ("another audience", with(&[("aud", json!("platform"))])),
        ("another installation", with(&[("iss", json!("other"))])),
        ("over", with(&[("exp", json!(mine["iat"]))])),
    ] {
        let answer = ask.with(Who::Token(token)).gql("{ viewer { id } }", json!({})).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{what}: {}", answer.text);
    }
    execute(&mut admin, "DELETE FROM platform.signing_key WHERE kid = 'known'".into()).await;
}

fn hex(text: &[u8]) -> Vec<u8> {
    text.chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}
