use futures::future::join_all;
use serde_json::{Value, json};
use trunkline_api::graphql::ctx::Host;
use trunkline_domain::kernel::Actor;
use trunkline_domain::kernel::crypto::verify_password;
use uuid::Uuid;

use super::ground::{Ground, input, owner, portal, refusals, staff_who_may, top, with};

const FIELDS: &str = "id accountNumber name email phone taxId status version createdAt billTo { id }
    address { line1 line2 city region postalCode country }";

fn create_text() -> String {
    format!(
        "mutation($input: SubscriberCreateInput!) {{ subscriberCreate(input: $input) {{
             subscriber {{ {FIELDS} }} userErrors {{ field code message }} }} }}"
    )
}

fn update_text() -> String {
    format!(
        "mutation($input: SubscriberUpdateInput!) {{ subscriberUpdate(input: $input) {{
             subscriber {{ {FIELDS} }} userErrors {{ field code message }} }} }}"
    )
}

const AUDITED: &str = "audit_entry WHERE action LIKE 'subscriber%'";
const BY_ID: &str = "query($id: ID!) { subscriber(id: $id) { id name } node(id: $id) { __typename id } }";

impl Ground {
    async fn subscriber_payload(&self, of: Value) -> Value {
        self.owner(&create_text(), input(of)).await["subscriberCreate"].take()
    }

    /// A subscriber of the first ISP.
    pub async fn subscriber(&self, of: Value) -> Value {
        let mut payload = self.subscriber_payload(of).await;
        assert_eq!(payload["userErrors"], json!([]));
        payload["subscriber"].take()
    }

    async fn update_payload(&self, of: Value) -> Value {
        self.owner(&update_text(), input(of)).await["subscriberUpdate"].take()
    }

    async fn count(&self, rows: &'static str) -> i64 {
        let sql = sqlx::AssertSqlSafe(format!("SELECT count(*) FROM \"{}\".{rows}", self.app.db.tenants[0].role));
        sqlx::query_scalar(sql)
            .fetch_one(&mut self.app.db.admin().await)
            .await
            .unwrap()
    }
}

fn full() -> Value {
    json!({
        "name": " Asha Rao ", "email": "asha@example.com", "phone": "+91 98450-12345", "taxId": "29aabct1332l1za",
        "address": { "line1": "12 MG Road", "city": "Bengaluru", "region": "ka", "postalCode": "560001", "country": "IN" },
    })
}

#[tokio::test]
async fn a_subscriber_is_created_tidy_and_found_again() {
    let ground = Ground::new().await;
    let made = ground.subscriber(full()).await;
    let number = made["accountNumber"].as_str().unwrap();
    assert!(number.len() <= 12 && number.bytes().all(|b| b.is_ascii_digit()), "{number}");
    let expected = json!({
        "id": made["id"], "accountNumber": number, "createdAt": made["createdAt"],
        "name": "Asha Rao", "email": "asha@example.com", "phone": "+919845012345", "taxId": "29AABCT1332L1ZA",
        "status": "ACTIVE", "version": 1, "billTo": null,
        "address": { "line1": "12 MG Road", "line2": null, "city": "Bengaluru", "region": "KA", "postalCode": "560001",
                     "country": "IN" },
    });
    assert_eq!(made, expected);
    let other = ground.subscriber(json!({ "name": "Babu" })).await;
    assert_ne!(other["accountNumber"], made["accountNumber"]);
    assert_eq!(other["address"], Value::Null);

    let found = ground.owner(BY_ID, json!({ "id": made["id"] })).await;
    assert_eq!(found["subscriber"], json!({ "id": made["id"], "name": "Asha Rao" }));
    assert_eq!(found["node"], json!({ "__typename": "Subscriber", "id": made["id"] }));
    assert_eq!(ground.count(AUDITED).await, 2);
}

#[tokio::test]
async fn bad_input_is_refused_field_by_field() {
    let ground = Ground::new().await;
    let address = json!({ "line1": "x", "country": "IN" });
    let bad_address = |change| json!({ "address": with(&address, change) });
    for (change, expected) in [
        (json!({ "name": "  " }), vec!["REQUIRED name"]),
        (json!({ "name": "x".repeat(121) }), vec!["INVALID name"]),
        (json!({ "name": "a\u{0}b" }), vec!["INVALID name"]),
        (json!({ "email": "asha" }), vec!["INVALID email"]),
        (json!({ "phone": "call me" }), vec!["INVALID phone"]),
        (json!({ "taxId": "??" }), vec!["INVALID taxId"]),
        // The check character, and another country's form.
        (json!({ "taxId": "29AABCT1332L1ZM" }), vec!["INVALID taxId"]),
        (json!({ "taxId": "P051234567Q" }), vec!["INVALID taxId"]),
        (bad_address(json!({ "line1": "" })), vec!["REQUIRED address.line1"]),
        (bad_address(json!({ "country": "XX" })), vec!["INVALID address.country"]),
        (bad_address(json!({ "region": "Karnataka" })), vec!["INVALID address.region"]),
        (
            bad_address(json!({ "postalCode": "'; --" })),
            vec!["INVALID address.postalCode"],
        ),
        (
            json!({ "name": "", "email": "@", "phone": "1" }),
            vec!["INVALID email", "INVALID phone", "REQUIRED name"],
        ),
        (json!({ "billToId": "nonsense" }), vec!["INVALID billToId"]),
        (
            json!({ "billToId": "plan_01939f00000070008000000000000000" }),
            vec!["NOT_FOUND billToId"],
        ),
        (
            json!({ "billToId": "subscriber_01939f00000070008000000000000000" }),
            vec!["NOT_FOUND billToId"],
        ),
    ] {
        let payload = ground.subscriber_payload(with(&full(), change.clone())).await;
        assert_eq!(refusals(&payload), expected, "{change}");
        assert_eq!(payload["subscriber"], Value::Null);
    }
    assert_eq!(
        ground.count("subscriber").await + ground.count(AUDITED).await,
        0,
        "something half done"
    );
}

#[tokio::test]
async fn a_key_makes_one_subscriber_however_often_it_is_sent() {
    let ground = Ground::new().await;
    let keyed = with(&full(), json!({ "idempotencyKey": Uuid::now_v7() }));
    let actor = owner();
    let call = |of: Value| {
        let (ground, actor) = (&ground, actor.clone());
        async move { ground.ask(0, actor, &create_text(), input(of)).await["data"]["subscriberCreate"].take() }
    };
    let answers = join_all((0..24).map(|_| call(keyed.clone()))).await;
    assert!(
        answers.iter().all(|a| a["subscriber"]["id"].is_string() && *a == answers[0]),
        "{answers:?}"
    );
    assert_eq!(ground.count("subscriber").await, 1);
    assert_eq!(ground.count(AUDITED).await, 1);

    let reused = call(with(&keyed, json!({ "name": "Someone else" }))).await;
    assert_eq!(refusals(&reused), ["IDEMPOTENCY_KEY_REUSED idempotencyKey"]);
    // A replay shows the object as it is now.
    let id = &answers[0]["subscriber"]["id"];
    ground
        .update_payload(json!({ "id": id, "expectedVersion": 1, "name": "Asha R." }))
        .await;
    assert_eq!(call(keyed.clone()).await["subscriber"]["name"], "Asha R.");
    // A refusal leaves no key behind.
    let key = Uuid::now_v7();
    let refused = call(json!({ "name": "", "idempotencyKey": key })).await;
    assert_eq!(refusals(&refused), ["REQUIRED name"]);
    assert_eq!(
        refusals(&call(json!({ "name": "Dev", "idempotencyKey": key })).await),
        [""; 0]
    );
    // Another's key is another key.
    let theirs = ground.subscriber_payload(keyed).await;
    assert_eq!(refusals(&theirs), [""; 0]);
    assert_eq!(ground.count("subscriber").await, 3);
}

#[tokio::test]
async fn an_update_keeps_clears_and_sets() {
    let ground = Ground::new().await;
    let made = ground.subscriber(full()).await;
    let id = &made["id"];
    let change = json!({ "id": id, "expectedVersion": 1, "email": null, "phone": "080 2345 678", "address": null });
    let changed = ground.update_payload(change.clone()).await;
    let expected = with(
        &made,
        json!({ "email": null, "phone": "0802345678", "address": null, "version": 2 }),
    );
    assert_eq!(changed, json!({ "subscriber": expected, "userErrors": [] }));

    assert_eq!(
        refusals(&ground.update_payload(change).await),
        ["STALE_VERSION expectedVersion"]
    );
    for (change, expected) in [
        (json!({ "name": null }), "REQUIRED name"),
        (json!({ "name": "\u{7f}" }), "INVALID name"),
        (json!({ "email": "a@b@c" }), "INVALID email"),
        (json!({ "billToId": id }), "INVALID billToId"),
        (json!({ "id": "subscriber_01939f00000070008000000000000000" }), "NOT_FOUND id"),
        (json!({ "id": "service_01939f00000070008000000000000000" }), "NOT_FOUND id"),
        (json!({ "id": "1" }), "INVALID id"),
    ] {
        let payload = ground
            .update_payload(with(&json!({ "id": id, "expectedVersion": 2 }), change.clone()))
            .await;
        assert_eq!(refusals(&payload), [expected], "{change}");
    }
    let still = ground.update_payload(json!({ "id": id, "expectedVersion": 2 })).await;
    assert_eq!(still["subscriber"], with(&expected, json!({ "version": 3 })));
}

#[tokio::test]
async fn payers_form_no_chains() {
    let ground = Ground::new().await;
    let head = ground.subscriber(json!({ "name": "Head office" })).await["id"].take();
    let branch = ground.subscriber(json!({ "name": "Branch", "billToId": head })).await;
    assert_eq!(branch["billTo"], json!({ "id": head }));
    let branch = &branch["id"];
    let third = ground.subscriber(json!({ "name": "Third" })).await["id"].take();

    let payload = ground.subscriber_payload(json!({ "name": "x", "billToId": branch })).await;
    assert_eq!(refusals(&payload), ["INVALID billToId"]);
    let pay = async |id: &Value, version: i32, payer: Value| {
        let payload = ground
            .update_payload(json!({ "id": id, "expectedVersion": version, "billToId": payer }))
            .await;
        (refusals(&payload), payload["subscriber"]["billTo"].clone())
    };
    let invalid = (vec!["INVALID billToId".to_owned()], Value::Null);
    assert_eq!(pay(&third, 1, branch.clone()).await, invalid, "a payer of a payer");
    assert_eq!(
        pay(&head, 1, third.clone()).await,
        invalid,
        "who pays for others has no payer"
    );
    assert_eq!(pay(branch, 1, third.clone()).await, (vec![], json!({ "id": third })));
    assert_eq!(pay(branch, 2, Value::Null).await, (vec![], Value::Null));
    assert_eq!(pay(&head, 1, third.clone()).await, (vec![], json!({ "id": third })));
}

/// Two changes that are each right alone, at once, must not make a chain together; nor may they wait for each other for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_changes_of_payers_at_once_make_no_chain() {
    let ground = Ground::new().await;
    for round in 0..8 {
        let mut ids = Vec::new();
        for name in ["a", "b", "c"] {
            ids.push(ground.subscriber(json!({ "name": name })).await["id"].take());
        }
        let pay = |id: &Value, payer: &Value| ground.update_payload(json!({ "id": id, "expectedVersion": 1, "billToId": payer }));
        let (first, second) = tokio::join!(pay(&ids[0], &ids[1]), pay(&ids[1], &ids[if round % 2 == 0 { 2 } else { 0 }]));
        let done = [&first, &second].iter().filter(|p| refusals(p).is_empty()).count();
        assert_eq!(done, 1, "round {round}: {first} {second}");
    }
}

#[tokio::test]
async fn who_may_see_and_change_subscribers() {
    let ground = Ground::new().await;
    let made = ground.subscriber(full()).await["id"].take();
    let other = ground.subscriber(json!({ "name": "Babu", "billToId": made })).await["id"].take();
    let theirs = ground.owner_of(1, &create_text(), input(full())).await["subscriberCreate"]["subscriber"]["id"].take();
    let own = json!({ "id": made });

    for (actor, code) in [
        (Actor::Anonymous, "UNAUTHENTICATED"),
        (staff_who_may(&["plan:read"]), "FORBIDDEN"),
    ] {
        // To `node`, what may not be seen is not there.
        let codes = vec![code; if code == "FORBIDDEN" { 1 } else { 2 }];
        let answer = ground.ask(0, actor.clone(), BY_ID, own.clone()).await;
        assert_eq!(
            (top(&answer), &answer["data"]),
            (codes, &json!({ "subscriber": null, "node": null }))
        );
        let answer = ground
            .ask(0, actor.clone(), "{ subscribers(first: 1) { totalCount } }", json!({}))
            .await;
        assert_eq!((top(&answer), &answer["data"]), (vec![code], &json!({ "subscribers": null })));
        for (text, of) in [
            (create_text(), full()),
            (update_text(), json!({ "id": made, "expectedVersion": 1, "name": "x" })),
            (
                PASSWORD_SET.into(),
                json!({ "subscriberId": made, "password": "correct horse battery" }),
            ),
        ] {
            let answer = ground.ask(0, actor.clone(), &text, input(of)).await;
            assert_eq!((top(&answer), &answer["data"]), (vec![code], &Value::Null), "{text}");
        }
    }
    assert_eq!(ground.count("subscriber").await, 2);

    let nobody = json!({ "subscriber": null, "node": null });
    for (actor, id, name) in [
        (portal(&made), &made, Some("Asha Rao")),
        (portal(&made), &other, None),
        (portal(&other), &made, None),
        (owner(), &theirs, None),
        (staff_who_may(&["subscriber:read"]), &made, Some("Asha Rao")),
    ] {
        let answer = ground.ask(0, actor, BY_ID, json!({ "id": id })).await;
        assert_eq!(top(&answer), [""; 0]);
        match name {
            Some(name) => assert_eq!(answer["data"]["subscriber"]["name"], name),
            None => assert_eq!(answer["data"], nobody),
        }
    }
    let text = "query($id: ID!) { subscriber(id: $id) { name billTo { name } } subscribers(first: 1) { totalCount } }";
    let answer = ground.ask(0, portal(&other), text, json!({ "id": other })).await;
    assert_eq!(top(&answer), ["FORBIDDEN"]);
    assert_eq!(
        answer["data"],
        json!({ "subscriber": { "name": "Babu", "billTo": null }, "subscribers": null })
    );
    let answer = ground
        .ask(
            0,
            portal(&made),
            &update_text(),
            input(json!({ "id": made, "expectedVersion": 1 })),
        )
        .await;
    assert_eq!(top(&answer), ["FORBIDDEN"]);

    let answer = ground
        .ask(
            0,
            owner(),
            &update_text(),
            input(json!({ "id": theirs, "expectedVersion": 1, "name": "x" })),
        )
        .await;
    assert_eq!(refusals(&answer["data"]["subscriberUpdate"]), ["NOT_FOUND id"]);
    let answer = ground
        .ask(0, owner(), &create_text(), input(json!({ "name": "x", "billToId": theirs })))
        .await;
    assert_eq!(refusals(&answer["data"]["subscriberCreate"]), ["NOT_FOUND billToId"]);
    let answer = ground.ask_on(Host::Platform, owner(), BY_ID, own).await;
    assert_eq!((top(&answer), &answer["data"]), (vec!["FORBIDDEN"], &nobody));
}

#[tokio::test]
async fn malformed_ids_are_an_error_and_foreign_kinds_nobody() {
    let ground = Ground::new().await;
    for id in [
        "",
        "subscriber",
        "subscriber_",
        "subscriber_zz",
        "1",
        "' OR 1=1",
        "SUBSCRIBER_01939f00000070008000000000000000",
    ] {
        let answer = ground.ask(0, owner(), BY_ID, json!({ "id": id })).await;
        assert_eq!(top(&answer), ["BAD_ARGUMENT"; 2], "{id}");
    }
    let answer = ground
        .ask(0, owner(), BY_ID, json!({ "id": "plan_01939f00000070008000000000000000" }))
        .await;
    assert_eq!(
        (top(&answer), &answer["data"]),
        (vec![], &json!({ "subscriber": null, "node": null }))
    );
}

const PASSWORD_SET: &str = "mutation($input: SubscriberPasswordSetInput!) { subscriberPasswordSet(input: $input) {
    subscriber { id } userErrors { field code message } } }";

#[tokio::test]
async fn the_portal_password_is_set_by_staff_or_its_owner() {
    let ground = Ground::new().await;
    let made = ground.subscriber(full()).await["id"].take();
    let other = ground.subscriber(json!({ "name": "Babu" })).await["id"].take();
    let hash = async || -> Option<String> {
        let sql = format!(
            "SELECT portal_password_hash FROM \"{}\".subscriber WHERE name = 'Asha Rao'",
            ground.app.db.tenants[0].role
        );
        sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
            .fetch_one(&mut ground.app.db.admin().await)
            .await
            .unwrap()
    };
    assert_eq!(hash().await, None);
    for (actor, password) in [(owner(), "correct horse battery"), (portal(&made), "staple of my own")] {
        let of = input(json!({ "subscriberId": made, "password": password }));
        let answer = ground.ask(0, actor, PASSWORD_SET, of).await;
        assert_eq!(
            answer["data"]["subscriberPasswordSet"],
            json!({ "subscriber": { "id": made }, "userErrors": [] })
        );
        let hash = hash().await;
        assert!(verify_password(password, hash.as_deref()).await.unwrap());
    }
    let answer = ground
        .ask(
            0,
            portal(&other),
            PASSWORD_SET,
            input(json!({ "subscriberId": made, "password": "x".repeat(12) })),
        )
        .await;
    assert_eq!(top(&answer), ["FORBIDDEN"]);
    for (of, expected) in [
        (json!({ "subscriberId": made, "password": "short" }), "INVALID password"),
        (
            json!({ "subscriberId": "subscriber_01939f00000070008000000000000000", "password": "x".repeat(12) }),
            "NOT_FOUND subscriberId",
        ),
        (
            json!({ "subscriberId": "x", "password": "x".repeat(12) }),
            "INVALID subscriberId",
        ),
    ] {
        let data = ground.owner(PASSWORD_SET, input(of)).await;
        assert_eq!(refusals(&data["subscriberPasswordSet"]), [expected]);
    }
    assert!(verify_password("staple of my own", hash().await.as_deref()).await.unwrap());
}
