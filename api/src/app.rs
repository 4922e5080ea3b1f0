//! The running server's parts, put together once at start.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use trunkline_domain::identity::Authenticator;
use trunkline_domain::jobs::{Worker, WorkerSettings};
use trunkline_domain::kernel::Clock;
use trunkline_domain::kernel::db::{Database, DatabaseSettings};
use trunkline_domain::tenants::Directory;

use crate::adapters::dns::Dns;
use crate::adapters::render::{self, Renderers};
use crate::config::Config;
use crate::graphql::{self, ApiSchema};
use crate::http::{Documents, exports};
use crate::limits::Limits;
use crate::turns::Turns;

/// What every request and job stands on. Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Parts>);

pub struct Parts {
    pub config: Config,
    pub database: Database,
    pub directory: Directory,
    pub authenticator: Authenticator,
    pub dns: Dns,
    pub renderers: Renderers,
    /// Of exports under way.
    pub exports: Turns,
    pub schema: ApiSchema,
    pub worker: Worker,
    pub limits: Limits,
    pub documents: Documents,
    /// Told to stop: it is ready for nothing new.
    pub stopping: AtomicBool,
}

impl std::ops::Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl App {
    /// Opens a migrated database and builds the server over it. `settings` say how to reach it.
    pub async fn open(config: Config, settings: DatabaseSettings, clock: Clock) -> anyhow::Result<Self> {
        let database = Database::open(settings, clock).await?;
        match config.test_clock {
            true => database.take_over_test_clock().await?,
            false => database.drop_test_clock().await?,
        }
        let directory = Directory::new(database.clone(), &config.base_domain);
        let authenticator = Authenticator::new(database.clone());
        let dns = Dns::new(config.dns_server);
        let renderers = Renderers::new(config.renderer.clone(), render::Limits::default());
        let settings = WorkerSettings {
            places: config.worker_places as usize,
            lease: Duration::from_secs(config.worker_lease_seconds.into()),
            ..WorkerSettings::default()
        };
        let worker = Worker::new(database.clone(), Arc::new(trunkline_domain::registry()), settings);
        Ok(Self(Arc::new(Parts {
            limits: Limits::new(config.api_rate),
            documents: Documents::default(),
            stopping: AtomicBool::new(false),
            config,
            database,
            directory,
            authenticator,
            dns,
            renderers,
            exports: Turns::new(exports::OF_ONE),
            schema: graphql::schema(),
            worker,
        })))
    }
}
