use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use trunkline_domain::billing::pdf::{Sheet, Typesetter};

use super::{GSTIN, brand, pages, pdf, poppler, register, renderers, text};
use crate::harness::{Ask, TestApp, id, key};

/// An ISP in Karnataka that is registered and shows itself.
async fn indian(app: &TestApp) -> Ask<'_> {
    let owner = app.on("asha").as_owner();
    register(&owner, "IN", Some("KA"), GSTIN).await;
    let look = json!({ "displayName": "Asha Net", "legalName": "Asha Networks Private Limited", "primaryColor": "#0b7a75",
        "address": ["14 Residency Road", "Bengaluru 560025", "Karnataka"], "supportEmail": "care@asha.example",
        "upiId": "asha.net@okaxis" });
    brand(&owner, look).await;
    owner
}

async fn issue(owner: &Ask<'_>, subscriber: &str, lines: Value) -> (String, String) {
    let input = json!({ "subscriberId": subscriber, "lines": lines, "dueOn": "2026-04-16", "idempotencyKey": key() });
    let invoice = owner.mutate("invoiceIssue", input, "invoice { id number }").await.done()["invoice"].take();
    (id(&invoice), invoice["number"].as_str().unwrap().to_owned())
}

#[track_caller]
fn holds(text: &str, items: &[&str]) {
    for item in items {
        assert!(text.contains(item), "{item:?} is missing in:\n{text}");
    }
}

/// CGST Rules, 2017, rule 46: each clause's particulars stand in the text.
/// What is looked at before it is issued looks like it, has no number and says so.
#[tokio::test(flavor = "multi_thread")]
async fn a_draft_can_be_looked_at() {
    let app = TestApp::new().await;
    let owner = indian(&app).await;
    let (subscriber, _) = owner.subscriber("Meera Traders LLP", json!({})).await;
    let query = "query($input: InvoiceIssuePreviewInput!) { invoiceIssuePreview(input: $input) { pdf refusals { code } } }";
    let input = json!({ "subscriberId": subscriber, "lines": [{ "description": "Leased line", "unitPrice": "1000.00" }] });
    let seen = owner
        .gql(query, json!({ "input": input }))
        .await
        .text_at("invoiceIssuePreview.pdf");
    let printed = text(&STANDARD.decode(seen).unwrap());
    holds(
        &printed,
        &[
            "Tax Invoice draft",
            "Meera Traders LLP",
            "Leased line",
            "CGST",
            "Total ₹ 1,180.00",
        ],
    );
    assert!(!printed.contains("IN/26-27") && !printed.contains("Amount due"), "{printed}");
    let bad = json!({ "subscriberId": subscriber, "lines": [] });
    let refused = owner.gql(query, json!({ "input": bad })).await.at("invoiceIssuePreview");
    assert_eq!(refused, json!({ "pdf": null, "refusals": [{ "code": "REQUIRED" }] }));
    app.run_jobs().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_indian_invoice_says_all_that_rule_46_asks_for() {
    let app = TestApp::new().await;
    let owner = indian(&app).await;
    let (subscriber, account) = owner
        .subscriber(
            "Meera Traders LLP",
            json!({ "taxId": "29AAGCB7383J1Z4",
                "address": { "line1": "7 Temple Street", "city": "Mysuru", "postalCode": "570001", "region": "KA", "country": "IN" } }),
        )
        .await;
    let lines = json!([{ "description": "Leased line, April", "quantity": "3", "unitPrice": "40000.00" }]);
    let (invoice, number) = issue(&owner, &subscriber, lines).await;
    let printed = text(&pdf(&owner, &invoice).await);
    holds(
        &printed,
        &[
            // (a) supplier
            "Tax Invoice",
            "Asha Networks Private Limited",
            "14 Residency Road",
            "Bengaluru 560025",
            "GSTIN 29AABCR1718E1ZL",
            // (b), (c) number and date
            &number,
            "1 April 2026",
            "16 April 2026",
            // (d) recipient
            "Meera Traders LLP",
            "7 Temple Street",
            "Mysuru 570001",
            "GSTIN 29AAGCB7383J1Z4",
            &account,
            // (g), (h), (i), (j), (k): code, description, quantity, value
            "HSN/SAC",
            "998422",
            "Leased line, April",
            "Qty",
            " 3 ",
            "40,000.00",
            "Taxable value",
            "1,20,000.00",
            // (l), (m) rate and amount of each tax
            "CGST 9% on 1,20,000.00",
            "SGST 9% on 1,20,000.00",
            "10,800.00",
            // (n) place of supply, with the name of the State
            "PLACE OF SUPPLY",
            "Karnataka (29)",
            // (p), (q)
            "Reverse charge No",
            "Authorised signatory",
            // what people expect besides
            "₹ 1,41,600.00",
            "One Lakh Forty-One Thousand Six Hundred Rupees Only",
            "Amount due",
            "asha.net@okaxis",
            "Page 1 of 1",
        ],
    );
    app.run_jobs().await;
}

/// Rule 46, (e) and (o): where it is supplied, if that is not where the recipient is.
#[tokio::test(flavor = "multi_thread")]
async fn an_invoice_names_the_address_of_delivery_if_it_is_another() {
    let app = TestApp::new().await;
    let owner = indian(&app).await;
    let plan = owner.plan("home", json!({})).await;
    let home = json!({ "address": { "line1": "7 Temple Street", "city": "Mysuru", "region": "KA", "country": "IN" } });
    let (subscriber, _) = owner.subscriber("Meera", home).await;
    let site = json!({ "line1": "3 Mount Road", "city": "Chennai", "postalCode": "600002", "region": "TN", "country": "IN" });
    let at = json!({ "installationAddress": site });
    let (_, away) = owner.service(&subscriber, &plan, "away", at).await;
    let (_, same) = owner.service(&subscriber, &plan, "same", json!({})).await;
    // It was delivered there, wherever she lives by now.
    let moved = json!({ "id": subscriber, "expectedVersion": 1, "address": site });
    owner.mutate("subscriberUpdate", moved, "subscriber { id }").await.done();
    let printed = text(&pdf(&owner, &id(&away)).await);
    let delivered = [
        "7 Temple Street",
        "ADDRESS OF DELIVERY",
        "3 Mount Road",
        "Chennai 600002",
        "Tamil Nadu (33)",
    ];
    holds(&printed, &delivered);
    let printed = text(&pdf(&owner, &id(&same)).await);
    assert!(!printed.contains("ADDRESS OF DELIVERY"), "{printed}");
    app.run_jobs().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_supply_to_another_state_bears_igst_and_names_that_state() {
    let app = TestApp::new().await;
    let owner = indian(&app).await;
    let away = json!({ "address": { "line1": "3 Mount Road", "city": "Chennai", "region": "TN", "country": "IN" } });
    let (subscriber, _) = owner.subscriber("Ravi", away).await;
    let (invoice, _) = issue(
        &owner,
        &subscriber,
        json!([{ "description": "Access", "unitPrice": "100.00" }]),
    )
    .await;
    let printed = text(&pdf(&owner, &invoice).await);
    holds(
        &printed,
        &["IGST 18% on 100.00", "Tamil Nadu (33)", "One Hundred Eighteen Rupees Only"],
    );
    assert!(!printed.contains("CGST"), "{printed}");
    app.run_jobs().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_registered_makes_no_tax_invoice() {
    let app = TestApp::new().await;
    let owner = app.on("chandra").as_owner();
    let first = owner.first_subscriber("unregistered").await;
    let printed = text(&pdf(&owner, &first.invoice).await);
    holds(
        &printed,
        &[
            "Invoice",
            "Not registered under GST",
            "the seller has no tax registration",
            "₹ 1,000.00",
        ],
    );
    assert!(
        !printed.contains("Tax Invoice") && !printed.contains("Pay by UPI"),
        "{printed}"
    );
    app.run_jobs().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kenyan_invoice_has_pin_excise_vat_and_room_for_the_control_unit() {
    let app = TestApp::new().await;
    let owner = app.on("baraka").as_owner();
    register(&owner, "KE", None, "P051482937Q").await;
    brand(
        &owner,
        json!({ "legalName": "Baraka WiFi Limited", "address": ["Moi Avenue", "Mombasa 80100"] }),
    )
    .await;
    let home = json!({ "taxId": "A012345678Z",
        "address": { "line1": "Nyumba 14, Barabara ya Haile Selassie", "city": "Mombasa", "region": "28", "country": "KE" } });
    let (subscriber, _) = owner.subscriber("Mwanaisha binti Khamisi", home).await;
    let (invoice, number) = issue(
        &owner,
        &subscriber,
        json!([{ "description": "Intaneti ya mwezi", "unitPrice": "1000.00" }]),
    )
    .await;
    let printed = text(&pdf(&owner, &invoice).await);
    holds(
        &printed,
        &[
            "Tax Invoice",
            "Baraka WiFi Limited",
            "PIN P051482937Q",
            &number,
            "Mwanaisha binti Khamisi",
            "PIN A012345678Z",
            "Mombasa",
            "Intaneti ya mwezi",
            "EXCISE 15% on 1,000.00",
            "150.00",
            "VAT 16% on 1,150.00",
            "184.00",
            "KSh 1,334.00",
            "One Thousand Three Hundred Thirty-Four Shillings Only",
            "Control unit serial number",
            "Control unit invoice number",
        ],
    );
    app.run_jobs().await;
}

/// Two hundred lines are as many as a manual invoice takes; three hundred are what a landlord's may have.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_invoice_repeats_its_head_and_counts_its_pages() {
    let app = TestApp::new().await;
    let owner = indian(&app).await;
    let (subscriber, _) = owner.subscriber("Prestige Residents' Welfare Association", json!({})).await;
    let lines: Vec<Value> = (1..=200)
        .map(|n| json!({ "description": format!("Flat {n}, fibre"), "unitPrice": "500.00" }))
        .collect();
    let (invoice, _) = issue(&owner, &subscriber, json!(lines)).await;
    let made = pdf(&owner, &invoice).await;
    let count = pages(&made);
    assert!(count >= 5, "{count} pages");
    let printed = text(&made);
    holds(
        &printed,
        &[
            "Flat 1, fibre",
            "Flat 200, fibre",
            &format!("Page 1 of {count}"),
            &format!("Page {count} of {count}"),
        ],
    );
    let heads = printed.matches("# Description HSN/SAC").count();
    assert!(heads >= count - 1, "{heads} heads on {count} pages");

    let mut data: Value = serde_json::from_str(include_str!("../../../tenant-templates/in-broadband/sample.json")).unwrap();
    let line = data["lines"][0].clone();
    data["lines"] = (0..300).map(|_| line.clone()).collect();
    data["files"] = json!({ "logo": null, "upi": null });
    data["corrects"] = Value::Null;
    data["addsTo"] = Value::Null;
    data["seller"] = json!({ "displayName": "A", "legalName": "A", "address": [], "email": null, "phone": null, "primaryColor": "#000000",
        "accentColor": "#000000", "upiId": null, "country": "IN", "taxId": null, "region": null });
    let longer = Sheet {
        files: vec![
            (
                "invoice.typ",
                include_bytes!("../../../tenant-templates/in-broadband/invoice.typ").to_vec(),
            ),
            (
                "trunkline.typ",
                include_bytes!("../../../tenant-templates/trunkline.typ").to_vec(),
            ),
            ("data.json", data.to_string().into_bytes()),
        ],
    };
    let made = renderers(Default::default()).pdf(1, &longer).await.expect("300 lines");
    assert!(pages(&made) >= 8);
    app.run_jobs().await;
}

/// Letters of every script that our ISPs write are there, and Devanagari is shaped by its own font.
#[tokio::test(flavor = "multi_thread")]
async fn names_in_devanagari_and_long_ones_are_printed_whole() {
    let app = TestApp::new().await;
    let owner = indian(&app).await;
    let name = "Venkatanarasimharajuvaripeta Lakshmi Narasimha Swamy Rao Bahadur";
    let (subscriber, _) = owner.subscriber(name, json!({})).await;
    let lines = json!([{ "description": "राउटर और स्थापना", "unitPrice": "10.00" }, { "description": "क्षत्रिय नगर", "unitPrice": "10.00" }]);
    let (invoice, _) = issue(&owner, &subscriber, lines).await;
    let made = pdf(&owner, &invoice).await;
    let printed = text(&made);
    // It takes two lines, with the other column between them.
    holds(&printed, &name.split(' ').collect::<Vec<_>>());
    holds(&printed, &["राउटर", "नगर"]);
    let fonts = poppler("pdffonts", &["-"], &made);
    assert!(fonts.contains("NotoSansDevanagari"), "{fonts}");
    app.run_jobs().await;
}

/// A scanner reads from the printed page what a UPI application needs.
#[tokio::test(flavor = "multi_thread")]
async fn the_upi_code_can_be_scanned() {
    let app = TestApp::new().await;
    let owner = indian(&app).await;
    let (subscriber, _) = owner.subscriber("Ravi", json!({})).await;
    let lines = json!([{ "description": "Access", "unitPrice": "100.00" }]);
    let (invoice, number) = issue(&owner, &subscriber, lines).await;
    let dir = tempfile::tempdir().unwrap();
    let (file, picture) = (dir.path().join("invoice.pdf"), dir.path().join("page"));
    std::fs::write(&file, pdf(&owner, &invoice).await).unwrap();
    let drawn = Command::new("pdftoppm")
        .args(["-r", "150", "-png", "-singlefile"])
        .args([&file, &picture])
        .status();
    assert!(drawn.expect("pdftoppm (poppler-utils)").success());
    let read = Command::new("zbarimg")
        .args(["--raw", "-q"])
        .arg(picture.with_extension("png"))
        .output();
    let read = String::from_utf8(read.expect("zbarimg (zbar-tools)").stdout).unwrap();
    let number = number.replace('/', "%2F");
    assert_eq!(
        read.trim(),
        format!("upi://pay?pa=asha.net@okaxis&pn=Asha%20Networks%20Private%20Limited&am=118.00&cu=INR&tn={number}")
    );
    app.run_jobs().await;
}
