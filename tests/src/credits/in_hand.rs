//! Credit in hand and what is owed beside it.

use serde_json::{Value, json};

use super::{balance, charged, invoice};
use crate::harness::{Answer, Ask, TestApp, id, key};

async fn take_back(owner: &Ask<'_>, invoice: &str, amount: &str) {
    let note = json!({ "invoiceId": invoice, "amount": amount, "reason": "Outage", "idempotencyKey": key() });
    owner.mutate("creditNoteIssue", note, "creditNote { id }").await.done();
}

/// Somebody who owes nothing is not cut off for an invoice that stays open beside credit in hand.
#[tokio::test]
async fn what_a_credit_note_leaves_settles_what_else_is_owed() {
    let app = TestApp::new().await;
    let owner = app.on("asha").as_owner();
    owner
        .bills(json!({ "lateFee": "50.00", "graceDays": 0, "dueDays": 10 }))
        .await;
    let plan = owner.plan("home", json!({ "paymentMode": "POSTPAID" })).await;
    let (subscriber, _) = owner.subscriber("Meera", json!({})).await;
    let paid = charged(&owner, &subscriber, "1000.00").await;
    owner.pay(&subscriber, "1000.00").await;
    let (service, open) = owner.service(&subscriber, &plan, "meera", json!({})).await;
    let open = id(&open);
    app.run_jobs().await;
    take_back(&owner, &paid, "300.00").await;
    app.run_jobs().await;
    assert_eq!(invoice(&owner, &open).await, json!(["PARTIALLY_PAID", "700.00", "0.00"]));
    owner.pay(&subscriber, "700.00").await;
    app.run_jobs().await;
    assert_eq!(invoice(&owner, &open).await, json!(["PAID", "0.00", "0.00"]));
    app.set_clock("2026-04-20T06:30:00Z").await;
    app.run_jobs().await;
    assert_eq!(owner.status(&id(&service)).await, "ACTIVE");
    assert_eq!(balance(&owner, &subscriber).await, "0.00");
    // Of one invoice alone it stays in hand.
    let (alone, _) = owner.subscriber("Ravi", json!({})).await;
    let only = charged(&owner, &alone, "100.00").await;
    owner.pay(&alone, "100.00").await;
    take_back(&owner, &only, "40.00").await;
    app.run_jobs().await;
    assert_eq!(balance(&owner, &alone).await, "-40.00");
}

#[tokio::test]
async fn credit_that_was_brought_along_renews_what_waits_for_it() {
    let app = TestApp::new().await;
    let owner = app.on("asha").as_owner();
    owner.bills(json!({ "prepaidRenewal": "WHEN_COVERED", "graceDays": 0 })).await;
    let plan = owner.plan("home", json!({})).await;
    let (subscriber, _) = owner.subscriber("Meera", json!({})).await;
    let (service, _) = owner.service(&subscriber, &plan, "meera", json!({})).await;
    owner.pay(&subscriber, "1000.00").await;
    app.run_jobs().await;
    app.set_clock("2026-05-03T06:30:00Z").await;
    app.run_jobs().await;
    assert_eq!(owner.status(&id(&service)).await, "SUSPENDED EXPIRED");
    let brought = json!({ "subscriberId": subscriber, "amount": "-1000.00", "asOf": "2026-03-31", "idempotencyKey": key() });
    owner
        .mutate("openingBalanceRecord", brought, "openingBalance { asOf }")
        .await
        .done();
    app.run_jobs().await;
    assert_eq!(owner.status(&id(&service)).await, "ACTIVE");
}

/// A price of one's own is as good as a discount: who may give none takes the catalogue's.
#[tokio::test]
async fn who_may_not_write_invoices_sells_at_the_catalogues_prices() {
    let app = TestApp::new().await;
    let owner = app.on("asha").as_owner();
    let first = owner.first_subscriber("meera").await;
    let addon = json!({ "code": "ip", "name": "Fixed address", "price": "300.00" });
    let addon = owner.mutate("addonCreate", addon, "addon { id }").await.done()["addon"]["id"].clone();
    let once = json!({ "code": "router", "name": "Router", "price": "900.00", "charged": "ONCE" });
    let once = owner.mutate("addonCreate", once, "addon { id }").await.done()["addon"]["id"].clone();
    let support = app.on("asha").as_login("support@asha.example");
    let add = async |ask: &Ask<'_>, more: Value| -> Answer {
        let mut input = json!({ "serviceId": first.service, "addonId": addon, "idempotencyKey": key() });
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        ask.mutate("serviceAddonAdd", input, "serviceAddon { id }").await
    };
    let charge = async |ask: &Ask<'_>, more: Value| -> Answer {
        let mut input = json!({ "serviceId": first.service, "idempotencyKey": key() });
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        ask.mutate("serviceChargeAdd", input, "charge { id }").await
    };
    for more in [
        json!({ "addonId": once, "unitPrice": "0" }),
        json!({ "addonId": once, "taxCode": "8517" }),
        json!({ "description": "Cable", "unitPrice": "5.00" }),
    ] {
        assert_eq!(
            charge(&support, more.clone()).await.code().as_deref(),
            Some("FORBIDDEN"),
            "{more}"
        );
        charge(&owner, more).await.done();
    }
    charge(&support, json!({ "addonId": once })).await.done();
    assert_eq!(
        add(&support, json!({ "unitPrice": "0" })).await.code().as_deref(),
        Some("FORBIDDEN")
    );
    add(&support, json!({})).await.done();
    let order = json!({ "subscriberId": first.subscriber, "planId": first.plan, "username": "two", "password": "network-secret",
        "addons": [{ "addonId": addon, "unitPrice": "0" }], "idempotencyKey": key() });
    let refused = support.mutate("serviceCreate", order, "service { id }").await;
    assert_eq!(refused.code().as_deref(), Some("FORBIDDEN"));
    app.run_jobs().await;
}
