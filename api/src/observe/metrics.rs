//! Prometheus metrics. Every label's values come from a closed set: nothing that an ISP or a caller chose, no ids.
//! `docs/operations/monitoring.md` says what each means.

use std::convert::Infallible;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ::metrics::{Unit, describe_counter, describe_gauge, describe_histogram, gauge};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use metrics_process::Collector;
use tokio::sync::Mutex;
use trunkline_domain::kernel::db::Database;
use trunkline_domain::{Actor, Result, jobs, tenants};

use super::VERSION;

/// Upper bounds of the histograms' buckets, in seconds.
const BUCKETS: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0,
];
/// A scrape waits no longer for the database.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often observations are taken in when nobody scrapes.
const UPKEEP: Duration = Duration::from_secs(5);

static METRICS: OnceLock<Metrics> = OnceLock::new();

struct Metrics {
    handle: PrometheusHandle,
    process: Collector,
    /// Scrapes at the same time take turns, so that they never take more than one connection.
    turn: Mutex<()>,
}

/// Begins to count, once for the process. Without it nothing is counted.
pub fn install() -> anyhow::Result<()> {
    if METRICS.get().is_some() {
        return Ok(());
    }
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), BUCKETS)?
        .install_recorder()?;
    describe();
    let process = Collector::default();
    process.describe();
    gauge!("trunkline_build_info", "version" => VERSION).set(1);
    let _ = METRICS.set(Metrics {
        handle,
        process,
        turn: Mutex::new(()),
    });
    Ok(())
}

/// Takes observations in for as long as it runs; they would pile up between scrapes.
pub async fn upkeep() -> Infallible {
    let mut ticks = tokio::time::interval(UPKEEP);
    loop {
        ticks.tick().await;
        if let Some(metrics) = METRICS.get() {
            metrics.handle.run_upkeep();
        }
    }
}

fn describe() {
    let seconds = |name, what| describe_histogram!(name, Unit::Seconds, what);
    seconds(
        "trunkline_http_request_duration_seconds",
        "Requests by route and class of status.",
    );
    seconds(
        "trunkline_graphql_duration_seconds",
        "Executed operations by kind and outcome.",
    );
    seconds("trunkline_job_duration_seconds", "Attempts at jobs by kind.");
    seconds(
        "trunkline_job_wait_seconds",
        "From when a job was due to the beginning of its first attempt.",
    );
    seconds(
        "trunkline_billing_batch_seconds",
        "Services that a billing run brings up to date in one transaction, by phase.",
    );
    describe_counter!(
        "trunkline_billing_invoices_total",
        "Invoices that billing runs wrote together."
    );
    describe_counter!("trunkline_graphql_fields_total", "Root fields that were executed, by name.");
    describe_counter!("trunkline_graphql_errors_total", "Top-level errors by code.");
    describe_counter!("trunkline_graphql_refusals_total", "userErrors of mutations by code.");
    describe_counter!("trunkline_rate_limited_total", "Requests refused because a bucket was empty.");
    describe_counter!("trunkline_sign_in_failures_total", "Wrong credentials by what was wrong.");
    describe_counter!("trunkline_jobs_total", "Attempts by kind of job and outcome.");
    describe_gauge!("trunkline_http_requests_under_way", "Requests that are being answered.");
    describe_gauge!(
        "trunkline_jobs",
        "Jobs of the whole installation that are not done, by state."
    );
    describe_gauge!(
        "trunkline_jobs_oldest_due_seconds",
        "For how long the oldest job that nobody has tried has been due."
    );
    describe_gauge!(
        "trunkline_outbox_events",
        "Events of the whole installation that are not dispatched."
    );
    describe_gauge!("trunkline_outbox_oldest_seconds", "Age of the oldest of them.");
    describe_gauge!(
        "trunkline_database_connections",
        "This process's connections by pool and use."
    );
    describe_gauge!("trunkline_database_connections_limit", "As many as the pools may open.");
    describe_gauge!("trunkline_database_waiting", "Transactions that wait for a connection.");
    describe_gauge!("trunkline_database_up", "Whether the database answered this scrape.");
    describe_gauge!("trunkline_tenants", "ISPs by status.");
    describe_gauge!("trunkline_tenants_quarantined", "ISPs whose schema could not be migrated.");
    describe_gauge!("trunkline_build_info", "1, labelled with the version.");
}

/// What a scrape gets. Without the database it still tells what the process has counted.
pub async fn render(database: &Database) -> String {
    let Some(metrics) = METRICS.get() else { return String::new() };
    let _turn = metrics.turn.lock().await;
    for (pool, used) in database.pools().await {
        gauge!("trunkline_database_connections", "pool" => pool, "use" => "busy").set(used.busy);
        gauge!("trunkline_database_connections", "pool" => pool, "use" => "idle").set(used.idle);
        gauge!("trunkline_database_connections_limit", "pool" => pool).set(used.places);
        gauge!("trunkline_database_waiting", "pool" => pool).set(used.waiting);
    }
    let asked = tokio::time::timeout(PATIENCE, ask(database)).await;
    if let Ok(Err(e)) = &asked {
        tracing::warn!(error = e.summary(), "the database did not answer a scrape");
    }
    gauge!("trunkline_database_up").set(u32::from(matches!(asked, Ok(Ok(())))));
    metrics.process.collect();
    metrics.handle.render()
}

/// What only the database knows. Every process tells the same of it.
#[expect(clippy::cast_precision_loss, reason = "counts of rows are far below 2^52")]
async fn ask(database: &Database) -> Result<()> {
    let tx = database.begin_platform(Arc::new(Actor::System)).await?;
    let queue = jobs::health(&tx).await?;
    for (state, count) in &queue.jobs {
        gauge!("trunkline_jobs", "state" => state.to_string()).set(*count as f64);
    }
    gauge!("trunkline_jobs_oldest_due_seconds").set(queue.oldest_due.as_secs_f64());
    gauge!("trunkline_outbox_events").set(queue.events as f64);
    gauge!("trunkline_outbox_oldest_seconds").set(queue.oldest_event.as_secs_f64());
    for (status, count) in tenants::count_by_status(&tx).await? {
        gauge!("trunkline_tenants", "status" => status.to_string()).set(count as f64);
    }
    gauge!("trunkline_tenants_quarantined").set(tenants::quarantined(&tx).await? as f64);
    Ok(())
}
