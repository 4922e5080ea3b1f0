//! Add-ons come and go with the days of a service, and what is charged once is charged once.

use futures::future::join_all;
use serde_json::{Value, json};

use super::day;
use crate::harness::{Answer, Ask, TestApp, id, key};

impl Ask<'_> {
    pub async fn addon(&self, code: &str, changes: Value) -> String {
        let mut input = json!({ "code": code, "name": format!("Add-on {code}"), "price": "300.00" });
        input.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        id(&self.mutate("addonCreate", input, "addon { id }").await.done()["addon"])
    }

    pub async fn add(&self, service: &str, addon: &str, changes: Value) -> Answer {
        let mut input = json!({ "serviceId": service, "addonId": addon, "idempotencyKey": key() });
        input.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let selection = "serviceAddon { id quantity startsOn endsOn unitPrice { amount } isPriceAgreed addon { code } }
            invoice { total { amount } lines { description quantity unitPrice amount { amount } periodStartsAt periodEndsAt } }";
        self.mutate("serviceAddonAdd", input, selection).await
    }

    pub async fn end(&self, addon: &str, changes: Value) -> Answer {
        let mut input = json!({ "id": addon, "idempotencyKey": key() });
        input.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        self.mutate(
            "serviceAddonEnd",
            input,
            "serviceAddon { endsOn } creditNote { total { amount } reason lines { description } }",
        )
        .await
    }

    async fn charge(&self, service: &str, changes: Value) -> Answer {
        let mut input = json!({ "serviceId": service, "idempotencyKey": key() });
        input.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        self.mutate(
            "serviceChargeAdd",
            input,
            "charge { id status invoiceId } invoice { id total { amount } }",
        )
        .await
    }

    /// The lines of a subscriber's invoices, oldest first: what each is and comes to.
    pub async fn lines_of(&self, subscriber: &str) -> Vec<Vec<String>> {
        let query = "query($id: ID!) { subscriber(id: $id) { invoices(first: 50) { nodes {
            lines { description amount { amount } } } } } }";
        let answer = self
            .gql(query, json!({ "id": subscriber }))
            .await
            .at("subscriber.invoices.nodes");
        let line = |l: &Value| {
            let text = |v: &Value| v.as_str().unwrap().to_owned();
            format!("{}: {}", text(&l["description"]), text(&l["amount"]["amount"]))
        };
        let invoices = answer.as_array().unwrap().iter();
        invoices
            .rev()
            .map(|i| i["lines"].as_array().unwrap().iter().map(line).collect())
            .collect()
    }
}

/// Paid for April 2026, thirty days at 1000.00; its subscriber, service and plan.
async fn april(app: &TestApp, isp: &Ask<'_>) -> (String, String, String) {
    let first = isp.first_subscriber("ravi").await;
    isp.pay(&first.subscriber, &first.total).await;
    app.run_jobs().await;
    (first.subscriber, first.service, first.plan)
}

#[tokio::test]
async fn an_addon_is_charged_by_its_days_and_then_with_each_period() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    let (subscriber, service, _) = april(&app, &isp).await;
    let address = isp.addon("ip", json!({})).await;
    day(&app, "2026-04-11").await;
    let added = isp.add(&service, &address, json!({ "quantity": 2 })).await.done();
    // 11 to 30 April are 20 of 30 days, of two pieces.
    assert_eq!(added["invoice"]["total"]["amount"], "400.00");
    let line = &added["invoice"]["lines"][0];
    assert_eq!(
        (&line["description"], &line["quantity"], &line["unitPrice"]),
        (
            &json!("Add-on ip × 2, 2026-04-11 to 2026-04-30"),
            &json!("2"),
            &json!("300.00")
        )
    );
    let router = isp.addon("router", json!({ "price": "31.00" })).await;
    isp.add(&service, &router, json!({ "startsOn": "2026-05-10", "endsOn": "2026-05-20" }))
        .await
        .done();
    // Prepaid time goes on, though the add-on's invoice is unpaid.
    assert_eq!(isp.status(&service).await, "ACTIVE");
    day(&app, "2026-05-01").await;
    assert_eq!(
        isp.lines_of(&subscriber).await[2],
        [
            "Plan plan-ravi, 2026-05-01 to 2026-05-31: 1000.00",
            "Add-on ip × 2, 2026-05-01 to 2026-05-31: 600.00",
            "Add-on router, 2026-05-10 to 2026-05-19: 10.00",
        ]
    );
    isp.pay(&subscriber, "2010.00").await;
    app.run_jobs().await;
    day(&app, "2026-05-22").await;
    let of = isp
        .gql(
            "query($id: ID!) { service(id: $id) { addons { id quantity endsOn addon { code } } } }",
            json!({ "id": service }),
        )
        .await
        .at("service.addons");
    let ended = isp.end(of[0]["id"].as_str().unwrap(), json!({})).await.done();
    // 22 to 31 May are ten of 31 days: 600 * 10 / 31.
    assert_eq!(ended["creditNote"]["total"]["amount"], "193.55");
    assert_eq!(
        ended["creditNote"]["lines"][0]["description"],
        "Add-on ip × 2, 2026-05-22 to 2026-05-31"
    );
    assert_eq!(
        isp.end(of[0]["id"].as_str().unwrap(), json!({})).await.refusals(),
        ["INVALID_STATE id"]
    );
    day(&app, "2026-06-01").await;
    assert_eq!(isp.lines_of(&subscriber).await[3].len(), 1, "neither is charged any more");
}

/// Whatever credits the plan's time credits that of its add-ons: the end of a service, a change of plan.
#[tokio::test]
async fn an_addon_is_credited_with_its_service() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    let (subscriber, service, plan) = april(&app, &isp).await;
    let address = isp.addon("ip", json!({ "planIds": [plan] })).await;
    isp.add(&service, &address, json!({})).await.done();
    isp.pay(&subscriber, "300.00").await;
    day(&app, "2026-04-16").await;
    let other = isp.plan("other", json!({ "price": "2000.00" })).await;
    let change = async |plan: &str| {
        let input = json!({ "id": service, "planId": plan, "timing": "NOW", "idempotencyKey": key() });
        isp.mutate(
            "serviceChangePlan",
            input,
            "creditNote { total { amount } } invoice { total { amount } }",
        )
        .await
    };
    assert_eq!(
        change(&other).await.refusals(),
        ["INVALID_STATE planId"],
        "the add-on does not go with it"
    );
    let id = isp
        .gql("query($id: ID!) { addon(id: $id) { id version } }", json!({ "id": address }))
        .await
        .at("addon");
    let open = json!({ "id": address, "expectedVersion": id["version"], "planIds": null });
    isp.mutate("addonUpdate", open, "addon { plans { id } }").await.done();
    let done = change(&other).await.done();
    // Half of April at the old plan is credited on its own invoice, and at the new one invoiced, each with the add-on.
    assert_eq!(done["creditNote"]["total"]["amount"], "500.00");
    assert_eq!(done["invoice"]["total"]["amount"], "1150.00");
    let balance = "query($id: ID!) { subscriber(id: $id) { balance { amount } } }";
    let balance = async || {
        isp.gql(balance, json!({ "id": subscriber }))
            .await
            .text_at("subscriber.balance.amount")
    };
    assert_eq!(balance().await, "500.00");
    day(&app, "2026-04-26").await;
    let input = json!({ "id": service, "reason": "Moved", "idempotencyKey": key() });
    isp.mutate("serviceTerminate", input, "service { status }").await.done();
    // Five days of thirty: 2300 / 6.
    assert_eq!(balance().await, "116.67");
    app.run_jobs().await;
}

/// In arrears nothing is charged at once: a period's invoice holds the days on which the service had the add-on.
#[tokio::test]
async fn in_arrears_an_addon_is_charged_at_the_end() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.bills(json!({ "dueDays": 300 })).await;
    let plan = isp
        .plan("home", json!({ "paymentMode": "POSTPAID", "billIn": "ARREARS" }))
        .await;
    let (subscriber, _) = isp.subscriber("Ravi", json!({})).await;
    let (service, _) = isp.service(&subscriber, &plan, "ravi", json!({})).await;
    let address = isp.addon("ip", json!({ "taxInclusive": true })).await;
    day(&app, "2026-04-11").await;
    let added = isp
        .add(&id(&service), &address, json!({ "unitPrice": "150.00" }))
        .await
        .done();
    assert_eq!(
        (&added["invoice"], &added["serviceAddon"]["isPriceAgreed"]),
        (&Value::Null, &json!(true))
    );
    day(&app, "2026-04-21").await;
    let ended = isp.end(added["serviceAddon"]["id"].as_str().unwrap(), json!({})).await.done();
    assert_eq!(ended["creditNote"], Value::Null);
    day(&app, "2026-05-01").await;
    assert_eq!(
        isp.lines_of(&subscriber).await[0],
        [
            "Plan home, 2026-04-01 to 2026-04-30: 1000.00",
            "Add-on ip, 2026-04-11 to 2026-04-20: 50.00"
        ]
    );
}

/// A service that begins with its payment: add-ons and what is charged once stand on its first invoice, and its time moves
/// with the plan's.
#[tokio::test]
async fn what_is_ordered_with_a_service_stands_on_its_first_invoice() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.bills(json!({ "activation": "ON_PAYMENT" })).await;
    let plan = isp.plan("home", json!({})).await;
    let (subscriber, _) = isp.subscriber("Ravi", json!({})).await;
    let address = isp.addon("ip", json!({})).await;
    let setup = isp.addon("setup", json!({ "charged": "ONCE", "price": "500.00" })).await;
    let ordered = json!({ "addons": [{ "addonId": address }, { "addonId": setup, "quantity": 1, "unitPrice": "450.00" }] });
    let (service, invoice) = isp.service(&subscriber, &plan, "ravi", ordered).await;
    assert_eq!(invoice["total"]["amount"], "1750.00");
    day(&app, "2026-04-06").await;
    isp.pay(&subscriber, "1750.00").await;
    app.run_jobs().await;
    assert_eq!(isp.status(&id(&service)).await, "ACTIVE");
    let tenant = app.db.tenants.iter().find(|t| t.slug == "asha").unwrap().role.clone();
    let covered: Vec<(String, chrono::NaiveDate, chrono::NaiveDate)> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "SELECT split_part(charge, ' ', 1), (lower(period) AT TIME ZONE 'Asia/Kolkata')::date,
             (upper(period) AT TIME ZONE 'Asia/Kolkata')::date FROM \"{tenant}\".coverage ORDER BY 1"
    )))
    .fetch_all(&mut app.db.admin().await)
    .await
    .unwrap();
    let (from, until) = ("2026-04-06".parse().unwrap(), "2026-05-06".parse().unwrap());
    assert_eq!(covered, [("addon".to_owned(), from, until), ("plan".to_owned(), from, until)]);
    day(&app, "2026-05-06").await;
    assert_eq!(isp.lines_of(&subscriber).await[1].len(), 2, "setting up is charged once");
}

#[tokio::test]
async fn one_time_charges_are_charged_once_and_can_be_taken_back_before() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    let (subscriber, service, _) = april(&app, &isp).await;
    let at_once = isp
        .charge(
            &service,
            json!({ "description": "Router", "unitPrice": "99.00", "quantity": 2, "when": "AT_ONCE" }),
        )
        .await
        .done();
    assert_eq!(at_once["invoice"]["total"]["amount"], "198.00");
    assert_eq!(
        (&at_once["charge"]["status"], &at_once["charge"]["invoiceId"]),
        (&json!("CHARGED"), &at_once["invoice"]["id"])
    );
    let later = json!({ "description": "Visit", "unitPrice": "50.00", "idempotencyKey": key() });
    let waits = isp.charge(&service, later.clone()).await.done();
    assert_eq!(isp.charge(&service, later).await.done(), waits, "a replay");
    let other = isp
        .charge(&service, json!({ "description": "Cable", "unitPrice": "10.00" }))
        .await
        .done();
    let cancel = async |charge: &Value| {
        isp.mutate(
            "serviceChargeCancel",
            json!({ "id": charge["charge"]["id"] }),
            "charge { status }",
        )
        .await
    };
    assert_eq!(cancel(&other).await.done()["charge"]["status"], "CANCELLED");
    for made in [&other, &at_once] {
        assert_eq!(cancel(made).await.refusals(), ["INVALID_STATE id"]);
    }
    day(&app, "2026-05-01").await;
    assert_eq!(
        isp.lines_of(&subscriber).await[2],
        ["Plan plan-ravi, 2026-05-01 to 2026-05-31: 1000.00", "Visit: 50.00"]
    );
    // What waits when the service ends is charged then.
    isp.charge(
        &service,
        json!({ "description": "Fetching the router", "unitPrice": "20.00" }),
    )
    .await
    .done();
    let input = json!({ "id": service, "reason": "Moved", "idempotencyKey": key() });
    isp.mutate("serviceTerminate", input, "service { status }").await.done();
    assert_eq!(isp.lines_of(&subscriber).await[3], ["Fetching the router: 20.00"]);
    let refused = isp.charge(&service, json!({ "description": "x", "unitPrice": "1.00" })).await;
    assert_eq!(refused.refusals(), ["INVALID_STATE serviceId"]);
    app.run_jobs().await;
}

#[tokio::test]
async fn bad_addons_are_refused_and_leave_nothing_behind() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    let (subscriber, service, plan) = april(&app, &isp).await;
    let (address, setup) = (
        isp.addon("ip", json!({})).await,
        isp.addon("setup", json!({ "charged": "ONCE" })).await,
    );
    for (changes, refusal) in [
        (json!({ "code": "IP" }), "TAKEN code"),
        (json!({ "code": " " }), "REQUIRED code"),
        (json!({ "price": "-1.00" }), "INVALID price"),
        (json!({ "price": "1.001" }), "INVALID price"),
        (json!({ "taxCode": "000000" }), "INVALID taxCode"),
        (json!({ "planIds": [plan.replace("plan_", "addon_")] }), "NOT_FOUND planIds.0"),
    ] {
        let mut input = json!({ "code": "new", "name": "New", "price": "1.00" });
        input.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        assert_eq!(
            isp.mutate("addonCreate", input, "addon { id }").await.refusals(),
            [refusal],
            "{changes}"
        );
    }
    day(&app, "2026-04-11").await;
    for (addon, changes, refusal) in [
        (&address, json!({ "quantity": 0 }), "INVALID quantity"),
        (&address, json!({ "quantity": -1 }), "INVALID quantity"),
        (&address, json!({ "unitPrice": "-0.01" }), "INVALID unitPrice"),
        (&address, json!({ "startsOn": "2026-03-31" }), "INVALID startsOn"),
        (
            &address,
            json!({ "startsOn": "2026-04-12", "endsOn": "2026-04-12" }),
            "INVALID endsOn",
        ),
        (&setup, json!({}), "INVALID addonId"),
    ] {
        assert_eq!(
            isp.add(&service, addon, changes.clone()).await.refusals(),
            [refusal],
            "{changes}"
        );
    }
    for (changes, refusal) in [
        (json!({ "addonId": address }), "INVALID addonId"),
        (json!({ "addonId": setup, "quantity": 0 }), "INVALID quantity"),
        (json!({ "description": "x" }), "REQUIRED unitPrice"),
        (json!({ "unitPrice": "1.00" }), "REQUIRED description"),
        (
            json!({ "description": "x", "unitPrice": "1.00", "taxCode": "000000" }),
            "INVALID taxCode",
        ),
    ] {
        assert_eq!(isp.charge(&service, changes.clone()).await.refusals(), [refusal], "{changes}");
    }
    let added = isp.add(&service, &address, json!({ "startsOn": "2026-04-05" })).await.done();
    let early = isp
        .end(
            added["serviceAddon"]["id"].as_str().unwrap(),
            json!({ "effectiveOn": "2026-04-04" }),
        )
        .await;
    assert_eq!(early.refusals(), ["INVALID effectiveOn"]);
    isp.mutate("addonRetire", json!({ "id": address }), "addon { retiredAt }")
        .await
        .done();
    assert_eq!(
        isp.add(&service, &address, json!({})).await.refusals(),
        ["INVALID_STATE addonId"]
    );
    assert_eq!(
        isp.lines_of(&subscriber).await.len(),
        2,
        "April, and the add-on from the 5th on"
    );
    app.run_jobs().await;
}

/// However often it is asked for at once, what is charged in one call is charged once, and no time is charged twice.
#[tokio::test]
async fn many_at_once_charge_no_time_twice() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    let (subscriber, service, _) = april(&app, &isp).await;
    let address = isp.addon("ip", json!({})).await;
    let (same, once) = (key(), key());
    let calls = (0..20).map(|_| async {
        isp.add(&service, &address, json!({ "idempotencyKey": same })).await.done();
        let charge = json!({ "description": "Visit", "unitPrice": "50.00", "when": "AT_ONCE", "idempotencyKey": once });
        isp.charge(&service, charge).await.done();
    });
    join_all(calls).await;
    assert_eq!(isp.lines_of(&subscriber).await.len(), 3);
    app.run_jobs().await;
}
