use serde_json::{Value, json};

use crate::harness::{Ask, TestApp, key};

const WHAT: &str = "{ on total { amount } service { status periodEndsAt paidUntil } refusals { code } documents { kind total { amount }
    taxTotal { amount } amountDue { amount } taxes { name amount { amount } } lines { amount { amount } periodStartsAt periodEndsAt
    explanation taxes { name } } } }";

impl Ask<'_> {
    async fn asks(&self, field: &str) -> Value {
        self.gql(&format!("{{ answer: {field} {WHAT} }}"), json!({}))
            .await
            .at("answer")
    }

    async fn books(&self, subscriber: &str) -> Value {
        let query =
            "query($id: ID!) { subscriber(id: $id) { balance { amount } invoices(first: 50) { nodes { number total { amount }
            amountDue { amount } creditNotes { number total { amount } } } } } auditEntries(first: 50) { nodes { action } } }";
        self.gql(query, json!({ "id": subscriber })).await.body["data"].clone()
    }
}

fn totals(estimate: &Value) -> Vec<(String, String)> {
    let documents = estimate["documents"].as_array().unwrap().iter();
    documents
        .map(|d| {
            (
                d["kind"].as_str().unwrap().to_owned(),
                d["total"]["amount"].as_str().unwrap().to_owned(),
            )
        })
        .collect()
}

#[tokio::test]
async fn what_a_change_would_cost_is_what_it_costs_and_asking_does_nothing() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.register_for_gst().await;
    let ravi = isp.first_subscriber("ravi").await;
    isp.pay(&ravi.subscriber, &ravi.total).await;
    let bigger = isp.plan("bigger", json!({ "price": "1500.00" })).await;
    app.at_noon("2026-04-11").await;
    let before = isp.books(&ravi.subscriber).await;
    let change = format!(
        "serviceChangePlanPreview(id: \"{}\", planId: \"{bigger}\", timing: NOW)",
        ravi.service
    );
    let asked = isp.asks(&change).await;
    let end = isp.asks(&format!("serviceTerminatePreview(id: \"{}\")", ravi.service)).await;
    let later = isp
        .asks(&format!(
            "serviceTerminatePreview(id: \"{}\", on: \"2026-04-21\")",
            ravi.service
        ))
        .await;
    let next = isp.asks(&change.replace("NOW", "NEXT_PERIOD")).await;
    let new = isp
        .asks(&format!(
            "serviceCreatePreview(input: {{ subscriberId: \"{}\", planId: \"{bigger}\" }})",
            ravi.subscriber
        ))
        .await;
    assert_eq!(isp.books(&ravi.subscriber).await, before, "asking leaves no trace");
    // 20 of 30 days of 1000.00 back, 20 of 30 of 1500.00 to pay, with 18 % each.
    assert_eq!(
        totals(&asked),
        [("INVOICE".into(), "1180.00".into()), ("CREDIT_NOTE".into(), "786.67".into())]
    );
    assert_eq!(
        (&asked["total"]["amount"], &asked["refusals"]),
        (&json!("393.33"), &json!([]))
    );
    assert_eq!(totals(&end), [("CREDIT_NOTE".into(), "786.67".into())]);
    assert_eq!(totals(&later), [("CREDIT_NOTE".into(), "393.33".into())], "ten days later");
    assert_eq!((totals(&next), &next["total"]["amount"]), (vec![], &json!("0.00")));
    assert_eq!(totals(&new), [("INVOICE".into(), "1770.00".into())]);
    let explained = &new["documents"][0]["lines"][0]["explanation"];
    for input in [
        "/line/plan_version/number",
        "/line/charge/price",
        "/line/charge/days",
        "/line/zone",
        "/line/treatment/rules_version",
        "/line/treatment/date",
        "/line/treatment/place",
        "/line/treatment/taxes/0/percent",
        "/rounding_mode",
        "/tax_level",
        "/steps/0/exact",
    ] {
        assert!(explained.pointer(input).is_some_and(|v| !v.is_null()), "{input}: {explained}");
    }
    let input = json!({ "id": ravi.service, "planId": bigger, "timing": "NOW", "idempotencyKey": key() });
    let done = isp
        .mutate(
            "serviceChangePlan",
            input,
            "invoice { number total { amount } } creditNote { total { amount } }",
        )
        .await
        .done();
    assert_eq!(
        (&done["invoice"]["total"]["amount"], &done["creditNote"]["total"]["amount"]),
        (&json!("1180.00"), &json!("786.67"))
    );
    assert!(
        done["invoice"]["number"].as_str().unwrap().ends_with("000002"),
        "no number was used up: {done}"
    );
    app.run_jobs().await;
}

#[tokio::test]
async fn an_order_is_estimated_with_its_add_ons_and_its_coupon_which_is_not_used_up() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    let (ravi, _) = isp.subscriber("ravi", json!({})).await;
    let plan = isp.plan("home", json!({ "price": "1000.00" })).await;
    let address = isp.addon("ip", json!({ "price": "100.00" })).await;
    let coupon = json!({ "code": "HALF", "name": "Half price", "percent": "50", "periods": 1, "maxTotal": 1 });
    isp.mutate("couponCreate", coupon, "coupon { id }").await.done();
    let asked = format!(
        "serviceCreatePreview(input: {{ subscriberId: \"{ravi}\", planId: \"{plan}\", couponCode: \"HALF\",
            addons: [{{ addonId: \"{address}\", quantity: 2 }}] }})"
    );
    let order = json!({ "couponCode": "HALF", "addons": [{ "addonId": address, "quantity": 2 }] });
    let (first, again) = (isp.asks(&asked).await, isp.asks(&asked).await);
    assert_eq!(totals(&first), totals(&again), "the coupon was not used up");
    let (_, invoice) = isp.service(&ravi, &plan, "ravi", order).await;
    assert_eq!(first["total"]["amount"], invoice["total"]["amount"], "{first}");
    assert_eq!(
        isp.asks(&asked).await["refusals"],
        json!([{ "code": "LIMIT_EXCEEDED" }]),
        "now it is"
    );
    app.run_jobs().await;
}

#[tokio::test]
async fn a_suspension_is_estimated_by_its_policy_and_what_would_be_refused_says_why() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    let ravi = isp.first_subscriber("ravi").await;
    isp.pay(&ravi.subscriber, "1000.00").await;
    let bigger = isp.plan("bigger", json!({ "price": "1500.00" })).await;
    app.run_jobs().await;
    let days = format!(
        "serviceSuspendPreview(id: \"{}\", on: \"2026-04-11\", until: \"2026-04-17\")",
        ravi.service
    );
    for (policy, documents, period_end) in [
        ("NONE", vec![], "2026-04-30T18:30:00Z"),
        (
            "CREDIT_DAYS",
            vec![("CREDIT_NOTE".to_owned(), "200.00".to_owned())],
            "2026-04-30T18:30:00Z",
        ),
        ("SHIFT_PERIOD", vec![], "2026-05-06T18:30:00Z"),
    ] {
        isp.bills(json!({ "suspensionCredit": policy })).await;
        let asked = isp.asks(&days).await;
        assert_eq!(totals(&asked), documents, "{policy}");
        assert_eq!(asked["service"]["periodEndsAt"], period_end, "{policy}");
        assert_eq!(asked["service"]["status"], "ACTIVE");
    }
    isp.suspend(&ravi.service).await;
    let now = format!(
        "serviceChangePlanPreview(id: \"{}\", planId: \"{bigger}\", timing: NOW)",
        ravi.service
    );
    let refused = isp.asks(&now).await;
    assert_eq!(refused["refusals"], json!([{ "code": "INVALID_STATE" }]));
    assert_eq!((&refused["total"], &refused["documents"]), (&Value::Null, &json!([])));
    let resumed = isp
        .asks(&format!("serviceResumePreview(id: \"{}\", on: \"2026-04-05\")", ravi.service))
        .await;
    assert_eq!(
        resumed["service"]["periodEndsAt"], "2026-05-04T18:30:00Z",
        "four days later: {resumed}"
    );
    let state = isp.state(&ravi.service).await;
    assert_eq!(state["status"], "SUSPENDED", "asked, not done");
    assert_eq!(isp.asks(&now.replace(&ravi.service, &ravi.plan)).await, Value::Null);
    let reader = app.on("asha").as_login("read-only@asha.example");
    let refused = reader.gql(&format!("{{ {now} {{ on }} }}"), json!({})).await;
    assert_eq!(refused.code().as_deref(), Some("FORBIDDEN"));
    app.run_jobs().await;
}

/// An end that is to come is planned now, so that the last period is charged by its days.
#[tokio::test]
async fn an_end_to_come_costs_what_was_said_it_would() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.bills(json!({ "terminationCredit": "NONE", "dueDays": 300 })).await;
    let plan = isp.plan("home", json!({ "paymentMode": "POSTPAID" })).await;
    let (ravi, _) = isp.subscriber("ravi", json!({})).await;
    let (service, _) = isp.service(&ravi, &plan, "ravi", json!({})).await;
    let service = crate::harness::id(&service);
    app.at_noon("2026-04-20").await;
    let asked = isp
        .asks(&format!("serviceTerminatePreview(id: \"{service}\", on: \"2026-05-11\")"))
        .await;
    assert_eq!(totals(&asked), [("INVOICE".into(), "322.58".into())], "ten of 31 days");
    assert_eq!(asked["service"]["status"], "TERMINATED");
    let end = json!({ "id": service, "reason": "Moved", "effectiveOn": "2026-05-11", "idempotencyKey": key() });
    isp.mutate("serviceTerminate", end, "service { status }").await.done();
    for day in ["2026-05-01", "2026-05-10", "2026-05-11"] {
        app.at_noon(day).await;
    }
    let issued = isp.invoices_of(&ravi).await;
    assert_eq!(issued.len(), 2);
    assert!(issued[1].starts_with("ISSUED 322.58"), "{issued:?}");
    assert_eq!(isp.status(&service).await, "TERMINATED");
}

#[tokio::test]
async fn what_is_charged_beside_the_plan_is_estimated_as_it_is_charged() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.register_for_gst().await;
    let ravi = isp.first_subscriber("ravi").await;
    isp.pay(&ravi.subscriber, &ravi.total).await;
    app.at_noon("2026-04-11").await;
    let ip = isp.addon("ip", json!({ "price": "300.00" })).await;
    let router = isp.addon("router", json!({ "price": "900.00", "charged": "ONCE" })).await;
    let before = isp.books(&ravi.subscriber).await;
    let add = format!(
        "serviceAddonAddPreview(input: {{ serviceId: \"{}\", addonId: \"{ip}\", quantity: 2 }})",
        ravi.service
    );
    let once = format!(
        "serviceChargeAddPreview(input: {{ serviceId: \"{}\", addonId: \"{router}\" }})",
        ravi.service
    );
    let wrong = format!(
        "serviceAddonAddPreview(input: {{ serviceId: \"{}\", addonId: \"{router}\" }})",
        ravi.service
    );
    let (asked, charged) = (isp.asks(&add).await, isp.asks(&once).await);
    let on = |field: &str, day: &str| format!("{}, on: \"{day}\")", field.strip_suffix(')').unwrap());
    let later = isp.asks(&on(&add, "2026-04-21")).await;
    let earlier = isp.asks(&on(&add, "2026-04-06")).await;
    // 20, 10 and 25 of 30 days of 600.00, and 900.00; each with 18 %.
    assert_eq!(totals(&asked), [("INVOICE".into(), "472.00".into())]);
    assert_eq!(totals(&later), [("INVOICE".into(), "236.00".into())]);
    assert_eq!(totals(&earlier), [("INVOICE".into(), "590.00".into())]);
    assert_eq!(totals(&charged), [("INVOICE".into(), "1062.00".into())]);
    assert_eq!(isp.asks(&wrong).await["refusals"], json!([{ "code": "INVALID" }]));
    assert_eq!(
        isp.asks(&on(&once, "2026-04-06")).await["refusals"],
        json!([{ "code": "INVALID" }])
    );
    assert_eq!(isp.asks(&add.replace(&ip, &ravi.plan)).await, Value::Null);
    assert_eq!(isp.books(&ravi.subscriber).await, before, "asking leaves no trace");
    let added = isp.add(&ravi.service, &ip, json!({ "quantity": 2 })).await.done();
    assert_eq!(added["invoice"]["total"]["amount"], asked["total"]["amount"]);
    let end = format!(
        "serviceAddonEndPreview(id: \"{}\")",
        crate::harness::id(&added["serviceAddon"])
    );
    assert_eq!(totals(&isp.asks(&end).await), [("CREDIT_NOTE".into(), "472.00".into())]);
    assert_eq!(
        totals(&isp.asks(&on(&end, "2026-04-26")).await),
        [("CREDIT_NOTE".into(), "118.00".into())]
    );
    app.run_jobs().await;
}
