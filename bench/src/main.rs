//! `make bench`: the served API beside pgbench doing the very same statements, both measured in one run on one machine.
//! Ratios are what to look at; microseconds are the machine's.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "what this program is for")]
#![allow(clippy::float_arithmetic, reason = "figures for people; no money here")]

mod billing;
mod documents;
mod ground;
mod http;
mod load;
mod matrix;
mod operations;
mod pgbench;
mod report;
mod statements;
mod stats;
mod tenants;
mod usage;
mod workload;

use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::Result;
use clap::Parser;
use sqlx::{Connection, PgConnection};

use ground::Ground;
use matrix::Effort;
use report::Findings;
use statements::Statements;
use workload::{Spectrum, Workload, ZIPF};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures Trunkline beside PostgreSQL itself.
#[derive(Parser)]
struct Options {
    /// The ten-minute version: shorter turns.
    #[arg(long)]
    quick: bool,
    /// How many ISPs the widest comparison goes over.
    #[arg(long, default_value_t = 500)]
    tenants: u32,
    /// How many schemas ADD COLUMN goes over: 1,000, or 500 in the quick version.
    #[arg(long)]
    schemas: Option<u32>,
    /// Turns of each contender.
    #[arg(long)]
    rounds: Option<usize>,
    /// Length of a turn.
    #[arg(long)]
    seconds: Option<f64>,
    /// Connections on either side.
    #[arg(long, default_value_t = 8)]
    clients: u32,
    /// Services of the billing run: 100,000, or 10,000 in the quick version.
    #[arg(long)]
    services: Option<u32>,
    /// Only these: point, page, payment, operations, billing.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Writes the tables of what was measured into this file, between their marks.
    #[arg(long)]
    write: Option<PathBuf>,
    /// Where the scratch installation is made; what is there is removed.
    #[arg(long, default_value = "/var/tmp/trunkline-bench")]
    dir: PathBuf,
}

impl Options {
    fn effort(&self) -> Effort {
        let (rounds, seconds) = if self.quick { (3, 1.5) } else { (5, 6.0) };
        Effort {
            clients: self.clients,
            rounds: self.rounds.unwrap_or(rounds),
            seconds: self.seconds.unwrap_or(seconds),
            visits: if self.quick { 1 } else { 3 },
        }
    }

    fn wants(&self, what: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|o| o == what)
    }
}

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        // The embedded PostgreSQL's keeper runs this same program again.
        Some("embedded-postgres") => return trunkline_api::cli::main(),
        Some("load") => return finish(load::main()),
        _ => {}
    }
    let options = Options::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    finish(runtime.map_err(Into::into).and_then(|rt| rt.block_on(run(&options))))
}

fn finish(outcome: Result<()>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("bench: {e:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: &Options) -> Result<()> {
    let begun = Instant::now();
    let effort = options.effort();
    let mut found = Findings {
        machine: usage::machine(),
        commit: commit(),
        kind: if options.quick { "quick" } else { "full" },
        ..Findings::default()
    };
    say(begun, "PostgreSQL, the server and the first ISP");
    let mut ground = Ground::new(&options.dir).await?;
    found.postgres = version(&ground).await?;
    let mut captured = Vec::new();
    if options.only != ["billing"] {
        requests(options, &effort, &mut ground, &mut captured, &mut found, begun).await?;
    }
    if options.wants("operations") {
        say(begun, "opening ISPs");
        found.provisioning = Some(operations::provisioning(&mut ground, effort.rounds).await?);
        let schemas = options.schemas.unwrap_or(if options.quick { 500 } else { 1_000 });
        say(begun, &format!("ADD COLUMN over {schemas} schemas"));
        found.add_column = Some(operations::add_column(&mut ground, schemas).await?);
        say(begun, "first touch");
        if let Some(point) = captured.first() {
            found.first_touch = Some(operations::first_touch(&mut ground, point).await?);
        }
    }
    ground.stop().await?;
    if options.wants("billing") {
        let services = options.services.unwrap_or(if options.quick { 10_000 } else { 100_000 });
        say(begun, &format!("billing runs over {services} services"));
        let mut ground = Ground::new(&options.dir).await?;
        found.billing = Some(billing::measure(&mut ground, services, if options.quick { 20 } else { 200 }).await?);
        ground.stop().await?;
    }
    found.took = begun.elapsed().as_secs_f64();
    for part in found.markdown(&effort) {
        println!("{}", part.figures);
        if let Some(path) = &options.write {
            report::write(path, &part)?;
        }
    }
    Ok(())
}

/// What the server sends for each workload, and the matrix.
async fn requests(
    options: &Options,
    effort: &Effort,
    ground: &mut Ground,
    captured: &mut Vec<Statements>,
    found: &mut Findings,
    begun: Instant,
) -> Result<()> {
    tenants::fill(ground, 20).await?;
    ground.refresh_tokens().await?;
    for workload in Workload::ALL {
        let statements = Statements::capture(ground, workload).await?;
        say(begun, &format!("{workload:?}: {} statements", statements.count()));
        found.statements.push((workload, statements.count()));
        captured.push(statements);
    }
    compare(options, effort, ground, captured, found, begun).await
}

/// The matrix: few ISPs first, so that what the server holds can be seen to grow.
async fn compare(
    options: &Options,
    effort: &Effort,
    ground: &mut Ground,
    captured: &[Statements],
    found: &mut Findings,
    begun: Instant,
) -> Result<()> {
    for (tenants, zipf) in [
        (1, None),
        (20, None),
        (20, Some(ZIPF)),
        (options.tenants, None),
        (options.tenants, Some(ZIPF)),
    ] {
        if tenants > ground.tenants {
            say(begun, &format!("opening {tenants} ISPs"));
            tenants::fill(ground, tenants).await?;
        }
        let spectrum = Spectrum { tenants, zipf };
        for statements in captured {
            let name = format!("{:?}", statements.workload());
            if !options.wants(&name.to_lowercase()) {
                continue;
            }
            say(begun, &format!("{name} over {}", spectrum.title()));
            let cell = matrix::measure(ground, statements, spectrum, effort).await?;
            for row in &cell.rows {
                println!(
                    "    {:<42} {:>24}/s  {:>22} µs",
                    row.contender.title(),
                    row.per_second().show(0),
                    row.processor().show(0)
                );
            }
            found.cells.push(cell);
        }
        if zipf.is_some() || tenants == 1 {
            found.memory.push((tenants, operations::memory(ground)));
        }
    }
    Ok(())
}

fn say(begun: Instant, what: &str) {
    println!("{:>5.0} s  {what}", begun.elapsed().as_secs_f64());
}

fn commit() -> String {
    let git = Command::new("git").args(["describe", "--always", "--dirty"]).output();
    let text = git
        .map(|o| String::from_utf8_lossy(&o.stdout).trim().to_owned())
        .unwrap_or_default();
    if text.is_empty() { "unknown".to_owned() } else { text }
}

async fn version(ground: &Ground) -> Result<String> {
    let mut admin = PgConnection::connect(&ground.url).await?;
    let number: String = sqlx::query_scalar("SHOW server_version").fetch_one(&mut admin).await?;
    Ok(format!("PostgreSQL {}", number.split(' ').next().unwrap_or_default()))
}
