//! The server is killed in the middle of payments. Callers repeat what they asked for: each payment exists once.

use std::collections::BTreeSet;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use futures::future::join_all;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use trunkline_domain::Actor;
use trunkline_domain::kernel::Clock;
use trunkline_domain::kernel::db::TenantDb;

use super::books;
use crate::harness::{SECRET, TestApp, binary, env, free_port, key, settings};

const CALLS: usize = 200;
const SUBSCRIBERS: usize = 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_among_200_payments_each_exists_once() {
    let rounds = if env("TRUNKLINE_SOAK").is_some() { 20 } else { 2 };
    let app = TestApp::new().await;
    let owner = app.on("asha").as_owner();
    let mut subscribers = Vec::new();
    for n in 0..SUBSCRIBERS {
        let (subscriber, _) = owner.subscriber(&format!("Payer {n}"), json!({})).await;
        for price in ["700.00", "1200.50"] {
            let input = json!({
                "subscriberId": subscriber, "idempotencyKey": key(),
                "lines": [{ "description": "Installation", "unitPrice": price }],
            });
            owner.mutate("invoiceIssue", input, "invoice { id }").await.done();
        }
        subscribers.push(subscriber);
    }
    let tenant = app.app.directory.by_slug("asha").await.unwrap().expect("an ISP");
    let db = TenantDb::new(app.app.database.clone(), tenant, Arc::new(Actor::System));

    let (mut expected, mut cut_off) = (0, 0);
    for round in 0..rounds {
        // Some are killed early, some when most is done.
        let answered_before = 20 + (round * 67) % 130;
        // The server's clock is the machine's; a token lasts some minutes.
        app.set_clock(&Clock::real().to_rfc3339()).await;
        let token = owner.token().await;
        let calls: Arc<Vec<Value>> = Arc::new((0..CALLS).map(|n| input(&subscribers[n % SUBSCRIBERS], n)).collect());
        let mut server = Server::start(&app).await;
        let first = server.rush(&token, &calls, Some(answered_before)).await;
        cut_off += first.iter().filter(|id| id.is_none()).count();

        let mut server = Server::start(&app).await;
        let second = server.rush(&token, &calls, None).await;
        let ids: BTreeSet<&String> = second.iter().flatten().collect();
        assert_eq!(ids.len(), CALLS, "each call ends in a payment of its own");
        for (before, after) in first.iter().zip(&second) {
            assert!(
                before.is_none() || before == after,
                "what was answered before the kill stands: {before:?}, {after:?}"
            );
        }
        drop(server);

        expected += CALLS;
        let counted = db
            .read(async move |tx| trunkline_domain::payments::count(tx, None).await)
            .await
            .unwrap();
        assert_eq!(counted, expected as i64, "each payment exists once");
        books::assert_hold(&db).await;
        let received: usize = (round + 1) * (1..=CALLS).sum::<usize>();
        assert_eq!(books::cash_in_hand(&db).await, received.to_string());
        one_of_each(&db, expected as i64).await;
    }
    eprintln!("{rounds} kills cut off {cut_off} of {expected} calls");
    assert!(
        cut_off > rounds * 10,
        "only {cut_off} calls were cut off: the kills came too late to prove anything"
    );
    app.run_jobs().await;
    // What a killed server was at is its own until its lease ends.
    app.jobs_may_remain();
}

/// Whatever goes with a payment went with it: an audit entry, a ledger entry, a key.
async fn one_of_each(db: &TenantDb, wanted: i64) {
    let counts = db.read(async move |tx| {
        let mut counts = Vec::new();
        for sql in [
            "SELECT count(*) FROM audit_entry WHERE action = 'paymentRecord'",
            "SELECT count(*) FROM ledger_entry WHERE kind = 'payment'",
            "SELECT count(*) FROM idempotency i JOIN payment p ON p.id = i.result_id WHERE i.mutation = 'paymentRecord'",
        ] {
            counts.push(tx.sql(sql).scalar::<i64>().await?);
        }
        Ok(counts)
    });
    assert_eq!(
        counts.await.unwrap(),
        [Some(wanted); 3],
        "audit entries, ledger entries, keys"
    );
}

/// In cash nothing but the key tells a repeated call from another payment of the same amount.
fn input(subscriber: &str, n: usize) -> Value {
    json!({ "subscriberId": subscriber, "amount": format!("{}.00", n + 1), "method": "CASH", "idempotencyKey": key() })
}

/// `trunkline serve --work` as a process of its own, over the test's database.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    async fn start(app: &TestApp) -> Self {
        let port = free_port();
        let child = Command::new(binary())
            .args(["serve", "--work"])
            .env_clear()
            .env("DATABASE_URL", settings(&app.db).url)
            .env("TRUNKLINE_LISTEN", format!("127.0.0.1:{port}"))
            .env("TRUNKLINE_SECRET_KEY", std::str::from_utf8(SECRET).unwrap())
            .env("TRUNKLINE_LOG", "error")
            .stdin(Stdio::null())
            .spawn()
            .expect("trunkline serve");
        let mut server = Self {
            child,
            address: format!("127.0.0.1:{port}"),
        };
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(60) {
            if let Some(status) = server.child.try_wait().unwrap() {
                panic!("trunkline serve ended: {status}");
            }
            if exchange(&server.address, "GET /healthz HTTP/1.1", "").await.is_some() {
                return server;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("trunkline serve does not answer");
    }

    /// All calls at once; the payments' ids, None where no answer came. Killed with SIGKILL once so many were answered.
    async fn rush(&mut self, token: &str, calls: &Arc<Vec<Value>>, kill_after: Option<usize>) -> Vec<Option<String>> {
        let answered = Arc::new(AtomicUsize::new(0));
        let tasks: Vec<_> = (0..calls.len())
            .map(|n| {
                let (address, token) = (self.address.clone(), token.to_owned());
                let (calls, answered) = (calls.clone(), answered.clone());
                tokio::spawn(async move {
                    let id = record(&address, &token, &calls[n]).await;
                    answered.fetch_add(usize::from(id.is_some()), Relaxed);
                    id
                })
            })
            .collect();
        if let Some(enough) = kill_after {
            let begun = Instant::now();
            while answered.load(Relaxed) < enough && begun.elapsed() < Duration::from_secs(60) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            self.child.kill().expect("SIGKILL");
            self.child.wait().unwrap();
        }
        join_all(tasks).await.into_iter().map(|t| t.unwrap()).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// None when the connection broke; an answer must be a payment. Asks again when the server was too busy to begin.
async fn record(address: &str, token: &str, input: &Value) -> Option<String> {
    let query = "mutation($input: PaymentRecordInput!) {
        paymentRecord(input: $input) { payment { id } userErrors { field code message } } }";
    let body = json!({ "query": query, "variables": { "input": input } }).to_string();
    let head = format!("POST /graphql HTTP/1.1\r\nContent-Type: application/json\r\nAuthorization: Bearer {token}");
    loop {
        let text = exchange(address, &head, &body).await?;
        let answer: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"));
        let code = answer.pointer("/errors/0/extensions/code").and_then(Value::as_str);
        if code != Some("UNAVAILABLE") {
            let id = answer.pointer("/data/paymentRecord/payment/id").and_then(Value::as_str);
            return Some(id.unwrap_or_else(|| panic!("no payment: {text}")).to_owned());
        }
    }
}

/// One request on a connection of its own; the body of a whole answer.
async fn exchange(address: &str, head: &str, body: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).await.ok()?;
    let length = body.len();
    let request = format!("{head}\r\nHost: asha.localhost\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let length: usize = head
        .lines()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok())?;
    (body.len() == length).then(|| body.to_owned())
}
