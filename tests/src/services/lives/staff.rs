//! What staff do to prices and money while a service lives, and its pauses.

use chrono::Days;
use rand::rngs::StdRng;
use rand::{Rng, RngExt};
use serde_json::{Value, json};

use super::{Life, one};
use crate::harness::key;

impl Life<'_> {
    /// Staff correct something, if it is a busy life; a refusal is all right, an error is not.
    pub async fn correct(&mut self) -> Option<String> {
        let mut random = self.staff.take()?;
        let (name, input, made) = self.correction(&mut random).await;
        self.staff = Some(random);
        let (name, mut input) = (name?, input);
        if let Some(version) = self.version_for(name, &input).await {
            input["expectedVersion"] = version;
        }
        let refusals = self.isp.mutate(name, input.clone(), made).await.refusals();
        self.app.run_jobs().await;
        Some(format!("{name} {input}: {refusals:?}"))
    }

    /// A pause is asked for or taken back, if it is a life with pauses; a refusal is all right, an error is not.
    pub async fn pause(&mut self) -> Option<String> {
        let mut random = self.pauses.take()?;
        let (name, input) = self.asked_of_pauses(&mut random);
        self.pauses = Some(random);
        let name = name?;
        let refusals = self.isp.mutate(name, input.clone(), "service { id }").await.refusals();
        self.app.run_jobs().await;
        Some(format!("{name} {input}: {refusals:?}"))
    }

    fn asked_of_pauses(&self, random: &mut StdRng) -> (Option<&'static str>, Value) {
        match random.random_range(0..10) {
            0..=3 => {
                let first = self.at.date() + Days::new(random.random_range(0..12));
                let last = random.random_bool(0.7).then(|| first + Days::new(random.random_range(2..25)));
                let first = random.random_bool(0.7).then_some(first);
                let input = json!({ "id": self.service, "startsOn": first, "endsOn": last, "idempotencyKey": key() });
                (Some("servicePause"), input)
            }
            4 | 5 => (Some("serviceUnpause"), json!({ "id": self.service, "idempotencyKey": key() })),
            _ => (None, Value::Null),
        }
    }

    async fn correction(&mut self, random: &mut StdRng) -> (Option<&'static str>, Value, &'static str) {
        let later = |random: &mut StdRng, days: u64| (self.at.date() + Days::new(random.random_range(0..days))).to_string();
        let (name, made) = match random.random_range(0..20) {
            0 | 1 => ("planUpdate", "plan { id }"),
            2 | 3 => ("creditNoteIssue", "creditNote { id }"),
            4 => ("invoiceWriteOff", "invoice { id }"),
            5 => ("paymentReverse", "payment { id }"),
            6 | 7 => ("billingSettingsUpdate", "settings { version }"),
            8 => ("invoiceVoid", "invoice { id }"),
            9 => ("serviceChargeAdd", "charge { id }"),
            10 => ("serviceVersionKeep", "service { id }"),
            11 => ("promiseToPayCreate", "promise { id }"),
            12 | 13 => ("serviceChangePlan", "service { id }"),
            _ => return (None, Value::Null, ""),
        };
        let input = match name {
            "planUpdate" => {
                let plan = self.plans[random.random_range(0..self.plans.len())].clone();
                let existing = one(random, &["KEEP_VERSION", "MOVE_AT_NEXT_PERIOD"]);
                let price = format!("{}.{:02}", random.random_range(1..2000), random.random_range(0..100));
                json!({ "id": plan, "price": price, "effectiveFrom": later(random, 30), "existingServices": existing,
                    "taxInclusive": random.random_bool(0.3) })
            }
            "creditNoteIssue" => match self.any(random, "invoice").await {
                None => return (None, Value::Null, ""),
                Some(invoice) => {
                    let mut input = json!({ "invoiceId": invoice, "reason": "Goodwill", "idempotencyKey": key() });
                    if random.random_bool(0.7) {
                        input["amount"] = json!(one(random, &["0.01", "33.33", "250.00"]));
                    }
                    input
                }
            },
            "invoiceWriteOff" | "invoiceVoid" => match self.any(random, "invoice").await {
                None => return (None, Value::Null, ""),
                Some(invoice) => json!({ "invoiceId": invoice, "reason": "x", "idempotencyKey": key() }),
            },
            "paymentReverse" => match self.any(random, "payment").await {
                None => return (None, Value::Null, ""),
                Some(payment) => json!({ "id": payment, "reason": "x", "idempotencyKey": key() }),
            },
            "billingSettingsUpdate" => settings(random),
            "serviceChargeAdd" => json!({
                "serviceId": self.service, "description": "Visit", "quantity": random.random_range(1..4), "unitPrice": "19.99",
                "when": one(random, &["AT_ONCE", "NEXT_INVOICE"]), "idempotencyKey": key(),
            }),
            "serviceChangePlan" => {
                let plan = self.plans[random.random_range(0..self.plans.len())].clone();
                let day = self.at.date() - Days::new(random.random_range(0..15));
                json!({ "id": self.service, "planId": plan, "timing": "NOW", "effectiveOn": day, "idempotencyKey": key() })
            }
            "serviceVersionKeep" => {
                let until = random.random_bool(0.5).then(|| later(random, 90));
                json!({ "id": self.service, "until": until })
            }
            _ => json!({ "subscriberId": self.subscriber, "until": later(random, 10), "idempotencyKey": key() }),
        };
        (Some(name), input, made)
    }

    async fn version_for(&mut self, name: &str, input: &Value) -> Option<Value> {
        let (query, path) = match name {
            "planUpdate" => ("query($id: ID!) { plan(id: $id) { version } }", "plan.version"),
            "billingSettingsUpdate" => ("{ billingSettings { version } }", "billingSettings.version"),
            _ => return None,
        };
        let variables = match &input["id"] {
            Value::Null => json!({}),
            id => json!({ "id": id }),
        };
        Some(self.isp.gql(query, variables).await.at(path))
    }

    /// The id of one of the table's rows.
    async fn any(&self, random: &mut impl Rng, of: &str) -> Option<Value> {
        let list = format!("{{ {of}s(first: 100) {{ nodes {{ id }} }} }}");
        let all = self.isp.gql(&list, json!({})).await.at(&format!("{of}s.nodes"));
        let all = all.as_array().unwrap();
        (!all.is_empty()).then(|| all[random.random_range(0..all.len())]["id"].clone())
    }
}

/// One of the rules that may change while a service lives.
fn settings(random: &mut StdRng) -> Value {
    match random.random_range(0..9) {
        0 => json!({ "suspensionCredit": one(random, &["NONE", "CREDIT_DAYS", "SHIFT_PERIOD"]) }),
        1 => json!({ "terminationCredit": one(random, &["NONE", "UNUSED_DAYS"]) }),
        2 => json!({ "planChangeDocument": one(random, &["CREDIT_NOTE_AND_INVOICE", "DIFFERENCE"]) }),
        3 => json!({ "anchor": one(random, &["ANNIVERSARY", "CALENDAR"]), "calendarDay": random.random_range(1..=28) }),
        4 => json!({ "renewalLeadDays": random.random_range(0..30) }),
        5 => json!({ "prepaidRenewal": one(random, &["INVOICE", "WHEN_COVERED"]) }),
        6 => json!({ "lateFee": "49.00" }),
        7 => json!({ "terminateAfterDays": random.random_range(20..60) }),
        _ => json!({ "graceDays": random.random_range(0..6) }),
    }
}
