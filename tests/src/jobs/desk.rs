//! What keeps failing, and what platform staff see and do about it.

use std::process::Command;

use serde_json::{Value, json};
use sqlx::Row;

use super::probe::{CANARY, counted, enqueue, happen, worker};
use crate::harness::{SECRET, TestApp, binary, settings};

const LIST: &str = "query($filter: JobFilter) { jobs(first: 50, filter: $filter) {
    totalCount nodes { id tenant { slug } kind state attempts reason runAt nextAttemptAt parkedAt } } }";

/// Ten failures later: a handler that panics, one that refuses, one that the database refuses, a payload that does not parse,
/// a kind that this release does not know.
async fn poisoned(app: &TestApp) {
    let asha = &app.db.tenants[0];
    for (kind, payload) in [
        ("probe.bad", "'{\"how\": \"Panic\"}'"),
        ("probe.bad", "'{\"how\": \"Refused\"}'"),
        ("probe.bad", "'{\"how\": \"Database\"}'"),
        ("probe.steps", &format!("'{{\"n\": \"{CANARY}\"}}'")),
        ("probe.of_a_later_release", &format!("'{{\"name\": \"{CANARY}\"}}'")),
    ] {
        enqueue(&app.db, asha, kind, payload, 0, 1).await;
    }
    let worker = worker(app);
    for attempt in 1..=10 {
        let drained = worker.drain().await.unwrap();
        assert_eq!((drained.ran, drained.parked), (5, 5), "attempt {attempt}");
    }
    let drained = worker.drain().await.unwrap();
    assert_eq!((drained.ran, drained.parked), (0, 5), "they are parked");
    // They are in nobody's way.
    happen(&app.db, asha, 1, 3, 0).await;
    assert_eq!(worker.drain().await.unwrap().ran, 3);
    assert_eq!(counted(&app.db, asha, "happened").await, (3, 3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn poisoned_jobs_are_parked_and_seen_to() {
    let app = TestApp::new().await;
    app.jobs_may_remain();
    poisoned(&app).await;
    enqueue(&app.db, &app.db.tenants[1], "probe.steps", "'{\"n\": 1}'", 0, 1).await;
    let staff = app.on_platform().as_platform_staff();
    let answer = staff.gql(LIST, json!({ "filter": { "state": "PARKED" } })).await;
    assert_eq!(answer.at("jobs.totalCount"), 5, "{}", answer.text);
    assert!(
        !answer.text.contains("Canary") && !answer.text.contains("9845012345"),
        "{}",
        answer.text
    );
    let nodes = answer.at("jobs.nodes");
    let seen: Vec<String> = nodes.as_array().unwrap().iter().map(summary).collect();
    insta::assert_snapshot!(seen.join("\n"), @r"
    asha probe.bad PARKED 10: the handler panicked
    asha probe.bad PARKED 10: refused: INVALID name
    asha probe.bad PARKED 10: internal: a value was not as the database wants it (22P02)
    asha probe.steps PARKED 10: a stored document does not parse (Data, line 0, column 0)
    asha probe.of_a_later_release PARKED 10: internal: this release runs no jobs of this kind
    ");

    let other = json!({ "filter": { "kind": "probe.steps", "state": "DUE" } });
    assert_eq!(staff.gql(LIST, other).await.at("jobs.totalCount"), 1);
    let ids: Vec<String> = nodes
        .as_array()
        .unwrap()
        .iter()
        .map(|n| n["id"].as_str().unwrap().to_owned())
        .collect();
    let node = staff
        .gql(
            "query($id: ID!) { node(id: $id) { ... on Job { state } } job(id: $id) { kind } }",
            json!({ "id": ids[1] }),
        )
        .await;
    assert_eq!(
        (node.text_at("node.state"), node.text_at("job.kind")),
        ("PARKED".into(), "probe.bad".into())
    );

    // Tried again, it has all its attempts before it; discarded, it is gone.
    let retried = staff
        .mutate("jobRetry", json!({ "id": ids[0] }), "job { state attempts }")
        .await
        .done();
    assert_eq!(retried["job"], json!({ "state": "DUE", "attempts": 0 }));
    assert_eq!(
        staff
            .mutate("jobRetry", json!({ "id": ids[0] }), "job { id }")
            .await
            .refusals(),
        ["INVALID_STATE id"]
    );
    let gone = staff
        .mutate("jobDiscard", json!({ "id": ids[1] }), "discardedId")
        .await
        .done();
    assert_eq!(gone["discardedId"], json!(ids[1]));
    for mutation in ["jobRetry", "jobDiscard"] {
        let selection = if mutation == "jobRetry" { "job { id }" } else { "discardedId" };
        let again = staff.mutate(mutation, json!({ "id": ids[1] }), selection).await;
        assert_eq!(again.refusals(), ["NOT_FOUND id"], "{mutation}");
    }
    let audited =
        sqlx::query("SELECT action, actor_kind, detail->>'kind' FROM platform.audit_entry WHERE action LIKE 'job%' ORDER BY at")
            .fetch_all(&mut app.db.admin().await)
            .await
            .unwrap();
    let audited: Vec<[String; 3]> = audited.iter().map(|r| [r.get(0), r.get(1), r.get(2)]).collect();
    assert_eq!(
        audited,
        [
            ["jobRetry", "PLATFORM_STAFF", "probe.bad"].map(String::from),
            ["jobDiscard", "PLATFORM_STAFF", "probe.bad"].map(String::from),
        ]
    );
}

fn summary(node: &Value) -> String {
    format!(
        "{} {} {} {}: {}",
        node["tenant"]["slug"].as_str().unwrap(),
        node["kind"].as_str().unwrap(),
        node["state"].as_str().unwrap(),
        node["attempts"],
        node["reason"].as_str().unwrap()
    )
}

/// The queue is the platform's business.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_else_sees_jobs() {
    let app = TestApp::new().await;
    app.jobs_may_remain();
    enqueue(&app.db, &app.db.tenants[0], "probe.steps", "'{\"n\": 1}'", 0, 1).await;
    for (who, code) in [
        (app.on("asha").as_owner(), "FORBIDDEN"),
        (app.on_platform().as_director(), "FORBIDDEN"),
        (app.on_platform(), "UNAUTHENTICATED"),
    ] {
        let answer = who.gql(LIST, json!({})).await;
        assert_eq!(answer.code().as_deref(), Some(code), "{}", answer.text);
        let id = format!("job_{:032x}", 1);
        let answer = who.mutate("jobRetry", json!({ "id": id }), "job { id }").await;
        assert_eq!(answer.code().as_deref(), Some(code), "{}", answer.text);
    }
}

/// The same at a terminal.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_line_lists_and_retries() {
    let app = TestApp::new().await;
    app.jobs_may_remain();
    poisoned(&app).await;
    let url = settings(&app.db).url;
    let trunkline = |args: &[&str]| {
        let out = Command::new(binary())
            .args(args)
            .env_clear()
            .env("DATABASE_URL", &url)
            .env("TRUNKLINE_SECRET_KEY", std::str::from_utf8(SECRET).unwrap())
            .env("TRUNKLINE_TEST_CLOCK", "1")
            .env("TRUNKLINE_LOG", "error")
            .output()
            .unwrap();
        (
            out.status.success(),
            String::from_utf8(out.stdout).unwrap(),
            String::from_utf8(out.stderr).unwrap(),
        )
    };
    let (ok, listed, errors) = trunkline(&["jobs", "list", "--parked", "--tenant", "asha"]);
    assert!(ok && listed.lines().count() == 5, "{listed}{errors}");
    assert!(
        listed.contains("the handler panicked") && !listed.contains("Canary"),
        "{listed}"
    );
    let id = listed.split_whitespace().next().unwrap();
    let (ok, retried, errors) = trunkline(&["jobs", "retry", id]);
    assert!(ok && retried.contains("is tried again"), "{retried}{errors}");
    let (ok, refused, _) = trunkline(&["jobs", "retry", id, "job_ffffffffffffffffffffffffffffffff"]);
    assert!(!ok && refused.lines().count() == 2, "{refused}");
    let (ok, limited, _) = trunkline(&["jobs", "list", "--limit", "2"]);
    assert!(ok && limited.lines().count() == 3 && limited.contains("of 5"), "{limited}");
    let (ok, _, errors) = trunkline(&["jobs", "list", "--tenant", "nobody"]);
    assert!(!ok && errors.contains("there is no ISP"), "{errors}");
}
