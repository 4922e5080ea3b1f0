//! Who a document is from and to stays what it was on the day of issue.

use serde_json::{Value, json};

use super::{GSTIN, brand, pdf, register, says, text};
use crate::harness::{Ask, TestApp, execute, id, key};

const OLD: [&str; 5] = [
    "Asha Networks LLP",
    "14 Residency Road",
    "Meera Traders",
    "7 Temple Street",
    "GSTIN 29AAGCB7383J1Z4",
];
const NEW: [&str; 5] = [
    "Asha Networks Limited",
    "2 Brigade Road",
    "Meera Exports",
    "9 Harbour Road",
    "GSTIN 33AAGCB7383J1ZF",
];

async fn path_of(isp: &Ask<'_>, path: &Value) -> String {
    let answer = isp.get(path.as_str().unwrap(), &[]).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    text(&answer.bytes)
}

async fn charge(isp: &Ask<'_>, subscriber: &str) -> String {
    let lines = json!([{ "description": "Leased line", "unitPrice": "400.00" }]);
    let input = json!({ "subscriberId": subscriber, "lines": lines, "idempotencyKey": key() });
    id(&isp.mutate("invoiceIssue", input, "invoice { id }").await.done()["invoice"])
}

async fn credit(isp: &Ask<'_>, invoice: &str) -> Value {
    let input = json!({ "invoiceId": invoice, "amount": "10", "reason": "An outage", "idempotencyKey": key() });
    isp.mutate("creditNoteIssue", input, "creditNote { pdfUrl }").await.done()["creditNote"]["pdfUrl"].take()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_issued_keeps_its_names_and_addresses() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    register(&isp, "IN", Some("KA"), GSTIN).await;
    brand(
        &isp,
        json!({ "legalName": OLD[0], "address": [OLD[1]], "supportPhone": "+918000000001" }),
    )
    .await;
    let home = json!({ "line1": OLD[3], "region": "KA", "country": "IN" });
    let (buyer, _) = isp
        .subscriber(OLD[2], json!({ "taxId": "29AAGCB7383J1Z4", "address": home }))
        .await;
    let invoice = charge(&isp, &buyer).await;
    let note = credit(&isp, &invoice).await;
    let deposit = json!({ "subscriberId": buyer, "amount": "1500", "description": "Router", "idempotencyKey": key() });
    let deposit = isp
        .mutate("depositCharge", deposit, "deposit { invoice { id } }")
        .await
        .done();
    let deposit = id(&deposit["deposit"]["invoice"]);

    brand(
        &isp,
        json!({ "legalName": NEW[0], "address": [NEW[1]], "supportPhone": "+918000000002" }),
    )
    .await;
    let moved = json!({ "id": buyer, "expectedVersion": 1, "name": NEW[2], "taxId": "33AAGCB7383J1ZF",
        "address": { "line1": NEW[3], "region": "TN", "country": "IN" } });
    isp.mutate("subscriberUpdate", moved, "subscriber { id }").await.done();

    let printed = text(&pdf(&isp, &invoice).await);
    says(&printed, &OLD, &NEW);
    // How to reach the ISP is what it is today; and nobody is "for" somebody else by having another name.
    says(&printed, &["+918000000002", "Karnataka (29)"], &["for Meera"]);
    says(&path_of(&isp, &note).await, &OLD, &NEW);
    says(&text(&pdf(&isp, &deposit).await), &OLD, &NEW);
    // What is issued from now on has the new ones, whatever it corrects.
    says(&text(&pdf(&isp, &charge(&isp, &buyer).await).await), &NEW, &OLD);
    says(&path_of(&isp, &credit(&isp, &invoice).await).await, &NEW, &OLD);
    let query = "query($id: ID!) { invoice(id: $id) { lines { id } } }";
    let line = isp.gql(query, json!({ "id": invoice })).await.at("invoice.lines.0.id");
    let more = json!({ "invoiceId": invoice, "lines": [{ "invoiceLineId": line, "amount": "5" }], "reason": "Longer",
        "idempotencyKey": key() });
    let debit = isp.mutate("debitNoteIssue", more, "debitNote { id }").await.done();
    says(&text(&pdf(&isp, &id(&debit["debitNote"])).await), &NEW, &OLD);

    // What was issued before this was kept is printed with what is known today.
    let role = &app.db.tenants.iter().find(|t| t.slug == "asha").unwrap().role;
    let older = format!("UPDATE {role}.invoice SET buyer = NULL, seller_id = NULL");
    execute(&mut app.db.admin().await, older).await;
    says(&text(&pdf(&isp, &invoice).await), &NEW, &OLD);
    let sellers: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {role}.seller")))
        .fetch_one(&mut app.db.admin().await)
        .await
        .unwrap();
    assert_eq!(sellers, 2, "what says the same is kept once");
    app.run_jobs().await;
}

/// The run's invoices, which are written many at a time.
#[tokio::test(flavor = "multi_thread")]
async fn a_runs_invoices_keep_them_too() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.bills(json!({ "dueDays": 60 })).await;
    let plan = isp.plan("home", json!({ "paymentMode": "POSTPAID" })).await;
    for name in ["Ravi", "Tara"] {
        let (subscriber, _) = isp.subscriber(name, json!({})).await;
        isp.service(&subscriber, &plan, &name.to_lowercase(), json!({})).await;
    }
    app.run_jobs().await;
    app.set_clock("2026-05-01T06:00:00Z").await;
    app.run_jobs().await;
    let all = "{ subscribers(first: 9) { nodes { id name version invoices(first: 9) { nodes { id issuedOn } } } } }";
    let all = isp.gql(all, json!({})).await.at("subscribers.nodes");
    for subscriber in all.as_array().unwrap() {
        let renamed = json!({ "id": subscriber["id"], "expectedVersion": subscriber["version"], "name": "Somebody" });
        isp.mutate("subscriberUpdate", renamed, "subscriber { id }").await.done();
        let invoices = subscriber["invoices"]["nodes"].as_array().unwrap();
        let run = invoices.iter().find(|i| i["issuedOn"] == "2026-05-01").expect("the run's");
        let printed = text(&pdf(&isp, &id(run)).await);
        says(&printed, &[subscriber["name"].as_str().unwrap()], &["Somebody"]);
    }
}

/// Also those for whom lines of another's invoice are.
#[tokio::test(flavor = "multi_thread")]
async fn lines_for_others_keep_their_names() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.bills(json!({ "dueDays": 60 })).await;
    let plan = isp.plan("flat", json!({ "paymentMode": "POSTPAID" })).await;
    let (landlord, _) = isp.subscriber("Landlord", json!({})).await;
    let mut flats = Vec::new();
    for name in ["Asha Rao", "Meera Iyer"] {
        let (flat, _) = isp.subscriber(name, json!({ "billToId": landlord })).await;
        isp.service(&flat, &plan, &name[..4].to_lowercase(), json!({})).await;
        flats.push(flat);
    }
    app.run_jobs().await;
    app.set_clock("2026-05-01T06:00:00Z").await;
    app.run_jobs().await;
    let query = "query($id: ID!) { subscriber(id: $id) { invoices(first: 9) { nodes { id issuedOn } } } }";
    let all = isp
        .gql(query, json!({ "id": landlord }))
        .await
        .at("subscriber.invoices.nodes");
    let run = all
        .as_array()
        .unwrap()
        .iter()
        .find(|i| i["issuedOn"] == "2026-05-01")
        .expect("the run's");
    let note = credit(&isp, &id(run)).await;
    for flat in &flats {
        let renamed = json!({ "id": flat, "expectedVersion": 1, "name": "Somebody" });
        isp.mutate("subscriberUpdate", renamed, "subscriber { id }").await.done();
    }
    let names = ["for Asha Rao", "for Meera Iyer"];
    says(&text(&pdf(&isp, &id(run)).await), &names, &["Somebody"]);
    says(&path_of(&isp, &note).await, &[], &["Somebody"]);
    app.run_jobs().await;
}
