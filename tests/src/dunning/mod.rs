//! Getting paid, from outside: reminders, promises to pay, the brake, and what a change would cost.

mod brake;
mod estimate;
mod late;
mod promises;
mod reminders;

use std::sync::Arc;

use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use trunkline_domain::Actor;
use trunkline_domain::kernel::db::TenantDb;

use crate::harness::{Ask, TestApp, id, key};

impl TestApp {
    pub async fn tenant_db(&self, slug: &str) -> TenantDb {
        let tenant = self.app.directory.by_slug(slug).await.unwrap().expect("an ISP");
        TenantDb::new(self.app.database.clone(), tenant, Arc::new(Actor::System))
    }

    pub async fn in_schema(&self, slug: &str, sql: &str) -> u64 {
        let role = &self.db.tenants.iter().find(|t| t.slug == slug).expect("an ISP").role;
        let mut admin = self.db.admin().await;
        crate::harness::execute(&mut admin, format!("SET search_path = \"{role}\"")).await;
        let done = sqlx::query(AssertSqlSafe(sql.to_owned())).execute(&mut admin).await.unwrap();
        done.rows_affected()
    }

    pub async fn at_noon(&self, day: &str) {
        self.set_clock(&format!("{day}T06:30:00Z")).await;
        self.run_jobs().await;
    }
}

impl Ask<'_> {
    /// A postpaid service at 1000.00 a month: due 15 days later, off after three days of grace, on the 19th.
    pub async fn debtor(&self, plan: &str, name: &str) -> (String, String) {
        let (subscriber, _) = self.subscriber(name, json!({})).await;
        let (service, _) = self.service(&subscriber, plan, name, json!({})).await;
        (subscriber, id(&service))
    }

    pub async fn postpaid(&self) -> String {
        self.plan("postpaid", json!({ "paymentMode": "POSTPAID" })).await
    }

    pub async fn promise(&self, subscriber: &str, until: &str) -> crate::harness::Answer {
        let input = json!({ "subscriberId": subscriber, "until": until, "idempotencyKey": key() });
        self.mutate(
            "promiseToPayCreate",
            input,
            "promise { id status until amount { amount } bySubscriber }",
        )
        .await
    }

    pub async fn duns(&self, mut change: Value) {
        let version = self
            .gql("{ dunningSettings { version } }", json!({}))
            .await
            .at("dunningSettings.version");
        change["expectedVersion"] = version;
        self.mutate("dunningSettingsUpdate", change, "settings { version }")
            .await
            .done();
    }
}
