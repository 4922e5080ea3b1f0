//! The secret key is changed under running servers.

use std::fmt::{Debug, Display};
use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::http::{Request, header};
use serde_json::{Value, json};
use tower::ServiceExt;
use trunkline_api::app::App;
use trunkline_api::config::Config;
use trunkline_api::http::router;
use trunkline_domain::kernel::Clock;
use trunkline_domain::kernel::crypto::{SealedBy, SecretKey};
use trunkline_domain::kernel::db::{Database, DatabaseSettings, rotate_logins};
use trunkline_domain::kernel::sealed::Tally;
use trunkline_domain::{Actor, runs, sealed_columns};
use trunkline_migration::{Installation, Options, run};

use crate::harness::{PASSWORD, SECRET, TestApp, TestDb, cluster, execute, secret_key, settings};

const NEW: &[u8] = b"the key that comes after it: 32 bytes or more";

fn new_key() -> SecretKey {
    SecretKey::new(NEW).unwrap()
}

fn with_key(db: &TestDb, secret: SecretKey) -> DatabaseSettings {
    DatabaseSettings { secret, ..settings(db) }
}

/// A replica over the same database that was started with another key.
async fn replica(app: &TestApp, secret: SecretKey) -> Result<App, impl Debug + Display> {
    let config = Config::from_env([("TRUNKLINE_TEST_CLOCK".to_owned(), "1".to_owned())]).unwrap();
    App::open(config, with_key(&app.db, secret), Clock::system()).await
}

async fn ask(app: &App, token: Option<&str>, query: &str) -> Value {
    let mut request = Request::post("/graphql")
        .header(header::HOST, "asha.localhost")
        .header(header::CONTENT_TYPE, "application/json");
    if let Some(token) = token {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    let body = Body::from(json!({ "query": query }).to_string());
    let answer = router(app.clone()).oneshot(request.body(body).unwrap()).await.unwrap();
    serde_json::from_slice(&to_bytes(answer.into_body(), usize::MAX).await.unwrap()).unwrap()
}

async fn sign_in(app: &App) -> String {
    let query = format!(
        "mutation {{ sessionCreate(input: {{ email: \"owner@asha.example\", password: \"{PASSWORD}\" }}) {{ session {{ accessToken }} }} }}"
    );
    let answer = ask(app, None, &query).await;
    let token = answer
        .pointer("/data/sessionCreate/session/accessToken")
        .and_then(Value::as_str);
    token.unwrap_or_else(|| panic!("{answer}")).to_owned()
}

async fn serves(app: &App, token: &str) {
    let answer = ask(app, Some(token), "{ plans(first: 1) { nodes { name } } }").await;
    assert!(answer.pointer("/data/plans/nodes/0/name").is_some(), "{answer}");
}

#[tokio::test]
async fn the_key_is_changed_while_old_and_new_replicas_serve() {
    let app = TestApp::new().await;
    let mut admin = app.db.admin().await;
    let old = &app.app;
    let before = sign_in(old).await;
    let radius_before = old.database.radius_login().await.unwrap();

    let new = replica(&app, new_key().with_previous(SECRET).unwrap()).await.unwrap();
    serves(&new, &before).await;
    // A replica that makes a signing key makes it with the new secret; the old one verifies by the public half.
    execute(&mut admin, "UPDATE platform.signing_key SET retired_at = NULL".into()).await;
    let after = sign_in(&new).await;
    serves(old, &after).await;
    serves(&new, &after).await;

    let tallies = async |rewrite| runs::reseal(&new.database, &sealed_columns(), rewrite).await.unwrap();
    let sum = |all: Vec<(_, Tally)>| {
        let mut sum = Tally::default();
        all.into_iter().for_each(|(_, tally)| sum += tally);
        sum
    };
    let found = sum(tallies(false).await);
    assert!(found.previous >= 4 && found.lost == 0, "logins and a signing key: {found:?}");
    // Two at once, and a row that changes under them.
    let (one, two) = tokio::join!(tallies(true), tallies(true));
    assert_eq!((sum(one).lost, sum(two).lost), (0, 0));
    let resealed = sum(tallies(true).await);
    assert_eq!((resealed.previous, resealed.lost), (0, 0));
    assert_eq!(resealed.current, found.current + found.previous, "none is lost");

    // Both go on, with connections that they make now; FreeRADIUS logs in as ever.
    execute(
        &mut admin,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'trunkline'"
            .into(),
    )
    .await;
    for replica in [old, &new] {
        serves(replica, &before).await;
        serves(replica, &after).await;
    }
    assert_eq!(new.database.radius_login().await.unwrap(), radius_before);
    app.db.login(&app.db.installation.radiusd).await;

    // The old key is forgotten: whoever has the new one alone starts, whoever has only the old one is told.
    let alone = replica(&app, new_key()).await.unwrap();
    serves(&alone, &before).await;
    sign_in(&alone).await;
    let late = replica(&app, secret_key())
        .await
        .err()
        .expect("the old key opens nothing any more");
    assert!(format!("{late:#}").contains("TRUNKLINE_SECRET_KEY"), "{late:#}");
}

/// No sealed column can be forgotten: what may hold one is found by its type, and its name says what it holds.
#[tokio::test]
async fn every_sealed_column_is_on_the_list() {
    let db = TestDb::new().await;
    let role = &db.tenants[0].role;
    let mut found: Vec<(String, String)> = sqlx::query_as(
        "SELECT CASE n.nspname WHEN $1 THEN '' ELSE n.nspname || '.' END || c.relname, a.attname::text
         FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname IN ($1, 'platform', 'radius') AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
           AND a.atttypid = 'bytea'::regtype ORDER BY 1, 2",
    )
    .bind(role)
    .fetch_all(&mut db.admin().await)
    .await
    .unwrap();
    for (table, column) in &found {
        let said = ["sealed", "hash", "public_key", "content", "mac", "fingerprint"];
        assert!(
            said.iter()
                .any(|word| column == word || column.ends_with(&format!("_{word}"))),
            "{table}.{column}: name a bytea column after what it holds: …sealed (and list it), …hash, …mac, …content, …fingerprint"
        );
    }
    found.retain(|(_, column)| column == "sealed" || column.ends_with("_sealed"));
    let mut listed: Vec<(String, String)> = sealed_columns().iter().map(|c| (c.table.into(), c.column.into())).collect();
    listed.sort();
    assert_eq!(found, listed);
}

/// Login roles get new passwords while a server runs: it is refused, reads the new one and goes on.
#[tokio::test]
async fn logins_are_rotated_under_a_running_server() {
    // An installation of its own: the other tests share their roles.
    let mut db = TestDb::unmigrated().await;
    let url = cluster().admin_url(&db.name);
    run(&Options::new(url.parse().unwrap(), secret_key())).await.unwrap();
    let mut admin = db.admin().await;
    db.installation = Installation::load(&mut admin).await.unwrap().unwrap();
    let database = Database::open(settings(&db), Clock::system()).await.unwrap();
    assert!(database.is_current().await.unwrap());
    let radius = database.radius_login().await.unwrap();
    db.login(&radius.0).await;

    for with_radius in [false, true] {
        let changed = rotate_logins(&settings(&db), with_radius).await.unwrap();
        assert_eq!(changed.contains(&radius.0), with_radius, "{changed:?}");
        execute(
            &mut admin,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'trunkline'"
                .into(),
        )
        .await;
        assert!(database.is_current().await.unwrap(), "with a new connection");
        let now = database.radius_login().await.unwrap();
        assert_eq!(now == radius, !with_radius);
    }
    let (sealed,): (Vec<u8>,) = sqlx::query_as("SELECT sealed FROM platform.login WHERE role = $1::name")
        .bind(&radius.0)
        .fetch_one(&mut admin)
        .await
        .unwrap();
    assert_eq!(secret_key().sealed_by(&sealed), SealedBy::Current);
    // Nobody who serves can read them.
    let denied = Database::begin_platform(&database, Arc::new(Actor::System))
        .await
        .unwrap()
        .sql("SELECT count(*) FROM platform.login")
        .scalar::<i64>()
        .await
        .unwrap_err();
    assert_eq!(denied.sqlstate(), Some("42501"));
    database.close().await;
}
