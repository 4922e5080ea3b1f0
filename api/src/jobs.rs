//! `trunkline jobs`: what waits, runs or is parked, at a terminal.

use std::sync::Arc;

use anyhow::Context;
use clap::{Args, Subcommand};
use trunkline_domain::Actor;
use trunkline_domain::jobs::{self, JobDetails, JobFilter, JobState};
use trunkline_domain::kernel::Clock;
use trunkline_domain::kernel::db::Database;
use trunkline_domain::kernel::ids::JobId;
use trunkline_domain::kernel::page::{MAX_PAGE, PageRequest, cursor};
use trunkline_domain::tenants::Directory;

use crate::cli;
use crate::config::Config;

#[derive(Subcommand)]
pub enum JobsCommand {
    /// Lists the jobs that are not done, oldest first.
    List(List),
    /// Has failed jobs tried again from the start.
    Retry {
        /// As `jobs list` prints them.
        #[arg(required = true)]
        id: Vec<JobId>,
    },
    /// Gives failed jobs up: what they were to do is not done.
    Discard {
        /// As `jobs list` prints them.
        #[arg(required = true)]
        id: Vec<JobId>,
    },
}

#[derive(Args)]
pub struct List {
    /// Only those that kept failing and wait for somebody.
    #[arg(long)]
    parked: bool,
    /// Only those of one ISP, by its slug.
    #[arg(long)]
    tenant: Option<String>,
    /// Only those of one kind, such as `billing.renew`.
    #[arg(long)]
    kind: Option<String>,
    /// At most so many.
    #[arg(long, default_value_t = 100)]
    limit: usize,
}

pub async fn run(config: Config, command: JobsCommand) -> anyhow::Result<()> {
    let settings = cli::database_settings(&config)?;
    let database = Database::open(settings, Clock::system()).await?;
    if config.test_clock {
        database.take_over_test_clock().await?;
    }
    match command {
        JobsCommand::List(args) => list(&database, &config.base_domain, args).await?,
        JobsCommand::Retry { id } => each(&database, &id, Act::Retry).await?,
        JobsCommand::Discard { id } => each(&database, &id, Act::Discard).await?,
    }
    database.close().await;
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the command's answer")]
async fn list(database: &Database, base_domain: &str, args: List) -> anyhow::Result<()> {
    let tenant = match &args.tenant {
        Some(slug) => {
            let found = Directory::new(database.clone(), base_domain).by_slug(slug).await?;
            Some(found.with_context(|| format!("there is no ISP {slug:?}"))?.id())
        }
        None => None,
    };
    let filter = JobFilter {
        tenant,
        kind: args.kind,
        state: args.parked.then_some(JobState::Parked),
    };
    let tx = database.begin_platform(Arc::new(Actor::System)).await?;
    let (mut after, mut left) = (None, args.limit);
    while left > 0 {
        let first = left.min(MAX_PAGE as usize);
        let request = PageRequest::new(i32::try_from(first)?, after.as_deref())?;
        let page = jobs::list(&tx, request, &filter).await?;
        page.items.iter().for_each(|job| println!("{}", line(job)));
        left -= page.items.len();
        after = page.items.last().and_then(|job| job.id.number()).map(|n| cursor(&n));
        if !page.has_next {
            return Ok(());
        }
    }
    println!("and more: --limit shows more of {}", jobs::count(&tx, &filter).await?);
    Ok(())
}

fn line(job: &JobDetails) -> String {
    format!(
        "{}  {:9}  {:2} attempts  due {}  {}  {}  {}",
        job.id,
        job.state,
        job.attempts,
        job.run_at.format("%Y-%m-%dT%H:%M:%SZ"),
        job.tenant_slug,
        job.kind,
        job.reason.as_deref().unwrap_or("-")
    )
}

#[derive(Clone, Copy)]
enum Act {
    Retry,
    Discard,
}

/// One transaction a job, so that one that cannot be helped keeps nobody up. Fails in the end if there was such a one.
#[expect(clippy::print_stdout, reason = "the command's answer")]
async fn each(database: &Database, ids: &[JobId], act: Act) -> anyhow::Result<()> {
    let mut refused = 0;
    for id in ids {
        let tx = database.begin_platform(Arc::new(Actor::System)).await?;
        let done = match act {
            Act::Retry => jobs::retry(&tx, *id).await,
            Act::Discard => jobs::discard(&tx, *id).await,
        };
        match done {
            Ok(job) => {
                tx.commit().await?;
                let word = match act {
                    Act::Retry => "is tried again",
                    Act::Discard => "is given up",
                };
                println!("{id}  {}  {}  {word}", job.tenant_slug, job.kind);
            }
            Err(e @ trunkline_domain::Error::User(_)) => {
                refused += 1;
                println!("{id}  {}", cli::refusal(&e));
            }
            Err(e) => return Err(e.into()),
        }
    }
    anyhow::ensure!(refused == 0, "{refused} of {} jobs were left as they are", ids.len());
    Ok(())
}
