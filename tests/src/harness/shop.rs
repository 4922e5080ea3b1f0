//! The usual first subscriber, for tests whose subject begins after it.

use serde_json::{Value, json};
use uuid::Uuid;

use super::app::Ask;

/// A plan, somebody who bought it, and the first invoice.
#[derive(Clone, Debug)]
pub struct FirstSubscriber {
    pub plan: String,
    pub subscriber: String,
    pub account_number: String,
    pub service: String,
    pub invoice: String,
    /// What the invoice comes to, tax included.
    pub total: String,
}

/// A fresh idempotency key.
pub fn key() -> Value {
    json!(Uuid::now_v7())
}

impl Ask<'_> {
    /// A 50/10 Mbit/s monthly prepaid plan at 1000.00 before tax, or what `changes` say.
    pub async fn plan(&self, code: &str, changes: Value) -> String {
        let mut input = json!({
            "code": code, "name": format!("Plan {code}"), "paymentMode": "PREPAID", "price": "1000.00",
            "period": { "unit": "MONTH", "count": 1 }, "downloadKbps": 50_000, "uploadKbps": 10_000,
        });
        merge(&mut input, changes);
        let answer = self.mutate("planCreate", input, "plan { id }").await;
        id(&answer.done()["plan"])
    }

    /// Somebody in Bengaluru, or what `changes` say; `(id, account number)`.
    pub async fn subscriber(&self, name: &str, changes: Value) -> (String, String) {
        let mut input = json!({
            "name": name, "address": { "line1": "1 MG Road", "city": "Bengaluru", "region": "KA", "country": "IN" },
            "idempotencyKey": key(),
        });
        merge(&mut input, changes);
        let answer = self
            .mutate("subscriberCreate", input, "subscriber { id accountNumber }")
            .await;
        let subscriber = &answer.done()["subscriber"];
        (id(subscriber), subscriber["accountNumber"].as_str().unwrap().to_owned())
    }

    /// A service with its first invoice: `(service, invoice)`, the invoice null where the plan bills in arrears.
    pub async fn service(&self, subscriber: &str, plan: &str, username: &str, changes: Value) -> (Value, Value) {
        let mut input = json!({
            "subscriberId": subscriber, "planId": plan, "username": username, "password": "network-secret", "idempotencyKey": key(),
        });
        merge(&mut input, changes);
        let answer = self
            .mutate(
                "serviceCreate",
                input,
                "service { id status username } invoice { id number total { amount } }",
            )
            .await;
        let payload = answer.done();
        (payload["service"].clone(), payload["invoice"].clone())
    }

    /// Plan, subscriber, service and first invoice. `name` makes them unlike others of the same ISP.
    pub async fn first_subscriber(&self, name: &str) -> FirstSubscriber {
        let plan = self.plan(&format!("plan-{name}"), json!({})).await;
        let (subscriber, account_number) = self.subscriber(name, json!({})).await;
        let (service, invoice) = self.service(&subscriber, &plan, name, json!({})).await;
        FirstSubscriber {
            plan,
            subscriber,
            account_number,
            service: id(&service),
            invoice: id(&invoice),
            total: invoice["total"]["amount"].as_str().unwrap().to_owned(),
        }
    }

    /// A payment in cash; its id.
    pub async fn pay(&self, subscriber: &str, amount: &str) -> String {
        let input = json!({ "subscriberId": subscriber, "amount": amount, "method": "CASH", "idempotencyKey": key() });
        let answer = self.mutate("paymentRecord", input, "payment { id }").await;
        id(&answer.done()["payment"])
    }

    /// The subscriber gets the password of all tests for the portal.
    pub async fn portal_password(&self, subscriber: &str) {
        let input = json!({ "subscriberId": subscriber, "password": super::PASSWORD });
        self.mutate("subscriberPasswordSet", input, "subscriber { id }").await.done();
    }
}

#[track_caller]
pub fn id(object: &Value) -> String {
    object["id"]
        .as_str()
        .unwrap_or_else(|| panic!("no id in {object}"))
        .to_owned()
}

fn merge(into: &mut Value, changes: Value) {
    let (Some(into), Value::Object(changes)) = (into.as_object_mut(), changes) else {
        panic!("changes are an object")
    };
    into.extend(changes);
}
