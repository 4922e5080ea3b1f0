//! What an ISP reads of what was done in it.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::harness::{Ask, START, TestApp};

const SECRET: &str = "Between-us-two-0123456789";

async fn entries(ask: &Ask<'_>, filter: Value) -> Vec<Value> {
    let query = "query($f: AuditFilter) { auditEntries(first: 100, filter: $f) {
        totalCount nodes { at actorKind actorId actorName action targetId detail } } }";
    let answer = ask.gql(query, json!({ "f": filter })).await;
    let nodes = answer.at("auditEntries.nodes").as_array().unwrap().clone();
    assert_eq!(answer.at("auditEntries.totalCount"), json!(nodes.len()), "{}", answer.text);
    nodes
}

fn instant(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn bare(id: &str) -> String {
    let hex = id.rsplit_once('_').unwrap().1;
    hex.parse::<uuid::Uuid>().unwrap().to_string()
}

#[tokio::test]
async fn an_isp_reads_who_did_what_and_nobody_else_does() {
    let app = TestApp::new().await;
    let owner = app.on("asha").as_owner();
    let first = owner.first_subscriber("first").await;
    let input = json!({ "name": "Core", "address": "203.0.113.9", "secret": SECRET, "vendor": "MIKROTIK" });
    owner.mutate("nasCreate", input, "nas { id }").await.done();

    let all = entries(&owner, json!({})).await;
    assert_eq!(all[0]["action"], "nasCreate", "the latest is first");
    assert!(all.iter().all(|e| !e.to_string().contains(SECRET)), "{all:?}");
    let made = entries(&owner, json!({ "action": "subscriberCreate", "targetId": first.subscriber })).await;
    let me = owner.gql("{ viewer { id name } }", json!({})).await.at("viewer");
    assert_eq!(made.len(), 1);
    let expected = json!({
        "at": made[0]["at"], "actorKind": "TENANT_STAFF", "actorId": bare(me["id"].as_str().unwrap()), "actorName": me["name"],
        "action": "subscriberCreate", "targetId": bare(&first.subscriber), "detail": made[0]["detail"],
    });
    assert_eq!(made[0], expected);
    assert!(made[0]["detail"].is_object());
    // The product's clock goes on while the test runs.
    let after = instant(made[0]["at"].as_str().unwrap()) - instant(START);
    assert!((TimeDelta::zero()..TimeDelta::minutes(15)).contains(&after), "{after}");
    assert_eq!(
        entries(&owner, json!({ "actorId": me["id"] })).await.len(),
        all.iter().filter(|e| e["actorId"] == made[0]["actorId"]).count()
    );
    let before = entries(&owner, json!({ "until": START })).await;
    let since = entries(&owner, json!({ "since": START })).await;
    assert!(!before.is_empty() && !since.is_empty() && before.len() + since.len() == all.len());
    assert!(before.iter().all(|e| e["at"].as_str().unwrap() < START.trim_end_matches('Z')));
    assert!(entries(&owner, json!({ "since": "2999-01-01T00:00:00Z" })).await.is_empty());

    let elsewhere = entries(&app.on("baraka").as_owner(), json!({ "targetId": first.subscriber })).await;
    assert!(elsewhere.is_empty(), "{elsewhere:?}");
    let clerk = app.on("asha").as_login("support@asha.example");
    let answer = clerk.gql("{ auditEntries(first: 1) { totalCount } }", json!({})).await;
    assert_eq!(answer.code().as_deref(), Some("FORBIDDEN"));
    let query = "query($f: AuditFilter) { auditEntries(first: 1, filter: $f) { totalCount } }";
    let answer = owner.gql(query, json!({ "f": { "targetId": "nonsense" } })).await;
    assert_eq!(answer.code().as_deref(), Some("BAD_ARGUMENT"), "{}", answer.text);
    app.jobs_may_remain();
}

#[tokio::test]
async fn pages_follow_each_other_without_gap_or_repetition() {
    let app = TestApp::new().await;
    let owner = app.on("asha").as_owner();
    owner.first_subscriber("first").await;
    let query = "query($after: String) { auditEntries(first: 3, after: $after) {
        nodes { action targetId at } pageInfo { hasNextPage endCursor } } }";
    let (mut after, mut seen) = (Value::Null, Vec::new());
    loop {
        let page = owner.gql(query, json!({ "after": after })).await.at("auditEntries");
        seen.extend(page["nodes"].as_array().unwrap().clone());
        after = page["pageInfo"]["endCursor"].clone();
        if page["pageInfo"]["hasNextPage"] == false {
            break;
        }
    }
    let short = |all: Vec<Value>| -> Vec<Value> { all.iter().map(|e| json!([e["action"], e["targetId"], e["at"]])).collect() };
    assert_eq!(short(seen), short(entries(&owner, json!({})).await));
    app.jobs_may_remain();
}
