//! The embedded PostgreSQL: what runs when there is no `DATABASE_URL`.
//!
//! It uses the server binaries that are installed (`/usr/lib/postgresql/<version>`, as Debian puts them); where there are
//! none the crate downloads some, which is untested. PostgreSQL refuses to run as root, so a keeper (see [`crate::tether`])
//! sets the cluster up, starts it, and stops it when we end; if we are root, the keeper runs as an unprivileged user.
//!
//! ```text
//! <data dir>/               0711
//!   postgresql/             0700, the unprivileged user's
//!     lock                  held as long as a keeper lives
//!     password, port
//!     data/                 the cluster
//! ```

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::{self, File, TryLockError};
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use postgresql_embedded::{PostgreSQL, SettingsBuilder};
use rand::distr::{Alphanumeric, SampleString};
use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::tether::{Tether, private_dir, unprivileged};

/// The database in the cluster.
pub const DATABASE: &str = "trunkline";
const INSTALLED: &str = "/usr/lib/postgresql";
/// Where a fresh cluster first tries to listen; away from 5432, which is Debian's own.
const FIRST_PORT: u16 = 54_320;

/// A running embedded PostgreSQL. It stops when this is dropped or the process ends in any way.
#[derive(Debug)]
pub struct Embedded {
    /// A superuser's URL of [`DATABASE`].
    pub url: String,
    tether: Tether,
}

/// What the keeper says on its standard output.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Word {
    Url(String),
    Error(String),
}

impl Embedded {
    /// Starts the cluster under `data_dir`, made first if there is none. `fresh` removes an earlier one with all its data.
    pub async fn start(data_dir: &Path, fresh: bool) -> Result<Self> {
        let user = unprivileged(&["postgres", "nobody"])?;
        fs::create_dir_all(data_dir).with_context(|| format!("cannot make {}", data_dir.display()))?;
        let data_dir = data_dir.canonicalize()?;
        if user.is_some() {
            // others may pass through, to what is theirs, but not look around
            fs::set_permissions(&data_dir, fs::Permissions::from_mode(0o711))?;
        }
        let dir = data_dir.join("postgresql");
        private_dir(&dir, user.as_ref(), 0o700)?;

        let mut args = vec![OsStr::new("embedded-postgres"), OsStr::new("--dir"), dir.as_os_str()];
        if fresh {
            args.push(OsStr::new("--fresh"));
        }
        let mut tether = Tether::start("PostgreSQL", &args, user.as_ref(), |c| {
            // one collation whatever the caller's locale, and no settings of the caller's own
            c.stdout(Stdio::piped()).env("LC_ALL", "C.UTF-8");
            for (name, _) in std::env::vars_os().filter(|(n, _)| n.as_encoded_bytes().starts_with(b"PG")) {
                c.env_remove(name);
            }
        })?;
        let said = tether.child().stdout.take().context("the keeper has no output")?;
        let line = BufReader::new(said).lines().next_line().await?;
        let line = line.with_context(|| match &user {
            Some(user) => format!(
                "the embedded PostgreSQL's keeper ended at once; can the user {} run this binary and enter {}?",
                user.name,
                dir.display()
            ),
            None => "the embedded PostgreSQL's keeper ended at once".to_owned(),
        })?;
        match serde_json::from_str(&line)? {
            Word::Url(url) => Ok(Self { url, tether }),
            Word::Error(e) => bail!("the embedded PostgreSQL does not start: {e}"),
        }
    }

    /// Whether it ended by itself.
    pub fn ended(&mut self) -> bool {
        self.tether.ended()
    }

    /// Stops it and waits until it is down.
    pub async fn stop(self) -> Result<()> {
        self.tether.stop().await
    }
}

/// `TRUNKLINE_DATA_DIR` overrides this.
pub fn default_data_dir() -> PathBuf {
    if crate::tether::is_root() {
        return PathBuf::from("/var/lib/trunkline");
    }
    let share = std::env::var_os("XDG_DATA_HOME")
        .map(PathBuf::from)
        .filter(|p| p.is_absolute());
    let home = || {
        std::env::home_dir()
            .unwrap_or_else(|| PathBuf::from("/tmp"))
            .join(".local/share")
    };
    share.unwrap_or_else(home).join("trunkline")
}

/// The keeper (`trunkline embedded-postgres`): says the URL, stays until its standard input closes, stops PostgreSQL.
pub async fn keep(dir: &Path, fresh: bool) -> Result<()> {
    let started = start(dir, fresh).await;
    let word = match &started {
        Ok((_, url, _)) => Word::Url(url.clone()),
        Err(e) => Word::Error(format!("{e:#}")),
    };
    let said = writeln!(std::io::stdout(), "{}", serde_json::to_string(&word)?);
    let Ok((server, _, _lock)) = started else { return Ok(()) };
    if said.is_ok() {
        crate::tether::let_go().await;
    }
    server.stop().await?;
    Ok(())
}

async fn start(dir: &Path, fresh: bool) -> Result<(PostgreSQL, String, File)> {
    let lock = lock(dir).await?;
    let data = dir.join("data");
    stop_orphan(dir).await?;
    if fresh || !data.join("trunkline.ready").exists() {
        // none, or one whose initdb was interrupted
        if data.exists() {
            fs::remove_dir_all(&data).with_context(|| format!("cannot remove {}", data.display()))?;
        }
        let _ = fs::remove_file(dir.join("password"));
    }
    let mut settings = SettingsBuilder::new()
        .temporary(false)
        .host("127.0.0.1")
        .port(port(dir)?)
        .password(password(dir)?)
        .password_file(dir.join("password"))
        .data_dir(&data)
        .timeout(Some(Duration::from_secs(180)))
        .build();
    match installed(&data)? {
        Some(installation) => {
            settings.installation_dir = installation;
            settings.trust_installation_dir = true;
        }
        None => settings.installation_dir = dir.join("download"),
    }
    settings.configuration = configuration(dir);

    let mut server = PostgreSQL::new(settings);
    server.setup().await?;
    fs::write(data.join("trunkline.ready"), "")?;
    if let Err(e) = server.start().await {
        let log = fs::read_to_string(data.join("start.log")).unwrap_or_default();
        let tail: Vec<_> = log.lines().rev().take(5).collect();
        return Err(anyhow!("{e}\n{}", tail.into_iter().rev().collect::<Vec<_>>().join("\n")));
    }
    fs::write(dir.join("port"), server.settings().port.to_string())?;
    if !server.database_exists(DATABASE).await? {
        server.create_database(DATABASE).await?;
    }
    let url = server.settings().url(DATABASE);
    Ok((server, url, lock))
}

fn configuration(dir: &Path) -> HashMap<String, String> {
    let socket_dir = dir.to_str().filter(|path| {
        // it travels through a shell, and a socket's path holds 107 bytes
        path.len() < 90 && path.bytes().all(|b| b.is_ascii_alphanumeric() || b"/._-".contains(&b))
    });
    [
        // the crate starts PostgreSQL with -F (no fsync): payments must survive a power cut here too
        ("fsync", "on"),
        ("listen_addresses", "127.0.0.1"),
        ("unix_socket_directories", socket_dir.unwrap_or("")),
        ("max_connections", "100"),
        ("max_locks_per_transaction", "1024"),
        ("shared_buffers", "256MB"),
        ("max_wal_size", "2GB"),
        ("password_encryption", "scram-sha-256"),
        ("timezone", "UTC"),
        ("log_timezone", "UTC"),
    ]
    .map(|(k, v)| (k.to_owned(), v.to_owned()))
    .into()
}

/// One keeper per directory. An earlier one may still be stopping its server.
async fn lock(dir: &Path) -> Result<File> {
    let file = File::create(dir.join("lock"))
        .with_context(|| format!("{} (or a directory above it) is closed to this user", dir.display()))?;
    for _ in 0..150 {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => tokio::time::sleep(Duration::from_millis(100)).await,
            Err(TryLockError::Error(e)) => return Err(e.into()),
        }
    }
    bail!(
        "another trunkline uses {}; stop it, or set TRUNKLINE_DATA_DIR to another directory",
        dir.display()
    )
}

/// We hold the lock, so a server that still runs here lost its keeper to a `kill -9`: end it. What remains of one that was
/// killed itself is removed: PostgreSQL would trust the process number in its lock files, which may be a zombie's or
/// another program's by now.
async fn stop_orphan(dir: &Path) -> Result<()> {
    let data = dir.join("data");
    let pid_file = data.join("postmaster.pid");
    let postmaster = fs::read_to_string(&pid_file).ok();
    let postmaster = postmaster.and_then(|text| Pid::from_raw(text.lines().next()?.trim().parse().ok()?));
    for attempt in 0..600 {
        let running = processes_in(&data);
        if running.is_empty() {
            break;
        }
        if let Some(pid) = postmaster.filter(|pid| attempt == 0 && running.contains(pid)) {
            // "fast": disconnect everybody, shut down in order
            kill_process(pid, Signal::INT)?;
        }
        if attempt == 599 {
            bail!(
                "an earlier PostgreSQL in {} does not stop: processes {running:?}",
                data.display()
            );
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let _ = fs::remove_file(&pid_file);
    for entry in fs::read_dir(dir)?.flatten() {
        if entry.file_name().as_encoded_bytes().starts_with(b".s.PGSQL.") {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// PostgreSQL's processes work in their data directory.
fn processes_in(data: &Path) -> Vec<Pid> {
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    all.filter(|p| fs::read_link(p.path().join("cwd")).is_ok_and(|cwd| cwd == data))
        .filter_map(|p| Pid::from_raw(p.file_name().to_str()?.parse().ok()?))
        .collect()
}

/// The installed server binaries: of the cluster's own version if there is a cluster, else the newest.
fn installed(data: &Path) -> Result<Option<PathBuf>> {
    let newest = || {
        let entries = fs::read_dir(INSTALLED).ok()?;
        let versions = entries.filter_map(|e| e.ok()?.file_name().to_str()?.parse::<u32>().ok());
        versions
            .filter(|v| Path::new(INSTALLED).join(v.to_string()).join("bin/initdb").exists())
            .max()
    };
    let Ok(version) = fs::read_to_string(data.join("PG_VERSION")) else {
        return Ok(newest().map(|v| Path::new(INSTALLED).join(v.to_string())));
    };
    let own = Path::new(INSTALLED).join(version.trim());
    if own.join("bin/postgres").exists() {
        return Ok(Some(own));
    }
    match newest() {
        None => Ok(None),
        Some(v) => bail!(
            "{} was made by PostgreSQL {} and the installed one is {v}: install postgresql-{}, or start over with --fresh",
            data.display(),
            version.trim(),
            version.trim()
        ),
    }
}

/// The port of last time if it is free, else the next free one.
fn port(dir: &Path) -> Result<u16> {
    let last = fs::read_to_string(dir.join("port")).ok().and_then(|p| p.trim().parse().ok());
    (last.unwrap_or(FIRST_PORT)..u16::MAX)
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .context("no free port for PostgreSQL")
}

/// The superuser's password, made at the first start.
fn password(dir: &Path) -> Result<String> {
    let path = dir.join("password");
    if let Ok(known) = fs::read_to_string(&path)
        && !known.is_empty()
    {
        return Ok(known);
    }
    let new = Alphanumeric.sample_string(&mut rand::rng(), 32);
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&path)?;
    file.write_all(new.as_bytes())?;
    Ok(new)
}
