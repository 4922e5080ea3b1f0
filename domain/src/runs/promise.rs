//! Promises to pay: what was cut for want of money goes on until the last day that was promised, or until the money is there.

use std::collections::BTreeSet;

use chrono::{Days, NaiveDate};
use serde::Serialize;
use uuid::Uuid;

use super::held::Held;
use crate::billing::{self, lines_of};
use crate::dunning::{self, Promise, PromiseStatus};
use crate::kernel::calendar::IntervalUnit;
use crate::kernel::check::Checks;
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, ErrorCode, Result};
use crate::kernel::ids::{InvoiceId, PromiseId, ServiceId, SubscriberId};
use crate::kernel::money::Money;
use crate::kernel::{Actor, Permission};
use crate::services::{ServiceState, SuspensionCause};
use crate::subscribers;

#[derive(Clone, Debug, Serialize)]
pub struct CreatePromise {
    /// Who pays.
    pub subscriber_id: SubscriberId,
    /// The last day.
    pub until: NaiveDate,
    pub note: Option<String>,
    pub idempotency_key: Uuid,
}

#[derive(Clone, Debug, Serialize)]
pub struct CancelPromise {
    pub id: PromiseId,
}

/// Takes a payer's word for what is due by a day and not promised yet: until its end nothing is switched off for it, and what
/// was goes on at once. Staff may, and subscribers for themselves where their ISP lets them.
pub async fn promise_create(tx: &TenantTx, cmd: &CreatePromise) -> Result<Promise> {
    let by_subscriber = authorize(tx, cmd.subscriber_id)?;
    let id = PromiseId::new();
    if let Some(known) = tx
        .claim_key("promiseToPayCreate", Some(cmd.idempotency_key), cmd, id.0)
        .await?
    {
        return dunning::by_id(tx, PromiseId(known)).await;
    }
    let mut checks = Checks::new();
    let note = checks.optional_line(cmd.note.as_deref(), 200, "note");
    checks.done()?;
    lock(tx, cmd.subscriber_id).await?;
    check_limits(tx, cmd, by_subscriber).await?;
    let invoices = owed_by(tx, cmd).await?;
    let promise = dunning::make(tx, id, cmd.subscriber_id, cmd.until, &invoices, note).await?;
    let services = services_of(tx, &invoices).await?;
    for service in services {
        refresh_promised(tx, service).await?;
    }
    tx.audit("promiseToPayCreate", id.0, cmd).await?;
    Ok(promise)
}

/// Takes an open promise back; what only it kept on goes off.
pub async fn promise_cancel(tx: &TenantTx, cmd: &CancelPromise) -> Result<Promise> {
    tx.require(Permission::PromiseWrite)?;
    let promise = dunning::by_id(tx, cmd.id).await?;
    lock(tx, promise.subscriber_id).await?;
    let promise = dunning::by_id(tx, cmd.id).await?;
    if promise.status != PromiseStatus::Open {
        return Err(Error::state("id", format!("The promise is {}.", promise.status)));
    }
    for service in dunning::cancel(tx, &promise).await? {
        refresh_promised(tx, service).await?;
    }
    tx.audit("promiseToPayCancel", cmd.id.0, cmd).await?;
    dunning::by_id(tx, cmd.id).await
}

/// Whether it is a subscriber who promises; for itself alone.
fn authorize(tx: &TenantTx, payer: SubscriberId) -> Result<bool> {
    match tx.actor() {
        Actor::Subscriber { id, .. } if *id == payer => Ok(true),
        Actor::Subscriber { .. } => Err(Error::not_found("subscriberId")),
        _ => tx.require(Permission::PromiseWrite).map(|()| false),
    }
}

/// Holds who pays, and those whom it pays for, in the order of their ids, as every transaction that holds several.
async fn lock(tx: &TenantTx, payer: SubscriberId) -> Result<()> {
    let all: Vec<SubscriberId> = tx
        .sql("SELECT id FROM subscriber WHERE id = $1 OR bill_to_id = $1 ORDER BY id")
        .bind(payer)
        .scalars()
        .await?;
    let mut known = None;
    for id in all {
        let locked = subscribers::lock(tx, id).await?;
        known = known.or(locked.filter(|s| s.id == payer));
    }
    let payer = known.ok_or_else(|| Error::not_found("subscriberId"))?;
    match payer.bill_to_id {
        None => Ok(()),
        Some(_) => Err(Error::invalid(
            "subscriberId",
            "Somebody else pays for this subscriber, and promises.",
        )),
    }
}

async fn check_limits(tx: &TenantTx, cmd: &CreatePromise, by_subscriber: bool) -> Result<()> {
    let settings = dunning::settings(tx).await?;
    if by_subscriber && !settings.promise_by_subscriber {
        return Err(Error::state("", "This provider takes no promises here; ask its staff."));
    }
    let Some(days) = settings.promises.max_days else {
        return Err(Error::state("", "This provider takes no promises to pay."));
    };
    let last = tx.today().checked_add_days(Days::new(u64::from(days)));
    if cmd.until < tx.today() || Some(cmd.until) > last {
        return Err(Error::user(
            ErrorCode::LimitExceeded,
            "until",
            format!("Must be from today to {days} days from today."),
        ));
    }
    let (open, broken) = dunning::open_of(tx, cmd.subscriber_id).await?;
    if open >= settings.promises.max_open {
        return Err(Error::user(
            ErrorCode::LimitExceeded,
            "subscriberId",
            format!("No more than {} promises may be open.", settings.promises.max_open),
        ));
    }
    if by_subscriber && broken {
        return Err(Error::state(
            "",
            "An earlier promise was not kept; pay, or ask the provider's staff.",
        ));
    }
    Ok(())
}

/// The payer's invoices that are due by then and in no open promise, with what is due on each.
async fn owed_by(tx: &TenantTx, cmd: &CreatePromise) -> Result<Vec<(InvoiceId, Money)>> {
    let open = billing::open_invoices(tx, cmd.subscriber_id).await?;
    let due: Vec<_> = open.into_iter().filter(|i| i.due_on <= cmd.until).collect();
    let ids: Vec<InvoiceId> = due.iter().map(|i| i.id).collect();
    let promised = dunning::promised(tx, &ids).await?;
    let left = due.into_iter().filter(|i| !promised.contains(&i.id));
    let left: Vec<_> = left.map(|i| (i.id, i.amount_due)).collect();
    match left.is_empty() {
        false => Ok(left),
        true => Err(Error::state(
            "subscriberId",
            "Nothing is due by then that is not promised already.",
        )),
    }
}

async fn services_of(tx: &TenantTx, invoices: &[(InvoiceId, Money)]) -> Result<BTreeSet<ServiceId>> {
    let ids: Vec<InvoiceId> = invoices.iter().map(|(id, _)| *id).collect();
    Ok(lines_of(tx, &ids).await?.into_iter().filter_map(|l| l.service_id).collect())
}

async fn refresh_promised(tx: &TenantTx, id: ServiceId) -> Result<()> {
    let Some(mut held) = Held::lock(tx, id).await? else {
        return Ok(());
    };
    held.begin_on_promise(tx).await?;
    held.settle(tx, false).await?;
    held.keep(tx, None).await.map(|_| ())
}

impl Held {
    /// What would have begun again with its payment begins with the promise of it, so that the time until then is charged. So
    /// does prepaid time that ended while the service was off for it: paid where it lies, it would give nothing. Hours are used
    /// up when they end.
    async fn begin_on_promise(&mut self, tx: &TenantTx) -> Result<()> {
        if !matches!(self.service.state, ServiceState::Suspended(_)) {
            return Ok(());
        }
        let facts = self.facts(tx).await?;
        let lapsed = self.service.state.cause() == Some(SuspensionCause::Expired) && facts.unit != IntervalUnit::Hour;
        let promised = facts.charged.last().filter(|c| !c.paid && c.awaited_until > c.due_on);
        match promised.filter(|c| self.service.awaits_payment || (lapsed && c.period.end() <= tx.now())) {
            Some(last) => self.begin_now(tx, last.period).await,
            None => Ok(()),
        }
    }
}
