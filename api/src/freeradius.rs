//! FreeRADIUS beside the demo: the configuration of `deploy/freeradius`, carried in the binary, started on free ports.

use std::ffi::OsStr;
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rand::distr::{Alphanumeric, SampleString};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use url::Url;

use crate::tether::{Tether, User, private_dir, unprivileged};

macro_rules! raddb {
    ($($path:literal)*) => {
        &[$(($path, include_str!(concat!("../../deploy/freeradius/raddb/", $path)))),*]
    };
}

const RADDB: &[(&str, &str)] = raddb!("radiusd.conf" "policy" "access_reject" "mods/sql" "sites/clients" "sites/trunkline");

/// Health checks come from here; see `deploy/freeradius/README.md`.
const STATUS_CLIENT: &str = "127.0.0.250";

/// What one instance needs to know.
pub struct Settings<'a> {
    /// Gets the configuration, the log and the pid file.
    pub dir: &'a Path,
    /// Tried first; the next free pair is taken when one of them is busy.
    pub auth_port: u16,
    pub acct_port: u16,
    /// Host, port and name of the database are taken from here.
    pub database_url: &'a str,
    /// The installation's login for FreeRADIUS.
    pub user: &'a str,
    pub password: &'a str,
}

/// A running FreeRADIUS on loopback. It stops when this is dropped or the process ends in any way.
#[derive(Debug)]
pub struct FreeRadius {
    pub auth_port: u16,
    pub acct_port: u16,
    log: PathBuf,
    tether: Tether,
}

impl FreeRadius {
    pub async fn start(settings: &Settings<'_>) -> Result<Self> {
        let program = program("freeradius")
            .or_else(|| program("radiusd"))
            .context("FreeRADIUS is not installed (deploy/setup.sh installs it)")?;
        let user = unprivileged(&["freerad", "radiusd", "nobody"])?;
        let (raddb, home) = prepare(settings.dir, user.as_ref())?;
        let (auth_port, acct_port) = free_pair(settings.auth_port, settings.acct_port)?;
        let status_secret = Alphanumeric.sample_string(&mut rand::rng(), 24);
        let database = Url::parse(settings.database_url).context("DATABASE_URL")?;
        let log = home.join("radius.log");
        let _ = std::fs::remove_file(&log);

        let args: [&OsStr; 8] = [
            "tether".as_ref(),
            "--".as_ref(),
            program.as_ref(),
            "-f".as_ref(),
            "-d".as_ref(),
            raddb.as_ref(),
            "-n".as_ref(),
            "radiusd".as_ref(),
        ];
        let tether = Tether::start("FreeRADIUS", &args, user.as_ref(), |c| {
            c.stdout(Stdio::null()).stderr(Stdio::null());
            c.env("RADIUS_CONFIG", &raddb)
                .env("RADIUS_HOME", &home)
                .env("RADIUS_LISTEN", "127.0.0.1")
                .env("RADIUS_AUTH_PORT", auth_port.to_string())
                .env("RADIUS_ACCT_PORT", acct_port.to_string())
                .env("RADIUS_REJECT_DELAY", "0")
                .env("RADIUS_CLIENT_NETWORK", "127.0.0.0/8")
                .env("RADIUS_CLIENT_LIFETIME", "5")
                .env("RADIUS_STATUS_CLIENT", STATUS_CLIENT)
                .env("RADIUS_STATUS_SECRET", &status_secret)
                .env("RADIUS_DB_HOST", database.host_str().unwrap_or("127.0.0.1"))
                .env("RADIUS_DB_PORT", database.port().unwrap_or(5432).to_string())
                .env("RADIUS_DB_NAME", database.path().trim_start_matches('/'))
                .env("RADIUS_DB_USER", settings.user)
                .env("PGPASSWORD", settings.password);
        })?;
        let mut it = Self {
            auth_port,
            acct_port,
            log,
            tether,
        };
        it.ready(&status_secret).await?;
        Ok(it)
    }

    /// Waits until it answers Status-Server.
    async fn ready(&mut self, secret: &str) -> Result<()> {
        let until = Instant::now() + Duration::from_secs(20);
        while Instant::now() < until {
            if self.tether.ended() {
                break;
            }
            if self.answers(secret).await? {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let tail: Vec<_> = log.lines().rev().take(5).collect();
        bail!(
            "FreeRADIUS does not start; {} ends:\n{}",
            self.log.display(),
            tail.into_iter().rev().collect::<Vec<_>>().join("\n")
        )
    }

    async fn answers(&self, secret: &str) -> Result<bool> {
        let mut radclient = Command::new("radclient")
            .args([
                "-q",
                "-r1",
                "-t0.3",
                &format!("127.0.0.1:{}", self.auth_port),
                "status",
                secret,
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("radclient is not installed (deploy/setup.sh installs it)")?;
        if let Some(mut stdin) = radclient.stdin.take() {
            let packet = format!("Packet-Src-IP-Address={STATUS_CLIENT},Message-Authenticator=0x00\n");
            stdin.write_all(packet.as_bytes()).await?;
        }
        Ok(radclient.wait().await?.success())
    }

    /// Returns when it ended by itself.
    pub async fn ended(&mut self) {
        self.tether.wait().await;
    }

    pub async fn stop(self) -> Result<()> {
        self.tether.stop().await
    }
}

/// Writes the configuration of this version of the binary.
fn prepare(dir: &Path, user: Option<&User>) -> Result<(PathBuf, PathBuf)> {
    let (raddb, home) = (dir.join("raddb"), dir.join("home"));
    private_dir(dir, user, 0o700)?;
    private_dir(&raddb, user, 0o755)?;
    private_dir(&home, user, 0o700)?;
    for (name, text) in RADDB {
        let path = raddb.join(name);
        let parent = path.parent().context("a file in a directory")?;
        std::fs::create_dir_all(parent)?;
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok((raddb, home))
}

fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin"), PathBuf::from("/usr/local/sbin")]);
    places.map(|dir| dir.join(name)).find(|file| file.is_file())
}

fn free_pair(auth: u16, acct: u16) -> Result<(u16, u16)> {
    let free = |port: u16| UdpSocket::bind(("127.0.0.1", port)).is_ok();
    (0..1000u16)
        .map(|n| (auth.saturating_add(2 * n), acct.saturating_add(2 * n)))
        .find(|(a, b)| a != b && free(*a) && free(*b))
        .context("no free pair of RADIUS ports")
}
