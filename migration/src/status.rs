use std::collections::HashMap;
use std::sync::Mutex;

use chrono::{DateTime, Utc};
use futures::future::try_join_all;
use sqlx::{Connection, PgConnection};

use crate::drift::{Difference, Fingerprint};
use crate::runner::Options;
use crate::scripts::Script;
use crate::{Error, Installation, Result};

/// How a database stands to a plan.
#[derive(Clone, Debug, Default)]
pub struct Status {
    /// Steps of the shared schemas that are yet to come.
    pub missing: Vec<&'static str>,
    /// Steps that this binary does not know: a newer one has been here.
    pub unknown: Vec<String>,
    pub tenants: usize,
    /// Slugs of ISPs that lack steps and are not quarantined.
    pub waiting: Vec<String>,
    pub quarantined: Vec<Quarantined>,
    /// Schemas (`platform`, `radius`, an ISP's slug) that are not what their steps made of them.
    pub drifted: Vec<(String, Vec<Difference>)>,
}

/// An ISP that was set aside.
#[derive(Clone, Debug)]
pub struct Quarantined {
    pub slug: String,
    /// The step that failed.
    pub step: String,
    pub error: String,
    pub since: DateTime<Utc>,
    pub attempts: i32,
}

impl Status {
    /// Nothing to do and nothing to look into.
    pub fn is_clean(&self) -> bool {
        self.missing.is_empty() && self.waiting.is_empty() && self.quarantined.is_empty() && self.drifted.is_empty()
    }
}

struct Tenant {
    slug: String,
    role: String,
    versions: Vec<i32>,
}

/// Looks at all schemas; changes nothing.
pub async fn status(options: &Options) -> Result<Status> {
    let mut conn = options.connect().await?;
    let installation = Installation::load(&mut conn)
        .await?
        .ok_or_else(|| Error::Refused("the database has not been migrated: run `trunkline migrate`".into()))?;
    let mut status = Status::default();
    shared(&mut conn, &installation, options, &mut status).await?;
    if status.missing.iter().any(|step| step.starts_with("platform/")) {
        // What follows reads tables that these steps make.
        return Ok(status);
    }
    status.quarantined = quarantined(&mut conn).await?;
    let tenants = tenants(&mut conn).await?;
    status.tenants = tenants.len();
    for tenant in &tenants {
        let lacks = options.plan.tenant.iter().any(|s| !tenant.versions.contains(&s.version));
        if lacks && !status.quarantined.iter().any(|q| q.slug == tenant.slug) {
            status.waiting.push(tenant.slug.clone());
        }
    }
    let drifted = tenant_drift(&mut conn, &installation, options, tenants).await?;
    status.drifted.extend(drifted);
    Ok(status)
}

async fn shared(conn: &mut PgConnection, installation: &Installation, options: &Options, status: &mut Status) -> Result<()> {
    let recorded: Vec<(String, i32, String)> = sqlx::query_as("SELECT scope, version, name FROM platform.migration")
        .fetch_all(&mut *conn)
        .await?;
    let mut applied: [Vec<Script>; 2] = [Vec::new(), Vec::new()];
    for (n, (scope, steps)) in options.plan.shared().into_iter().enumerate() {
        for step in steps {
            match recorded.iter().any(|(s, v, _)| s == scope && *v == step.version) {
                true => applied[n].push(*step),
                false => status.missing.push(step.name),
            }
        }
        let known = |v: i32| steps.iter().any(|s| s.version == v);
        let unknown = recorded.iter().filter(|(s, v, _)| s == scope && !known(*v));
        status.unknown.extend(unknown.map(|(_, _, name)| name.clone()));
    }
    if !status.unknown.is_empty() {
        return Ok(());
    }
    let [platform, radius] = &applied;
    let baselines = Fingerprint::of_shared_steps(conn, installation, platform, radius).await?;
    for (schema, baseline) in ["platform", "radius"].into_iter().zip(&baselines) {
        let found = Fingerprint::of(conn, installation, schema).await?.differences(baseline);
        if !found.is_empty() {
            status.drifted.push((schema.to_owned(), found));
        }
    }
    Ok(())
}

async fn quarantined(conn: &mut PgConnection) -> Result<Vec<Quarantined>> {
    let rows: Vec<(String, String, String, DateTime<Utc>, i32)> = sqlx::query_as(
        "SELECT t.slug, q.step, q.error, q.since, q.attempts FROM platform.tenant_quarantine q
         JOIN platform.tenant t ON t.id = q.tenant_id WHERE t.status <> 'ARCHIVED' ORDER BY t.id",
    )
    .fetch_all(conn)
    .await?;
    let quarantined = |(slug, step, error, since, attempts)| Quarantined {
        slug,
        step,
        error,
        since,
        attempts,
    };
    Ok(rows.into_iter().map(quarantined).collect())
}

async fn tenants(conn: &mut PgConnection) -> Result<Vec<Tenant>> {
    let rows: Vec<(String, String, Vec<i32>)> = sqlx::query_as(
        "SELECT slug, role_name::text, ARRAY(SELECT version FROM platform.tenant_migration WHERE tenant_id = t.id ORDER BY version)
         FROM platform.tenant t WHERE status <> 'ARCHIVED' ORDER BY id",
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|(slug, role, versions)| Tenant { slug, role, versions })
        .collect())
}

/// Each tenant is compared with what the steps that it has make; one with steps that we do not know is left out.
async fn tenant_drift(
    conn: &mut PgConnection,
    installation: &Installation,
    options: &Options,
    tenants: Vec<Tenant>,
) -> Result<Vec<(String, Vec<Difference>)>> {
    let mut baselines: HashMap<Vec<i32>, Option<Fingerprint>> = HashMap::new();
    for tenant in &tenants {
        if !baselines.contains_key(&tenant.versions) {
            let steps: Vec<Script> = options
                .plan
                .tenant
                .iter()
                .filter(|s| tenant.versions.contains(&s.version))
                .copied()
                .collect();
            let baseline = match steps.len() == tenant.versions.len() {
                true => Some(Fingerprint::of_tenant_steps(conn, installation, &steps).await?),
                false => None,
            };
            baselines.insert(tenant.versions.clone(), baseline);
        }
    }
    let (queue, drifted) = (Mutex::new(tenants.into_iter()), Mutex::new(Vec::new()));
    let look = async || {
        let (mut conn, mut looked) = (options.connect().await?, 0);
        while let Some(tenant) = next(&queue) {
            let Some(Some(baseline)) = baselines.get(&tenant.versions) else {
                continue;
            };
            if looked == TENANTS_PER_CONNECTION {
                (conn, looked) = (options.connect().await?, 0);
            }
            looked += 1;
            let found = Fingerprint::of(&mut conn, installation, &tenant.role)
                .await?
                .differences(baseline);
            if !found.is_empty()
                && let Ok(mut drifted) = drifted.lock()
            {
                drifted.push((tenant.slug, found));
            }
        }
        conn.close().await?;
        Ok::<_, Error>(())
    };
    try_join_all((0..options.concurrency.clamp(1, 4)).map(|_| look())).await?;
    let mut drifted = drifted.into_inner().unwrap_or_default();
    drifted.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(drifted)
}

/// As the runner's: a backend remembers everything that it has touched.
const TENANTS_PER_CONNECTION: usize = 50;

fn next(queue: &Mutex<std::vec::IntoIter<Tenant>>) -> Option<Tenant> {
    queue.lock().ok()?.next()
}
