use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::postgres::{PgConnectOptions, PgListener};
use sqlx::{ConnectOptions, Connection, PgConnection};
use tokio::sync::Notify;
use trunkline_migration::{self as migration, Installation};

use super::begin;
use super::platform_tx::PlatformTx;
use super::pool::{Errand, Held, Pool, PoolUse};
use super::provision_tx::{ProvisionTx, failure};
use super::tenant::Tenant;
use super::tenant_tx::TenantTx;
use crate::kernel::actor::Actor;
use crate::kernel::clock::Clock;
use crate::kernel::crypto::SecretKey;
use crate::kernel::error::{Error, Result};

/// Where the database is and how many connections to it one process may hold.
#[derive(Clone, Debug)]
pub struct DatabaseSettings {
    /// Host, port and database that are served from; its user name is replaced by the installation's own login roles.
    pub url: String,
    /// Migrations and provisioning: a role that may create roles and schemas.
    pub admin_url: String,
    /// A direct (unpooled) connection, for notifications.
    pub listen_url: String,
    /// Connections per cell; the platform's own pool has half as many.
    pub max_connections: u32,
    pub secret: SecretKey,
    pub limits: Limits,
    /// True. False takes both fences against cancelled prologues away, for the control of the cancellation test alone.
    pub cancellation_guard: bool,
}

/// The database with its pools, one per cell and one for the platform. Cheap to clone. It hands out transactions only.
#[derive(Clone)]
pub struct Database(Arc<Inner>);

struct Inner {
    settings: DatabaseSettings,
    installation: Installation,
    platform: Pool,
    admin: Pool,
    cells: tokio::sync::RwLock<HashMap<i32, Cell>>,
    /// Passwords by login role, as they were last read.
    logins: RwLock<HashMap<String, String>>,
    clock: Clock,
    wake: Arc<Notify>,
}

struct Cell {
    role: String,
    pool: Pool,
}

/// Platform SQL names its schemas.
const PLATFORM_PROLOGUE: &str = "BEGIN; SET LOCAL search_path = pg_catalog";

/// Platform transactions suit every connection alike.
const NO_ISP: i32 = 0;

/// Prepared statements that one connection keeps: those of all ISPs together, and of the few that it serves most. Each is a
/// plan in the backend's memory, some 20 KB.
const STATEMENTS: usize = 768;

/// How long PostgreSQL lets our transactions go on. A dropped query future does not cancel its statement in the server:
/// these do.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub statement: Duration,
    pub lock: Duration,
    pub idle_in_transaction: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            statement: Duration::from_secs(20),
            lock: Duration::from_secs(10),
            idle_in_transaction: Duration::from_secs(30),
        }
    }
}

impl Limits {
    fn options(&self) -> [(&'static str, String); 6] {
        let millis = |d: Duration| format!("{}ms", d.as_millis());
        [
            ("statement_timeout", millis(self.statement)),
            ("lock_timeout", millis(self.lock)),
            ("idle_in_transaction_session_timeout", millis(self.idle_in_transaction)),
            ("application_name", "trunkline".to_owned()),
            // The second fence rolls back where nothing is open, which is no news.
            ("client_min_messages", "error".to_owned()),
            // Our statements are short. Where a table has no statistics yet, PostgreSQL takes them for long ones and compiles
            // them, for a tenth of a second each time.
            ("jit", "off".to_owned()),
        ]
    }
}

impl Database {
    /// Opens a migrated database.
    pub async fn open(settings: DatabaseSettings, clock: Clock) -> Result<Self> {
        let mut admin = connect_admin(&settings).await?;
        let installation = Installation::load(&mut admin)
            .await
            .map_err(Error::internal)?
            .ok_or_else(|| Error::Unavailable("the database has not been migrated: run `trunkline migrate`".into()))?;
        let logins = migration::logins(&mut admin, &settings.secret).await.map_err(failure)?;
        admin.close().await?;
        let options = login(&settings, &installation.platform, &logins)?;
        let places = settings.max_connections.div_ceil(2).max(2);
        let platform = Pool::new(options, places, settings.cancellation_guard);
        // It makes logins: their passwords stand in its statements, which no log may show.
        let options = parse(&settings.admin_url, "DATABASE_ADMIN_URL")?
            .options(settings.limits.options())
            .disable_statement_logging();
        let admin = Pool::new(options, 2, settings.cancellation_guard);
        let wake = Arc::new(Notify::new());
        Ok(Self(Arc::new(Inner {
            settings,
            installation,
            platform,
            admin,
            cells: tokio::sync::RwLock::default(),
            logins: RwLock::new(logins),
            clock,
            wake,
        })))
    }

    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    pub fn installation(&self) -> &Installation {
        &self.0.installation
    }

    pub fn secret(&self) -> &SecretKey {
        &self.0.settings.secret
    }

    /// Signalled when a committed transaction left events or jobs behind.
    pub fn wake(&self) -> &Arc<Notify> {
        &self.0.wake
    }

    pub async fn begin_platform(&self, actor: Arc<Actor>) -> Result<PlatformTx> {
        let conn = self.begin_in(&self.0.platform, NO_ISP, PLATFORM_PROLOGUE).await?;
        Ok(PlatformTx::new(conn, actor, self.0.clock.now()))
    }

    /// As [`Self::begin_platform`], as the administrator: for what no login role may touch.
    pub async fn begin_admin(&self, actor: Arc<Actor>) -> Result<PlatformTx> {
        let conn = begin::begin(&self.0.admin, NO_ISP, PLATFORM_PROLOGUE, self.0.settings.cancellation_guard).await?;
        Ok(PlatformTx::new(conn, actor, self.0.clock.now()))
    }

    pub(super) async fn begin_tenant(&self, tenant: &Tenant, actor: Arc<Actor>, read_only: bool) -> Result<TenantTx> {
        let pool = self.cell(tenant.cell()).await?;
        let prologue = if read_only {
            tenant.begin_read()
        } else {
            tenant.begin_write()
        };
        let conn = self.begin_in(&pool, tenant.number(), prologue).await?;
        Ok(TenantTx::new(
            conn,
            read_only,
            tenant.clone(),
            actor,
            self.0.clock.now(),
            self.0.wake.clone(),
        ))
    }

    /// Without the test clock, time is the machine's, whatever a test left behind.
    pub async fn drop_test_clock(&self) -> Result<()> {
        let tx = self.begin_platform(Arc::new(Actor::System)).await?;
        tx.sql("UPDATE platform.clock SET test_offset = '0' WHERE test_offset <> '0'")
            .run()
            .await?;
        tx.commit().await
    }

    /// Takes over the test clock that another process (or an earlier start) has set.
    pub async fn take_over_test_clock(&self) -> Result<()> {
        let tx = self.begin_platform(Arc::new(Actor::System)).await?;
        let offset: Option<i64> = tx
            .sql("SELECT (extract(epoch FROM test_offset) * 1000000)::bigint FROM platform.clock")
            .scalar()
            .await?;
        self.0.clock.shift(offset.unwrap_or(0));
        Ok(())
    }

    /// Whether the shared schemas have every step that this binary needs. They may have more: while a newer release rolls
    /// out, its steps come first and the replicas of this one go on serving.
    pub async fn is_current(&self) -> Result<bool> {
        let (scopes, versions): (Vec<String>, Vec<i32>) = trunkline_migration::shared_steps()
            .map(|(scope, version)| (scope.to_owned(), version))
            .unzip();
        let needed = scopes.len() as i64;
        let tx = self.begin_platform(Arc::new(Actor::System)).await?;
        let applied: Option<i64> = tx
            .sql("SELECT count(*) FROM platform.migration JOIN unnest($1::text[], $2::integer[]) AS s (scope, version) USING (scope, version)")
            .bind(scopes)
            .bind(versions)
            .scalar()
            .await?;
        Ok(applied == Some(needed))
    }

    /// Sets the test clock, in the database and in this process; others take it over when they start.
    pub async fn set_test_clock(&self, now: DateTime<Utc>) -> Result<()> {
        self.0.clock.set(now);
        let tx = self.begin_platform(Arc::new(Actor::System)).await?;
        tx.sql("UPDATE platform.clock SET test_offset = make_interval(secs => $1::bigint::double precision / 1000000)")
            .bind(self.0.clock.offset().num_microseconds().unwrap_or(0))
            .run()
            .await?;
        tx.commit().await
    }

    /// A transaction as the administrator, for opening an ISP and nothing else.
    pub async fn begin_provision(&self, actor: Arc<Actor>) -> Result<ProvisionTx> {
        let conn = begin::begin(&self.0.admin, NO_ISP, PLATFORM_PROLOGUE, self.0.settings.cancellation_guard).await?;
        Ok(ProvisionTx::new(
            PlatformTx::new(conn, actor, self.0.clock.now()),
            self.clone(),
        ))
    }

    /// A direct connection that hears `channel`.
    pub async fn listen(&self, channel: &str) -> Result<PgListener> {
        let mut listener = PgListener::connect(&self.0.settings.listen_url).await?;
        listener.listen(channel).await?;
        Ok(listener)
    }

    /// How each pool of this process is used, those of all cells together; for operators.
    pub async fn pools(&self) -> [(&'static str, PoolUse); 3] {
        let mut tenants = PoolUse::default();
        for cell in self.0.cells.read().await.values() {
            tenants += cell.pool.usage();
        }
        [
            ("tenants", tenants),
            ("platform", self.0.platform.usage()),
            ("admin", self.0.admin.usage()),
        ]
    }

    pub async fn close(&self) {
        self.0.platform.close().await;
        self.0.admin.close().await;
        for cell in self.0.cells.read().await.values() {
            cell.pool.close().await;
        }
    }

    /// The pool of one cell: opened at its first use.
    async fn cell(&self, id: i32) -> Result<Pool> {
        if let Some(cell) = self.0.cells.read().await.get(&id) {
            return Ok(cell.pool.clone());
        }
        let mut cells = self.0.cells.write().await;
        if let Some(cell) = cells.get(&id) {
            return Ok(cell.pool.clone());
        }
        let role = self
            .begin_platform(Arc::new(Actor::System))
            .await?
            .sql("SELECT login_role::text FROM platform.cell WHERE id = $1")
            .bind(id)
            .scalar::<String>()
            .await?
            .ok_or_else(|| Error::internal(format!("there is no cell {id}")))?;
        let known = self.logins().contains_key(&role);
        if !known {
            // Another process has made this cell.
            self.read_logins().await?;
        }
        let options = login(&self.0.settings, &role, &self.logins())?;
        let pool = Pool::new(options, self.0.settings.max_connections, self.0.settings.cancellation_guard);
        cells.insert(
            id,
            Cell {
                role,
                pool: pool.clone(),
            },
        );
        Ok(pool)
    }

    /// Begins in one of the pools whose role logs in with a password on record. If that was changed since we read it, it is
    /// read again.
    async fn begin_in(&self, pool: &Pool, errand: Errand, prologue: &str) -> Result<Held> {
        let guard = self.0.settings.cancellation_guard;
        match begin::begin(pool, errand, prologue, guard).await {
            Err(e) if matches!(e.sqlstate(), Some("28P01" | "28000")) => {
                self.read_logins().await?;
                begin::begin(pool, errand, prologue, guard).await
            }
            other => other,
        }
    }

    async fn read_logins(&self) -> Result<()> {
        // Through `begin`, which passes over connections that have been ended.
        let tx = self.begin_admin(Arc::new(Actor::System)).await?;
        let read = migration::logins(&mut **tx.conn.lock().await, &self.0.settings.secret)
            .await
            .map_err(failure)?;
        drop(tx);
        let (settings, installation) = (&self.0.settings, &self.0.installation);
        self.0.platform.connect_with(login(settings, &installation.platform, &read)?);
        if let Ok(cells) = self.0.cells.try_read() {
            for cell in cells.values() {
                cell.pool.connect_with(login(settings, &cell.role, &read)?);
            }
        }
        *self.0.logins.write().unwrap_or_else(PoisonError::into_inner) = read;
        Ok(())
    }

    fn logins(&self) -> HashMap<String, String> {
        self.0.logins.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Role and password of FreeRADIUS, as they are now.
    pub async fn radius_login(&self) -> Result<(String, String)> {
        self.read_logins().await?;
        let role = self.0.installation.radiusd.clone();
        let password = self.logins().remove(&role).ok_or_else(|| no_password(&role))?;
        Ok((role, password))
    }
}

/// Gives the login roles new passwords, FreeRADIUS' too if asked; whose. On a connection whose statements are in no log:
/// the passwords stand in them.
pub async fn rotate_logins(settings: &DatabaseSettings, radius: bool) -> Result<Vec<String>> {
    let mut admin = connect_admin(settings).await?;
    let roles = migration::rotate_logins(&mut admin, &settings.secret, radius).await;
    roles.map_err(failure)
}

async fn connect_admin(settings: &DatabaseSettings) -> Result<PgConnection> {
    let options: PgConnectOptions = settings.admin_url.parse()?;
    // a script of a thousand lines that took a second is no news
    Ok(PgConnection::connect_with(&options.disable_statement_logging()).await?)
}

/// How to connect as one of the installation's login roles.
fn login(settings: &DatabaseSettings, role: &str, logins: &HashMap<String, String>) -> Result<PgConnectOptions> {
    let password = logins.get(role).ok_or_else(|| no_password(role))?;
    Ok(parse(&settings.url, "DATABASE_URL")?
        .username(role)
        .password(password)
        .options(settings.limits.options())
        .statement_cache_capacity(STATEMENTS))
}

fn no_password(role: &str) -> Error {
    Error::Unavailable(format!("no password of {role} is on record: run `trunkline migrate`"))
}

fn parse(url: &str, name: &str) -> Result<PgConnectOptions> {
    url.parse()
        .map_err(|e: sqlx::Error| Error::Unavailable(format!("{name}: {e}")))
}
