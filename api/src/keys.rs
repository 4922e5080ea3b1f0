//! `trunkline keys`: keys that sign access tokens, the secret key, and the passwords that it protects.
//! `docs/operations/keys.md` says in which order.

use anyhow::{Result, bail};
use clap::Subcommand;
use trunkline_domain::identity::{self, Rotation};
use trunkline_domain::kernel::Clock;
use trunkline_domain::kernel::db::{self, Database, DatabaseSettings};
use trunkline_domain::{runs, sealed_columns};

#[derive(Subcommand)]
pub enum Keys {
    /// Lists the keys that sign access tokens, the newest first.
    List,
    /// Makes a new one, which signs ten minutes later; the old ones verify until their last token has expired. It happens by
    /// itself every 30 days.
    Rotate {
        /// An old key is in wrong hands: the new one signs at once, and no old token is taken any more (within a minute, where
        /// servers run).
        #[arg(long)]
        leaked: bool,
    },
    /// How many secrets are sealed with the current key, and how many with the previous one.
    Status,
    /// Seals with the current key whatever the previous one has sealed; may be stopped and begun again, under load.
    Reseal,
    /// Gives the database's login roles new passwords; running replicas find out by themselves.
    RotateLogins {
        /// FreeRADIUS' too: it has to be told (`trunkline keys radius`) and started again.
        #[arg(long)]
        radius: bool,
    },
    /// Prints what FreeRADIUS logs in with, for its environment.
    Radius,
}

#[expect(clippy::print_stdout, reason = "what this command is for")]
pub async fn command(settings: DatabaseSettings, command: Keys) -> Result<()> {
    if let Keys::RotateLogins { radius } = command {
        for role in db::rotate_logins(&settings, radius).await? {
            println!("{role} has a new password");
        }
        return Ok(());
    }
    let database = Database::open(settings, Clock::system()).await?;
    let outcome = match command {
        Keys::Radius => radius(&database).await,
        Keys::Reseal => tallies(&database, true).await,
        Keys::List => signing_keys(&database, None).await,
        Keys::Rotate { leaked: true } => signing_keys(&database, Some(Rotation::Leaked)).await,
        Keys::Rotate { leaked: false } => signing_keys(&database, Some(Rotation::Planned)).await,
        Keys::Status | Keys::RotateLogins { .. } => tallies(&database, false).await,
    };
    database.close().await;
    outcome
}

#[expect(clippy::print_stdout, reason = "what this command is for")]
async fn signing_keys(database: &Database, rotation: Option<Rotation>) -> Result<()> {
    if let Some(rotation) = rotation {
        println!("made {}", identity::rotate_keys(database, rotation).await?);
    }
    for key in identity::key_states(database).await? {
        let state = match key.retired_at {
            Some(at) => format!("retired {}", at.format("%F %T")),
            None => "verifies".into(),
        };
        println!("{}  signs from {}  {state}", key.kid, key.signs_from.format("%F %T"));
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "what this command is for")]
async fn radius(database: &Database) -> Result<()> {
    let (role, password) = database.radius_login().await?;
    println!("RADIUS_DB_USER={role}\nPGPASSWORD={password}");
    Ok(())
}

#[expect(clippy::print_stdout, reason = "what this command is for")]
async fn tallies(database: &Database, rewrite: bool) -> Result<()> {
    let (mut previous, mut lost) = (0, 0);
    for (column, tally) in runs::reseal(database, &sealed_columns(), rewrite).await? {
        let of = if column.per_tenant { "ISPs' " } else { "" };
        println!(
            "{of}{}.{}: {} current, {} previous, {} that no key opens",
            column.table, column.column, tally.current, tally.previous, tally.lost
        );
        previous += tally.previous;
        lost += tally.lost;
    }
    if lost > 0 {
        bail!("{lost} secrets are sealed with a key that is not given");
    }
    match (rewrite, previous) {
        (true, 0) => println!("TRUNKLINE_SECRET_KEY_PREVIOUS is not needed any more"),
        (true, _) => bail!("{previous} secrets were changed meanwhile: run it again"),
        (false, _) => {}
    }
    Ok(())
}
