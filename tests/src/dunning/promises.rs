use serde_json::json;

use crate::harness::{TestApp, id, key};

const OF: &str = "query($id: ID!) { promiseToPay(id: $id) { status endedAt } }";

#[tokio::test]
async fn a_promise_lets_a_debtor_on_at_once_until_it_is_broken_or_kept() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    let plan = isp.postpaid().await;
    let (ravi, service) = isp.debtor(&plan, "ravi").await;
    app.at_noon("2026-04-19").await;
    assert_eq!(isp.status(&service).await, "SUSPENDED ARREARS");
    let input = json!({ "subscriberId": ravi, "until": "2026-04-24", "note": "On payday", "idempotencyKey": key() });
    let select = "promise { id status until amount { amount } bySubscriber note }";
    let made = isp.mutate("promiseToPayCreate", input.clone(), select).await.done();
    assert_eq!(
        (
            &made["promise"]["status"],
            &made["promise"]["amount"]["amount"],
            &made["promise"]["note"]
        ),
        (&json!("OPEN"), &json!("1000.00"), &json!("On payday"))
    );
    // Without any job having run.
    assert_eq!(isp.status(&service).await, "GRACE");
    assert_eq!(app.account("asha", "ravi").await, "active -");
    let again = isp.mutate("promiseToPayCreate", input, select).await.done();
    assert_eq!(again, made, "the same call is answered the same");
    assert_eq!(
        isp.promise(&ravi, "2026-04-25").await.refusals(),
        ["LIMIT_EXCEEDED subscriberId"]
    );
    app.at_noon("2026-04-24").await;
    assert_eq!(isp.status(&service).await, "GRACE", "its last day is included");
    app.at_noon("2026-04-25").await;
    assert_eq!(isp.status(&service).await, "SUSPENDED ARREARS");
    let broken = isp.gql(OF, json!({ "id": made["promise"]["id"] })).await;
    assert_eq!(broken.at("promiseToPay.status"), "BROKEN");
    let second = isp.promise(&ravi, "2026-04-28").await.done();
    assert_eq!(isp.status(&service).await, "GRACE");
    isp.pay(&ravi, "1000.00").await;
    app.run_jobs().await;
    assert_eq!(isp.status(&service).await, "ACTIVE");
    let kept = isp.gql(OF, json!({ "id": second["promise"]["id"] })).await;
    assert_eq!(kept.at("promiseToPay.status"), "KEPT");
    let list = "query($id: ID!) { promisesToPay(first: 10, filter: { subscriberId: $id }) { nodes { status } totalCount } }";
    let list = isp.gql(list, json!({ "id": ravi })).await.at("promisesToPay");
    assert_eq!(
        list,
        json!({ "nodes": [{ "status": "KEPT" }, { "status": "BROKEN" }], "totalCount": 2 })
    );
}

#[tokio::test]
async fn a_promise_gives_prepaid_access_until_its_last_day_and_no_longer() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    let first = isp.first_subscriber("ravi").await;
    app.at_noon("2026-04-05").await;
    assert_eq!(isp.status(&first.service).await, "SUSPENDED EXPIRED");
    let made = isp.promise(&first.subscriber, "2026-04-08").await.done();
    assert_eq!(isp.status(&first.service).await, "GRACE");
    assert_eq!(app.account("asha", "ravi").await, "active 2026-04-08 18:30");
    let cancel = json!({ "id": made["promise"]["id"] });
    isp.mutate("promiseToPayCancel", cancel.clone(), "promise { status }")
        .await
        .done();
    assert_eq!(isp.status(&first.service).await, "SUSPENDED EXPIRED");
    assert!(app.account("asha", "ravi").await.starts_with("expired "));
    let twice = isp.mutate("promiseToPayCancel", cancel, "promise { status }").await;
    assert_eq!(twice.refusals(), ["INVALID_STATE id"]);
    isp.promise(&first.subscriber, "2026-04-08").await.done();
    // RADIUS lets nobody in from then on, whether a job says so or not.
    app.set_clock("2026-04-08T18:31:00Z").await;
    assert_eq!(app.account("asha", "ravi").await, "active 2026-04-08 18:30");
    app.run_jobs().await;
    assert_eq!(isp.status(&first.service).await, "SUSPENDED EXPIRED");
}

/// A renewal that ended while the service was off for it begins with the promise: days without service are not charged, and
/// what was promised buys time.
#[tokio::test]
async fn a_promise_after_a_whole_period_off_begins_that_period() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    let first = isp.first_subscriber("ravi").await;
    isp.pay(&first.subscriber, &first.total).await;
    app.at_noon("2026-05-01").await;
    app.at_noon("2026-05-05").await;
    assert_eq!(isp.status(&first.service).await, "SUSPENDED EXPIRED");
    app.at_noon("2026-06-20").await;
    assert_eq!(isp.invoices_of(&first.subscriber).await.len(), 2);
    let made = isp.promise(&first.subscriber, "2026-06-25").await.done();
    assert_eq!(made["promise"]["amount"]["amount"], first.total);
    let state = isp.state(&first.service).await;
    assert_eq!(
        (&state["status"], &state["periodStartsAt"], &state["periodEndsAt"]),
        (
            &json!("GRACE"),
            &json!("2026-06-19T18:30:00Z"),
            &json!("2026-07-19T18:30:00Z")
        )
    );
    app.at_noon("2026-06-21").await;
    let invoices = isp.invoices_of(&first.subscriber).await;
    assert_eq!(invoices.len(), 2, "{invoices:#?}");
    isp.pay(&first.subscriber, &first.total).await;
    app.run_jobs().await;
    assert_eq!(isp.status(&first.service).await, "ACTIVE");
    app.at_noon("2026-06-26").await;
    assert_eq!(isp.status(&first.service).await, "ACTIVE");
    // What it goes on with is charged from there.
    app.at_noon("2026-07-20").await;
    let invoices = isp.invoices_of(&first.subscriber).await;
    assert_eq!(invoices.len(), 3, "{invoices:#?}");
    assert!(invoices[2].contains("2026-07-19T18:30:00Z"), "{invoices:#?}");
}

#[tokio::test]
async fn what_cannot_be_promised_is_refused_by_name() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    let plan = isp.postpaid().await;
    let (ravi, _) = isp.debtor(&plan, "ravi").await;
    let (payer, account) = isp.subscriber("Payer", json!({})).await;
    let (paid_for, _) = isp.subscriber("Child", json!({ "billToId": payer })).await;
    app.run_jobs().await;
    for (subscriber, until, refusal) in [
        (&ravi, "2026-03-31", "LIMIT_EXCEEDED until"),
        (&ravi, "2026-04-16", "LIMIT_EXCEEDED until"),
        (&ravi, "2026-04-10", "INVALID_STATE subscriberId"),
        (&paid_for, "2026-04-10", "INVALID subscriberId"),
        (&payer, "2026-04-10", "INVALID_STATE subscriberId"),
        (&plan, "2026-04-10", "NOT_FOUND subscriberId"),
    ] {
        assert_eq!(isp.promise(subscriber, until).await.refusals(), [refusal], "{until}");
    }
    let reader = app.on("asha").as_login("read-only@asha.example");
    assert_eq!(reader.promise(&ravi, "2026-04-10").await.code().as_deref(), Some("FORBIDDEN"));
    // Subscribers, for themselves, where their ISP lets them.
    isp.portal_password(&payer).await;
    let lines = json!([{ "description": "Router", "unitPrice": "100.00" }]);
    let router = json!({ "subscriberId": payer, "lines": lines, "dueOn": "2026-04-02", "idempotencyKey": key() });
    isp.mutate("invoiceIssue", router, "invoice { id }").await.done();
    let portal = app.on("asha").as_subscriber(&account);
    assert_eq!(portal.promise(&payer, "2026-04-10").await.refusals(), ["INVALID_STATE"]);
    isp.duns(json!({ "promiseBySubscriber": true, "promiseMaxDays": 20 })).await;
    assert_eq!(
        portal.promise(&ravi, "2026-04-10").await.refusals(),
        ["NOT_FOUND subscriberId"]
    );
    let made = portal.promise(&payer, "2026-04-10").await.done();
    assert_eq!(made["promise"]["bySubscriber"], true);
    app.at_noon("2026-04-11").await;
    assert_eq!(
        portal.promise(&payer, "2026-04-15").await.refusals(),
        ["INVALID_STATE"],
        "who broke one asks staff"
    );
    isp.promise(&payer, "2026-04-15").await.done();
    isp.duns(json!({ "promiseMaxDays": null })).await;
    assert_eq!(isp.promise(&ravi, "2026-04-20").await.refusals(), ["INVALID_STATE"]);
    for (change, refusal) in [
        (
            json!({ "reminders": [-61, 1, 1] }),
            vec!["INVALID reminders.0", "INVALID reminders.2"],
        ),
        (json!({ "promiseMaxOpen": 0 }), vec!["INVALID promiseMaxOpen"]),
        (json!({ "brakeShare": "100.01" }), vec!["INVALID brakeShare"]),
        (json!({ "brakeLeast": null }), vec!["REQUIRED brakeLeast"]),
    ] {
        let mut change = change;
        change["expectedVersion"] = json!(3);
        let answer = isp.mutate("dunningSettingsUpdate", change, "settings { version }").await;
        assert_eq!(answer.refusals(), refusal);
    }
    let stale = isp
        .mutate(
            "dunningSettingsUpdate",
            json!({ "expectedVersion": 1 }),
            "settings { version }",
        )
        .await;
    assert_eq!(stale.refusals(), ["STALE_VERSION expectedVersion"]);
    app.run_jobs().await;
}

/// Days without service are worth what `suspensionCredit` says, also when it is a promise that ends them: nothing is billed
/// for them besides, and nothing given.
#[tokio::test]
async fn suspended_time_is_worth_what_the_policy_says_and_nothing_else() {
    for (policy, balance, period_end) in [
        ("NONE", "1000.00", "2026-04-30T18:30:00Z"),
        ("CREDIT_DAYS", "900.00", "2026-04-30T18:30:00Z"),
        ("SHIFT_PERIOD", "1000.00", "2026-05-03T18:30:00Z"),
    ] {
        let app = TestApp::new().await;
        let isp = app.on("asha").as_owner();
        isp.bills(json!({ "suspensionCredit": policy })).await;
        let plan = isp.postpaid().await;
        let (ravi, service) = isp.debtor(&plan, "ravi").await;
        app.at_noon("2026-04-19").await;
        assert_eq!(isp.status(&service).await, "SUSPENDED ARREARS");
        app.at_noon("2026-04-22").await;
        isp.promise(&ravi, "2026-04-29").await.done();
        app.run_jobs().await;
        let state = isp.state(&service).await;
        assert_eq!(
            (&state["status"], &state["periodEndsAt"]),
            (&json!("GRACE"), &json!(period_end)),
            "{policy}"
        );
        let query = "query($id: ID!) { subscriber(id: $id) { balance { amount } } }";
        let owed = isp.gql(query, json!({ "id": ravi })).await;
        assert_eq!(owed.at("subscriber.balance.amount"), balance, "{policy}");
        assert_eq!(isp.invoices_of(&ravi).await.len(), 1, "{policy}");
    }
}

/// A payment, a promise and the run that would cut, at once and again and again.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_payment_a_promise_and_a_run_at_once_leave_a_payer_on() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    let plan = isp.postpaid().await;
    let mut debtors = Vec::new();
    for n in 0..6 {
        debtors.push(isp.debtor(&plan, &format!("ravi-{n}")).await);
    }
    app.run_jobs().await;
    app.set_clock("2026-04-19T06:30:00Z").await;
    let run = async || {
        app.run_jobs().await;
    };
    let pay_and_promise = async || {
        for (subscriber, _) in &debtors {
            let (promise, _) = tokio::join!(isp.promise(subscriber, "2026-04-24"), isp.pay(subscriber, "1000.00"));
            let refusals = promise.refusals();
            assert!(
                refusals.is_empty() || refusals == ["INVALID_STATE subscriberId"],
                "{refusals:?}"
            );
        }
    };
    tokio::join!(run(), pay_and_promise());
    app.run_jobs().await;
    for (subscriber, service) in &debtors {
        assert_eq!(isp.status(service).await, "ACTIVE");
        let query = "query($id: ID!) { promisesToPay(first: 5, filter: { subscriberId: $id }) { nodes { id status } } }";
        let promises = isp.gql(query, json!({ "id": subscriber })).await.at("promisesToPay.nodes");
        for promise in promises.as_array().unwrap() {
            assert_eq!(promise["status"], "KEPT", "{}", id(promise));
        }
    }
}
