use serde_json::{Value, json};

use crate::harness::{Ask, TestApp, key};

impl Ask<'_> {
    async fn preview(&self, date: Value) -> Value {
        let query = "query($date: Date) { dunningPreview(date: $date, first: 50) { date suspensions subscribers terminations
            ofSubscribers unmatchedPayments brake cuts { nodes { service { id } subscriber { id } kind cause dueOn daysOverdue
            amountDue { amount } invoice { number } } totalCount } } }";
        let preview = self.gql(query, json!({ "date": date })).await.at("dunningPreview");
        assert_eq!(preview["cuts"]["totalCount"], services(&preview).len());
        preview
    }

    async fn brakes(&self) -> Value {
        let query = "{ dunningBrakes(first: 10) { nodes { id reasons suspensions subscribers ofSubscribers firstOn lastOn endedAt
            releasedOn releaseReason } totalCount } }";
        let brakes = self.gql(query, json!({})).await.at("dunningBrakes");
        assert_eq!(brakes["totalCount"], brakes["nodes"].as_array().unwrap().len());
        brakes["nodes"].clone()
    }
}

fn services(preview: &Value) -> Vec<String> {
    let nodes = preview["cuts"]["nodes"].as_array().unwrap();
    nodes
        .iter()
        .map(|c| c["service"]["id"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn the_preview_names_those_whom_the_run_then_cuts() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    let plan = isp.postpaid().await;
    let mut debtors = Vec::new();
    for n in 0..4 {
        debtors.push(isp.debtor(&plan, &format!("ravi-{n}")).await);
    }
    let prepaid = isp.first_subscriber("sita").await;
    let covered = isp.first_subscriber("gita").await;
    for subscriber in [&prepaid.subscriber, &covered.subscriber] {
        isp.pay(subscriber, "1000.00").await;
    }
    // Credit in hand renews the one; the other is in grace, and then off.
    isp.pay(&covered.subscriber, "1000.00").await;
    isp.pay(&debtors[0].0, "1000.00").await;
    app.run_jobs().await;
    isp.bills(json!({ "graceDays": 0 })).await;
    app.run_jobs().await;
    let ahead = isp.preview(json!("2026-04-17")).await;
    assert_eq!(services(&ahead).len(), 3, "{ahead}");
    app.set_clock("2026-04-16T12:00:00Z").await;
    isp.promise(&debtors[1].0, "2026-04-20").await.done();
    app.set_clock("2026-04-17T06:30:00Z").await;
    let today = isp.preview(Value::Null).await;
    let expected = [debtors[2].1.clone(), debtors[3].1.clone()];
    assert_eq!(services(&today), expected, "neither who has paid nor who has promised");
    let cut = &today["cuts"]["nodes"][0];
    assert_eq!(
        (
            &cut["kind"],
            &cut["cause"],
            &cut["dueOn"],
            &cut["daysOverdue"],
            &cut["amountDue"]["amount"]
        ),
        (
            &json!("SUSPEND"),
            &json!("ARREARS"),
            &json!("2026-04-16"),
            &json!(1),
            &json!("1000.00")
        )
    );
    assert_eq!((&today["suspensions"], &today["brake"]), (&json!(2), &json!([])));
    for (_, service) in &debtors {
        assert!(!isp.status(service).await.starts_with("SUSPENDED"), "a preview does nothing");
    }
    app.run_jobs().await;
    for (_, service) in &debtors {
        let off = isp.status(service).await == "SUSPENDED ARREARS";
        assert_eq!(off, expected.contains(service));
    }
    let end = isp.preview(json!("2026-05-01")).await;
    let named = services(&end);
    assert!(named.contains(&prepaid.service) && !named.contains(&covered.service), "{end}");
    assert_eq!(end["suspensions"], 1, "prepaid time that runs out does not count: {end}");
    for date in ["2026-04-16", "2026-07-01"] {
        let refused = isp.gql(
            "query($date: Date) { dunningPreview(date: $date, first: 5) { date } }",
            json!({ "date": date }),
        );
        assert_eq!(refused.await.code().as_deref(), Some("BAD_ARGUMENT"), "{date}");
    }
}

#[tokio::test]
async fn a_run_that_would_cut_too_many_cuts_nobody_until_it_is_released() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.duns(json!({ "brakeShare": "50", "brakeLeast": 3 })).await;
    let sita = isp.first_subscriber("sita").await;
    isp.pay(&sita.subscriber, &sita.total).await;
    let plan = isp.postpaid().await;
    let mut debtors = Vec::new();
    for n in 0..3 {
        debtors.push(isp.debtor(&plan, &format!("ravi-{n}")).await);
    }
    app.at_noon("2026-04-19").await;
    for (_, service) in &debtors {
        assert_eq!(isp.status(service).await, "GRACE");
    }
    assert_eq!(app.account("asha", "ravi-0").await, "active -");
    let brakes = isp.brakes().await;
    let brake = &brakes[0];
    assert_eq!(
        (
            &brake["reasons"],
            &brake["subscribers"],
            &brake["ofSubscribers"],
            &brake["endedAt"]
        ),
        (&json!(["TOO_MANY"]), &json!(3), &json!(4), &Value::Null)
    );
    // Nothing else cuts meanwhile: neither a change of grace nor a part of the money.
    isp.bills(json!({ "graceDays": 1 })).await;
    isp.pay(&debtors[0].0, "1.00").await;
    app.at_noon("2026-04-20").await;
    for (_, service) in &debtors {
        assert_eq!(isp.status(service).await, "GRACE", "the next day's run is stopped as well");
    }
    let brakes = isp.brakes().await;
    assert_eq!(brakes.as_array().unwrap().len(), 1);
    assert_eq!(
        (&brakes[0]["firstOn"], &brakes[0]["lastOn"]),
        (&json!("2026-04-19"), &json!("2026-04-20"))
    );
    let release = json!({ "id": brakes[0]["id"], "reason": "They were all reminded" });
    let reader = app.on("asha").as_login("support@asha.example");
    let refused = reader.mutate("dunningBrakeRelease", release.clone(), "brake { id }").await;
    assert_eq!(refused.code().as_deref(), Some("FORBIDDEN"));
    for _ in 0..2 {
        let done = isp
            .mutate("dunningBrakeRelease", release.clone(), "brake { releasedOn releaseReason }")
            .await
            .done();
        assert_eq!(done["brake"]["releasedOn"], "2026-04-20");
    }
    app.run_jobs().await;
    for (_, service) in &debtors {
        assert_eq!(isp.status(service).await, "SUSPENDED ARREARS");
    }
    // What was released was there before; a gateway that fails afterwards is another matter.
    app.set_clock("2026-04-20T09:00:00Z").await;
    let hold = json!({ "reason": "The gateway is down", "until": "2026-05-05T00:00:00Z", "idempotencyKey": key() });
    isp.mutate("collectionHoldCreate", hold, "hold { id }").await.done();
    app.run_jobs().await;
    assert_eq!(app.account("asha", "sita").await, "active 2026-05-05 00:00");
}

#[tokio::test]
async fn a_run_that_would_end_too_many_ends_nobody() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    let plan = isp.postpaid().await;
    let mut debtors = Vec::new();
    for n in 0..3 {
        debtors.push(isp.debtor(&plan, &format!("ravi-{n}")).await);
    }
    app.at_noon("2026-04-19").await;
    isp.duns(json!({ "brakeShare": "50", "brakeLeast": 3 })).await;
    isp.bills(json!({ "terminateAfterDays": 1 })).await;
    app.at_noon("2026-04-21").await;
    for (_, service) in &debtors {
        assert_eq!(isp.status(service).await, "SUSPENDED ARREARS");
    }
    let brake = &isp.brakes().await[0];
    assert_eq!(
        (&brake["reasons"], &brake["subscribers"], &brake["ofSubscribers"]),
        (&json!(["TOO_MANY"]), &json!(3), &json!(3))
    );
}

#[tokio::test]
async fn a_run_waits_while_payments_wait_for_their_subscriber() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.bills(json!({ "terminateAfterDays": 5 })).await;
    let plan = isp.postpaid().await;
    let (ravi, service) = isp.debtor(&plan, "ravi").await;
    let unmatched = "INSERT INTO payment (id, amount, currency, method, status, received_at, unallocated, created_at)
        VALUES (gen_random_uuid(), 1000, 'INR', 'UPI', 'SUCCEEDED', now(), 1000, now())";
    app.run_jobs().await;
    app.in_schema("asha", unmatched).await;
    app.at_noon("2026-04-19").await;
    assert_eq!(isp.status(&service).await, "GRACE");
    assert_eq!(isp.brakes().await[0]["reasons"], json!(["UNMATCHED_PAYMENTS"]));
    app.in_schema("asha", "UPDATE payment SET status = 'FAILED' WHERE subscriber_id IS NULL")
        .await;
    app.at_noon("2026-04-20").await;
    assert_eq!(isp.status(&service).await, "SUSPENDED ARREARS", "it has no reason any more");
    assert_ne!(isp.brakes().await[0]["endedAt"], Value::Null);
    // Nothing ends either while a run is stopped.
    app.in_schema("asha", unmatched).await;
    app.at_noon("2026-04-26").await;
    let preview = isp.preview(Value::Null).await;
    assert_eq!(
        (&preview["terminations"], &preview["brake"]),
        (&json!(1), &json!(["UNMATCHED_PAYMENTS"]))
    );
    assert_eq!(isp.status(&service).await, "SUSPENDED ARREARS");
    app.in_schema("asha", "UPDATE payment SET status = 'FAILED' WHERE subscriber_id IS NULL")
        .await;
    app.at_noon("2026-04-27").await;
    assert_eq!(isp.status(&service).await, "TERMINATED", "{ravi}");
}

#[tokio::test]
async fn while_a_way_to_pay_is_down_nobody_is_cut_prepaid_ones_included() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    let first = isp.first_subscriber("ravi").await;
    app.run_jobs().await;
    assert_eq!(app.account("asha", "ravi").await, "active 2026-04-03 18:30");
    let hold = json!({ "reason": "The UPI gateway is down", "gateway": "upi", "until": "2026-04-10T00:00:00Z", "idempotencyKey": key() });
    let made = isp
        .mutate("collectionHoldCreate", hold.clone(), "hold { id until endedAt }")
        .await
        .done();
    assert_eq!(
        isp.mutate("collectionHoldCreate", hold, "hold { id until endedAt }")
            .await
            .done(),
        made
    );
    app.run_jobs().await;
    assert_eq!(app.account("asha", "ravi").await, "active 2026-04-10 00:00");
    app.at_noon("2026-04-06").await;
    assert_eq!(isp.status(&first.service).await, "GRACE");
    let holds = isp
        .gql("{ collectionHolds { gateway reason prepaid } }", json!({}))
        .await
        .at("collectionHolds");
    assert_eq!(
        holds,
        json!([{ "gateway": "upi", "reason": "The UPI gateway is down", "prepaid": true }])
    );
    let release = json!({ "id": made["hold"]["id"] });
    isp.mutate("collectionHoldRelease", release.clone(), "hold { endedAt }")
        .await
        .done();
    let twice = isp.mutate("collectionHoldRelease", release, "hold { endedAt }").await;
    assert_eq!(twice.refusals(), ["INVALID_STATE id"]);
    app.run_jobs().await;
    assert_eq!(isp.status(&first.service).await, "SUSPENDED EXPIRED");
    for (until, field) in [
        ("2026-04-01T00:00:00Z", "INVALID until"),
        ("2027-04-10T00:00:00Z", "INVALID until"),
    ] {
        let bad = json!({ "reason": "x", "until": until, "idempotencyKey": key() });
        assert_eq!(
            isp.mutate("collectionHoldCreate", bad, "hold { id }").await.refusals(),
            [field]
        );
    }
}

/// The services of whom another pays for were once counted as cut, though its credit renews them.
#[tokio::test]
async fn whom_the_payers_credit_renews_is_not_cut() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.duns(json!({ "brakeShare": "10", "brakeLeast": 1, "brakePrepaid": true }))
        .await;
    isp.bills(json!({ "graceDays": 0, "renewalLeadDays": 0 })).await;
    let plan = isp.plan("flat", json!({})).await;
    let (landlord, _) = isp.subscriber("landlord", json!({})).await;
    let (flat, _) = isp.subscriber("flat", json!({ "billToId": landlord })).await;
    let (service, _) = isp.service(&flat, &plan, "flat", json!({})).await;
    isp.pay(&landlord, "2000.00").await;
    app.run_jobs().await;
    let ahead = isp.preview(json!("2026-05-01")).await;
    assert_eq!(services(&ahead), [] as [&str; 0], "{ahead}");
    app.at_noon("2026-05-01").await;
    assert_eq!(isp.brakes().await, json!([]));
    assert_eq!(isp.status(&crate::harness::id(&service)).await, "ACTIVE");
}

/// Staff released what they had looked at, and nothing that has come since.
#[tokio::test]
async fn what_was_released_says_nothing_of_what_has_come_since() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.duns(json!({ "brakeShare": "40", "brakeLeast": 3 })).await;
    let plan = isp.postpaid().await;
    let mut debtors = Vec::new();
    for day in ["2026-04-01", "2026-04-02"] {
        app.at_noon(day).await;
        for n in 0..3 {
            debtors.push(isp.debtor(&plan, &format!("ravi-{n}-of-{day}")).await);
        }
    }
    app.at_noon("2026-04-19").await;
    let first = isp.brakes().await[0].clone();
    assert_eq!((&first["suspensions"], &first["endedAt"]), (&json!(3), &Value::Null));
    // An hour after midnight: the second three are due as well.
    app.set_clock("2026-04-19T19:30:00Z").await;
    let release = async |brake: &Value| {
        let input = json!({ "id": brake["id"], "reason": "They were all reminded" });
        isp.mutate("dunningBrakeRelease", input, "brake { releasedOn }").await.done();
        app.run_jobs().await;
    };
    release(&first).await;
    for (_, service) in &debtors {
        assert_eq!(isp.status(service).await, "GRACE");
    }
    let second = isp.brakes().await[0].clone();
    assert_eq!((&second["suspensions"], &second["endedAt"]), (&json!(6), &Value::Null));
    release(&second).await;
    for (_, service) in &debtors {
        assert_eq!(isp.status(service).await, "SUSPENDED ARREARS");
    }
    app.at_noon("2026-04-20").await;
    assert_eq!(isp.brakes().await.as_array().unwrap().len(), 2);
}
