use serde_json::{Value, json};
use trunkline_domain::kernel::ids::SubscriberId;

use super::ground::{Ground, owner, staff_who_may, top};

const LIST: &str = "query($first: Int!, $after: String, $filter: SubscriberFilter, $orderBy: SubscriberOrder) {
    subscribers(first: $first, after: $after, filter: $filter, orderBy: $orderBy) {
        totalCount nodes { name accountNumber } edges { cursor node { name } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }";

impl Ground {
    async fn list(&self, variables: Value) -> Value {
        self.owner(LIST, variables).await["subscribers"].take()
    }

    async fn names(&self, filter: Value) -> Vec<String> {
        let page = self.list(json!({ "first": 100, "filter": filter })).await;
        let names: Vec<String> = nodes(&page, "name");
        assert_eq!(page["totalCount"], names.len(), "{filter}");
        names
    }
}

fn nodes(page: &Value, field: &str) -> Vec<String> {
    let nodes = page["nodes"].as_array().unwrap();
    nodes.iter().map(|n| n[field].as_str().unwrap().to_owned()).collect()
}

/// Walks all pages, however small, and meets every row once, in every order, also where names are alike.
#[tokio::test]
async fn pages_follow_each_other_in_every_order() {
    let ground = Ground::new().await;
    let mut all = Vec::new();
    for name in ["Dev", "asha", "Asha", "Dev", "Élodie", "Dev", "Chitra"] {
        let made = ground.subscriber(json!({ "name": name })).await;
        all.push((name.to_owned(), made["accountNumber"].as_str().unwrap().to_owned()));
    }
    for by in ["CREATED_AT", "NAME", "ACCOUNT_NUMBER"] {
        let mut expected = all.clone();
        if by == "NAME" {
            expected.sort();
        }
        for direction in ["ASC", "DESC"] {
            for first in [1, 2, 3, 7, 100] {
                let order = json!({ "by": by, "direction": direction });
                let (mut met, mut after) = (Vec::new(), Value::Null);
                loop {
                    let page = ground.list(json!({ "first": first, "after": after, "orderBy": order })).await;
                    assert_eq!(page["totalCount"], all.len());
                    assert_eq!(page["pageInfo"]["hasPreviousPage"], !after.is_null());
                    met.extend(nodes(&page, "name").into_iter().zip(nodes(&page, "accountNumber")));
                    assert_eq!(
                        page["edges"].as_array().and_then(|e| e.last()).map(|e| &e["cursor"]),
                        Some(&page["pageInfo"]["endCursor"])
                    );
                    after = page["pageInfo"]["endCursor"].clone();
                    if page["pageInfo"]["hasNextPage"] == false {
                        break;
                    }
                }
                assert_eq!(met, expected, "{by} {direction} {first}");
            }
            expected.reverse();
        }
    }
}

#[tokio::test]
async fn bad_pages_are_refused() {
    let ground = Ground::new().await;
    for name in ["a", "b"] {
        ground.subscriber(json!({ "name": name })).await;
    }
    let by_name = json!({ "by": "NAME", "direction": "ASC" });
    let page = ground.list(json!({ "first": 1, "orderBy": by_name })).await;
    let cursor = &page["pageInfo"]["endCursor"];
    for variables in [
        json!({ "first": 101 }),
        json!({ "first": -1 }),
        json!({ "first": 1, "after": "" }),
        json!({ "first": 1, "after": "!!" }),
        json!({ "first": 1, "after": cursor }),
        json!({ "first": 1, "after": cursor, "orderBy": { "by": "ACCOUNT_NUMBER", "direction": "ASC" } }),
        json!({ "first": 1, "filter": { "search": "x".repeat(121) } }),
        json!({ "first": 1, "filter": { "search": "a\u{0}" } }),
        json!({ "first": 1, "filter": { "planId": "x" } }),
    ] {
        let answer = ground.ask(0, owner(), LIST, variables.clone()).await;
        assert_eq!(
            (top(&answer), &answer["data"]["subscribers"]),
            (vec!["BAD_ARGUMENT"], &Value::Null),
            "{variables}"
        );
    }
    let page = ground.list(json!({ "first": 0 })).await;
    assert_eq!((&page["nodes"], &page["totalCount"]), (&json!([]), &json!(2)));
}

#[tokio::test]
async fn the_search_finds_parts_of_names_numbers_and_logins() {
    let ground = Ground::new().await;
    let asha = ground
        .subscriber(json!({ "name": "Asha Rao", "email": "ar@example.com", "phone": "+91 98450 12345" }))
        .await;
    ground
        .subscriber(json!({ "name": "100% Pure_Net", "phone": "080-777666" }))
        .await;
    ground.subscriber(json!({ "name": "1000 Lakes\\Sons" })).await;
    let babu = ground.subscriber(json!({ "name": "Babu" })).await;
    seed_service(&ground, &babu["id"], "BabuFibre", "ACTIVE").await;
    let number = asha["accountNumber"].as_str().unwrap();
    for (search, expected) in [
        ("asha", vec!["Asha Rao"]),
        (" RAO ", vec!["Asha Rao"]),
        (number, vec!["Asha Rao"]),
        ("AR@EXAMPLE", vec!["Asha Rao"]),
        ("98450-123", vec!["Asha Rao"]),
        ("(080) 777", vec!["100% Pure_Net"]),
        ("babufi", vec!["Babu"]),
        ("100%", vec!["100% Pure_Net"]),
        ("Pure_", vec!["100% Pure_Net"]),
        ("e_n", vec!["100% Pure_Net"]),
        ("s\\s", vec!["1000 Lakes\\Sons"]),
        ("%", vec!["100% Pure_Net"]),
        ("_", vec!["100% Pure_Net"]),
        ("nobody", vec![]),
        ("' OR '1'='1", vec![]),
        ("  ", vec!["Asha Rao", "100% Pure_Net", "1000 Lakes\\Sons", "Babu"]),
    ] {
        assert_eq!(ground.names(json!({ "search": search })).await, expected, "{search}");
    }
}

#[tokio::test]
async fn filters_narrow_and_combine() {
    let ground = Ground::new().await;
    let asha = ground.subscriber(json!({ "name": "Asha" })).await;
    let babu = ground.subscriber(json!({ "name": "Babu" })).await;
    let chitra = ground.subscriber(json!({ "name": "Chitra" })).await;
    let plan = seed_service(&ground, &asha["id"], "asha", "ACTIVE").await;
    seed_service(&ground, &babu["id"], "babu", "TERMINATED").await;
    ground
        .sql(0, "UPDATE subscriber SET status = 'CLOSED' WHERE name = 'Babu'")
        .await;
    owes(&ground, &asha["id"], "RECEIVABLE", "100", "40").await;
    owes(&ground, &asha["id"], "SUBSCRIBER_CREDIT", "0", "59.99").await;
    owes(&ground, &chitra["id"], "RECEIVABLE", "100", "100").await;
    owes(&ground, &babu["id"], "SUBSCRIBER_CREDIT", "0", "5").await;
    owes(&ground, &babu["id"], "DEPOSIT", "500", "0").await;
    for (filter, expected) in [
        (json!({ "status": "CLOSED" }), vec!["Babu"]),
        (json!({ "status": "ACTIVE" }), vec!["Asha", "Chitra"]),
        (json!({ "planId": plan }), vec!["Asha"]),
        (json!({ "planId": "plan_01939f00000070008000000000000000" }), vec![]),
        (json!({ "planId": asha["id"] }), vec![]),
        (json!({ "serviceStatus": "ACTIVE" }), vec!["Asha"]),
        (json!({ "serviceStatus": "TERMINATED", "planId": plan }), vec!["Babu"]),
        (json!({ "serviceStatus": "SUSPENDED" }), vec![]),
        (json!({ "owing": true }), vec!["Asha"]),
        (json!({ "owing": false }), vec!["Babu", "Chitra"]),
        (json!({ "owing": false, "status": "ACTIVE", "search": "c" }), vec!["Chitra"]),
        (json!({}), vec!["Asha", "Babu", "Chitra"]),
    ] {
        assert_eq!(ground.names(filter.clone()).await, expected, "{filter}");
    }
    let actor = staff_who_may(&["subscriber:read"]);
    let answer = ground
        .ask(0, actor, LIST, json!({ "first": 1, "filter": { "owing": true } }))
        .await;
    assert_eq!(top(&answer), ["FORBIDDEN"]);
}

fn uuid(id: &Value) -> uuid::Uuid {
    id.as_str().unwrap().parse::<SubscriberId>().unwrap().0
}

/// A service as its table holds it, on the one plan of the test; the plan's id.
async fn seed_service(ground: &Ground, subscriber: &Value, username: &str, status: &str) -> String {
    const PLAN: &str = "01939f00-0000-7000-8000-0000000000aa";
    let (service, subscriber) = (uuid::Uuid::now_v7(), uuid(subscriber));
    ground
        .sql(
            0,
            &format!(
                "INSERT INTO plan (id, code, name, kind, payment_mode, bill_in, period_unit, period_count, created_at)
                 VALUES ('{PLAN}', 'P', 'P', 'BROADBAND', 'PREPAID', 'ADVANCE', 'MONTH', 1, now()) ON CONFLICT DO NOTHING;
                 INSERT INTO plan_version (id, plan_id, number, price, currency, tax_inclusive, simultaneous_sessions, created_at)
                 VALUES ('{PLAN}', '{PLAN}', 1, 1, 'INR', false, 1, now()) ON CONFLICT DO NOTHING;
                 INSERT INTO service (id, subscriber_id, plan_id, plan_version_id, status, username, created_at)
                 VALUES ('{service}', '{subscriber}', '{PLAN}', '{PLAN}', '{status}', '{username}', now());"
            ),
        )
        .await;
    format!("plan_{}", PLAN.replace('-', ""))
}

async fn owes(ground: &Ground, subscriber: &Value, kind: &str, debit: &str, credit: &str) {
    let (id, subscriber) = (uuid::Uuid::now_v7(), uuid(subscriber));
    ground
        .sql(
            0,
            &format!(
                "INSERT INTO ledger_account (id, kind, subscriber_id, currency, debit_total, credit_total)
                 VALUES ('{id}', '{kind}', '{subscriber}', 'INR', {debit}, {credit})"
            ),
        )
        .await;
}
