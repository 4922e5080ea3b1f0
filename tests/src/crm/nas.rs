use serde_json::{Value, json};
use trunkline_domain::kernel::Actor;

use super::ground::{Ground, input, owner, portal, refusals, staff_who_may, top, with};

const CREATE: &str = "mutation($input: NasCreateInput!) { nasCreate(input: $input) {
    nas { id name address vendor coaPort lastSeenAt online version } userErrors { field code message } } }";
const UPDATE: &str = "mutation($input: NasUpdateInput!) { nasUpdate(input: $input) {
    nas { id name address vendor coaPort lastSeenAt online version } userErrors { field code message } } }";
const LIST: &str = "query($first: Int!, $after: String) { nasDevices(first: $first, after: $after) {
    totalCount nodes { id name address lastSeenAt online setupScript } pageInfo { hasNextPage endCursor } } }";
const NODE: &str = "query($id: ID!) { node(id: $id) { __typename ... on Nas { name address } } }";
const SECRET: &str = "s3cret-of-core-1";

fn router() -> Value {
    json!({ "name": "core-1", "address": "100.64.0.1", "secret": SECRET })
}

impl Ground {
    async fn nas_payload(&self, isp: usize, of: Value) -> Value {
        self.owner_of(isp, CREATE, input(of)).await["nasCreate"].take()
    }

    async fn nas(&self, isp: usize, of: Value) -> Value {
        let mut payload = self.nas_payload(isp, of).await;
        assert_eq!(payload["userErrors"], json!([]));
        payload["nas"].take()
    }

    async fn nas_update(&self, of: Value) -> Value {
        self.owner(UPDATE, input(of)).await["nasUpdate"].take()
    }

    /// What RADIUS knows of an address: secret and ISP.
    async fn known(&self, address: &str) -> Option<(String, i32)> {
        sqlx::query_as("SELECT secret, tenant_id FROM radius.nas WHERE src_ip = $1::text::inet")
            .bind(address)
            .fetch_optional(&mut self.app.db.admin().await)
            .await
            .unwrap()
    }
}

#[tokio::test]
async fn a_router_is_registered_and_its_secret_never_shown() {
    let ground = Ground::new().await;
    let made = ground.nas(0, router()).await;
    let expected = json!({ "id": made["id"], "name": "core-1", "address": "100.64.0.1", "vendor": "MIKROTIK", "coaPort": 3799,
        "lastSeenAt": null, "online": false, "version": 1 });
    assert_eq!(made, expected);
    assert_eq!(
        ground.known("100.64.0.1").await,
        Some((SECRET.into(), ground.app.db.tenants[0].number))
    );
    let v6 = json!({ "name": "core-2", "address": "2001:DB8::0:1", "secret": SECRET, "vendor": "JUNIPER", "coaPort": 1700 });
    assert_eq!(ground.nas(0, v6).await["address"], "2001:db8::1");
    assert_eq!(
        ground.nas(0, json!({ "name": "roaming", "secret": SECRET })).await["address"],
        Value::Null
    );

    let page = ground.owner(LIST, json!({ "first": 2 })).await["nasDevices"].take();
    assert_eq!(
        (&page["totalCount"], &page["pageInfo"]["hasNextPage"]),
        (&json!(3), &json!(true))
    );
    let script = page["nodes"][0]["setupScript"].as_str().unwrap();
    assert!(
        script.contains("address=127.0.0.1 authentication-port=1812") && script.contains("secret=\"SECRET\""),
        "{script}"
    );
    assert!(!page.to_string().contains(SECRET));
    let rest = ground
        .owner(LIST, json!({ "first": 2, "after": page["pageInfo"]["endCursor"] }))
        .await;
    assert_eq!(rest["nasDevices"]["nodes"][0]["name"], "roaming");
    let node = ground.owner(NODE, json!({ "id": made["id"] })).await;
    assert_eq!(
        node["node"],
        json!({ "__typename": "Nas", "name": "core-1", "address": "100.64.0.1" })
    );

    ground
        .nas_update(json!({ "id": made["id"], "expectedVersion": 1, "secret": "another-s3cret" }))
        .await;
    let audit = sqlx::AssertSqlSafe(format!(
        "SELECT string_agg(detail::text, ' ') FROM \"{}\".audit_entry",
        ground.app.db.tenants[0].role
    ));
    let audit: String = sqlx::query_scalar(audit)
        .fetch_one(&mut ground.app.db.admin().await)
        .await
        .unwrap();
    assert!(audit.contains("core-1") && !audit.contains("s3cret"), "{audit}");
}

#[tokio::test]
async fn an_address_is_one_routers_on_the_whole_platform() {
    let ground = Ground::new().await;
    let mine = ground.nas(0, router()).await["id"].take();
    let theirs = ground.nas(1, with(&router(), json!({ "address": "100.64.0.2" }))).await["id"].take();
    let own = ground
        .nas_payload(0, with(&router(), json!({ "address": "100.64.0.1" })))
        .await;
    let foreign = ground
        .nas_payload(0, with(&router(), json!({ "address": "100.64.0.2" })))
        .await;
    let mapped = ground
        .nas_payload(0, with(&router(), json!({ "address": "::ffff:100.64.0.2" })))
        .await;
    assert_eq!(refusals(&own), ["TAKEN address"]);
    assert_eq!((&own, &own), (&foreign, &mapped), "the answer tells whose it is");
    let moved = ground
        .nas_update(json!({ "id": mine, "expectedVersion": 1, "address": "100.64.0.2" }))
        .await;
    assert_eq!(moved["userErrors"], own["userErrors"]);
    assert_eq!(
        ground.known("100.64.0.2").await.map(|k| k.1),
        Some(ground.app.db.tenants[1].number)
    );

    let moved = ground
        .nas_update(json!({ "id": mine, "expectedVersion": 1, "address": "100.64.0.3" }))
        .await;
    assert_eq!(moved["nas"]["address"], "100.64.0.3");
    ground.nas(1, with(&router(), json!({ "address": "100.64.0.1" }))).await;

    assert_eq!(ground.owner(NODE, json!({ "id": theirs })).await["node"], Value::Null);
    assert_eq!(
        refusals(
            &ground
                .nas_update(json!({ "id": theirs, "expectedVersion": 1, "name": "x" }))
                .await
        ),
        ["NOT_FOUND id"]
    );
    let page = ground.owner(LIST, json!({ "first": 100 })).await;
    assert_eq!(
        (
            &page["nasDevices"]["totalCount"],
            page["nasDevices"]["nodes"].as_array().map(Vec::len)
        ),
        (&json!(1), Some(1))
    );
}

#[tokio::test]
async fn an_update_keeps_clears_and_sets() {
    let ground = Ground::new().await;
    let made = ground.nas(0, router()).await;
    let id = &made["id"];
    let changed = ground
        .nas_update(json!({ "id": id, "expectedVersion": 1, "name": "edge", "vendor": "CISCO", "coaPort": 1700 }))
        .await;
    let expected = with(
        &made,
        json!({ "name": "edge", "vendor": "CISCO", "coaPort": 1700, "version": 2 }),
    );
    assert_eq!(changed, json!({ "nas": expected, "userErrors": [] }));
    assert_eq!(ground.known("100.64.0.1").await.map(|k| k.0).as_deref(), Some(SECRET));
    let changed = ground
        .nas_update(json!({ "id": id, "expectedVersion": 2, "secret": "another-s3cret" }))
        .await;
    assert_eq!(changed["nas"]["version"], 3);
    assert_eq!(
        ground.known("100.64.0.1").await.map(|k| k.0).as_deref(),
        Some("another-s3cret")
    );
    for (change, expected) in [
        (json!({ "expectedVersion": 1 }), "STALE_VERSION expectedVersion"),
        (json!({ "name": null }), "REQUIRED name"),
        (json!({ "secret": null }), "REQUIRED secret"),
        (json!({ "secret": "short" }), "INVALID secret"),
        (json!({ "vendor": null }), "REQUIRED vendor"),
        (json!({ "coaPort": 0 }), "INVALID coaPort"),
        (json!({ "address": "10.0.0.0/8" }), "INVALID address"),
        (json!({ "id": "x" }), "INVALID id"),
        (json!({ "id": "nas_01939f00000070008000000000000000" }), "NOT_FOUND id"),
    ] {
        let payload = ground
            .nas_update(with(&json!({ "id": id, "expectedVersion": 3 }), change.clone()))
            .await;
        assert_eq!(refusals(&payload), [expected], "{change}");
    }
    let cleared = ground
        .nas_update(json!({ "id": id, "expectedVersion": 3, "address": null }))
        .await;
    assert_eq!(
        (&cleared["nas"]["address"], &cleared["nas"]["version"]),
        (&Value::Null, &json!(4))
    );
}

#[tokio::test]
async fn bad_input_is_refused_field_by_field() {
    let ground = Ground::new().await;
    for (change, expected) in [
        (json!({ "name": "" }), vec!["REQUIRED name"]),
        (json!({ "address": "router.example" }), vec!["INVALID address"]),
        (json!({ "address": "0.0.0.0" }), vec!["INVALID address"]),
        (json!({ "address": "224.0.0.1" }), vec!["INVALID address"]),
        (json!({ "address": "255.255.255.255" }), vec!["INVALID address"]),
        (json!({ "address": "::" }), vec!["INVALID address"]),
        (json!({ "address": "100.64.0.1'; --" }), vec!["INVALID address"]),
        (json!({ "secret": "short" }), vec!["INVALID secret"]),
        (json!({ "secret": "with a blank in it" }), vec!["INVALID secret"]),
        (json!({ "coaPort": 65536 }), vec!["INVALID coaPort"]),
        (
            json!({ "secret": "x", "coaPort": -1, "name": " " }),
            vec!["INVALID coaPort", "INVALID secret", "REQUIRED name"],
        ),
    ] {
        let payload = ground.nas_payload(0, with(&router(), change.clone())).await;
        assert_eq!(refusals(&payload), expected, "{change}");
    }
    assert_eq!(ground.known("100.64.0.1").await, None);
}

#[tokio::test]
async fn online_is_heard_of_within_five_minutes_by_the_products_clock() {
    let ground = Ground::new().await;
    ground.nas(0, router()).await;
    ground
        .sql(0, "UPDATE radius.nas SET last_seen_at = '2026-04-01 00:00:00+00'")
        .await;
    for (now, online) in [
        ("2026-04-01T00:00:01Z", true),
        ("2026-04-01T00:04:00Z", true),
        ("2026-04-01T00:05:01Z", false),
    ] {
        ground.app.set_clock(now).await;
        let page = ground.owner(LIST, json!({ "first": 1 })).await;
        let nas = &page["nasDevices"]["nodes"][0];
        assert_eq!(
            (&nas["online"], &nas["lastSeenAt"]),
            (&json!(online), &json!("2026-04-01T00:00:00Z")),
            "{now}"
        );
    }
}

#[tokio::test]
async fn who_may_see_and_change_routers() {
    let ground = Ground::new().await;
    let id = ground.nas(0, router()).await["id"].take();
    let subscriber = ground.subscriber(json!({ "name": "Asha" })).await["id"].take();
    for (actor, code) in [
        (Actor::Anonymous, "UNAUTHENTICATED"),
        (staff_who_may(&["session:read"]), "FORBIDDEN"),
        (portal(&subscriber), "FORBIDDEN"),
    ] {
        for (text, variables) in [
            (LIST, json!({ "first": 1 })),
            (CREATE, input(with(&router(), json!({ "address": null })))),
            (UPDATE, input(json!({ "id": id, "expectedVersion": 1, "name": "x" }))),
        ] {
            assert_eq!(top(&ground.ask(0, actor.clone(), text, variables).await), [code], "{text}");
        }
    }
    let answer = ground.ask(0, portal(&subscriber), NODE, json!({ "id": id })).await;
    assert_eq!(answer, json!({ "data": { "node": null } }));
    let reader = staff_who_may(&["nas:read"]);
    assert_eq!(
        top(&ground.ask(0, reader.clone(), LIST, json!({ "first": 1 })).await),
        [""; 0]
    );
    assert_eq!(top(&ground.ask(0, reader, CREATE, input(router())).await), ["FORBIDDEN"]);
    let answer = ground.ask(0, owner(), NODE, json!({ "id": id })).await;
    assert_eq!(answer["data"]["node"]["name"], "core-1");
}
