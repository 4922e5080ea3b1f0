//! An ISP opened by the product's own use case, and its GraphQL API as staff of it see it.

use std::sync::Arc;

use async_graphql::{Request, Variables};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use trunkline_api::app::App;
use trunkline_api::config::Config;
use trunkline_api::graphql::ctx::{Host, RequestCtx};
use trunkline_domain::kernel::Permissions;
use trunkline_domain::kernel::db::{Database, Tenant, TenantDb};
use trunkline_domain::kernel::ids::{StaffId, SubscriberId};
use trunkline_domain::tenants::{Directory, OpenTenant, Owner};
use trunkline_domain::{Actor, Clock, runs};
use uuid::Uuid;

use crate::harness::{TestDb, settings};

pub struct Isp {
    pub db: TestDb,
    pub app: App,
    pub tenant: Tenant,
    pub staff: Actor,
}

pub const GSTIN_KA: &str = "29AABCR1718E1ZL";
pub const GSTIN_MH: &str = "27AAPFU0939F1ZV";

impl Isp {
    /// A new ISP from that template, on 1 April 2026 in the morning, without tax registrations.
    pub async fn open(template: &str) -> Self {
        let db = TestDb::new().await;
        let clock = Clock::system();
        clock.set(instant("2026-04-01T05:00:00Z"));
        let config = Config::from_env([]).unwrap();
        let app = App::open(config, settings(&db), clock).await.unwrap();
        let tenant = open_tenant(&app.database, "billed", template).await;
        let staff = Actor::Staff {
            id: StaffId::new(),
            name: "Owner".into(),
            permissions: Arc::new(Permissions::all()),
        };
        Self { db, app, tenant, staff }
    }

    /// Another ISP of the same installation.
    pub async fn neighbour(&self) -> Tenant {
        open_tenant(&self.app.database, "neighbour", "in-broadband").await
    }

    pub fn on(&self, day: &str) {
        self.app.database.clock().set(instant(&format!("{day}T05:00:00Z")));
    }

    pub fn tx(&self) -> TenantDb {
        TenantDb::new(self.app.database.clone(), self.tenant.clone(), Arc::new(Actor::System))
    }

    /// The whole answer to a document, errors and all.
    pub async fn ask_as(&self, tenant: &Tenant, actor: Actor, document: &str, variables: Value) -> Value {
        let host = Host::Tenant(tenant.clone());
        let ctx = RequestCtx::new(&self.app, host, actor, "http://billed.localhost".into());
        let request = Request::new(document).variables(Variables::from_json(variables)).data(ctx);
        serde_json::to_value(self.app.schema.execute(request).await).unwrap()
    }

    /// As its owner; the answer's data, which must come without errors.
    pub async fn ask(&self, document: &str, variables: Value) -> Value {
        let answer = self.ask_as(&self.tenant, self.staff.clone(), document, variables).await;
        assert!(answer.get("errors").is_none(), "{answer:#}");
        answer["data"].clone()
    }

    pub async fn register(&self, tax_id: &str) -> Value {
        let document = "mutation ($input: TaxRegistrationAddInput!) { taxRegistrationAdd(input: $input) {
            registration { country region taxId } userErrors { field code } } }";
        let input = json!({ "country": self.tenant.country(), "taxId": tax_id });
        self.ask(document, json!({ "input": input })).await["taxRegistrationAdd"].clone()
    }

    /// A subscriber who lives in that region of the ISP's country, or nowhere known.
    pub async fn subscriber(&self, region: Option<&str>) -> SubscriberId {
        self.subscriber_of(region, None).await
    }

    pub async fn subscriber_of(&self, region: Option<&str>, bill_to: Option<SubscriberId>) -> SubscriberId {
        let address = region.map(|region| json!({ "line1": "1 Road", "region": region, "country": self.tenant.country() }));
        let input = json!({ "name": "Asha", "address": address, "billToId": bill_to.map(|id| id.to_string()) });
        let document = "mutation ($input: SubscriberCreateInput!) { subscriberCreate(input: $input) {
            subscriber { id } userErrors { field code message } } }";
        let payload = self.ask(document, json!({ "input": input })).await["subscriberCreate"].clone();
        let id = payload["subscriber"]["id"].as_str().unwrap_or_else(|| panic!("{payload}"));
        id.parse().unwrap()
    }

    /// `invoiceIssue` with a new key.
    pub async fn issue(&self, subscriber: SubscriberId, lines: Value) -> Value {
        let input = json!({ "subscriberId": subscriber.to_string(), "lines": lines, "idempotencyKey": key() });
        self.issue_input(input).await
    }

    pub async fn issue_input(&self, input: Value) -> Value {
        self.ask(ISSUE, json!({ "input": input })).await["invoiceIssue"].clone()
    }

    /// An invoice that must be issued.
    pub async fn issued(&self, subscriber: SubscriberId, lines: Value) -> Value {
        let payload = self.issue(subscriber, lines).await;
        assert_eq!(payload["userErrors"], json!([]), "{payload:#}");
        payload["invoice"].clone()
    }

    pub async fn invoice(&self, id: &str) -> Value {
        let document = concat!(
            "query ($id: ID!) { invoice(id: $id) { ...invoice } } ",
            "fragment invoice on Invoice { id number status overdue issuedOn dueOn subscriber { id }
                subtotal { amount currency } discount { amount } taxTotal { amount } rounding { amount } total { amount }
                amountPaid { amount } amountCredited { amount } amountDue { amount } taxes { name rate base { amount } amount { amount } }
                lines { kind description quantity unitPrice amount { amount } taxCode explanation subscriber { id }
                    periodStartsAt periodEndsAt taxes { name rate base { amount } amount { amount } } } }"
        );
        self.ask(document, json!({ "id": id })).await["invoice"].clone()
    }
}

pub const ISSUE: &str = "mutation ($input: InvoiceIssueInput!) { invoiceIssue(input: $input) {
    invoice { id number status issuedOn dueOn subscriber { id } subtotal { amount currency } taxTotal { amount } rounding { amount }
        total { amount } amountPaid { amount } amountCredited { amount } amountDue { amount } taxes { name rate base { amount } amount { amount } }
        lines { kind description quantity unitPrice amount { amount } taxCode explanation subscriber { id }
            taxes { name rate base { amount } amount { amount } } } }
    userErrors { field code message } } }";

pub fn key() -> String {
    Uuid::now_v7().to_string()
}

pub fn line(price: &str) -> Value {
    json!({ "description": "Installation", "unitPrice": price })
}

/// Taxes as "name rate base amount", for reading.
pub fn taxes(of: &Value) -> Vec<String> {
    let text = |v: &Value| v.as_str().unwrap_or_else(|| panic!("{v}")).to_owned();
    let taxes = of["taxes"].as_array().unwrap().iter();
    taxes
        .map(|t| {
            [&t["name"], &t["rate"], &t["base"]["amount"], &t["amount"]["amount"]]
                .map(text)
                .join(" ")
        })
        .collect()
}

/// User errors as "field CODE".
pub fn refusals(payload: &Value) -> Vec<String> {
    let errors = payload["userErrors"].as_array().unwrap().iter();
    errors
        .map(|e| {
            let path: Vec<_> = e["field"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .collect();
            format!("{} {}", path.join("."), e["code"].as_str().unwrap())
        })
        .collect()
}

async fn open_tenant(database: &Database, slug: &str, template: &str) -> Tenant {
    let cmd = OpenTenant {
        slug: slug.into(),
        name: "Billed".into(),
        template: template.into(),
        currency: None,
        timezone: None,
        director_id: None,
        owner: Owner {
            name: "Owner".into(),
            email: "owner@example.com".into(),
            password: "correct horse battery".into(),
        },
        idempotency_key: None,
    };
    runs::tenant_create(database, &Arc::new(Actor::System), cmd).await.unwrap();
    let directory = Directory::new(database.clone(), "localhost");
    directory.by_slug(slug).await.unwrap().unwrap()
}

fn instant(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}
