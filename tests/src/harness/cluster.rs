//! The run's own PostgreSQL: started at its first use on a free loopback port, gone with this process however it ends.

use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use super::keeper::Keeper;
use super::process::free_port;

/// Nothing that is written here has to survive.
const SETTINGS: &str = "
fsync = off
synchronous_commit = off
full_page_writes = off
wal_level = minimal
max_wal_senders = 0
max_connections = 400
max_locks_per_transaction = 1024
shared_buffers = 128MB
jit = off
listen_addresses = '127.0.0.1'
log_min_messages = error
log_min_error_statement = panic
";

pub struct Cluster {
    port: u16,
    dir: PathBuf,
    _keeper: Keeper,
}

impl Cluster {
    /// `database` as the superuser.
    pub fn admin_url(&self, database: &str) -> String {
        format!("postgres://postgres:postgres@127.0.0.1:{}/{database}", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }
}

pub fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(start)
}

fn start() -> Cluster {
    let bin = binaries();
    let dir = tempfile::Builder::new()
        .prefix("trunkline-tests-")
        .tempdir()
        .expect("a temporary directory")
        .keep();
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).unwrap();
    let data = dir.join("data");
    let user = unprivileged();
    fs::create_dir(&data).unwrap();
    fs::write(dir.join("password"), "postgres").unwrap();
    fs::write(dir.join("log"), "").unwrap();
    if let Some(user) = &user {
        chown(&data, Some(user.uid), Some(user.gid)).unwrap();
    }
    run(command(&user, &bin.join("initdb"))
        .arg("-D")
        .arg(&data)
        .args([
            "-U",
            "postgres",
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
            "--no-instructions",
        ])
        .args(["--auth-local=trust", "--auth-host=scram-sha-256"])
        .arg(format!("--pwfile={}", dir.join("password").display())));
    let port = free_port();
    let conf = data.join("postgresql.conf");
    let text = fs::read_to_string(&conf).unwrap();
    fs::write(
        &conf,
        format!(
            "{text}{SETTINGS}port = {port}\nunix_socket_directories = '{}'\n",
            data.display()
        ),
    )
    .unwrap();

    let mut server = command(&user, &bin.join("postgres"));
    server.arg("-D").arg(&data);
    let cluster = Cluster {
        port,
        _keeper: Keeper::start(&dir, "QUIT", &server),
        dir,
    };
    cluster.wait_until_ready(&bin);
    cluster
}

impl Cluster {
    fn wait_until_ready(&self, bin: &Path) {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(30) {
            let ready = TcpStream::connect(("127.0.0.1", self.port)).is_ok()
                && Command::new(bin.join("pg_isready"))
                    .args(["-q", "-h", "127.0.0.1", "-p", &self.port.to_string()])
                    .status()
                    .is_ok_and(|s| s.success());
            if ready {
                return;
            }
            std::thread::sleep(Duration::from_millis(25));
        }
        let log = fs::read_to_string(self.dir.join("log")).unwrap_or_default();
        panic!("PostgreSQL did not start within 30 s:\n{log}");
    }
}

/// The newest installed server's binaries.
fn binaries() -> PathBuf {
    let installed = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = installed
        .filter_map(|e| Some((e.file_name().to_str()?.parse::<u32>().ok()?, e.path().join("bin"))))
        .filter(|(_, bin)| bin.join("initdb").exists())
        .max();
    if let Some((_, bin)) = newest {
        return bin;
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .find(|p| p.join("initdb").exists())
        .expect("PostgreSQL's server binaries: apt-get install postgresql")
}

struct User {
    uid: u32,
    gid: u32,
}

/// PostgreSQL refuses to run as root; then it runs as the first of these users that exists.
fn unprivileged() -> Option<User> {
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let root = Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|o| o.stdout.starts_with(b"0\n"));
    let find = |name: &str| {
        let entry = passwd.lines().find(|l| l.split(':').next() == Some(name))?;
        let mut fields = entry.split(':').skip(2);
        Some(User {
            uid: fields.next()?.parse().ok()?,
            gid: fields.next()?.parse().ok()?,
        })
    };
    root.then(|| {
        find("postgres")
            .or_else(|| find("nobody"))
            .expect("a user postgres or nobody")
    })
}

fn command(user: &Option<User>, program: &Path) -> Command {
    match user {
        None => Command::new(program),
        Some(user) => {
            let mut c = Command::new("setpriv");
            c.arg(format!("--reuid={}", user.uid))
                .arg(format!("--regid={}", user.gid))
                .arg("--clear-groups")
                .arg(program);
            c
        }
    }
}

fn run(command: &mut Command) {
    let out = command
        .current_dir("/")
        .output()
        .unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let text = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{command:?}: {text}");
}
