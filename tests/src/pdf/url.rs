use axum::http::StatusCode;
use serde_json::json;

use super::{path, pdf, text};
use crate::harness::{PASSWORD, TestApp, Who};

#[tokio::test(flavor = "multi_thread")]
async fn a_pdf_goes_to_whom_the_invoice_is_open_and_to_nobody_else() {
    let app = TestApp::new().await;
    let owner = app.on("asha").as_owner();
    let first = owner.first_subscriber("first").await;
    let second = owner.first_subscriber("second").await;
    for subscriber in [&first.subscriber, &second.subscriber] {
        owner.portal_password(subscriber).await;
    }
    let path = path(&owner, &first.invoice).await;
    assert_eq!(path, format!("/invoices/{}.pdf", first.invoice), "host-relative");
    let host = app.on("asha");
    let elsewhere = app.on("chandra");
    let foreign = elsewhere.as_owner();
    for (who, ask, expected) in [
        ("the owner", owner.clone(), StatusCode::OK),
        ("billing staff", host.as_login("billing@asha.example"), StatusCode::OK),
        ("its payer", host.as_subscriber(&first.account_number), StatusCode::OK),
        (
            "another subscriber",
            host.as_subscriber(&second.account_number),
            StatusCode::NOT_FOUND,
        ),
        (
            "staff without a right",
            host.as_login("nothing@asha.example"),
            StatusCode::FORBIDDEN,
        ),
        ("nobody", host.clone(), StatusCode::UNAUTHORIZED),
        (
            "a forged token",
            host.with(Who::Token("a.b.c".into())),
            StatusCode::UNAUTHORIZED,
        ),
        ("another ISP's owner, there", foreign.clone(), StatusCode::NOT_FOUND),
        (
            "another ISP's owner, here",
            host.with(Who::Token(foreign.token().await)),
            StatusCode::UNAUTHORIZED,
        ),
        (
            "our owner, there",
            elsewhere.with(Who::Token(owner.token().await)),
            StatusCode::UNAUTHORIZED,
        ),
        ("the platform", app.on_platform().as_platform_staff(), StatusCode::NOT_FOUND),
    ] {
        let answer = ask.get(&path, &[]).await;
        assert_eq!(answer.status, expected, "{who}: {}", answer.text);
        assert_eq!(answer.bytes.starts_with(b"%PDF"), expected == StatusCode::OK, "{who}");
    }
    app.run_jobs().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_not_found() {
    let app = TestApp::new().await;
    let owner = app.on("asha").as_owner();
    let first = owner.first_subscriber("first").await;
    for path in [
        format!("/invoices/{}", first.invoice),
        format!("/invoices/{}.svg", first.invoice),
        format!("/invoices/{}.pdf", first.subscriber),
        "/invoices/invoice_0199000000007000800000000000000a.pdf".into(),
        "/invoices/..%2F..%2Fetc%2Fpasswd.pdf".into(),
        "/invoices/.pdf".into(),
        "/invoices/".into(),
    ] {
        let answer = owner.get(&path, &[]).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}: {}", answer.text);
        assert_eq!(answer.text, "not found\n", "{path}");
    }
    app.run_jobs().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_keeps_it_until_a_payment_changes_it() {
    let app = TestApp::new().await;
    let owner = app.on("asha").as_owner();
    let first = owner.first_subscriber("first").await;
    let path = path(&owner, &first.invoice).await;
    let answer = owner.get(&path, &[]).await;
    let tag = answer.headers["etag"].to_str().unwrap().to_owned();
    assert_eq!(answer.headers["cache-control"], "private, no-cache");
    assert_eq!(answer.headers["x-content-type-options"], "nosniff");
    let name = answer.headers["content-disposition"].to_str().unwrap();
    assert!(
        name.starts_with("inline; filename=\"IN-26-27-") && name.ends_with(".pdf\""),
        "{name}"
    );
    let saved = owner.get(&format!("{path}?download"), &[]).await;
    assert!(
        saved.headers["content-disposition"]
            .to_str()
            .unwrap()
            .starts_with("attachment;")
    );
    assert_eq!(saved.bytes, answer.bytes, "the same document, octet for octet");
    for known in [tag.clone(), format!("W/{tag}"), format!("\"x\", {tag}"), "*".into()] {
        let again = owner.get(&path, &[("if-none-match", &known)]).await;
        assert_eq!((again.status, again.bytes.len()), (StatusCode::NOT_MODIFIED, 0), "{known}");
    }
    // Who may not see it learns nothing by guessing its tag.
    let nobody = app.on("asha").get(&path, &[("if-none-match", &tag)]).await;
    assert_eq!(nobody.status, StatusCode::UNAUTHORIZED);

    owner.pay(&first.subscriber, &first.total).await;
    let changed = owner.get(&path, &[("if-none-match", &tag)]).await;
    assert_eq!(changed.status, StatusCode::OK);
    assert!(text(&changed.bytes).contains("PAID") && !text(&answer.bytes).contains("PAID"));
    app.run_jobs().await;
}

/// A second look is answered from memory, and each ISP by its own.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_remembered_is_remembered_by_isp() {
    let app = TestApp::new().await;
    let mut seen = Vec::new();
    for slug in ["asha", "chandra"] {
        let owner = app.on(slug).as_owner();
        let first = owner.first_subscriber(&format!("of-{slug}")).await;
        let made = pdf(&owner, &first.invoice).await;
        assert_eq!(made, pdf(&owner, &first.invoice).await);
        assert!(text(&made).contains(&format!("of-{slug}")));
        let tag = owner.get(&path(&owner, &first.invoice).await, &[]).await.headers["etag"].clone();
        seen.push(tag);
    }
    assert_ne!(seen[0], seen[1]);
    app.run_jobs().await;
}

/// A link opens in a browser that is signed in; a page of another site gets nothing by asking for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_browser_that_is_signed_in_by_cookie_opens_it() {
    let app = TestApp::new().await;
    let owner = app.on("asha").as_owner();
    let first = owner.first_subscriber("first").await;
    let path = path(&owner, &first.invoice).await;
    let browser = app.on("asha");
    let input = json!({ "email": "owner@asha.example", "password": PASSWORD, "cookie": true });
    let entered = browser.mutate("sessionCreate", input, "session { expiresAt }").await;
    entered.done();
    let pairs = entered.headers.get_all("set-cookie").iter();
    let pairs: Vec<&str> = pairs.map(|c| c.to_str().unwrap().split(';').next().unwrap()).collect();
    let cookie = pairs.join("; ");
    for (site, expected) in [
        (None, StatusCode::OK),
        (Some("none"), StatusCode::OK),
        (Some("same-origin"), StatusCode::OK),
        (Some("same-site"), StatusCode::UNAUTHORIZED),
        (Some("cross-site"), StatusCode::UNAUTHORIZED),
    ] {
        let headers: Vec<_> = [("cookie", cookie.as_str())]
            .into_iter()
            .chain(site.map(|site| ("sec-fetch-site", site)))
            .collect();
        let answer = browser.get(&path, &headers).await;
        assert_eq!(answer.status, expected, "{site:?}: {}", answer.text);
    }
    app.run_jobs().await;
}
