use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{path, pdf, text};
use crate::harness::{Ask, TestApp};

const SELECTION: &str = "invoiceTemplate { source isDefault version }";
const QUERY: &str = "{ invoiceTemplate { source isDefault version updatedAt } }";
const OWN: &str = "#import \"trunkline.typ\": *\n#let data = json(\"data.json\")\nOur own look for #data.buyer.name: #grouped(data.totals.total)";

async fn update(ask: &Ask<'_>, version: i32, source: &str) -> crate::harness::Answer {
    let input = json!({ "expectedVersion": version, "source": source });
    ask.mutate("invoiceTemplateUpdate", input, SELECTION).await
}

fn message(answer: &crate::harness::Answer) -> String {
    let payload = answer.body["data"].as_object().unwrap().values().next().unwrap();
    payload["userErrors"][0]["message"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_isp_gives_its_invoices_a_look_and_takes_it_back() {
    let app = TestApp::new().await;
    let (owner, other) = (app.on("asha").as_owner(), app.on("chandra").as_owner());
    let first = owner.first_subscriber("first").await;
    let theirs = other.first_subscriber("theirs").await;
    let before = owner.gql(QUERY, json!({})).await;
    assert_eq!(before.at("invoiceTemplate.isDefault"), json!(true));
    assert_eq!(before.at("invoiceTemplate.version"), json!(0));
    assert!(before.text_at("invoiceTemplate.source").contains("rule 46"));

    let done = update(&owner, 0, OWN).await.done();
    assert_eq!(
        done["invoiceTemplate"],
        json!({ "source": OWN, "isDefault": false, "version": 1 })
    );
    assert_eq!(text(&pdf(&owner, &first.invoice).await), "Our own look for first: 1,000.00");
    assert!(
        text(&pdf(&other, &theirs.invoice).await).contains("Authorised signatory"),
        "another ISP's stays"
    );
    assert_eq!(other.gql(QUERY, json!({})).await.at("invoiceTemplate.version"), json!(0));

    assert_eq!(update(&owner, 0, OWN).await.refusals(), ["STALE_VERSION expectedVersion"]);
    let reset = |version: i32| owner.mutate("invoiceTemplateReset", json!({ "expectedVersion": version }), SELECTION);
    assert_eq!(reset(0).await.refusals(), ["STALE_VERSION expectedVersion"]);
    let done = reset(1).await.done();
    assert_eq!(done["invoiceTemplate"]["isDefault"], json!(true));
    assert_eq!(done["invoiceTemplate"]["version"], json!(2));
    assert!(text(&pdf(&owner, &first.invoice).await).contains("Authorised signatory"));
    app.run_jobs().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_that_is_wrong_is_refused_with_its_line_and_changes_nothing() {
    let app = TestApp::new().await;
    let owner = app.on("asha").as_owner();
    for (source, refusal, told) in [
        (" ", "REQUIRED source", ""),
        ("x\0y", "INVALID source", "U+0000"),
        ("#let a = 1\n#a.nothing()", "INVALID source", "Line 2, column "),
        (
            "#let data = json(\"data.json\")\n\n#data.nobody",
            "INVALID source",
            "Line 3, column ",
        ),
        (
            "#import \"trunkline.typ\": *\n#grouped(5)",
            "INVALID source",
            "Line 2, column ",
        ),
        (
            "#import \"@preview/tablex:0.0.9\": *",
            "INVALID source",
            "packages are not available here",
        ),
        // Good for the sample, and wrong for an invoice that lacks what this one takes for granted.
        (
            "#let data = json(\"data.json\")\n#data.placeOfSupply.region",
            "INVALID source",
            "on an invoice without addresses",
        ),
    ] {
        let answer = update(&owner, 0, source).await;
        assert_eq!(answer.refusals(), [refusal], "{source}");
        assert!(message(&answer).contains(told), "{source}: {}", message(&answer));
    }
    let long = "x".repeat(128 * 1024 + 1);
    assert_eq!(update(&owner, 0, &long).await.refusals(), ["INVALID source"]);
    let after = owner.gql(QUERY, json!({})).await;
    assert_eq!(after.at("invoiceTemplate.version"), json!(0));
    assert_eq!(after.at("invoiceTemplate.isDefault"), json!(true));
    app.run_jobs().await;
}

/// It passed its trial and fails on this invoice all the same: the payer gets the starter pack's.
#[tokio::test(flavor = "multi_thread")]
async fn a_template_that_fails_later_keeps_nobody_from_the_invoice() {
    let app = TestApp::new().await;
    let owner = app.on("asha").as_owner();
    let first = owner.first_subscriber("first").await;
    let trap = "#let data = json(\"data.json\")\n#if data.buyer.name == \"first\" { panic(\"trap\") }\nFine.";
    update(&owner, 0, trap).await.done();
    let answer = owner.get(&path(&owner, &first.invoice).await, &[]).await;
    assert!(text(&answer.bytes).contains("Authorised signatory"));
    app.run_jobs().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_is_looked_at_before_it_is_stored() {
    let app = TestApp::new().await;
    let owner = app.on("asha").as_owner();
    let first = owner.first_subscriber("first").await;
    let preview = async |input: Value| owner.mutate("invoiceTemplatePreview", input, "preview { pdf }").await;
    let shown = |payload: Value| text(&STANDARD.decode(payload["preview"]["pdf"].as_str().unwrap()).unwrap());
    assert!(shown(preview(json!({})).await.done()).contains("SAMPLE/000001"));
    let own = preview(json!({ "source": OWN, "invoiceId": first.invoice })).await.done();
    assert_eq!(shown(own), "Our own look for first: 1,000.00");
    let theirs = app.on("chandra").as_owner().first_subscriber("theirs").await;
    assert_eq!(
        preview(json!({ "invoiceId": theirs.invoice })).await.refusals(),
        ["NOT_FOUND invoiceId"]
    );
    assert_eq!(preview(json!({ "source": "#oops" })).await.refusals(), ["INVALID source"]);
    assert_eq!(
        owner.gql(QUERY, json!({})).await.at("invoiceTemplate.version"),
        json!(0),
        "nothing was stored"
    );

    for (name, input) in [
        ("invoiceTemplatePreview", json!({})),
        ("invoiceTemplateUpdate", json!({ "expectedVersion": 0, "source": "x" })),
        ("invoiceTemplateReset", json!({ "expectedVersion": 0 })),
    ] {
        let clerk = app.on("asha").as_login("billing@asha.example");
        assert_eq!(
            clerk.mutate(name, input.clone(), "__typename").await.code().as_deref(),
            Some("FORBIDDEN"),
            "{name}"
        );
        let nobody = app.on("asha").mutate(name, input, "__typename").await;
        assert_eq!(nobody.code().as_deref(), Some("UNAUTHENTICATED"), "{name}");
    }
    app.run_jobs().await;
}
