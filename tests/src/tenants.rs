//! ISPs: opened whole or not at all, suspended at once, found by their hosts, seen by their owners only.

use std::time::Duration;

use serde_json::{Value, json};
use trunkline_domain::kernel::db::TenantStatus;
use trunkline_domain::tenants::Directory;

use crate::harness::{Answer, Ask, PASSWORD, TestApp, execute, id, key};

fn opening(slug: &str) -> Value {
    json!({
        "slug": slug, "name": format!("ISP {slug}"), "template": "in-broadband",
        "owner": { "name": "Olu", "email": format!("owner@{slug}.example"), "password": PASSWORD },
    })
}

async fn open(ask: &Ask<'_>, input: Value) -> Answer {
    let fields =
        "tenant { id slug name country currency timezone status template schemaVersion director { name } domains { id } }";
    ask.mutate("tenantCreate", input, fields).await
}

fn with(mut input: Value, changes: Value) -> Value {
    for (key, value) in changes.as_object().unwrap() {
        match value {
            Value::Object(inner) => inner.iter().for_each(|(k, v)| input[key][k] = v.clone()),
            value => input[key] = value.clone(),
        }
    }
    input
}

/// Everything that opening an ISP leaves behind.
async fn remains(app: &TestApp) -> (i64, i64, i64, i64, i64) {
    sqlx::query_as(
        "SELECT (SELECT count(*) FROM platform.tenant), (SELECT count(*) FROM platform.tenant_role),
             (SELECT count(*) FROM radius.tenant), (SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'tl%'),
             (SELECT count(*) FROM pg_roles WHERE rolname LIKE 'tl\\_' || (SELECT id FROM platform.installation) || '\\_t%')",
    )
    .fetch_one(&mut app.db.admin().await)
    .await
    .unwrap()
}

#[tokio::test]
async fn an_isp_opens_with_all_that_its_template_gives() {
    let app = TestApp::new().await;
    let platform = app.on_platform().as_platform_staff();
    let tenant = open(&platform, opening("dawn-net")).await.done()["tenant"].clone();
    assert_eq!(
        (
            &tenant["country"],
            &tenant["currency"],
            &tenant["timezone"],
            &tenant["status"]
        ),
        (&json!("IN"), &json!("INR"), &json!("Asia/Kolkata"), &json!("ACTIVE"))
    );
    assert_eq!((&tenant["director"], &tenant["domains"]), (&Value::Null, &json!([])));
    let owner = app.on("dawn-net").as_owner();
    let query = "{ tenantProfile { slug name } branding { displayName legalName } plans(first: 9) { totalCount }
        billingSettings { activation graceDays } roles { code } }";
    let answer = owner.gql(query, json!({})).await;
    assert_eq!(
        answer.at("tenantProfile"),
        json!({ "slug": "dawn-net", "name": "ISP dawn-net" })
    );
    assert_eq!(
        answer.at("branding"),
        json!({ "displayName": "ISP dawn-net", "legalName": "ISP dawn-net" })
    );
    assert_eq!(answer.at("plans.totalCount"), json!(3));
    assert_eq!(
        answer.at("billingSettings"),
        json!({ "activation": "ON_CREATE", "graceDays": 3 })
    );
    // It can do business at once.
    owner.first_subscriber("first").await;
    app.run_jobs().await;
}

#[tokio::test]
async fn another_currency_and_zone_leave_the_starter_plans_out() {
    let app = TestApp::new().await;
    let platform = app.on_platform().as_platform_staff();
    let changes = json!({ "currency": "USD", "timezone": "America/New_York" });
    let tenant = open(&platform, with(opening("usd-net"), changes)).await.done()["tenant"].clone();
    assert_eq!(
        (&tenant["currency"], &tenant["timezone"]),
        (&json!("USD"), &json!("America/New_York"))
    );
    let plans = app
        .on("usd-net")
        .as_owner()
        .gql("{ plans(first: 9) { totalCount } }", json!({}))
        .await;
    assert_eq!(plans.at("plans.totalCount"), json!(0));
}

#[tokio::test]
async fn bad_openings_are_refused_and_leave_nothing() {
    let app = TestApp::new().await;
    let platform = app.on_platform().as_platform_staff();
    let before = remains(&app).await;
    for (changes, refusal) in [
        (json!({ "slug": "Ab" }), "INVALID slug"),
        (json!({ "slug": "a\"; DROP SCHEMA platform CASCADE; --" }), "INVALID slug"),
        (json!({ "slug": "pg-net" }), "INVALID slug"),
        (json!({ "slug": "platform" }), "INVALID slug"),
        (json!({ "slug": "asha" }), "TAKEN slug"),
        (json!({ "name": " " }), "REQUIRED name"),
        (json!({ "template": "xx-none" }), "NOT_FOUND template"),
        (json!({ "template": "../in-broadband" }), "NOT_FOUND template"),
        (json!({ "timezone": "Mars/Olympus" }), "INVALID timezone"),
        (json!({ "owner": { "email": "nonsense" } }), "INVALID owner.email"),
        (json!({ "owner": { "password": "short" } }), "INVALID owner.password"),
        (
            json!({ "directorId": "director_0193f0000000700080000000000000ff" }),
            "NOT_FOUND directorId",
        ),
        (
            json!({ "directorId": "tenant_0193f0000000700080000000000000ff" }),
            "NOT_FOUND directorId",
        ),
        (json!({ "directorId": "nonsense" }), "INVALID directorId"),
    ] {
        let answer = open(&platform, with(opening("fresh"), changes)).await;
        assert_eq!(answer.refusals(), [refusal]);
    }
    let answer = open(&platform, with(opening("fresh"), json!({ "currency": "XXQ" }))).await;
    assert_eq!(answer.code().as_deref(), Some("BAD_ARGUMENT"));
    for (ask, code) in [
        (app.on_platform(), "UNAUTHENTICATED"),
        (app.on("asha"), "UNAUTHENTICATED"),
        (app.on("asha").as_owner(), "FORBIDDEN"),
    ] {
        assert_eq!(open(&ask, opening("fresh")).await.code().as_deref(), Some(code));
    }
    assert_eq!(remains(&app).await, before);
}

/// A failure after the schema was made, in the middle of the template's rows.
#[tokio::test]
async fn a_failure_half_way_leaves_nothing() {
    let app = TestApp::new().await;
    let platform = app.on_platform().as_platform_staff();
    let before = remains(&app).await;
    let mut admin = app.db.admin().await;
    // Events of new tables cannot be inserted: the last thing that opening does fails.
    execute(
        &mut admin,
        "CREATE FUNCTION public.sabotage() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
             IF EXISTS (SELECT 1 FROM pg_event_trigger_ddl_commands() c WHERE c.object_identity LIKE '%.tax_rule_set') THEN
                 EXECUTE (SELECT 'ALTER TABLE ' || c.object_identity || ' ADD CHECK (version < 0)'
                          FROM pg_event_trigger_ddl_commands() c WHERE c.object_identity LIKE '%.tax_rule_set' LIMIT 1);
             END IF; END $$;
         CREATE EVENT TRIGGER sabotage ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION public.sabotage()"
            .into(),
    )
    .await;
    let input = with(opening("half-way"), json!({ "idempotencyKey": key() }));
    assert_eq!(open(&platform, input.clone()).await.code().as_deref(), Some("INTERNAL"));
    assert_eq!(remains(&app).await, before);
    execute(&mut admin, "DROP EVENT TRIGGER sabotage".into()).await;
    // The key was not used up, and the connection is fit for use.
    open(&platform, input).await.done();
}

#[tokio::test]
async fn of_two_at_once_one_gets_the_name() {
    let app = TestApp::new().await;
    let platform = app.on_platform().as_platform_staff();
    let (a, b) = tokio::join!(open(&platform, opening("race")), open(&platform, opening("race")));
    let mut refusals = [a.refusals(), b.refusals()];
    refusals.sort();
    assert_eq!(refusals, [vec![], vec!["TAKEN slug".to_owned()]]);
}

#[tokio::test]
async fn the_same_key_opens_one_isp() {
    let app = TestApp::new().await;
    let platform = app.on_platform().as_platform_staff();
    let before = remains(&app).await;
    let input = with(opening("keyed"), json!({ "idempotencyKey": key() }));
    let all = futures::future::join_all((0..6).map(|_| open(&platform, input.clone()))).await;
    let ids: Vec<String> = all.iter().map(|a| id(&a.done()["tenant"])).collect();
    assert!(ids.iter().all(|i| *i == ids[0]), "{ids:?}");
    assert_eq!(remains(&app).await.0, before.0 + 1);
    for changes in [
        json!({ "name": "Other" }),
        json!({ "owner": { "password": "another password" } }),
    ] {
        let answer = open(&platform, with(input.clone(), changes)).await;
        assert_eq!(answer.refusals(), ["IDEMPOTENCY_KEY_REUSED idempotencyKey"]);
    }
}

#[tokio::test]
async fn a_director_sees_and_opens_its_own() {
    let app = TestApp::new().await;
    let platform = app.on_platform().as_platform_staff();
    let director = app.on_platform().as_director();
    let query = "{ tenants(first: 10) { totalCount nodes { id slug director { id name tenants { nodes { slug } } } } } }";
    let all = platform.gql(query, json!({})).await;
    let slugs = |answer: &Answer| -> Vec<String> {
        let nodes = answer.at("tenants.nodes");
        nodes
            .as_array()
            .unwrap()
            .iter()
            .map(|n| n["slug"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(slugs(&all), ["asha", "baraka", "chandra"]);
    let own = director.gql(query, json!({})).await;
    assert_eq!(
        (slugs(&own), own.at("tenants.totalCount")),
        (vec!["chandra".to_owned()], json!(1))
    );
    let meridian = own.at("tenants.nodes.0.director");
    assert_eq!(meridian["tenants"]["nodes"], json!([{ "slug": "chandra" }]));

    let asha = all.at("tenants.nodes.0.id");
    let find = "query($id: ID!) { tenant(id: $id) { slug } node(id: $id) { id } }";
    let foreign = director.gql(find, json!({ "id": asha })).await;
    assert_eq!((foreign.at("tenant"), foreign.at("node")), (Value::Null, Value::Null));
    for (search, expected) in [("CHANDRA", 1), ("ash", 1), ("fibre", 1), ("%", 0), ("zz", 0)] {
        let query = "query($s: String) { tenants(first: 10, search: $s, status: ACTIVE) { totalCount } }";
        let found = platform.gql(query, json!({ "s": search })).await;
        assert_eq!(found.at("tenants.totalCount"), json!(expected), "{search}");
    }

    let input = json!({ "name": "Second", "account": { "name": "Sita", "email": "sita@second.example", "password": PASSWORD } });
    let second = platform
        .mutate("directorCreate", input.clone(), "director { id name }")
        .await
        .done()["director"]
        .clone();
    let again = platform.mutate("directorCreate", input.clone(), "director { id }").await;
    assert_eq!(again.refusals(), ["TAKEN account.email"]);
    assert_eq!(
        director
            .mutate("directorCreate", input, "director { id }")
            .await
            .code()
            .as_deref(),
        Some("FORBIDDEN")
    );
    assert_eq!(
        director
            .gql("{ directors(first: 5) { nodes { id } } }", json!({}))
            .await
            .code()
            .as_deref(),
        Some("FORBIDDEN")
    );
    let directors = platform.gql("{ directors(first: 5) { totalCount } }", json!({})).await;
    assert_eq!(directors.at("directors.totalCount"), json!(2));

    let own = open(&director, opening("own")).await.done()["tenant"].clone();
    assert_eq!(own["director"]["name"], "Meridian Holdings");
    open(&director, with(opening("own-too"), json!({ "directorId": meridian["id"] })))
        .await
        .done();
    let another = open(&director, with(opening("theirs"), json!({ "directorId": second["id"] }))).await;
    assert_eq!(another.refusals(), ["NOT_FOUND directorId"]);
    let sita = app.on_platform().as_login("sita@second.example");
    assert_eq!(sita.gql(query, json!({})).await.at("tenants.totalCount"), json!(0));

    for mutation in ["tenantSuspend", "tenantResume"] {
        let input = if mutation == "tenantSuspend" {
            json!({ "id": own["id"], "reason": "x" })
        } else {
            json!({ "id": own["id"] })
        };
        assert_eq!(
            director.mutate(mutation, input, "tenant { id }").await.code().as_deref(),
            Some("FORBIDDEN")
        );
    }
    for ask in [app.on("asha").as_owner(), app.on("chandra").as_owner()] {
        assert_eq!(ask.gql(query, json!({})).await.code().as_deref(), Some("FORBIDDEN"));
        assert_eq!(
            ask.gql("query($id: ID!) { node(id: $id) { id } }", json!({ "id": asha }))
                .await
                .at("node"),
            Value::Null
        );
    }
}

#[tokio::test]
async fn a_suspended_isp_serves_nobody() {
    let app = TestApp::new().await;
    let platform = app.on_platform().as_platform_staff();
    let owner = app.on("asha").as_owner();
    let (subscriber, number) = owner.subscriber("Meera", json!({})).await;
    owner.portal_password(&subscriber).await;
    let meera = app.on("asha").as_subscriber(&number);
    let plans = "{ plans(first: 1) { nodes { id } } }";
    for ask in [&owner, &meera] {
        assert_eq!(ask.gql(plans, json!({})).await.code(), None);
    }
    // Another process, which has seen the ISP open and remembers it.
    let elsewhere = Directory::new(app.app.database.clone(), "localhost");
    let listening = tokio::spawn(elsewhere.clone().listen());
    tokio::time::sleep(Duration::from_millis(300)).await;
    let status = async || elsewhere.by_slug("asha").await.unwrap().unwrap().status();
    assert_eq!(status().await, TenantStatus::Active);

    let tenant = platform
        .gql("{ tenants(first: 1, search: \"asha\") { nodes { id } } }", json!({}))
        .await
        .at("tenants.nodes.0.id");
    let suspend = json!({ "id": tenant, "reason": "unpaid" });
    let blank = json!({ "id": tenant, "reason": " " });
    assert_eq!(
        platform.mutate("tenantSuspend", blank, "tenant { id }").await.refusals(),
        ["REQUIRED reason"]
    );
    let done = platform
        .mutate("tenantSuspend", suspend.clone(), "tenant { status suspensionReason }")
        .await
        .done();
    assert_eq!(done["tenant"], json!({ "status": "SUSPENDED", "suspensionReason": "unpaid" }));
    assert_eq!(
        platform.mutate("tenantSuspend", suspend, "tenant { id }").await.refusals(),
        ["INVALID_STATE id"]
    );

    for ask in [&owner, &meera] {
        assert_eq!(ask.gql(plans, json!({})).await.code().as_deref(), Some("TENANT_SUSPENDED"));
    }
    let sign_in = json!({ "email": "owner@asha.example", "password": PASSWORD });
    let answer = app.on("asha").mutate("sessionCreate", sign_in, "session { expiresAt }").await;
    assert_eq!(answer.code().as_deref(), Some("TENANT_SUSPENDED"));
    assert_eq!(app.on("baraka").as_owner().gql(plans, json!({})).await.code(), None);
    let radius = async || -> String {
        sqlx::query_scalar("SELECT status FROM radius.tenant WHERE tenant_id = $1")
            .bind(app.db.tenants[0].number)
            .fetch_one(&mut app.db.admin().await)
            .await
            .unwrap()
    };
    assert_eq!(radius().await, "suspended");
    // Long before its memory would have faded.
    let heard = async {
        while status().await != TenantStatus::Suspended {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(3), heard)
        .await
        .expect("the other process hears of it");
    listening.abort();

    let resume = json!({ "id": tenant });
    platform
        .mutate("tenantResume", resume.clone(), "tenant { status }")
        .await
        .done();
    assert_eq!(
        platform.mutate("tenantResume", resume, "tenant { id }").await.refusals(),
        ["INVALID_STATE id"]
    );
    assert_eq!(owner.gql(plans, json!({})).await.code(), None);
    assert_eq!(radius().await, "active");
    app.run_jobs().await;
}
