//! The log of a full run, at its most talkative, holds who asked where and nothing that anybody entered.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use serde_json::{Value, json};

use super::process::Running;
use crate::harness::{PASSWORD, SECRET, TestApp, execute, key};
use crate::isolation::inputs::Inputs;
use crate::isolation::schema::Schema;
use crate::jobs::probe::{CANARY as JOB_CANARY, enqueue, until};

/// Is a name, a password, a secret; with an address around it an e-mail.
const CANARY: &str = "canary-7f3a9c-canary";
const PHONE: &str = "+919845099117";
/// Looks like an id of a request, so the log takes it over: what is looked for would be found if it were there.
const PLANTED: &str = "feedface-0000-4000-8000-00000000cafe";

/// A line of the log, refused when it says a thing twice.
struct Line(BTreeMap<String, Value>);

impl<'de> Deserialize<'de> for Line {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Once;
        impl<'de> Visitor<'de> for Once {
            type Value = Line;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Line, A::Error> {
                let mut line = BTreeMap::new();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    if line.insert(name.clone(), value).is_some() {
                        return Err(serde::de::Error::custom(format!("{name} twice")));
                    }
                }
                Ok(Line(line))
            }
        }
        from.deserialize_map(Once)
    }
}

impl Line {
    fn text(&self, field: &str) -> Option<&str> {
        self.0.get(field)?.as_str()
    }

    fn has(&self, field: &str) -> bool {
        self.0.contains_key(field)
    }
}

/// The lines in which a secret stands, in whatever case.
fn holding<'l>(log: &'l str, secret: &str) -> Vec<&'l str> {
    let secret = secret.to_lowercase();
    log.lines().filter(|l| l.to_lowercase().contains(&secret)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_of_a_full_run_holds_nothing_that_was_entered() {
    let app = TestApp::new().await;
    app.jobs_may_remain();
    let server = Running::start(&app.db, &[("TRUNKLINE_LOG", "debug")]).await;
    let (asha, platform) = ("asha.localhost", "platform.localhost");
    let owner = server.sign_in(asha, "owner@asha.example").await;
    let admin = server.sign_in(platform, "admin@platform.example").await;
    let secrets = everyday(&server, asha, &owner).await;
    let asked = everything(&server, &[(asha, &owner), (platform, &admin)]).await;
    let anew = mishaps(&app, &server, asha).await;

    let log = server.log();
    let lines: Vec<Line> = log
        .lines()
        .map(|l| serde_json::from_str(l).unwrap_or_else(|e| panic!("{e}: {l}")))
        .collect();
    assert!(lines.len() > asked, "{} lines", lines.len());
    assert!(!holding(&log, PLANTED).is_empty(), "what is in the log is found");
    let database = std::str::from_utf8(SECRET).unwrap();
    let fixed = [CANARY, PHONE, JOB_CANARY, PASSWORD, &owner, &anew, &admin, database];
    let tokens: Vec<&str> = owner.split('.').chain(admin.split('.')).filter(|p| p.len() > 60).collect();
    for secret in fixed.into_iter().chain(tokens).chain(secrets.iter().map(String::as_str)) {
        assert!(secret.len() > 8, "{secret:?} is no canary");
        let found = holding(&log, secret);
        assert!(found.is_empty(), "{secret:?} stands in {} lines:\n{}", found.len(), found[0]);
    }
    each_line_tells_whose_it_is(&lines, asked);
}

/// What an ISP does all day, with canaries in all that people write. What else must not be seen comes back: tokens and
/// passwords that the server made or took.
async fn everyday(server: &Running, host: &str, owner: &str) -> Vec<String> {
    let email = format!("{CANARY}@{CANARY}.example");
    let address = json!({ "line1": CANARY, "city": CANARY, "region": "KL", "postalCode": "673001", "country": "IN" });
    let network = "network-canary-55aa";
    let subscriber = json!({ "name": CANARY, "email": email, "phone": PHONE, "address": address });
    let subscriber = server
        .mutate(host, owner, "subscriberCreate", subscriber, "subscriber { id accountNumber }")
        .await;
    let id = &subscriber["subscriber"]["id"];
    let plan = json!({ "code": "CANARY-7F3A9C-CANARY", "name": CANARY, "paymentMode": "PREPAID", "price": "650.00",
        "period": { "unit": "MONTH", "count": 1 }, "downloadKbps": 1000, "uploadKbps": 1000 });
    let plan = server.mutate(host, owner, "planCreate", plan, "plan { id }").await;
    let service = json!({ "subscriberId": id, "planId": plan["plan"]["id"], "username": CANARY, "password": network,
        "idempotencyKey": key() });
    server.mutate(host, owner, "serviceCreate", service, "service { id }").await;
    let payment =
        json!({ "subscriberId": id, "amount": "767.00", "method": "UPI", "reference": CANARY, "idempotencyKey": key() });
    server.mutate(host, owner, "paymentRecord", payment, "payment { id }").await;
    let portal = json!({ "subscriberId": id, "password": CANARY });
    server
        .mutate(host, owner, "subscriberPasswordSet", portal, "subscriber { id }")
        .await;
    for (name, input, selection) in [
        (
            "brandingUpdate",
            json!({ "expectedVersion": 1, "displayName": CANARY, "supportEmail": email }),
            "branding { displayName }",
        ),
        (
            "nasCreate",
            json!({ "name": CANARY, "address": "10.99.0.1", "secret": CANARY }),
            "nas { id }",
        ),
        (
            "staffInvite",
            json!({ "email": email, "role": "support" }),
            "invitation { id }",
        ),
    ] {
        server.mutate(host, owner, name, input, selection).await;
    }
    // Right, wrong and forgotten credentials, of somebody and of nobody.
    let account = subscriber["subscriber"]["accountNumber"].as_str().unwrap();
    let session = "session { accessToken refreshToken }";
    let signed_in = server
        .try_mutate(
            host,
            None,
            "subscriberSessionCreate",
            json!({ "login": account, "password": CANARY }),
            session,
        )
        .await;
    let token = |name: &str| {
        signed_in["session"][name]
            .as_str()
            .unwrap_or_else(|| panic!("{signed_in}"))
            .to_owned()
    };
    for (email, password) in [
        ("owner@asha.example", CANARY),
        (&email, CANARY),
        (&email, "wrong-canary-1234"),
    ] {
        let input = json!({ "email": email, "password": password });
        server.try_mutate(host, None, "sessionCreate", input, session).await;
        server
            .try_mutate(
                host,
                None,
                "passwordResetRequest",
                json!({ "email": email }),
                "sent: __typename",
            )
            .await;
    }
    let refreshed = server
        .try_mutate(
            host,
            None,
            "sessionRefresh",
            json!({ "refreshToken": token("refreshToken") }),
            session,
        )
        .await;
    let again = refreshed["session"]["refreshToken"]
        .as_str()
        .expect("a refresh token")
        .to_owned();
    vec![
        network.to_owned(),
        "wrong-canary-1234".to_owned(),
        token("accessToken"),
        token("refreshToken"),
        again,
    ]
}

/// Each argument of each query and mutation, with a canary where another kind of value may belong. The number of requests.
async fn everything(server: &Running, callers: &[(&str, &String)]) -> usize {
    let mut asked = 0;
    let schema = Schema::served();
    for root in schema.roots() {
        let places: Vec<String> = schema.positions(&root).into_iter().map(|(place, _)| place).collect();
        for place in places.iter().filter(|p| !p.ends_with("slug")) {
            let free = match place.to_lowercase() {
                p if p.ends_with("email") || p.ends_with("login") => format!("\"{CANARY}@{CANARY}.example\""),
                p if p.ends_with("phone") => format!("\"{PHONE}\""),
                _ => format!("\"{CANARY}\""),
            };
            let ids = schema
                .id_positions(&root)
                .into_iter()
                .map(|p| (p, format!("plan_{:032x}", 7)));
            let arguments = Inputs::of(&schema)
                .with_ids(ids.collect())
                .with_literal(place, &free)
                .arguments(&root);
            let document = schema.document(&root, &arguments);
            for (host, token) in callers {
                server.ask(host, Some(token), &document, json!({})).await;
                asked += 1;
            }
        }
    }
    assert!(asked > 200, "{asked} requests");
    asked
}

/// Jobs that fail, an error of the database's own, bad credentials, canaries in paths and headers.
/// The owner's new token: sessions were ended among all that was tried.
async fn mishaps(app: &TestApp, server: &Running, host: &str) -> String {
    let tenant = &app.db.tenants[0];
    let mut admin = app.db.admin().await;
    execute(&mut admin, format!("DELETE FROM {}.sign_in_failure", tenant.role)).await;
    let owner = server.sign_in(host, "owner@asha.example").await;
    for payload in [
        format!("'{{\"date\": \"{CANARY}\"}}'"),
        format!("'{{\"date\": {{\"x\": \"{JOB_CANARY}\"}}}}'"),
    ] {
        enqueue(&app.db, tenant, "billing.renew", &payload, 0, 1).await;
    }
    let broken = format!("ALTER TABLE {}.subscriber DROP COLUMN name CASCADE", tenant.role);
    execute(&mut admin, broken).await;
    let search = "query($s: String) { subscribers(first: 1, filter: { search: $s }) { nodes { name } } }";
    let (_, failed) = server.ask(host, Some(&owner), search, json!({ "s": CANARY })).await;
    let failed = failed.to_string();
    assert!(failed.contains("INTERNAL") && !failed.contains("does not exist"), "{failed}");
    server
        .ask(
            host,
            Some(&format!("{CANARY}.{CANARY}.{CANARY}")),
            "{ __typename }",
            json!({}),
        )
        .await;
    for id in [format!("{CANARY} {CANARY}"), PLANTED.to_owned()] {
        let odd = server.http.get(format!("{}/{CANARY}?token={CANARY}", server.public));
        let odd = odd.header("host", host).header("x-request-id", id);
        odd.header("user-agent", CANARY)
            .header("cookie", CANARY)
            .send()
            .await
            .unwrap();
    }
    until("failures of jobs are logged", Duration::from_secs(60), async || {
        server.log().matches("job failed").count() >= 2
    })
    .await;
    owner
}

/// The request's id and ISP, or the job's id, kind and ISP, on each line that was written while one was worked on.
fn each_line_tells_whose_it_is(lines: &[Line], asked: usize) {
    let of_requests: Vec<&Line> = lines.iter().filter(|l| l.text("route") == Some("/graphql")).collect();
    assert!(of_requests.len() > asked, "{} lines of requests", of_requests.len());
    for line in &of_requests {
        assert!(line.text("request_id").is_some_and(|id| id.len() == 36), "{:?}", line.0);
    }
    let of_asha = of_requests.iter().filter(|l| l.text("tenant") == Some("asha")).count();
    assert!(of_asha > asked / 2, "{of_asha} lines of an ISP's requests");
    // No statement of an ISP's is run for nobody: those outside requests and jobs are the worker's search for work and the like.
    let statements = lines.iter().filter(|l| l.text("target") == Some("sqlx::query"));
    let nobodys: Vec<&Line> = statements
        .filter(|l| !l.has("request_id") && !l.has("job"))
        .filter(|l| l.text("db.statement").is_some_and(|s| s.contains("subscriber")))
        .collect();
    assert!(nobodys.is_empty(), "{:?}", nobodys[0].0);
    let of_jobs: Vec<&Line> = lines.iter().filter(|l| l.has("job")).collect();
    assert!(of_jobs.iter().any(|l| l.text("message") == Some("job done")));
    for line in of_jobs {
        assert!(line.text("kind").is_some() && line.text("tenant").is_some(), "{:?}", line.0);
    }
    let broken = of_requests
        .iter()
        .find(|l| l.text("level") == Some("ERROR") && l.text("fields") == Some("subscribers"));
    let broken = broken.expect("the broken table was logged, with the field that was asked for");
    assert!(broken.text("error").is_some_and(|e| e.contains("42703")), "{:?}", broken.0);
}

#[test]
fn a_planted_secret_is_found() {
    let log = format!(
        "{{\"message\":\"fine\"}}\n{{\"error\":\"key (email)=({})\"}}\n",
        CANARY.to_uppercase()
    );
    assert_eq!(holding(&log, CANARY).len(), 1);
    assert!(serde_json::from_str::<Line>("{\"a\": 1, \"a\": 2}").is_err());
}
