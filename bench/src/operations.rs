//! What is not a request: opening an ISP, changing a thousand schemas, first touch, memory.

use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use trunkline_migration::Script;

use crate::ground::{Ground, secret_key};
use crate::statements::Statements;
use crate::stats::Spread;
use crate::tenants::{Copy, fill, give_rows, script, take_numbers};
use crate::usage::{children, proportional, resident};

fn millis(took: Duration) -> f64 {
    took.as_secs_f64() * 1e3
}

/// Opening one ISP, in milliseconds.
pub struct Provisioning {
    /// `tenantCreate`: everything, the owner's password hash included.
    pub api: Spread,
    /// The script of role, schema and tables alone, by psql.
    pub psql: Spread,
    pub ratio: Spread,
}

/// Both ways in turns; a turn is several ISPs, so that psql's own start weighs little.
pub async fn provisioning(ground: &mut Ground, rounds: usize) -> Result<Provisioning> {
    const PER_TURN: u32 = 3;
    let mut admin = PgConnection::connect(&ground.url).await?;
    let (mut api, mut psql) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let mut took = Duration::ZERO;
        for _ in 0..PER_TURN {
            took += ground.open_by_api().await?;
            give_rows(ground, ground.tenants, &mut admin).await?;
        }
        api.push(millis(took) / f64::from(PER_TURN));
        let copy = Copy::of(ground, &mut admin).await?;
        let numbers: Vec<u32> = (ground.tenants + 1..).take(PER_TURN as usize).collect();
        let scripts: String = numbers
            .iter()
            .map(|n| format!("BEGIN;\n{}COMMIT;\n", script(ground, *n)))
            .collect();
        let begun = Instant::now();
        run_psql(&ground.url, &scripts).await?;
        psql.push(millis(begun.elapsed()) / f64::from(PER_TURN));
        for number in &numbers {
            admin.execute(AssertSqlSafe(copy.rows(&ground.role(*number)))).await?;
        }
        ground.tenants += PER_TURN;
        take_numbers(ground, &mut admin).await?;
    }
    Ok(Provisioning {
        ratio: Spread::of(api.iter().zip(&psql).map(|(a, p)| a / p)),
        api: Spread::of(api),
        psql: Spread::of(psql),
    })
}

pub async fn run_psql(url: &str, script: &str) -> Result<()> {
    let mut psql = Command::new("psql")
        .args(["-q", "-X", "-v", "ON_ERROR_STOP=1", "-d", url])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .context("psql (of PostgreSQL's client programs)")?;
    let mut stdin = psql.stdin.take().context("it reads")?;
    stdin.write_all(script.as_bytes()).await?;
    drop(stdin);
    ensure!(psql.wait().await?.success(), "psql failed");
    Ok(())
}

/// Adding a column to a table of every ISP.
pub struct AddColumn {
    pub schemas: u32,
    pub workers: usize,
    /// By the product's migration runner, which records the step for each ISP in the same transaction.
    pub seconds: f64,
    /// The statement alone, by as many connections.
    pub bare: f64,
}

pub async fn add_column(ground: &mut Ground, schemas: u32) -> Result<AddColumn> {
    const WORKERS: usize = 8;
    fill(ground, schemas).await?;
    let mut options = trunkline_migration::Options::new(ground.url.parse()?, secret_key()?);
    options.concurrency = WORKERS;
    options.plan.tenant.push(Script {
        version: 100_000,
        name: "bench",
        sql: "ALTER TABLE subscriber ADD COLUMN bench_note text;",
    });
    let begun = Instant::now();
    let report = trunkline_migration::run(&options).await?;
    let seconds = begun.elapsed().as_secs_f64();
    ensure!(
        report.failed.is_empty() && report.tenants_migrated >= schemas as usize,
        "{report:?}"
    );
    Ok(AddColumn {
        schemas: u32::try_from(report.tenants_migrated)?,
        workers: WORKERS,
        seconds,
        bare: bare_add_column(ground, WORKERS).await?,
    })
}

async fn bare_add_column(ground: &Ground, workers: usize) -> Result<f64> {
    let roles: Vec<String> = (1..=ground.tenants).map(|n| ground.role(n)).collect();
    let url = &ground.url;
    let begun = Instant::now();
    let workers = roles.chunks(roles.len().div_ceil(workers)).map(|share| async move {
        let mut conn = PgConnection::connect(url).await?;
        for role in share {
            let text = format!(
                "BEGIN; SET LOCAL lock_timeout = '2s'; ALTER TABLE \"{role}\".subscriber ADD COLUMN bench_other text; COMMIT"
            );
            conn.execute(AssertSqlSafe(text)).await?;
        }
        anyhow::Ok(())
    });
    futures::future::try_join_all(workers).await?;
    Ok(begun.elapsed().as_secs_f64())
}

/// One backend that meets ISPs for the first time, in milliseconds for a whole point query.
pub struct FirstTouch {
    pub tenants: u32,
    /// The first switch of a fresh backend, which reads all memberships of its role.
    pub first_switch: f64,
    pub first: Spread,
    pub again: Spread,
    /// After one more ISP was opened: the switch, and the first query in ISPs that were known before.
    pub switch_after: f64,
    pub first_after: Spread,
    pub again_after: Spread,
}

pub async fn first_touch(ground: &mut Ground, point: &Statements) -> Result<FirstTouch> {
    const SAMPLE: u32 = 40;
    let tenants = ground.tenants;
    let sample: Vec<u32> = (0..SAMPLE.min(tenants))
        .map(|n| 1 + n * (tenants / SAMPLE.min(tenants)))
        .collect();
    let mut conn = PgConnection::connect(&ground.account_url()).await?;
    let first_switch = switch(&mut conn, point).await?;
    let first = queries(&mut conn, point, &sample).await?;
    let again = queries(&mut conn, point, &sample).await?;
    ground.open_by_api().await?;
    let mut admin = PgConnection::connect(&ground.url).await?;
    give_rows(ground, ground.tenants, &mut admin).await?;
    let switch_after = switch(&mut conn, point).await?;
    let first_after = queries(&mut conn, point, &sample).await?;
    let again_after = queries(&mut conn, point, &sample).await?;
    Ok(FirstTouch {
        tenants,
        first_switch,
        first,
        again,
        switch_after,
        first_after,
        again_after,
    })
}

async fn switch(conn: &mut PgConnection, point: &Statements) -> Result<f64> {
    let messages = point.of(1);
    let begun = Instant::now();
    conn.execute(AssertSqlSafe(messages[0].clone())).await?;
    let took = millis(begun.elapsed());
    conn.execute("ROLLBACK").await?;
    Ok(took)
}

async fn queries(conn: &mut PgConnection, point: &Statements, tenants: &[u32]) -> Result<Spread> {
    let mut took = Vec::new();
    for tenant in tenants {
        let messages = point.of(*tenant);
        let begun = Instant::now();
        for message in messages {
            conn.execute(AssertSqlSafe(message)).await?;
        }
        took.push(millis(begun.elapsed()));
    }
    Ok(Spread::of(took))
}

/// MiB.
pub struct Memory {
    pub server: f64,
    pub server_highest: f64,
    pub backends: usize,
    pub backends_total: f64,
    pub backend_largest: f64,
}

/// The server, and the backends that serve its connections to ISPs; nothing else may be connected as their role.
pub fn memory(ground: &Ground) -> Memory {
    let (server, server_highest) = resident(ground.server.pid);
    let ours = |pid: &u32| {
        let title = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&title).contains(&ground.cell_role)
    };
    let sizes: Vec<f64> = children(ground.postmaster)
        .into_iter()
        .filter(ours)
        .map(proportional)
        .collect();
    Memory {
        server,
        server_highest,
        backends: sizes.len(),
        backends_total: sizes.iter().sum(),
        backend_largest: sizes.iter().copied().fold(0.0, f64::max),
    }
}
