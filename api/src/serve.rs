//! The long-running commands.

use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::sync::watch;
use trunkline_domain::identity;
use trunkline_domain::jobs;
use trunkline_domain::kernel::Clock;

use crate::app::App;
use crate::cli;
use crate::config::Config;
use crate::embedded::Embedded;
use crate::http::server::Patience;
use crate::stop::{self, Stop};
use crate::{http, migrate, observe, secret};

/// After SIGTERM's drain, requests that are under way have so long to end. With the drain and the worker's own grace this
/// stays below the half minute that supervisors usually wait.
const GRACE: Duration = Duration::from_secs(20);

pub async fn serve(config: Config, with_worker: bool) -> anyhow::Result<()> {
    let (app, embedded) = open(config).await?;
    let listener = TcpListener::bind(app.config.listen)
        .await
        .with_context(|| format!("cannot listen on {}", app.config.listen))?;
    run(app, Some(listener), with_worker, stop::asked()?).await?;
    stop_embedded(embedded).await
}

pub async fn work(config: Config) -> anyhow::Result<()> {
    let (app, embedded) = open(config).await?;
    run(app, None, true, stop::asked()?).await?;
    stop_embedded(embedded).await
}

/// Opens the configured database, or an embedded one where none is configured; an empty one is migrated.
async fn open(config: Config) -> anyhow::Result<(App, Option<Embedded>)> {
    let secret = secret::secret_key(&config)?;
    let (url, embedded) = match &config.database_url {
        Some(url) => (url.reveal().to_owned(), None),
        None => {
            let embedded = Embedded::start(&secret::data_dir(&config), false).await?;
            tracing::info!("embedded PostgreSQL started");
            (embedded.url.clone(), Some(embedded))
        }
    };
    let settings = cli::settings_for(&config, &url, secret);
    migrate::before_start(&settings).await?;
    let app = App::open(config, settings, Clock::system()).await?;
    first_admin(&app).await?;
    Ok((app, embedded))
}

async fn stop_embedded(embedded: Option<Embedded>) -> anyhow::Result<()> {
    match embedded {
        Some(embedded) => embedded.stop().await,
        None => Ok(()),
    }
}

/// Makes the first platform sign-in, if one is configured.
pub async fn first_admin(app: &App) -> anyhow::Result<()> {
    if let (Some(email), Some(password)) = (&app.config.admin_email, &app.config.admin_password) {
        identity::ensure_first_admin(&app.database, email, password.reveal()).await?;
    }
    Ok(())
}

/// Serves on the listener, works, and tells operators how it goes, until `asked` to stop; then in order: not ready any more
/// and no new jobs, the drain, no new connections, and an end when what is under way has ended.
pub async fn run(
    app: App,
    listener: Option<TcpListener>,
    with_worker: bool,
    asked: impl Future<Output = Stop> + Send + 'static,
) -> anyhow::Result<()> {
    let ops = ops(&app).await?;
    if let Some(listener) = &listener {
        tracing::info!(address = %listener.local_addr()?, worker = with_worker, "serving");
    } else {
        tracing::info!("working");
    }
    let (phase, phases) = watch::channel(Phase::Running);
    let told = |at_least: Phase| {
        let mut phases = phases.clone();
        async move {
            let _ = phases.wait_for(|phase| *phase >= at_least).await;
        }
    };
    let (drains, drain) = (listener.is_some(), Duration::from_secs(app.config.drain_seconds.into()));
    let end = async {
        let how = asked.await;
        app.stopping.store(true, Ordering::Relaxed);
        phase.send_replace(Phase::Draining);
        if drains && how == Stop::Draining && !drain.is_zero() {
            tracing::info!(seconds = drain.as_secs(), "told to stop: still serving");
            tokio::time::sleep(drain).await;
        }
        tracing::info!("stopping");
        phase.send_replace(Phase::Closing);
    };
    let served = async {
        let Some(listener) = listener else { return };
        let server = http::server::serve(listener, http::router(app.clone()), Patience::default(), told(Phase::Closing));
        tokio::select! {
            () = server => {}
            () = async { told(Phase::Closing).await; tokio::time::sleep(GRACE).await } => {
                tracing::warn!("requests that did not end in time are cut off");
            }
        }
    };
    let worked = async {
        if with_worker {
            app.worker.run(told(Phase::Draining)).await;
        }
    };
    tokio::select! {
        outcome = ops => outcome?,
        _ = async { tokio::join!(end, served, worked, beside(&app, with_worker, told(Phase::Closing))) } => {}
    }
    app.database.close().await;
    Ok(())
}

/// On the way to the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Running,
    Draining,
    Closing,
}

/// Serves operators, where that is wanted, for as long as it is polled.
async fn ops(app: &App) -> anyhow::Result<impl Future<Output = std::io::Result<()>> + use<>> {
    let listener = match app.config.ops_listen {
        Some(address) => {
            observe::metrics::install()?;
            let listener = TcpListener::bind(address).await;
            Some(listener.with_context(|| format!("cannot listen on {address}"))?)
        }
        None => None,
    };
    let router = http::ops_router(app.clone());
    Ok(async {
        match listener {
            Some(listener) => {
                tokio::select! {
                    outcome = async { axum::serve(listener, router).await } => outcome,
                    never = observe::metrics::upkeep() => match never {},
                }
            }
            None => std::future::pending().await,
        }
    })
}

/// What runs beside requests and jobs until told to stop: hearing of changes made elsewhere, and with the worker its schedule.
async fn beside(app: &App, with_worker: bool, stop: impl Future<Output = ()>) {
    let all = async {
        if with_worker {
            tokio::join!(app.directory.clone().listen(), schedule(app), upkeep(app));
        } else {
            app.directory.clone().listen().await;
        }
    };
    tokio::select! {
        () = all => {}
        () = stop => {}
    }
}

async fn schedule(app: &App) {
    let mut ticks = tokio::time::interval(Duration::from_secs(20));
    loop {
        ticks.tick().await;
        if let Err(e) = jobs::schedule_daily(&app.database, trunkline_domain::DAILY_JOBS).await {
            tracing::error!(error = e.summary(), "renewals were not scheduled");
        }
    }
}

async fn upkeep(app: &App) {
    let mut ticks = tokio::time::interval(Duration::from_secs(60));
    loop {
        ticks.tick().await;
        if let Err(e) = jobs::upkeep(&app.database).await {
            tracing::error!(error = e.summary(), "upkeep failed");
        }
        if let Err(e) = identity::upkeep(&app.database).await {
            tracing::error!(error = e.summary(), "upkeep of identity failed");
        }
    }
}
