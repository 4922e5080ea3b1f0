//! The command line of the one binary.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use trunkline_domain::kernel::Clock;
use trunkline_domain::kernel::db::{DatabaseSettings, Limits};

use trunkline_domain::tenants::{OpenTenant, Owner};
use trunkline_domain::{Actor, runs};

use crate::app::App;
use crate::config::Config;
use crate::jobs::{self, JobsCommand};
use crate::{demo, embedded, graphql, keys, migrate, observe, secret, serve, tether};

/// Runs many internet service providers side by side.
#[derive(Parser)]
#[command(name = "trunkline", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serves HTTP.
    Serve {
        /// Also runs jobs.
        #[arg(long)]
        work: bool,
    },
    /// Three sample ISPs on this machine, with PostgreSQL and FreeRADIUS; Ctrl-C stops everything.
    Demo {
        /// Throws an earlier demo's data away.
        #[arg(long)]
        fresh: bool,
    },
    /// Runs jobs only.
    Work,
    /// Brings the database to the current schema.
    Migrate(migrate::Migrate),
    /// Keys that sign access tokens, the secret key, and the passwords that it protects.
    #[command(subcommand)]
    Keys(keys::Keys),
    /// Prints the settings in force, secrets masked.
    Config,
    /// Prints the GraphQL schema.
    Schema,
    /// Shows the jobs that are not done, and has failed ones tried again.
    #[command(subcommand)]
    Jobs(JobsCommand),
    /// Opens ISPs.
    #[command(subcommand)]
    Tenant(TenantCommand),
    /// Keeps an embedded PostgreSQL for the server that started it.
    #[command(hide = true)]
    EmbeddedPostgres {
        #[arg(long)]
        dir: PathBuf,
        #[arg(long)]
        fresh: bool,
    },
    /// Keeps another program for the server that started it.
    #[command(hide = true)]
    Tether {
        program: PathBuf,
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
}

#[derive(Subcommand)]
enum TenantCommand {
    /// Opens an ISP.
    Create(TenantCreate),
}

#[derive(Args)]
pub struct TenantCreate {
    /// Becomes the subdomain.
    #[arg(long)]
    pub slug: String,
    #[arg(long)]
    pub name: String,
    /// A folder of tenant-templates/.
    #[arg(long)]
    pub template: String,
    #[arg(long)]
    pub currency: Option<String>,
    #[arg(long)]
    pub timezone: Option<String>,
    #[arg(long)]
    pub owner_name: String,
    #[arg(long)]
    pub owner_email: String,
    /// The owner's password; read from this variable so that it is not in the process list.
    #[arg(long, env = "TRUNKLINE_OWNER_PASSWORD", hide_env_values = true)]
    pub owner_password: String,
}

/// Of each worker thread. Resolvers nest deeply, and unoptimised ones take a multiple of the room: tokio's 2 MiB are too few
/// for them. Only what is touched is memory.
const STACK: usize = 8 * 1024 * 1024;

pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = tokio::runtime::Builder::new_multi_thread()
        .thread_stack_size(STACK)
        .enable_all()
        .build()
        .map_err(Into::into)
        .and_then(|rt| rt.block_on(run(cli)));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            #[expect(clippy::print_stderr, reason = "the command's own error")]
            {
                eprintln!("trunkline: {e:#}");
            }
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, reason = "what these commands are for")]
async fn run(cli: Cli) -> anyhow::Result<()> {
    match &cli.command {
        Command::Schema => {
            print!("{}", graphql::sdl());
            return Ok(());
        }
        Command::EmbeddedPostgres { dir, fresh } => return embedded::keep(dir, *fresh).await,
        Command::Tether { program, args } => return tether::keep(program, args).await,
        _ => {}
    }
    let mut config = Config::load()?;
    if matches!(cli.command, Command::Demo { .. }) && std::env::var_os("TRUNKLINE_LOG").is_none() {
        // what the demo has to say it prints
        config.log = "warn".to_owned();
    }
    let observing = observe::init(&config)?;
    let outcome = command(cli.command, config).await;
    observing.end().await;
    outcome
}

#[expect(clippy::print_stdout, reason = "what these commands are for")]
async fn command(command: Command, config: Config) -> anyhow::Result<()> {
    match command {
        Command::Config => print!("{}", config.masked()?),
        Command::Serve { work } => serve::serve(config, work).await?,
        Command::Demo { fresh } => demo::run(config, fresh).await?,
        Command::Work => serve::work(config).await?,
        Command::Migrate(args) => migrate::command(&database_settings(&config)?, args).await?,
        Command::Jobs(command) => jobs::run(config, command).await?,
        Command::Keys(command) => keys::command(database_settings(&config)?, command).await?,
        Command::Tenant(TenantCommand::Create(args)) => tenant_create(config, args).await?,
        Command::Schema | Command::EmbeddedPostgres { .. } | Command::Tether { .. } => {}
    }
    Ok(())
}

/// Where the configured database is. The other two addresses default to the first.
pub fn database_settings(config: &Config) -> anyhow::Result<DatabaseSettings> {
    let url = config
        .database_url
        .as_ref()
        .context("DATABASE_URL is not set; only `serve` and `work` bring their own PostgreSQL")?;
    Ok(settings_for(config, url.reveal(), secret::secret_key(config)?))
}

/// As [`database_settings`], for a database that was found or started some other way.
pub fn settings_for(config: &Config, url: &str, secret: trunkline_domain::kernel::crypto::SecretKey) -> DatabaseSettings {
    let or_first = |other: &Option<crate::config::Secret>| other.as_ref().map_or(url, |s| s.reveal()).to_owned();
    DatabaseSettings {
        url: url.to_owned(),
        admin_url: or_first(&config.database_admin_url),
        listen_url: or_first(&config.database_listen_url),
        max_connections: config.database_connections,
        secret,
        limits: Limits::default(),
        cancellation_guard: true,
    }
}

#[expect(clippy::print_stdout, reason = "the command's answer")]
async fn tenant_create(config: Config, args: TenantCreate) -> anyhow::Result<()> {
    let currency = args.currency.map(|c| c.parse()).transpose().context("--currency")?;
    let app = App::open(config.clone(), database_settings(&config)?, Clock::system()).await?;
    let cmd = OpenTenant {
        slug: args.slug,
        name: args.name,
        template: args.template,
        currency,
        timezone: args.timezone,
        director_id: None,
        owner: Owner {
            name: args.owner_name,
            email: args.owner_email,
            password: args.owner_password,
        },
        idempotency_key: None,
    };
    let opened = runs::tenant_create(&app.database, &Arc::new(Actor::System), cmd).await;
    let tenant = opened.map_err(|e| anyhow::anyhow!(refusal(&e)))?;
    println!(
        "http://{}.{}:{}",
        tenant.slug,
        app.config.base_domain,
        app.config.listen.port()
    );
    Ok(())
}

/// An error as a person at a terminal wants it.
pub fn refusal(e: &trunkline_domain::Error) -> String {
    match e {
        trunkline_domain::Error::User(all) => all
            .iter()
            .map(|u| format!("{}: {}", u.field.join("."), u.message))
            .collect::<Vec<_>>()
            .join("\n"),
        other => other.to_string(),
    }
}
