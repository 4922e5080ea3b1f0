//! Billing runs: so many services of one ISP, beside psql that writes the same rows; the same work over many ISPs.

use std::fs;
use std::net::TcpListener;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use trunkline_domain::runs::billing_run::LANES;

use crate::documents::{self, Documents};
use crate::ground::{Ground, SECRET};
use crate::http::{Http, To};
use crate::operations::run_psql;
use crate::tenants::fill;
use crate::usage::{forget_highest, resident};

const TIMEOUT: Duration = Duration::from_secs(1200);

/// What the runs took, in seconds, and held.
pub struct Billing {
    pub services: u32,
    pub tenants: u32,
    /// From `billingRunStart` to the run's end.
    pub run: f64,
    /// By the worker's own account: reading, deciding, writing, with the waiting for another's numbers, and committing. Added
    /// up over all transactions, of which [`LANES`] are on their way at once.
    pub phases: [f64; 4],
    /// psql with the same rows: one INSERT … SELECT for each table, in one transaction.
    pub psql: f64,
    pub dry: f64,
    /// With nothing to do.
    pub again: f64,
    /// As many services over many ISPs.
    pub spread: f64,
    /// Of the worker, MiB: before, and at its highest.
    pub memory: (f64, f64),
    pub documents: Documents,
}

impl Billing {
    pub fn per_second(&self) -> f64 {
        f64::from(self.services) / self.run
    }

    pub fn whole(&self) -> f64 {
        self.psql / self.run
    }

    /// How quickly one connection of the run writes and commits, psql, which is one, being 1.
    pub fn writing_of_one(&self) -> f64 {
        let [_, _, write, commit] = self.phases;
        self.psql / (write + commit)
    }

    /// … and all that write at once.
    pub fn writing_together(&self) -> f64 {
        self.writing_of_one() * LANES as f64
    }
}

/// The worker's process.
struct Worker {
    child: Child,
    pid: u32,
    ops: String,
}

impl Worker {
    async fn start(ground: &Ground) -> Result<Self> {
        let binary = std::env::current_exe()?.with_file_name("trunkline");
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let ops = format!("127.0.0.1:{port}");
        let child = Command::new(&binary)
            .arg("work")
            .env("DATABASE_URL", &ground.url)
            .env("TRUNKLINE_PRODUCTION", "true")
            .env("TRUNKLINE_SECRET_KEY", SECRET)
            .env("TRUNKLINE_OPS_LISTEN", &ops)
            .env("TRUNKLINE_DRAIN_SECONDS", "0")
            .env("TRUNKLINE_LOG", "info")
            .env("TRUNKLINE_LOG_JSON", "true")
            .env("TRUNKLINE_DATA_DIR", &ground.dir)
            .stderr(fs::File::create(ground.dir.join("worker.log"))?)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let pid = child.id().context("it runs")?;
        Ok(Self { child, pid, ops })
    }

    async fn stop(mut self) -> Result<()> {
        let pid = rustix::process::Pid::from_raw(i32::try_from(self.pid)?).context("its number")?;
        rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
        self.child.wait().await?;
        Ok(())
    }

    /// The sums of the histogram of phases: read, decide, write, commit.
    async fn phases(&self) -> Result<[f64; 4]> {
        let mut stream = tokio::net::TcpStream::connect(&self.ops).await?;
        stream
            .write_all(b"GET /metrics HTTP/1.1\r\nhost: ops\r\nconnection: close\r\n\r\n")
            .await?;
        let mut text = String::new();
        stream.read_to_string(&mut text).await?;
        let sum = |phase: &str| -> f64 {
            let name = format!("trunkline_billing_batch_seconds_sum{{phase=\"{phase}\"}} ");
            let line = text.lines().find_map(|line| line.strip_prefix(&name));
            line.and_then(|value| value.trim().parse().ok()).unwrap_or(0.0)
        };
        Ok(["read", "decide", "write", "commit"].map(sum))
    }
}

fn seed(services: u32) -> String {
    include_str!("billing.sql").replace("{{services}}", &services.to_string())
}

/// Gives an ISP services that are to be charged today.
async fn give_services(ground: &Ground, tenant: u32, services: u32, admin: &mut PgConnection) -> Result<()> {
    let role = ground.role(tenant);
    let mut tx = admin.begin().await?;
    tx.execute(AssertSqlSafe(format!("SET LOCAL search_path = \"{role}\"")))
        .await?;
    tx.execute(AssertSqlSafe(seed(services))).await?;
    tx.commit().await?;
    let tables = [
        "subscriber",
        "service",
        "invoice",
        "invoice_line",
        "coverage",
        "ledger_account",
        "plan",
        "plan_version",
    ];
    let tables = tables.map(|table| format!("\"{role}\".{table}")).join(", ");
    admin.execute(AssertSqlSafe(format!("VACUUM ANALYZE {tables}"))).await?;
    Ok(())
}

pub async fn measure(ground: &mut Ground, services: u32, tenants: u32) -> Result<Billing> {
    let mut admin = PgConnection::connect(&ground.url).await?;
    ground.refresh_tokens().await?;
    // The first is billed, the second is written by psql, the others are billed together.
    fill(ground, 2 + tenants).await?;
    let worker = Worker::start(ground).await?;
    // The day's own jobs of every ISP go first.
    tokio::time::sleep(Duration::from_secs(2)).await;
    idle(&mut admin).await?;
    give_services(ground, 1, services, &mut admin).await?;
    admin.execute("CHECKPOINT").await?;
    let dry = run(ground, &mut admin, true).await?;
    admin.execute("CHECKPOINT").await?;
    let (before, _) = resident(worker.pid);
    forget_highest(worker.pid)?;
    let phases_before = worker.phases().await?;
    let took = run(ground, &mut admin, false).await?;
    let phases = worker.phases().await?;
    idle(&mut admin).await?;
    let (_, highest) = resident(worker.pid);
    billed(ground, &mut admin, 1, services).await?;
    let again = run(ground, &mut admin, false).await?;
    worker.stop().await?;
    let psql = psql(ground, &mut admin, services).await?;
    let documents = documents::measure(ground, &mut admin).await?;
    let worker = Worker::start(ground).await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let spread = spread(ground, &mut admin, services, tenants).await?;
    worker.stop().await?;
    Ok(Billing {
        services,
        tenants,
        run: took,
        phases: [0, 1, 2, 3].map(|n| phases[n] - phases_before[n]),
        psql,
        dry,
        again,
        spread,
        memory: (before, highest),
        documents,
    })
}

/// Waits until nothing is to be done.
async fn idle(admin: &mut PgConnection) -> Result<()> {
    let begun = Instant::now();
    loop {
        let left: i64 = sqlx::query_scalar(
            "SELECT (SELECT count(*) FROM platform.outbox) + (SELECT count(*) FROM platform.job WHERE parked_at IS NULL AND run_at <= now())",
        )
        .fetch_one(&mut *admin)
        .await?;
        if left == 0 {
            return Ok(());
        }
        ensure!(begun.elapsed() < TIMEOUT, "{left} jobs and events are left");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Starts a run in the first ISP through the API and waits for its end; how long that took.
async fn run(ground: &Ground, admin: &mut PgConnection, dry: bool) -> Result<f64> {
    let query = "mutation($i: BillingRunStartInput!) { billingRunStart(input: $i) { billingRun { id } userErrors { message } } }";
    let body = json!({ "query": query, "variables": { "i": { "dryRun": dry } } }).to_string();
    let (host, token) = ground.isp(1);
    let mut http = Http::connect(&ground.server.address).await?;
    let to = To {
        host: &host,
        token: Some(&token),
    };
    let begun = Instant::now();
    let answer: Value = serde_json::from_slice(http.post(&to, &body).await?)?;
    ensure!(answer.pointer("/data/billingRunStart/billingRun/id").is_some(), "{answer}");
    let status = format!(
        "SELECT status FROM \"{}\".billing_run ORDER BY requested_at DESC, id DESC LIMIT 1",
        ground.role(1)
    );
    loop {
        let status: String = sqlx::query_scalar(AssertSqlSafe(status.clone()))
            .fetch_one(&mut *admin)
            .await?;
        match status.as_str() {
            "SUCCEEDED" => return Ok(begun.elapsed().as_secs_f64()),
            "QUEUED" | "RUNNING" if begun.elapsed() < TIMEOUT => tokio::time::sleep(Duration::from_millis(5)).await,
            other => anyhow::bail!("the run is {other}"),
        }
    }
}

/// Fails unless each service has the invoice that it was to get, with two taxes.
async fn billed(ground: &Ground, admin: &mut PgConnection, tenant: u32, services: u32) -> Result<()> {
    let role = ground.role(tenant);
    let sql = format!(
        "SELECT (SELECT count(*) FROM \"{role}\".invoice WHERE id > '01920000-0000-7000-8000-000000000000'),
             (SELECT count(*) FROM \"{role}\".invoice_tax), (SELECT count(*) FROM \"{role}\".billing_failure)"
    );
    let found: (i64, i64, i64) = sqlx::query_as(AssertSqlSafe(sql)).fetch_one(admin).await?;
    let wanted = (i64::from(services), 2 * i64::from(services), 0);
    ensure!(found == wanted, "invoices, taxes, failures: {found:?}, not {wanted:?}");
    Ok(())
}

/// The rows of the first ISP's run, written into the second, which has none of them.
async fn psql(ground: &Ground, admin: &mut PgConnection, services: u32) -> Result<f64> {
    give_services(ground, 2, services, admin).await?;
    let text = rows(&ground.role(1), &ground.role(2));
    admin.execute("CHECKPOINT").await?;
    let begun = Instant::now();
    run_psql(&ground.url, &text).await?;
    let took = begun.elapsed().as_secs_f64();
    admin.execute("DELETE FROM platform.outbox WHERE tenant_id = 2").await?;
    Ok(took)
}

/// Everything that a run writes for its services.
fn rows(from: &str, to: &str) -> String {
    let new = "id > '01920000-0000-7000-8000-000000000000'";
    let line = "invoice_id > '01920000-0000-7000-8000-000000000000'";
    format!(
        "BEGIN;
         INSERT INTO \"{to}\".ledger_account SELECT * FROM \"{from}\".ledger_account a WHERE a.subscriber_id IS NULL ON CONFLICT DO NOTHING;
         INSERT INTO \"{to}\".ledger_entry SELECT * FROM \"{from}\".ledger_entry WHERE {new};
         INSERT INTO \"{to}\".ledger_transfer SELECT * FROM \"{from}\".ledger_transfer WHERE {new};
         UPDATE \"{to}\".ledger_account t SET debit_total = a.debit_total, credit_total = a.credit_total
             FROM \"{from}\".ledger_account a WHERE a.id = t.id AND a.subscriber_id IS NOT NULL;
         INSERT INTO \"{to}\".audit_entry SELECT * FROM \"{from}\".audit_entry WHERE action = 'invoiceIssue';
         INSERT INTO platform.outbox (tenant_id, event_id, kind, payload, occurred_at)
             SELECT 2, gen_random_uuid(), 'BenchInvoiceIssued', jsonb_build_object('invoice_id', id, 'subscriber_id', subscriber_id),
                 created_at FROM \"{from}\".invoice WHERE {new};
         INSERT INTO \"{to}\".seller SELECT * FROM \"{from}\".seller;
         INSERT INTO \"{to}\".invoice (id, number, kind, status, subscriber_id, registration_id, issued_on, due_on, currency, subtotal,
                 discount, tax_total, rounding, total, amount_credited, created_at, seller_id, buyer)
             SELECT id, number, kind, status, subscriber_id, registration_id, issued_on, due_on, currency, subtotal, discount, tax_total,
                 rounding, total, amount_credited, created_at, seller_id, buyer FROM \"{from}\".invoice WHERE {new};
         INSERT INTO \"{to}\".invoice_line SELECT * FROM \"{from}\".invoice_line WHERE {line};
         INSERT INTO \"{to}\".invoice_tax SELECT * FROM \"{from}\".invoice_tax WHERE {line};
         INSERT INTO \"{to}\".coverage SELECT * FROM \"{from}\".coverage WHERE {new};
         UPDATE \"{to}\".service t SET period_starts_at = s.period_starts_at, period_ends_at = s.period_ends_at,
                 billed_until = s.billed_until, next_billing_on = s.next_billing_on, version = s.version
             FROM \"{from}\".service s WHERE s.id = t.id;
         COMMIT;\n"
    )
}

/// As many services, of many ISPs, whose runs are asked for at once.
async fn spread(ground: &Ground, admin: &mut PgConnection, services: u32, tenants: u32) -> Result<f64> {
    let each = services / tenants;
    for tenant in 3..3 + tenants {
        give_services(ground, tenant, each, admin).await?;
    }
    idle(admin).await?;
    admin.execute("CHECKPOINT").await?;
    let begun = Instant::now();
    let ask = format!(
        "INSERT INTO platform.job (tenant_id, kind, payload, run_at)
         SELECT t.id, 'billing.renew', jsonb_build_object('date', (now() AT TIME ZONE t.timezone)::date), now() FROM platform.tenant t
         WHERE t.id BETWEEN 3 AND {}",
        2 + tenants
    );
    admin.execute(AssertSqlSafe(ask)).await?;
    loop {
        let left: i64 = sqlx::query_scalar("SELECT count(*) FROM platform.job WHERE kind IN ('billing.renew', 'billing.run')")
            .fetch_one(&mut *admin)
            .await?;
        if left == 0 {
            break;
        }
        ensure!(begun.elapsed() < TIMEOUT, "{left} jobs are left");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let took = begun.elapsed().as_secs_f64();
    for tenant in 3..3 + tenants {
        billed(ground, admin, tenant, each).await?;
    }
    Ok(took)
}
