//! `trunkline migrate`: brings the database to this binary's schema and says how it stands to it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use sqlx::postgres::PgConnectOptions;
use trunkline_domain::kernel::db::DatabaseSettings;
use trunkline_migration::{Options, Progress, Report, Status};

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Migrate {
    #[command(subcommand)]
    command: Option<Command>,
    /// ISPs that go first, by slug; if one of them fails, no other is touched.
    #[arg(long, num_args = 1.., value_name = "SLUG")]
    canary: Vec<String>,
    /// ISPs that are migrated at the same time.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=64))]
    concurrency: u16,
}

#[derive(Subcommand)]
enum Command {
    /// Which steps are missing, which ISPs are quarantined, and which schemas are not what their steps made of them.
    Status,
}

fn options(settings: &DatabaseSettings) -> Result<Options> {
    let admin: PgConnectOptions = settings.admin_url.parse().context("DATABASE_ADMIN_URL")?;
    Ok(Options::new(admin, settings.secret.clone()))
}

/// What the command does. Fails when an ISP could not be migrated, or when the status is not clean.
pub async fn command(settings: &DatabaseSettings, args: Migrate) -> Result<()> {
    let mut options = options(settings)?;
    if let Some(Command::Status) = args.command {
        return print_status(&trunkline_migration::status(&options).await?);
    }
    options.canaries = args.canary;
    options.concurrency = args.concurrency.into();
    options.progress = progress();
    let begun = Instant::now();
    let report = trunkline_migration::run(&options).await?;
    print_report(&report, begun.elapsed())
}

/// For a process that is about to serve: whoever is quarantined stays so and does not keep the others waiting.
pub async fn before_start(settings: &DatabaseSettings) -> Result<()> {
    let mut options = options(settings)?;
    options.retry_quarantined = false;
    let report = trunkline_migration::run(&options)
        .await
        .context("cannot migrate the database of DATABASE_ADMIN_URL")?;
    for (slug, error) in &report.failed {
        tracing::error!(slug, error, "this ISP could not be migrated and keeps its last schema");
    }
    Ok(())
}

/// A line for each step and each ISP in trouble, and one now and then for all that went well.
#[expect(clippy::print_stdout, reason = "what this command is for")]
fn progress() -> Arc<dyn Fn(&Progress<'_>) + Send + Sync> {
    let spoke = std::sync::Mutex::new(Instant::now());
    Arc::new(move |progress| match progress {
        Progress::Step { name, .. } => println!("{name}"),
        Progress::Begun { tenants } => println!("{tenants} ISPs to migrate"),
        Progress::Migrated { done, of, .. } => {
            let Ok(mut spoke) = spoke.lock() else { return };
            if done == of || spoke.elapsed() > Duration::from_secs(2) {
                *spoke = Instant::now();
                println!("{done} of {of} ISPs migrated");
            }
        }
        Progress::Waits { what, .. } => println!("{what}: no lock, trying again"),
        Progress::Quarantined { slug, error } => println!("{slug}: quarantined: {error}"),
    })
}

#[expect(clippy::print_stdout, reason = "what this command is for")]
fn print_report(report: &Report, took: Duration) -> Result<()> {
    let Report {
        shared_steps,
        tenants_migrated,
        failed,
        halted,
    } = report;
    println!(
        "{shared_steps} shared steps applied, {tenants_migrated} ISPs migrated in {} ms",
        took.as_millis()
    );
    if *halted {
        bail!("a canary failed; no other ISP was touched");
    }
    if !failed.is_empty() {
        bail!(
            "{} ISPs could not be migrated: `trunkline migrate status` says why",
            failed.len()
        );
    }
    println!("the database is current");
    Ok(())
}

#[expect(clippy::print_stdout, reason = "what this command is for")]
fn print_status(status: &Status) -> Result<()> {
    match status.missing.as_slice() {
        [] => println!("platform and radius have every step"),
        missing => println!("missing: {}", missing.join(", ")),
    }
    if !status.unknown.is_empty() {
        println!("steps of a newer release are there: {}", status.unknown.join(", "));
    }
    let (waiting, quarantined) = (status.waiting.len(), status.quarantined.len());
    println!(
        "{} ISPs: {} current, {waiting} waiting, {quarantined} quarantined",
        status.tenants,
        status.tenants.saturating_sub(waiting + quarantined)
    );
    for q in &status.quarantined {
        println!(
            "quarantined: {} since {} after {} attempts at {}: {}",
            q.slug,
            q.since.format("%Y-%m-%d %H:%M UTC"),
            q.attempts,
            q.step,
            q.error
        );
    }
    for (schema, differences) in &status.drifted {
        println!("drifted: {schema}");
        for difference in differences {
            println!("  {difference}");
        }
    }
    match status.is_clean() {
        true => Ok(()),
        false => bail!("not everything is as this release has it"),
    }
}
