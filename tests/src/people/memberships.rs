//! One person in many ISPs: joins, goes from one to the other, leaves; and no ISP learns of another.

use std::collections::BTreeSet;

use axum::http::StatusCode;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Row};

use super::invitations::sent;
use super::{actions, give_role, staff};
use crate::harness::{Answer, Ask, PASSWORD, TestApp, Who, execute};

pub const NIA: &str = "nia@mail.example";
pub const VIEWER: &str = "{ viewer { id kind name email permissions } }";

/// Invites Nia to an ISP; the code that she is sent.
pub async fn invited(app: &TestApp, slug: &str, role: &str) -> String {
    let input = json!({ "email": NIA, "role": role });
    let owner = app.on(slug).as_owner();
    owner.mutate("staffInvite", input, "invitation { id }").await.done();
    sent(app).await
}

/// Nia makes her account with an invitation of `asha`.
pub async fn nia(app: &TestApp) -> Ask<'_> {
    let code = invited(app, "asha", "support").await;
    let input = json!({ "host": "asha.localhost", "code": code, "name": "Nia New", "password": PASSWORD });
    let made = app.on_platform().mutate("personCreate", input, "membership { id }").await;
    made.done();
    app.on_platform().as_login(NIA)
}

pub async fn join(ask: &Ask<'_>, slug: &str, code: &str) -> Answer {
    let input = json!({ "host": format!("{slug}.localhost"), "code": code });
    ask.mutate("membershipJoin", input, "membership { id host open tenant { slug } }")
        .await
}

pub async fn list(ask: &Ask<'_>) -> Vec<Value> {
    let query = "{ memberships { id host open lastEnteredAt tenant { slug name } } }";
    ask.gql(query, json!({})).await.at("memberships").as_array().unwrap().clone()
}

/// One's membership of an ISP.
pub async fn membership(ask: &Ask<'_>, slug: &str) -> String {
    let all = list(ask).await;
    let found = all.iter().find(|m| m["tenant"]["slug"] == slug);
    found.unwrap_or_else(|| panic!("not a member of {slug}: {all:?}"))["id"]
        .as_str()
        .unwrap()
        .to_owned()
}

pub async fn open(ask: &Ask<'_>, membership: &str) -> Answer {
    let input = json!({ "membershipId": membership });
    ask.mutate("tenantSessionOpen", input, "entry { code host expiresAt }").await
}

pub async fn code_for(ask: &Ask<'_>, slug: &str) -> String {
    let membership = membership(ask, slug).await;
    let entry = open(ask, &membership).await.done()["entry"].clone();
    assert_eq!(entry["host"], format!("{slug}.localhost"));
    entry["code"].as_str().unwrap().to_owned()
}

pub async fn exchange(app: &TestApp, slug: &str, code: &str) -> Answer {
    let session = "session { accessToken refreshToken viewer { id kind name email permissions tenant { slug } } }";
    app.on(slug).mutate("sessionExchange", json!({ "code": code }), session).await
}

/// Goes to an ISP; the caller who is signed in there.
pub async fn enter<'a>(app: &'a TestApp, ask: &Ask<'_>, slug: &str) -> Ask<'a> {
    let code = code_for(ask, slug).await;
    let session = exchange(app, slug, &code).await.done()["session"].clone();
    app.on(slug)
        .with(Who::Token(session["accessToken"].as_str().unwrap().to_owned()))
}

pub async fn link_code(ask: &Ask<'_>) -> String {
    let answer = ask
        .gql(
            "mutation { staffLinkCreate { link { code expiresAt } userErrors { code } } }",
            json!({}),
        )
        .await;
    answer.text_at("staffLinkCreate.link.code")
}

pub async fn unlink(ask: &Ask<'_>, id: &str) -> Answer {
    ask.mutate("staffUnlink", json!({ "id": id }), "staff { id linked }").await
}

pub const REFUSED: [&str; 1] = ["INVALID_CREDENTIALS code"];

pub fn schema<'a>(app: &'a TestApp, slug: &str) -> &'a str {
    &app.db.tenants.iter().find(|t| t.slug == slug).unwrap().role
}

#[tokio::test]
async fn who_is_invited_makes_an_account_and_goes_in_from_there() {
    let app = TestApp::new().await;
    let nia = nia(&app).await;
    let viewer = nia.gql(VIEWER, json!({})).await.at("viewer");
    assert_eq!(
        (&viewer["kind"], &viewer["name"], &viewer["email"], &viewer["permissions"]),
        (&json!("PERSON"), &json!("Nia New"), &json!(NIA), &json!([]))
    );
    // Neither platform staff nor a director.
    for query in [
        "{ tenants(first: 1) { nodes { id } } }",
        "{ directors(first: 1) { nodes { id } } }",
    ] {
        assert_eq!(
            nia.gql(query, json!({})).await.code().as_deref(),
            Some("FORBIDDEN"),
            "{query}"
        );
    }
    let all = list(&nia).await;
    assert_eq!(all.len(), 1);
    assert_eq!(
        (&all[0]["tenant"], &all[0]["host"], &all[0]["open"], &all[0]["lastEnteredAt"]),
        (
            &json!({ "slug": "asha", "name": "Asha Fibre" }),
            &json!("asha.localhost"),
            &json!(true),
            &Value::Null
        )
    );
    let code = code_for(&nia, "asha").await;
    let session = exchange(&app, "asha", &code).await.done()["session"].clone();
    let inside = &session["viewer"];
    assert_eq!(
        (&inside["kind"], &inside["name"], &inside["email"], &inside["tenant"]["slug"]),
        (&json!("TENANT_STAFF"), &json!("Nia New"), &json!(NIA), &json!("asha"))
    );
    assert!(inside["permissions"].as_array().unwrap().contains(&json!("subscriber:write")));
    assert!(session["refreshToken"].is_string());
    assert!(list(&nia).await[0]["lastEnteredAt"].is_string());
    // The token is worth what a password would have brought, and only there.
    let token = session["accessToken"].as_str().unwrap();
    let there = app.on("asha").with(Who::Token(token.to_owned()));
    assert_eq!(there.gql(VIEWER, json!({})).await.at("viewer.id"), inside["id"]);
    let elsewhere = app.on_platform().with(Who::Token(token.to_owned()));
    assert_eq!(elsewhere.gql(VIEWER, json!({})).await.status, StatusCode::UNAUTHORIZED);

    // The ISP has it in its own books: who, when and how; the platform in its own.
    let mut admin = app.db.admin().await;
    let role = schema(&app, "asha");
    let entries: Vec<(String, String, Value)> = sqlx::query_as(AssertSqlSafe(format!(
        "SELECT actor_kind, 'staff_' || replace(actor_id::text, '-', ''), detail FROM {role}.audit_entry WHERE action = 'sessionExchange'"
    )))
    .fetch_all(&mut admin)
    .await
    .unwrap();
    assert_eq!(entries.len(), 1);
    assert_eq!(
        (entries[0].0.as_str(), &json!(entries[0].1), &entries[0].2),
        ("TENANT_STAFF", &inside["id"], &json!({ "from": "platform" }))
    );
    let platform = actions(&mut admin, "platform").await;
    for action in ["personCreate", "membershipJoin", "tenantSessionOpen", "sessionExchange"] {
        assert_eq!(platform.iter().filter(|a| *a == action).count(), 1, "{action}");
    }
    // There is no password of the ISP's own that anybody knows.
    let input = json!({ "email": NIA, "password": PASSWORD });
    let local = app.on("asha").mutate("sessionCreate", input, "session { accessToken }").await;
    assert_eq!(local.refusals(), ["INVALID_CREDENTIALS"]);
    app.run_jobs().await;
}

#[tokio::test]
async fn an_account_takes_a_code_and_an_address_of_its_own() {
    let app = TestApp::new().await;
    let code = invited(&app, "asha", "support").await;
    let person = async |host: &str, code: &str, name: &str, password: &str| {
        let input = json!({ "host": host, "code": code, "name": name, "password": password });
        app.on_platform().mutate("personCreate", input, "membership { id }").await
    };
    for (host, code) in [
        ("baraka.localhost", code.as_str()),
        ("nowhere.localhost", &code),
        ("platform.localhost", &code),
        ("asha.localhost", "nonsense"),
        ("asha.localhost", ""),
    ] {
        assert_eq!(person(host, code, "Nia", PASSWORD).await.refusals(), REFUSED, "{host} {code}");
    }
    assert_eq!(
        person("asha.localhost", &code, " ", "short").await.refusals(),
        ["REQUIRED name", "INVALID password"]
    );
    person("asha.localhost", &code, "Nia", PASSWORD).await.done();
    assert_eq!(person("asha.localhost", &code, "Nia", PASSWORD).await.refusals(), REFUSED);
    // Her address has an account now: with the next code she signs in and joins.
    let code = invited(&app, "baraka", "support").await;
    assert_eq!(person("baraka.localhost", &code, "Nia", PASSWORD).await.refusals(), ["TAKEN"]);
    let nia = app.on_platform().as_login(NIA);
    let joined = join(&nia, "baraka", &code).await.done()["membership"].clone();
    assert_eq!(joined["tenant"]["slug"], "baraka");
    let input = json!({ "host": "asha.localhost", "code": code, "name": "Nia", "password": PASSWORD });
    let elsewhere = app.on("asha").mutate("personCreate", input, "membership { id }").await;
    assert_eq!(elsewhere.code().as_deref(), Some("UNAUTHENTICATED"));
    app.run_jobs().await;
}

/// Every id, hash and other unguessable thing that stands anywhere in an ISP's schema or in what it left behind.
async fn marks(app: &TestApp, slug: &str) -> BTreeSet<String> {
    let mut admin = app.db.admin().await;
    let tenant = app.db.tenants.iter().find(|t| t.slug == slug).unwrap();
    let tables: Vec<String> =
        sqlx::query_scalar("SELECT format('%I.%I', $1::text, tablename) FROM pg_tables WHERE schemaname = $1")
            .bind(&tenant.role)
            .fetch_all(&mut admin)
            .await
            .unwrap();
    let mut all = String::new();
    for table in tables
        .into_iter()
        .map(|t| (t, "true".to_owned()))
        .chain([("platform.outbox".to_owned(), format!("tenant_id = {}", tenant.number))])
    {
        let sql = format!("SELECT to_jsonb(t)::text FROM {} t WHERE {}", table.0, table.1);
        for row in sqlx::query(AssertSqlSafe(sql)).fetch_all(&mut admin).await.unwrap() {
            all.push_str(row.get::<&str, _>(0));
            all.push('\n');
        }
    }
    let word = |c: char| c.is_ascii_alphanumeric() || "-_+/$=,".contains(c);
    all.split(|c| !word(c))
        .filter(|w| w.len() >= 20 && w.bytes().any(|b| b.is_ascii_digit()))
        .filter(|w| !w.starts_with("202"))
        .map(|w| w.replace('-', ""))
        .collect()
}

#[tokio::test]
async fn no_isp_can_tell_that_two_have_the_same_person() {
    let app = TestApp::new().await;
    let nia = nia(&app).await;
    let code = invited(&app, "baraka", "billing").await;
    join(&nia, "baraka", &code).await.done();
    for slug in ["asha", "baraka", "asha"] {
        let there = enter(&app, &nia, slug).await;
        assert_eq!(there.gql(VIEWER, json!({})).await.text_at("viewer.email"), NIA);
        // Everything that the ISP shows her of herself, it shows its owner as well.
        let shown = there
            .gql("{ viewer { id name email } tenantProfile { slug } }", json!({}))
            .await
            .text;
        let other = if slug == "asha" { "araka" } else { "sha" };
        assert!(!shown.contains(other), "{shown}");
    }
    let (asha, baraka) = (marks(&app, "asha").await, marks(&app, "baraka").await);
    assert!(asha.len() > 30 && baraka.len() > 30, "{} and {}", asha.len(), baraka.len());
    let template = marks(&app, "chandra").await;
    let shared: Vec<&String> = asha.intersection(&baraka).filter(|m| !template.contains(*m)).collect();
    assert!(shared.is_empty(), "stands in both: {shared:?}");
    // Nor does anything by which the platform knows her stand in either; but for the two links, each in its own.
    let mut admin = app.db.admin().await;
    let known: Vec<(String, String, String, i32)> = sqlx::query_as(
        "SELECT replace(m.id::text, '-', ''), replace(m.account_id::text, '-', ''), replace(m.link::text, '-', ''), m.tenant_id
         FROM platform.membership m ORDER BY m.created_at",
    )
    .fetch_all(&mut admin)
    .await
    .unwrap();
    assert_eq!(known.len(), 2);
    for (id, account, link, tenant) in &known {
        let own = if *tenant == app.db.tenants[0].number { &asha } else { &baraka };
        let other = if *tenant == app.db.tenants[0].number { &baraka } else { &asha };
        assert!(!asha.contains(id) && !baraka.contains(id) && !asha.contains(account) && !baraka.contains(account));
        assert!(own.contains(link) && !other.contains(link));
        // Not of a kind that tells when it was made.
        assert_eq!(&link[12..13], "4");
    }
    // What the rows of the person have in common is what she typed.
    let row = async |slug: &str| -> serde_json::Map<String, Value> {
        let sql = format!("SELECT to_jsonb(s) FROM {}.staff s WHERE email = '{NIA}'", schema(&app, slug));
        let row: Value = sqlx::query_scalar(AssertSqlSafe(sql))
            .fetch_one(&mut app.db.admin().await)
            .await
            .unwrap();
        row.as_object().unwrap().clone()
    };
    let (a, b) = (row("asha").await, row("baraka").await);
    let same: Vec<&str> = a
        .iter()
        .filter(|(k, v)| !v.is_null() && b[*k] == **v)
        .map(|(k, _)| k.as_str())
        .collect();
    assert_eq!(same, ["email", "name", "version"]);
    app.run_jobs().await;
}

/// Whoever works for an ISP already proves both: signed in there, and with the code of there on the platform's host.
#[tokio::test]
async fn staff_link_themselves_to_who_they_are_on_the_platform() {
    let app = TestApp::new().await;
    let support = app.on("asha").as_login("support@asha.example");
    let director = app.on_platform().as_director();
    assert!(list(&director).await.is_empty(), "owning an ISP is no way into it");
    let code = link_code(&support).await;
    assert_eq!(join(&director, "baraka", &code).await.refusals(), REFUSED);
    join(&director, "asha", &code).await.done();
    assert_eq!(join(&director, "asha", &code).await.refusals(), ["INVALID_STATE host"]);
    let admin = app.on_platform().as_platform_staff();
    assert_eq!(join(&admin, "asha", &code).await.refusals(), REFUSED);
    // Somebody who is linked is not linked to somebody else.
    let again = link_code(&support).await;
    assert_eq!(join(&admin, "asha", &again).await.refusals(), REFUSED);

    let there = enter(&app, &director, "asha").await;
    let viewer = there.gql(VIEWER, json!({})).await.at("viewer");
    let own = support.gql(VIEWER, json!({})).await.at("viewer");
    assert_eq!(viewer, own, "the rights of the member of staff, and no more");
    // Another's membership is nobody's.
    let foreign = membership(&director, "asha").await;
    for ask in [&admin, &app.on_platform().as_login("admin@platform.example")] {
        assert_eq!(open(ask, &foreign).await.refusals(), ["NOT_FOUND membershipId"]);
        let leave = ask.mutate("membershipLeave", json!({ "id": foreign }), "leftId").await;
        assert_eq!(leave.refusals(), ["NOT_FOUND id"]);
    }
    for (ask, code) in [
        (app.on_platform(), "UNAUTHENTICATED"),
        (app.on("asha").as_owner(), "FORBIDDEN"),
    ] {
        assert_eq!(open(&ask, &foreign).await.code().as_deref(), Some(code));
        assert_eq!(
            ask.gql("{ memberships { id } }", json!({})).await.code().as_deref(),
            Some(code)
        );
        assert_eq!(join(&ask, "asha", "x").await.code().as_deref(), Some(code));
    }
    // A link code is the staff's own, for ten minutes.
    let late = link_code(&app.on("asha").as_login("billing@asha.example")).await;
    app.set_clock("2026-04-01T04:41:00Z").await;
    assert_eq!(join(&admin, "asha", &late).await.refusals(), REFUSED);
    app.run_jobs().await;
}

#[tokio::test]
async fn whoever_leaves_or_is_unlinked_is_out() {
    let app = TestApp::new().await;
    let nia = nia(&app).await;
    let owner = app.on("asha").as_owner();
    let out = async |ask: &Ask<'_>| ask.gql(VIEWER, json!({})).await.status == StatusCode::UNAUTHORIZED;

    // By the ISP.
    let there = enter(&app, &nia, "asha").await;
    let code = code_for(&nia, "asha").await;
    let (id, _) = staff(&app, NIA).await;
    give_role(&app, "billing@asha.example", "clerk", &["staff:read", "staff:write"]).await;
    let clerk = app.on("asha").as_login("billing@asha.example");
    assert_eq!(unlink(&clerk, &id).await.code().as_deref(), Some("FORBIDDEN"), "Nia has more");
    assert_eq!(unlink(&app.on("baraka").as_owner(), &id).await.refusals(), ["NOT_FOUND id"]);
    let unlinked = unlink(&owner, &id).await.done()["staff"].clone();
    assert_eq!(unlinked["linked"], false);
    assert!(out(&there).await);
    assert_eq!(exchange(&app, "asha", &code).await.refusals(), REFUSED);
    assert!(list(&nia).await.is_empty());
    unlink(&owner, &id).await.done();

    // By the person, after another joining by a link code.
    let code = invited(&app, "baraka", "billing").await;
    join(&nia, "baraka", &code).await.done();
    let there = enter(&app, &nia, "baraka").await;
    let code = code_for(&nia, "baraka").await;
    let id = membership(&nia, "baraka").await;
    let leave = nia.mutate("membershipLeave", json!({ "id": id }), "leftId").await;
    assert_eq!(leave.done()["leftId"], json!(id));
    assert!(out(&there).await);
    assert_eq!(exchange(&app, "baraka", &code).await.refusals(), REFUSED);
    assert!(list(&nia).await.is_empty());
    assert_eq!(open(&nia, &id).await.refusals(), ["NOT_FOUND membershipId"]);
    let mut admin = app.db.admin().await;
    assert!(
        actions(&mut admin, schema(&app, "baraka"))
            .await
            .contains(&"staffLeave".into())
    );
    assert!(
        actions(&mut admin, schema(&app, "asha"))
            .await
            .contains(&"staffUnlink".into())
    );

    // By oneself in the ISP, without any permission.
    let nothing = app.on("asha").as_login("nothing@asha.example");
    let code = link_code(&nothing).await;
    join(&nia, "asha", &code).await.done();
    enter(&app, &nia, "asha").await;
    let (id, _) = staff(&app, "nothing@asha.example").await;
    unlink(&nothing, &id).await.done();
    assert!(list(&nia).await.is_empty());
    app.run_jobs().await;
}

/// Between the platform's side and the ISP's there is no common transaction.
#[tokio::test]
async fn whoever_was_cut_off_in_the_middle_goes_on() {
    let app = TestApp::new().await;
    let nia = nia(&app).await;
    let mut admin = app.db.admin().await;
    // Joining, when the ISP's side was written: the same code, though used, completes it.
    let code = invited(&app, "baraka", "billing").await;
    join(&nia, "baraka", &code).await.done();
    execute(&mut admin, "UPDATE platform.membership SET joined_at = NULL".into()).await;
    assert!(list(&nia).await.is_empty());
    join(&nia, "baraka", &code).await.done();
    enter(&app, &nia, "baraka").await;
    // … and when it was not, another code begins anew.
    execute(
        &mut admin,
        format!("UPDATE {}.staff SET membership_link = NULL", schema(&app, "asha")),
    )
    .await;
    assert_eq!(join(&nia, "asha", "nonsense").await.refusals(), REFUSED);
    let nothing = link_code(&app.on("asha").as_login("nothing@asha.example")).await;
    join(&nia, "asha", &nothing).await.done();
    enter(&app, &nia, "asha").await;
    // Unlinked by the ISP, and the platform did not hear of it.
    execute(
        &mut admin,
        format!("UPDATE {}.staff SET membership_link = NULL", schema(&app, "asha")),
    )
    .await;
    let id = membership(&nia, "asha").await;
    assert_eq!(open(&nia, &id).await.refusals(), ["NOT_FOUND membershipId"]);
    assert_eq!(list(&nia).await.len(), 1);
    app.run_jobs().await;
}
