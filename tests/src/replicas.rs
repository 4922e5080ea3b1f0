//! Two replicas and a worker, three processes of the binary, over one database: what is changed through one is seen by the
//! other within ten seconds, also when it cannot be told.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::domains::name_server;
use crate::harness::{TestApp, TestDb, cluster, connect, key, settings};
use crate::jobs::probe::until;
use crate::operations::process::Running;

/// What the product promises, and half as much again for a busy machine.
const PROMISE: Duration = Duration::from_secs(15);

/// `trunkline serve` or `trunkline work` as a process of its own, which hears of changes through this port of PostgreSQL.
async fn replica(db: &TestDb, command: &str, listen_port: u16, dns: &str) -> Running {
    let port = |port: u16| format!(":{port}/");
    let listen_url = settings(db).url.replace(&port(cluster().port()), &port(listen_port));
    let settings = [("DATABASE_LISTEN_URL", listen_url.as_str()), ("TRUNKLINE_DNS_SERVER", dns)];
    Running::start_as(&[command], db, &settings).await
}

async fn status(replica: &Running, host: &str) -> u16 {
    replica.ask(host, None, "{ __typename }", json!({})).await.0
}

/// A way to PostgreSQL that can be cut.
struct Way {
    port: u16,
    open: Arc<Mutex<Option<JoinSet<()>>>>,
}

impl Way {
    async fn open() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let open = Arc::new(Mutex::new(Some(JoinSet::new())));
        let ways = open.clone();
        tokio::spawn(async move {
            while let Ok((mut from, _)) = listener.accept().await {
                if let Some(ways) = ways.lock().unwrap().as_mut() {
                    ways.spawn(async move {
                        let mut to = TcpStream::connect(("127.0.0.1", cluster().port())).await.unwrap();
                        let _ = tokio::io::copy_bidirectional(&mut from, &mut to).await;
                    });
                }
            }
        });
        Self { port, open }
    }

    /// Ends what goes over it and lets nobody on.
    fn cut(&self) {
        self.open.lock().unwrap().take();
    }

    fn mend(&self) {
        *self.open.lock().unwrap() = Some(JoinSet::new());
    }
}

/// One of each change through the first; how long until the second has seen the last of them.
struct Changes<'a> {
    db: &'a TestDb,
    first: &'a Running,
    second: &'a Running,
    record: Arc<Mutex<Option<(String, String)>>>,
    admin: String,
    owner: String,
    support: String,
    tenant: String,
}

impl Changes<'_> {
    async fn are_until(&self, round: &str) {
        let (domain, branding, permission) = tokio::join!(self.domain(round), self.branding(round), self.permission());
        eprintln!("{round}: domain {domain:?}, branding {branding:?}, permission {permission:?}");
    }

    /// A hostname that the second has denied is served, and given up is denied again.
    async fn domain(&self, round: &str) -> Duration {
        let hostname = format!("{round}.asha.example");
        assert_eq!(status(self.second, &hostname).await, 404);
        let input = json!({ "tenantId": self.tenant, "hostname": hostname });
        let selection = "domain { id verification { recordName recordValue } }";
        let added = self
            .first
            .mutate("platform.localhost", &self.admin, "domainAdd", input, selection)
            .await;
        let domain = &added["domain"];
        let text = |field: &str| {
            domain["verification"][field]
                .as_str()
                .unwrap()
                .trim_end_matches('.')
                .to_owned()
        };
        *self.record.lock().unwrap() = Some((text("recordName"), text("recordValue")));
        let id = json!({ "id": domain["id"] });
        self.first
            .mutate("platform.localhost", &self.admin, "domainVerify", id.clone(), "domain { id }")
            .await;
        let served = until("a new domain", PROMISE, async || status(self.second, &hostname).await == 200).await;
        self.first
            .mutate("platform.localhost", &self.admin, "domainRemove", id, "removedId")
            .await;
        served.max(
            until("a domain given up", PROMISE, async || {
                status(self.second, &hostname).await == 404
            })
            .await,
        )
    }

    async fn branding(&self, round: &str) -> Duration {
        let (_, body) = self
            .first
            .ask("asha.localhost", None, "{ branding { version } }", json!({}))
            .await;
        let input = json!({ "expectedVersion": body["data"]["branding"]["version"], "displayName": format!("Asha {round}") });
        self.first
            .mutate("asha.localhost", &self.owner, "brandingUpdate", input, "branding { version }")
            .await;
        until("branding", PROMISE, async || {
            let (_, body) = self
                .second
                .ask("asha.localhost", None, "{ branding { displayName } }", json!({}))
                .await;
            body["data"]["branding"]["displayName"] == format!("Asha {round}")
        })
        .await
    }

    /// A right is taken away, or given back that an earlier round has taken.
    async fn permission(&self) -> Duration {
        let may_read = async || {
            let query = "{ plans(first: 1) { nodes { id } } }";
            let (_, body) = self.second.ask("asha.localhost", Some(&self.support), query, json!({})).await;
            body["errors"].is_null()
        };
        let query = "{ roles { code version permissions } }";
        let (_, body) = self.first.ask("asha.localhost", Some(&self.owner), query, json!({})).await;
        let roles = body["data"]["roles"].as_array().expect("roles").clone();
        let support = roles.iter().find(|r| r["code"] == "support").expect("support");
        let mut permissions = support["permissions"].as_array().unwrap().clone();
        let had = permissions.iter().any(|p| p == "plan:read");
        assert_eq!(may_read().await, had, "as it was left");
        match had {
            true => permissions.retain(|p| p != "plan:read"),
            false => permissions.push("plan:read".into()),
        }
        let input = json!({ "code": "support", "expectedVersion": support["version"], "permissions": permissions });
        self.first
            .mutate("asha.localhost", &self.owner, "roleUpdate", input, "role { version }")
            .await;
        until("a right taken away or given", PROMISE, async || may_read().await != had).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_replica_changes_the_other_sees() {
    let app = TestApp::new().await;
    app.jobs_may_remain();
    app.set_clock(&trunkline_domain::kernel::Clock::real().to_rfc3339()).await;
    let record = Arc::new(Mutex::new(None));
    let dns = name_server(record.clone()).await.to_string();
    let way = Way::open().await;
    let (first, second, mut worker) = (
        replica(&app.db, "serve", cluster().port(), &dns).await,
        replica(&app.db, "serve", way.port, &dns).await,
        replica(&app.db, "work", cluster().port(), &dns).await,
    );
    let admin = first.sign_in("platform.localhost", "admin@platform.example").await;
    let (_, body) = first
        .ask(
            "platform.localhost",
            Some(&admin),
            "{ tenants(first: 9, search: \"asha\") { nodes { id } } }",
            json!({}),
        )
        .await;
    let changes = Changes {
        db: &app.db,
        tenant: body["data"]["tenants"]["nodes"][0]["id"].as_str().expect("asha").to_owned(),
        owner: first.sign_in("asha.localhost", "owner@asha.example").await,
        // Of one replica, shown to the other.
        support: first.sign_in("asha.localhost", "support@asha.example").await,
        first: &first,
        second: &second,
        record,
        admin,
    };
    changes.are_until("told").await;

    let ended: i64 = sqlx::query_scalar(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND query ILIKE 'LISTEN %'",
    )
    .fetch_one(&mut connect(&app.db.name).await)
    .await
    .unwrap();
    assert!(ended >= 2, "{ended} listeners were ended");
    changes.are_until("listener-ended").await;

    way.cut();
    changes.are_until("listener-cut").await;
    way.mend();
    changes.are_until("listener-back").await;
    handled_elsewhere(&changes).await;
    worker.process.signal("TERM");
    assert!(worker.ended(Duration::from_secs(60)).await.success(), "{}", worker.log());
}

/// What a replica leaves to be done, the worker does.
async fn handled_elsewhere(changes: &Changes<'_>) {
    let address =
        json!({ "line1": "1 Beach Road", "city": "Kozhikode", "region": "KL", "postalCode": "673001", "country": "IN" });
    let input = json!({ "name": "Asha Rao", "address": address });
    let made = changes
        .first
        .mutate(
            "asha.localhost",
            &changes.owner,
            "subscriberCreate",
            input,
            "subscriber { id }",
        )
        .await;
    let input = json!({ "subscriberId": made["subscriber"]["id"], "amount": "10.00", "method": "CASH", "idempotencyKey": key() });
    changes
        .first
        .mutate("asha.localhost", &changes.owner, "paymentRecord", input, "payment { id }")
        .await;
    let took = until("the worker", Duration::from_secs(60), async || {
        let open: i64 = sqlx::query_scalar(
            "SELECT (SELECT count(*) FROM platform.outbox) + (SELECT count(*) FROM platform.job WHERE kind LIKE 'settlement%')",
        )
        .fetch_one(&mut changes.db.admin().await)
        .await
        .unwrap();
        open == 0
    });
    eprintln!("a payment's event was handled by the worker's process after {:?}", took.await);
}
