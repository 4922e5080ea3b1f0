//! One payer for many: what is due on one day for several subscribers stands on one invoice.

use serde_json::{Value, json};

use crate::harness::{Ask, TestApp, id, key};

const INVOICES: &str = "query($id: ID!) { subscriber(id: $id) { invoices(first: 50) { nodes { id number issuedOn status
    total { amount } amountDue { amount } lines { description subscriber { name } service { username } amount { amount } } } } } }";

/// Of one day, by their numbers.
async fn invoices(isp: &Ask<'_>, payer: &str, day: &str) -> Vec<Value> {
    let all = isp
        .gql(INVOICES, json!({ "id": payer }))
        .await
        .at("subscriber.invoices.nodes");
    let of_day = |invoice: &&Value| invoice["issuedOn"] == day;
    let mut invoices: Vec<Value> = all.as_array().unwrap().iter().filter(of_day).cloned().collect();
    invoices.sort_by_key(|invoice| invoice["number"].to_string());
    invoices
}

/// A run of the first of May that takes two services to a transaction, so that those of one payer are not found together by luck.
async fn run_by_twos(app: &TestApp) {
    let sql = "INSERT INTO platform.job (tenant_id, kind, payload, run_at)
         VALUES (1, 'billing.renew', '{\"date\": \"2026-05-01\", \"together\": 2}', platform.now())";
    sqlx::query(sql).execute(&mut app.db.admin().await).await.unwrap();
    app.run_jobs().await;
}

/// Whom each line is for.
fn names(invoice: &Value) -> Vec<&str> {
    let lines = invoice["lines"].as_array().unwrap();
    lines
        .iter()
        .map(|line| line["subscriber"]["name"].as_str().unwrap())
        .collect()
}

struct House {
    landlord: String,
    flats: Vec<(String, String)>,
}

/// A landlord with a postpaid service of its own and one in each flat; a prepaid one, and a neighbour.
async fn house(isp: &Ask<'_>, flats: usize) -> House {
    let plan = isp
        .plan("flat", json!({ "paymentMode": "POSTPAID", "price": "1000.00" }))
        .await;
    let prepaid = isp.plan("prepaid", json!({ "price": "500.00" })).await;
    let (landlord, _) = isp.subscriber("Landlord", json!({})).await;
    isp.service(&landlord, &plan, "landlord", json!({})).await;
    let mut house = House {
        landlord: landlord.clone(),
        flats: Vec::new(),
    };
    for n in 0..flats {
        let (flat, _) = isp.subscriber(&format!("Flat {n}"), json!({ "billToId": landlord })).await;
        let site = json!({ "line1": format!("{n} MG Road"), "city": "Mysuru", "region": "KA", "country": "IN" });
        let (service, _) = isp
            .service(&flat, &plan, &format!("flat-{n}"), json!({ "installationAddress": site }))
            .await;
        house.flats.push((flat, id(&service)));
    }
    let (guest, _) = isp.subscriber("Guest", json!({ "billToId": landlord })).await;
    isp.service(&guest, &prepaid, "guest", json!({})).await;
    let (neighbour, _) = isp.subscriber("Neighbour", json!({})).await;
    isp.service(&neighbour, &plan, "neighbour", json!({})).await;
    house
}

#[tokio::test]
async fn what_one_pays_for_several_stands_on_one_invoice() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.register_for_gst().await;
    isp.bills(json!({ "dueDays": 60 })).await;
    let house = house(&isp, 3).await;
    // April: four times 1,180.00 and the guest's 590.00.
    isp.pay(&house.landlord, "5310.00").await;
    app.run_jobs().await;
    app.set_clock("2026-05-01T04:30:00Z").await;
    run_by_twos(&app).await;

    let may = invoices(&isp, &house.landlord, "2026-05-01").await;
    assert_eq!(may.len(), 2, "one for all that is postpaid, one for the guest: {may:#?}");
    let (whole, guest) = match may[0]["lines"].as_array().unwrap().len() {
        1 => (&may[1], &may[0]),
        _ => (&may[0], &may[1]),
    };
    let mut whom = names(whole);
    whom.sort_unstable();
    assert_eq!(whom, ["Flat 0", "Flat 1", "Flat 2", "Landlord"]);
    assert_eq!(whole["total"]["amount"], "4720.00");
    assert_eq!(
        names(guest),
        ["Guest"],
        "prepaid time gives access when its own invoice is paid"
    );
    for line in whole["lines"].as_array().unwrap() {
        let (site, whom) = (
            line["description"].as_str().unwrap(),
            line["subscriber"]["name"].as_str().unwrap(),
        );
        match whom.strip_prefix("Flat ") {
            Some(n) => assert!(site.ends_with(&format!(", {n} MG Road, Mysuru")), "{site}"),
            None => assert!(site.ends_with(", 1 MG Road, Bengaluru"), "{site}"),
        }
    }
    let runs = isp.gql(
        "{ billingRuns(first: 1) { nodes { invoicesIssued servicesConsidered total { amount } } } }",
        json!({}),
    );
    let run = runs.await.at("billingRuns.nodes.0");
    assert_eq!(
        run,
        json!({ "invoicesIssued": 3, "servicesConsidered": 6, "total": { "amount": "6490.00" } }),
        "the neighbour's and the guest's too"
    );

    // One flat leaves: the rest of its days is credited on that invoice.
    app.set_clock("2026-05-16T04:30:00Z").await;
    let input = json!({ "id": house.flats[1].1, "reason": "Moved out", "idempotencyKey": key() });
    isp.mutate("serviceTerminate", input, "service { status }").await.done();
    let may = invoices(&isp, &house.landlord, "2026-05-01").await;
    let whole = may.iter().find(|i| names(i).len() == 4).unwrap();
    let due: f64 = whole["amountDue"]["amount"].as_str().unwrap().parse().unwrap();
    assert!(due < 4720.0 && due > 3540.0, "{due}");
    app.run_jobs().await;
}

#[tokio::test]
async fn credit_in_hand_settles_the_whole_once() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.bills(json!({ "dueDays": 60 })).await;
    let house = house(&isp, 2).await;
    app.run_jobs().await;
    // What is open for April (3 postpaid and one prepaid), and 1,500.00 beyond.
    isp.pay(&house.landlord, "5000.00").await;
    app.set_clock("2026-05-01T04:30:00Z").await;
    app.run_jobs().await;
    let may = invoices(&isp, &house.landlord, "2026-05-01").await;
    let mut totals: Vec<(f64, f64)> = (may.iter())
        .map(|i| (&i["total"]["amount"], &i["amountDue"]["amount"]))
        .map(|(total, due)| {
            (
                total.as_str().unwrap().parse().unwrap(),
                due.as_str().unwrap().parse().unwrap(),
            )
        })
        .collect();
    totals.sort_by(|a, b| a.partial_cmp(b).unwrap());
    let left: f64 = totals.iter().map(|(_, due)| due).sum();
    assert_eq!(totals.iter().map(|(total, _)| *total).collect::<Vec<_>>(), [500.0, 3000.0]);
    assert!((left - 2000.0).abs() < 0.001, "1,500.00 were in hand: {totals:?}");
    let balance = "query($id: ID!) { subscriber(id: $id) { balance { amount } } }";
    let balance = isp
        .gql(balance, json!({ "id": house.landlord }))
        .await
        .text_at("subscriber.balance.amount");
    assert_eq!(balance, "2000.00");
}

/// A document has one place of supply.
#[tokio::test]
async fn sites_in_several_states_stand_on_an_invoice_for_each_state() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.register_for_gst().await;
    isp.bills(json!({ "dueDays": 60 })).await;
    let plan = isp
        .plan("flat", json!({ "paymentMode": "POSTPAID", "price": "1000.00" }))
        .await;
    let (chain, _) = isp.subscriber("Chain of shops", json!({})).await;
    for (n, region) in ["KA", "TN", "KL", "32", "29"].iter().enumerate() {
        let (shop, _) = isp.subscriber(&format!("Shop {n}"), json!({ "billToId": chain })).await;
        let site = json!({ "line1": format!("{n} Road"), "region": region, "country": "IN" });
        let input = json!({ "installationAddress": site });
        isp.service(&shop, &plan, &format!("shop-{n}"), input).await;
    }
    app.run_jobs().await;
    app.set_clock("2026-05-01T04:30:00Z").await;
    app.run_jobs().await;
    let query = "query($id: ID!) { subscriber(id: $id) { invoices(first: 50) { nodes { issuedOn taxes { name }
        lines { subscriber { name } explanation } } } } }";
    let all = isp.gql(query, json!({ "id": chain })).await.at("subscriber.invoices.nodes");
    let may = all.as_array().unwrap().iter().filter(|i| i["issuedOn"] == "2026-05-01");
    let mut seen: Vec<(Vec<&str>, Vec<&str>, Vec<&str>)> = Vec::new();
    for invoice in may {
        let places = invoice["lines"].as_array().unwrap().iter();
        let mut places: Vec<&str> = places
            .map(|l| l["explanation"]["line"]["treatment"]["place"]["region"].as_str().unwrap())
            .collect();
        places.dedup();
        let mut whom = names(invoice);
        whom.sort_unstable();
        let taxes = invoice["taxes"].as_array().unwrap().iter();
        seen.push((places, whom, taxes.map(|t| t["name"].as_str().unwrap()).collect()));
    }
    seen.sort();
    assert_eq!(
        seen,
        [
            (vec!["KA"], vec!["Shop 0", "Shop 4"], vec!["CGST", "SGST"]),
            (vec!["KL"], vec!["Shop 2", "Shop 3"], vec!["IGST"]),
            (vec!["TN"], vec!["Shop 1"], vec!["IGST"]),
        ]
    );
}

/// A company with offices: a line for each site. What is at one site stays on invoices of its own.
#[tokio::test]
async fn what_one_has_at_several_sites_stands_on_one_invoice() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.bills(json!({ "dueDays": 60 })).await;
    let plan = isp
        .plan("office", json!({ "paymentMode": "POSTPAID", "price": "1000.00" }))
        .await;
    let (company, _) = isp.subscriber("Company", json!({})).await;
    let (home, _) = isp.subscriber("Home", json!({})).await;
    for n in 0..3 {
        let site = json!({ "line1": format!("{n} Ring Road"), "city": "Mysuru", "region": "KA", "country": "IN" });
        let at = json!({ "installationAddress": site });
        isp.service(&company, &plan, &format!("office-{n}"), at).await;
        isp.service(&home, &plan, &format!("home-{n}"), json!({})).await;
    }
    app.run_jobs().await;
    app.set_clock("2026-05-01T04:30:00Z").await;
    run_by_twos(&app).await;
    let may = invoices(&isp, &company, "2026-05-01").await;
    assert_eq!(may.len(), 1, "{may:#?}");
    let mut sites: Vec<&str> = may[0]["lines"]
        .as_array()
        .unwrap()
        .iter()
        .map(|l| l["description"].as_str().unwrap())
        .collect();
    sites.sort_unstable();
    let expected = |n: usize| format!("Plan office, 2026-05-01 to 2026-05-31, {n} Ring Road, Mysuru");
    assert_eq!(sites, [expected(0), expected(1), expected(2)]);
    assert_eq!(may[0]["total"]["amount"], "3000.00");
    assert_eq!(invoices(&isp, &home, "2026-05-01").await.len(), 3);
}
