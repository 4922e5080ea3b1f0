use serde_json::{Value, json};

use crate::harness::{Ask, TestApp, key};

/// A router of the ISP; its id and its number in RADIUS' tables.
async fn nas(app: &TestApp, isp: &Ask<'_>, name: &str, address: &str) -> (String, i32) {
    let input = json!({ "name": name, "address": address, "secret": "nas-shared-secret" });
    let answer = isp.mutate("nasCreate", input, "nas { id }").await;
    let id = answer.done()["nas"]["id"].as_str().unwrap().to_owned();
    let number = sqlx::query_scalar("SELECT id FROM radius.nas WHERE name = $1")
        .bind(name)
        .fetch_one(&mut app.db.admin().await)
        .await
        .unwrap();
    (id, number)
}

/// An accounting packet as FreeRADIUS hands it over: kind, session, seconds, megabytes up and down.
async fn report(app: &TestApp, nas: i32, kind: &str, session: &str, username: &str, usage: (u32, u64, u64)) {
    let (seconds, up, down) = usage;
    let result: String = sqlx::query_scalar(
        "SELECT radius.accounting($1, $2, $3, $4, '', 'AA:BB:CC:00:11:22', '', '', $5, $6, '', $7, '', '100.64.0.7', '', '', '', '',
             CASE $2 WHEN 'Stop' THEN 'User-Request' ELSE '' END, '', '', '', '')",
    )
    .bind(nas)
    .bind(kind)
    .bind(session)
    .bind(username)
    .bind(seconds.to_string())
    .bind((up * 1_000_000).to_string())
    .bind((down * 1_000_000).to_string())
    .fetch_one(&mut app.db.admin().await)
    .await
    .unwrap();
    assert!(["ok", "new"].contains(&result.as_str()), "{kind} {session}: {result}");
}

const SESSIONS: &str = "query($filter: RadiusSessionFilter, $after: String, $first: Int! = 10) {
    radiusSessions(first: $first, after: $after, filter: $filter) { totalCount pageInfo { hasNextPage endCursor } nodes {
        id username service { id } nas { id } startedAt endedAt uploadBytes downloadBytes terminateCause framedIpAddress callingStationId } } }";

async fn sessions(isp: &Ask<'_>, filter: Value) -> Value {
    isp.gql(SESSIONS, json!({ "filter": filter })).await.at("radiusSessions")
}

#[tokio::test]
async fn who_is_on_line_and_what_was_used() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    let first = isp.first_subscriber("ravi").await;
    let other = isp.first_subscriber("meera").await;
    let (_, pop) = nas(&app, &isp, "pop-1", "127.0.0.2").await;
    let query = "query($id: ID!, $range: DateRange!) { service(id: $id) { online usage(range: $range) {
        uploadBytes downloadBytes sessionSeconds daily { date uploadBytes downloadBytes } } } }";
    let range = json!({ "from": "2026-04-01", "to": "2026-04-30" });
    let used = async |service: &str| {
        let answer = isp.gql(query, json!({ "id": service, "range": range })).await;
        answer.at("service")
    };
    report(&app, pop, "Start", "s1", "ravi", (0, 0, 0)).await;
    app.set_clock("2026-04-01T05:30:00Z").await;
    report(&app, pop, "Interim-Update", "s1", "ravi", (3600, 10, 200)).await;
    let now = used(&first.service).await;
    assert_eq!(now["online"], true);
    let day = json!({ "date": "2026-04-01", "uploadBytes": "10000000", "downloadBytes": "200000000" });
    let expected = json!({ "uploadBytes": "10000000", "downloadBytes": "200000000", "sessionSeconds": "3600", "daily": [day] });
    assert_eq!(now["usage"], expected);
    report(&app, pop, "Stop", "s1", "ravi", (3600, 10, 200)).await;
    assert_eq!(used(&first.service).await, json!({ "online": false, "usage": expected }));
    let none = json!({ "uploadBytes": "0", "downloadBytes": "0", "sessionSeconds": "0", "daily": [] });
    assert_eq!(used(&other.service).await, json!({ "online": false, "usage": none }));

    for range in [
        json!({ "from": "2026-04-02", "to": "2026-04-01" }),
        json!({ "from": "2020-01-01", "to": "2026-04-01" }),
    ] {
        let answer = isp.gql(query, json!({ "id": first.service, "range": range })).await;
        assert_eq!(answer.code().as_deref(), Some("BAD_ARGUMENT"), "{range}");
    }
    app.run_jobs().await;
}

#[tokio::test]
async fn sessions_are_listed_by_their_start_and_need_a_range() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    let first = isp.first_subscriber("ravi").await;
    let (pop, number) = nas(&app, &isp, "pop-1", "127.0.0.2").await;
    let (edge, edge_number) = nas(&app, &isp, "pop-2", "127.0.0.3").await;
    report(&app, number, "Start", "s1", "ravi", (0, 0, 0)).await;
    app.set_clock("2026-04-01T05:30:00Z").await;
    report(&app, number, "Stop", "s1", "ravi", (3600, 1, 2)).await;
    app.set_clock("2026-04-02T05:30:00Z").await;
    report(&app, edge_number, "Start", "s2", "Ravi", (0, 0, 0)).await;
    report(&app, edge_number, "Start", "s3", "nobody", (0, 0, 0)).await;

    let april = json!({ "from": "2026-04-01", "to": "2026-04-30" });
    let all = sessions(&isp, json!({ "started": april })).await;
    assert_eq!(all["totalCount"], 3);
    let finished = sessions(&isp, json!({ "started": april, "online": false })).await;
    let one = &finished["nodes"][0];
    assert_eq!(finished["nodes"].as_array().unwrap().len(), 1);
    assert_eq!(
        json!([
            one["service"]["id"],
            one["nas"]["id"],
            one["terminateCause"],
            one["uploadBytes"],
            one["framedIpAddress"],
            one["callingStationId"]
        ]),
        json!([
            first.service,
            pop,
            "User-Request",
            "1000000",
            "100.64.0.7",
            "AA:BB:CC:00:11:22"
        ])
    );
    let open = sessions(&isp, json!({ "online": true })).await;
    assert_eq!(open["totalCount"], 2);
    let mine = sessions(&isp, json!({ "online": true, "serviceId": first.service })).await;
    assert_eq!(
        (&mine["totalCount"], &mine["nodes"][0]["username"]),
        (&json!(1), &json!("Ravi"))
    );
    assert_eq!(
        sessions(&isp, json!({ "started": april, "nasId": edge })).await["totalCount"],
        2
    );
    assert_eq!(
        sessions(&isp, json!({ "started": april, "nasId": first.service })).await["totalCount"],
        0,
        "no NAS"
    );
    let first_day = json!({ "from": "2026-04-01", "to": "2026-04-01" });
    assert_eq!(sessions(&isp, json!({ "started": first_day })).await["totalCount"], 1);

    // Page by page, the same rows in the same order.
    let (mut after, mut walked) = (Value::Null, Vec::new());
    loop {
        let variables = json!({ "filter": { "started": april }, "first": 1, "after": after });
        let page = isp.gql(SESSIONS, variables).await.at("radiusSessions");
        walked.extend(page["nodes"].as_array().unwrap().clone());
        after = page["pageInfo"]["endCursor"].clone();
        if page["pageInfo"]["hasNextPage"] == false {
            break;
        }
    }
    assert_eq!(Value::Array(walked), all["nodes"]);

    for filter in [
        json!(null),
        json!({}),
        json!({ "online": false }),
        json!({ "serviceId": first.service }),
    ] {
        let answer = isp.gql(SESSIONS, json!({ "filter": filter })).await;
        assert_eq!(answer.code().as_deref(), Some("BAD_ARGUMENT"), "{filter}");
    }
    let node = isp.gql(
        "query($id: ID!) { node(id: $id) { ... on RadiusSession { username } } }",
        json!({ "id": one["id"] }),
    );
    assert_eq!(node.await.text_at("node.username"), "ravi");

    // Neither another ISP nor a subscriber.
    let stranger = app.on("baraka").as_owner();
    assert_eq!(sessions(&stranger, json!({ "started": april })).await["totalCount"], 0);
    let theirs = stranger
        .gql("query($id: ID!) { node(id: $id) { id } }", json!({ "id": one["id"] }))
        .await;
    assert!(theirs.at("node").is_null());
    isp.portal_password(&first.subscriber).await;
    let subscriber = app.on("asha").as_subscriber(&first.account_number);
    let answer = subscriber.gql(SESSIONS, json!({ "filter": { "online": true } })).await;
    assert_eq!(answer.code().as_deref(), Some("FORBIDDEN"));
    let own = "query($id: ID!) { service(id: $id) { online } }";
    let answer = subscriber.gql(own, json!({ "id": first.service })).await;
    assert_eq!(answer.at("service.online"), true, "its own it sees");
    app.run_jobs().await;
}

/// A subscriber's services are listed page by page.
#[tokio::test]
async fn services_are_listed_in_the_order_of_their_creation() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    let first = isp.first_subscriber("ravi-0").await;
    for n in 1..5 {
        isp.service(
            &first.subscriber,
            &first.plan,
            &format!("ravi-{n}"),
            json!({ "idempotencyKey": key() }),
        )
        .await;
    }
    let query = "query($id: ID!, $after: String) { subscriber(id: $id) { services(first: 2, after: $after) {
        totalCount pageInfo { hasNextPage endCursor } nodes { username plan { id } subscriber { id } } } } }";
    let (mut after, mut names) = (Value::Null, Vec::new());
    loop {
        let answer = isp.gql(query, json!({ "id": first.subscriber, "after": after })).await;
        let page = answer.at("subscriber.services");
        assert_eq!(page["totalCount"], 5);
        for service in page["nodes"].as_array().unwrap() {
            assert_eq!(
                (&service["plan"]["id"], &service["subscriber"]["id"]),
                (&json!(first.plan), &json!(first.subscriber))
            );
            names.push(service["username"].as_str().unwrap().to_owned());
        }
        after = page["pageInfo"]["endCursor"].clone();
        if page["pageInfo"]["hasNextPage"] == false {
            break;
        }
    }
    assert_eq!(names, ["ravi-0", "ravi-1", "ravi-2", "ravi-3", "ravi-4"]);
    app.run_jobs().await;
}
