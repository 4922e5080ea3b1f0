//! Pauses: a service is off because its subscriber wants that, from a day until another, and money does not end it.

use futures::future::join;
use serde_json::{Value, json};

use super::bench::kolkata;
use crate::harness::{Answer, Ask, FirstSubscriber, TestApp, key};

const PAUSE: &str = "service { status suspension { cause reason } pause { startsOn endsOn hasBegun } nextBillingDate }";

impl Ask<'_> {
    pub async fn pause(&self, service: &str, more: Value) -> Answer {
        let mut input = json!({ "id": service, "idempotencyKey": key() });
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.mutate("servicePause", input, PAUSE).await
    }

    pub async fn unpause(&self, service: &str) -> Answer {
        let input = json!({ "id": service, "idempotencyKey": key() });
        self.mutate("serviceUnpause", input, PAUSE).await
    }

    async fn pauses(&self, service: &str) -> Value {
        let query = "query($id: ID!) { service(id: $id) { boundUntil periodEndsAt pause { startsOn endsOn hasBegun }
            pauses { startsOn endsOn ended bySubscriber reason } } }";
        self.gql(query, json!({ "id": service })).await.at("service")
    }
}

/// It is ten in the morning in Kolkata, and what is due on the day is done.
pub async fn day(app: &TestApp, day: &str) {
    app.set_clock(&format!("{day}T04:30:00Z")).await;
    app.run_jobs().await;
}

/// Paid for April, thirty days at 1000.00, with a password for the portal.
pub async fn april(app: &TestApp, isp: &Ask<'_>, name: &str) -> FirstSubscriber {
    let first = isp.first_subscriber(name).await;
    isp.portal_password(&first.subscriber).await;
    isp.pay(&first.subscriber, &first.total).await;
    app.run_jobs().await;
    first
}

#[tokio::test]
async fn a_pause_is_planned_begins_and_ends_by_itself_and_its_days_are_credited() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.bills(json!({ "suspensionCredit": "CREDIT_DAYS" })).await;
    let first = april(&app, &isp, "ravi").await;
    let days = json!({ "startsOn": "2026-04-11", "endsOn": "2026-04-21", "reason": "Away" });
    let planned = isp.pause(&first.service, days.clone()).await.done()["service"].clone();
    let told: i64 = sqlx::query_scalar("SELECT count(*) FROM platform.outbox WHERE kind = 'ServicePauseAsked'")
        .fetch_one(&mut app.db.admin().await)
        .await
        .unwrap();
    assert_eq!(told, 1);
    let pause = |begun: bool| json!({ "startsOn": "2026-04-11", "endsOn": "2026-04-21", "hasBegun": begun });
    assert_eq!((&planned["status"], &planned["pause"]), (&json!("ACTIVE"), &pause(false)));
    assert_eq!(
        isp.pause(&first.service, days).await.refusals(),
        ["INVALID_STATE id"],
        "one at a time"
    );
    day(&app, "2026-04-10").await;
    assert_eq!(isp.status(&first.service).await, "ACTIVE");
    day(&app, "2026-04-11").await;
    assert_eq!(isp.status(&first.service).await, "SUSPENDED SUBSCRIBER");
    assert_eq!(isp.pauses(&first.service).await["pause"], pause(true));
    assert!(
        app.account("asha", "ravi").await.starts_with("suspended"),
        "RADIUS has heard of it"
    );
    // Money does not end it, nor does another run.
    isp.pay(&first.subscriber, "50.00").await;
    day(&app, "2026-04-20").await;
    assert_eq!(isp.status(&first.service).await, "SUSPENDED SUBSCRIBER");
    day(&app, "2026-04-21").await;
    assert_eq!(isp.status(&first.service).await, "ACTIVE");
    let balance = isp
        .gql(
            "query($id: ID!) { subscriber(id: $id) { balance { amount } } }",
            json!({ "id": first.subscriber }),
        )
        .await;
    // Ten of thirty days, and what was paid ahead.
    assert_eq!(balance.text_at("subscriber.balance.amount"), "-383.33");
    let after = isp.pauses(&first.service).await;
    assert_eq!(after["pause"], Value::Null);
    assert_eq!(
        after["pauses"],
        json!([{ "startsOn": "2026-04-11", "endsOn": "2026-04-21", "ended": true, "bySubscriber": false, "reason": "Away" }])
    );
    let audit = isp.gql("{ auditEntries(first: 20) { nodes { action } } }", json!({})).await;
    assert!(audit.text.contains("servicePause"), "{}", audit.text);
}

#[tokio::test]
async fn a_pause_moves_the_period_where_that_is_how_days_are_given_back_and_the_term_with_it() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.bills(json!({ "suspensionCredit": "SHIFT_PERIOD" })).await;
    let term = json!({ "length": { "unit": "MONTH", "count": 12 }, "charge": "FIXED", "value": "900.00" });
    let plan = isp.plan("bound", json!({ "minimumTerm": term })).await;
    let (subscriber, _) = isp.subscriber("Ravi", json!({})).await;
    let (service, _) = isp.service(&subscriber, &plan, "ravi", json!({})).await;
    let service = crate::harness::id(&service);
    isp.pay(&subscriber, "1000.00").await;
    day(&app, "2026-04-11").await;
    let paused = isp.pause(&service, json!({})).await.done()["service"].clone();
    assert_eq!(
        paused,
        json!({ "status": "SUSPENDED", "suspension": { "cause": "SUBSCRIBER", "reason": null }, "nextBillingDate": null,
            "pause": { "startsOn": "2026-04-11", "endsOn": null, "hasBegun": true } })
    );
    day(&app, "2026-05-11").await;
    assert_eq!(isp.invoices_of(&subscriber).await.len(), 1, "what is off is not renewed");
    assert_eq!(isp.unpause(&service).await.done()["service"]["status"], "ACTIVE");
    let after = isp.pauses(&service).await;
    // The 11th was used for some hours: nineteen days of April were left.
    assert_eq!(after["periodEndsAt"], "2026-05-29T18:30:00Z");
    assert_eq!(after["boundUntil"], "2027-04-30", "29 days longer");
    assert_eq!(isp.unpause(&service).await.refusals(), ["INVALID_STATE id"]);
    app.run_jobs().await;
}

#[tokio::test]
async fn subscribers_pause_their_own_services_within_the_limits_of_their_isp() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    let (ravi, meera) = (april(&app, &isp, "ravi").await, april(&app, &isp, "meera").await);
    let own = app.on("asha").as_subscriber(&ravi.account_number);
    assert_eq!(
        own.pause(&ravi.service, json!({})).await.refusals(),
        ["INVALID_STATE"],
        "by default they may not"
    );
    isp.bills(json!({ "pauseBySubscriber": true, "pauseMaxDays": 10, "pauseMaxPerYear": 2, "pauseMaxDaysPerYear": 14 }))
        .await;
    let stranger = app.on("asha").as_subscriber(&meera.account_number);
    assert_eq!(stranger.pause(&ravi.service, json!({})).await.refusals(), ["NOT_FOUND id"]);
    let long = json!({ "startsOn": "2026-04-03", "endsOn": "2026-04-14" });
    assert_eq!(
        own.pause(&ravi.service, long.clone()).await.refusals(),
        ["LIMIT_EXCEEDED endsOn"]
    );
    let begun = own.pause(&ravi.service, json!({})).await.done()["service"].clone();
    assert_eq!(
        begun["pause"],
        json!({ "startsOn": "2026-04-01", "endsOn": "2026-04-11", "hasBegun": true })
    );
    assert_eq!(stranger.unpause(&ravi.service).await.refusals(), ["NOT_FOUND id"]);
    day(&app, "2026-04-09").await;
    assert_eq!(own.unpause(&ravi.service).await.done()["service"]["status"], "ACTIVE");
    // Seven whole days are used. What never came does not count.
    let later = json!({ "startsOn": "2026-04-20", "endsOn": "2026-04-23" });
    own.pause(&ravi.service, later.clone()).await.done();
    assert_eq!(own.unpause(&ravi.service).await.done()["service"]["pause"], Value::Null);
    let more = json!({ "startsOn": "2026-04-20", "endsOn": "2026-04-28" });
    assert_eq!(
        own.pause(&ravi.service, more).await.refusals(),
        ["LIMIT_EXCEEDED endsOn"],
        "seven are left"
    );
    own.pause(&ravi.service, later).await.done();
    day(&app, "2026-04-20").await;
    assert_eq!(isp.status(&ravi.service).await, "SUSPENDED SUBSCRIBER");
    day(&app, "2026-04-23").await;
    assert_eq!(own.pause(&ravi.service, json!({})).await.refusals(), ["LIMIT_EXCEEDED id"]);
    // Staff go beyond, and another year has days of its own.
    isp.pause(&ravi.service, json!({ "endsOn": "2026-05-20" })).await.done();
    isp.unpause(&ravi.service).await.done();
    own.pause(&ravi.service, json!({ "startsOn": "2027-01-02" })).await.done();
    let bad = json!({ "pauseMaxDays": 0, "pauseMaxPerYear": 367, "expectedVersion": 2 });
    let refused = isp.mutate("billingSettingsUpdate", bad, "settings { version }").await;
    assert_eq!(refused.refusals(), ["INVALID pauseMaxDays", "INVALID pauseMaxPerYear"]);
    let seen = isp
        .gql(
            "{ billingSettings { pauseBySubscriber pauseMaxDays pauseMaxPerYear pauseMaxDaysPerYear } }",
            json!({}),
        )
        .await;
    assert_eq!(
        seen.at("billingSettings"),
        json!({ "pauseBySubscriber": true, "pauseMaxDays": 10, "pauseMaxPerYear": 2, "pauseMaxDaysPerYear": 14 })
    );
    app.run_jobs().await;
}

#[tokio::test]
async fn a_subscriber_lifts_its_own_pause_and_never_what_staff_did() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.bills(json!({ "pauseBySubscriber": true })).await;
    let ravi = april(&app, &isp, "ravi").await;
    let own = app.on("asha").as_subscriber(&ravi.account_number);
    own.pause(&ravi.service, json!({ "startsOn": "2026-04-05", "endsOn": "2026-04-09" }))
        .await
        .done();
    isp.suspend(&ravi.service).await;
    assert_eq!(own.pause(&ravi.service, json!({})).await.refusals(), ["INVALID_STATE id"]);
    // On its days it is off already, and stays so: what was planned is over.
    day(&app, "2026-04-05").await;
    assert_eq!(isp.status(&ravi.service).await, "SUSPENDED STAFF");
    day(&app, "2026-04-09").await;
    assert_eq!(isp.status(&ravi.service).await, "SUSPENDED STAFF");
    assert_eq!(own.unpause(&ravi.service).await.refusals(), ["INVALID_STATE id"]);
    assert_eq!(
        isp.pauses(&ravi.service).await["pauses"][0]["endsOn"],
        "2026-04-05",
        "it never came"
    );
    let resume = json!({ "id": ravi.service, "idempotencyKey": key() });
    assert_eq!(
        own.mutate("serviceResume", resume.clone(), "service { id }")
            .await
            .code()
            .as_deref(),
        Some("FORBIDDEN")
    );
    isp.mutate("serviceResume", resume, "service { status }").await.done();
    // Staff lift the subscriber's as well.
    own.pause(&ravi.service, json!({})).await.done();
    day(&app, "2026-04-12").await;
    let resume = json!({ "id": ravi.service, "idempotencyKey": key() });
    isp.mutate("serviceResume", resume, "service { status }").await.done();
    let after = isp.pauses(&ravi.service).await;
    assert_eq!(
        (&after["pause"], &after["pauses"][0]["endsOn"]),
        (&Value::Null, &json!("2026-04-12"))
    );
    app.run_jobs().await;
}

#[tokio::test]
async fn what_cannot_be_paused_says_why() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.bills(json!({ "pauseBySubscriber": true, "graceDays": 5 })).await;
    let ravi = april(&app, &isp, "ravi").await;
    for (days, refusal) in [
        (json!({ "startsOn": "2026-03-31" }), "INVALID startsOn"),
        (json!({ "startsOn": "2027-04-03" }), "INVALID startsOn"),
        (json!({ "endsOn": "2026-04-01" }), "INVALID endsOn"),
        (json!({ "startsOn": "2026-04-05", "endsOn": "2026-04-05" }), "INVALID endsOn"),
        (json!({ "endsOn": "2027-04-03" }), "INVALID endsOn"),
    ] {
        assert_eq!(isp.pause(&ravi.service, days.clone()).await.refusals(), [refusal], "{days}");
    }
    let reader = app.on("asha").as_login("read-only@asha.example");
    assert_eq!(
        reader.pause(&ravi.service, json!({})).await.code().as_deref(),
        Some("FORBIDDEN")
    );
    let (subscriber, _) = isp.subscriber("Meera", json!({})).await;
    let pending = json!({ "activate": false });
    let (pending, _) = isp.service(&subscriber, &ravi.plan, "meera", pending).await;
    let refused = isp.pause(&crate::harness::id(&pending), json!({})).await;
    assert_eq!(refused.refusals(), ["INVALID_STATE id"]);
    assert!(refused.text.contains("PENDING cannot be paused"), "{}", refused.text);
    // In grace a subscriber pays first; staff may all the same.
    let own = app.on("asha").as_subscriber(&ravi.account_number);
    day(&app, "2026-05-02").await;
    assert_eq!(isp.status(&ravi.service).await, "GRACE");
    assert_eq!(own.pause(&ravi.service, json!({})).await.refusals(), ["INVALID_STATE id"]);
    isp.pause(&ravi.service, json!({ "endsOn": "2026-05-20" })).await.done();
    // It ends while it is paused, and the pause with it.
    let end = json!({ "id": ravi.service, "reason": "Moved", "idempotencyKey": key() });
    day(&app, "2026-05-04").await;
    isp.mutate("serviceTerminate", end, "service { status }").await.done();
    let after = isp.pauses(&ravi.service).await;
    assert_eq!(
        (&after["pause"], &after["pauses"][0]["endsOn"]),
        (&Value::Null, &json!("2026-05-04"))
    );
    let refused = isp.pause(&ravi.service, json!({})).await;
    assert!(refused.text.contains("TERMINATED cannot be paused"), "{}", refused.text);
    app.run_jobs().await;
}

#[tokio::test]
async fn what_a_pause_falls_upon_is_charged_in_its_time_and_paid_before_it_goes_on() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.bills(json!({ "suspensionCredit": "NONE", "graceDays": 0 })).await;
    let ravi = april(&app, &isp, "ravi").await;
    let meera = april(&app, &isp, "meera").await;
    isp.pause(&ravi.service, json!({ "startsOn": "2026-04-30", "endsOn": "2026-05-10" }))
        .await
        .done();
    // It begins on the day of the renewal: that period is not charged.
    isp.pause(&meera.service, json!({ "startsOn": "2026-05-01" })).await.done();
    // No run for some days.
    day(&app, "2026-05-03").await;
    assert_eq!(isp.invoices_of(&meera.subscriber).await.len(), 1);
    assert_eq!(isp.status(&meera.service).await, "SUSPENDED SUBSCRIBER");
    assert_eq!(isp.status(&ravi.service).await, "SUSPENDED SUBSCRIBER");
    // No money ends it, and none is asked for before it is over.
    isp.pay(&meera.subscriber, "1000.00").await;
    day(&app, "2026-05-10").await;
    assert_eq!(isp.status(&meera.service).await, "SUSPENDED SUBSCRIBER");
    assert_eq!(isp.invoices_of(&meera.subscriber).await.len(), 1);
    // Its time was over meanwhile: it goes on as it would be renewed.
    assert_eq!(isp.status(&ravi.service).await, "ACTIVE");
    let last = isp.invoices_of(&ravi.subscriber).await.pop().unwrap();
    assert_eq!(
        last,
        format!("ISSUED 1000.00: {} {}", kolkata("2026-05-10"), kolkata("2026-06-10"))
    );
    assert_eq!(
        isp.unpause(&ravi.service).await.refusals(),
        ["INVALID_STATE id"],
        "it is not paused any more"
    );
    assert_eq!(isp.unpause(&meera.service).await.done()["service"]["status"], "ACTIVE");
    let last = isp.invoices_of(&meera.subscriber).await.pop().unwrap();
    assert_eq!(
        last,
        format!("PAID 1000.00: {} {}", kolkata("2026-05-10"), kolkata("2026-06-10"))
    );
    app.run_jobs().await;
}

/// A debt is not put off by a pause that was planned before.
#[tokio::test]
async fn a_planned_pause_does_not_keep_a_debt_from_its_consequences() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.bills(json!({ "graceDays": 3 })).await;
    let ravi = april(&app, &isp, "ravi").await;
    isp.pause(&ravi.service, json!({ "startsOn": "2026-05-05", "endsOn": "2026-05-20" }))
        .await
        .done();
    for on in ["2026-05-01", "2026-05-05"] {
        day(&app, on).await;
    }
    assert_eq!(isp.status(&ravi.service).await, "SUSPENDED EXPIRED");
    // Paid, it goes on, and then it is paused.
    isp.pay(&ravi.subscriber, "1000.00").await;
    app.run_jobs().await;
    assert_eq!(isp.status(&ravi.service).await, "ACTIVE");
    day(&app, "2026-05-06").await;
    assert_eq!(isp.status(&ravi.service).await, "SUSPENDED SUBSCRIBER");
    day(&app, "2026-05-20").await;
    assert_eq!(isp.status(&ravi.service).await, "ACTIVE");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_once_only_one_pauses_and_a_replay_answers_the_same() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    let ravi = april(&app, &isp, "ravi").await;
    let input = json!({ "id": ravi.service, "endsOn": "2026-04-10", "idempotencyKey": key() });
    let pause = || isp.mutate("servicePause", input.clone(), PAUSE);
    let (one, other) = join(pause(), pause()).await;
    assert_eq!(one.done(), other.done(), "the same call twice");
    let resume = json!({ "id": ravi.service, "idempotencyKey": key() });
    let (resumed, unpaused) = join(
        isp.mutate("serviceResume", resume, "service { status }"),
        isp.unpause(&ravi.service),
    )
    .await;
    let refused = [resumed.refusals(), unpaused.refusals()];
    assert_eq!(refused.iter().filter(|r| r.is_empty()).count(), 1, "{refused:?}");
    assert_eq!(refused.concat(), ["INVALID_STATE id"]);
    let after = isp.pauses(&ravi.service).await;
    assert_eq!(
        (&after["pause"], after["pauses"].as_array().unwrap().len()),
        (&Value::Null, 1)
    );
    app.run_jobs().await;
}
