use chrono::{NaiveDate, TimeZone, Utc};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use sqlx::Executor;
use trunkline_domain::ledger::{self, ClosePeriod};
use trunkline_domain::payments::{self, PaymentMethod, RecordPayment};
use uuid::Uuid;

use crate::harness::{Ask, TestApp, key};
use crate::payments::isp::isp;

const PERIOD: &str = "period { closedThrough changes { closedThrough reason } }";

async fn close(owner: &Ask<'_>, through: &str) -> crate::harness::Answer {
    let input = json!({ "through": through, "reason": "Month's end", "idempotencyKey": key() });
    owner.mutate("ledgerPeriodClose", input, PERIOD).await
}

#[tokio::test]
async fn nothing_is_booked_in_a_closed_period() {
    let app = TestApp::new().await;
    let owner = app.on("asha").as_owner();
    let first = owner.first_subscriber("meera").await;
    app.set_clock("2026-05-10T06:00:00Z").await;
    app.run_jobs().await;
    let closed = close(&owner, "2026-04-30").await.done()["period"].clone();
    assert_eq!(closed["closedThrough"], "2026-04-30");

    let pay = |at: &str| json!({ "subscriberId": first.subscriber, "amount": "10", "method": "CASH", "receivedAt": at, "idempotencyKey": key() });
    // 23:59 in Kolkata on the last closed day, and midnight.
    let late = owner
        .mutate("paymentRecord", pay("2026-04-30T18:29:59Z"), "payment { id }")
        .await;
    assert_eq!(late.refusals(), ["INVALID_STATE receivedAt"]);
    assert!(
        late.text
            .contains("closed through 2026-04-30; the first open day is 2026-05-01"),
        "{}",
        late.text
    );
    owner
        .mutate("paymentRecord", pay("2026-04-30T18:30:00Z"), "payment { id }")
        .await
        .done();
    let opening = json!({ "subscriberId": first.subscriber, "amount": "1", "asOf": "2026-04-30", "idempotencyKey": key() });
    let opening = owner.mutate("openingBalanceRecord", opening, "openingBalance { asOf }").await;
    assert_eq!(opening.refusals(), ["INVALID_STATE asOf"]);
    let end = json!({ "id": first.service, "reason": "Gone", "effectiveOn": "2026-04-30", "idempotencyKey": key() });
    assert_eq!(
        owner.mutate("serviceTerminate", end, "service { id }").await.refusals(),
        ["INVALID_STATE effectiveOn"]
    );
    let begin = json!({
        "subscriberId": first.subscriber, "planId": first.plan, "username": "two", "password": "network-secret",
        "startsOn": "2026-04-30", "idempotencyKey": key(),
    });
    assert_eq!(
        owner.mutate("serviceCreate", begin, "service { id }").await.refusals(),
        ["INVALID_STATE startsOn"]
    );
    app.run_jobs().await;
    the_database_refuses_too(&app).await;
}

/// What is booked today all the same, but as of a closed day.
#[tokio::test]
async fn no_service_begins_or_changes_as_of_a_closed_day() {
    let app = TestApp::new().await;
    let owner = app.on("asha").as_owner();
    owner.bills(json!({ "dueDays": 60 })).await;
    let home = owner.plan("home", json!({ "paymentMode": "POSTPAID" })).await;
    let fast = owner
        .plan("fast", json!({ "paymentMode": "POSTPAID", "price": "3000.00" }))
        .await;
    let (subscriber, _) = owner.subscriber("Meera", json!({})).await;
    app.set_clock("2026-04-15T06:00:00Z").await;
    let (service, _) = owner.service(&subscriber, &home, "one", json!({})).await;
    let (ordered, _) = owner.service(&subscriber, &home, "two", json!({ "activate": false })).await;
    app.set_clock("2026-05-10T06:00:00Z").await;
    app.run_jobs().await;
    close(&owner, "2026-04-30").await.done();
    for (day, refused) in [("2026-04-30", true), ("2026-05-01", false)] {
        let change = json!({ "id": service["id"], "planId": fast, "timing": "NOW", "effectiveOn": day, "idempotencyKey": key() });
        let change = owner.mutate("serviceChangePlan", change, "service { id }").await;
        let begin = json!({ "id": ordered["id"], "startsOn": day, "idempotencyKey": key() });
        let begin = owner.mutate("serviceActivate", begin, "service { id }").await;
        let expected = |field: &str| refused.then(|| format!("INVALID_STATE {field}"));
        assert_eq!(change.refusals().pop(), expected("effectiveOn"), "{day}: {}", change.text);
        assert_eq!(begin.refusals().pop(), expected("startsOn"), "{day}: {}", begin.text);
    }
    app.run_jobs().await;
}

/// Whatever the code does: a closed day takes no entry, an open one does.
async fn the_database_refuses_too(app: &TestApp) {
    let tenant = app.db.tenants.iter().find(|t| t.slug == "asha").unwrap();
    let mut conn = app.db.inside(tenant).await;
    for (day, refused) in [("2026-04-30", true), ("2019-01-01", true), ("2026-05-01", false)] {
        conn.execute("SAVEPOINT attempt").await.unwrap();
        let done = sqlx::query(
            "INSERT INTO ledger_entry (id, kind, source_id, booked_on, description, created_at)
             VALUES (gen_random_uuid(), 'probe', gen_random_uuid(), $1::date, 'x', now())",
        )
        .bind(day.parse::<NaiveDate>().unwrap())
        .execute(&mut conn)
        .await;
        let code = done.err().and_then(|e| Some(e.as_database_error()?.code()?.into_owned()));
        assert_eq!(code.as_deref(), refused.then_some("42501"), "{day}");
        conn.execute("ROLLBACK TO attempt").await.unwrap();
    }
}

#[tokio::test]
async fn periods_are_closed_forwards_and_opened_backwards() {
    let app = TestApp::new().await;
    let owner = app.on("asha").as_owner();
    let period = async || -> Value {
        let query = "{ ledgerPeriod { closedThrough changes { closedThrough reason } } }";
        owner.gql(query, json!({})).await.at("ledgerPeriod")
    };
    assert_eq!(period().await, json!({ "closedThrough": null, "changes": [] }));
    assert_eq!(
        close(&owner, "2026-04-01").await.refusals(),
        ["INVALID through"],
        "today goes on"
    );
    close(&owner, "2026-02-28").await.done();
    assert_eq!(close(&owner, "2026-02-28").await.refusals(), ["INVALID_STATE through"]);
    let input = json!({ "through": "2026-03-31", "reason": "Year's end", "idempotencyKey": key() });
    for _ in 0..2 {
        owner.mutate("ledgerPeriodClose", input.clone(), PERIOD).await.done();
    }
    let reopen = |through: Value| json!({ "through": through, "reason": "A slip", "idempotencyKey": key() });
    let refused = owner.mutate("ledgerPeriodReopen", reopen(json!("2026-03-31")), PERIOD).await;
    assert_eq!(refused.refusals(), ["INVALID_STATE through"]);
    let opened = owner
        .mutate("ledgerPeriodReopen", reopen(json!("2026-02-28")), PERIOD)
        .await
        .done();
    assert_eq!(opened["period"]["closedThrough"], "2026-02-28");
    owner.mutate("ledgerPeriodReopen", reopen(json!(null)), PERIOD).await.done();
    let refused = owner.mutate("ledgerPeriodReopen", reopen(json!(null)), PERIOD).await;
    assert_eq!(refused.refusals(), ["INVALID_STATE through"]);
    let changes = period().await["changes"].as_array().unwrap().len();
    assert_eq!(changes, 4, "all of it is known");
    let billing = app.on("asha").as_login("billing@asha.example");
    assert_eq!(close(&billing, "2026-03-31").await.code().as_deref(), Some("FORBIDDEN"));
    let unsaid = json!({ "through": "2026-03-31", "reason": " ", "idempotencyKey": key() });
    assert_eq!(
        owner.mutate("ledgerPeriodClose", unsaid, PERIOD).await.refusals(),
        ["REQUIRED reason"]
    );
    app.run_jobs().await;
}

fn back_dated(subscriber: trunkline_domain::kernel::ids::SubscriberId, at: chrono::DateTime<Utc>) -> RecordPayment {
    RecordPayment {
        subscriber_id: subscriber,
        amount: Decimal::TEN,
        method: PaymentMethod::Cash,
        reference: None,
        received_at: Some(at),
        invoice_ids: Vec::new(),
        key: None,
    }
}

/// Who booked before the closing is in the books before they are closed; who books after it waits, and is refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closing_waits_for_whoever_is_booking_and_others_for_it() {
    let isp = isp().await;
    let subscriber = isp.subscriber().await;
    let march = Utc.with_ymd_and_hms(2020, 3, 10, 6, 0, 0).unwrap();
    let through = NaiveDate::from_ymd_opt(2020, 3, 31).unwrap();
    let closing = |db: trunkline_domain::kernel::db::TenantDb| {
        tokio::spawn(async move {
            let cmd = ClosePeriod {
                through,
                reason: "Closed".into(),
                idempotency_key: Uuid::now_v7(),
            };
            db.write(async move |tx| ledger::period_close(tx, cmd.clone()).await)
                .await
                .map(|_| ())
        })
    };
    let booking = isp.db.begin(false).await.unwrap();
    payments::record(&booking, back_dated(subscriber, march)).await.unwrap();
    let waiting = closing(isp.db.clone());
    assert_eq!(
        isp.until_waiting(1).await,
        1,
        "the closing does not overtake an entry under way"
    );
    booking.commit().await.unwrap();
    waiting.await.unwrap().unwrap();
    assert_eq!(isp.payments().await, 1);

    // The other way round: the closing of April is under way when somebody books in April.
    let april = Utc.with_ymd_and_hms(2020, 4, 10, 6, 0, 0).unwrap();
    let closer = isp.db.begin(false).await.unwrap();
    let cmd = ClosePeriod {
        through: NaiveDate::from_ymd_opt(2020, 4, 30).unwrap(),
        reason: "Closed".into(),
        idempotency_key: Uuid::now_v7(),
    };
    ledger::period_close(&closer, cmd).await.unwrap();
    let db = isp.db.clone();
    let late = tokio::spawn(async move {
        db.write(async move |tx| payments::record(tx, back_dated(subscriber, april)).await)
            .await
    });
    assert_eq!(isp.until_waiting(1).await, 1);
    closer.commit().await.unwrap();
    let refused = crate::payments::isp::refused(late.await.unwrap());
    assert_eq!(refused, ["INVALID_STATE "]);
    assert_eq!(isp.payments().await, 1);
    isp.assert_books().await;
}
