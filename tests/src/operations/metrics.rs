//! Metrics, whose labels take their values from closed sets.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;

use super::process::Running;
use crate::harness::{TestApp, key};
use crate::isolation::schema::Schema;
use crate::jobs::probe::{enqueue, until};

struct Sample {
    name: String,
    labels: Vec<(String, String)>,
    value: f64,
}

/// `name{a="x",b="y"} 1` as its name, labels and value; each name with a type of its own.
fn parse(text: &str) -> Vec<Sample> {
    let typed: BTreeSet<&str> = text
        .lines()
        .filter_map(|l| l.strip_prefix("# TYPE ")?.split(' ').next())
        .collect();
    let lines = text.lines().filter(|l| !l.starts_with('#') && !l.is_empty());
    lines
        .map(|line| {
            let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no sample: {line}"));
            let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
            let family = ["_bucket", "_sum", "_count"].iter().find_map(|s| name.strip_suffix(s));
            assert!(
                typed.contains(name) || family.is_some_and(|f| typed.contains(f)),
                "{name} has no type"
            );
            let labels = labels.trim_end_matches('}').split("\",").filter(|l| !l.is_empty());
            let labels = labels.map(|label| {
                let (key, value) = label.split_once("=\"").unwrap_or_else(|| panic!("no label: {line}"));
                (key.to_owned(), value.trim_end_matches('"').to_owned())
            });
            Sample {
                name: name.to_owned(),
                labels: labels.collect(),
                value: value.parse().unwrap_or_else(|e| panic!("{e}: {line}")),
            }
        })
        .collect()
}

/// Whether a label may ever have this value.
fn allowed(roots: &BTreeSet<String>, label: &str, value: &str) -> bool {
    let one_of = |set: &[&str]| set.contains(&value);
    match label {
        "route" => one_of(&["/graphql", "/healthz", "/readyz", "/.well-known/jwks.json", "other"]),
        "status" => {
            one_of(&["1xx", "2xx", "3xx", "4xx", "5xx"]) || one_of(&["PROVISIONING", "TRIAL", "ACTIVE", "SUSPENDED", "ARCHIVED"])
        }
        "field" => roots.contains(value) || ["__typename", "__schema", "__type"].contains(&value),
        "operation" => one_of(&["query", "mutation", "none"]),
        "outcome" => one_of(&["ok", "errors", "done", "failed", "parked"]),
        "code" => value.bytes().all(|b| b.is_ascii_uppercase() || b == b'_'),
        "bucket" => one_of(&["requests", "cost"]),
        "wrong" => one_of(&["password", "code", "refresh_token", "link"]),
        "kind" => value == "unknown" || trunkline_domain::registry().kinds().any(|k| k == value),
        "state" => one_of(&["SCHEDULED", "DUE", "RUNNING", "RETRYING", "PARKED"]),
        "pool" => one_of(&["tenants", "platform", "admin"]),
        "use" => one_of(&["busy", "idle"]),
        "version" => value == env!("CARGO_PKG_VERSION"),
        "le" => value == "+Inf" || value.parse::<f64>().is_ok(),
        _ => false,
    }
}

async fn scrape(server: &Running) -> (String, Vec<Sample>) {
    let answer = server.http.get(format!("{}/metrics", server.ops)).send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    let text = answer.text().await.unwrap();
    let samples = parse(&text);
    (text, samples)
}

/// The sum of a metric's samples that have these label values; none where there is no such sample.
fn sum(samples: &[Sample], name: &str, with: &[&str]) -> Option<f64> {
    let has = |s: &Sample, wanted: &str| s.labels.iter().any(|(_, v)| v == wanted);
    let found = samples.iter().filter(|s| s.name == name && with.iter().all(|w| has(s, w)));
    let found: Vec<f64> = found.map(|s| s.value).collect();
    (!found.is_empty()).then(|| found.iter().sum())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn labels_hold_nothing_that_somebody_chose_and_numbers_move() {
    let app = TestApp::new().await;
    app.jobs_may_remain();
    let server = Running::start(&app.db, &[("TRUNKLINE_API_RATE", "1000/1000")]).await;
    let (_, before) = scrape(&server).await;
    for (name, with, value) in [
        ("trunkline_tenants", "ACTIVE", 3.0),
        ("trunkline_tenants", "SUSPENDED", 0.0),
        ("trunkline_tenants_quarantined", "", 0.0),
        ("trunkline_database_up", "", 1.0),
        ("trunkline_jobs", "PARKED", 0.0),
        ("trunkline_database_connections_limit", "platform", 6.0),
        ("trunkline_build_info", "", 1.0),
    ] {
        let labels: Vec<&str> = [with].into_iter().filter(|w| !w.is_empty()).collect();
        assert_eq!(sum(&before, name, &labels), Some(value), "{name} {with}");
    }
    traffic(&app, &server).await;
    let mut text = String::new();
    let mut after = Vec::new();
    until("the failed job shows", Duration::from_secs(90), async || {
        (text, after) = scrape(&server).await;
        sum(&after, "trunkline_jobs_total", &["billing.renew", "failed"]).is_some_and(|n| n >= 1.0)
            && sum(&after, "trunkline_outbox_events", &[]) == Some(0.0)
            // Not while its next attempt is under way.
            && sum(&after, "trunkline_jobs", &["RETRYING"]).is_some_and(|n| n >= 1.0)
    })
    .await;
    let roots: BTreeSet<String> = Schema::served().roots().iter().map(|r| r.name().to_owned()).collect();
    for sample in &after {
        for (label, value) in &sample.labels {
            assert!(allowed(&roots, label, value), "{}: {label}={value}", sample.name);
        }
    }
    for chosen in ["chosen", "asha", "baraka", "localhost"] {
        assert!(!text.contains(chosen), "{chosen} in\n{text}");
    }
    for (name, with, at_least) in [
        ("trunkline_http_request_duration_seconds_count", vec!["/graphql", "2xx"], 8.0),
        ("trunkline_http_request_duration_seconds_count", vec!["other", "4xx"], 3.0),
        ("trunkline_graphql_duration_seconds_count", vec!["mutation", "ok"], 3.0),
        ("trunkline_graphql_fields_total", vec!["paymentRecord"], 1.0),
        ("trunkline_graphql_fields_total", vec!["plans"], 2.0),
        ("trunkline_graphql_errors_total", vec!["UNAUTHENTICATED"], 1.0),
        ("trunkline_graphql_errors_total", vec!["BAD_ARGUMENT"], 1.0),
        ("trunkline_graphql_errors_total", vec!["RATE_LIMITED"], 1.0),
        ("trunkline_graphql_refusals_total", vec!["INVALID_CREDENTIALS"], 1.0),
        ("trunkline_rate_limited_total", vec!["cost"], 1.0),
        ("trunkline_sign_in_failures_total", vec!["password"], 1.0),
        ("trunkline_jobs_total", vec!["done"], 1.0),
        ("trunkline_job_duration_seconds_count", vec![], 2.0),
        ("trunkline_job_wait_seconds_count", vec![], 2.0),
        ("trunkline_jobs", vec!["RETRYING"], 1.0),
        ("trunkline_database_connections", vec!["tenants"], 1.0),
        ("process_resident_memory_bytes", vec![], 1_000_000.0),
        ("process_open_fds", vec![], 5.0),
    ] {
        let value = sum(&after, name, &with);
        assert!(
            value.is_some_and(|v| v >= at_least),
            "{name} {with:?} is {value:?} in\n{text}"
        );
    }
    for name in [
        "trunkline_jobs_oldest_due_seconds",
        "trunkline_outbox_oldest_seconds",
        "trunkline_database_waiting",
    ] {
        assert!(sum(&after, name, &[]).is_some(), "{name}");
    }
}

/// Of two ISPs, by those who may and those who may not, right and wrong, and a job that cannot work.
async fn traffic(app: &TestApp, server: &Running) {
    for slug in ["asha", "baraka"] {
        let host = format!("{slug}.localhost");
        let owner = server.sign_in(&host, &format!("owner@{slug}.example")).await;
        let made = server
            .mutate(
                &host,
                &owner,
                "subscriberCreate",
                json!({ "name": "Chosen" }),
                "subscriber { id }",
            )
            .await;
        let input =
            json!({ "subscriberId": made["subscriber"]["id"], "amount": "10.00", "method": "CASH", "idempotencyKey": key() });
        server.mutate(&host, &owner, "paymentRecord", input, "payment { id }").await;
        for query in [
            "{ chosen }",
            "{ chosen: branding { displayName } }",
            "query chosen { plans(first: 2) { nodes { id } } }",
            "{",
        ] {
            server.ask(&host, Some(&owner), query, json!({})).await;
            server.ask(&format!("chosen-{host}"), Some("chosen"), query, json!({})).await;
            server.ask(&host, Some("chosen"), query, json!({})).await;
        }
        let wrong = json!({ "email": "chosen@chosen.example", "password": "chosen-and-wrong" });
        let refused = server
            .try_mutate(&host, None, "sessionCreate", wrong, "session { accessToken }")
            .await;
        assert_eq!(refused["userErrors"][0]["code"], "INVALID_CREDENTIALS");
        for path in ["/chosen", "/graphql/chosen", "/metrics"] {
            let url = format!("{}{path}?chosen=chosen", server.public);
            let answer = server.http.get(url).header("host", &host).send().await.unwrap();
            assert_eq!(answer.status(), 404, "{path}");
        }
        let list = "{ subscribers(first: 100) { nodes { id name } } }";
        // At once, or a slow machine would never ask too much.
        let many = (0..50).map(|_| server.ask(&host, Some(&owner), list, json!({})));
        let answers = futures::future::join_all(many).await;
        let limited = answers.iter().any(|(status, _)| *status == 429);
        assert!(limited, "{host}: nobody was refused for asking too much");
    }
    enqueue(&app.db, &app.db.tenants[0], "billing.renew", "'{\"date\": \"chosen\"}'", 0, 1).await;
    enqueue(&app.db, &app.db.tenants[0], "chosen.kind", "'{}'", 0, 1).await;
}
