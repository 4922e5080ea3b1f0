//! Passwords changed, and forgotten.

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgConnection};
use trunkline_domain::identity::PasswordResetRequested;

use super::ground::{Tokens, count, is_in, sign_in, try_sign_in};
use crate::harness::{Answer, Ask, PASSWORD, TestApp, Who, execute};

const OWNER: &str = "owner@asha.example";
const NEW: &str = "a-new-and-longer-one";

#[tokio::test]
async fn a_password_is_changed_by_who_knows_it() {
    let app = TestApp::new().await;
    let owner = app.on("asha").as_owner();
    let first = owner.first_subscriber("first").await;
    owner.portal_password(&first.subscriber).await;
    app.run_jobs().await;
    let portal = async |password: &str| {
        let input = json!({ "login": first.account_number, "password": password });
        let selection = "session { accessToken refreshToken }";
        app.on("asha").mutate("subscriberSessionCreate", input, selection).await
    };
    let change = async |ask: &Ask<'_>, current: &str, new: &str| {
        let input = json!({ "currentPassword": current, "newPassword": new });
        ask.mutate("passwordChange", input, "changed").await
    };
    for (host, email) in [("asha", OWNER), ("platform", "director@meridian.example"), ("asha", "")] {
        let ask = app.on(host);
        let enter = async |password: &str| match email {
            "" => portal(password).await,
            email => try_sign_in(&ask, email, password, None).await,
        };
        let here = Tokens::of(&enter(PASSWORD).await);
        let there = Tokens::of(&enter(PASSWORD).await);
        let me = ask.with(Who::Token(here.access.clone()));
        assert_eq!(
            change(&me, "wrong password", NEW).await.refusals(),
            ["INVALID_CREDENTIALS currentPassword"]
        );
        assert_eq!(change(&me, PASSWORD, "short").await.refusals(), ["INVALID newPassword"]);
        assert_eq!(change(&me, PASSWORD, NEW).await.done()["changed"], true);
        assert!(is_in(&ask, &here.access).await);
        assert!(!is_in(&ask, &there.access).await, "the other session goes on");
        assert_eq!(enter(PASSWORD).await.refusals(), ["INVALID_CREDENTIALS"]);
        Tokens::of(&enter(NEW).await);
    }
    let nobody = change(&app.on("asha"), PASSWORD, NEW).await;
    assert_eq!(nobody.code().as_deref(), Some("UNAUTHENTICATED"));
}

async fn ask_for_reset(ask: &Ask<'_>, email: &str) -> Answer {
    ask.mutate("passwordResetRequest", json!({ "email": email }), "accepted")
        .await
}

async fn complete(ask: &Ask<'_>, token: &str, new: &str) -> Answer {
    let input = json!({ "token": token, "newPassword": new });
    ask.mutate("passwordResetComplete", input, "changed").await
}

/// Takes the messages that wait in the outbox or at the platform.
async fn messages(admin: &mut PgConnection, table: &str) -> Vec<Value> {
    let sql = format!("DELETE FROM platform.{table} WHERE kind = 'PasswordResetRequested' RETURNING payload");
    sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(admin).await.unwrap()
}

/// What the sender would send.
fn token(app: &TestApp, message: &Value) -> String {
    let event: PasswordResetRequested = serde_json::from_value(message.clone()).unwrap();
    let token = event.token.open(app.app.database.secret()).unwrap();
    assert!(!message.to_string().contains(&token), "a token in the clear: {message}");
    token
}

#[tokio::test]
async fn a_forgotten_password_is_set_anew_with_what_was_sent() {
    let app = TestApp::new().await;
    let mut admin = app.db.admin().await;
    for (host, email, table) in [("asha", OWNER, "outbox"), ("platform", "admin@platform.example", "notice")] {
        let ask = app.on(host);
        let before = sign_in(&ask, email).await;
        for _ in 0..11 {
            try_sign_in(&ask, email, "forgotten password", None).await;
        }
        assert_eq!(ask_for_reset(&ask, &email.to_uppercase()).await.done()["accepted"], true);
        let [message] = messages(&mut admin, table).await.try_into().unwrap();
        let token = token(&app, &message);
        let stored = format!("SELECT count(*) FROM platform.one_time_token t WHERE t::text LIKE '%{token}%'");
        assert_eq!(count(&mut admin, stored).await, 0);

        let refused = ["INVALID_CREDENTIALS token"];
        assert_eq!(complete(&app.on("baraka"), &token, NEW).await.refusals(), refused);
        for bad in ["", "x", &token[..token.len() - 4], &format!("{token}AAAA"), &before.refresh] {
            assert_eq!(complete(&ask, bad, NEW).await.refusals(), refused, "{bad}");
        }
        assert_eq!(complete(&ask, &token, "short").await.refusals(), ["INVALID newPassword"]);
        assert!(is_in(&ask, &before.access).await);
        assert_eq!(complete(&ask, &token, NEW).await.done()["changed"], true);
        assert!(!is_in(&ask, &before.access).await, "a session outlives the reset");
        assert_eq!(
            complete(&ask, &token, NEW).await.refusals(),
            refused,
            "the token was good twice"
        );
        // The block for wrong attempts is lifted with it.
        Tokens::of(&try_sign_in(&ask, email, NEW, None).await);
        assert!(!try_sign_in(&ask, email, PASSWORD, None).await.refusals().is_empty());
    }
}

#[tokio::test]
async fn asking_tells_nobody_who_is_there() {
    let app = TestApp::new().await;
    let mut admin = app.db.admin().await;
    let role = app.db.tenants[0].role.clone();
    let disabled = format!("UPDATE {role}.staff SET disabled_at = now() WHERE email = 'support@asha.example'");
    execute(&mut admin, disabled).await;
    let ask = app.on("asha");
    let mut answers = Vec::new();
    let mut rows = Vec::new();
    for email in [
        OWNER,
        "nobody@asha.example",
        "support@asha.example",
        "owner@baraka.example",
        "nonsense",
        "",
    ] {
        answers.push(ask_for_reset(&ask, email).await.text);
        let waiting = messages(&mut admin, "outbox").await;
        assert_eq!(waiting.len(), 1, "{email:?} leaves another trace than somebody's");
        rows.push(count(&mut admin, format!("SELECT count(*) FROM {role}.one_time_token")).await);
        // Nobody is found by what an unknown address leaves, and its token opens nothing.
        if email != OWNER {
            let principal = waiting[0]["principal_id"].as_str().unwrap();
            let found = format!("SELECT count(*) FROM {role}.staff WHERE id = '{principal}'");
            assert_eq!(count(&mut admin, found).await, 0);
            let answer = complete(&ask, &token(&app, &waiting[0]), NEW).await;
            assert_eq!(answer.refusals(), ["INVALID_CREDENTIALS token"]);
        }
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert_eq!(rows, [1, 2, 3, 4, 5, 6]);
    app.jobs_may_remain();
}

#[tokio::test]
async fn a_link_is_good_for_half_an_hour_and_until_the_next_one() {
    let app = TestApp::new().await;
    let mut admin = app.db.admin().await;
    let ask = app.on("asha");
    let refused = ["INVALID_CREDENTIALS token"];
    app.set_clock("2026-04-01T12:00:00Z").await;
    ask_for_reset(&ask, OWNER).await.done();
    let first = token(&app, &messages(&mut admin, "outbox").await[0]);
    // A mailbox is not flooded.
    for _ in 0..3 {
        ask_for_reset(&ask, OWNER).await.done();
    }
    assert!(messages(&mut admin, "outbox").await.is_empty());
    app.set_clock("2026-04-01T12:06:00Z").await;
    ask_for_reset(&ask, OWNER).await.done();
    let second = token(&app, &messages(&mut admin, "outbox").await[0]);
    assert_eq!(
        complete(&ask, &first, NEW).await.refusals(),
        refused,
        "the earlier link is good"
    );
    app.set_clock("2026-04-01T12:40:00Z").await;
    assert_eq!(complete(&ask, &second, NEW).await.refusals(), refused, "the link has no end");
    // Changing the password takes a link back.
    ask_for_reset(&ask, OWNER).await.done();
    let third = token(&app, &messages(&mut admin, "outbox").await[0]);
    let me = ask.with(Who::Token(sign_in(&ask, OWNER).await.access));
    let input = json!({ "currentPassword": PASSWORD, "newPassword": NEW });
    me.mutate("passwordChange", input, "changed").await.done();
    assert_eq!(complete(&ask, &third, "another-password").await.refusals(), refused);
    // Of two at once one wins.
    app.set_clock("2026-04-01T13:00:00Z").await;
    ask_for_reset(&ask, OWNER).await.done();
    let fourth = token(&app, &messages(&mut admin, "outbox").await[0]);
    let (a, b) = tokio::join!(
        complete(&ask, &fourth, "one-new-password"),
        complete(&ask, &fourth, "two-new-password")
    );
    assert_eq!([a, b].iter().filter(|answer| answer.refusals().is_empty()).count(), 1);
    app.jobs_may_remain();
}
