use serde_json::json;

use super::isp::{GSTIN_KA, GSTIN_MH, Isp, line, refusals, taxes};

const ADD: &str = "mutation ($input: TaxRegistrationAddInput!) { taxRegistrationAdd(input: $input) {
    registration { id country region taxId } userErrors { field code message } } }";

#[tokio::test]
async fn a_registration_is_checked_by_the_countrys_rules() {
    let isp = Isp::open("in-broadband").await;
    for (input, refusal) in [
        (json!({ "country": "IN", "taxId": "29AABCR1718E1ZX" }), "taxId INVALID"),
        (json!({ "country": "IN", "taxId": "" }), "taxId REQUIRED"),
        (json!({ "country": "IN", "taxId": "x".repeat(5000) }), "taxId INVALID"),
        (
            json!({ "country": "IN", "region": "MH", "taxId": GSTIN_KA }),
            "region INVALID",
        ),
        (
            json!({ "country": "IN", "region": "Karnataka", "taxId": GSTIN_KA }),
            "region INVALID",
        ),
        (json!({ "country": "KE", "taxId": "P051234567Q" }), "country INVALID"),
    ] {
        let payload = isp.ask(ADD, json!({ "input": input })).await["taxRegistrationAdd"].clone();
        assert_eq!(refusals(&payload), [refusal], "{input}");
    }
    let added = isp.register(" 29aabcr1718e1zl ").await;
    assert_eq!(
        added["registration"],
        json!({ "country": "IN", "region": "KA", "taxId": GSTIN_KA })
    );
    assert_eq!(refusals(&isp.register(GSTIN_KA).await), ["taxId TAKEN"]);
    // Another of the same state.
    assert_eq!(refusals(&isp.register("29AAGCB7383J1Z4").await), ["region TAKEN"]);
    let all = isp.ask("{ taxRegistrations { region taxId } }", json!({})).await;
    assert_eq!(all["taxRegistrations"], json!([{ "region": "KA", "taxId": GSTIN_KA }]));
}

/// Each registration numbers its own documents: the template's pattern cannot tell two apart.
#[tokio::test]
async fn a_second_registration_needs_numbers_that_name_it() {
    let isp = Isp::open("in-broadband").await;
    isp.register(GSTIN_KA).await;
    assert_eq!(refusals(&isp.register(GSTIN_MH).await), [" INVALID_STATE"]);

    let named = json!({ "invoiceNumberPattern": "{REG}/{FY}/{SEQ:6}", "creditNoteNumberPattern": "{REG}{FY}/C{SEQ:6}" });
    assert_eq!(refusals(&isp.set(named).await), Vec::<String>::new());
    assert_eq!(refusals(&isp.register(GSTIN_MH).await), Vec::<String>::new());
    let mut seen = Vec::new();
    for region in ["KA", "MH", "TN", "MH"] {
        let subscriber = isp.subscriber(Some(region)).await;
        let invoice = isp.issued(subscriber, json!([line("100")])).await;
        seen.push((invoice["number"].as_str().unwrap().to_owned(), taxes(&invoice).len()));
    }
    let expected = [
        ("KA/26-27/000001", 2),
        ("MH/26-27/000001", 2),
        ("KA/26-27/000002", 1),
        ("MH/26-27/000002", 2),
    ];
    assert_eq!(seen, expected.map(|(number, taxes)| (number.to_owned(), taxes)));
}

#[tokio::test]
async fn kenya_charges_with_and_without_a_pin() {
    let isp = Isp::open("ke-hotspot").await;
    assert_eq!(refusals(&isp.register("B051234567Q").await), ["taxId INVALID"]);
    let added = isp.register("p051234567q").await;
    assert_eq!(
        added["registration"],
        json!({ "country": "KE", "region": null, "taxId": "P051234567Q" })
    );
}
