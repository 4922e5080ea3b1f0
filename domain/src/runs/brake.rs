//! The brake: before a run cuts anybody it looks at all whom it would cut, and may be stopped. What was stopped and is let go
//! again is made up for by a job of its own.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::cuts::{Tallies, cuts, outlook};
use super::each::each;
use super::held::Held;
use super::renewal::look_again;
use crate::dunning::{self, Brake, CollectionHold, CreateHold, Kept};
use crate::kernel::Permission;
use crate::kernel::db::{TenantDb, TenantTx};
use crate::kernel::error::Result;
use crate::kernel::event::Job;
use crate::kernel::ids::{BrakeId, CollectionHoldId, ServiceId};

/// Asks for what was held up to be made up for, and for prepaid time to end when it ends now.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CutDue {
    /// Of the brake or hold because of which it is asked.
    pub id: Uuid,
    /// Prepaid services that end by then are looked at again.
    pub ending_by: Option<DateTime<Utc>>,
}

impl Job for CutDue {
    const KIND: &'static str = "dunning.cut";

    fn dedup_key(&self) -> Option<String> {
        None
    }
}

/// On which day the brake was asked, and until when it and the holds keep whom on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    pub on: NaiveDate,
    pub kept: Kept,
}

/// Decides whether whoever is about to cut is stopped, and lets that count. To be asked before anything that may cut many.
pub(super) async fn before_cutting(db: &TenantDb) -> Result<Asked> {
    let tallies = tallies(db).await?;
    db.write(async move |tx| decide(tx, tallies).await).await
}

/// As [`before_cutting`], for whoever only looks what would be: nothing counts.
pub(super) async fn before_looking(db: &TenantDb) -> Result<Asked> {
    let tallies = tallies(db).await?;
    db.rehearse(async move |tx| decide(tx, tallies).await).await
}

async fn tallies(db: &TenantDb) -> Result<Tallies> {
    let today = db.read(async move |tx| Ok(tx.today())).await?;
    Ok(Tallies::of(&cuts(db, today).await?))
}

async fn decide(tx: &TenantTx, tallies: Tallies) -> Result<Asked> {
    let outlook = outlook(tx, tallies).await?;
    dunning::keep_or_lift(tx, &outlook).await?;
    Ok(Asked {
        on: tx.today(),
        kept: dunning::apply_holds(tx).await?,
    })
}

/// Carries out [`CutDue`]: the brake is asked once more, unless staff have released it; then those are cut who are to be. Of
/// an ISP that the platform has closed nobody is; the next run does it.
pub async fn cut_due(db: &TenantDb, job: CutDue) -> Result<()> {
    if db.tenant().ensure_open().is_err() {
        return Ok(());
    }
    before_cutting(db).await?;
    if let Some(end) = job.ending_by {
        let mut after = None;
        loop {
            let some = db.read(async move |tx| ending(tx, end, after).await).await?;
            each(db, &some, |tx, id| Box::pin(look_again(tx, id))).await?;
            after = some.last().copied();
            if after.is_none() {
                break;
            }
        }
    }
    let today = db.read(async move |tx| Ok(tx.today())).await?;
    let cut: Vec<ServiceId> = cuts(db, today).await?.iter().map(|cut| cut.service_id).collect();
    each(db, &cut, |tx, id| Box::pin(cut_one(tx, id))).await.map(|_| ())
}

/// Services that are on and whose access ends by then.
async fn ending(tx: &TenantTx, by: DateTime<Utc>, after: Option<ServiceId>) -> Result<Vec<ServiceId>> {
    tx.sql(
        "SELECT id FROM service WHERE status IN ('ACTIVE', 'GRACE') AND access_until <= $1 AND ($2::uuid IS NULL OR id > $2)
         ORDER BY id LIMIT 500",
    )
    .bind(by)
    .bind(after)
    .scalars()
    .await
}

/// Goes by the facts of now, as a run does: who has paid meanwhile is not cut.
async fn cut_one(tx: &TenantTx, id: ServiceId) -> Result<()> {
    let Some(mut held) = Held::lock(tx, id).await? else {
        return Ok(());
    };
    held.settle(tx, false).await?;
    if let Some((day, reason)) = held.end_due(tx, tx.today()) {
        held.end(tx, day, reason).await?;
    }
    held.keep(tx, None).await.map(|_| ())
}

/// Lets a run go on that was stopped: today's, if it cuts no more than was looked at. Tomorrow's is looked at anew.
pub async fn brake_release(tx: &TenantTx, id: BrakeId, reason: &str) -> Result<Brake> {
    if dunning::release(tx, id, reason).await? {
        let held = dunning::last_kept(tx).await?;
        dunning::apply_holds(tx).await?;
        let job = CutDue {
            id: id.0,
            ending_by: held,
        };
        tx.enqueue(&job, tx.now()).await?;
    }
    dunning::brake_by_id(tx, id).await
}

/// From now until then nobody is cut for want of money; prepaid time that would run out meanwhile is given, if that is asked.
pub async fn collection_hold_create(tx: &TenantTx, cmd: &CreateHold) -> Result<CollectionHold> {
    tx.require(Permission::DunningWrite)?;
    let id = CollectionHoldId::new();
    if let Some(known) = tx
        .claim_key("collectionHoldCreate", Some(cmd.idempotency_key), cmd, id.0)
        .await?
    {
        return dunning::hold_by_id(tx, CollectionHoldId(known)).await;
    }
    let hold = dunning::hold_create(tx, id, cmd).await?;
    dunning::apply_holds(tx).await?;
    look_at_prepaid(tx, &hold).await?;
    Ok(hold)
}

/// Takes a hold back; whoever it kept on is cut if nothing else does.
pub async fn collection_hold_release(tx: &TenantTx, id: CollectionHoldId) -> Result<CollectionHold> {
    let hold = dunning::hold_release(tx, id).await?;
    dunning::apply_holds(tx).await?;
    look_at_prepaid(tx, &hold).await?;
    Ok(hold)
}

async fn look_at_prepaid(tx: &TenantTx, hold: &CollectionHold) -> Result<()> {
    let job = CutDue {
        id: hold.id.0,
        ending_by: hold.prepaid.then_some(hold.until),
    };
    tx.enqueue(&job, tx.now()).await
}
