//! What is measured on: a PostgreSQL of its own, the release server in a process of its own with production settings, and
//! ISPs that all hold the same rows.

use std::fs;
use std::io::Read as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use tokio::process::{Child, Command};
use trunkline_api::embedded::Embedded;
use trunkline_domain::kernel::Clock;
use trunkline_migration::{Installation, SecretKey, role_password};

use crate::http::{Http, To};
use crate::pgbench::Account;

pub const SECRET: &str = "the bench's secret key, which guards nothing at all";

pub fn secret_key() -> Result<SecretKey> {
    SecretKey::new(SECRET.as_bytes()).context("the key is long enough")
}
const ADMIN: (&str, &str) = ("admin@bench.example", "bench-bench-bench");
/// Every ISP's owner has this password.
const OWNER: (&str, &str) = ("owner@bench.example", "bench-bench-bench");
/// Tokens are good for fifteen minutes.
const SIGNED_IN: Duration = Duration::from_secs(9 * 60);

pub struct Ground {
    pub url: String,
    pub port: u16,
    pub postmaster: u32,
    pub installation: Installation,
    /// The login role of the cell that all ISPs are in, and of the server's connections to them.
    pub cell_role: String,
    pub server: Server,
    /// Scripts and logs.
    pub dir: PathBuf,
    pub tenants: u32,
    tokens: Vec<String>,
    signed_in: Option<Instant>,
    platform_token: String,
    embedded: Embedded,
}

/// The server's process.
pub struct Server {
    pub address: String,
    pub pid: u32,
    child: Child,
}

impl Ground {
    /// An empty installation with its first ISP, which is opened as any is and then given its rows.
    pub async fn new(dir: &Path) -> Result<Self> {
        fs::create_dir_all(dir)?;
        let embedded = Embedded::start(dir, true).await?;
        let url = embedded.url.clone();
        let data = dir.join("postgresql/data");
        let postmaster = fs::read_to_string(data.join("postmaster.pid"))?;
        let postmaster = postmaster
            .lines()
            .next()
            .and_then(|l| l.trim().parse().ok())
            .context("its number")?;
        let port = fs::read_to_string(dir.join("postgresql/port"))?.trim().parse()?;
        let server = Server::start(&url, dir).await?;
        let mut admin = PgConnection::connect(&url).await?;
        let installation = Installation::load(&mut admin).await?.context("the server migrated it")?;
        let mut it = Self {
            url,
            port,
            postmaster,
            installation,
            cell_role: String::new(),
            server,
            dir: dir.to_owned(),
            tenants: 0,
            tokens: Vec::new(),
            signed_in: None,
            platform_token: String::new(),
            embedded,
        };
        it.platform_token = it.sign_in("platform.localhost", ADMIN).await?;
        it.open_by_api().await?;
        it.cell_role = sqlx::query_scalar("SELECT login_role::text FROM platform.cell")
            .fetch_one(&mut admin)
            .await?;
        // The first ISP has some rows of its own; what all share is copied from it.
        let mut tx = admin.begin().await?;
        tx.execute(AssertSqlSafe(format!("SET LOCAL search_path = \"{}\"", it.role(1))))
            .await?;
        tx.execute(include_str!("rows.sql")).await?;
        tx.commit().await?;
        admin.execute("VACUUM ANALYZE").await?;
        Ok(it)
    }

    /// The name of an ISP's role and schema.
    pub fn role(&self, tenant: u32) -> String {
        self.installation.tenant_role(i32::try_from(tenant).unwrap_or_default())
    }

    /// The ISP whose statements are looked at.
    pub fn sample(&self) -> u32 {
        self.tenants.min(17)
    }

    pub fn host(tenant: u32) -> String {
        format!("bench-{tenant}.localhost")
    }

    /// Host and token.
    pub fn isp(&self, tenant: u32) -> (String, String) {
        (Self::host(tenant), self.tokens[tenant as usize - 1].clone())
    }

    /// Opens the next ISP through the API; how long that took.
    pub async fn open_by_api(&mut self) -> Result<Duration> {
        let number = self.tenants + 1;
        let input = json!({
            "slug": format!("bench-{number}"), "name": format!("Bench {number}"), "template": "in-broadband",
            "owner": { "name": "Owner", "email": OWNER.0, "password": OWNER.1 },
        });
        let query = "mutation($i: TenantCreateInput!) { tenantCreate(input: $i) { tenant { id } userErrors { message } } }";
        let body = json!({ "query": query, "variables": { "i": input } }).to_string();
        let mut http = Http::connect(&self.server.address).await?;
        let to = To {
            host: "platform.localhost",
            token: Some(&self.platform_token),
        };
        let begun = Instant::now();
        let answer: Value = serde_json::from_slice(http.post(&to, &body).await?)?;
        let took = begun.elapsed();
        ensure!(answer.pointer("/data/tenantCreate/tenant/id").is_some(), "{answer}");
        self.tenants = number;
        Ok(took)
    }

    /// Signs in everywhere, unless that was done a short while ago.
    pub async fn refresh_tokens(&mut self) -> Result<()> {
        if self.tokens.len() as u32 == self.tenants && self.signed_in.is_some_and(|at| at.elapsed() < SIGNED_IN) {
            return Ok(());
        }
        self.platform_token = self.sign_in("platform.localhost", ADMIN).await?;
        let this: &Self = self;
        let numbers = 1..=this.tenants;
        let all = futures::StreamExt::buffered(
            futures::stream::iter(numbers.map(|n| async move { this.sign_in(&Self::host(n), OWNER).await })),
            3,
        );
        self.tokens = futures::TryStreamExt::try_collect(all).await?;
        self.signed_in = Some(Instant::now());
        Ok(())
    }

    async fn sign_in(&self, host: &str, (email, password): (&str, &str)) -> Result<String> {
        let query =
            "mutation($i: SessionCreateInput!) { sessionCreate(input: $i) { session { accessToken } userErrors { message } } }";
        let body = json!({ "query": query, "variables": { "i": { "email": email, "password": password } } }).to_string();
        let mut http = Http::connect(&self.server.address).await?;
        let answer: Value = serde_json::from_slice(http.post(&To { host, token: None }, &body).await?)?;
        let token = answer
            .pointer("/data/sessionCreate/session/accessToken")
            .and_then(Value::as_str);
        Ok(token.with_context(|| format!("{host}: {answer}"))?.to_owned())
    }

    /// PostgreSQL as the server's own connections see it.
    pub fn account(&self) -> Account {
        Account {
            port: self.port,
            role: self.cell_role.clone(),
            password: role_password(SECRET.as_bytes(), &self.cell_role),
        }
    }

    pub fn account_url(&self) -> String {
        let account = self.account();
        format!(
            "postgres://{}:{}@127.0.0.1:{}/trunkline",
            account.role, account.password, account.port
        )
    }

    /// What PostgreSQL has written to its log.
    pub fn log(&self) -> Result<String> {
        let mut text = Vec::new();
        fs::File::open(self.dir.join("postgresql/data/start.log"))?.read_to_end(&mut text)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    pub async fn stop(self) -> Result<()> {
        self.server.stop().await?;
        self.embedded.stop().await
    }
}

/// What `deploy/render.sh` builds, beside the directory of this program.
fn renderer() -> Result<PathBuf> {
    let here = std::env::current_exe()?;
    let target = here.ancestors().nth(2).context("it lies in target/release")?;
    Ok(target.join("render/release/trunkline-render"))
}

impl Server {
    /// The release binary beside this one, as it would run in production.
    async fn start(url: &str, dir: &Path) -> Result<Self> {
        let binary = std::env::current_exe()?.with_file_name("trunkline");
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let address = format!("127.0.0.1:{port}");
        let mut child = Command::new(&binary)
            .arg("serve")
            .env("DATABASE_URL", url)
            .env("TRUNKLINE_PRODUCTION", "true")
            .env("TRUNKLINE_SECRET_KEY", SECRET)
            .env("TRUNKLINE_LISTEN", &address)
            .env("TRUNKLINE_ADMIN_EMAIL", ADMIN.0)
            .env("TRUNKLINE_ADMIN_PASSWORD", ADMIN.1)
            // Every request is counted, and none is refused.
            .env("TRUNKLINE_API_RATE", "10000000/1000000")
            .env("TRUNKLINE_DRAIN_SECONDS", "0")
            .env("TRUNKLINE_LOG", "info")
            .env("TRUNKLINE_LOG_JSON", "true")
            .env("TRUNKLINE_DATA_DIR", dir)
            .env("TRUNKLINE_RENDERER", renderer()?)
            .stderr(fs::File::create(dir.join("server.log"))?)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{} (`make bench` builds it)", binary.display()))?;
        let pid = child.id().context("it runs")?;
        let begun = Clock::real();
        while (Clock::real() - begun).num_seconds() < 60 {
            let ended = child.try_wait()?;
            ensure!(ended.is_none(), "the server ended: see {}", dir.join("server.log").display());
            if let Ok(mut http) = Http::connect(&address).await
                && http
                    .post(
                        &To {
                            host: "platform.localhost",
                            token: None,
                        },
                        r#"{"query":"{ __typename }"}"#,
                    )
                    .await
                    .is_ok()
            {
                return Ok(Self { address, pid, child });
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        anyhow::bail!("the server does not answer: see {}", dir.join("server.log").display())
    }

    async fn stop(mut self) -> Result<()> {
        rustix::process::kill_process(
            rustix::process::Pid::from_raw(i32::try_from(self.pid)?).context("its number")?,
            rustix::process::Signal::TERM,
        )?;
        self.child.wait().await?;
        Ok(())
    }
}
