use axum::http::{HeaderMap, header};
use trunkline_domain::{Actor, Error, Result};

use crate::app::App;
use crate::graphql::ctx::Host;

/// Who asks. No credential is nobody; a bad one, or one of another ISP, is refused.
pub async fn authenticate(app: &App, host: &Host, headers: &HeaderMap) -> Result<Actor> {
    let Some(value) = headers.get(header::AUTHORIZATION) else {
        return Ok(Actor::Anonymous);
    };
    let token = value
        .to_str()
        .ok()
        .and_then(|v| v.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let (_, token) = token.ok_or(Error::Unauthenticated)?;
    let tenant = match host {
        Host::Platform => None,
        Host::Tenant(tenant) => Some(tenant),
    };
    app.authenticator.authenticate(tenant, token.trim()).await
}
