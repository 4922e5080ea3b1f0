//! The schema over a test's server, asked as actors with any set of permissions, on any host.

use async_graphql::{Request, Variables};
use serde_json::{Value, json};
use trunkline_api::graphql::ctx::{Host, RequestCtx};
use trunkline_domain::kernel::db::Tenant;
use trunkline_domain::kernel::ids::{StaffId, SubscriberId};
use trunkline_domain::kernel::{Actor, Permissions};

use crate::harness::{TestApp, execute};

pub struct Ground {
    pub app: TestApp,
    tenants: Vec<Tenant>,
}

impl Ground {
    pub async fn new() -> Self {
        let app = TestApp::new().await;
        let mut tenants = Vec::new();
        for tenant in &app.db.tenants {
            let found = app.app.directory.by_slug(&tenant.slug).await.unwrap();
            tenants.push(found.expect("an ISP of the template"));
        }
        Self { app, tenants }
    }

    /// Asks the `isp`-th ISP's host.
    pub async fn ask(&self, isp: usize, actor: Actor, query: &str, variables: Value) -> Value {
        self.ask_on(Host::Tenant(self.tenants[isp].clone()), actor, query, variables)
            .await
    }

    pub async fn ask_on(&self, host: Host, actor: Actor, query: &str, variables: Value) -> Value {
        let ctx = RequestCtx::new(&self.app.app, host, actor, "http://test".into());
        let request = Request::new(query).variables(Variables::from_json(variables)).data(ctx);
        serde_json::to_value(self.app.app.schema.execute(request).await).unwrap()
    }

    /// As the first ISP's owner; whatever goes wrong at the top level fails the test.
    pub async fn owner(&self, query: &str, variables: Value) -> Value {
        self.owner_of(0, query, variables).await
    }

    pub async fn owner_of(&self, isp: usize, query: &str, variables: Value) -> Value {
        let mut answer = self.ask(isp, staff(&Permissions::all()), query, variables.clone()).await;
        assert_eq!(answer.get("errors"), None, "{query} {variables}");
        answer["data"].take()
    }

    /// SQL of the test's own in the schema of the `isp`-th ISP.
    pub async fn sql(&self, isp: usize, script: &str) {
        let role = &self.app.db.tenants[isp].role;
        execute(
            &mut self.app.db.admin().await,
            format!("SET search_path = \"{role}\"; {script}"),
        )
        .await;
    }
}

pub fn staff(permissions: &Permissions) -> Actor {
    Actor::Staff {
        id: StaffId::new(),
        name: "Meera".into(),
        permissions: std::sync::Arc::new(permissions.clone()),
    }
}

pub fn owner() -> Actor {
    staff(&Permissions::all())
}

pub fn staff_who_may(names: &[&str]) -> Actor {
    staff(&Permissions::parse(names.iter().copied()))
}

/// Someone signed in to the portal.
pub fn portal(id: &Value) -> Actor {
    let id: SubscriberId = id.as_str().unwrap().parse().unwrap();
    Actor::Subscriber { id, name: "Asha".into() }
}

/// The codes of an answer's top-level errors.
pub fn top(answer: &Value) -> Vec<&str> {
    let errors = answer["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
    errors
        .iter()
        .map(|e| e["extensions"]["code"].as_str().unwrap_or("none"))
        .collect()
}

/// A payload's refusals as `CODE field.path`, in order.
pub fn refusals(payload: &Value) -> Vec<String> {
    let errors = payload["userErrors"].as_array().expect("userErrors is asked for");
    let mut found: Vec<String> = errors
        .iter()
        .map(|e| {
            let path: Vec<&str> = e["field"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .collect();
            assert!(e["message"].as_str().is_some_and(|m| !m.is_empty()));
            format!("{} {}", e["code"].as_str().unwrap(), path.join("."))
        })
        .collect();
    found.sort();
    found
}

/// `base` with some members replaced.
pub fn with(base: &Value, change: Value) -> Value {
    let mut merged = base.clone();
    for (name, value) in change.as_object().unwrap() {
        merged[name] = value.clone();
    }
    merged
}

pub fn input(input: Value) -> Value {
    json!({ "input": input })
}
