//! What a buyer is for tax, where it is, and by which rules: each from the next charge on.

use serde_json::{Value, json};

use crate::harness::{Ask, TestApp, execute, id, key};

const CHARGED: &str = "invoice { id taxes { name rate amount { amount } } total { amount }
    lines { explanation } }";

async fn charge(isp: &Ask<'_>, subscriber: &str) -> Value {
    let input = json!({ "subscriberId": subscriber, "lines": [{ "description": "Access", "unitPrice": "1000.00" }],
        "idempotencyKey": key() });
    isp.mutate("invoiceIssue", input, CHARGED).await.done()["invoice"].take()
}

/// "CGST 90.00" for each.
fn taxes(invoice: &Value) -> Vec<String> {
    let taxes = invoice["taxes"].as_array().unwrap().iter();
    let text = |v: &Value| v.as_str().unwrap().to_owned();
    taxes
        .map(|t| format!("{} {}", text(&t["name"]), text(&t["amount"]["amount"])))
        .collect()
}

fn notes(invoice: &Value) -> String {
    invoice["lines"][0]["explanation"]["line"]["treatment"]["notes"].to_string()
}

async fn classify(isp: &Ask<'_>, subscriber: &str, class: &str) {
    let query = "query($id: ID!) { subscriber(id: $id) { version } }";
    let version = isp.gql(query, json!({ "id": subscriber })).await.at("subscriber.version");
    let input = json!({ "id": subscriber, "expectedVersion": version, "taxClass": class });
    let done = isp.mutate("subscriberUpdate", input, "subscriber { taxClass }").await.done();
    assert_eq!(done["subscriber"]["taxClass"], class);
}

/// IGST Act s.7(5)(b): within the State too.
#[tokio::test]
async fn a_special_buyer_bears_igst_and_an_exempt_one_nothing() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.register_for_gst().await;
    let (zone, _) = isp.subscriber("Zone unit", json!({ "taxClass": "SPECIAL" })).await;
    let invoice = charge(&isp, &zone).await;
    assert_eq!(taxes(&invoice), ["IGST 180.00"]);
    assert!(notes(&invoice).contains("on payment of integrated tax"), "{invoice}");
    let (buyer, _) = isp.subscriber("Ravi", json!({})).await;
    assert_eq!(taxes(&charge(&isp, &buyer).await), ["CGST 90.00", "SGST 90.00"]);
    classify(&isp, &buyer, "EXEMPT").await;
    let invoice = charge(&isp, &buyer).await;
    assert_eq!((taxes(&invoice).len(), &invoice["total"]["amount"]), (0, &json!("1000.00")));
    assert!(notes(&invoice).contains("exempt"), "{invoice}");
    classify(&isp, &buyer, "REGULAR").await;
    assert_eq!(taxes(&charge(&isp, &buyer).await), ["CGST 90.00", "SGST 90.00"]);

    let kenya = app.on("baraka").as_owner();
    let chandra = app.on("chandra").as_owner();
    // Who is not registered charges no tax, and does not speak of one.
    let (zone, _) = chandra.subscriber("Zone unit", json!({ "taxClass": "SPECIAL" })).await;
    let untaxed = notes(&charge(&chandra, &zone).await);
    assert!(
        untaxed.contains("no tax registration") && !untaxed.contains("integrated"),
        "{untaxed}"
    );
    let home = json!({ "line1": "Moi Avenue", "region": "28", "country": "KE" });
    let (embassy, _) = kenya
        .subscriber("Embassy", json!({ "taxClass": "EXEMPT", "address": home }))
        .await;
    let invoice = charge(&kenya, &embassy).await;
    assert_eq!((taxes(&invoice).len(), &invoice["total"]["amount"]), (0, &json!("1000.00")));
    classify(&kenya, &embassy, "REGULAR").await;
    assert_eq!(taxes(&charge(&kenya, &embassy).await), ["EXCISE 150.00", "VAT 184.00"]);
    app.run_jobs().await;
}

/// By whose class a charge is taxed: that of who pays it, in the runs too, and from the next charge on.
#[tokio::test]
async fn what_one_pays_for_others_is_taxed_as_its_payer() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.register_for_gst().await;
    isp.bills(json!({ "dueDays": 90, "graceDays": 30 })).await;
    let plan = isp
        .plan("home", json!({ "paymentMode": "POSTPAID", "price": "1000.00" }))
        .await;
    let (payer, _) = isp.subscriber("Payer", json!({})).await;
    for n in 0..2 {
        let (flat, _) = isp
            .subscriber(&format!("Flat {n}"), json!({ "billToId": payer, "taxClass": "EXEMPT" }))
            .await;
        isp.service(&flat, &plan, &format!("flat-{n}"), json!({})).await;
    }
    let query =
        "query($id: ID!) { subscriber(id: $id) { invoices(first: 50) { nodes { issuedOn taxes { name amount { amount } } } } } }";
    let of_day = async |day: &str| -> Vec<String> {
        let all = isp.gql(query, json!({ "id": payer })).await.at("subscriber.invoices.nodes");
        let all = all.as_array().unwrap().iter().filter(|i| i["issuedOn"] == day);
        all.flat_map(taxes).collect()
    };
    app.run_jobs().await;
    assert_eq!(of_day("2026-04-01").await, ["CGST 90.00", "SGST 90.00"].repeat(2));
    classify(&isp, &payer, "SPECIAL").await;
    app.set_clock("2026-05-01T04:30:00Z").await;
    app.run_jobs().await;
    assert_eq!(of_day("2026-05-01").await, ["IGST 360.00"]);
}

#[tokio::test]
async fn the_class_takes_the_right_to_write_invoices() {
    let app = TestApp::new().await;
    let owner = app.on("asha").as_owner();
    let support = app.on("asha").as_login("support@asha.example");
    let (subscriber, _) = support.subscriber("Ravi", json!({ "taxClass": "REGULAR" })).await;
    let create = json!({ "name": "Tara", "taxClass": "EXEMPT", "idempotencyKey": key() });
    let refused = support.mutate("subscriberCreate", create, "subscriber { id }").await;
    assert_eq!(refused.code().as_deref(), Some("FORBIDDEN"), "{}", refused.text);
    let update = json!({ "id": subscriber, "expectedVersion": 1, "taxClass": "EXEMPT" });
    let refused = support.mutate("subscriberUpdate", update, "subscriber { id }").await;
    assert_eq!(refused.code().as_deref(), Some("FORBIDDEN"), "{}", refused.text);
    let rename = json!({ "id": subscriber, "expectedVersion": 1, "taxClass": "REGULAR", "name": "Ravi K" });
    support.mutate("subscriberUpdate", rename, "subscriber { id }").await.done();
    classify(&owner, &subscriber, "EXEMPT").await;
    let query = "{ auditEntries(first: 1, filter: { action: \"subscriberUpdate\" }) { nodes { detail } } }";
    let audit = owner.gql(query, json!({})).await.at("auditEntries.nodes.0.detail");
    assert_eq!(audit["tax_class"], json!({ "Set": "EXEMPT" }), "{audit}");
    let cleared = json!({ "id": subscriber, "expectedVersion": 3, "taxClass": null });
    let refused = owner.mutate("subscriberUpdate", cleared, "subscriber { id }").await;
    assert_eq!(refused.refusals(), ["REQUIRED taxClass"]);
    app.run_jobs().await;
}

/// UTGST Act s.7: the islands have no State's tax.
#[tokio::test]
async fn a_union_territory_levies_its_own_tax() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    // The form and check character of a GSTIN of Chandigarh.
    let registration = json!({ "country": "IN", "region": "CH", "taxId": "04AABCR1718E1ZX" });
    isp.mutate("taxRegistrationAdd", registration, "registration { id }")
        .await
        .done();
    for (region, expected) in [
        ("CH", vec!["CGST 90.00", "UTGST 90.00"]),
        ("04", vec!["CGST 90.00", "UTGST 90.00"]),
        ("DL", vec!["IGST 180.00"]),
    ] {
        let at = json!({ "address": { "line1": "1 Road", "region": region, "country": "IN" } });
        let (subscriber, _) = isp.subscriber("Ravi", at).await;
        assert_eq!(taxes(&charge(&isp, &subscriber).await), expected, "{region}");
    }
    let (nowhere, _) = isp.subscriber("Tara", json!({ "address": null })).await;
    assert_eq!(taxes(&charge(&isp, &nowhere).await), ["CGST 90.00", "UTGST 90.00"]);
    app.run_jobs().await;
}

/// A region that there is not was once taxed as another State.
#[tokio::test]
async fn regions_of_the_ispes_country_are_those_that_there_are() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.register_for_gst().await;
    let at = |region: &str, country: &str| json!({ "line1": "1 Road", "region": region, "country": country });
    let create = async |address: Value| {
        let input = json!({ "name": "Ravi", "address": address, "idempotencyKey": key() });
        isp.mutate("subscriberCreate", input, "subscriber { id address { region } }")
            .await
    };
    for region in ["ZZ", "39", "47"] {
        assert_eq!(
            create(at(region, "IN")).await.refusals(),
            ["INVALID address.region"],
            "{region}"
        );
    }
    let made = create(at("29", "IN")).await.done()["subscriber"].take();
    assert_eq!(made["address"]["region"], "KA");
    assert_eq!(taxes(&charge(&isp, &id(&made)).await), ["CGST 90.00", "SGST 90.00"]);
    let abroad = create(at("ZZ", "US")).await.done()["subscriber"].take();
    assert_eq!(abroad["address"]["region"], "ZZ", "other countries' are not known here");
    let plan = isp.plan("home", json!({})).await;
    let input = json!({ "subscriberId": made["id"], "planId": plan, "username": "ravi", "password": "network-secret",
        "installationAddress": at("ZZ", "IN"), "idempotencyKey": key() });
    let refused = isp.mutate("serviceCreate", input, "service { id }").await;
    assert_eq!(refused.refusals(), ["INVALID installationAddress.region"]);
    let kenya = app.on("baraka").as_owner();
    let input = json!({ "country": "KE", "region": "48", "taxId": "P051482937Q" });
    let refused = kenya.mutate("taxRegistrationAdd", input, "registration { id }").await;
    assert_eq!(refused.refusals(), ["INVALID region"]);
    app.run_jobs().await;
}

/// A release brings new rules: an ISP that exists takes them over with the next day's work, once.
#[tokio::test]
async fn new_tax_rules_reach_an_isp_that_exists() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.register_for_gst().await;
    let role = &app.db.tenants.iter().find(|t| t.slug == "asha").unwrap().role;
    // As a release of 2017 left it.
    let old = format!(
        "UPDATE {role}.tax_rule_set SET body = jsonb_set(jsonb_set(jsonb_set(body, '{{version}}', '\"in-gst-2017-07-01\"'),
             '{{components,0,rates,0,percent}}', '\"14\"'), '{{components,1,rates,0,percent}}', '\"14\"') - 'regions' - 'notes'
             #- '{{components,1,except_regions}}' #- '{{components,2}}'"
    );
    execute(&mut app.db.admin().await, old).await;
    let (subscriber, _) = isp.subscriber("Ravi", json!({})).await;
    assert_eq!(taxes(&charge(&isp, &subscriber).await), ["CGST 140.00", "SGST 140.00"]);
    let adopted = "{ auditEntries(first: 9, filter: { action: \"taxRulesAdopt\" }) { totalCount nodes { detail } } }";
    for day in ["2026-04-02T06:00:00Z", "2026-04-03T06:00:00Z"] {
        app.set_clock(day).await;
        app.run_jobs().await;
        assert_eq!(taxes(&charge(&isp, &subscriber).await), ["CGST 90.00", "SGST 90.00"], "{day}");
        let audit = isp.gql(adopted, json!({})).await.at("auditEntries");
        assert_eq!(audit["totalCount"], 1, "{day}");
        assert_eq!(audit["nodes"][0]["detail"]["from"], "in-gst-2017-07-01");
    }
    // A process of the release before does not bring its own rules back.
    let newer = format!(
        "INSERT INTO {role}.tax_rule_set (version, body, adopted_at)
         SELECT 3, jsonb_set(jsonb_set(body, '{{version}}', '\"in-gst-2099-01-01\"'), '{{components,0,rates,0,percent}}', '\"10\"'),
             adopted_at FROM {role}.tax_rule_set WHERE version = 2"
    );
    execute(&mut app.db.admin().await, newer).await;
    app.set_clock("2026-04-04T06:00:00Z").await;
    app.run_jobs().await;
    assert_eq!(taxes(&charge(&isp, &subscriber).await), ["CGST 100.00", "SGST 90.00"]);
    // What a newer release adopted, which was taken back, does not stop this one.
    let unreadable = format!(
        "INSERT INTO {role}.tax_rule_set (version, body, adopted_at)
         SELECT 4, jsonb_set(body, '{{no_release_knows_this}}', '1'), adopted_at FROM {role}.tax_rule_set WHERE version = 3"
    );
    execute(&mut app.db.admin().await, unreadable).await;
    assert_eq!(taxes(&charge(&isp, &subscriber).await), ["CGST 100.00", "SGST 90.00"]);
    app.run_jobs().await;
}

async fn set_address(isp: &Ask<'_>, service: &str, address: Value) -> crate::harness::Answer {
    let input = json!({ "id": service, "installationAddress": address });
    isp.mutate(
        "serviceAddressSet",
        input,
        "service { installationAddress { line1 region } version }",
    )
    .await
}

/// IGST Act s.12(11)(a): where the line is installed.
#[tokio::test]
async fn a_service_that_moves_is_supplied_where_it_is_from_its_next_charge_on() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.register_for_gst().await;
    isp.bills(json!({ "dueDays": 90 })).await;
    let plan = isp.plan("home", json!({ "paymentMode": "POSTPAID" })).await;
    let (subscriber, _) = isp.subscriber("Ravi", json!({})).await;
    let (service, _) = isp.service(&subscriber, &plan, "ravi", json!({})).await;
    let service = id(&service);
    let pune = json!({ "line1": "7 Fergusson Road", "region": "27", "country": "IN" });
    let done = set_address(&isp, &service, pune.clone()).await.done()["service"].take();
    let moved = json!({ "line1": "7 Fergusson Road", "region": "MH" });
    assert_eq!(done["installationAddress"], moved);
    let again = set_address(&isp, &service, pune).await.done()["service"].take();
    assert_eq!(again["version"], done["version"], "nothing has changed");
    let query =
        "query($id: ID!) { subscriber(id: $id) { invoices(first: 9) { nodes { issuedOn taxes { name amount { amount } } } } } }";
    let of_month = async |day: &str| -> Vec<String> {
        app.set_clock(&format!("{day}T06:00:00Z")).await;
        app.run_jobs().await;
        let all = isp
            .gql(query, json!({ "id": subscriber }))
            .await
            .at("subscriber.invoices.nodes");
        let all = all.as_array().unwrap().iter().filter(|i| i["issuedOn"] == day);
        all.flat_map(taxes).collect()
    };
    assert_eq!(
        of_month("2026-04-01").await,
        ["CGST 90.00", "SGST 90.00"],
        "what was issued stays"
    );
    assert_eq!(of_month("2026-05-01").await, ["IGST 180.00"]);
    // Without one of its own the subscriber's counts.
    let done = set_address(&isp, &service, Value::Null).await.done()["service"].take();
    assert_eq!(done["installationAddress"], Value::Null);
    assert_eq!(of_month("2026-06-01").await, ["CGST 90.00", "SGST 90.00"]);
    for (address, refusal) in [
        (
            json!({ "line1": "x", "region": "ZZ", "country": "IN" }),
            "INVALID installationAddress.region",
        ),
        (
            json!({ "line1": " ", "region": "KA", "country": "IN" }),
            "REQUIRED installationAddress.line1",
        ),
    ] {
        assert_eq!(set_address(&isp, &service, address).await.refusals(), [refusal]);
    }
    let end = json!({ "id": service, "reason": "Gone", "idempotencyKey": key() });
    isp.mutate("serviceTerminate", end, "service { id }").await.done();
    let refused = set_address(&isp, &service, moved_to("KA")).await;
    assert_eq!(refused.refusals(), ["INVALID_STATE id"]);
    let audit = "{ auditEntries(first: 9, filter: { action: \"serviceAddressSet\" }) { totalCount } }";
    assert_eq!(isp.gql(audit, json!({})).await.at("auditEntries.totalCount"), 2);
    app.run_jobs().await;
}

fn moved_to(region: &str) -> Value {
    json!({ "line1": "1 Road", "region": region, "country": "IN" })
}

/// An address of a time in which any code was taken: it is not taxed as another State's, and the run names whose it is.
#[tokio::test]
async fn what_is_supplied_to_no_region_that_there_is_waits_for_its_address() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.register_for_gst().await;
    isp.bills(json!({ "dueDays": 90 })).await;
    let plan = isp.plan("home", json!({ "paymentMode": "POSTPAID" })).await;
    let (subscriber, _) = isp.subscriber("Ravi", json!({})).await;
    let (service, _) = isp.service(&subscriber, &plan, "ravi", json!({})).await;
    let service = id(&service);
    let role = &app.db.tenants.iter().find(|t| t.slug == "asha").unwrap().role;
    for (table, column) in [("subscriber", "address"), ("service", "installation_address")] {
        let old = format!("UPDATE {role}.{table} SET {column} = jsonb_set({column}, '{{region}}', '\"KAR\"')");
        execute(&mut app.db.admin().await, old).await;
    }
    let input = json!({ "subscriberId": subscriber, "lines": [{ "description": "Access", "unitPrice": "1000.00" }],
        "idempotencyKey": key() });
    let refused = isp.mutate("invoiceIssue", input, "invoice { id }").await;
    assert!(refused.text.contains("has no region KAR"), "{}", refused.text);
    app.set_clock("2026-05-01T06:00:00Z").await;
    app.run_jobs().await;
    let runs = "{ billingRuns(first: 1) { nodes { failures(first: 9) { nodes { service { id } message } } } } }";
    let failures = isp.gql(runs, json!({})).await.at("billingRuns.nodes.0.failures.nodes");
    assert_eq!(failures[0]["service"]["id"], service, "{failures}");
    assert!(
        failures[0]["message"].as_str().unwrap().contains("correct the address"),
        "{failures}"
    );
    // Something else about the subscriber can be changed all the same.
    let version = isp
        .gql(
            "query($id: ID!) { subscriber(id: $id) { version } }",
            json!({ "id": subscriber }),
        )
        .await
        .at("subscriber.version");
    let rename = json!({ "id": subscriber, "expectedVersion": version, "name": "Ravi K" });
    isp.mutate("subscriberUpdate", rename, "subscriber { id }").await.done();
    set_address(&isp, &service, moved_to("KA")).await.done();
    app.set_clock("2026-05-02T06:00:00Z").await;
    app.run_jobs().await;
    assert_eq!(isp.invoices_of(&subscriber).await.len(), 2, "April and May");
}
