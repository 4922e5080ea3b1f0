use rust_decimal::Decimal;
use sea_orm::FromQueryResult;
use serde::Serialize;

use super::entity::Settings;
use super::events::DunningSettingsUpdated;
use super::rules::{EARLIEST_STEP, LATEST_STEP, Limits, MAX_STEPS, PromiseLimits};
use crate::kernel::Permission;
use crate::kernel::check::Checks;
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, Result};
use crate::kernel::patch::Patch;

#[derive(FromQueryResult)]
struct Row {
    reminders: Vec<i32>,
    promise_max_days: Option<i32>,
    promise_max_open: i32,
    promise_by_subscriber: bool,
    brake_share: Option<Decimal>,
    brake_least: i32,
    brake_unmatched: Option<i32>,
    brake_prepaid: bool,
    version: i32,
}

impl TryFrom<Row> for Settings {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let count = |n: i32| u32::try_from(n).map_err(Error::internal);
        Ok(Self {
            reminders: row.reminders,
            promises: PromiseLimits {
                max_days: row.promise_max_days.map(count).transpose()?,
                max_open: count(row.promise_max_open)?,
            },
            promise_by_subscriber: row.promise_by_subscriber,
            brake: Limits {
                share: row.brake_share.map(|share| share.normalize()),
                least: count(row.brake_least)?,
                unmatched: row.brake_unmatched.map(count).transpose()?,
            },
            brake_prepaid: row.brake_prepaid,
            version: row.version,
        })
    }
}

/// How this ISP duns. No permission of its own: use cases of every kind go by it.
pub async fn settings(tx: &TenantTx) -> Result<Settings> {
    let row: Row = tx
        .sql(
            "SELECT reminders, promise_max_days, promise_max_open, promise_by_subscriber, brake_share, brake_least,
                 brake_unmatched, brake_prepaid, version
             FROM dunning_settings",
        )
        .one()
        .await?;
    row.try_into()
}

/// Whoever decides about holds and the brake takes turns.
pub(super) async fn lock(tx: &TenantTx) -> Result<()> {
    let lock = tx.sql("SELECT only_row FROM dunning_settings FOR UPDATE");
    lock.run().await.map(|_| ())
}

/// As [`settings`], for staff who look at them.
pub async fn settings_view(tx: &TenantTx) -> Result<Settings> {
    tx.require(Permission::SettingsRead)?;
    settings(tx).await
}

/// Fields that are to change; they count from the next run on.
#[derive(Clone, Debug, Serialize)]
pub struct UpdateDunning {
    pub expected_version: i32,
    pub reminders: Patch<Vec<i32>>,
    pub promise_max_days: Patch<i32>,
    pub promise_max_open: Patch<i32>,
    pub promise_by_subscriber: Patch<bool>,
    pub brake_share: Patch<Decimal>,
    pub brake_least: Patch<i32>,
    pub brake_unmatched: Patch<i32>,
    pub brake_prepaid: Patch<bool>,
}

/// Changes how this ISP duns. STALE_VERSION when somebody else changed it meanwhile.
pub async fn settings_update(tx: &TenantTx, cmd: UpdateDunning) -> Result<Settings> {
    tx.require(Permission::SettingsWrite)?;
    lock(tx).await?;
    let old = settings(tx).await?;
    if old.version != cmd.expected_version {
        return Err(Error::stale("expectedVersion"));
    }
    let new = changed(old, cmd.clone())?;
    let count = |n: u32| i32::try_from(n).map_err(Error::internal);
    tx.sql(
        "UPDATE dunning_settings SET reminders = $1, promise_max_days = $2, promise_max_open = $3, promise_by_subscriber = $4,
             brake_share = $5, brake_least = $6, brake_unmatched = $7, brake_prepaid = $8, version = version + 1",
    )
    .bind(new.reminders)
    .bind(new.promises.max_days.map(count).transpose()?)
    .bind(count(new.promises.max_open)?)
    .bind(new.promise_by_subscriber)
    .bind(new.brake.share)
    .bind(count(new.brake.least)?)
    .bind(new.brake.unmatched.map(count).transpose()?)
    .bind(new.brake_prepaid)
    .run()
    .await?;
    tx.audit("dunningSettingsUpdate", tx.tenant().id().0, &cmd).await?;
    let version = cmd.expected_version + 1;
    tx.emit(&DunningSettingsUpdated { version }).await?;
    settings(tx).await
}

/// A number from 1; one that is not is noted, and 0 stands for it.
fn count(new: i32, most: u32, field: &str, c: &mut Checks) -> u32 {
    let new = u32::try_from(new).ok().filter(|n| (1..=most).contains(n));
    c.ensure(new.is_some(), field, &format!("Must be 1 to {most}."));
    new.unwrap_or_default()
}

fn optional(patch: Patch<i32>, old: Option<u32>, most: u32, field: &str, c: &mut Checks) -> Option<u32> {
    patch.map(|new| count(new, most, field, c)).or(old)
}

fn required(patch: Patch<i32>, old: u32, most: u32, field: &str, c: &mut Checks) -> u32 {
    let patch = patch.map(|new| count(new, most, field, c));
    patch.required(old, field, c)
}

fn changed(old: Settings, cmd: UpdateDunning) -> Result<Settings> {
    let mut checks = Checks::new();
    let c = &mut checks;
    let mut reminders = cmd.reminders.required(old.reminders, "reminders", c);
    c.ensure(
        reminders.len() <= MAX_STEPS,
        "reminders",
        &format!("Must be at most {MAX_STEPS}."),
    );
    for (n, days) in reminders.iter().enumerate() {
        let near = (EARLIEST_STEP..=LATEST_STEP).contains(days);
        c.ensure(
            near,
            &format!("reminders.{n}"),
            &format!("Must be {EARLIEST_STEP} to {LATEST_STEP}."),
        );
        c.ensure(!reminders[..n].contains(days), &format!("reminders.{n}"), "Is named twice.");
    }
    reminders.sort_unstable();
    let max_open = required(cmd.promise_max_open, old.promises.max_open, 10, "promiseMaxOpen", c);
    let share = cmd.brake_share.or(old.brake.share);
    let sound = share.is_none_or(|s| s > Decimal::ZERO && s <= Decimal::ONE_HUNDRED && s.normalize().scale() <= 2);
    c.ensure(
        sound,
        "brakeShare",
        "Must be more than 0 and at most 100, with at most two decimals.",
    );
    let least = required(cmd.brake_least, old.brake.least, 1_000_000, "brakeLeast", c);
    let unmatched = optional(cmd.brake_unmatched, old.brake.unmatched, 1_000_000, "brakeUnmatched", c);
    let new = Settings {
        reminders,
        promises: PromiseLimits {
            max_days: optional(cmd.promise_max_days, old.promises.max_days, 90, "promiseMaxDays", c),
            max_open,
        },
        promise_by_subscriber: cmd
            .promise_by_subscriber
            .required(old.promise_by_subscriber, "promiseBySubscriber", c),
        brake: Limits { share, least, unmatched },
        brake_prepaid: cmd.brake_prepaid.required(old.brake_prepaid, "brakePrepaid", c),
        version: old.version,
    };
    checks.done()?;
    Ok(new)
}
