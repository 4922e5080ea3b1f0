//! Documents and variables made from the served schema, right and nearly right, sent to a running server by everybody who
//! may have a credential: no internal error, no panic, and the server answers at the end as at the beginning.

mod document;
mod tape;

use std::fs;
use std::time::{Duration, Instant};

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use proptest::collection::vec;
use proptest::prelude::any;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use trunkline_api::http::server::{Patience, serve};

use crate::harness::{TestApp, env, root};
use crate::isolation::schema::Schema;
use crate::isolation::world::World;
use document::Maker;
use tape::Tape;

/// Documents of the short run.
const SHORT: u32 = 1_500;
const LONG: u32 = 60_000;
/// Tokens live for fifteen minutes of a clock that goes on.
const FRESH: Duration = Duration::from_secs(600);

/// Somebody who asks.
struct Caller {
    host: &'static str,
    who: &'static str,
    token: Option<String>,
}

struct Arena {
    app: TestApp,
    schema: Schema,
    ids: Vec<(&'static str, String)>,
    account_number: String,
    address: String,
    client: Client<HttpConnector, Body>,
    callers: Vec<Caller>,
    signed_in: Instant,
}

impl Arena {
    async fn open() -> Self {
        let app = TestApp::new().await;
        let world = World::fill(&app, "chandra").await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/graphql", listener.local_addr().unwrap());
        tokio::spawn(serve(
            listener,
            app.router.clone(),
            Patience::default(),
            std::future::pending(),
        ));
        let mut arena = Self {
            schema: Schema::served(),
            // Not the ISP itself: who suspends it has nothing left to try.
            ids: world.ids().iter().filter(|(kind, _)| *kind != "tenant").cloned().collect(),
            account_number: world.first.account_number.clone(),
            address,
            client: Client::builder(TokioExecutor::new()).build_http(),
            callers: Vec::new(),
            signed_in: Instant::now(),
            app,
        };
        arena.sign_in().await;
        arena
    }

    async fn sign_in(&mut self) {
        self.app.set_clock(crate::harness::START).await;
        let host = self.app.on("chandra");
        self.callers = vec![
            Caller {
                host: "chandra.localhost",
                who: "owner",
                token: Some(host.as_owner().token().await),
            },
            Caller {
                host: "chandra.localhost",
                who: "subscriber",
                token: Some(host.as_subscriber(&self.account_number).token().await),
            },
            Caller {
                host: "chandra.localhost",
                who: "nobody",
                token: None,
            },
            Caller {
                host: "platform.localhost",
                who: "director",
                token: Some(self.app.on_platform().as_director().token().await),
            },
            Caller {
                host: "platform.localhost",
                who: "platform staff",
                token: Some(self.app.on_platform().as_platform_staff().token().await),
            },
        ];
        self.signed_in = Instant::now();
    }

    /// What the server answers to one of the callers.
    async fn ask(&self, caller: &Caller, body: Vec<u8>) -> Result<(StatusCode, String), String> {
        let mut request = Request::post(&self.address)
            .header(header::HOST, caller.host)
            .header(header::CONTENT_TYPE, "application/json");
        if let Some(token) = &caller.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let asked = self.client.request(request.body(Body::from(body)).unwrap());
        let answer = tokio::time::timeout(Duration::from_secs(40), asked);
        let answer = answer.await.map_err(|_| "no answer in 40 seconds")?;
        let answer = answer.map_err(|e| format!("no answer: {e}"))?;
        let status = answer.status();
        let bytes = to_bytes(Body::new(answer.into_body()), usize::MAX).await;
        let bytes = bytes.map_err(|e| format!("half an answer: {e}"))?;
        Ok((status, String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// Sends a body as one of the callers; what was wrong with the answer, if anything was.
    async fn send(&self, caller: &Caller, body: Vec<u8>) -> Result<(), String> {
        let shown = String::from_utf8_lossy(&body).into_owned();
        let fault = |what: String| format!("{what}\nto the {}'s\n{shown}", caller.who);
        let (status, text) = self.ask(caller, body).await.map_err(fault)?;
        if ![StatusCode::OK, StatusCode::BAD_REQUEST, StatusCode::UNAUTHORIZED].contains(&status) {
            return Err(fault(format!("{status} {text}")));
        }
        let parsed: Value = serde_json::from_str(&text).map_err(|e| fault(format!("{e}: {text}")))?;
        let errors = parsed["errors"].as_array().cloned().unwrap_or_default();
        let code = |e: &Value| e["extensions"]["code"].as_str().unwrap_or("none").to_owned();
        match errors.iter().map(code).find(|c| c == "INTERNAL" || c == "none") {
            Some(_) => Err(fault(text)),
            None if parsed["data"].is_null() && errors.is_empty() => Err(fault(format!("neither data nor errors: {text}"))),
            None => Ok(()),
        }
    }

    fn body(&self, tape: &[u8]) -> (usize, Vec<u8>) {
        let mut tape = Tape::new(tape);
        let caller = tape.below(self.callers.len());
        (caller, Maker::new(&self.schema, &self.ids, &mut tape).body())
    }

    async fn is_alive(&self) {
        for caller in &self.callers {
            let body = json!({ "query": "{ viewer { kind } }" }).to_string().into_bytes();
            self.send(caller, body).await.unwrap();
        }
    }
}

fn runner(cases: u32, seed: u64) -> TestRunner {
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 300,
        ..Config::default()
    };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_document_is_a_defect() {
    let soak = env("TRUNKLINE_SOAK").is_some();
    let cases = env("TRUNKLINE_FUZZ_DOCUMENTS").and_then(|n| n.parse().ok());
    let cases = cases.unwrap_or(if soak { LONG } else { SHORT });
    let seed: Option<u64> = env("TRUNKLINE_FUZZ_SEED").and_then(|s| s.parse().ok());
    let seed = seed.unwrap_or(if soak { rand::random() } else { 3 });
    println!("{cases} documents, TRUNKLINE_FUZZ_SEED={seed}");
    let mut arena = Arena::open().await;
    let mut left = cases;
    let mut round = 0;
    while left > 0 {
        let now = left.min(2_000);
        let runtime = tokio::runtime::Handle::current();
        let outcome = tokio::task::block_in_place(|| {
            runner(now, seed.wrapping_add(round)).run(&vec(any::<u8>(), 8..600), |tape| {
                let (caller, body) = arena.body(&tape);
                let sent = runtime.block_on(arena.send(&arena.callers[caller], body));
                sent.map_err(TestCaseError::fail)
            })
        });
        if let Err(TestError::Fail(why, _)) = outcome {
            panic!("{why}");
        }
        outcome.unwrap();
        (left, round) = (left - now, round + 1);
        if arena.signed_in.elapsed() > FRESH {
            arena.sign_in().await;
        }
        arena.is_alive().await;
    }
    arena.app.jobs_may_remain();
}

/// Bodies that once were answered with a defect, in `tests/fuzz`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_a_defect_once_is_none() {
    let arena = Arena::open().await;
    let mut tried = 0;
    for file in fs::read_dir(root().join("tests/fuzz")).unwrap() {
        let body = fs::read(file.unwrap().path()).unwrap();
        for caller in &arena.callers {
            arena.send(caller, body.clone()).await.unwrap();
            tried += 1;
        }
    }
    assert!(tried > 0);
    arena.app.jobs_may_remain();
}

/// The documents are worth sending: a good part of them is executed, and a good part is not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_made_is_right_often_and_wrong_often() {
    let arena = Arena::open().await;
    let owner = &arena.callers[0];
    let (mut executed, mut wrong) = (0, 0);
    for n in 0..200_u64 {
        let mut state = n.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let tape: Vec<u8> = std::iter::repeat_with(|| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        })
        .take(500)
        .collect();
        let (_, body) = arena.body(&tape);
        let (_, text) = arena.ask(owner, body).await.unwrap();
        let answer: Value = serde_json::from_str(&text).unwrap();
        match answer["data"].is_null() {
            false => executed += 1,
            true => wrong += 1,
        }
    }
    assert!(executed >= 20 && wrong >= 40, "{executed} executed, {wrong} wrong");
    arena.app.jobs_may_remain();
}
