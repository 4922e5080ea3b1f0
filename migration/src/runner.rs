use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use futures::future::try_join_all;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection};

use crate::error::Fault;
use crate::scripts::Plan;
use crate::tenant::{Lagging, Upgrade, cause, quarantine, upgrade};
use crate::{Error, Result, SecretKey, shared};

/// How a run goes about it.
#[derive(Clone)]
pub struct Options {
    /// The administrator, who owns the schemas and may make roles.
    pub admin: PgConnectOptions,
    pub secret: SecretKey,
    pub plan: Plan,
    /// Slugs of the ISPs that go first; if one of them fails, no other is touched.
    pub canaries: Vec<String>,
    /// ISPs that are worked on at the same time.
    pub concurrency: usize,
    /// How long a step may wait for a lock, with everybody else queueing behind it.
    pub lock_timeout: Duration,
    /// How often a step that did not get its lock is tried, before its ISP is set aside.
    pub attempts: u32,
    /// Whether ISPs that are quarantined are tried again.
    pub retry_quarantined: bool,
    pub progress: Arc<dyn Fn(&Progress<'_>) + Send + Sync>,
}

impl Options {
    /// The product's own steps. Attempts go on for half a minute: longer than any statement of the product may run, so that
    /// an ISP is not set aside for one slow query.
    pub fn new(admin: PgConnectOptions, secret: SecretKey) -> Self {
        Self {
            admin,
            secret,
            plan: Plan::default(),
            canaries: Vec::new(),
            concurrency: 8,
            lock_timeout: Duration::from_millis(500),
            attempts: 12,
            retry_quarantined: true,
            progress: Arc::new(|_| {}),
        }
    }

    /// Doubles from 100 ms up to 4 s.
    pub(crate) fn pause(&self, attempts: u32) -> Duration {
        Duration::from_millis(50 << attempts.min(7)).min(Duration::from_secs(4))
    }

    pub(crate) async fn connect(&self) -> Result<PgConnection> {
        // a script of a thousand lines that took a second is no news
        let quiet = self
            .admin
            .clone()
            .application_name("trunkline migrate")
            .disable_statement_logging();
        Ok(PgConnection::connect_with(&quiet).await?)
    }
}

/// What a run tells while it goes on.
#[derive(Debug)]
pub enum Progress<'a> {
    /// A step of a shared schema was applied.
    Step {
        scope: &'static str,
        name: &'static str,
    },
    /// So many ISPs lack steps.
    Begun {
        tenants: usize,
    },
    Migrated {
        slug: &'a str,
        done: usize,
        of: usize,
    },
    /// A lock was not to be had; it is tried again.
    Waits {
        what: &'a str,
        error: &'a Error,
    },
    Quarantined {
        slug: &'a str,
        error: &'a str,
    },
}

/// What a run did. A tenant that failed keeps what it had and is named here; the others are migrated.
#[derive(Clone, Debug, Default)]
pub struct Report {
    pub shared_steps: usize,
    pub tenants_migrated: usize,
    /// Slugs and why.
    pub failed: Vec<(String, String)>,
    /// A canary failed: nobody else was touched.
    pub halted: bool,
}

/// Brings the database to the plan: platform and radius first, then the canaries, then every other tenant. Any number of
/// runners may run at once; a killed one leaves nothing half-applied, and the next one goes on.
pub async fn run(options: &Options) -> Result<Report> {
    let mut conn = options.connect().await?;
    let (_, shared_steps) = shared::migrate(&mut conn, options).await?;
    let mut report = Report {
        shared_steps,
        ..Report::default()
    };
    known_slugs(&mut conn, &options.canaries).await?;
    let run_began: DateTime<Utc> = sqlx::query_scalar("SELECT clock_timestamp()").fetch_one(&mut conn).await?;
    let mut tried = HashSet::new();
    let canaries: Vec<Lagging> = lagging(&mut conn, options)
        .await?
        .into_iter()
        .filter(|t| options.canaries.contains(&t.slug))
        .collect();
    tried.extend(canaries.iter().map(|t| t.id));
    Pass::over(canaries, options, run_began, &mut report).await?;
    if !report.failed.is_empty() {
        report.halted = true;
        return Ok(report);
    }
    // Again until nothing is new: ISPs may be opened by replicas of the last release while this runs.
    loop {
        let mut tenants = lagging(&mut conn, options).await?;
        tenants.retain(|t| tried.insert(t.id));
        if tenants.is_empty() {
            conn.close().await?;
            return Ok(report);
        }
        Pass::over(tenants, options, run_began, &mut report).await?;
    }
}

async fn known_slugs(conn: &mut PgConnection, slugs: &[String]) -> Result<()> {
    let known: Vec<String> = sqlx::query_scalar("SELECT slug FROM platform.tenant WHERE slug = ANY($1)")
        .bind(slugs)
        .fetch_all(conn)
        .await?;
    match slugs.iter().find(|s| !known.contains(s)) {
        Some(stranger) => Err(Error::Refused(format!("there is no ISP {stranger} to be a canary"))),
        None => Ok(()),
    }
}

/// Tenants that lack steps of the plan, by what is recorded for each.
async fn lagging(conn: &mut PgConnection, options: &Options) -> Result<Vec<Lagging>> {
    if options.plan.tenant.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<(i32, String, String)> = sqlx::query_as(
        "SELECT t.id, t.slug, t.role_name::text FROM platform.tenant t
         WHERE t.status <> 'ARCHIVED'
           AND (SELECT count(*) FROM platform.tenant_migration m WHERE m.tenant_id = t.id AND m.version = ANY($1))
               < cardinality($1)
           AND ($2 OR NOT EXISTS (SELECT FROM platform.tenant_quarantine q WHERE q.tenant_id = t.id))
         ORDER BY t.id",
    )
    .bind(options.plan.tenant_versions())
    .bind(options.retry_quarantined)
    .fetch_all(conn)
    .await?;
    let tenant = |(id, slug, role)| Lagging {
        id,
        slug,
        role,
        attempts: 0,
    };
    Ok(rows.into_iter().map(tenant).collect())
}

/// After so many tenants a worker takes a new connection: a backend remembers everything that it has touched.
const TENANTS_PER_CONNECTION: usize = 50;
/// Connections in a row that could not be made, or broke, before the run gives up.
const LOST_CONNECTIONS: usize = 5;

/// One sweep over a list of tenants by several workers.
struct Pass<'a> {
    options: &'a Options,
    run_began: DateTime<Utc>,
    of: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    ready: VecDeque<Lagging>,
    waiting: Vec<(Instant, Lagging)>,
    migrated: usize,
    failed: Vec<(String, String)>,
    lost_connections: usize,
}

impl<'a> Pass<'a> {
    async fn over(tenants: Vec<Lagging>, options: &'a Options, run_began: DateTime<Utc>, report: &mut Report) -> Result<()> {
        if tenants.is_empty() {
            return Ok(());
        }
        let of = tenants.len();
        (options.progress)(&Progress::Begun { tenants: of });
        let state = Mutex::new(State {
            ready: tenants.into(),
            ..State::default()
        });
        let pass = Self {
            options,
            run_began,
            of,
            state,
        };
        let workers = (0..options.concurrency.clamp(1, of)).map(|_| pass.work());
        let outcome = try_join_all(workers).await;
        let state = pass.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        report.tenants_migrated += state.migrated;
        report.failed.extend(state.failed);
        outcome.map(drop)
    }

    async fn work(&self) -> Result<()> {
        let mut held: Option<(PgConnection, usize)> = None;
        while let Some(tenant) = self.next().await {
            let (mut conn, served) = match held.take() {
                Some((conn, served)) if served < TENANTS_PER_CONNECTION => (conn, served),
                _ => match self.options.connect().await {
                    Ok(conn) => (conn, 0),
                    Err(e) => {
                        self.lost(tenant, e).await?;
                        continue;
                    }
                },
            };
            match self.attempt(&mut conn, &tenant).await {
                Err(e) if e.fault() == Fault::Server => self.lost(tenant, e).await?,
                outcome => {
                    outcome?;
                    held = Some((conn, served + 1));
                }
            }
        }
        Ok(())
    }

    /// Tries one tenant and notes what came of it; an error is the server's.
    async fn attempt(&self, conn: &mut PgConnection, tenant: &Lagging) -> Result<()> {
        let steps = &self.options.plan.tenant;
        let again = |pause| {
            let tenant = Lagging {
                attempts: tenant.attempts + 1,
                ..tenant.clone()
            };
            self.state().waiting.push((Instant::now() + pause, tenant));
        };
        match upgrade(conn, tenant, steps, self.options.lock_timeout, self.run_began).await {
            Ok(Upgrade::Done) => self.migrated(tenant),
            Ok(Upgrade::Current) => self.state().lost_connections = 0,
            Ok(Upgrade::Busy) => self
                .state()
                .waiting
                .push((Instant::now() + Duration::from_millis(100), tenant.clone())),
            Ok(Upgrade::FailedElsewhere(error)) => self.state().failed.push((tenant.slug.clone(), error)),
            Err(e) => match e.fault() {
                Fault::Server => return Err(e),
                Fault::Locked if tenant.attempts + 1 < self.options.attempts => {
                    (self.options.progress)(&Progress::Waits {
                        what: &tenant.slug,
                        error: &e,
                    });
                    again(self.options.pause(tenant.attempts + 1));
                }
                Fault::Locked | Fault::Schema => {
                    quarantine(conn, tenant, steps, &e).await?;
                    let error = cause(&e);
                    (self.options.progress)(&Progress::Quarantined {
                        slug: &tenant.slug,
                        error: &error,
                    });
                    self.state().failed.push((tenant.slug.clone(), error));
                }
            },
        }
        Ok(())
    }

    fn migrated(&self, tenant: &Lagging) {
        let done = {
            let mut state = self.state();
            state.lost_connections = 0;
            state.migrated += 1;
            state.migrated
        };
        (self.options.progress)(&Progress::Migrated {
            slug: &tenant.slug,
            done,
            of: self.of,
        });
    }

    /// Puts a tenant back whose connection was lost, and gives up when that keeps happening.
    async fn lost(&self, tenant: Lagging, error: Error) -> Result<()> {
        let lost = {
            let mut state = self.state();
            state.ready.push_front(tenant);
            state.lost_connections += 1;
            state.lost_connections
        };
        if lost > LOST_CONNECTIONS * self.options.concurrency.max(1) {
            return Err(error);
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        Ok(())
    }

    /// The next tenant, after a wait if all that are left have to wait.
    async fn next(&self) -> Option<Lagging> {
        loop {
            let due = {
                let mut state = self.state();
                let now = Instant::now();
                if let Some(at) = state.waiting.iter().position(|(at, _)| *at <= now) {
                    return Some(state.waiting.swap_remove(at).1);
                }
                if let Some(tenant) = state.ready.pop_front() {
                    return Some(tenant);
                }
                state.waiting.iter().map(|(at, _)| *at).min()?
            };
            tokio::time::sleep_until(due.into()).await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
