use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::answer::failure;
use crate::app::App;

/// A new key is published longer before it signs than anybody may keep an answer.
const CACHE: &str = "public, max-age=300";

/// `GET /.well-known/jwks.json`: the keys that access tokens can be verified with (RFC 7517, RFC 8037), on every host.
pub async fn serve(State(app): State<App>) -> Response {
    let keys = match app.authenticator.public_keys().await {
        Ok(keys) => keys,
        Err(e) => return failure(&e),
    };
    let keys: Vec<Value> = keys
        .into_iter()
        .map(|key| json!({ "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": key.kid, "x": key.x }))
        .collect();
    let mut response = Json(json!({ "keys": keys })).into_response();
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static(CACHE));
    response
}
