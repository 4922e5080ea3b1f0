//! Two-factor sign-in: switched on with a first code, asked for, used once, and never a way around.

use serde_json::{Value, json};
use totp_rs::{Builder, Secret};

use super::ground::{Tokens, count, is_in, refresh, sign_in, try_sign_in};
use crate::harness::{Ask, PASSWORD, TestApp, Who};

const OWNER: &str = "owner@asha.example";

/// An authenticator app.
struct Phone(totp_rs::Totp);

impl Phone {
    fn new(secret: &str) -> Self {
        let secret = Secret::try_from_base32(secret).unwrap();
        Self(Builder::new().with_secret(secret).with_account_name("x").build().unwrap())
    }

    /// What it shows at this time.
    fn code(&self, at: &str) -> String {
        let at: chrono::DateTime<chrono::Utc> = at.parse().unwrap();
        self.0.generate(at.timestamp().try_into().unwrap()).to_string()
    }
}

/// Switches it on at noon: the phone, the recovery codes, and the session that did it.
async fn enrolled<'a>(app: &'a TestApp, host: &str, email: &str) -> (Phone, Vec<String>, Ask<'a>) {
    app.set_clock("2026-04-01T12:00:00Z").await;
    let ask = app.on(host);
    let me = ask.with(Who::Token(sign_in(&ask, email).await.access));
    let answer = me
        .mutate("totpEnrol", json!({ "password": PASSWORD }), "enrolment { secret uri }")
        .await;
    let enrolment = answer.done()["enrolment"].clone();
    let uri = enrolment["uri"].as_str().unwrap();
    let secret = enrolment["secret"].as_str().unwrap();
    assert!(uri.starts_with("otpauth://totp/") && uri.contains(secret), "{uri}");
    let phone = Phone::new(secret);
    let code = phone.code("2026-04-01T12:00:00Z");
    let answer = me.mutate("totpConfirm", json!({ "code": code }), "recoveryCodes").await;
    let codes: Vec<String> = serde_json::from_value(answer.done()["recoveryCodes"].clone()).unwrap();
    (phone, codes, me)
}

#[tokio::test]
async fn sign_in_asks_for_a_code_and_takes_each_once() {
    let app = TestApp::new().await;
    for (host, email) in [("asha", OWNER), ("platform", "admin@platform.example")] {
        let before = {
            app.set_clock("2026-04-01T11:59:00Z").await;
            sign_in(&app.on(host), email).await
        };
        let (phone, _, me) = enrolled(&app, host, email).await;
        let ask = app.on(host);
        assert!(
            !is_in(&ask, &before.access).await,
            "a session begun without the second factor goes on"
        );
        let status = me.gql("{ secondFactor { enabled recoveryCodesLeft } }", json!({})).await;
        assert_eq!(status.at("secondFactor"), json!({ "enabled": true, "recoveryCodesLeft": 10 }));

        let with = async |code: Option<&str>| try_sign_in(&ask, email, PASSWORD, code).await;
        assert_eq!(with(None).await.refusals(), ["TOTP_REQUIRED totpCode"]);
        assert_eq!(with(Some("")).await.refusals(), ["TOTP_REQUIRED totpCode"]);
        let wrong = ["INVALID_CREDENTIALS totpCode"];
        // The code that switched it on was used by that.
        assert_eq!(with(Some(&phone.code("2026-04-01T12:00:00Z"))).await.refusals(), wrong);
        app.set_clock("2026-04-01T12:00:45Z").await;
        let code = phone.code("2026-04-01T12:00:45Z");
        let tokens = Tokens::of(&with(Some(&format!("{} {}", &code[..3], &code[3..]))).await);
        assert_eq!(with(Some(&code)).await.refusals(), wrong, "a code was taken twice");
        for bad in [
            "000000",
            "12345",
            "1234567",
            "१२३४५६",
            "abcdef",
            &phone.code("2026-04-01T11:58:00Z"),
        ] {
            assert_eq!(with(Some(bad)).await.refusals(), wrong, "{bad}");
        }
        // A right code with a wrong password says nothing of either, and is not used up.
        app.set_clock("2026-04-01T12:02:00Z").await;
        let code = phone.code("2026-04-01T12:02:00Z");
        let answer = try_sign_in(&ask, email, "wrong password", Some(&code)).await;
        assert_eq!(answer.refusals(), ["INVALID_CREDENTIALS"]);
        Tokens::of(&with(Some(&code)).await);
        // A refresh needs no code.
        Tokens::of(&refresh(&ask, &tokens.refresh).await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_code_at_two_doors_opens_one() {
    let app = TestApp::new().await;
    let (phone, codes, _) = enrolled(&app, "asha", OWNER).await;
    let ask = app.on("asha");
    app.set_clock("2026-04-01T12:01:00Z").await;
    for code in [phone.code("2026-04-01T12:01:00Z"), codes[0].clone()] {
        let (a, b) = tokio::join!(
            try_sign_in(&ask, OWNER, PASSWORD, Some(&code)),
            try_sign_in(&ask, OWNER, PASSWORD, Some(&code))
        );
        let served = [a, b].iter().filter(|answer| answer.refusals().is_empty()).count();
        assert_eq!(served, 1, "{code}");
    }
}

#[tokio::test]
async fn recovery_codes_are_good_once_and_kept_as_hashes() {
    let app = TestApp::new().await;
    let (phone, codes, me) = enrolled(&app, "asha", OWNER).await;
    let ask = app.on("asha");
    assert_eq!(codes.len(), 10);
    let typed = codes[3].replace('-', " ").to_uppercase();
    Tokens::of(&try_sign_in(&ask, OWNER, PASSWORD, Some(&typed)).await);
    let again = try_sign_in(&ask, OWNER, PASSWORD, Some(&codes[3])).await;
    assert_eq!(again.refusals(), ["INVALID_CREDENTIALS totpCode"]);
    let left = me.gql("{ secondFactor { recoveryCodesLeft } }", json!({})).await;
    assert_eq!(left.at("secondFactor.recoveryCodesLeft"), json!(9));
    let role = &app.db.tenants[0].role;
    let mut admin = app.db.admin().await;
    let plain = format!(
        "SELECT count(*) FROM {role}.recovery_code WHERE encode(hash, 'escape') LIKE '%{}%'",
        codes[0]
    );
    assert_eq!(count(&mut admin, plain).await, 0);
    let sealed: Vec<u8> = sqlx::query_scalar(sqlx::AssertSqlSafe(format!("SELECT sealed FROM {role}.totp")))
        .fetch_one(&mut admin)
        .await
        .unwrap();
    let secret = phone.0.secret().as_ref().to_vec();
    assert!(
        !sealed.windows(secret.len()).any(|w| w == secret),
        "the secret is stored in the clear"
    );

    app.set_clock("2026-04-01T12:05:00Z").await;
    let renew = json!({ "password": PASSWORD, "code": phone.code("2026-04-01T12:05:00Z") });
    let new = me.mutate("recoveryCodesRenew", renew, "recoveryCodes").await.done();
    assert_eq!(new["recoveryCodes"].as_array().unwrap().len(), 10);
    let old = try_sign_in(&ask, OWNER, PASSWORD, Some(&codes[0])).await;
    assert_eq!(old.refusals(), ["INVALID_CREDENTIALS totpCode"]);
    let new = new["recoveryCodes"][0].as_str().unwrap();
    Tokens::of(&try_sign_in(&ask, OWNER, PASSWORD, Some(new)).await);
}

#[tokio::test]
async fn a_stolen_session_does_not_change_the_second_factor() {
    let app = TestApp::new().await;
    let ask = app.on("asha");
    let thief = ask.with(Who::Token(sign_in(&ask, "support@asha.example").await.access));
    let enrol = async |ask: &Ask<'_>, password: &str| {
        ask.mutate("totpEnrol", json!({ "password": password }), "enrolment { secret }")
            .await
    };
    assert_eq!(
        enrol(&thief, "wrong password").await.refusals(),
        ["INVALID_CREDENTIALS password"]
    );
    let confirm = thief
        .mutate("totpConfirm", json!({ "code": "123456" }), "recoveryCodes")
        .await;
    assert_eq!(confirm.refusals(), ["INVALID_STATE"]);

    let (phone, codes, me) = enrolled(&app, "asha", OWNER).await;
    assert_eq!(enrol(&me, PASSWORD).await.refusals(), ["INVALID_STATE"]);
    let disable = async |password: &str, code: &str| {
        let input = json!({ "password": password, "code": code });
        me.mutate("totpDisable", input, "secondFactor { enabled recoveryCodesLeft }")
            .await
    };
    app.set_clock("2026-04-01T12:01:00Z").await;
    let code = phone.code("2026-04-01T12:01:00Z");
    assert_eq!(
        disable("wrong password", &code).await.refusals(),
        ["INVALID_CREDENTIALS password"]
    );
    assert_eq!(disable(PASSWORD, "000000").await.refusals(), ["INVALID_CREDENTIALS code"]);
    assert_eq!(disable(PASSWORD, "").await.refusals(), ["INVALID_CREDENTIALS code"]);
    // Guesses of the code are counted as guesses at sign-in are, and with them.
    for _ in 0..7 {
        assert_eq!(disable(PASSWORD, "000000").await.refusals(), ["INVALID_CREDENTIALS code"]);
    }
    assert_eq!(
        disable(PASSWORD, &codes[0]).await.refusals(),
        ["INVALID_CREDENTIALS password"]
    );
    let role = &app.db.tenants[0].role;
    let later = format!("UPDATE {role}.sign_in_failure SET last_at = last_at - interval '1 hour'");
    crate::harness::execute(&mut app.db.admin().await, later).await;
    let done = disable(PASSWORD, &codes[0]).await.done();
    assert_eq!(done["secondFactor"], json!({ "enabled": false, "recoveryCodesLeft": 0 }));
    sign_in(&ask, OWNER).await;
}

#[tokio::test]
async fn codes_cannot_be_guessed() {
    let app = TestApp::new().await;
    let (phone, ..) = enrolled(&app, "asha", OWNER).await;
    let ask = app.on("asha");
    for n in 0..10 {
        // The right password in between, without a code, does not wipe the slate clean.
        let answer = try_sign_in(&ask, OWNER, PASSWORD, Some("000000")).await;
        assert_eq!(answer.refusals(), ["INVALID_CREDENTIALS totpCode"], "{n}");
        if n < 9 {
            assert_eq!(
                try_sign_in(&ask, OWNER, PASSWORD, None).await.refusals(),
                ["TOTP_REQUIRED totpCode"]
            );
        }
    }
    app.set_clock("2026-04-01T12:01:00Z").await;
    let code = phone.code("2026-04-01T12:01:00Z");
    let answer = try_sign_in(&ask, OWNER, PASSWORD, Some(&code)).await;
    assert_eq!(answer.refusals(), ["INVALID_CREDENTIALS"]);
}

#[tokio::test]
async fn subscribers_have_none() {
    let app = TestApp::new().await;
    let owner = app.on("asha").as_owner();
    let first = owner.first_subscriber("first").await;
    owner.portal_password(&first.subscriber).await;
    app.run_jobs().await;
    let me = app.on("asha").as_subscriber(&first.account_number);
    let answer = me.gql("{ secondFactor { enabled } }", json!({})).await;
    assert_eq!(answer.at("secondFactor"), Value::Null);
    let answer = me
        .mutate("totpEnrol", json!({ "password": PASSWORD }), "enrolment { secret }")
        .await;
    assert_eq!(answer.code().as_deref(), Some("FORBIDDEN"));
    let nobody = app
        .on("asha")
        .mutate("totpConfirm", json!({ "code": "1" }), "recoveryCodes")
        .await;
    assert_eq!(nobody.code().as_deref(), Some("UNAUTHENTICATED"));
}
