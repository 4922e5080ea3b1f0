//! Who would be cut for want of money, and why: what the run itself goes by, asked beforehand.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Days, NaiveDate, Utc};
use rust_decimal::Decimal;

use super::desk::Desk;
use super::held::Held;
use super::standing::Standing;
use crate::dunning::{self, BrakeReason, Candidates, Outlook, Owed, rules};
use crate::kernel::Permission;
use crate::kernel::calendar::{Zone, days_between};
use crate::kernel::db::{TenantDb, TenantTx};
use crate::kernel::error::{Error, Result};
use crate::kernel::ids::{InvoiceId, ServiceId, SubscriberId};
use crate::kernel::money::{Currency, Money};
use crate::kernel::page::{Page, PageRequest};
use crate::plans::{self, BillIn, PaymentMode, Plan};
use crate::services::{self, SuspensionCause};
use crate::{billing, ledger, payments, subscribers};

/// How far ahead one may look.
const MAX_DAYS: u64 = 60;
const BATCH: i64 = 200;

/// What a run does to a service that is not paid for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CutKind {
    Suspend,
    Terminate,
}

/// A service that a run would cut.
#[derive(Clone, Debug, PartialEq)]
pub struct Cut {
    pub service_id: ServiceId,
    pub subscriber_id: SubscriberId,
    pub kind: CutKind,
    pub cause: SuspensionCause,
    /// The oldest open invoice over its time; None where time has run out that nothing was charged after.
    pub invoice_id: Option<InvoiceId>,
    pub due_on: Option<NaiveDate>,
    pub amount_due: Option<Money>,
    /// Since the due date, or since the paid time ended.
    pub days_overdue: i64,
}

/// A run before it has happened.
#[derive(Clone, Debug)]
pub struct Preview {
    pub date: NaiveDate,
    pub outlook: Outlook,
    /// Why it would be stopped; empty: it would not.
    pub reasons: Vec<BrakeReason>,
    pub cuts: Page<Cut>,
    /// How many there are on all pages.
    pub all: i64,
}

/// Who would be cut by the run of a date, as things stand: payments, promises and staff may change it until then. Writes
/// nothing.
pub async fn preview(db: &TenantDb, date: Option<NaiveDate>, page: PageRequest<ServiceId>) -> Result<Preview> {
    let today = db
        .read(async move |tx| {
            tx.require(Permission::InvoiceRead)?;
            Ok(tx.today())
        })
        .await?;
    let date = date.unwrap_or(today);
    let last = today.checked_add_days(Days::new(MAX_DAYS));
    if date < today || Some(date) > last {
        return Err(Error::invalid(
            "date",
            format!("Must be from today to {MAX_DAYS} days from today."),
        ));
    }
    let all = cuts(db, date).await?;
    let (tallies, count) = (Tallies::of(&all), i64::try_from(all.len()).map_err(Error::internal)?);
    let (outlook, settings) = db
        .read(async move |tx| Ok((outlook(tx, tallies).await?, dunning::settings(tx).await?)))
        .await?;
    let reasons = rules::reasons(&settings.brake, &outlook.prospect());
    let wanted = all
        .into_iter()
        .filter(|c| page.after.is_none_or(|after| c.service_id > after));
    let rows = wanted.take(page.first as usize + 1).collect();
    Ok(Preview {
        date,
        outlook,
        reasons,
        cuts: Page::from_rows(&page, rows),
        all: count,
    })
}

/// All whom the run of that date would cut if nothing stopped it, in the order of their services' ids.
pub(super) async fn cuts(db: &TenantDb, date: NaiveDate) -> Result<Vec<Cut>> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        // A rehearsal, since it is as of another instant.
        let (found, last) = db
            .rehearse(async move |tx| Box::pin(some_cuts(tx, date, after)).await)
            .await?;
        all.extend(found);
        after = last;
        if after.is_none() {
            return Ok(all);
        }
    }
}

async fn some_cuts(tx: &TenantTx, date: NaiveDate, after: Option<ServiceId>) -> Result<(Vec<Cut>, Option<ServiceId>)> {
    let zone = Zone::from(tx.tenant().timezone());
    let at = tx.now().max(zone.start_of_day(date));
    tx.move_clock(at)?;
    let settings = billing::settings(tx).await?.settings;
    let blocked_before = (settings.terminate_after_days).and_then(|days| at.checked_sub_days(Days::new(u64::from(days))));
    let of = Candidates {
        at,
        date: tx.today(),
        blocked_before,
    };
    let ids = dunning::candidates(tx, of, after, BATCH).await?;
    let (mut cut, mut versions) = (Vec::new(), HashMap::new());
    for id in ids.iter().copied() {
        // Nothing is done to it: it is not locked.
        let service = services::get(tx, id).await?;
        let version = service.plan_version_id;
        let plan: &mut Plan = match versions.entry(version) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(plans::version(tx, version).await?),
        };
        let held = Held::at(Desk::Alone, service, plan.clone(), settings.clone());
        match held.cut_at(tx, at).await {
            Ok(Some((kind, cause))) => cut.push((held.service.subscriber_id, id, kind, cause, held.service.paid_until)),
            Ok(None) => {}
            Err(e) if e.ends_transaction() => return Err(e),
            // The run names it.
            Err(e) => {
                tracing::warn!(tenant = tx.tenant().slug(), service = %id, error = e.summary(), "whether a run would cut a service is not known")
            }
        }
    }
    let cut_ids: Vec<ServiceId> = cut.iter().map(|(_, id, ..)| *id).collect();
    let owed = dunning::owed_for(tx, &cut_ids).await?;
    let mut owed: HashMap<ServiceId, Owed> = owed.into_iter().map(|o| (o.service_id, o)).collect();
    let currency = tx.tenant().currency();
    let cuts = (cut.into_iter())
        .map(|(subscriber_id, service_id, kind, cause, paid_until)| {
            let owed = owed.remove(&service_id);
            let since = owed.as_ref().map(|o| o.due_on).or(paid_until.map(|end| zone.local_date(end)));
            Ok(Cut {
                service_id,
                subscriber_id,
                kind,
                cause,
                invoice_id: owed.as_ref().map(|o| o.invoice_id),
                due_on: owed.as_ref().map(|o| o.due_on),
                amount_due: owed.map(|o| money(o.amount_due, currency)).transpose()?,
                days_overdue: since.map_or(0, |day| days_between(day, tx.today()).max(0)),
            })
        })
        .collect::<Result<Vec<_>>>()?;
    Ok((cuts, ids.last().copied()))
}

fn money(amount: Decimal, currency: Currency) -> Result<Money> {
    Money::new(amount, currency).map_err(Error::internal)
}

/// How many would be cut: of all, and of those who are not merely at the end of prepaid time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tallies {
    all: Tally,
    in_arrears: Tally,
}

#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    suspensions: u32,
    terminations: u32,
    /// Whose services these are.
    subscribers: u32,
    /// … of them those who are not served now: what is to be ended was off before.
    unserved: u32,
}

impl Tallies {
    pub(super) fn of(cuts: &[Cut]) -> Self {
        Self {
            all: Tally::of(cuts, |_| true),
            in_arrears: Tally::of(cuts, |c| c.kind == CutKind::Terminate || c.cause == SuspensionCause::Arrears),
        }
    }
}

impl Tally {
    fn of(cuts: &[Cut], counts: fn(&Cut) -> bool) -> Self {
        let counted: Vec<&Cut> = cuts.iter().filter(|c| counts(c)).collect();
        let of = |kind| counted.iter().filter(move |c| c.kind == kind);
        let served: HashSet<SubscriberId> = of(CutKind::Suspend).map(|c| c.subscriber_id).collect();
        let ended: HashSet<SubscriberId> = of(CutKind::Terminate).map(|c| c.subscriber_id).collect();
        let unserved = ended.difference(&served).count();
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Self {
            suspensions: count(of(CutKind::Suspend).count()),
            terminations: count(of(CutKind::Terminate).count()),
            subscribers: count(served.len() + unserved),
            unserved: count(unserved),
        }
    }
}

/// What a run that would cut so many looks like to the brake. Prepaid time that runs out counts only where this ISP says so:
/// it ends by itself, every day, as it was sold.
pub(super) async fn outlook(tx: &TenantTx, cuts: Tallies) -> Result<Outlook> {
    let tally = match dunning::settings(tx).await?.brake_prepaid {
        true => cuts.all,
        false => cuts.in_arrears,
    };
    Ok(Outlook {
        suspensions: tally.suspensions,
        subscribers: tally.subscribers,
        terminations: tally.terminations,
        of_subscribers: dunning::served_subscribers(tx).await? + tally.unserved,
        unmatched: payments::unmatched(tx).await?,
        on_hold: dunning::on_hold(tx).await?,
    })
}

impl Held {
    /// Until when the brake and collection holds keep it on: only what is served, and no pass of some hours.
    pub(super) fn kept_on_until(&self) -> Option<DateTime<Utc>> {
        if !self.service.state.is_on() || self.is_pass() {
            return None;
        }
        match self.plan.payment_mode {
            PaymentMode::Postpaid => self.settings.cut_nobody_before,
            PaymentMode::Prepaid => self.settings.expire_nobody_before,
        }
    }

    /// Whether a run at that instant cuts it if nothing keeps it on.
    async fn cut_at(&self, tx: &TenantTx, at: DateTime<Utc>) -> Result<Option<(CutKind, SuspensionCause)>> {
        let mut facts = self.facts(tx).await?;
        facts.kept_on_until = None;
        let Standing::Blocked(cause) = facts.standing(at) else {
            return Ok(None);
        };
        if self.unpaid_too_long(at).is_some() {
            return Ok(Some((CutKind::Terminate, cause)));
        }
        if !self.service.state.is_on() {
            return Ok(None);
        }
        let renewed = match self.renews_by_credit(tx).await {
            // What cannot be priced is not renewed.
            Err(e) if !e.ends_transaction() => false,
            other => other?,
        };
        Ok((!renewed).then_some((CutKind::Suspend, cause)))
    }

    /// Whether the run charges it for its next period first, and credit in hand pays for that.
    async fn renews_by_credit(&self, tx: &TenantTx) -> Result<bool> {
        let due = self.service.next_billing_on.is_some_and(|on| on <= tx.today());
        if !due || self.plan.payment_mode != PaymentMode::Prepaid || self.plan.bill_in != BillIn::Advance {
            return Ok(false);
        }
        let payer = subscribers::get(tx, self.service.subscriber_id).await?.payer();
        if !ledger::credit_in_hand(tx, payer).await?.is_positive() {
            return Ok(false);
        }
        let from = self.service.billed_until.unwrap_or(tx.now());
        let plan = self.next_plan(tx, from).await?;
        self.next_would_be_covered(tx, &plan).await
    }
}
