//! Sessions: carried on, ended, listed, and over by themselves.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use trunkline_domain::identity::{self, Authenticator};
use trunkline_domain::kernel::Error;

use super::ground::{Tokens, count, is_in, refresh, sign_in, try_sign_in, with_headers};
use crate::harness::{PASSWORD, TestApp, Who, execute};

const OWNER: &str = "owner@asha.example";

#[tokio::test]
async fn a_refresh_token_is_good_once_and_the_second_time_ends_the_session() {
    let app = TestApp::new().await;
    for (host, email) in [("asha", OWNER), ("platform", "admin@platform.example")] {
        let ask = app.on(host);
        let first = sign_in(&ask, email).await;
        let other = sign_in(&ask, email).await;
        let second = Tokens::of(&refresh(&ask, &first.refresh).await);
        let third = Tokens::of(&refresh(&ask, &second.refresh).await);
        assert!(is_in(&ask, &third.access).await && is_in(&ask, &first.access).await);
        for used in [&first, &third, &second] {
            let answer = refresh(&ask, &used.refresh).await;
            assert_eq!(answer.refusals(), ["INVALID_CREDENTIALS refreshToken"]);
            assert!(!is_in(&ask, &third.access).await, "the session goes on");
        }
        // Somebody else's session, and the same person's on another device, go on.
        let other = Tokens::of(&refresh(&ask, &other.refresh).await);
        assert!(is_in(&ask, &other.access).await);
    }
    let reused = format!(
        "SELECT count(*) FROM {}.audit_entry WHERE action = 'sessionReuse'",
        app.db.tenants[0].role
    );
    assert_eq!(count(&mut app.db.admin().await, reused).await, 1);
}

#[tokio::test]
async fn what_is_no_refresh_token_of_this_host_is_refused_alike_and_harms_nothing() {
    let app = TestApp::new().await;
    let ask = app.on("asha");
    let mine = sign_in(&ask, OWNER).await;
    let theirs = sign_in(&app.on("baraka"), "owner@baraka.example").await;
    let platform = sign_in(&app.on_platform(), "admin@platform.example").await;
    let again = sign_in(&ask, OWNER).await;
    let mut changed = mine.refresh.clone();
    changed.replace_range(30..31, if &changed[30..31] == "A" { "B" } else { "A" });
    // The id of one session with the bits of another.
    let grafted = format!("{}{}", &mine.refresh[..20], &again.refresh[20..]);
    let mut answers = Vec::new();
    for token in [
        "",
        "x",
        &mine.refresh[..mine.refresh.len() - 4],
        &format!("{}AAAA", mine.refresh),
        &changed,
        &grafted,
        &theirs.refresh,
        &platform.refresh,
        &mine.access,
        &"A".repeat(20_000),
    ] {
        let answer = refresh(&ask, token).await;
        assert_eq!(answer.refusals(), ["INVALID_CREDENTIALS refreshToken"], "{token}");
        answers.push(answer.text);
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    let answer = ask.mutate("sessionRefresh", json!({}), "session { accessToken }").await;
    assert_eq!(answer.refusals(), ["REQUIRED refreshToken"]);
    // Each is still good where it belongs.
    Tokens::of(&refresh(&ask, &mine.refresh).await);
    Tokens::of(&refresh(&app.on("baraka"), &theirs.refresh).await);
    Tokens::of(&refresh(&app.on_platform(), &platform.refresh).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_callers_with_one_token_one_is_served_and_the_session_is_over() {
    let app = TestApp::new().await;
    let ask = app.on("asha");
    for _ in 0..5 {
        let tokens = sign_in(&ask, OWNER).await;
        let (a, b) = tokio::join!(refresh(&ask, &tokens.refresh), refresh(&ask, &tokens.refresh));
        let served: Vec<_> = [a, b].into_iter().filter(|answer| answer.refusals().is_empty()).collect();
        assert_eq!(served.len(), 1, "{served:?}");
        let answer = refresh(&ask, &Tokens::of(&served[0]).refresh).await;
        assert_eq!(answer.refusals(), ["INVALID_CREDENTIALS refreshToken"]);
    }
    let open = format!(
        "SELECT count(*) FROM {}.session WHERE ended_at IS NULL AND principal_kind = 'STAFF'",
        app.db.tenants[0].role
    );
    assert_eq!(count(&mut app.db.admin().await, open).await, 0);
}

#[tokio::test]
async fn a_session_ends_by_itself() {
    let app = TestApp::new().await;
    let ask = app.on("asha");
    let refused = ["INVALID_CREDENTIALS refreshToken"];
    app.set_clock("2026-04-01T00:00:00Z").await;
    let idle = sign_in(&ask, OWNER).await;
    let mut used = sign_in(&ask, OWNER).await;
    for day in ["07T00", "13T00", "19T00", "25T00", "30T23"] {
        app.set_clock(&format!("2026-04-{day}:50:00Z")).await;
        used = Tokens::of(&refresh(&ask, &used.refresh).await);
    }
    assert_eq!(refresh(&ask, &idle.refresh).await.refusals(), refused, "unused for a week");
    // Thirty days after the sign-in it is over, and its access token with it.
    app.set_clock("2026-04-30T23:52:00Z").await;
    assert!(is_in(&ask, &used.access).await);
    app.set_clock("2026-05-01T00:04:00Z").await;
    assert!(!is_in(&ask, &used.access).await);
    assert_eq!(refresh(&ask, &used.refresh).await.refusals(), refused);
    // What is over is removed after a week.
    let sessions = format!("SELECT count(*) FROM {}.session", app.db.tenants[0].role);
    let mut admin = app.db.admin().await;
    assert_eq!(count(&mut admin, sessions.clone()).await, 2);
    app.set_clock("2026-05-09T00:00:01Z").await;
    app.run_jobs().await;
    assert_eq!(count(&mut admin, sessions).await, 0);
    let platform = "SELECT count(*) FROM platform.session".to_owned();
    sign_in(&app.on_platform(), "admin@platform.example").await;
    identity::upkeep(&app.app.database).await.unwrap();
    assert_eq!(count(&mut admin, platform.clone()).await, 1);
    app.set_clock("2026-07-09T00:00:01Z").await;
    identity::upkeep(&app.app.database).await.unwrap();
    assert_eq!(count(&mut admin, platform).await, 0);
    app.jobs_may_remain();
}

#[tokio::test]
async fn whoever_may_no_longer_sign_in_may_not_go_on_either() {
    let app = TestApp::new().await;
    let ask = app.on("asha");
    let staff = sign_in(&ask, "support@asha.example").await;
    let director = sign_in(&app.on_platform(), "director@meridian.example").await;
    let role = &app.db.tenants[0].role;
    execute(
        &mut app.db.admin().await,
        format!(
            "UPDATE {role}.staff SET disabled_at = now() WHERE email = 'support@asha.example';
             UPDATE platform.account SET disabled_at = now() WHERE email = 'director@meridian.example'"
        ),
    )
    .await;
    for (ask, tokens) in [(ask, staff), (app.on_platform(), director)] {
        let answer = refresh(&ask, &tokens.refresh).await;
        assert_eq!(answer.refusals(), ["INVALID_CREDENTIALS refreshToken"]);
    }
}

async fn list(ask: &crate::harness::Ask<'_>, staff: Option<&str>) -> Value {
    let query = "query($s: ID) { sessions(staffId: $s) { id current address userAgent createdAt lastUsedAt expiresAt } }";
    ask.gql(query, json!({ "s": staff })).await.at("sessions")
}

#[tokio::test]
async fn sessions_are_listed_and_revoked() {
    let app = TestApp::new().await;
    let ask = app.on("asha");
    let query = "mutation($i: SessionCreateInput!) { sessionCreate(input: $i) { session { accessToken refreshToken } userErrors { code } } }";
    let input = json!({ "i": { "email": "support@asha.example", "password": PASSWORD } });
    let phone = with_headers(&ask, query, input, &[("user-agent", "Phone/1.0 (x)")]).await;
    let phone = Tokens::of(&phone);
    let desk = sign_in(&ask, "support@asha.example").await;
    let me = ask.with(Who::Token(desk.access.clone()));
    let mine = list(&me, None).await;
    assert_eq!(mine.as_array().unwrap().len(), 2, "{mine}");
    assert_eq!((&mine[0]["current"], &mine[1]["current"]), (&json!(true), &json!(false)));
    assert!(mine[1]["userAgent"].as_str().unwrap().starts_with("Phone/1.0"), "{mine}");
    assert!(mine[0]["lastUsedAt"] == mine[0]["createdAt"]);

    // A colleague without the right sees and ends nothing; one with it does.
    let viewer = me.gql("{ viewer { id } }", json!({})).await.text_at("viewer.id");
    let clerk = ask.as_login("billing@asha.example");
    let phones = mine[1]["id"].as_str().unwrap();
    let looked = clerk
        .gql("query($s: ID) { sessions(staffId: $s) { id } }", json!({ "s": viewer }))
        .await;
    assert_eq!(looked.code().as_deref(), Some("FORBIDDEN"));
    let revoke =
        async |ask: &crate::harness::Ask<'_>, id: &str| ask.mutate("sessionRevoke", json!({ "id": id }), "revokedId").await;
    assert_eq!(revoke(&clerk, phones).await.refusals(), ["NOT_FOUND id"]);
    assert_eq!(
        revoke(&app.on("baraka").as_owner(), phones).await.refusals(),
        ["NOT_FOUND id"]
    );
    let all_of = |staff: &str| json!({ "staffId": staff });
    let answer = clerk.mutate("sessionRevokeAll", all_of(&viewer), "ended").await;
    assert_eq!(answer.code().as_deref(), Some("FORBIDDEN"));
    assert!(is_in(&ask, &phone.access).await);
    let owner = ask.as_owner();
    assert_eq!(list(&owner, Some(&viewer)).await.as_array().unwrap().len(), 2);
    assert_eq!(revoke(&owner, phones).await.done()["revokedId"], phones);
    assert!(!is_in(&ask, &phone.access).await, "an access token outlives its session");
    assert!(!refresh(&ask, &phone.refresh).await.refusals().is_empty());
    assert_eq!(revoke(&owner, phones).await.refusals(), ["NOT_FOUND id"]);
    assert!(is_in(&ask, &desk.access).await);

    // All but the one that asks.
    let [laptop, tablet] = [sign_in(&ask, OWNER).await, sign_in(&ask, OWNER).await];
    let laptop_asks = ask.with(Who::Token(laptop.access.clone()));
    let done = laptop_asks.mutate("sessionRevokeAll", json!({}), "ended").await.done();
    assert!(done["ended"].as_i64().unwrap() >= 2, "{done}");
    assert!(is_in(&ask, &laptop.access).await && !is_in(&ask, &tablet.access).await);
    let done = laptop_asks.mutate("sessionRevokeAll", all_of(&viewer), "ended").await.done();
    assert_eq!(done["ended"], 1);
    assert!(!is_in(&ask, &desk.access).await);
    // Whoever has less than an owner cannot keep one out, whatever they may do to others.
    let admin = ask.as_login("admin@asha.example");
    let owners = laptop_asks.gql("{ viewer { id } }", json!({})).await.text_at("viewer.id");
    let owners_session = list(&laptop_asks, None).await[0]["id"].as_str().unwrap().to_owned();
    let answer = admin.mutate("sessionRevokeAll", all_of(&owners), "ended").await;
    assert_eq!(answer.code().as_deref(), Some("FORBIDDEN"));
    assert_eq!(revoke(&admin, &owners_session).await.code().as_deref(), Some("FORBIDDEN"));
    assert!(is_in(&ask, &laptop.access).await);
    let missing = "staff_01939f00000070008000000000000000";
    let answer = laptop_asks.mutate("sessionRevokeAll", all_of(missing), "ended").await;
    assert_eq!(answer.refusals(), ["NOT_FOUND staffId"]);
}

#[tokio::test]
async fn signing_out_ends_the_session_that_asks_or_that_of_a_token() {
    let app = TestApp::new().await;
    let owner = app.on("asha").as_owner();
    let first = owner.first_subscriber("first").await;
    owner.portal_password(&first.subscriber).await;
    app.run_jobs().await;
    let ask = app.on("asha");
    let input = json!({ "login": first.account_number, "password": PASSWORD });
    let answer = ask
        .mutate("subscriberSessionCreate", input, "session { accessToken refreshToken }")
        .await;
    let subscriber = Tokens::of(&answer);
    let staff = sign_in(&ask, OWNER).await;
    for (ask, tokens) in [(app.on("asha"), subscriber), (app.on("asha"), staff)] {
        let me = ask.with(Who::Token(tokens.access.clone()));
        assert!(me.mutate("sessionEnd", json!({}), "endedId").await.done()["endedId"].is_string());
        assert!(!is_in(&ask, &tokens.access).await);
        assert!(!refresh(&ask, &tokens.refresh).await.refusals().is_empty());
        let again = json!({ "refreshToken": tokens.refresh });
        assert!(ask.mutate("sessionEnd", again, "endedId").await.done()["endedId"].is_null());
    }
    // By the refresh token alone, when the access token has expired.
    let tokens = sign_in(&ask, OWNER).await;
    let elsewhere = app
        .on("baraka")
        .mutate("sessionEnd", json!({ "refreshToken": tokens.refresh }), "endedId")
        .await;
    assert!(elsewhere.done()["endedId"].is_null());
    assert!(is_in(&ask, &tokens.access).await);
    let ended = ask
        .mutate("sessionEnd", json!({ "refreshToken": tokens.refresh }), "endedId")
        .await;
    assert!(ended.done()["endedId"].is_string());
    assert!(!is_in(&ask, &tokens.access).await);
    // A new portal password ends the portal's sessions.
    let me = ask.as_subscriber(&first.account_number);
    let token = me.token().await;
    owner.portal_password(&first.subscriber).await;
    assert!(!is_in(&ask, &token).await);
}

/// Another process remembers a session for five seconds at most.
#[tokio::test]
async fn another_process_hears_of_an_ended_session() {
    let app = TestApp::new().await;
    let ask = app.on("asha");
    let tokens = sign_in(&ask, OWNER).await;
    let tenant = app.app.directory.by_slug("asha").await.unwrap().unwrap();
    let replica = Authenticator::new(app.app.database.clone());
    replica.authenticate(Some(&tenant), &tokens.access).await.unwrap();
    let me = ask.with(Who::Token(tokens.access.clone()));
    me.mutate("sessionEnd", json!({}), "endedId").await.done();
    let ended = Instant::now();
    loop {
        match replica.authenticate(Some(&tenant), &tokens.access).await {
            Err(Error::Unauthenticated) => break,
            Ok(_) => assert!(ended.elapsed() < Duration::from_secs(10), "still taken"),
            Err(e) => panic!("{e}"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let answer = try_sign_in(&ask, OWNER, PASSWORD, None).await;
    Tokens::of(&answer);
}
