//! `trunkline bench`: what the walls and provisioning cost over PostgreSQL itself, both measured in one run on one machine.
//! Ratios are what to look at; milliseconds are the machine's.

use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use sqlx::{Connection, Executor, PgConnection, Row};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use trunkline_domain::kernel::db::TenantDb;
use trunkline_domain::kernel::page::PageRequest;
use trunkline_domain::tenants::{OpenTenant, Owner};
use trunkline_domain::{Actor, Clock, plans, runs};
use trunkline_migration::{Installation, schema_script};

use crate::app::App;
use crate::config::Config;
use crate::embedded::Embedded;
use crate::{cli, migrate, secret};

const TENANTS: usize = 12;
const READS: usize = 3_000;

#[expect(clippy::print_stdout, reason = "what this command is for")]
pub async fn run(mut config: Config) -> Result<()> {
    let dir = secret::data_dir(&config).join("bench");
    config.data_dir = Some(dir.clone());
    let embedded = Embedded::start(&dir, true).await?;
    let settings = cli::settings_for(&config, &embedded.url, secret::secret_key(&config)?);
    migrate::before_start(&settings).await?;
    let app = App::open(config, settings, Clock::system()).await?;

    let opened = open_tenants(&app).await?;
    let plain = plain_scripts(&app, &embedded.url).await?;
    println!("Opening an ISP (schema, role, template, owner, one transaction each; {TENANTS} of them)");
    println!("  the same schema script by psql   {:>9.1} ms", millis(plain));
    println!(
        "  tenant_create                    {:>9.1} ms   ratio {:.2}",
        millis(opened),
        ratio(opened, plain)
    );

    let raw = raw_reads(&app, &embedded.url).await?;
    let walled = walled_reads(&app).await?;
    println!("Reading one page of plans in a transaction of its own ({READS}, one after the other, {TENANTS} ISPs in turn)");
    println!("  prepared, in one ISP's schema    {:>9.3} ms", millis(raw));
    println!(
        "  TenantDb::read over {TENANTS} ISPs      {:>9.3} ms   ratio {:.2}",
        millis(walled),
        ratio(walled, raw)
    );

    app.database.close().await;
    embedded.stop().await
}

#[expect(clippy::float_arithmetic, reason = "figures for people")]
fn millis(d: Duration) -> f64 {
    d.as_secs_f64() * 1e3
}

#[expect(clippy::float_arithmetic, reason = "figures for people")]
fn ratio(a: Duration, b: Duration) -> f64 {
    a.as_secs_f64() / b.as_secs_f64()
}

async fn open_tenants(app: &App) -> Result<Duration> {
    let system = Arc::new(Actor::System);
    let begun = Instant::now();
    for n in 0..TENANTS {
        let cmd = OpenTenant {
            slug: format!("bench-{n}"),
            name: format!("Bench {n}"),
            template: "in-broadband".into(),
            currency: None,
            timezone: None,
            director_id: None,
            owner: Owner {
                name: "Owner".into(),
                email: "owner@bench.example".into(),
                password: "bench-bench".into(),
            },
            idempotency_key: None,
        };
        runs::tenant_create(&app.database, &system, cmd).await?;
    }
    Ok(begun.elapsed() / TENANTS as u32)
}

/// The script of the schema alone, by psql, in as many transactions.
async fn plain_scripts(app: &App, url: &str) -> Result<Duration> {
    let mut conn = PgConnection::connect(url).await?;
    let installation: &Installation = app.database.installation();
    let cell: String = sqlx::query_scalar("SELECT quote_ident(login_role) FROM platform.cell ORDER BY id LIMIT 1")
        .fetch_one(&mut conn)
        .await?;
    let mut script = String::new();
    for id in (1_000..).take(TENANTS) {
        script.push_str(&format!(
            "BEGIN; INSERT INTO platform.tenant (id, uid, slug, name, country, currency, timezone, template, status, cell_id,
                 role_name, schema_version, created_at)
             SELECT {id}, gen_random_uuid(), 'plain-{id}', name, country, currency, timezone, template, status, cell_id,
                 'plain_{id}', schema_version, created_at FROM platform.tenant ORDER BY id LIMIT 1;\n{}\nCOMMIT;\n",
            schema_script(installation, id, &cell)
        ));
    }
    let begun = Instant::now();
    let mut psql = Command::new("psql")
        .args(["-q", "-X", "-v", "ON_ERROR_STOP=1", "-d", url])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .context("psql is not installed (deploy/setup.sh installs it)")?;
    let mut stdin = psql.stdin.take().context("psql reads")?;
    stdin.write_all(script.as_bytes()).await?;
    drop(stdin);
    ensure!(psql.wait().await?.success(), "psql failed");
    Ok(begun.elapsed() / TENANTS as u32)
}

/// One connection that stays in one schema and prepares its statement once.
async fn raw_reads(app: &App, url: &str) -> Result<Duration> {
    let mut conn = PgConnection::connect(url).await?;
    let tenant = app.directory.by_slug("bench-0").await?.context("it was opened")?;
    sqlx::query("SELECT pg_catalog.set_config('search_path', $1, false)")
        .bind(tenant.role())
        .execute(&mut conn)
        .await?;
    let begun = Instant::now();
    for _ in 0..READS {
        conn.execute("BEGIN READ ONLY").await?;
        let rows = sqlx::query(
            "SELECT p.id, p.code, p.name, v.price::text FROM plan p JOIN plan_version v ON v.plan_id = p.id
             WHERE p.retired_at IS NULL ORDER BY p.created_at, p.id LIMIT $1",
        )
        .bind(11_i64)
        .fetch_all(&mut conn)
        .await?;
        ensure!(rows.len() == 3 && rows[0].len() == 4, "three starter plans");
        conn.execute("COMMIT").await?;
    }
    Ok(begun.elapsed() / READS as u32)
}

async fn walled_reads(app: &App) -> Result<Duration> {
    let mut doors = Vec::new();
    for n in 0..TENANTS {
        let tenant = app.directory.by_slug(&format!("bench-{n}")).await?.context("it was opened")?;
        doors.push(TenantDb::new(app.database.clone(), tenant, Arc::new(Actor::System)));
    }
    let begun = Instant::now();
    for n in 0..READS {
        let page = doors[n % TENANTS]
            .read(async |tx| plans::list(tx, PageRequest { first: 10, after: None }, false).await)
            .await?;
        ensure!(page.items.len() == 3, "three starter plans");
    }
    Ok(begun.elapsed() / READS as u32)
}
