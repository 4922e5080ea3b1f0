//! Invoices by hand that wait to be issued.

use futures::future::join_all;
use serde_json::{Value, json};

use crate::harness::{Answer, Ask, TestApp, id, key};

const DRAFT: &str = "invoiceDraft { id version dueOn subscriber { id }
    lines { description quantity unitPrice discountPercent taxCode } }";

fn lines(price: &str) -> Value {
    json!([{ "description": "Cable", "quantity": "3", "unitPrice": price, "discountPercent": "10" }])
}

async fn written(owner: &Ask<'_>, subscriber: &str, price: &str) -> Value {
    let input = json!({ "subscriberId": subscriber, "lines": lines(price), "idempotencyKey": key() });
    owner.mutate("invoiceDraftCreate", input, DRAFT).await.done()["invoiceDraft"].clone()
}

async fn issue(owner: &Ask<'_>, draft: &Value, version: i32) -> Answer {
    let input = json!({ "id": draft["id"], "expectedVersion": version, "idempotencyKey": key() });
    owner
        .mutate("invoiceDraftIssue", input, "invoice { id number total { amount } dueOn }")
        .await
}

async fn known(owner: &Ask<'_>) -> Value {
    let all = owner.gql("{ invoiceDrafts(first: 10) { totalCount } }", json!({})).await;
    all.at("invoiceDrafts.totalCount")
}

/// What it would come to, and why not.
async fn preview(owner: &Ask<'_>, draft: &Value) -> Value {
    let query = "query($id: ID!) { invoiceDraftPreview(id: $id) { document { total { amount } } refusals { code field } } }";
    owner.gql(query, json!({ "id": draft["id"] })).await.at("invoiceDraftPreview")
}

#[tokio::test]
async fn a_draft_is_owed_by_nobody_until_it_is_issued_once() {
    let app = TestApp::new().await;
    let owner = app.on("asha").as_owner();
    owner.register_for_gst().await;
    let (subscriber, account) = owner.subscriber("Meera", json!({})).await;
    let input = json!({ "subscriberId": subscriber, "lines": lines("100.00"), "idempotencyKey": key() });
    let draft = owner.mutate("invoiceDraftCreate", input.clone(), DRAFT).await.done()["invoiceDraft"].clone();
    // 270.00 and 18 percent.
    let expected = json!({ "document": { "total": { "amount": "318.60" } }, "refusals": [] });
    assert_eq!(preview(&owner, &draft).await, expected);
    let expected = json!({ "id": draft["id"], "version": 1, "dueOn": null, "subscriber": { "id": subscriber },
        "lines": [{ "description": "Cable", "quantity": "3", "unitPrice": "100.00", "discountPercent": "10", "taxCode": null }] });
    assert_eq!(draft, expected);
    let again = owner.mutate("invoiceDraftCreate", input.clone(), DRAFT).await.done();
    assert_eq!(again["invoiceDraft"], draft, "the same key, the same draft");
    assert_eq!(owner.balance_of(&subscriber).await, "0.00");
    assert_eq!(owner.invoices_of(&subscriber).await, Vec::<String>::new());
    owner.portal_password(&subscriber).await;
    let own = app.on("asha").as_subscriber(&account);
    let seen = own.gql("{ invoiceDrafts(first: 1) { totalCount } }", json!({})).await;
    assert_eq!(seen.code().as_deref(), Some("FORBIDDEN"), "{}", seen.text);

    let change = json!({ "id": draft["id"], "expectedVersion": 1, "lines": lines("200.00"), "dueOn": "2026-04-30" });
    let changed = owner.mutate("invoiceDraftUpdate", change.clone(), DRAFT).await.done()["invoiceDraft"].clone();
    assert_eq!(preview(&owner, &changed).await["document"]["total"]["amount"], "637.20");
    let stale = owner.mutate("invoiceDraftUpdate", change, DRAFT).await;
    assert_eq!(stale.refusals(), ["STALE_VERSION expectedVersion"]);
    assert_eq!(issue(&owner, &draft, 1).await.refusals(), ["STALE_VERSION expectedVersion"]);
    let input = json!({ "id": draft["id"], "expectedVersion": 2, "idempotencyKey": key() });
    let selection = "invoice { id number total { amount } dueOn }";
    let issued = owner.mutate("invoiceDraftIssue", input.clone(), selection).await.done()["invoice"].clone();
    assert_eq!(
        (&issued["number"], &issued["total"]["amount"], &issued["dueOn"]),
        (&json!("IN/26-27/000001"), &json!("637.20"), &json!("2026-04-30"))
    );
    let again = owner.mutate("invoiceDraftIssue", input, selection).await.done();
    assert_eq!(again["invoice"], issued);
    assert_eq!(issue(&owner, &draft, 2).await.refusals(), ["NOT_FOUND id"]);
    assert_eq!(owner.balance_of(&subscriber).await, "637.20");
    assert_eq!(known(&owner).await, 0);
    app.run_jobs().await;
}

#[tokio::test]
async fn bad_drafts_are_refused_and_what_has_become_bad_is_not_issued() {
    let app = TestApp::new().await;
    let owner = app.on("asha").as_owner();
    let (subscriber, _) = owner.subscriber("Meera", json!({})).await;
    for (change, refusal) in [
        (json!({ "lines": [] }), "REQUIRED lines"),
        (
            json!({ "lines": [{ "description": "Cable", "quantity": "0", "unitPrice": "1" }] }),
            "INVALID lines.0.quantity",
        ),
        (
            json!({ "lines": [{ "description": "Cable", "unitPrice": "-1" }] }),
            "INVALID lines.0.unitPrice",
        ),
        (json!({ "dueOn": "2026-03-31" }), "INVALID dueOn"),
        (
            json!({ "subscriberId": "subscriber_01939f00000070008000000000000000" }),
            "NOT_FOUND subscriberId",
        ),
    ] {
        let mut input = json!({ "subscriberId": subscriber, "lines": lines("1.00"), "idempotencyKey": key() });
        input.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let refused = owner.mutate("invoiceDraftCreate", input, "invoiceDraft { id }").await;
        assert_eq!(refused.refusals(), [refusal], "{change}");
    }
    assert_eq!(known(&owner).await, 0);
    let late = json!({ "subscriberId": subscriber, "lines": lines("1.00"), "dueOn": "2026-04-10", "idempotencyKey": key() });
    let late = owner.mutate("invoiceDraftCreate", late, "invoiceDraft { id }").await.done()["invoiceDraft"].clone();
    let odd = json!([{ "description": "Cable", "unitPrice": "1", "taxCode": "NOPE" }]);
    let odd = json!({ "subscriberId": subscriber, "lines": odd, "idempotencyKey": key() });
    let odd = owner.mutate("invoiceDraftCreate", odd, DRAFT).await.done()["invoiceDraft"].clone();
    let refusals = json!([{ "code": "INVALID", "field": ["lines", "0", "taxCode"] }]);
    assert_eq!(preview(&owner, &odd).await["refusals"], refusals);
    assert_eq!(issue(&owner, &odd, 1).await.refusals(), ["INVALID lines.0.taxCode"]);
    app.set_clock("2026-04-11T06:00:00Z").await;
    assert_eq!(issue(&owner, &late, 1).await.refusals(), ["INVALID dueOn"]);
    let change = json!({ "id": late["id"], "expectedVersion": 1, "lines": lines("2.00") });
    owner.mutate("invoiceDraftUpdate", change, "invoiceDraft { id }").await.done();
    let cleared = json!({ "id": late["id"], "expectedVersion": 2, "dueOn": null });
    owner
        .mutate("invoiceDraftUpdate", cleared, "invoiceDraft { id }")
        .await
        .done();
    issue(&owner, &late, 3).await.done();
    let discard = json!({ "id": odd["id"] });
    owner
        .mutate("invoiceDraftDiscard", discard.clone(), "invoiceDraft { id }")
        .await
        .done();
    let twice = owner.mutate("invoiceDraftDiscard", discard, "invoiceDraft { id }").await;
    assert_eq!(twice.refusals(), ["NOT_FOUND id"]);
    app.run_jobs().await;
}

#[tokio::test]
async fn whoever_issues_it_at_once_it_is_issued_once() {
    let app = TestApp::new().await;
    let owner = app.on("asha").as_owner();
    let (subscriber, _) = owner.subscriber("Meera", json!({})).await;
    let draft = written(&owner, &subscriber, "10.00").await;
    assert_eq!(known(&owner).await, 1);
    let all = join_all((0..8).map(|_| issue(&owner, &draft, 1))).await;
    let issued: Vec<String> = all
        .iter()
        .filter(|answer| answer.refusals().is_empty())
        .map(|answer| id(&answer.at("invoiceDraftIssue.invoice")))
        .collect();
    assert_eq!(issued.len(), 1, "{issued:?}");
    assert_eq!(owner.invoices_of(&subscriber).await.len(), 1);
    app.run_jobs().await;
}
