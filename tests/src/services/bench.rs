//! What the tests of services have in common.

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Row};

use crate::harness::{Ask, TestApp, key};

/// Everything about a service that time and money change.
const STATE: &str =
    "{ id status suspension { cause reason } startedOn periodStartsAt periodEndsAt paidUntil nextBillingDate version }";

impl TestApp {
    /// Changes billing settings of an ISP, such as `anchor = 'CALENDAR'`.
    pub async fn settings(&self, slug: &str, assignments: &str) {
        let tenant = self.db.tenants.iter().find(|t| t.slug == slug).expect("an ISP");
        let sql = format!("UPDATE \"{}\".billing_settings SET {assignments}", tenant.role);
        let done = sqlx::query(AssertSqlSafe(sql))
            .execute(&mut self.db.admin().await)
            .await
            .unwrap();
        assert_eq!(done.rows_affected(), 1);
    }

    /// What RADIUS was told of a user name: `status until`, the time in UTC, `-` without an end.
    pub async fn account(&self, slug: &str, username: &str) -> String {
        let tenant = self.db.tenants.iter().find(|t| t.slug == slug).expect("an ISP");
        let row = sqlx::query(
            "SELECT status || ' ' || coalesce(to_char(expires_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI'), '-'), password
             FROM radius.account WHERE tenant_id = $1 AND username = $2",
        )
        .bind(tenant.number)
        .bind(username)
        .fetch_one(&mut self.db.admin().await)
        .await
        .unwrap();
        let password: Option<String> = row.get(1);
        assert!(password.is_some(), "{username} has no password");
        row.get(0)
    }

    pub async fn password_of(&self, username: &str) -> String {
        sqlx::query_scalar("SELECT password FROM radius.account WHERE username = $1")
            .bind(username)
            .fetch_one(&mut self.db.admin().await)
            .await
            .unwrap()
    }
}

impl Ask<'_> {
    /// Changes how the ISP bills.
    pub async fn bills(&self, mut change: Value) {
        let version = self
            .gql("{ billingSettings { version } }", json!({}))
            .await
            .at("billingSettings.version");
        change["expectedVersion"] = version;
        self.mutate("billingSettingsUpdate", change, "settings { version }")
            .await
            .done();
    }

    pub async fn state(&self, service: &str) -> Value {
        let query = format!("query($id: ID!) {{ service(id: $id) {STATE} }}");
        self.gql(&query, json!({ "id": service })).await.at("service")
    }

    /// `STATUS`, or `STATUS CAUSE` of a suspended one.
    pub async fn status(&self, service: &str) -> String {
        let state = self.state(service).await;
        let status = state["status"].as_str().unwrap();
        match state["suspension"]["cause"].as_str() {
            Some(cause) => format!("{status} {cause}"),
            None => status.to_owned(),
        }
    }

    /// The invoices of a subscriber, oldest first: `status total: period …` for each.
    pub async fn invoices_of(&self, subscriber: &str) -> Vec<String> {
        let query = "query($id: ID!) { subscriber(id: $id) { invoices(first: 50) { nodes {
            status total { amount } lines { periodStartsAt periodEndsAt } } } } }";
        let answer = self
            .gql(query, json!({ "id": subscriber }))
            .await
            .at("subscriber.invoices.nodes");
        let text = |v: &Value| v.as_str().unwrap_or("-").to_owned();
        let invoices = answer.as_array().unwrap().iter().map(|i| {
            let line = &i["lines"][0];
            format!(
                "{} {}: {} {}",
                text(&i["status"]),
                text(&i["total"]["amount"]),
                text(&line["periodStartsAt"]),
                text(&line["periodEndsAt"])
            )
        });
        invoices.rev().collect()
    }

    pub async fn suspend(&self, service: &str) -> Value {
        let input = json!({ "id": service, "reason": "Moved house", "idempotencyKey": key() });
        self.mutate("serviceSuspend", input, "service { status }").await.done()["service"].clone()
    }

    /// Takes the registration of Karnataka, from which on GST is charged.
    pub async fn register_for_gst(&self) {
        let input = json!({ "country": "IN", "region": "KA", "taxId": "29AABCR1718E1ZL" });
        self.mutate("taxRegistrationAdd", input, "registration { id }").await.done();
    }
}

/// `2026-04-01` as its first instant in Kolkata.
pub fn kolkata(day: &str) -> String {
    let day: chrono::NaiveDate = day.parse().unwrap();
    let start = day.and_hms_opt(0, 0, 0).unwrap() - chrono::TimeDelta::minutes(330);
    start.and_utc().to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)
}
