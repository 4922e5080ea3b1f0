//! FreeRADIUS from `deploy/freeradius` on free ports over a test's database, and radclient as the routers.

use std::fmt::Write;
use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;
use trunkline_migration::role_password;

use super::cluster::cluster;
use super::database::{SECRET, TestDb};
use super::keeper::Keeper;
use super::process::free_port;
use super::root;

const STATUS_CLIENT: &str = "127.0.0.250";
const STATUS_SECRET: &str = "status-of-the-tests";

/// A private instance of one test.
pub struct FreeRadius {
    auth: u16,
    acct: u16,
    _keeper: Keeper,
}

/// A router, as radclient plays it: where its packets come from and the secret that it shares.
#[derive(Clone, Debug)]
pub struct Nas {
    pub address: &'static str,
    pub secret: &'static str,
}

/// What came back: the packet's code and its attributes; None when nothing did.
#[derive(Clone, Debug)]
pub struct Reply {
    pub code: Option<String>,
    pub text: String,
}

impl FreeRadius {
    pub async fn start(db: &TestDb) -> Self {
        let dir = tempfile::Builder::new().prefix("trunkline-radius-").tempdir().unwrap().keep();
        let (auth, acct) = (free_port(), free_port());
        let config = root().join("deploy/freeradius/raddb");
        let mut program = Command::new("freeradius");
        program.arg("-f").arg("-d").arg(&config).args(["-n", "radiusd"]);
        let user = &db.installation.radiusd;
        for (name, value) in [
            ("RADIUS_CONFIG", config.display().to_string()),
            ("RADIUS_HOME", dir.display().to_string()),
            ("RADIUS_LISTEN", "127.0.0.1".into()),
            ("RADIUS_AUTH_PORT", auth.to_string()),
            ("RADIUS_ACCT_PORT", acct.to_string()),
            ("RADIUS_REJECT_DELAY", "0".into()),
            ("RADIUS_CLIENT_NETWORK", "127.0.0.0/8".into()),
            ("RADIUS_CLIENT_LIFETIME", "1".into()),
            ("RADIUS_STATUS_CLIENT", STATUS_CLIENT.into()),
            ("RADIUS_STATUS_SECRET", STATUS_SECRET.into()),
            ("RADIUS_DB_HOST", "127.0.0.1".into()),
            ("RADIUS_DB_PORT", cluster().port().to_string()),
            ("RADIUS_DB_NAME", db.name.clone()),
            ("RADIUS_DB_USER", user.clone()),
            ("PGPASSWORD", role_password(SECRET, user)),
        ] {
            program.env(name, value);
        }
        let it = Self {
            auth,
            acct,
            _keeper: Keeper::start(&dir, "TERM", &program),
        };
        let begun = Instant::now();
        let status = Nas {
            address: STATUS_CLIENT,
            secret: STATUS_SECRET,
        };
        while radclient(it.auth, "status", &status, &[], "0.3").await.code.is_none() {
            if begun.elapsed() > Duration::from_secs(60) {
                let log = |name| fs::read_to_string(dir.join(name)).unwrap_or_default();
                panic!(
                    "FreeRADIUS (apt-get install freeradius freeradius-postgresql freeradius-utils) did not start:\n{}{}",
                    log("log"),
                    log("radius.log")
                );
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        it
    }

    /// A login with PAP from a device.
    pub async fn login(&self, nas: &Nas, username: &str, password: &str, device: &str) -> Reply {
        let attributes = [
            ("User-Name", username),
            ("User-Password", password),
            ("Calling-Station-Id", device),
        ];
        radclient(self.auth, "auth", nas, &attributes, "20").await
    }

    /// As [`Self::login`] where no answer is expected.
    pub async fn login_unanswered(&self, nas: &Nas, username: &str, password: &str) -> Reply {
        let attributes = [("User-Name", username), ("User-Password", password)];
        radclient(self.auth, "auth", nas, &attributes, "0.7").await
    }

    /// An Accounting-Request; true when it was acknowledged.
    pub async fn account(&self, nas: &Nas, status: &str, username: &str, session: &str, attributes: &[(&str, &str)]) -> bool {
        let mut all = vec![
            ("Acct-Status-Type", status),
            ("User-Name", username),
            ("Acct-Session-Id", session),
        ];
        all.extend_from_slice(attributes);
        let reply = radclient(self.acct, "acct", nas, &all, "20").await;
        reply.code.as_deref() == Some("Accounting-Response")
    }
}

impl Reply {
    #[track_caller]
    pub fn accepted(&self) -> &Self {
        assert_eq!(self.code.as_deref(), Some("Access-Accept"), "{}", self.text);
        self
    }

    /// Rejected with this Reply-Message.
    #[track_caller]
    pub fn rejected(&self, message: &str) {
        assert_eq!(self.code.as_deref(), Some("Access-Reject"), "{}", self.text);
        assert_eq!(self.attribute("Reply-Message").as_deref(), Some(message), "{}", self.text);
    }

    /// The value of a reply attribute, without quotes.
    pub fn attribute(&self, name: &str) -> Option<String> {
        let line = self
            .text
            .lines()
            .find_map(|l| l.trim().strip_prefix(name)?.strip_prefix(" = "))?;
        Some(line.trim_matches('"').to_owned())
    }
}

async fn radclient(port: u16, kind: &str, nas: &Nas, attributes: &[(&str, &str)], timeout: &str) -> Reply {
    let mut packet = format!("Packet-Src-IP-Address={}\n", nas.address);
    for (name, value) in attributes {
        let plain = value.starts_with("0x") || value.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-');
        match plain {
            true => writeln!(packet, "{name}={value}").unwrap(),
            false => writeln!(packet, "{name}=\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"")).unwrap(),
        }
    }
    if kind != "acct" {
        packet.push_str("Message-Authenticator=0x00\n");
    }
    let mut child = tokio::process::Command::new("radclient")
        .args(["-x", "-r1", "-t", timeout, &format!("127.0.0.1:{port}"), kind, nas.secret])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("radclient (apt-get install freeradius-utils)");
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(packet.as_bytes()).await.unwrap();
    drop(stdin);
    let out = child.wait_with_output().await.unwrap();
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&out.stdout),
        String::from_utf8_lossy(&out.stderr)
    );
    let received = text.find("Received ").map(|at| text[at..].to_owned());
    let code = received.as_ref().and_then(|r| r.split(' ').nth(1)).map(str::to_owned);
    Reply {
        code,
        text: received.unwrap_or(text),
    }
}
