//! The product in process over a test's own database: requests go through its whole router, jobs through its worker.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode, header};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tower::ServiceExt;
use trunkline_api::app::App;
use trunkline_api::config::Config;
use trunkline_api::http::router;
use trunkline_domain::DAILY_JOBS;
use trunkline_domain::identity::{Client, Credentials};
use trunkline_domain::jobs::{Drained, schedule_daily};
use trunkline_domain::kernel::Clock;
use trunkline_domain::kernel::db::{DatabaseSettings, Tenant};

use super::database::{PASSWORD, TestDb, connect, execute, settings};

/// When every test begins: a Wednesday, 10:00 in Kolkata, 07:30 in Nairobi, the first day of an Indian fiscal year.
pub const START: &str = "2026-04-01T04:30:00Z";

/// When a caller signs in anew: a token lasts fifteen minutes by the product's clock, which goes on as the machine's does.
const TOKEN_AGE: Duration = Duration::from_secs(10 * 60);

/// A server of one test, with its database and its clock.
pub struct TestApp {
    pub db: TestDb,
    pub app: App,
    pub router: Router,
    tokens: Mutex<HashMap<(String, Who), (String, Instant)>>,
    jobs_may_remain: AtomicBool,
}

/// Whose credential a request carries.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Who {
    Nobody,
    /// Staff, a director or platform staff, by e-mail address.
    Login(String),
    /// A subscriber's portal login, by account number.
    Subscriber(String),
    /// This text, whatever it is.
    Token(String),
}

impl TestApp {
    /// Without limits of rate: tests ask faster than anybody may.
    pub async fn new() -> Self {
        Self::with_rate("off").await
    }

    /// With these limits of rate, `cost units/requests` a second.
    pub async fn with_rate(rate: &str) -> Self {
        let db = TestDb::new().await;
        let settings = settings(&db);
        Self::with(db, settings, rate).await
    }

    pub async fn over(db: TestDb) -> Self {
        let settings = settings(&db);
        Self::with(db, settings, "off").await
    }

    /// Over a database that is reached in a way of the test's own.
    pub async fn with(db: TestDb, settings: DatabaseSettings, rate: &str) -> Self {
        let config = Config::from_env([
            ("TRUNKLINE_TEST_CLOCK".into(), "1".into()),
            ("TRUNKLINE_BASE_DOMAIN".into(), "localhost".into()),
            ("TRUNKLINE_API_RATE".into(), rate.into()),
        ])
        .expect("settings");
        let app = App::open(config, settings, Clock::system()).await.expect("the app");
        let it = Self {
            router: router(app.clone()),
            db,
            app,
            tokens: Mutex::default(),
            jobs_may_remain: AtomicBool::new(false),
        };
        it.set_clock(START).await;
        it
    }

    /// Asks on an ISP's host, as nobody until told otherwise.
    pub fn on(&self, slug: &str) -> Ask<'_> {
        Ask {
            app: self,
            host: format!("{slug}.localhost"),
            who: Who::Nobody,
        }
    }

    /// Asks on the platform's host.
    pub fn on_platform(&self) -> Ask<'_> {
        self.on("platform")
    }

    /// Sets the product's clock, in this process and in the database; it goes on from there.
    pub async fn set_clock(&self, now: &str) {
        let now: DateTime<Utc> = now.parse().expect("an RFC 3339 instant");
        self.app.database.set_test_clock(now).await.expect("the clock");
        // Tokens are governed by the clock.
        self.forget_tokens().await;
    }

    /// Everybody signs in anew at their next request.
    pub async fn forget_tokens(&self) {
        self.tokens.lock().await.clear();
    }

    /// Runs what is due by the clock until nothing is, the daily jobs of each ISP's date among it.
    pub async fn run_jobs(&self) -> Drained {
        schedule_daily(&self.app.database, DAILY_JOBS).await.expect("daily jobs");
        self.app.worker.drain().await.expect("jobs")
    }

    /// For a test that leaves due jobs behind on purpose.
    pub fn jobs_may_remain(&self) {
        self.jobs_may_remain.store(true, Ordering::Relaxed);
    }

    async fn token(&self, host: &str, who: &Who) -> Option<String> {
        let credentials = |login: &str| Credentials::new(login, PASSWORD);
        let client = Client::default();
        match who {
            Who::Nobody => return None,
            Who::Token(token) => return Some(token.clone()),
            Who::Login(_) | Who::Subscriber(_) => {}
        }
        let key = (host.to_owned(), who.clone());
        let mut tokens = self.tokens.lock().await;
        if let Some((token, since)) = tokens.get(&key)
            && since.elapsed() < TOKEN_AGE
        {
            return Some(token.clone());
        }
        let slug = host.strip_suffix(".localhost").expect("one of our hosts");
        let tenant = match slug {
            "platform" => None,
            slug => Some(self.app.directory.by_slug(slug).await.unwrap().expect("an ISP")),
        };
        // What a test has tried wrongly does not keep its callers out.
        let mut admin = self.db.admin().await;
        let schema = tenant.as_ref().map_or("platform", Tenant::role);
        execute(&mut admin, format!("DELETE FROM {schema}.sign_in_failure")).await;
        let session = match who {
            Who::Nobody | Who::Token(_) => unreachable!("answered above"),
            Who::Login(email) => {
                self.app
                    .authenticator
                    .session_create(tenant.as_ref(), credentials(email), &client)
                    .await
            }
            Who::Subscriber(number) => {
                let tenant = tenant.expect("subscribers sign in on their ISP's host");
                self.app
                    .authenticator
                    .subscriber_session_create(&tenant, credentials(number), &client)
                    .await
            }
        };
        let token = session
            .unwrap_or_else(|e| panic!("{who:?} cannot sign in on {host}: {e:?}"))
            .access_token;
        tokens.insert(key, (token.clone(), Instant::now()));
        Some(token)
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        if std::thread::panicking() || self.jobs_may_remain.load(Ordering::Relaxed) {
            return;
        }
        let database = self.db.name.clone();
        let now = self.app.database.clock().now();
        let remaining = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(remaining(&database, now))
        });
        let remaining = remaining.join().expect("the look at remaining jobs");
        assert!(
            remaining.is_empty(),
            "due work remains: {remaining:?}; end the test with run_jobs(), or call jobs_may_remain()"
        );
    }
}

/// Events that somebody hears, and jobs that are due.
async fn remaining(database: &str, now: DateTime<Utc>) -> Vec<String> {
    let registry = trunkline_domain::registry();
    let heard: Vec<String> = registry.handlers().map(|(event, _)| event.to_owned()).collect();
    sqlx::query_scalar(
        "SELECT 'event ' || kind FROM platform.outbox WHERE kind = ANY($2) UNION ALL
         SELECT 'job ' || kind || coalesce(': ' || last_error, '') FROM platform.job
         WHERE finished_at IS NULL AND (parked_at IS NOT NULL OR run_at <= $1)",
    )
    .bind(now)
    .bind(heard)
    .fetch_all(&mut connect(database).await)
    .await
    .unwrap()
}

/// One caller on one host.
#[derive(Clone)]
pub struct Ask<'a> {
    pub app: &'a TestApp,
    pub host: String,
    pub who: Who,
}

impl<'a> Ask<'a> {
    pub fn with(&self, who: Who) -> Self {
        Self { who, ..self.clone() }
    }

    /// The ISP's owner.
    pub fn as_owner(&self) -> Self {
        let slug = self.host.trim_end_matches(".localhost");
        self.as_login(&format!("owner@{slug}.example"))
    }

    /// Staff of the ISP, or on the platform's host its staff and directors.
    pub fn as_login(&self, email: &str) -> Self {
        self.with(Who::Login(email.to_owned()))
    }

    /// Platform staff, on the platform's host.
    pub fn as_platform_staff(&self) -> Self {
        self.as_login("admin@platform.example")
    }

    /// The director who owns `chandra`, on the platform's host.
    pub fn as_director(&self) -> Self {
        self.as_login("director@meridian.example")
    }

    pub fn as_subscriber(&self, account_number: &str) -> Self {
        self.with(Who::Subscriber(account_number.to_owned()))
    }

    /// The caller's access token, to be shown elsewhere.
    pub async fn token(&self) -> String {
        self.app.token(&self.host, &self.who).await.expect("somebody who signs in")
    }

    pub async fn gql(&self, query: &str, variables: Value) -> Answer {
        let body = json!({ "query": query, "variables": variables });
        let answer = self.post(serde_json::to_vec(&body).unwrap()).await;
        if query.contains("sessionEnd") {
            // Whoever signs out signs in again for the next request.
            self.app.tokens.lock().await.remove(&(self.host.clone(), self.who.clone()));
        }
        assert!(
            !lacks_a_total(&answer.body),
            "a list was asked how long it is: {query}: {}",
            answer.text
        );
        answer
    }

    /// A mutation with `input`; `selection` of its payload besides `userErrors`.
    pub async fn mutate(&self, name: &str, input: Value, selection: &str) -> Answer {
        let (first, rest) = name.split_at(1);
        let query = format!(
            "mutation($input: {}{rest}Input!) {{ {name}(input: $input) {{ {selection} userErrors {{ field code message }} }} }}",
            first.to_uppercase()
        );
        self.gql(&query, json!({ "input": input })).await
    }

    /// Whatever bytes, to `/graphql`.
    pub async fn post(&self, body: Vec<u8>) -> Answer {
        let token = self.app.token(&self.host, &self.who).await;
        let mut request = Request::post("/graphql").header(header::CONTENT_TYPE, "application/json");
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        self.send(request.header(header::HOST, &self.host).body(body.into()).unwrap())
            .await
    }

    /// A path other than `/graphql`, with these headers besides the caller's credential.
    pub async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = Request::get(path).header(header::HOST, &self.host);
        if let Some(token) = self.app.token(&self.host, &self.who).await {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(Body::empty()).unwrap()).await
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.app.router.clone().oneshot(request).await.expect("infallible");
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.unwrap();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: serde_json::from_str(&text).unwrap_or(Value::Null),
            text,
            bytes,
        }
    }
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Value,
    pub text: String,
    pub bytes: Bytes,
}

impl Answer {
    /// The value at a dotted path below `data`; null where there is none. Top-level errors fail the test.
    #[track_caller]
    pub fn at(&self, path: &str) -> Value {
        assert!(
            self.body["errors"].is_null() && self.status == StatusCode::OK,
            "{} {}",
            self.status,
            self.text
        );
        let pointer = format!("/data/{}", path.replace('.', "/"));
        self.body.pointer(&pointer).cloned().unwrap_or_default()
    }

    /// As [`Self::at`], a text that must be there.
    #[track_caller]
    pub fn text_at(&self, path: &str) -> String {
        match self.at(path) {
            Value::String(text) => text,
            other => panic!("{path} is {other}: {}", self.text),
        }
    }

    /// The code of the first top-level error.
    pub fn code(&self) -> Option<String> {
        Some(self.body.pointer("/errors/0/extensions/code")?.as_str()?.to_owned())
    }

    /// The `userErrors` of the only mutation, as `CODE field.path`, in their order.
    #[track_caller]
    pub fn refusals(&self) -> Vec<String> {
        let payload = self.payload();
        let errors = payload["userErrors"]
            .as_array()
            .unwrap_or_else(|| panic!("userErrors were not asked for: {}", self.text));
        errors
            .iter()
            .map(|e| {
                let field: Vec<&str> = e["field"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(Value::as_str)
                    .collect();
                format!("{} {}", e["code"].as_str().unwrap_or_default(), field.join("."))
                    .trim()
                    .to_owned()
            })
            .collect()
    }

    /// The payload of the only mutation, which must not have been refused.
    #[track_caller]
    pub fn done(&self) -> Value {
        let refusals = self.refusals();
        assert!(refusals.is_empty(), "refused: {}", self.text);
        self.payload()
    }

    #[track_caller]
    fn payload(&self) -> Value {
        assert!(
            self.body["errors"].is_null() && self.status == StatusCode::OK,
            "{} {}",
            self.status,
            self.text
        );
        let data = self.body["data"]
            .as_object()
            .unwrap_or_else(|| panic!("no data: {}", self.text));
        data.values().next().cloned().unwrap_or_default()
    }
}

/// Whether some list in it does not say how long it is.
fn lacks_a_total(value: &Value) -> bool {
    match value {
        Value::Object(fields) => fields.get("totalCount").is_some_and(Value::is_null) || fields.values().any(lacks_a_total),
        Value::Array(items) => items.iter().any(lacks_a_total),
        _ => false,
    }
}
