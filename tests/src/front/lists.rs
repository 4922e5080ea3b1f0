//! Lists load what their nodes are asked for at once. That must not show: whatever way a field is asked for, it answers alike.

use serde_json::{Value, json};

use crate::harness::TestApp;

const SERVICE: &str = "id status plan { id code }";

#[tokio::test]
async fn fields_answer_alike_whether_or_not_they_were_loaded_ahead() {
    let app = TestApp::new().await;
    let owner = app.on("asha").as_owner();
    let first = owner.first_subscriber("meera").await;
    owner.first_subscriber("nila").await;
    owner.subscriber("without", json!({})).await;
    owner.portal_password(&first.subscriber).await;
    let (second, _) = owner.service(&first.subscriber, &first.plan, "meera2", json!({})).await;
    assert!(second["id"].is_string());
    let ask = async |selection: &str, variables: Value| {
        let query = format!("query($n: Int! = 20, $after: String) {{ subscribers(first: 10) {selection} }}");
        // What a document declares it must use.
        let query = match (query.matches("$n").count(), query.matches("$after").count()) {
            (1, 1) => query.replacen("($n: Int! = 20, $after: String)", "", 1),
            (_, 1) => query.replacen(", $after: String", "", 1),
            (1, _) => query.replacen("$n: Int! = 20, ", "", 1),
            _ => query,
        };
        owner.gql(&query, variables).await.at("subscribers")
    };
    let plain = ask(
        &format!("{{ nodes {{ id balance {{ amount }} services {{ nodes {{ {SERVICE} }} }} }} }}"),
        json!({}),
    )
    .await;
    let nodes = plain["nodes"].as_array().unwrap();
    assert!(nodes.len() >= 3);
    assert!(nodes.iter().any(|n| !n["services"]["nodes"].as_array().unwrap().is_empty()));
    for (selection, variables) in [
        (
            format!("{{ nodes {{ id balance {{ amount }} services(first: 20) {{ nodes {{ {SERVICE} }} }} }} }}"),
            json!({}),
        ),
        (
            format!("{{ nodes {{ id balance {{ amount }} services(first: $n) {{ nodes {{ {SERVICE} }} }} }} }}"),
            json!({ "n": 9 }),
        ),
        (
            format!("{{ nodes {{ id balance {{ amount }} services(after: $after) {{ nodes {{ {SERVICE} }} }} }} }}"),
            json!({ "after": null }),
        ),
        (
            format!("{{ nodes {{ id balance {{ amount }} ... on Subscriber {{ services {{ nodes {{ {SERVICE} }} }} }} }} }}"),
            json!({}),
        ),
    ] {
        assert_eq!(ask(&selection, variables).await, plain, "{selection}");
    }
    // Two sizes at once, one of them loaded ahead.
    let two = ask("{ nodes { a: services(first: 1) { nodes { id } pageInfo { hasNextPage endCursor } } b: services(first: 7) { totalCount nodes { id } edges { cursor node { id } } } } }", json!({})).await;
    for node in two["nodes"].as_array().unwrap() {
        let ids = |page: &Value| {
            page["nodes"]
                .as_array()
                .unwrap()
                .iter()
                .map(|n| n["id"].clone())
                .collect::<Vec<_>>()
        };
        let all = ids(&node["b"]);
        assert_eq!(ids(&node["a"]), all[..all.len().min(1)]);
        assert_eq!(node["a"]["pageInfo"]["hasNextPage"], all.len() > 1);
        assert_eq!(node["b"]["totalCount"], all.len());
        let edges = node["b"]["edges"].as_array().unwrap();
        assert_eq!(edges.iter().map(|e| e["node"]["id"].clone()).collect::<Vec<_>>(), all);
        if let Some(first) = edges.first() {
            assert_eq!(node["a"]["pageInfo"]["endCursor"], first["cursor"]);
        }
    }
    // By edges, and one by one.
    let edges = ask(
        &format!("{{ edges {{ node {{ id balance {{ amount }} services {{ nodes {{ {SERVICE} }} }} }} }} }}"),
        json!({}),
    )
    .await;
    for (edge, node) in edges["edges"].as_array().unwrap().iter().zip(nodes) {
        assert_eq!(&edge["node"], node);
        let query = format!(
            "query($id: ID!) {{ subscriber(id: $id) {{ id balance {{ amount }} services {{ nodes {{ {SERVICE} }} }} }} node(id: $id) {{ ... on Subscriber {{ id balance {{ amount }} services {{ nodes {{ {SERVICE} }} }} }} }} }}"
        );
        let one = owner.gql(&query, json!({ "id": node["id"] })).await;
        assert_eq!(&one.at("subscriber"), node);
        assert_eq!(&one.at("node"), node);
    }
    // What a page may not be is said as ever.
    for wrong in ["services(first: 101)", "services(first: -1)"] {
        let query = format!("{{ subscribers(first: 1) {{ nodes {{ {wrong} {{ nodes {{ id }} }} }} }} }}");
        assert_eq!(
            owner.gql(&query, json!({})).await.code().as_deref(),
            Some("BAD_ARGUMENT"),
            "{wrong}"
        );
    }
    let own = app.on("asha").as_subscriber(&first.account_number);
    let query =
        format!("query($id: ID!) {{ subscriber(id: $id) {{ id balance {{ amount }} services {{ nodes {{ {SERVICE} }} }} }} }}");
    for node in nodes {
        let answer = own.gql(&query, json!({ "id": node["id"] })).await.at("subscriber");
        assert!(answer.is_null() || &answer == node, "{answer}");
    }
    app.jobs_may_remain();
}
