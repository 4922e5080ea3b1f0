//! `trunkline` as a process, with a log that can be read and a port for operators.

use std::fs::File;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{PASSWORD, Process, SECRET, TestDb, binary, free_port, settings};
use crate::jobs::probe::until;

/// A process that serves, and works unless told otherwise.
pub struct Running {
    pub process: Process,
    pub public: String,
    pub ops: String,
    pub http: reqwest::Client,
    log: tempfile::NamedTempFile,
}

/// reqwest is compiled without a provider of cryptography, and asks for one also where it is not used.
pub fn http_client() -> reqwest::Client {
    static PROVIDED: OnceLock<()> = OnceLock::new();
    PROVIDED.get_or_init(|| {
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    reqwest::Client::builder().no_proxy().build().unwrap()
}

impl Running {
    pub async fn start(db: &TestDb, more: &[(&str, &str)]) -> Self {
        Self::start_as(&["serve", "--work"], db, more).await
    }

    /// `trunkline` with these arguments, once it is ready.
    pub async fn start_as(arguments: &[&str], db: &TestDb, more: &[(&str, &str)]) -> Self {
        let (public, ops) = (free_port(), free_port());
        let log = tempfile::NamedTempFile::new().unwrap();
        let mut command = Command::new(binary());
        command
            .args(arguments)
            .env_clear()
            .env("DATABASE_URL", settings(db).url)
            .env("TRUNKLINE_LISTEN", format!("127.0.0.1:{public}"))
            .env("TRUNKLINE_OPS_LISTEN", format!("127.0.0.1:{ops}"))
            .env("TRUNKLINE_SECRET_KEY", std::str::from_utf8(SECRET).unwrap())
            .env("TRUNKLINE_DRAIN_SECONDS", "0")
            .env("TRUNKLINE_API_RATE", "off")
            .envs(more.iter().copied())
            .stdin(Stdio::null())
            .stderr(File::create(log.path()).unwrap());
        let it = Self {
            process: Process::spawn(&mut command),
            public: format!("http://127.0.0.1:{public}"),
            ops: format!("http://127.0.0.1:{ops}"),
            http: http_client(),
            log,
        };
        until(
            &format!("trunkline {arguments:?} is ready"),
            Duration::from_secs(60),
            async || it.ready().await == Some(200),
        )
        .await;
        it
    }

    /// Status of `/readyz` for operators; none when nobody answers.
    pub async fn ready(&self) -> Option<u16> {
        let answer = self.http.get(format!("{}/readyz", self.ops)).send().await.ok()?;
        Some(answer.status().as_u16())
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log.path()).unwrap()
    }

    /// Status and body of a GraphQL request on a host.
    pub async fn ask(&self, host: &str, token: Option<&str>, query: &str, variables: Value) -> (u16, Value) {
        let mut request = self.http.post(format!("{}/graphql", self.public)).header("host", host);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let answer = request
            .json(&json!({ "query": query, "variables": variables }))
            .send()
            .await
            .expect("an answer");
        (answer.status().as_u16(), answer.json().await.unwrap_or_default())
    }

    pub async fn sign_in(&self, host: &str, email: &str) -> String {
        let query = "mutation($i: SessionCreateInput!) { sessionCreate(input: $i) { session { accessToken } } }";
        let input = json!({ "i": { "email": email, "password": PASSWORD } });
        let (_, body) = self.ask(host, None, query, input).await;
        let token = body
            .pointer("/data/sessionCreate/session/accessToken")
            .and_then(Value::as_str);
        token.unwrap_or_else(|| panic!("{email} cannot sign in: {body}")).to_owned()
    }

    /// A mutation's payload, refused or not.
    pub async fn try_mutate(&self, host: &str, token: Option<&str>, name: &str, input: Value, selection: &str) -> Value {
        let (first, rest) = name.split_at(1);
        let query = format!(
            "mutation($input: {}{rest}Input!) {{ {name}(input: $input) {{ {selection} userErrors {{ code message }} }} }}",
            first.to_uppercase()
        );
        let (_, body) = self.ask(host, token, &query, json!({ "input": input })).await;
        assert!(body["errors"].is_null(), "{name}: {body}");
        body["data"][name].clone()
    }

    /// A mutation that must not be refused; its payload.
    pub async fn mutate(&self, host: &str, token: &str, name: &str, input: Value, selection: &str) -> Value {
        let payload = self.try_mutate(host, Some(token), name, input, selection).await;
        assert_eq!(payload["userErrors"], json!([]), "{name}");
        payload
    }

    /// How it ended, which it must within the time.
    pub async fn ended(&mut self, limit: Duration) -> ExitStatus {
        let mut status = None;
        until("the process ends", limit, async || {
            status = self.process.0.try_wait().unwrap();
            status.is_some()
        })
        .await;
        status.unwrap()
    }
}
