//! What is told to later modules: each mutation by its own name, in the transaction that did it.

use serde_json::{Value, json};
use sqlx::PgConnection;

use crate::harness::{Ask, TestApp, id, key};

/// What was told since it was asked last.
async fn told(admin: &mut PgConnection) -> Vec<String> {
    let sql = "DELETE FROM platform.outbox RETURNING kind, id";
    let mut told: Vec<(String, i64)> = sqlx::query_as(sql).fetch_all(admin).await.unwrap();
    told.sort_by_key(|(_, id)| *id);
    told.into_iter().map(|(kind, _)| kind).collect()
}

struct Teller<'a> {
    isp: Ask<'a>,
    admin: PgConnection,
}

impl Teller<'_> {
    /// Does it, and expects that to be told and nothing else; its payload.
    async fn tells(&mut self, mutation: &str, input: Value, selection: &str, expected: &[&str]) -> Value {
        let done = self.isp.mutate(mutation, input, selection).await.done();
        assert_eq!(told(&mut self.admin).await, expected, "{mutation}");
        done
    }
}

#[tokio::test]
async fn the_catalogue_and_the_settings_tell_what_becomes_of_them() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    let admin = app.db.admin().await;
    let mut teller = Teller { isp, admin };
    let plan = json!({ "code": "a", "name": "A", "paymentMode": "PREPAID", "price": "10.00", "period": { "unit": "MONTH", "count": 1 } });
    let plan = teller.tells("planCreate", plan, "plan { id }", &["PlanCreated"]).await["plan"]["id"].clone();
    let later = json!({ "id": plan, "expectedVersion": 1, "price": "12.00", "effectiveFrom": "2026-05-01" });
    let versions = "plan { versions { id } }";
    let updated = teller.tells("planUpdate", later, versions, &["PlanUpdated"]).await;
    let version = updated["plan"]["versions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v["id"].clone());
    let withdraw = json!({ "id": version.max_by_key(|id| id.to_string()).unwrap() });
    teller
        .tells("planVersionWithdraw", withdraw, "plan { id }", &["PlanVersionWithdrawn"])
        .await;
    teller
        .tells("planRetire", json!({ "id": plan }), "plan { id }", &["PlanRetired"])
        .await;
    teller.tells("planRetire", json!({ "id": plan }), "plan { id }", &[]).await;

    let addon = json!({ "code": "ip", "name": "Fixed address", "price": "5.00" });
    let addon = teller.tells("addonCreate", addon, "addon { id }", &["AddonCreated"]).await["addon"]["id"].clone();
    let change = json!({ "id": addon, "expectedVersion": 1, "price": "6.00" });
    teller.tells("addonUpdate", change, "addon { id }", &["AddonUpdated"]).await;
    teller
        .tells("addonRetire", json!({ "id": addon }), "addon { id }", &["AddonRetired"])
        .await;
    let coupon = json!({ "code": "SPRING", "name": "Spring", "percent": "10" });
    let coupon = teller
        .tells("couponCreate", coupon, "coupon { id }", &["CouponCreated"])
        .await["coupon"]["id"]
        .clone();
    teller
        .tells("couponDisable", json!({ "id": coupon }), "coupon { id }", &["CouponDisabled"])
        .await;
    teller
        .tells("couponDisable", json!({ "id": coupon }), "coupon { id }", &[])
        .await;

    let registration = json!({ "country": "IN", "region": "KA", "taxId": "29AAGCB7383J1Z4" });
    teller
        .tells(
            "taxRegistrationAdd",
            registration,
            "registration { id }",
            &["TaxRegistrationAdded"],
        )
        .await;
    let settings = json!({ "expectedVersion": 1, "brakeShare": "40" });
    teller
        .tells(
            "dunningSettingsUpdate",
            settings,
            "settings { version }",
            &["DunningSettingsUpdated"],
        )
        .await;
    let reset = json!({ "expectedVersion": 0 });
    teller
        .tells(
            "invoiceTemplateReset",
            reset,
            "invoiceTemplate { version }",
            &["InvoiceTemplateUpdated"],
        )
        .await;
    let name = json!({ "name": "Meera", "idempotencyKey": key() });
    let made = teller
        .tells("subscriberCreate", name.clone(), "subscriber { id }", &["SubscriberCreated"])
        .await;
    teller.tells("subscriberCreate", name, "subscriber { id }", &[]).await;
    let change = json!({ "id": made["subscriber"]["id"], "expectedVersion": 1, "name": "Meera Rao" });
    teller
        .tells("subscriberUpdate", change, "subscriber { id }", &["SubscriberUpdated"])
        .await;
    app.run_jobs().await;
}

#[tokio::test]
async fn a_service_tells_what_is_to_come_and_what_is_not_to_come_any_more() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    let first = isp.first_subscriber("meera").await;
    isp.pay(&first.subscriber, &first.total).await;
    let other = isp.plan("other", json!({ "price": "500.00" })).await;
    let (subscriber, _) = isp.subscriber("Ravi", json!({})).await;
    let lines = json!([{ "description": "Cable", "unitPrice": "10.00" }]);
    let owed = json!({ "subscriberId": subscriber, "lines": lines, "idempotencyKey": key() });
    let owed = id(&isp.mutate("invoiceIssue", owed, "invoice { id }").await.done()["invoice"]);
    app.run_jobs().await;
    let admin = app.db.admin().await;
    let mut teller = Teller { isp, admin };
    let (service, selection) = (&first.service, "service { id }");
    let change = || json!({ "id": service, "planId": other, "timing": "NEXT_PERIOD", "idempotencyKey": key() });
    teller
        .tells("serviceChangePlan", change(), selection, &["ServiceChangePlanned"])
        .await;
    let cancel = json!({ "id": service });
    teller
        .tells("serviceChangeCancel", cancel.clone(), selection, &["ServiceChangeCancelled"])
        .await;
    let end = json!({ "id": service, "reason": "Moves", "effectiveOn": "2026-04-20", "idempotencyKey": key() });
    teller.tells("serviceTerminate", end, selection, &["ServiceEndPlanned"]).await;
    teller
        .tells("serviceChangeCancel", cancel, selection, &["ServiceEndCancelled"])
        .await;
    let keep = json!({ "id": service, "until": "2026-12-31" });
    teller
        .tells("serviceVersionKeep", keep, selection, &["ServiceVersionKept"])
        .await;
    let invoice = json!({ "invoiceId": owed, "reason": "Small", "idempotencyKey": key() });
    teller
        .tells("invoiceWriteOff", invoice, "invoice { id }", &["InvoiceWrittenOff"])
        .await;
    let back = json!({ "invoiceId": owed, "reason": "Not so small", "idempotencyKey": key() });
    let expected = ["InvoiceWriteOffReversed", "InvoiceReopened"];
    teller
        .tells("invoiceWriteOffReverse", back, "invoice { id }", &expected)
        .await;
    app.run_jobs().await;
}
