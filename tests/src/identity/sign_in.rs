//! Who signs in, what a token is good for, and who may give rights away.

use axum::http::StatusCode;
use serde_json::{Value, json};
use trunkline_domain::identity::{self, Authenticator, Client, Credentials};
use trunkline_domain::kernel::Error;

use crate::harness::{Answer, Ask, PASSWORD, TestApp, Who, execute};

const SESSION: &str = "session { accessToken expiresAt viewer { id kind name email permissions tenant { slug } } }";

async fn sign_in(ask: Ask<'_>, email: &str, password: &str) -> Answer {
    let input = json!({ "email": email, "password": password });
    ask.mutate("sessionCreate", input, SESSION).await
}

async fn portal(ask: Ask<'_>, login: &str, password: &str) -> Answer {
    let input = json!({ "login": login, "password": password });
    ask.mutate("subscriberSessionCreate", input, SESSION).await
}

#[tokio::test]
async fn a_fresh_session_says_who_signed_in() {
    let app = TestApp::new().await;
    for (host, email, kind, tenant) in [
        ("platform", "admin@platform.example", "PLATFORM_STAFF", Value::Null),
        ("platform", "Director@Meridian.example ", "DIRECTOR", Value::Null),
        ("asha", "owner@asha.example", "TENANT_STAFF", json!({ "slug": "asha" })),
        ("asha", "READ-ONLY@asha.example", "TENANT_STAFF", json!({ "slug": "asha" })),
    ] {
        let session = sign_in(app.on(host), email, PASSWORD).await.done()["session"].clone();
        let viewer = &session["viewer"];
        assert_eq!(viewer["kind"], kind);
        assert_eq!(viewer["tenant"], tenant);
        assert_eq!(viewer["email"].as_str().unwrap().to_lowercase(), email.trim().to_lowercase());
        // The same that the token is worth afterwards.
        let token = session["accessToken"].as_str().unwrap().to_owned();
        let query = "{ viewer { id kind name email permissions tenant { slug } } }";
        let later = app.on(host).with(Who::Token(token)).gql(query, json!({})).await;
        assert_eq!(&later.at("viewer"), viewer);
    }
    let viewer =
        |email: &'static str| async { sign_in(app.on("asha"), email, PASSWORD).await.done()["session"]["viewer"].clone() };
    let has = |viewer: &Value, right: &str| viewer["permissions"].as_array().unwrap().contains(&json!(right));
    let owner = viewer("owner@asha.example").await;
    let reader = viewer("read-only@asha.example").await;
    assert!(has(&owner, "payment:reverse") && has(&owner, "staff:write"));
    assert!(has(&reader, "invoice:read") && !has(&reader, "invoice:write"));
    assert_eq!(viewer("nothing@asha.example").await["permissions"], json!([]));
    assert_eq!(
        app.on("asha").gql("{ viewer { id } }", json!({})).await.at("viewer"),
        Value::Null
    );
}

#[tokio::test]
async fn whatever_is_wrong_the_answer_is_one() {
    let app = TestApp::new().await;
    execute(
        &mut app.db.admin().await,
        format!(
            "UPDATE {}.staff SET disabled_at = now() WHERE email = 'support@asha.example'",
            app.db.tenants[0].role
        ),
    )
    .await;
    let mut answers = Vec::new();
    for (host, email, password) in [
        ("asha", "owner@asha.example", "wrong password"),
        ("asha", "owner@asha.example", ""),
        ("asha", "nobody@asha.example", PASSWORD),
        ("asha", "", PASSWORD),
        ("asha", "support@asha.example", PASSWORD),
        ("asha", "owner@baraka.example", PASSWORD),
        ("asha", "admin@platform.example", PASSWORD),
        ("platform", "owner@asha.example", PASSWORD),
        ("platform", "admin@platform.example", "wrong password"),
    ] {
        let answer = sign_in(app.on(host), email, password).await;
        assert_eq!(answer.refusals(), ["INVALID_CREDENTIALS"], "{email} on {host}");
        assert_eq!(answer.at("sessionCreate.session"), Value::Null);
        answers.push(answer.text);
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
}

#[tokio::test]
async fn a_token_lasts_fifteen_minutes_of_the_products_time() {
    let app = TestApp::new().await;
    app.set_clock("2030-01-01T00:00:00Z").await;
    let token = app.on("asha").as_owner().token().await;
    let ask = app.on("asha").with(Who::Token(token));
    app.set_clock("2030-01-01T00:14:50Z").await;
    assert_eq!(ask.gql("{ viewer { id } }", json!({})).await.status, StatusCode::OK);
    app.set_clock("2030-01-01T00:16:00Z").await;
    assert_eq!(ask.gql("{ viewer { id } }", json!({})).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn whoever_was_disabled_or_became_another_kind_is_out() {
    let app = TestApp::new().await;
    let staff = app.on("asha").as_login("support@asha.example").token().await;
    let director = app.on_platform().as_director().token().await;
    // Nobody has shown these tokens yet, so nothing of them is remembered.
    let role = &app.db.tenants[0].role;
    execute(
        &mut app.db.admin().await,
        format!(
            "UPDATE {role}.staff SET disabled_at = now() WHERE email = 'support@asha.example';
             UPDATE platform.account SET kind = 'PLATFORM_STAFF', director_id = NULL WHERE email = 'director@meridian.example'"
        ),
    )
    .await;
    for (host, token) in [("asha", staff), ("platform", director)] {
        let answer = app.on(host).with(Who::Token(token)).gql("{ viewer { id } }", json!({})).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{}", answer.text);
    }
}

/// What one process remembers of somebody's rights is gone at the latest after some seconds, at once when it is told.
#[tokio::test]
async fn rights_that_were_taken_away_are_gone() {
    let app = TestApp::new().await;
    let ask = app.on("asha").as_login("support@asha.example");
    let plan = async |ask: &Ask<'_>| ask.gql("{ subscribers(first: 1) { nodes { id } } }", json!({})).await.code();
    assert_eq!(plan(&ask).await, None);
    let role = &app.db.tenants[0].role;
    let mut admin = app.db.admin().await;
    execute(
        &mut admin,
        format!("UPDATE {role}.staff SET role_code = 'nothing' WHERE email = 'support@asha.example'"),
    )
    .await;
    let viewer = ask.gql("{ viewer { id } }", json!({})).await.text_at("viewer.id");
    let tenant = app.app.directory.by_slug("asha").await.unwrap().unwrap();
    app.app.authenticator.forget_staff(&tenant, viewer.parse().unwrap()).await;
    assert_eq!(plan(&ask).await.as_deref(), Some("FORBIDDEN"));
}

#[tokio::test]
async fn keys_are_made_once_sealed_and_retired() {
    let app = TestApp::new().await;
    let mut admin = app.db.admin().await;
    execute(&mut admin, "DELETE FROM platform.signing_key".into()).await;
    let fresh = || Authenticator::new(app.app.database.clone());
    let credentials = || Credentials::new("admin@platform.example", PASSWORD);
    let client = Client::default();
    let (one, two) = (fresh(), fresh());
    let (a, b) = tokio::join!(
        one.session_create(None, credentials(), &client),
        two.session_create(None, credentials(), &client)
    );
    let (a, b) = (a.unwrap().access_token, b.unwrap().access_token);
    let keys: Vec<(Vec<u8>, Vec<u8>)> = sqlx::query_as("SELECT sealed, public_key FROM platform.signing_key")
        .fetch_all(&mut admin)
        .await
        .unwrap();
    assert_eq!(keys.len(), 1, "two processes at once make one key");
    // PKCS#8 of an Ed25519 key holds its public half: were it stored in the clear, that would be found.
    let (sealed, public) = &keys[0];
    assert!(!sealed.windows(public.len()).any(|w| w == public));
    for token in [&a, &b] {
        one.authenticate(None, token).await.unwrap();
        fresh().authenticate(None, token).await.unwrap();
    }
    execute(&mut admin, "UPDATE platform.signing_key SET retired_at = now()".into()).await;
    let after = fresh();
    assert!(matches!(after.authenticate(None, &a).await, Err(Error::Unauthenticated)));
    let renewed = after.session_create(None, credentials(), &client).await.unwrap().access_token;
    fresh().authenticate(None, &renewed).await.unwrap();
}

#[tokio::test]
async fn nobody_grants_what_they_lack() {
    let app = TestApp::new().await;
    let role = &app.db.tenants[0].role;
    execute(
        &mut app.db.admin().await,
        format!(
            "INSERT INTO {role}.role (code, name, permissions) VALUES ('clerk', 'Clerk', '{{staff:read,staff:write,plan:read}}');
             INSERT INTO {role}.role (code, name, permissions) VALUES ('later', 'Later', '{{plan:read,unheard:of}}');
             UPDATE {role}.staff SET role_code = 'clerk' WHERE email = 'billing@asha.example'"
        ),
    )
    .await;
    let clerk = app.on("asha").as_login("billing@asha.example");
    let hire = async |ask: &Ask<'_>, email: &str, role: &str| {
        let input = json!({ "name": "New", "email": email, "password": PASSWORD, "role": role });
        ask.mutate("staffCreate", input, "staff { id email role }").await
    };
    for role in ["owner", "admin", "support", "read-only", "later"] {
        let answer = hire(&clerk, "x@asha.example", role).await;
        assert_eq!(answer.code().as_deref(), Some("FORBIDDEN"), "{role}");
    }
    for role in ["nothing", "clerk"] {
        hire(&clerk, &format!("{role}-2@asha.example"), role).await.done();
    }
    let owner = app.on("asha").as_owner();
    assert_eq!(
        hire(&owner, "OWNER@Asha.example", "support").await.refusals(),
        ["TAKEN email"]
    );
    assert_eq!(hire(&owner, "y@asha.example", "captain").await.refusals(), ["NOT_FOUND role"]);
    let input = json!({ "name": " ", "email": "nonsense", "password": "short", "role": "support" });
    let answer = owner.mutate("staffCreate", input, "staff { id }").await;
    assert_eq!(answer.refusals(), ["REQUIRED name", "INVALID email", "INVALID password"]);
    for (ask, code) in [
        (app.on("asha").as_login("support@asha.example"), "FORBIDDEN"),
        (app.on("asha"), "UNAUTHENTICATED"),
        (app.on_platform().as_platform_staff(), "FORBIDDEN"),
    ] {
        assert_eq!(hire(&ask, "z@asha.example", "nothing").await.code().as_deref(), Some(code));
    }
    let roles = owner
        .gql(
            "{ roles { code name permissions } staff(first: 50) { totalCount nodes { email } } }",
            json!({}),
        )
        .await;
    assert_eq!(roles.at("staff.totalCount"), json!(9));
    assert!(roles.text.contains("Read only") && !roles.text.contains("unheard:of"));
    let baraka = app
        .on("baraka")
        .as_owner()
        .gql("{ staff(first: 50) { nodes { email } } }", json!({}))
        .await;
    assert!(!baraka.text.contains("asha"));
}

#[tokio::test]
async fn there_is_one_first_administrator() {
    let app = TestApp::new().await;
    for email in ["admin@platform.example", "second@platform.example"] {
        assert!(
            !identity::ensure_first_admin(&app.app.database, email, PASSWORD)
                .await
                .unwrap()
        );
    }
    let mut admin = app.db.admin().await;
    execute(
        &mut admin,
        "DELETE FROM platform.account WHERE kind = 'PLATFORM_STAFF'".into(),
    )
    .await;
    let refused = identity::ensure_first_admin(&app.app.database, "x", "short").await;
    assert!(matches!(refused, Err(Error::User(e)) if e.len() == 2));
    let (a, b) = tokio::join!(
        identity::ensure_first_admin(&app.app.database, "one@platform.example", PASSWORD),
        identity::ensure_first_admin(&app.app.database, "two@platform.example", PASSWORD),
    );
    assert!(a.unwrap() != b.unwrap(), "exactly one of two processes makes it");
}

#[tokio::test]
async fn a_subscriber_signs_in_with_its_account_number() {
    let app = TestApp::new().await;
    let owner = app.on("asha").as_owner();
    let (id, number) = owner
        .subscriber("Meera", json!({ "email": "meera@example.net", "phone": "+919812345678" }))
        .await;
    let (other, _) = owner.subscriber("Other", json!({})).await;
    assert_eq!(
        portal(app.on("asha"), &number, PASSWORD).await.refusals(),
        ["INVALID_CREDENTIALS"]
    );
    owner.portal_password(&id).await;
    let session = portal(app.on("asha"), &format!(" {} ", number.to_lowercase()), PASSWORD)
        .await
        .done()["session"]
        .clone();
    let viewer = &session["viewer"];
    assert_eq!(
        (&viewer["id"], &viewer["kind"], &viewer["permissions"], &viewer["email"]),
        (&json!(id), &json!("SUBSCRIBER"), &json!([]), &json!("meera@example.net"))
    );
    // Not verified, hence no login; and no login elsewhere.
    for (host, login, password) in [
        ("asha", "meera@example.net", PASSWORD),
        ("asha", "+919812345678", PASSWORD),
        ("asha", number.as_str(), "network-secret"),
        ("baraka", number.as_str(), PASSWORD),
    ] {
        assert_eq!(
            portal(app.on(host), login, password).await.refusals(),
            ["INVALID_CREDENTIALS"]
        );
    }
    let set = async |ask: &Ask<'_>, id: &str, password: &str| {
        let input = json!({ "subscriberId": id, "password": password });
        ask.mutate("subscriberPasswordSet", input, "subscriber { id }").await
    };
    let meera = app.on("asha").as_subscriber(&number);
    assert_eq!(
        set(&meera, &other, "another password").await.code().as_deref(),
        Some("FORBIDDEN")
    );
    let reader = app.on("asha").as_login("read-only@asha.example");
    assert_eq!(
        set(&reader, &id, "another password").await.code().as_deref(),
        Some("FORBIDDEN")
    );
    assert_eq!(set(&owner, &id, "short").await.refusals(), ["INVALID password"]);
    let foreign = app.on("baraka").as_owner();
    assert_eq!(
        set(&foreign, &id, "another password").await.refusals(),
        ["NOT_FOUND subscriberId"]
    );
    set(&meera, &id, "another password").await.done();
    assert_eq!(
        portal(app.on("asha"), &number, PASSWORD).await.refusals(),
        ["INVALID_CREDENTIALS"]
    );
    portal(app.on("asha"), &number, "another password").await.done();
    app.run_jobs().await;
}
