use chrono::{DateTime, NaiveDate, Utc};
use sea_orm::{DbErr, FromQueryResult, QueryResult};

use super::pause::Pause;
use crate::kernel::calendar::Zone;
use crate::kernel::ids::{PlanId, PlanVersionId, ServiceId, SubscriberId};
use crate::kernel::text_enum;
use crate::subscribers::Address;

text_enum! {
    /// Pending: not yet on. Grace: unpaid, still on. Suspended: off, may come back. Terminated: over.
    ServiceStatus { Pending, Active, Grace, Suspended, Terminated }
    /// A payment lifts arrears (postpaid) and expired (prepaid) by itself, never the others.
    SuspensionCause { Arrears, Expired, Staff, Subscriber }
}

impl SuspensionCause {
    /// Whether money lifts it.
    pub fn is_for_money(self) -> bool {
        matches!(self, Self::Arrears | Self::Expired)
    }
}

/// Why and since when a service is off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suspension {
    pub cause: SuspensionCause,
    pub since: DateTime<Utc>,
    pub reason: Option<String>,
}

impl Suspension {
    /// The first day without service, of those that `suspensionCredit` is about. A pause that begins in the middle of a day leaves
    /// that one a day of service: whoever paused every night would have it for nothing.
    pub fn first_day(&self, zone: Zone) -> NaiveDate {
        let day = zone.local_date(self.since);
        let used = self.cause == SuspensionCause::Subscriber && zone.start_of_day(day) < self.since;
        if used { day.succ_opt().unwrap_or(day) } else { day }
    }
}

/// Where a service stands in its life. Which state may follow which: [`ServiceState::may_become`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServiceState {
    Pending,
    Active,
    Grace,
    Suspended(Suspension),
    Terminated,
}

impl ServiceState {
    pub fn status(&self) -> ServiceStatus {
        match self {
            Self::Pending => ServiceStatus::Pending,
            Self::Active => ServiceStatus::Active,
            Self::Grace => ServiceStatus::Grace,
            Self::Suspended(_) => ServiceStatus::Suspended,
            Self::Terminated => ServiceStatus::Terminated,
        }
    }

    pub fn suspension(&self) -> Option<&Suspension> {
        match self {
            Self::Suspended(suspension) => Some(suspension),
            _ => None,
        }
    }

    pub fn cause(&self) -> Option<SuspensionCause> {
        self.suspension().map(|s| s.cause)
    }

    /// Whether the subscriber is served.
    pub fn is_on(&self) -> bool {
        matches!(self, Self::Active | Self::Grace)
    }
}

/// The plan that follows when the next period that is not charged yet begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PendingChange {
    pub plan_id: PlanId,
    pub effective_on: NaiveDate,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Service {
    pub id: ServiceId,
    pub subscriber_id: SubscriberId,
    pub plan_id: PlanId,
    /// The version of the plan that it is charged and served by until its next period.
    pub plan_version_id: PlanVersionId,
    pub state: ServiceState,
    /// RADIUS user name; None for a plan without network access.
    pub username: Option<String>,
    pub installation_address: Option<Address>,
    /// Its first day, also when that is still to come; None until it is known.
    pub started_on: Option<NaiveDate>,
    /// Where every period is counted from; never a clamped date. None until activation is asked for.
    pub anchor_at: Option<DateTime<Utc>>,
    /// The period being used, half-open.
    pub period_starts_at: Option<DateTime<Utc>>,
    pub period_ends_at: Option<DateTime<Utc>>,
    /// Up to where its time has been charged; the next charge begins here.
    pub billed_until: Option<DateTime<Utc>>,
    /// The plan's version by which the last of it was charged; the service's own when that period begins.
    pub billed_version_id: Option<PlanVersionId>,
    /// Prepaid: the end of the last period that is paid.
    pub paid_until: Option<DateTime<Utc>>,
    /// From then on nobody logs in, whether a job has run or not; None: no end in sight.
    pub access_until: Option<DateTime<Utc>>,
    /// Day of the next charge.
    pub next_billing_on: Option<NaiveDate>,
    /// Pending until its first invoice is paid.
    pub awaits_payment: bool,
    pub pending_change: Option<PendingChange>,
    /// The pause that it is in, or that is to come.
    pub pause: Option<Pause>,
    /// Periods that begin before this day are charged by the plan's version that it has.
    pub version_kept_until: Option<NaiveDate>,
    /// The first day without service, once its end is known; not charged.
    pub ends_on: Option<NaiveDate>,
    /// Why it ends.
    pub end_reason: Option<String>,
    pub created_at: DateTime<Utc>,
    /// Counts changes.
    pub version: i32,
}

#[derive(FromQueryResult)]
struct Row {
    id: ServiceId,
    subscriber_id: SubscriberId,
    plan_id: PlanId,
    plan_version_id: PlanVersionId,
    status: ServiceStatus,
    suspension_cause: Option<SuspensionCause>,
    suspension_since: Option<DateTime<Utc>>,
    suspension_reason: Option<String>,
    username: Option<String>,
    installation_address: Option<Address>,
    started_on: Option<NaiveDate>,
    anchor_at: Option<DateTime<Utc>>,
    period_starts_at: Option<DateTime<Utc>>,
    period_ends_at: Option<DateTime<Utc>>,
    billed_until: Option<DateTime<Utc>>,
    billed_version_id: Option<PlanVersionId>,
    paid_until: Option<DateTime<Utc>>,
    access_until: Option<DateTime<Utc>>,
    next_billing_on: Option<NaiveDate>,
    awaits_payment: bool,
    pending_plan_id: Option<PlanId>,
    pending_on: Option<NaiveDate>,
    pause_starts_on: Option<NaiveDate>,
    pause_ends_on: Option<NaiveDate>,
    ends_on: Option<NaiveDate>,
    end_reason: Option<String>,
    version_kept_until: Option<NaiveDate>,
    created_at: DateTime<Utc>,
    version: i32,
}

impl FromQueryResult for Service {
    fn from_query_result(result: &QueryResult, prefix: &str) -> Result<Self, DbErr> {
        let row = Row::from_query_result(result, prefix)?;
        let state = match (row.status, row.suspension_cause, row.suspension_since) {
            (ServiceStatus::Pending, ..) => ServiceState::Pending,
            (ServiceStatus::Active, ..) => ServiceState::Active,
            (ServiceStatus::Grace, ..) => ServiceState::Grace,
            (ServiceStatus::Terminated, ..) => ServiceState::Terminated,
            (ServiceStatus::Suspended, Some(cause), Some(since)) => ServiceState::Suspended(Suspension {
                cause,
                since,
                reason: row.suspension_reason,
            }),
            (ServiceStatus::Suspended, ..) => {
                return Err(DbErr::Type(format!("service {} is suspended without a cause", row.id)));
            }
        };
        Ok(Self {
            id: row.id,
            subscriber_id: row.subscriber_id,
            plan_id: row.plan_id,
            plan_version_id: row.plan_version_id,
            state,
            username: row.username,
            installation_address: row.installation_address,
            started_on: row.started_on,
            anchor_at: row.anchor_at,
            period_starts_at: row.period_starts_at,
            period_ends_at: row.period_ends_at,
            billed_until: row.billed_until,
            billed_version_id: row.billed_version_id,
            paid_until: row.paid_until,
            access_until: row.access_until,
            next_billing_on: row.next_billing_on,
            awaits_payment: row.awaits_payment,
            pending_change: (row.pending_plan_id.zip(row.pending_on))
                .map(|(plan_id, effective_on)| PendingChange { plan_id, effective_on }),
            pause: row.pause_starts_on.map(|starts_on| Pause {
                starts_on,
                ends_on: row.pause_ends_on,
            }),
            version_kept_until: row.version_kept_until,
            ends_on: row.ends_on,
            end_reason: row.end_reason,
            created_at: row.created_at,
            version: row.version,
        })
    }
}
