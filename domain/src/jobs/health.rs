use std::time::Duration;

use strum::IntoEnumIterator;

use super::desk::{JobState, state_of_job};
use crate::kernel::db::PlatformTx;
use crate::kernel::error::{Error, Result};

/// How the queue of the whole installation stands; for operators.
#[derive(Clone, Debug)]
pub struct QueueHealth {
    /// Jobs that are not done, for each state.
    pub jobs: Vec<(JobState, i64)>,
    /// For how long the oldest job that nobody has tried has been due, by the product's clock.
    pub oldest_due: Duration,
    /// Events that are not dispatched yet.
    pub events: i64,
    /// Age of the oldest of them, by the product's clock.
    pub oldest_event: Duration,
}

#[derive(sea_orm::FromQueryResult)]
struct InState {
    state: String,
    count: i64,
    /// Milliseconds since the oldest was due.
    age: i64,
}

#[derive(sea_orm::FromQueryResult)]
struct Outbox {
    count: i64,
    age: i64,
}

pub async fn health(tx: &PlatformTx) -> Result<QueueHealth> {
    tx.require_platform_staff()?;
    let states: Vec<InState> = tx
        .sql(concat!(
            "SELECT state, count(*) AS count, (extract(epoch FROM $1 - min(run_at)) * 1000)::bigint AS age
             FROM (SELECT j.run_at, ",
            state_of_job!(),
            " AS state FROM platform.job j WHERE j.finished_at IS NULL) seen
             GROUP BY state",
        ))
        .bind(tx.now())
        .all()
        .await?;
    let outbox: Outbox = tx
        .sql(
            "SELECT count(*) AS count, coalesce(extract(epoch FROM $1 - min(occurred_at)) * 1000, 0)::bigint AS age
             FROM platform.outbox",
        )
        .bind(tx.now())
        .one()
        .await?;
    let mut jobs: Vec<(JobState, i64)> = JobState::iter().map(|state| (state, 0)).collect();
    let mut oldest_due = Duration::ZERO;
    for row in states {
        let state: JobState = row.state.parse().map_err(Error::internal)?;
        if let Some((_, count)) = jobs.iter_mut().find(|(s, _)| *s == state) {
            *count = row.count;
        }
        if state == JobState::Due {
            oldest_due = age(row.age);
        }
    }
    Ok(QueueHealth {
        jobs,
        oldest_due,
        events: outbox.count,
        oldest_event: age(outbox.age),
    })
}

/// Clocks of processes differ a little: what is younger than nothing is new.
fn age(millis: i64) -> Duration {
    Duration::from_millis(u64::try_from(millis).unwrap_or(0))
}
