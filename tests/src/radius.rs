//! Real RADIUS packets: FreeRADIUS from `deploy/freeradius` answers what the product decided, and what it records comes
//! back through GraphQL.

use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use crate::harness::{Ask, FreeRadius, Nas, TestApp, key};

const PASSWORD: &str = "network-secret";
const WRONG: &str = "Invalid user name or password";
const ASHA: Nas = Nas {
    address: "127.0.0.2",
    secret: "secret-of-asha-nas",
};
const CHANDRA: Nas = Nas {
    address: "127.0.0.3",
    secret: "secret-of-chandra-nas",
};

/// The ISP's router is taken up.
async fn take_up(ask: &Ask<'_>, nas: &Nas, vendor: &str) -> String {
    let input =
        json!({ "name": format!("router {}", nas.address), "address": nas.address, "secret": nas.secret, "vendor": vendor });
    let answer = ask.mutate("nasCreate", input, "nas { id }").await;
    answer.done()["nas"]["id"].as_str().unwrap().to_owned()
}

async fn sessions(ask: &Ask<'_>, filter: Value) -> Vec<Value> {
    let query = "query($filter: RadiusSessionFilter) { radiusSessions(first: 50, filter: $filter) {
        nodes { username callingStationId framedIpAddress uploadBytes downloadBytes endedAt terminateCause service { id } nas { name } } } }";
    let answer = ask.gql(query, json!({ "filter": filter })).await;
    answer.at("radiusSessions.nodes").as_array().unwrap().clone()
}

async fn usage(ask: &Ask<'_>, service: &str) -> (Value, Value) {
    let query = "query($id: ID!) { service(id: $id) { online usage(range: { from: \"2026-04-01\", to: \"2026-04-02\" }) {
        uploadBytes downloadBytes sessionSeconds daily { date uploadBytes downloadBytes } } } }";
    let answer = ask.gql(query, json!({ "id": service })).await;
    (answer.at("service.online"), answer.at("service.usage"))
}

async fn count(app: &TestApp, sql: &'static str) -> i64 {
    sqlx::query_scalar(AssertSqlSafe(sql))
        .fetch_one(&mut app.db.admin().await)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_subscriber_logs_in_and_what_it_uses_is_recorded() {
    let app = TestApp::new().await;
    let owner = app.on("asha").as_owner();
    take_up(&owner, &ASHA, "MIKROTIK").await;
    let ravi = owner.first_subscriber("ravi").await;
    app.run_jobs().await;
    let radius = FreeRadius::start(&app.db).await;

    let login = radius.login(&ASHA, "ravi", PASSWORD, "AA:00:00:00:00:01").await;
    login.accepted();
    // From the router's side: the subscriber's upload first.
    assert_eq!(login.attribute("Mikrotik-Rate-Limit").as_deref(), Some("10M/50M"));
    let class = login.attribute("Class").expect("a Class");
    radius.login(&ASHA, "RAVI", PASSWORD, "AA:00:00:00:00:01").await.accepted();
    radius
        .login(&ASHA, "ravi", "wrong", "AA:00:00:00:00:01")
        .await
        .rejected(WRONG);
    radius
        .login(&ASHA, "nobody", PASSWORD, "AA:00:00:00:00:01")
        .await
        .rejected(WRONG);
    let stranger = Nas {
        address: "127.0.0.77",
        ..ASHA
    };
    assert_eq!(
        radius.login_unanswered(&stranger, "ravi", PASSWORD).await.code,
        None,
        "a stranger is not answered"
    );
    let imposter = Nas {
        secret: "not-the-secret",
        ..ASHA
    };
    assert_eq!(
        radius.login_unanswered(&imposter, "ravi", PASSWORD).await.code,
        None,
        "a wrong secret is not answered"
    );

    let at = [
        ("Class", class.as_str()),
        ("Calling-Station-Id", "AA:00:00:00:00:01"),
        ("Framed-IP-Address", "100.64.0.9"),
    ];
    // The router's own clock: ten minutes before the test's.
    let start = [&at[..], &[("Event-Timestamp", "1775017200")]].concat();
    assert!(radius.account(&ASHA, "Start", "ravi", "s-1", &start).await);
    assert_eq!(usage(&owner, &ravi.service).await.0, json!(true));
    let interim = [
        ("Event-Timestamp", "1775017500"),
        ("Acct-Session-Time", "300"),
        ("Acct-Input-Octets", "1000"),
        ("Acct-Output-Octets", "5"),
        ("Acct-Output-Gigawords", "2"),
    ];
    assert!(
        radius
            .account(&ASHA, "Interim-Update", "ravi", "s-1", &[&at[..], &interim].concat())
            .await
    );
    let open = sessions(&owner, json!({ "online": true })).await;
    assert_eq!(
        open,
        [json!({
            "username": "ravi", "callingStationId": "AA:00:00:00:00:01", "framedIpAddress": "100.64.0.9", "uploadBytes": "1000",
            "downloadBytes": "8589934597", "endedAt": null, "terminateCause": null, "service": { "id": ravi.service },
            "nas": { "name": "router 127.0.0.2" },
        })]
    );

    let stop = [
        ("Event-Timestamp", "1775017800"),
        ("Acct-Session-Time", "600"),
        ("Acct-Input-Octets", "2000"),
        ("Acct-Output-Octets", "10"),
        ("Acct-Output-Gigawords", "2"),
        ("Acct-Terminate-Cause", "User-Request"),
    ];
    let stop = [&at[..], &stop].concat();
    for _ in 0..3 {
        assert!(
            radius.account(&ASHA, "Stop", "ravi", "s-1", &stop).await,
            "a repeated packet is acknowledged again"
        );
    }
    assert!(
        radius.account(&ASHA, "Start", "ravi", "s-1", &start).await,
        "a late Start does not reopen"
    );
    assert_eq!(sessions(&owner, json!({ "online": true })).await, [Value::Null; 0]);
    let range = json!({ "started": { "from": "2026-04-01", "to": "2026-04-01" } });
    let ended = sessions(&owner, range.clone()).await;
    assert_eq!(ended.len(), 1, "{ended:?}");
    assert_eq!(
        (&ended[0]["uploadBytes"], &ended[0]["terminateCause"]),
        (&json!("2000"), &json!("User-Request"))
    );
    let (online, used) = usage(&owner, &ravi.service).await;
    assert_eq!(online, json!(false));
    assert_eq!(
        used,
        json!({
            "uploadBytes": "2000", "downloadBytes": "8589934602", "sessionSeconds": "600",
            "daily": [{ "date": "2026-04-01", "uploadBytes": "2000", "downloadBytes": "8589934602" }],
        })
    );
    // In the month's partition, once; and nobody else's.
    let placed = "SELECT count(*) FROM radius.radacct WHERE tableoid::regclass::text LIKE 'radius.radacct_202604%' AND acctoutputoctets = 8589934602";
    assert_eq!(count(&app, placed).await, 1);
    assert_eq!(
        count(&app, "SELECT count(*) FROM radius.radpostauth WHERE reply = 'Access-Reject'").await,
        2
    );
    let other = app.on("chandra").as_owner();
    assert_eq!(sessions(&other, range).await, [Value::Null; 0]);
    assert_eq!(usage(&other, &ravi.service).await.0, Value::Null);
}

#[tokio::test]
async fn one_user_name_in_two_isps_is_two_people() {
    let app = TestApp::new().await;
    let (asha, chandra) = (app.on("asha").as_owner(), app.on("chandra").as_owner());
    take_up(&asha, &ASHA, "MIKROTIK").await;
    take_up(&chandra, &CHANDRA, "GENERIC").await;
    let ours = asha.first_subscriber("same").await;
    let slow = chandra
        .plan("slow", json!({ "downloadKbps": 8_000, "uploadKbps": 2_500 }))
        .await;
    let (them, _) = chandra.subscriber("Them", json!({})).await;
    let (theirs, _) = chandra
        .service(&them, &slow, "same", json!({ "password": "another-secret" }))
        .await;
    app.run_jobs().await;
    let radius = FreeRadius::start(&app.db).await;

    let here = radius.login(&ASHA, "same", PASSWORD, "M1").await;
    assert_eq!(here.accepted().attribute("Mikrotik-Rate-Limit").as_deref(), Some("10M/50M"));
    let there = radius.login(&CHANDRA, "same", "another-secret", "M2").await;
    let there = there.accepted();
    assert_eq!(there.attribute("WISPr-Bandwidth-Max-Up").as_deref(), Some("2500000"));
    assert_eq!(there.attribute("WISPr-Bandwidth-Max-Down").as_deref(), Some("8000000"));
    radius.login(&CHANDRA, "same", PASSWORD, "M1").await.rejected(WRONG);
    radius.login(&ASHA, "same", "another-secret", "M2").await.rejected(WRONG);

    // Even the session ids are the same.
    for (nas, octets) in [(&ASHA, "111"), (&CHANDRA, "222")] {
        let counters = [
            ("Acct-Session-Time", "60"),
            ("Acct-Input-Octets", octets),
            ("Acct-Output-Octets", octets),
        ];
        assert!(radius.account(nas, "Start", "same", "s-1", &[]).await);
        assert!(radius.account(nas, "Interim-Update", "same", "s-1", &counters).await);
    }
    for (ask, service, octets) in [(&asha, json!(ours.service), "111"), (&chandra, theirs["id"].clone(), "222")] {
        let open = sessions(ask, json!({ "online": true })).await;
        assert_eq!(open.len(), 1, "{open:?}");
        assert_eq!(
            (&open[0]["service"]["id"], &open[0]["uploadBytes"]),
            (&service, &json!(octets))
        );
        let (_, used) = usage(ask, service.as_str().unwrap()).await;
        assert_eq!(used["uploadBytes"], octets);
    }
}

#[tokio::test]
async fn switching_off_and_on_holds_at_the_next_login() {
    let app = TestApp::new().await;
    let owner = app.on("asha").as_owner();
    take_up(&owner, &ASHA, "MIKROTIK").await;
    let ravi = owner.first_subscriber("ravi").await;
    app.run_jobs().await;
    let radius = FreeRadius::start(&app.db).await;
    radius.login(&ASHA, "ravi", PASSWORD, "M1").await.accepted();

    let suspend = json!({ "id": ravi.service, "reason": "moved house", "idempotencyKey": key() });
    owner.mutate("serviceSuspend", suspend, "service { status }").await.done();
    app.run_jobs().await;
    radius
        .login(&ASHA, "ravi", PASSWORD, "M1")
        .await
        .rejected("Account suspended");
    radius.login(&ASHA, "ravi", "wrong", "M1").await.rejected(WRONG);
    let resume = json!({ "id": ravi.service, "idempotencyKey": key() });
    owner.mutate("serviceResume", resume, "service { status }").await.done();
    app.run_jobs().await;
    radius.login(&ASHA, "ravi", PASSWORD, "M1").await.accepted();

    let password = json!({ "id": ravi.service, "password": "a-new-network-secret" });
    owner.mutate("servicePasswordSet", password, "service { id }").await.done();
    app.run_jobs().await;
    radius.login(&ASHA, "ravi", PASSWORD, "M1").await.rejected(WRONG);
    radius.login(&ASHA, "ravi", "a-new-network-secret", "M1").await.accepted();

    let platform = app.on_platform().as_platform_staff();
    let id = json!(format!("tenant_{}", tenant_uid(&app, "asha").await));
    platform
        .mutate("tenantSuspend", json!({ "id": id, "reason": "unpaid" }), "tenant { status }")
        .await
        .done();
    let reply = radius.login(&ASHA, "ravi", "a-new-network-secret", "M1").await;
    assert_ne!(
        reply.code.as_deref(),
        Some("Access-Accept"),
        "a suspended ISP's subscribers do not get on line"
    );
    platform
        .mutate("tenantResume", json!({ "id": id }), "tenant { status }")
        .await
        .done();
    // FreeRADIUS may remember for a second that the router was nobody's.
    tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
    radius.login(&ASHA, "ravi", "a-new-network-secret", "M1").await.accepted();
}

async fn tenant_uid(app: &TestApp, slug: &str) -> String {
    let uid: uuid::Uuid = sqlx::query_scalar("SELECT uid FROM platform.tenant WHERE slug = $1")
        .bind(slug)
        .fetch_one(&mut app.db.admin().await)
        .await
        .unwrap();
    uid.simple().to_string()
}

#[tokio::test]
async fn no_more_sessions_than_the_plan_allows() {
    let app = TestApp::new().await;
    let owner = app.on("asha").as_owner();
    take_up(&owner, &ASHA, "MIKROTIK").await;
    owner.first_subscriber("one").await;
    let two = owner.plan("two", json!({ "simultaneousSessions": 2 })).await;
    let (family, _) = owner.subscriber("Family", json!({})).await;
    owner.service(&family, &two, "family", json!({})).await;
    app.run_jobs().await;
    let radius = FreeRadius::start(&app.db).await;

    let class = radius
        .login(&ASHA, "one", PASSWORD, "M1")
        .await
        .accepted()
        .attribute("Class")
        .unwrap();
    radius
        .login(&ASHA, "one", PASSWORD, "M2")
        .await
        .rejected("Session limit reached");
    radius.login(&ASHA, "one", PASSWORD, "M1").await.accepted();
    let at = [("Class", class.as_str()), ("Calling-Station-Id", "M1")];
    assert!(radius.account(&ASHA, "Start", "one", "s-1", &at).await);
    radius
        .login(&ASHA, "one", PASSWORD, "M2")
        .await
        .rejected("Session limit reached");
    assert!(radius.account(&ASHA, "Stop", "one", "s-1", &at).await);
    radius.login(&ASHA, "one", PASSWORD, "M2").await.accepted();

    radius.login(&ASHA, "family", PASSWORD, "M1").await.accepted();
    radius.login(&ASHA, "family", PASSWORD, "M2").await.accepted();
    radius
        .login(&ASHA, "family", PASSWORD, "M3")
        .await
        .rejected("Session limit reached");
}

/// A prepaid hotspot plan gives access when it is paid for, and takes it back when its time is over.
#[tokio::test]
async fn prepaid_access_begins_with_the_payment_and_ends_with_its_time() {
    let app = TestApp::new().await;
    let owner = app.on("baraka").as_owner();
    take_up(&owner, &ASHA, "MIKROTIK").await;
    let hourly = json!({ "kind": "HOTSPOT", "price": "20.00", "period": { "unit": "HOUR", "count": 1 } });
    let plan = owner.plan("one-hour", hourly).await;
    let address = json!({ "address": { "line1": "Moi Avenue", "city": "Nairobi", "country": "KE" } });
    let (amina, _) = owner.subscriber("Amina", address).await;
    let (_, invoice) = owner.service(&amina, &plan, "amina", json!({})).await;
    app.run_jobs().await;
    let radius = FreeRadius::start(&app.db).await;
    radius
        .login(&ASHA, "amina", PASSWORD, "M1")
        .await
        .rejected("Account not active yet");

    owner.pay(&amina, invoice["total"]["amount"].as_str().unwrap()).await;
    app.run_jobs().await;
    let login = radius.login(&ASHA, "amina", PASSWORD, "M1").await;
    let left: u32 = login
        .accepted()
        .attribute("Session-Timeout")
        .expect("the session ends with its time")
        .parse()
        .unwrap();
    assert!(left > 3_000, "{left} seconds");

    // An hour and three days of grace later.
    app.set_clock("2026-04-04T05:45:00Z").await;
    let login = radius.login(&ASHA, "amina", PASSWORD, "M1").await;
    assert_eq!(login.code.as_deref(), Some("Access-Reject"), "{}", login.text);
    app.jobs_may_remain();
}
