//! Guessing: counted for all processes together, answered alike whether somebody is there, and never with a growing table.

use std::net::SocketAddr;

use axum::extract::ConnectInfo;
use axum::http::{Request, header};
use futures::future::join_all;
use serde_json::json;
use trunkline_domain::identity::{Authenticator, Client, Credentials};

use super::ground::{count, is_in, sign_in, try_sign_in};
use crate::harness::{Answer, Ask, PASSWORD, TestApp, execute};

const OWNER: &str = "owner@asha.example";

#[tokio::test]
async fn after_ten_wrong_attempts_even_the_right_password_waits() {
    let app = TestApp::new().await;
    let ask = app.on("asha");
    let role = &app.db.tenants[0].role;
    let mut admin = app.db.admin().await;
    let mut answers = Vec::new();
    for attempt in 0..13 {
        // Nobody has the second name; the answers are the same to the letter.
        for email in [OWNER, "nobody@asha.example"] {
            let password = if attempt > 9 { PASSWORD } else { "wrong password" };
            let answer = try_sign_in(&ask, email, password, None).await;
            assert_eq!(answer.refusals(), ["INVALID_CREDENTIALS"], "{email}: attempt {attempt}");
            answers.push(answer.text);
        }
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    // A second process knows of it.
    let tenant = app.app.directory.by_slug("asha").await.unwrap();
    let replica = Authenticator::new(app.app.database.clone());
    let client = Client::default();
    let attempt = replica.session_create(tenant.as_ref(), Credentials::new(OWNER, PASSWORD), &client);
    attempt.await.unwrap_err();
    // Colleagues are not held up, and whoever is signed in stays so.
    let colleague = sign_in(&ask, "support@asha.example").await;
    assert!(is_in(&ask, &colleague.access).await);

    let mut later = async |seconds: i32| {
        let sql = format!("UPDATE {role}.sign_in_failure SET last_at = last_at - make_interval(secs => {seconds})");
        execute(&mut admin, sql).await;
    };
    later(61).await;
    // The block is over; the next wrong attempt brings one of two minutes.
    assert!(!try_sign_in(&ask, OWNER, "wrong password", None).await.refusals().is_empty());
    later(61).await;
    assert!(!try_sign_in(&ask, OWNER, PASSWORD, None).await.refusals().is_empty());
    later(60).await;
    sign_in(&ask, OWNER).await;
    // Signing in forgets the wrong ones.
    for _ in 0..9 {
        try_sign_in(&ask, OWNER, "wrong password", None).await;
    }
    sign_in(&ask, OWNER).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_at_once_guess_no_more_than_ten_times() {
    let app = TestApp::new().await;
    let tenant = app.app.directory.by_slug("asha").await.unwrap();
    let replica = Authenticator::new(app.app.database.clone());
    let client = Client::default();
    let guesses = (0..40).map(|n| {
        let process = if n % 2 == 0 { &replica } else { &app.app.authenticator };
        process.session_create(tenant.as_ref(), Credentials::new(OWNER, format!("guess {n}")), &client)
    });
    assert!(join_all(guesses).await.iter().all(Result::is_err));
    let counted = format!(
        "SELECT failures::bigint FROM {role}.sign_in_failure f JOIN {role}.staff s ON s.id = f.principal_id",
        role = app.db.tenants[0].role
    );
    assert_eq!(count(&mut app.db.admin().await, counted).await, 10);
    // Right ones at once are all served.
    let right = (0..24).map(|n| {
        let process = if n % 2 == 0 { &replica } else { &app.app.authenticator };
        process.session_create(tenant.as_ref(), Credentials::new("support@asha.example", PASSWORD), &client)
    });
    assert!(join_all(right).await.iter().all(Result::is_ok));
}

#[tokio::test]
async fn names_that_nobody_has_fill_no_table() {
    let app = TestApp::new().await;
    let ask = app.on("asha");
    for n in 0..40 {
        try_sign_in(&ask, &format!("guess-{n}@asha.example"), "wrong password", None).await;
    }
    let role = &app.db.tenants[0].role;
    // The first 1,024 ids, which are shared, and no others.
    let others =
        format!("SELECT count(*) FROM {role}.sign_in_failure WHERE principal_id > '00000000-0000-0000-0000-0000000003ff'");
    let mut admin = app.db.admin().await;
    assert_eq!(count(&mut admin, others).await, 0);
    let some = format!("SELECT count(*) FROM {role}.sign_in_failure");
    assert!(count(&mut admin, some).await > 20);
}

/// A request as if it had come over a connection from `peer`.
async fn from(ask: &Ask<'_>, peer: &str, password: &str) -> Answer {
    let query = "mutation($i: SessionCreateInput!) { sessionCreate(input: $i) { session { accessToken } userErrors { code field message } } }";
    let email = match ask.host.strip_suffix(".localhost").unwrap() {
        "platform" => "admin@platform.example".to_owned(),
        slug => format!("owner@{slug}.example"),
    };
    let body = json!({ "query": query, "variables": { "i": { "email": email, "password": password } } });
    let peer: SocketAddr = format!("{peer}:4711").parse().unwrap();
    let request = Request::post("/graphql")
        .header(header::HOST, &ask.host)
        .header(header::CONTENT_TYPE, "application/json")
        .header("x-forwarded-for", "203.0.113.250")
        .extension(ConnectInfo(peer));
    ask.send(request.body(body.to_string().into()).unwrap()).await
}

#[tokio::test]
async fn an_address_may_guess_so_often_on_all_hosts_together() {
    let app = TestApp::new().await;
    let mut admin = app.db.admin().await;
    for host in ["asha", "baraka", "platform"] {
        let answer = from(&app.on(host), "192.0.2.9", "wrong password").await;
        assert_eq!(answer.refusals(), ["INVALID_CREDENTIALS"]);
    }
    // Right ones are not counted.
    assert!(from(&app.on("asha"), "192.0.2.9", PASSWORD).await.refusals().is_empty());
    let failures = "SELECT sum(failures)::bigint FROM platform.sign_in_address".to_owned();
    assert_eq!(count(&mut admin, failures).await, 3);
    execute(&mut admin, "UPDATE platform.sign_in_address SET failures = 100".into()).await;
    for host in ["asha", "chandra", "platform"] {
        let answer = from(&app.on(host), "192.0.2.9", PASSWORD).await;
        assert_eq!(answer.refusals(), ["LIMIT_EXCEEDED"], "{host}");
        // Somebody else's address, whatever the header claims.
        assert!(from(&app.on(host), "192.0.2.10", PASSWORD).await.refusals().is_empty());
    }
    execute(&mut admin, "UPDATE platform.sign_in_address SET window_ends = now()".into()).await;
    assert!(from(&app.on("asha"), "192.0.2.9", PASSWORD).await.refusals().is_empty());
    let listed = app.on("asha").as_owner().gql("{ sessions { address } }", json!({})).await;
    assert!(listed.text.contains("192.0.2.9"), "{}", listed.text);
}
