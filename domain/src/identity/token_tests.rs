use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::EncodePrivateKey;
use serde_json::json;

use super::*;

fn keys(seed: u8) -> (EncodingKey, DecodingKey) {
    let key = SigningKey::from_bytes(&[seed; 32]);
    let encoding = EncodingKey::from_ed_der(key.to_pkcs8_der().unwrap().as_bytes());
    (encoding, DecodingKey::from_ed_der(key.verifying_key().as_bytes()))
}

fn now() -> DateTime<Utc> {
    "2026-04-01T00:00:00Z".parse().unwrap()
}

/// A director's, on the platform's host.
pub(in crate::identity) fn claims(now: DateTime<Utc>) -> Claims {
    let session = UserSessionId(Uuid::nil());
    Claims::new("inst", "platform".into(), Kind::Director, Uuid::nil(), session, now)
}

fn token() -> String {
    sign(&claims(now()), "k1", &keys(1).0).unwrap()
}

fn check(token: &str, seed: u8, iss: &str, aud: &str, at: DateTime<Utc>) -> bool {
    verify(token, &keys(seed).1, iss, aud, at).is_ok()
}

#[test]
fn a_token_is_good_for_its_issuer_audience_key_and_time() {
    let token = token();
    assert_eq!(kid(&token).unwrap(), "k1");
    let last = now() + LIFETIME - TimeDelta::seconds(1);
    assert!(check(&token, 1, "inst", "platform", now()));
    assert!(check(&token, 1, "inst", "platform", last));
    assert!(!check(&token, 1, "inst", "platform", now() + LIFETIME));
    assert!(!check(&token, 2, "inst", "platform", now()));
    assert!(!check(&token, 1, "other", "platform", now()));
    assert!(!check(&token, 1, "inst", "0193-tenant", now()));
}

#[test]
fn tampered_tokens_are_refused() {
    let token = token();
    let [header, claims, signature]: [&str; 3] = token.split('.').collect::<Vec<_>>().try_into().unwrap();
    let decoded = URL_SAFE_NO_PAD.decode(claims).unwrap();
    let mut forged: serde_json::Value = serde_json::from_slice(&decoded).unwrap();
    forged["kind"] = json!("PLATFORM_STAFF");
    let forged = URL_SAFE_NO_PAD.encode(forged.to_string());
    assert!(!check(
        &format!("{header}.{forged}.{signature}"),
        1,
        "inst",
        "platform",
        now()
    ));
    assert!(!check(&format!("{header}.{claims}."), 1, "inst", "platform", now()));
    assert!(!check(&format!("{header}.{claims}"), 1, "inst", "platform", now()));
}

#[test]
fn no_other_algorithm_is_considered() {
    let claims = Claims::new(
        "inst",
        "platform".into(),
        Kind::PlatformStaff,
        Uuid::nil(),
        UserSessionId(Uuid::nil()),
        now(),
    );
    let public = SigningKey::from_bytes(&[1; 32]).verifying_key();
    // The classic confusion: HMAC with the public key as its secret.
    let mut header = Header::new(Algorithm::HS256);
    header.kid = Some("k1".into());
    let hmac = jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(public.as_bytes())).unwrap();
    let body = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&claims).unwrap());
    let none = format!("{}.{body}.", URL_SAFE_NO_PAD.encode(r#"{"alg":"none","kid":"k1"}"#));
    for token in [hmac.as_str(), none.as_str(), "", "a.b.c", &"x".repeat(5000)] {
        assert!(kid(token).is_err(), "{token}");
        assert!(!check(token, 1, "inst", "platform", now()));
    }
}
