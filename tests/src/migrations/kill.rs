//! Many ISPs, one that cannot be migrated, the runner killed twice, and everybody served throughout.

use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::future::join_all;
use futures::stream;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};
use trunkline_domain::Actor;
use trunkline_domain::runs;
use trunkline_domain::tenants::{OpenTenant, Owner};
use trunkline_migration::{Options, Progress, run, status};

use super::steps::{NEXT, RETYPED, having, options, plan_with};
use crate::harness::{PASSWORD, TestApp, env, execute, key, secret_key, settings};

const FAILING: &str = "isp-7";

/// Mutations and queries by GraphQL go round all ISPs; each answer must be one without errors.
#[derive(Default)]
struct Load {
    stop: AtomicBool,
    queries: AtomicUsize,
    mutations: AtomicUsize,
    slowest_ms: AtomicUsize,
}

impl Load {
    async fn go_round(&self, app: &TestApp, slugs: &[String], first: usize) {
        let mut n = first;
        while !self.stop.load(Relaxed) {
            let owner = app.on(&slugs[n % slugs.len()]).as_owner();
            let begun = Instant::now();
            if n.is_multiple_of(3) {
                let input = json!({ "name": format!("Subscriber {n}"), "idempotencyKey": key(),
                    "address": { "line1": "1 MG Road", "city": "Bengaluru", "region": "KA", "country": "IN" } });
                owner.mutate("subscriberCreate", input, "subscriber { id name }").await.done();
                self.mutations.fetch_add(1, Relaxed);
            } else {
                let query =
                    "{ plans(first: 5) { nodes { id name } } subscribers(first: 5) { nodes { id name balance { amount } } } }";
                let answer = owner.gql(query, json!({})).await;
                assert!(
                    answer.at("plans.nodes").as_array().is_some_and(|p| !p.is_empty()),
                    "{}",
                    answer.text
                );
                self.queries.fetch_add(1, Relaxed);
            }
            self.slowest_ms.fetch_max(begun.elapsed().as_millis() as usize, Relaxed);
            n += 7;
        }
    }
}

/// 24 ISPs, or 200 in `make soak`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_runner_killed_twice_and_one_isp_failing() {
    let many = if env("TRUNKLINE_SOAK").is_some() { 200 } else { 24 };
    let app = TestApp::new().await;
    let mut admin = app.db.admin().await;
    let slugs: Vec<String> = (0..many).map(|n| format!("isp-{n}")).collect();
    stream::iter(&slugs).for_each_concurrent(3, |slug| open(&app, slug)).await;
    for slug in &slugs {
        app.on(slug).as_owner().token().await;
    }
    let failing = app.app.directory.by_slug(FAILING).await.unwrap().unwrap();
    execute(&mut admin, format!("CREATE TABLE {}.motto (id integer)", failing.role())).await;

    let load = Load::default();
    let migrating = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        for enough in [many / 6, many / 3] {
            let migrated = kill_after(&app, enough).await;
            eprintln!("killed after {migrated} ISPs");
            let done = having(&mut admin, &NEXT).await.len();
            assert!(
                done >= migrated && done < many,
                "{done} of {many} are migrated: the kill proves nothing"
            );
            let seen = status(&options(&app.db, &[NEXT, RETYPED])).await.unwrap();
            // What keeps one of them from being migrated is no step's work, and is shown as such.
            let drifted: Vec<&str> = seen.drifted.iter().map(|(slug, _)| slug.as_str()).collect();
            assert_eq!(drifted, [FAILING], "nothing is half-applied: {:?}", seen.drifted);
        }
        let begun = Instant::now();
        let opts = options(&app.db, &[NEXT, RETYPED]);
        let report = run(&opts).await.unwrap();
        let failed: Vec<&String> = report.failed.iter().map(|(slug, _)| slug).collect();
        assert_eq!(failed, [FAILING]);
        eprintln!(
            "the third run: {} ISPs in {} ms",
            report.tenants_migrated,
            begun.elapsed().as_millis()
        );
        let seen = status(&opts).await.unwrap();
        let named: Vec<&str> = seen.quarantined.iter().map(|q| q.slug.as_str()).collect();
        assert_eq!((named, seen.waiting.len(), seen.tenants), (vec![FAILING], 0, many + 3));

        execute(&mut admin, format!("DROP TABLE {}.motto", failing.role())).await;
        let report = run(&opts).await.unwrap();
        assert_eq!((report.tenants_migrated, report.failed.len()), (1, 0), "{report:?}");
        assert!(status(&opts).await.unwrap().is_clean());
        tokio::time::sleep(Duration::from_millis(500)).await;
        load.stop.store(true, Relaxed);
    };
    let callers = (0..6).map(|n| load.go_round(&app, &slugs, n));
    tokio::join!(migrating, join_all(callers));
    let (queries, mutations) = (load.queries.load(Relaxed), load.mutations.load(Relaxed));
    eprintln!(
        "{many} ISPs: {queries} queries and {mutations} mutations without an error, the slowest {} ms",
        load.slowest_ms.load(Relaxed)
    );
    assert!(
        queries + mutations > many,
        "{queries} queries and {mutations} mutations are no load"
    );
    assert_eq!(having(&mut admin, &RETYPED).await.len(), many + 3);
    app.run_jobs().await;
}

async fn open(app: &TestApp, slug: &str) {
    let cmd = OpenTenant {
        slug: slug.into(),
        name: slug.into(),
        template: "in-broadband".into(),
        currency: None,
        timezone: None,
        director_id: None,
        owner: Owner {
            name: format!("Owner of {slug}"),
            email: format!("owner@{slug}.example"),
            password: PASSWORD.into(),
        },
        idempotency_key: None,
    };
    runs::tenant_create(&app.app.database, &Arc::new(Actor::System), cmd)
        .await
        .unwrap();
}

/// Starts a runner as a process of its own and kills it with SIGKILL once it has told of so many ISPs; of how many it told. It
/// goes on from each when it is told to, so that a busy machine does not let it get to the end first.
async fn kill_after(app: &TestApp, enough: usize) -> usize {
    let mut runner = start(&settings(&app.db).admin_url);
    let mut lines = BufReader::new(runner.stdout.take().unwrap()).lines();
    let mut go_on = runner.stdin.take().unwrap();
    let mut migrated = 0;
    while let Some(line) = lines.next_line().await.unwrap() {
        if !line.starts_with("migrated ") {
            continue;
        }
        migrated += 1;
        if migrated == enough {
            break;
        }
        go_on.write_all(b"\n").await.unwrap();
    }
    assert_eq!(migrated, enough, "the runner ended before it could be killed");
    runner.kill().await.expect("SIGKILL");
    migrated
}

/// This test binary again, running [`process`].
fn start(url: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["migrations::kill::process", "--exact", "--ignored", "--nocapture"])
        .env("TRUNKLINE_TEST_RUNNER", url)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

#[tokio::test]
#[ignore = "the process that the test above kills"]
async fn process() {
    let url = env("TRUNKLINE_TEST_RUNNER").expect("started by the_runner_killed_twice_and_one_isp_failing");
    let mut opts = Options::new(url.parse().unwrap(), secret_key());
    opts.plan = plan_with(&[NEXT, RETYPED]);
    opts.concurrency = 4;
    opts.progress = Arc::new(|p| {
        if let Progress::Migrated { slug, .. } = p {
            println!("\nmigrated {slug}");
            std::io::stdin().read_line(&mut String::new()).unwrap();
        }
    });
    run(&opts).await.unwrap();
}
