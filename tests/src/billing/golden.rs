//! The golden cases that a first invoice meets, from the input to the API's answer.

use serde_json::{Value, json};

use super::isp::{GSTIN_KA, Isp, line, taxes};
use crate::harness::root;

fn case(id: &str) -> Value {
    let text = std::fs::read_to_string(root().join("tests/golden/billing-golden.json")).unwrap();
    let all: Value = serde_json::from_str(&text).unwrap();
    let found = all["cases"].as_array().unwrap().iter().find(|c| c["id"] == id);
    found.unwrap_or_else(|| panic!("no case {id}")).clone()
}

fn price(case: &Value, name: &str) -> String {
    case["inputs"][name].as_str().unwrap().to_owned()
}

fn expect_totals(invoice: &Value, document: &Value, net: &str) {
    for (ours, theirs) in [
        ("subtotal", net),
        ("taxTotal", "tax_total"),
        ("rounding", "round_off"),
        ("total", "total"),
        ("amountDue", "total"),
    ] {
        if let Some(expected) = document.get(theirs) {
            assert_eq!(invoice[ours]["amount"], *expected, "{ours}: {invoice:#}");
        }
    }
}

#[tokio::test]
async fn in_01_and_in_02_within_the_state_and_across() {
    let isp = Isp::open("in-broadband").await;
    isp.register(GSTIN_KA).await;
    for (id, region, tax) in [
        ("IN-01", Some("KA"), vec!["CGST 9 799.00 71.91", "SGST 9 799.00 71.91"]),
        ("IN-02", Some("MH"), vec!["IGST 18 799.00 143.82"]),
        // Nobody knows where: the supplier's own place counts.
        ("IN-01", None, vec!["CGST 9 799.00 71.91", "SGST 9 799.00 71.91"]),
    ] {
        let case = case(id);
        let subscriber = isp.subscriber(region).await;
        let invoice = isp.issued(subscriber, json!([line(&price(&case, "plan_price"))])).await;
        expect_totals(&invoice, &case["expected"]["documents"][0], "taxable_total");
        assert_eq!(taxes(&invoice), tax);
        assert_eq!(taxes(&invoice["lines"][0]), tax);
        assert_eq!(invoice["lines"][0]["taxCode"], "998422");
        assert_eq!(invoice["status"], "ISSUED");
    }
}

#[tokio::test]
async fn in_03_ties_go_up() {
    let isp = Isp::open("in-broadband").await;
    isp.register(GSTIN_KA).await;
    let case = case("IN-03");
    for (region, expected) in [("KA", "half_up"), ("MH", "igst_half_up")] {
        let subscriber = isp.subscriber(Some(region)).await;
        let invoice = isp.issued(subscriber, json!([line(&price(&case, "taxable"))])).await;
        expect_totals(&invoice, &case["expected"][expected], "taxable");
    }
}

#[tokio::test]
async fn in_13_lines_are_taxed_one_by_one() {
    let isp = Isp::open("in-broadband").await;
    isp.register(GSTIN_KA).await;
    let case = case("IN-13");
    let document = &case["expected"]["documents"][0];
    let lines: Vec<Value> = (document["lines"].as_array().unwrap().iter())
        .map(|l| json!({ "description": l["description"], "unitPrice": l["taxable"], "taxCode": l["sac"] }))
        .collect();
    let subscriber = isp.subscriber(Some("KA")).await;
    let invoice = isp.issued(subscriber, json!(lines)).await;
    expect_totals(&invoice, document, "taxable_total");
    assert_eq!(taxes(&invoice), ["CGST 9 1049.10 94.42", "SGST 9 1049.10 94.42"]);
}

#[tokio::test]
async fn without_a_registration_there_is_no_gst_and_the_explanation_says_so() {
    let isp = Isp::open("in-broadband").await;
    let subscriber = isp.subscriber(Some("KA")).await;
    let invoice = isp.issued(subscriber, json!([line("799")])).await;
    assert_eq!(invoice["total"]["amount"], "799.00");
    assert_eq!(invoice["taxes"], json!([]));
    let notes = invoice["lines"][0]["explanation"]["line"]["treatment"]["notes"].to_string();
    assert!(notes.contains("no tax registration"), "{notes}");
}

#[tokio::test]
async fn ke_01_and_ke_04_excise_then_vat_and_hardware_vat_only() {
    let isp = Isp::open("ke-hotspot").await;
    let subscriber = isp.subscriber(Some("30")).await;
    let first = case("KE-01");
    let invoice = isp.issued(subscriber, json!([line(&price(&first, "plan_price"))])).await;
    expect_totals(&invoice, &first["expected"]["documents"][0], "net_total");
    assert_eq!(taxes(&invoice), ["EXCISE 15 2500.00 375.00", "VAT 16 2875.00 460.00"]);
    assert_eq!(invoice["subtotal"]["currency"], "KES");

    let fourth = case("KE-04");
    let router = json!({ "description": "Wi-Fi router", "unitPrice": price(&fourth, "router"), "taxCode": "HARDWARE" });
    let invoice = isp
        .issued(subscriber, json!([line(&price(&fourth, "internet")), router]))
        .await;
    expect_totals(&invoice, &fourth["expected"]["documents"][0], "net_total");
    assert_eq!(taxes(&invoice), ["EXCISE 15 2500.00 375.00", "VAT 16 6375.00 1020.00"]);
    assert_eq!(taxes(&invoice["lines"][1]), ["VAT 16 3500.00 560.00"]);
}
