//! Every case of the file of worked examples, from the input to the API's answer, to the last minor unit. What has no part in
//! it: `contrast` entries, which say how it is not done, and collection by M-Pesa (KE-03), which is a gateway's.

use std::pin::Pin;

use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::harness::{Ask, TestApp, id, key, root};

const DOCUMENT: &str = "id number status issuedOn subtotal { amount } taxTotal { amount } rounding { amount } total { amount }
    taxes { name rate base { amount } amount { amount } }
    lines { kind description quantity amount { amount } discount { amount } taxCode periodStartsAt periodEndsAt explanation
        taxes { name rate base { amount } amount { amount } } }";

/// A case that the loop does not know fails the test, and so does one that disappears.
#[tokio::test]
async fn every_case_of_the_file() {
    let text = std::fs::read_to_string(root().join("tests/golden/billing-golden.json")).unwrap();
    let all: Value = serde_json::from_str(&text).unwrap();
    let cases = all["cases"].as_array().unwrap();
    assert_eq!(json!(cases.len()), all["count"]);
    for case in cases {
        let app = TestApp::new().await;
        let name = case["id"].as_str().unwrap();
        println!("{name}: {}", case["title"]);
        let isp = app.on(if case["country"] == "IN" { "asha" } else { "baraka" }).as_owner();
        if case["country"] == "IN" {
            isp.register_for_gst().await;
        }
        run(&app, &isp, case).await;
        app.run_jobs().await;
        app.jobs_may_remain();
    }
    assert_eq!(cases.len(), 14);
}

/// Boxed one by one: a future that holds all of them is too large for the stack of a thread.
fn run<'a>(app: &'a TestApp, isp: &'a Ask<'_>, case: &'a Value) -> Pin<Box<dyn Future<Output = ()> + 'a>> {
    match text(&case["id"]) {
        "IN-01" => Box::pin(within_the_state(isp, case)),
        "IN-02" => Box::pin(across_states(isp, case)),
        "IN-03" => Box::pin(a_tie(isp, case)),
        "IN-04" => Box::pin(a_price_with_tax(isp, case)),
        "IN-06" => Box::pin(the_first_days_of_february(app, isp, case)),
        "IN-07" => Box::pin(an_upgrade(app, isp, case)),
        "IN-09" => Box::pin(an_unpaid_renewal(case)),
        "IN-10" => Box::pin(ends_of_months(app, isp, case)),
        "IN-12" => Box::pin(tax_withheld(isp, case)),
        "IN-13" => Box::pin(a_coupon_and_an_add_on(isp, case)),
        "KE-01" => Box::pin(excise_then_vat(isp, case)),
        "KE-03" => Box::pin(the_first_days_of_a_month(app, isp, case)),
        "KE-04" => Box::pin(a_router_beside_the_line(isp, case)),
        "KE-06" => Box::pin(rates_by_date(app, isp, case)),
        other => panic!("{other} is in the file and is not run"),
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}

fn decimal(value: &Value) -> Decimal {
    text(value).parse().unwrap()
}

impl Ask<'_> {
    async fn document(&self, kind: &str, id: &str) -> Value {
        let query = format!("query($id: ID!) {{ {kind}(id: $id) {{ {DOCUMENT} }} }}");
        self.gql(&query, json!({ "id": id })).await.at(kind)
    }

    /// Somebody in that region who buys the plan, and the first invoice.
    async fn sold(&self, name: &str, plan: &str, region: &str) -> (String, String, Value) {
        let country = if self.host.starts_with("asha") { "IN" } else { "KE" };
        let address = json!({ "address": { "line1": "1 Road", "region": region, "country": country } });
        let (subscriber, _) = self.subscriber(name, address).await;
        let (service, invoice) = self.service(&subscriber, plan, name, json!({})).await;
        let invoice = self.document("invoice", &id(&invoice)).await;
        (subscriber, id(&service), invoice)
    }

    async fn monthly(&self, code: &str, price: &Value, inclusive: bool) -> String {
        self.plan(code, json!({ "price": price, "taxInclusive": inclusive })).await
    }

    async fn written(&self, subscriber: &str, lines: Value) -> Value {
        let input = json!({ "subscriberId": subscriber, "lines": lines, "idempotencyKey": key() });
        let done = self.mutate("invoiceIssue", input, "invoice { id }").await.done();
        self.document("invoice", &id(&done["invoice"])).await
    }

    async fn owes(&self, subscriber: &str) -> Decimal {
        let query = "query($id: ID!) { subscriber(id: $id) { balance { amount } } }";
        decimal(
            &self
                .gql(query, json!({ "id": subscriber }))
                .await
                .at("subscriber.balance.amount"),
        )
    }

    async fn due(&self, invoice: &str) -> String {
        let query = "query($id: ID!) { invoice(id: $id) { amountDue { amount } } }";
        self.gql(query, json!({ "id": invoice }))
            .await
            .text_at("invoice.amountDue.amount")
    }
}

/// Each tax of the document and its amount, by the names that the file has.
fn tax(of: &Value, name: &str) -> Decimal {
    let taxes = of["taxes"].as_array().unwrap().iter();
    taxes
        .filter(|t| t["name"].as_str().is_some_and(|n| n.eq_ignore_ascii_case(name)))
        .map(|t| decimal(&t["amount"]["amount"]))
        .sum()
}

const TAXES: [&str; 5] = ["cgst", "sgst", "igst", "excise", "vat"];

/// Compares everything that the file says of a document with what is served.
#[track_caller]
fn same(served: &Value, expected: &Value) {
    let mut compared = 0;
    let mut compare = |found: Decimal, name: &str, at: &Value| {
        if let Some(wanted) = at.get(name) {
            assert_eq!(found, decimal(wanted), "{name} of {expected:#}\n{served:#}");
            compared += 1;
        }
    };
    for (ours, theirs) in [
        ("subtotal", "taxable_total"),
        ("subtotal", "net_total"),
        ("subtotal", "taxable"),
    ] {
        compare(decimal(&served[ours]["amount"]), theirs, expected);
    }
    compare(decimal(&served["taxTotal"]["amount"]), "tax_total", expected);
    compare(decimal(&served["rounding"]["amount"]), "round_off", expected);
    compare(decimal(&served["total"]["amount"]), "total", expected);
    for name in TAXES {
        compare(tax(served, name), name, expected);
        compare(tax(served, name), &format!("{name}_total"), expected);
    }
    let lines = served["lines"].as_array().unwrap();
    for (line, wanted) in lines.iter().zip(expected["lines"].as_array().into_iter().flatten()) {
        compare(decimal(&line["amount"]["amount"]), "taxable", wanted);
        compare(decimal(&line["amount"]["amount"]), "net", wanted);
        for name in TAXES {
            compare(tax(line, name), name, wanted);
        }
        if let Some(sac) = wanted.get("sac") {
            assert_eq!(line["taxCode"], *sac);
        }
    }
    if let Some(wanted) = expected.get("lines") {
        assert_eq!(lines.len(), wanted.as_array().unwrap().len());
    }
    assert!(compared >= 2, "too little is compared with {expected:#}");
}

fn days(line: &Value) -> (&Value, &Value) {
    let share = &line["explanation"]["line"]["charge"]["days"];
    (&share["days"], &share["period_days"])
}

async fn within_the_state(isp: &Ask<'_>, case: &Value) {
    let plan = isp.monthly("p", &case["inputs"]["plan_price"], false).await;
    let (_, _, invoice) = isp.sold("one", &plan, "KA").await;
    same(&invoice, &case["expected"]["documents"][0]);
    isp.bills(json!({ "roundInvoiceTo": "1" })).await;
    let (_, _, invoice) = isp.sold("two", &plan, "KA").await;
    same(&invoice, &case["expected"]["variant_round_to_rupee"]);
}

async fn across_states(isp: &Ask<'_>, case: &Value) {
    let plan = isp.monthly("p", &case["inputs"]["plan_price"], false).await;
    let (_, _, invoice) = isp.sold("one", &plan, "MH").await;
    same(&invoice, &case["expected"]["documents"][0]);
}

async fn a_tie(isp: &Ask<'_>, case: &Value) {
    let plan = isp.monthly("p", &case["inputs"]["taxable"], false).await;
    for (name, region, mode) in [
        ("half_up", "KA", "HALF_UP"),
        ("igst_half_up", "MH", "HALF_UP"),
        ("half_even", "KA", "HALF_EVEN"),
    ] {
        isp.bills(json!({ "roundingMode": mode })).await;
        let (_, _, invoice) = isp.sold(&name.replace('_', "."), &plan, region).await;
        same(&invoice, &case["expected"][name]);
    }
}

async fn a_price_with_tax(isp: &Ask<'_>, case: &Value) {
    let plan = isp.monthly("p", &case["inputs"]["plan_price"], true).await;
    for (name, region) in [("intra", "KA"), ("inter", "MH")] {
        let (_, _, invoice) = isp.sold(name, &plan, region).await;
        same(&invoice, &case["expected"][name]);
    }
}

async fn the_first_days_of_february(app: &TestApp, isp: &Ask<'_>, case: &Value) {
    isp.bills(json!({ "anchor": "CALENDAR", "calendarDay": 1 })).await;
    app.set_clock(&format!("{}T04:30:00Z", text(&case["inputs"]["activation"])))
        .await;
    let plan = isp.monthly("p", &case["inputs"]["plan_price"], false).await;
    let (_, _, invoice) = isp.sold("one", &plan, "KA").await;
    let expected = &case["expected"];
    same(&invoice, &expected["documents"][0]);
    assert_eq!(
        days(&invoice["lines"][0]),
        (&expected["charge_days"], &expected["period_days"])
    );
}

async fn an_upgrade(app: &TestApp, isp: &Ask<'_>, case: &Value) {
    let (inputs, expected) = (&case["inputs"], &case["expected"]);
    let begins = text(&inputs["period"]).split("..").next().unwrap();
    for document in ["CREDIT_NOTE_AND_INVOICE", "DIFFERENCE"] {
        app.set_clock(&format!("{begins}T04:30:00Z")).await;
        isp.bills(json!({ "planChangeDocument": document })).await;
        let code = |which: &str| format!("{which}-{}", document.len());
        let old = isp.monthly(&code("old"), &inputs["old_plan"], false).await;
        let new = isp.monthly(&code("new"), &inputs["new_plan"], false).await;
        let (subscriber, service, first) = isp.sold(&code("who"), &old, "KA").await;
        isp.pay(&subscriber, text(&first["total"]["amount"])).await;
        app.run_jobs().await;
        app.set_clock(&format!("{}T04:30:00Z", text(&inputs["upgrade_effective"])))
            .await;
        app.run_jobs().await;
        let input = json!({ "id": service, "planId": new, "timing": "NOW", "idempotencyKey": key() });
        let selection = format!(
            "service {{ status plan {{ id }} }} invoice {{ {DOCUMENT} }} creditNote {{ {} }}",
            without_number()
        );
        let changed = isp.mutate("serviceChangePlan", input.clone(), &selection).await.done();
        assert_eq!(changed["service"]["plan"]["id"], json!(new));
        if document == "DIFFERENCE" {
            assert!(changed["creditNote"].is_null());
            same(&changed["invoice"], &expected["variant_single_debit_note"]);
        } else {
            same(&changed["creditNote"], &expected["documents"][0]);
            same(&changed["invoice"], &expected["documents"][1]);
            assert_eq!(days(&changed["invoice"]["lines"][0]), (&json!(21), &json!(31)));
        }
        assert_eq!(isp.due(&id(&changed["invoice"])).await, text(&expected["net_payable"]));
        assert_eq!(isp.owes(&subscriber).await, decimal(&expected["net_payable"]));
        let replayed = isp.mutate("serviceChangePlan", input, &selection).await.done();
        assert_eq!(replayed["invoice"]["id"], changed["invoice"]["id"], "a replay");
        assert_eq!(replayed["creditNote"], changed["creditNote"], "a replay");
    }
}

/// What an invoice and a credit note have in common.
fn without_number() -> String {
    DOCUMENT.replace(" status", "")
}

async fn an_unpaid_renewal(case: &Value) {
    let (inputs, expected) = (&case["inputs"], &case["expected"]);
    for (policy, settings) in [
        (
            "policy_A_no_credit",
            json!({ "suspensionCredit": "NONE", "lateFee": inputs["late_fee"] }),
        ),
        ("policy_B_credit_suspended_days", json!({ "suspensionCredit": "CREDIT_DAYS" })),
        ("policy_C_shift_anchor", json!({ "suspensionCredit": "SHIFT_PERIOD" })),
    ] {
        let app = TestApp::new().await;
        let isp = app.on("asha").as_owner();
        isp.register_for_gst().await;
        app.set_clock("2026-04-05T04:30:00Z").await;
        isp.bills(json!({ "graceDays": inputs["grace_days"] })).await;
        isp.bills(settings).await;
        let plan = isp.monthly("p", &inputs["plan_price"], false).await;
        let (subscriber, service, first) = isp.sold("one", &plan, "KA").await;
        isp.pay(&subscriber, text(&first["total"]["amount"])).await;
        for day in ["2026-05-05", "2026-05-09"] {
            app.set_clock(&format!("{day}T04:30:00Z")).await;
            app.run_jobs().await;
        }
        assert_eq!(isp.status(&service).await, "GRACE");
        // The job comes late in the day; the time was over at its beginning.
        app.set_clock("2026-05-10T09:00:00Z").await;
        app.run_jobs().await;
        assert_eq!(isp.status(&service).await, "SUSPENDED EXPIRED");
        let query = "query($id: ID!) { service(id: $id) { suspension { since } } }";
        let since = isp
            .gql(query, json!({ "id": service }))
            .await
            .text_at("service.suspension.since");
        let at = |text: &str| chrono::DateTime::parse_from_rfc3339(text).unwrap();
        assert_eq!(at(&since), at(text(&expected["suspend_at"])));
        let paid_on = text(&inputs["paid_on"]);
        assert_eq!(json!(paid_on), expected["restore_on"]);
        app.set_clock(&format!("{paid_on}T04:30:00Z")).await;
        app.run_jobs().await;
        settle(&app, &isp, &subscriber, &service, policy, &expected[policy]).await;
        app.run_jobs().await;
    }
}

async fn settle(app: &TestApp, isp: &Ask<'_>, subscriber: &str, service: &str, policy: &str, expected: &Value) {
    let query = "query($id: ID!) { subscriber(id: $id) { invoices(first: 9) { nodes { id } } } }";
    let invoices = isp
        .gql(query, json!({ "id": subscriber }))
        .await
        .at("subscriber.invoices.nodes");
    let ids: Vec<String> = invoices.as_array().unwrap().iter().rev().map(id).collect();
    let renewal = isp.document("invoice", &ids[1]).await;
    let owed = isp.owes(subscriber).await;
    isp.pay(subscriber, &owed.to_string()).await;
    app.run_jobs().await;
    assert_eq!(isp.status(service).await, "ACTIVE");
    let credited = format!(
        "query($id: ID!) {{ invoice(id: $id) {{ creditNotes {{ {} }} }} }}",
        without_number()
    );
    let notes = isp.gql(&credited, json!({ "id": ids[1] })).await.at("invoice.creditNotes");
    match policy {
        "policy_A_no_credit" => {
            same(&renewal, &expected["documents"][0]);
            let fee = isp.document("invoice", &ids[2]).await;
            same(&fee, &expected["documents"][1]);
            assert_eq!(fee["lines"][0]["kind"], "LATE_FEE");
            assert_eq!((owed, notes), (decimal(&expected["payable"]), json!([])));
        }
        "policy_B_credit_suspended_days" => {
            same(&renewal, &expected["documents"][0]);
            same(&notes[0], &expected["documents"][1]);
            assert_eq!(
                owed + isp.owes(subscriber).await,
                decimal(&expected["payable"]),
                "paid, less the credit in hand"
            );
        }
        _ => {
            assert_eq!((owed, notes), (decimal(&expected["payable"]), json!([])));
            let state = isp.state(service).await;
            let (first, last) = text(&expected["new_period"]).split_once("..").unwrap();
            assert_eq!(state["periodStartsAt"], crate::services::bench::kolkata(first));
            let after = last.parse::<chrono::NaiveDate>().unwrap().succ_opt().unwrap();
            assert_eq!(state["periodEndsAt"], crate::services::bench::kolkata(&after.to_string()));
        }
    }
}

async fn ends_of_months(app: &TestApp, isp: &Ask<'_>, case: &Value) {
    let expected = &case["expected"];
    for (unit, renewals) in [("MONTH", "monthly_renewals"), ("YEAR", "annual_renewals")] {
        let days = expected[renewals].as_array().unwrap();
        app.set_clock(&format!("{}T04:30:00Z", text(&days[0]))).await;
        let plan = isp.plan(unit, json!({ "period": { "unit": unit, "count": 1 } })).await;
        let (subscriber, service, first) = isp.sold(unit, &plan, "KA").await;
        isp.pay(&subscriber, text(&first["total"]["amount"])).await;
        app.run_jobs().await;
        for day in &days[1..] {
            app.set_clock(&format!("{}T04:30:00Z", text(day))).await;
            app.run_jobs().await;
            let owed = isp.owes(&subscriber).await;
            isp.pay(&subscriber, &owed.to_string()).await;
            app.run_jobs().await;
            assert_eq!(
                isp.state(&service).await["periodStartsAt"],
                crate::services::bench::kolkata(text(day))
            );
        }
        let zone = chrono::FixedOffset::east_opt(330 * 60).unwrap();
        let date = |at: &str| {
            chrono::DateTime::parse_from_rfc3339(at)
                .unwrap()
                .with_timezone(&zone)
                .date_naive()
        };
        let mut periods = Vec::new();
        for invoice in isp.invoices_of(&subscriber).await {
            let (_, period) = invoice.split_once(": ").unwrap();
            let (from, to) = period.split_once(' ').unwrap();
            let (from, to) = (date(from), date(to));
            periods.push((from, to.pred_opt().unwrap(), (to - from).num_days()));
        }
        let begins: Vec<_> = periods.iter().map(|(from, ..)| json!(from.to_string())).collect();
        assert_eq!(json!(begins), expected[renewals]);
        if unit == "MONTH" {
            let wanted = expected["monthly_periods"].as_array().unwrap();
            let told: Vec<_> = periods
                .iter()
                .take(wanted.len())
                .map(|(from, to, _)| json!(format!("{from}..{to}")))
                .collect();
            assert_eq!(&told, wanted);
            let lengths: Vec<_> = periods.iter().take(wanted.len()).map(|(.., days)| json!(days)).collect();
            assert_eq!(json!(lengths), expected["period_days"]);
        }
    }
}

async fn tax_withheld(isp: &Ask<'_>, case: &Value) {
    let expected = &case["expected"];
    let plan = isp.monthly("leased", &case["inputs"]["monthly_charge"], false).await;
    let (subscriber, _, invoice) = isp.sold("government", &plan, "KA").await;
    same(&invoice, &expected["documents"][0]);
    isp.pay(&subscriber, text(&expected["bank_receipt"])).await;
    let withheld = |amount: &Value| json!({ "invoiceId": invoice["id"], "amount": amount, "reference": "GSTR-7A 17", "idempotencyKey": key() });
    let selection = "invoice { status amountDue { amount } }";
    let too_much = isp.mutate("withholdingRecord", withheld(&json!("1000.01")), selection).await;
    assert_eq!(too_much.refusals(), ["INVALID amount"]);
    let done = isp
        .mutate("withholdingRecord", withheld(&expected["gst_tds"]["total"]), selection)
        .await
        .done();
    assert_eq!(
        done["invoice"],
        json!({ "status": "PAID", "amountDue": { "amount": "0.00" } })
    );
    assert_eq!(isp.owes(&subscriber).await, Decimal::ZERO);
}

async fn a_coupon_and_an_add_on(isp: &Ask<'_>, case: &Value) {
    let (inputs, expected) = (&case["inputs"], &case["expected"]);
    let (subscriber, _) = isp.subscriber("one", json!({})).await;
    let lines = json!([
        { "description": "Broadband", "unitPrice": inputs["plan_price"], "discountPercent": inputs["coupon_pct"] },
        { "description": "Static IP", "unitPrice": inputs["addon_static_ip"] },
    ]);
    let invoice = isp.written(&subscriber, lines).await;
    same(&invoice, &expected["documents"][0]);
    assert_eq!(
        decimal(&invoice["lines"][0]["discount"]["amount"]),
        decimal(&expected["discount"])
    );
}

async fn excise_then_vat(isp: &Ask<'_>, case: &Value) {
    let plan = isp.monthly("p", &case["inputs"]["plan_price"], false).await;
    let (_, _, invoice) = isp.sold("one", &plan, "30").await;
    same(&invoice, &case["expected"]["documents"][0]);
}

async fn the_first_days_of_a_month(app: &TestApp, isp: &Ask<'_>, case: &Value) {
    isp.bills(json!({ "anchor": "CALENDAR", "calendarDay": 1 })).await;
    app.set_clock(&format!("{}T04:30:00Z", text(&case["inputs"]["activation"])))
        .await;
    let plan = isp.monthly("p", &case["inputs"]["plan_price"], false).await;
    let (_, _, invoice) = isp.sold("one", &plan, "30").await;
    let expected = &case["expected"];
    same(&invoice, &expected["documents"][0]);
    assert_eq!(
        days(&invoice["lines"][0]),
        (&expected["charge_days"], &expected["period_days"])
    );
}

async fn a_router_beside_the_line(isp: &Ask<'_>, case: &Value) {
    let address = json!({ "address": { "line1": "1 Road", "region": "30", "country": "KE" } });
    let (subscriber, _) = isp.subscriber("one", address).await;
    let lines = json!([
        { "description": "Home fibre 20 Mbps", "unitPrice": case["inputs"]["internet"] },
        { "description": "Wi-Fi router", "unitPrice": case["inputs"]["router"], "taxCode": "HARDWARE" },
    ]);
    same(&isp.written(&subscriber, lines).await, &case["expected"]["documents"][0]);
}

async fn rates_by_date(app: &TestApp, isp: &Ask<'_>, case: &Value) {
    for (n, point) in case["inputs"]["tax_points"].as_array().unwrap().iter().enumerate() {
        app.set_clock(&format!("{}T04:30:00Z", text(point))).await;
        let plan = isp.monthly(&format!("p{n}"), &case["inputs"]["plan_price"], false).await;
        let (_, _, invoice) = isp.sold(&format!("who{n}"), &plan, "30").await;
        same(&invoice, &case["expected"][text(point)]);
    }
}

#[tokio::test]
async fn without_a_registration_there_is_no_gst_and_the_explanation_says_so() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    let (subscriber, _) = isp.subscriber("one", json!({})).await;
    let invoice = isp
        .written(&subscriber, json!([{ "description": "x", "unitPrice": "799" }]))
        .await;
    assert_eq!(invoice["total"]["amount"], "799.00");
    assert_eq!(invoice["taxes"], json!([]));
    let notes = invoice["lines"][0]["explanation"]["line"]["treatment"]["notes"].to_string();
    assert!(notes.contains("no tax registration"), "{notes}");
    app.run_jobs().await;
}
