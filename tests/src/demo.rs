//! `trunkline demo` as a newcomer runs it, on a database of the run's own: it comes up with what it prints, its documents open,
//! and its books, read by hledger and beancount, are those that the API gives (Shows 7 of billing).

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::books::readers::{read_balances, run};
use crate::harness::{Process, SECRET, binary, cluster, connect, execute, free_port, root};
use crate::jobs::probe::until;
use crate::operations::process::http_client;

const ISPS: [(&str, &str); 3] = [("tarang", "INR"), ("pwani", "KES"), ("tarang-udupi", "INR")];

/// The demo, up.
struct Demo {
    process: Process,
    /// What it has printed.
    said: String,
    public: String,
    http: reqwest::Client,
}

impl Demo {
    async fn start(dir: &Path) -> Self {
        let database = format!("demo_{}", std::process::id());
        let mut admin = connect("postgres").await;
        execute(&mut admin, format!("CREATE DATABASE {database}")).await;
        let (said, port) = (dir.join("said"), free_port());
        let mut command = Command::new(binary());
        command
            .arg("demo")
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("DATABASE_URL", cluster().admin_url(&database))
            .env("TRUNKLINE_DATA_DIR", dir)
            .env("TRUNKLINE_LISTEN", format!("127.0.0.1:{port}"))
            .env("TRUNKLINE_OPS_LISTEN", format!("127.0.0.1:{}", free_port()))
            .env("TRUNKLINE_RADIUS_AUTH_PORT", free_port().to_string())
            .env("TRUNKLINE_RADIUS_ACCT_PORT", free_port().to_string())
            .env("TRUNKLINE_SECRET_KEY", std::str::from_utf8(SECRET).unwrap())
            .current_dir(root())
            .stdin(Stdio::null())
            .stdout(File::create(&said).unwrap())
            .stderr(File::create(dir.join("log")).unwrap());
        let mut process = Process::spawn(&mut command);
        let read = || std::fs::read_to_string(&said).unwrap();
        until("the demo is up", Duration::from_secs(900), async || {
            if let Some(status) = process.0.try_wait().unwrap() {
                panic!("{status}: {}\n{}", read(), std::fs::read_to_string(dir.join("log")).unwrap());
            }
            read().contains("Ctrl-C stops everything.")
        })
        .await;
        Self {
            process,
            said: read(),
            public: format!("127.0.0.1:{port}"),
            http: http_client(),
        }
    }

    async fn owner(&self, slug: &'static str) -> Owner<'_> {
        let mut owner = Owner {
            demo: self,
            slug,
            token: String::new(),
        };
        let query = "mutation($i: SessionCreateInput!) { sessionCreate(input: $i) { session { accessToken } } }";
        let input = json!({ "email": format!("owner@{slug}.example"), "password": "trunkline-demo" });
        let body = owner.ask(query, json!({ "i": input })).await;
        owner.token = body["sessionCreate"]["session"]["accessToken"].as_str().unwrap().to_owned();
        owner
    }
}

/// An owner of one of its ISPs.
struct Owner<'d> {
    demo: &'d Demo,
    slug: &'static str,
    token: String,
}

impl Owner<'_> {
    fn request(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        let host = format!("{}.localhost", self.slug);
        match self.token.as_str() {
            "" => request.header("host", host),
            token => request.header("host", host).bearer_auth(token),
        }
    }

    async fn ask(&self, query: &str, variables: Value) -> Value {
        let request = self.demo.http.post(format!("http://{}/graphql", self.demo.public));
        let request = self.request(request).json(&json!({ "query": query, "variables": variables }));
        let body: Value = request.send().await.unwrap().json().await.unwrap();
        assert!(body["errors"].is_null(), "{}: {body}", self.slug);
        body["data"].clone()
    }

    async fn fetch(&self, path: &str) -> Vec<u8> {
        let request = self.demo.http.get(format!("http://{}{path}", self.demo.public));
        let answer = self.request(request).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        answer.bytes().await.unwrap().to_vec()
    }

    /// All that a connection holds; `$after` stands in its arguments.
    async fn all(&self, connection: &str, nodes: &str) -> Vec<Value> {
        let query = format!(
            "query($after: String) {{ {connection}(first: 100, after: $after) {{ nodes {{ {nodes} }} pageInfo {{ hasNextPage endCursor }} }} }}"
        );
        let (mut all, mut after) = (Vec::new(), Value::Null);
        loop {
            let page = self.ask(&query, json!({ "after": after })).await[connection].clone();
            all.extend(page["nodes"].as_array().unwrap().iter().cloned());
            if page["pageInfo"]["hasNextPage"] == false {
                return all;
            }
            after = page["pageInfo"]["endCursor"].clone();
        }
    }

    /// What each of these is worth, without what is worth nothing.
    async fn balances(&self, connection: &str, name: &str) -> BTreeMap<String, Decimal> {
        let all = self.all(connection, &format!("{name} balance {{ amount }}")).await;
        let each = all.iter().map(|node| {
            let amount = node["balance"]["amount"].as_str().unwrap();
            (node[name].as_str().unwrap().to_owned(), amount.parse().unwrap())
        });
        each.filter(|(_, amount): &(String, Decimal)| !amount.is_zero()).collect()
    }

    async fn journal(&self, format: &str, file: &Path) {
        let answer = self
            .ask(&format!("{{ ledgerExport(format: {format}) {{ url }} }}"), json!({}))
            .await;
        let journal = self.fetch(answer["ledgerExport"]["url"].as_str().unwrap()).await;
        std::fs::write(file, journal).unwrap();
    }

    /// hledger and beancount find each account, and each subscriber, with the balance that the API gives.
    async fn books_agree(&self, currency: &str, dir: &Path) {
        let slug = self.slug;
        let (journal, beancount) = (dir.join(format!("{slug}.journal")), dir.join(format!("{slug}.beancount")));
        // The demo lives on: it may be an ISP's midnight just now.
        let mut attempts = 0;
        let (given, subscribers) = loop {
            attempts += 1;
            assert!(attempts <= 5, "{slug}: the books do not stand still");
            let given = self.balances("ledgerAccounts", "name").await;
            let subscribers = self.balances("subscribers", "accountNumber").await;
            self.journal("HLEDGER", &journal).await;
            self.journal("BEANCOUNT", &beancount).await;
            if given == self.balances("ledgerAccounts", "name").await {
                break (given, subscribers);
            }
        };
        assert_eq!(given.values().sum::<Decimal>(), Decimal::ZERO, "{slug}: the books balance");
        assert!(given.len() > 20, "{slug}: {given:#?}");

        let file = journal;
        run("hledger", &["-f", "{}", "check", "--strict", "ordereddates"], &file);
        let said = run("hledger", &["-f", "{}", "bal", "-N", "--flat", "-O", "csv"], &file);
        let read = read_balances(&said, currency);
        assert_eq!(read, given, "{slug}, hledger");
        let mut of_subscribers: BTreeMap<String, Decimal> = BTreeMap::new();
        for (account, balance) in &read {
            if let Some((_, number)) = account.split_once("Receivable:").or(account.split_once("Credit:")) {
                *of_subscribers.entry(number.to_owned()).or_default() += *balance;
            }
        }
        of_subscribers.retain(|_, balance| !balance.is_zero());
        assert_eq!(of_subscribers, subscribers, "{slug}");

        let file = beancount;
        assert_eq!(run("bean-check", &["{}"], &file), "");
        let query = "SELECT account, sum(position) GROUP BY account";
        let said = run("bean-query", &["-f", "csv", "{}", query], &file);
        assert_eq!(read_balances(&said, currency), given, "{slug}, beancount");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_comes_up_with_books_that_agree() {
    let dir = tempfile::tempdir().unwrap();
    let mut demo = Demo::start(dir.path()).await;
    for (slug, currency) in ISPS {
        let port = demo.public.rsplit_once(':').unwrap().1;
        for printed in [
            format!("http://{slug}.localhost:{port}/graphql"),
            format!("owner@{slug}.example  (owner)"),
        ] {
            assert!(demo.said.contains(&printed), "{printed}: {}", demo.said);
        }
        let owner = demo.owner(slug).await;
        owner.books_agree(currency, dir.path()).await;
        let braked = owner.ask("{ dunningBrakes(first: 1) { totalCount } }", json!({})).await;
        assert_eq!(braked["dunningBrakes"]["totalCount"], 0, "{slug}: {braked}");
        let invoices = owner.ask("{ invoices(first: 1) { nodes { pdfUrl } } }", json!({})).await;
        let url = invoices.pointer("/invoices/nodes/0/pdfUrl").and_then(Value::as_str).unwrap();
        assert!(owner.fetch(url).await.starts_with(b"%PDF"), "{slug} {url}");
    }
    // The printed line of a subscriber who logs in, as somebody pastes it into a shell.
    let line = demo
        .said
        .lines()
        .find(|line| line.contains("| radclient"))
        .expect("RADIUS is up");
    let login = Command::new("sh").args(["-c", line]).output().unwrap();
    let answer = String::from_utf8_lossy(&login.stdout).into_owned();
    assert!(answer.contains("Access-Accept"), "{line}: {answer}");

    demo.process.signal("TERM");
    let mut status = None;
    until("the demo stops", Duration::from_secs(60), async || {
        status = demo.process.0.try_wait().unwrap();
        status.is_some()
    })
    .await;
    assert!(status.unwrap().success());
}
