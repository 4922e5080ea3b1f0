//! The route by which journals are fetched: who may, and that a long one is no burden.

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use futures::StreamExt;
use serde_json::json;
use tower::ServiceExt;

use super::shop::{export, get, trade};
use crate::harness::{TestApp, env};

const PATH: &str = "/exports/journal?format=csv";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_who_may_read_the_books_of_this_isp() {
    let app = TestApp::new().await;
    let host = app.on("asha");
    let owner = host.as_owner();
    let first = owner.first_subscriber("meera").await;
    owner.portal_password(&first.subscriber).await;
    let bearer = async |ask: &crate::harness::Ask<'_>| vec![("authorization", format!("Bearer {}", ask.token().await))];

    assert_eq!(get(&host, PATH, &[]).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(
        get(&host, PATH, &[("authorization", "Bearer x".into())]).await.status,
        StatusCode::UNAUTHORIZED
    );
    let theirs = bearer(&app.on("chandra").as_owner()).await;
    assert_eq!(get(&host, PATH, &theirs).await.status, StatusCode::UNAUTHORIZED);
    for (who, status) in [
        (host.as_login("support@asha.example"), StatusCode::FORBIDDEN),
        (host.as_subscriber(&first.account_number), StatusCode::FORBIDDEN),
        (host.as_login("billing@asha.example"), StatusCode::OK),
        (owner.clone(), StatusCode::OK),
    ] {
        let answer = get(&host, PATH, &bearer(&who).await).await;
        assert_eq!(answer.status, status, "{:?}: {}", who.who, answer.text);
        assert_eq!(
            answer.text.contains("Assets:Receivable"),
            status == StatusCode::OK,
            "{:?}",
            who.who
        );
    }
    let platform = app.on_platform();
    let staff = bearer(&platform.as_platform_staff()).await;
    assert_eq!(get(&platform, PATH, &staff).await.status, StatusCode::NOT_FOUND);
    let own = bearer(&owner).await;
    for bad in [
        "",
        "?format=pdf",
        "?format=csv&from=x",
        "?format=csv&from=2026-04-02&to=2026-04-01",
        "?format=csv&to=2026-02-30",
    ] {
        let answer = get(&host, &format!("/exports/journal{bad}"), &own).await;
        assert_eq!(
            (answer.status, answer.code().as_deref()),
            (StatusCode::BAD_REQUEST, Some("BAD_ARGUMENT")),
            "{bad}"
        );
    }
    let cookie = ("cookie", format!("trunkline-access={}", owner.token().await));
    for (site, status) in [("same-origin", StatusCode::OK), ("same-site", StatusCode::UNAUTHORIZED)] {
        let answer = get(&host, PATH, &[cookie.clone(), ("sec-fetch-site", site.into())]).await;
        assert_eq!(answer.status, status, "{site}");
    }
    let audit = owner
        .gql(
            "{ auditEntries(first: 9, filter: { action: \"ledgerExport\" }) { totalCount } }",
            json!({}),
        )
        .await;
    assert_eq!(
        audit.at("auditEntries.totalCount"),
        3,
        "whoever took the books with them is known"
    );
    app.jobs_may_remain();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn days_are_kept_to() {
    let app = TestApp::new().await;
    trade(&app, "asha").await;
    let owner = app.on("asha").as_owner();
    let of = async |arguments: &str| export(&owner, &format!("format: CSV{arguments}")).await;
    let all = of("").await;
    let days = |csv: &str| {
        csv.lines()
            .skip(1)
            .map(|l| l.split(',').nth(1).unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert!(days(&all).is_sorted() && days(&all).len() > 40);
    let part = of(", from: \"2026-04-01\", to: \"2026-04-01\"").await;
    assert!(!days(&part).is_empty() && days(&part).iter().all(|d| d == "2026-04-01"));
    let parts = [of(", to: \"2026-03-31\"").await, part, of(", from: \"2026-04-02\"").await];
    let lines: usize = parts.iter().map(|p| p.lines().count() - 1).sum();
    assert_eq!(lines, all.lines().count() - 1);
}

/// `TRUNKLINE_JOURNAL` entries, 20,000 if nothing is said.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_journal_is_streamed() {
    let entries: usize = env("TRUNKLINE_JOURNAL").map_or(20_000, |n| n.parse().unwrap());
    let app = TestApp::new().await;
    let owner = app.on("asha").as_owner();
    let first = owner.first_subscriber("meera").await;
    super::entries_of(&app, &first.subscriber, u32::try_from(entries).unwrap()).await;
    let token = owner.token().await;
    for format in ["csv", "hledger", "beancount"] {
        let begun = std::time::Instant::now();
        let request = Request::get(format!("/exports/journal?format={format}"))
            .header(header::HOST, &owner.host)
            .header(header::AUTHORIZATION, format!("Bearer {token}"));
        let response = app
            .router
            .clone()
            .oneshot(request.body(Body::empty()).unwrap())
            .await
            .unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        let (mut pieces, mut bytes, mut largest, mut lines) = (0, 0, 0, 0);
        let mut body = response.into_body().into_data_stream();
        while let Some(piece) = body.next().await {
            let piece = piece.unwrap();
            pieces += 1;
            bytes += piece.len();
            largest = largest.max(piece.len());
            let word: &[u8] = if format == "csv" { b"Income:Sales" } else { b"  Income:Sales" };
            lines += piece.windows(word.len()).filter(|w| *w == word).count();
        }
        println!(
            "{format}: {entries} entries, {bytes} bytes in {pieces} pieces of at most {largest}, {:?}",
            begun.elapsed()
        );
        assert_eq!(lines, entries + 1, "{format}");
        assert!(
            pieces > entries / 2_000 && largest < 1_000_000,
            "{pieces} pieces, the largest of {largest} bytes"
        );
    }
    let left_half_way = Request::get("/exports/journal?format=csv")
        .header(header::HOST, &owner.host)
        .header(header::AUTHORIZATION, format!("Bearer {token}"));
    let response = app
        .router
        .clone()
        .oneshot(left_half_way.body(Body::empty()).unwrap())
        .await
        .unwrap();
    let mut body = response.into_body().into_data_stream();
    assert!(body.next().await.unwrap().is_ok() && body.next().await.unwrap().is_ok());
    drop(body);
    app.jobs_may_remain();
}
