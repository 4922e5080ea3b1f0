//! `trunkline demo`: three ISPs under one director on one machine, with their own PostgreSQL and FreeRADIUS.
//!
//! Everything is made by the product's own use cases (`story`); a mark in the platform's audit trail says that it was made
//! to the end. A demo that was killed before is started over, never continued in the middle.

mod banner;
mod cast;
mod people;
mod sessions;
mod story;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use serde_json::json;
use tokio::net::TcpListener;
use trunkline_domain::kernel::crypto::SecretKey;
use trunkline_domain::{Actor, Clock};
use url::Url;
use uuid::Uuid;

use crate::app::App;
use crate::config::{Config, Secret};
use crate::embedded::Embedded;
use crate::freeradius::{self, FreeRadius};
use crate::{cli, migrate, secret, serve};

/// How far an earlier demo got in a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Empty,
    Begun,
    Complete,
    /// There are ISPs, and no demo made them.
    Foreign,
}

const BEGUN: &str = "demoBegin";
const COMPLETE: &str = "demoComplete";

/// Runs until Ctrl-C, and stops what it has started. `fresh` throws an earlier demo away.
pub async fn run(mut config: Config, fresh: bool) -> Result<()> {
    let begun = Instant::now();
    let dir = secret::data_dir(&config).join("demo");
    config.data_dir = Some(dir.clone());
    let secret = secret::secret_key(&config)?;

    let (mut embedded, mut app) = open(&config, &dir, fresh, &secret).await?;
    let mut state = state(&app).await?;
    if state == State::Begun && embedded.is_some() {
        banner::say("An earlier demo was interrupted while its data was made; starting over.");
        app.database.close().await;
        stop(embedded.take()).await?;
        (embedded, app) = open(&config, &dir, true, &secret).await?;
        state = State::Empty;
    }
    match state {
        State::Complete => banner::say("Going on with the demo's data (make demo ARGS=--fresh starts over)."),
        State::Empty => make(&app).await?,
        State::Begun => bail!("an earlier demo in DATABASE_URL was interrupted: give it an empty database"),
        State::Foreign => bail!("DATABASE_URL holds ISPs that no demo made: give the demo a database of its own"),
    }

    let radius = start_radius(&app, &dir).await;
    let listener = listen(app.config.listen).await?;
    let address = listener.local_addr()?;
    let asked = crate::stop::asked()?;
    banner::print(&app, address, radius.as_ref().ok(), begun.elapsed()).await?;
    if let Err(e) = &radius {
        banner::say(&format!("RADIUS is off: {e:#}"));
    }
    let served = serve::run(app, Some(listener), true, asked).await;
    banner::say("\nStopping…");
    if let Ok(radius) = radius {
        radius.stop().await?;
    }
    stop(embedded).await?;
    banner::say("Everything is stopped. The data stays for the next time.");
    served
}

async fn open(config: &Config, dir: &Path, fresh: bool, secret: &SecretKey) -> Result<(Option<Embedded>, App)> {
    let (embedded, url) = match &config.database_url {
        Some(_) if fresh => bail!("--fresh does not empty the database of DATABASE_URL: do that yourself"),
        Some(url) => (None, url.reveal().to_owned()),
        None => {
            let embedded = Embedded::start(dir, fresh).await?;
            let url = embedded.url.clone();
            (Some(embedded), url)
        }
    };
    let mut config = config.clone();
    config.database_url = Some(Secret::new(url.clone()));
    let settings = cli::settings_for(&config, &url, secret.clone());
    migrate::before_start(&settings).await?;
    let app = App::open(config, settings, Clock::system()).await?;
    Ok((embedded, app))
}

async fn stop(embedded: Option<Embedded>) -> Result<()> {
    match embedded {
        Some(embedded) => embedded.stop().await,
        None => Ok(()),
    }
}

async fn state(app: &App) -> Result<State> {
    let tx = app.database.begin_platform(Arc::new(Actor::System)).await?;
    let marks: Option<Vec<String>> = tx
        .sql("SELECT coalesce(array_agg(action), '{}') FROM platform.audit_entry WHERE action IN ('demoBegin', 'demoComplete')")
        .scalar()
        .await?;
    let marks = marks.unwrap_or_default();
    let tenants: i64 = tx.sql("SELECT count(*) FROM platform.tenant").scalar().await?.unwrap_or(0);
    Ok(match tenants {
        _ if marks.iter().any(|m| m == COMPLETE) => State::Complete,
        _ if marks.iter().any(|m| m == BEGUN) => State::Begun,
        0 => State::Empty,
        _ => State::Foreign,
    })
}

async fn mark(app: &App, action: &'static str) -> Result<()> {
    let tx = app.database.begin_platform(Arc::new(Actor::System)).await?;
    tx.audit(action, Uuid::nil(), json!({})).await?;
    Ok(tx.commit().await?)
}

async fn make(app: &App) -> Result<()> {
    banner::say("Making three months of three ISPs…");
    mark(app, BEGUN).await?;
    let begun = Instant::now();
    story::tell(app, &radius_url(app).await?, banner::progress).await?;
    mark(app, COMPLETE).await?;
    banner::say(&format!("… made in {} s.", begun.elapsed().as_secs()));
    Ok(())
}

/// The database as FreeRADIUS' login role sees it.
async fn radius_url(app: &App) -> Result<String> {
    let mut url = Url::parse(database_url(app)?).context("DATABASE_URL")?;
    let (role, password) = app.database.radius_login().await?;
    let set = url.set_username(&role).and_then(|()| url.set_password(Some(&password)));
    set.map_err(|()| anyhow::anyhow!("DATABASE_URL has no host"))?;
    Ok(url.into())
}

fn database_url(app: &App) -> Result<&str> {
    let url = app.config.database_url.as_ref().context("no database")?;
    Ok(url.reveal())
}

async fn start_radius(app: &App, dir: &Path) -> Result<FreeRadius> {
    let (user, password) = app.database.radius_login().await?;
    let settings = freeradius::Settings {
        dir: &dir.join("freeradius"),
        auth_port: app.config.radius_auth_port,
        acct_port: app.config.radius_acct_port,
        database_url: database_url(app)?,
        user: &user,
        password: &password,
    };
    FreeRadius::start(&settings).await
}

/// The configured address, or the next port that is free.
async fn listen(address: SocketAddr) -> Result<TcpListener> {
    for port in address.port()..=address.port().saturating_add(100) {
        match TcpListener::bind((address.ip(), port)).await {
            Err(e) if e.kind() == std::io::ErrorKind::AddrInUse => {}
            other => return other.with_context(|| format!("cannot listen on {address}")),
        }
    }
    bail!("no free port from {address} on")
}
