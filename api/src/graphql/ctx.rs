//! One request: who asks, on which host, and the ways to the database that this opens.

use std::sync::Arc;
use std::time::Duration;

use crate::app::App;
use crate::cookies::Cookies;
use async_graphql::Context;
use async_graphql::dataloader::DataLoader;
use async_graphql::runtime::TokioTimer;
use futures::task::{FutureObj, Spawn, SpawnError};
use tokio::sync::Mutex;
use tracing::Instrument;
use trunkline_domain::identity::Client;
use trunkline_domain::kernel::db::{Database, PlatformTx, Tenant, TenantDb, TenantTx};
use trunkline_domain::kernel::ids::UserSessionId;
use trunkline_domain::network::RadiusEndpoint;
/// Which of our hosts was asked.
pub use trunkline_domain::tenants::Site as Host;
use trunkline_domain::{Actor, Error, Result};

/// How somebody asks: in which session, from where, and with which cookies.
#[derive(Default)]
pub struct Asker {
    /// None: nobody has signed in.
    pub session: Option<UserSessionId>,
    pub client: Client,
    pub cookies: Cookies,
}

/// Runs loaders as tasks of the request that waits for them: what they log names it.
struct WithinSpan;

impl Spawn for WithinSpan {
    fn spawn_obj(&self, task: FutureObj<'static, ()>) -> Result<(), SpawnError> {
        tokio::spawn(task.in_current_span());
        Ok(())
    }
}

/// What a resolver may reach. Built anew for each request: nothing in it is shared between two.
pub struct RequestCtx {
    /// The server's parts that outlive requests: directory, authenticator, settings.
    pub app: App,
    pub database: Database,
    pub host: Host,
    pub actor: Arc<Actor>,
    pub asker: Asker,
    /// `scheme://host[:port]` that the caller used, for absolute links.
    pub origin: String,
    radius: RadiusEndpoint,
    reader: Arc<Reader>,
    loader: DataLoader<Lookup>,
    platform_loader: DataLoader<PlatformLookup>,
}

impl RequestCtx {
    pub fn new(app: &App, host: Host, actor: impl Into<Arc<Actor>>, origin: String) -> Self {
        let database = app.database.clone();
        let actor = actor.into();
        let db = match &host {
            Host::Platform => None,
            Host::Tenant(tenant) => Some(TenantDb::new(database.clone(), tenant.clone(), actor.clone())),
        };
        let reader = Arc::new(Reader {
            db,
            actor: actor.clone(),
            tx: Mutex::new(None),
        });
        let loader = DataLoader::new(Lookup(reader.clone()), WithinSpan, TokioTimer::default()).delay(Duration::from_micros(50));
        let platform_lookup = PlatformLookup {
            database: database.clone(),
            host: host.clone(),
            actor: actor.clone(),
        };
        let platform_loader =
            DataLoader::new(platform_lookup, WithinSpan, TokioTimer::default()).delay(Duration::from_micros(50));
        let radius = RadiusEndpoint {
            address: app.config.radius_address.clone(),
            auth_port: app.config.radius_auth_port,
            acct_port: app.config.radius_acct_port,
        };
        Self {
            app: app.clone(),
            database,
            host,
            actor,
            asker: Asker::default(),
            origin,
            radius,
            reader,
            loader,
            platform_loader,
        }
    }

    /// Says how its actor asks.
    #[must_use]
    pub fn asked_by(self, asker: Asker) -> Self {
        Self { asker, ..self }
    }

    pub fn tenant(&self) -> Option<&Tenant> {
        match &self.host {
            Host::Platform => None,
            Host::Tenant(tenant) => Some(tenant),
        }
    }

    /// Where routers are told to send RADIUS packets to.
    pub fn radius(&self) -> &RadiusEndpoint {
        &self.radius
    }

    /// Reads in the request's one read-only transaction.
    pub async fn read<T>(&self, work: impl AsyncFn(&TenantTx) -> Result<T>) -> Result<T> {
        self.reader.read(work).await
    }

    /// Ends the reading transaction before something slow is waited for; the next read opens another.
    pub async fn release(&self) {
        self.reader.release().await;
    }

    /// For work that divides itself into transactions of its own, or takes back what it does.
    pub async fn apart(&self) -> Result<&TenantDb> {
        self.reader.release().await;
        self.reader.db()
    }

    /// Runs a use case in a transaction of its own; what is read afterwards sees what it wrote.
    pub async fn write<T>(&self, work: impl AsyncFn(&TenantTx) -> Result<T>) -> Result<T> {
        self.reader.release().await;
        self.reader.db()?.write(work).await
    }

    /// Loads objects by id, those of one tick together.
    pub fn loader(&self) -> &DataLoader<Lookup> {
        &self.loader
    }

    /// As [`Self::loader`], for objects of the platform.
    pub fn platform_loader(&self) -> &DataLoader<PlatformLookup> {
        &self.platform_loader
    }

    /// A transaction on the platform schema; only on the platform's host.
    pub async fn platform(&self) -> Result<PlatformTx> {
        platform(&self.database, &self.host, &self.actor).await
    }

    /// The ISP whose host was asked, for what is done there only.
    pub fn on_tenant_host(&self) -> Result<&Tenant> {
        self.tenant().ok_or_else(|| elsewhere(&self.actor))
    }

    /// For what anybody may do on the platform's host, and nobody elsewhere.
    pub fn on_platform_host(&self) -> Result<()> {
        match &self.host {
            Host::Platform => Ok(()),
            Host::Tenant(_) => Err(elsewhere(&self.actor)),
        }
    }

    /// For what is done on the platform's host only, and by somebody who has signed in.
    pub fn require_platform_host(&self) -> Result<()> {
        match (&self.host, &*self.actor) {
            (Host::Platform, Actor::Anonymous) => Err(Error::Unauthenticated),
            (Host::Platform, _) => Ok(()),
            (Host::Tenant(_), actor) => Err(elsewhere(actor)),
        }
    }
}

async fn platform(database: &Database, host: &Host, actor: &Arc<Actor>) -> Result<PlatformTx> {
    match host {
        Host::Platform => database.begin_platform(actor.clone()).await,
        Host::Tenant(_) => Err(elsewhere(actor)),
    }
}

/// What is asked on a host that does not serve it is not permitted there.
fn elsewhere(actor: &Actor) -> Error {
    match actor {
        Actor::Anonymous => Error::Unauthenticated,
        _ => Error::Forbidden,
    }
}

/// Shorthand for resolvers.
pub trait CtxExt {
    fn rq(&self) -> &RequestCtx;
}

impl CtxExt for Context<'_> {
    fn rq(&self) -> &RequestCtx {
        self.data_unchecked::<RequestCtx>()
    }
}

/// The request's read-only transaction, opened at its first use.
pub struct Reader {
    db: Option<TenantDb>,
    actor: Arc<Actor>,
    tx: Mutex<Option<Arc<TenantTx>>>,
}

impl Reader {
    fn db(&self) -> Result<&TenantDb> {
        self.db.as_ref().ok_or_else(|| elsewhere(&self.actor))
    }

    pub async fn read<T>(&self, work: impl AsyncFn(&TenantTx) -> Result<T>) -> Result<T> {
        let tx = self.open().await?;
        self.db()?.twice(&tx, work).await
    }

    async fn open(&self) -> Result<Arc<TenantTx>> {
        let mut slot = self.tx.lock().await;
        if let Some(tx) = slot.as_ref() {
            return Ok(tx.clone());
        }
        let tx = Arc::new(self.db()?.begin(true).await?);
        *slot = Some(tx.clone());
        Ok(tx)
    }

    async fn release(&self) {
        self.tx.lock().await.take();
    }
}

/// Loads objects of the platform by id, each batch in a transaction of its own.
pub struct PlatformLookup {
    database: Database,
    host: Host,
    actor: Arc<Actor>,
}

impl PlatformLookup {
    pub async fn begin(&self) -> Result<PlatformTx> {
        platform(&self.database, &self.host, &self.actor).await
    }
}

/// Loads by id; each capability implements `Loader` for its ids.
pub struct Lookup(pub Arc<Reader>);

/// Implements `Loader` for one kind of id: `lookup!(PlanId => plans::Plan, plans::by_ids, |plan| plan.id);`
macro_rules! lookup {
    ($id:ty => $value:ty, $by_ids:path, $key:expr) => {
        impl async_graphql::dataloader::Loader<$id> for $crate::graphql::ctx::Lookup {
            type Value = $value;
            type Error = $crate::graphql::error::ApiError;

            async fn load(&self, ids: &[$id]) -> Result<std::collections::HashMap<$id, $value>, Self::Error> {
                let ids = ids.to_vec();
                let found: Vec<$value> = self.0.read(async move |tx| $by_ids(tx, &ids).await).await?;
                let key: fn(&$value) -> $id = $key;
                Ok(found.into_iter().map(|v| (key(&v), v)).collect())
            }
        }
    };
}
pub(crate) use lookup;
