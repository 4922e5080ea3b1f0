//! The long-running commands.

use std::io::IsTerminal;
use std::time::Duration;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use trunkline_domain::identity;
use trunkline_domain::jobs;
use trunkline_domain::kernel::Clock;

use crate::app::App;
use crate::cli;
use crate::config::Config;
use crate::embedded::Embedded;
use crate::http::server::Patience;
use crate::{http, migrate, secret};

pub fn init_tracing(config: &Config) -> anyhow::Result<()> {
    let filter =
        tracing_subscriber::EnvFilter::try_new(&config.log).with_context(|| format!("log: {:?} is not a filter", config.log))?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    if config.log_json {
        builder.json().init()
    } else {
        builder.init()
    }
    Ok(())
}

pub async fn serve(config: Config, with_worker: bool) -> anyhow::Result<()> {
    let (app, embedded) = open(config).await?;
    let listener = TcpListener::bind(app.config.listen)
        .await
        .with_context(|| format!("cannot listen on {}", app.config.listen))?;
    run(app, listener, with_worker, stopped()).await?;
    stop(embedded).await
}

pub async fn work(config: Config) -> anyhow::Result<()> {
    let (app, embedded) = open(config).await?;
    let (stopping, stop_work) = watch::channel(false);
    tokio::join!(background(&app, true, stop_work), async {
        stopped().await;
        let _ = stopping.send(true);
    });
    app.database.close().await;
    stop(embedded).await
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

async fn stop(embedded: Option<Embedded>) -> anyhow::Result<()> {
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

/// Serves until `stop`; requests under way are finished.
pub async fn run(
    app: App,
    listener: TcpListener,
    with_worker: bool,
    stop: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<()> {
    tracing::info!(address = %listener.local_addr()?, worker = with_worker, "serving");
    let ops = match app.config.ops_listen {
        Some(address) => Some(
            TcpListener::bind(address)
                .await
                .with_context(|| format!("cannot listen on {address}"))?,
        ),
        None => None,
    };
    let (stopping, mut stopped) = watch::channel(false);
    let mut ops_stopped = stopped.clone();
    let worker = background(&app, with_worker, stopped.clone());
    tokio::pin!(worker);
    let until_stopped = async move {
        let _ = stopped.wait_for(|s| *s).await;
    };
    let server = http::server::serve(listener, http::router(app.clone()), Patience::default(), until_stopped);
    let ops_server = async {
        match ops {
            Some(listener) => {
                let stop = async move {
                    let _ = ops_stopped.wait_for(|s| *s).await;
                };
                axum::serve(listener, http::ops_router(app.clone()))
                    .with_graceful_shutdown(stop)
                    .await
            }
            None => std::future::pending().await,
        }
    };
    tokio::pin!(stop);
    tokio::pin!(server);
    tokio::select! {
        () = &mut server => {}
        outcome = ops_server => outcome?,
        () = &mut worker => {}
        () = &mut stop => {
            let _ = stopping.send(true);
            // The worker has a grace of its own.
            let _ = tokio::join!(tokio::time::timeout(Duration::from_secs(20), &mut server), &mut worker);
        }
    }
    app.database.close().await;
    Ok(())
}

/// What runs beside the requests until told to stop: hearing of changes made elsewhere, and with the worker jobs and their
/// schedule. The worker finishes what it is running.
async fn background(app: &App, with_worker: bool, stop: watch::Receiver<bool>) {
    let told = |mut stop: watch::Receiver<bool>| async move {
        let _ = stop.wait_for(|s| *s).await;
    };
    let beside = async {
        if with_worker {
            tokio::join!(app.directory.clone().listen(), schedule(app), upkeep(app));
        } else {
            app.directory.clone().listen().await;
        }
    };
    let working = async {
        if with_worker {
            app.worker.run(told(stop.clone())).await;
        }
    };
    tokio::join!(working, async {
        tokio::select! {
            () = beside => {}
            () = told(stop.clone()) => {}
        }
    });
}

async fn schedule(app: &App) {
    let mut ticks = tokio::time::interval(Duration::from_secs(20));
    loop {
        ticks.tick().await;
        if let Err(e) = jobs::schedule_daily(&app.database, trunkline_domain::DAILY_JOBS).await {
            tracing::error!(error = %e, "renewals were not scheduled");
        }
    }
}

async fn upkeep(app: &App) {
    let mut ticks = tokio::time::interval(Duration::from_secs(60));
    loop {
        ticks.tick().await;
        if let Err(e) = jobs::upkeep(&app.database).await {
            tracing::error!(error = %e, "upkeep failed");
        }
        if let Err(e) = identity::upkeep(&app.database).await {
            tracing::error!(error = %e, "upkeep of identity failed");
        }
    }
}

/// Ctrl-C or SIGTERM.
pub async fn stopped() {
    let terminated = async {
        match signal(SignalKind::terminate()) {
            Ok(mut s) => {
                s.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminated => {}
    }
}
