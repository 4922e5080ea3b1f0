//! Signing in as a test wants it.

use axum::http::{Request, header};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgConnection};

use crate::harness::{Answer, Ask, PASSWORD, Who};

pub const SESSION: &str = "session { accessToken refreshToken expiresAt refreshExpiresAt viewer { id email } }";

/// The tokens of one session.
#[derive(Clone, Debug)]
pub struct Tokens {
    pub access: String,
    pub refresh: String,
}

impl Tokens {
    #[track_caller]
    pub fn of(answer: &Answer) -> Self {
        let session = &answer.done()["session"];
        let text = |name: &str| {
            session[name]
                .as_str()
                .unwrap_or_else(|| panic!("no {name}: {session}"))
                .to_owned()
        };
        Self {
            access: text("accessToken"),
            refresh: text("refreshToken"),
        }
    }
}

pub async fn try_sign_in(ask: &Ask<'_>, email: &str, password: &str, code: Option<&str>) -> Answer {
    let input = json!({ "email": email, "password": password, "totpCode": code });
    ask.with(Who::Nobody).mutate("sessionCreate", input, SESSION).await
}

pub async fn sign_in(ask: &Ask<'_>, email: &str) -> Tokens {
    Tokens::of(&try_sign_in(ask, email, PASSWORD, None).await)
}

pub async fn refresh(ask: &Ask<'_>, token: &str) -> Answer {
    let input = json!({ "refreshToken": token });
    ask.with(Who::Nobody).mutate("sessionRefresh", input, SESSION).await
}

/// Whether an access token is taken on this host.
pub async fn is_in(ask: &Ask<'_>, token: &str) -> bool {
    let answer = ask
        .with(Who::Token(token.to_owned()))
        .gql("{ viewer { id } }", json!({}))
        .await;
    answer.status.is_success() && !answer.at("viewer").is_null()
}

/// A GraphQL request with these headers and no credential but what they hold.
pub async fn with_headers(ask: &Ask<'_>, query: &str, variables: Value, headers: &[(&str, &str)]) -> Answer {
    let body = json!({ "query": query, "variables": variables }).to_string();
    let mut request = Request::post("/graphql").header(header::HOST, &ask.host);
    if !headers.iter().any(|(name, _)| *name == "content-type") {
        request = request.header(header::CONTENT_TYPE, "application/json");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    ask.send(request.body(body.into()).unwrap()).await
}

pub async fn count(admin: &mut PgConnection, sql: String) -> i64 {
    sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(admin).await.unwrap()
}
