use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use trunkline_domain::identity::{Client, SignedIn};
use trunkline_domain::kernel::ids::UserSessionId;
use trunkline_domain::{Actor, Error, Result};

use super::answer::{failure, rate_limited};
use crate::app::App;
use crate::cookies::Cookies;
use crate::graphql::ctx::Host;
use crate::limits::{Caller, Purse};

/// Longer names of browsers are cut.
const USER_AGENT: usize = 200;

/// Who asks, and in which session; nobody without a credential.
pub struct Asker {
    pub actor: Arc<Actor>,
    pub session: Option<UserSessionId>,
}

impl From<SignedIn> for Asker {
    fn from(who: SignedIn) -> Self {
        Self {
            actor: who.actor,
            session: Some(who.session),
        }
    }
}

/// Who asks. No credential is nobody; a bad one, or one of another ISP, is refused. A bearer's token wins over a cookie; a
/// cookie that is no longer good is nobody, for a browser sends it whether it is wanted or not.
pub async fn authenticate(app: &App, host: &Host, headers: &HeaderMap, cookies: &Cookies) -> Result<Asker> {
    let tenant = match host {
        Host::Platform => None,
        Host::Tenant(tenant) => Some(tenant),
    };
    let nobody = || Asker {
        actor: Arc::new(Actor::Anonymous),
        session: None,
    };
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        let token = value
            .to_str()
            .ok()
            .and_then(|v| v.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let (_, token) = token.ok_or(Error::Unauthenticated)?;
        return app.authenticator.authenticate(tenant, token.trim()).await.map(Asker::from);
    }
    let Some(token) = cookies.access() else { return Ok(nobody()) };
    match app.authenticator.authenticate(tenant, token).await {
        Err(Error::Unauthenticated) => Ok(nobody()),
        other => other.map(Asker::from),
    }
}

/// Why somebody is not let in.
pub enum Refused {
    /// Asks too often: how long to wait.
    For(Duration),
    Because(Error),
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        match self {
            Self::For(wait) => rate_limited(wait),
            Self::Because(e) => failure(&e),
        }
    }
}

/// Who asks, and what it may spend. Whoever tries out tokens pays for it like everyone.
pub async fn admit(
    app: &App,
    host: &Host,
    address: IpAddr,
    headers: &HeaderMap,
    cookies: &Cookies,
) -> std::result::Result<(Asker, Purse), Refused> {
    let who = authenticate(app, host, headers, cookies).await;
    let caller = match &who {
        Ok(who) => Caller::of(&who.actor, host, address),
        Err(_) => Caller::at(address),
    };
    let purse = app.limits.admit(caller, host).map_err(Refused::For)?;
    Ok((who.map_err(Refused::Because)?, purse))
}

/// From where somebody asks, as a list of sessions shows it.
pub fn client(address: Option<IpAddr>, headers: &HeaderMap) -> Client {
    let agent = headers.get(header::USER_AGENT).map(|v| String::from_utf8_lossy(v.as_bytes()));
    let agent = agent.map(|a| a.chars().filter(|c| !c.is_control()).take(USER_AGENT).collect::<String>());
    Client {
        address,
        user_agent: agent.filter(|a| !a.is_empty()),
    }
}
