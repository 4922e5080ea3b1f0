use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use sea_orm::FromQueryResult;
use serde::Serialize;

pub use crate::kernel::calendar::IntervalUnit;
use crate::kernel::ids::{PlanId, PlanVersionId};
use crate::kernel::text_enum;

text_enum! {
    PlanKind { Broadband, Hotspot, Addon }
    /// Prepaid: access lasts as long as it is paid for. Postpaid: invoiced, then due.
    PaymentMode { Prepaid, Postpaid }
    /// Whether a period is invoiced when it begins or when it has ended; only postpaid plans may bill in arrears.
    BillIn { Advance, Arrears }
}

text_enum! {
    /// Fixed: an amount. Declining: of the amount, the share of the term that is left. Remaining: so much of each hundred that
    /// the rest of the term would have cost.
    ExitKind { Fixed, Declining, Remaining }
}

/// So long a new service is to last, and what its end before costs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MinimumTerm {
    pub unit: IntervalUnit,
    pub count: i32,
    pub exit_kind: ExitKind,
    /// An amount, or with `Remaining` a percentage.
    pub exit_value: Decimal,
}

/// A plan together with one of its versions: the one that counts today, unless a query says otherwise.
#[derive(Clone, Debug, PartialEq, FromQueryResult)]
pub struct Plan {
    pub id: PlanId,
    pub code: String,
    pub name: String,
    pub kind: PlanKind,
    pub payment_mode: PaymentMode,
    pub bill_in: BillIn,
    pub period_unit: IntervalUnit,
    pub period_count: i32,
    pub retired_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    /// Counts changes of the plan, for `expectedVersion`.
    pub version: i32,
    pub version_id: PlanVersionId,
    /// Counts its versions of price and speed.
    pub version_number: i32,
    /// From which day on this version counts; None: from the beginning.
    pub effective_on: Option<NaiveDate>,
    /// Services that have the plan already keep the version that they have.
    pub new_services_only: bool,
    /// It was taken back before it counted.
    pub withdrawn_at: Option<DateTime<Utc>>,
    pub version_created_at: DateTime<Utc>,
    pub price: Decimal,
    pub currency: String,
    pub tax_inclusive: bool,
    pub tax_code: Option<String>,
    pub download_kbps: Option<i32>,
    pub upload_kbps: Option<i32>,
    pub data_cap_bytes: Option<i64>,
    pub fair_use_download_kbps: Option<i32>,
    pub fair_use_upload_kbps: Option<i32>,
    pub simultaneous_sessions: i32,
    /// The first days of a new service are free.
    pub trial_days: Option<i32>,
    pub term_unit: Option<IntervalUnit>,
    pub term_count: Option<i32>,
    pub exit_kind: Option<ExitKind>,
    pub exit_value: Option<Decimal>,
}

impl Plan {
    /// What a new service is bound by, if anything.
    pub fn minimum_term(&self) -> Option<MinimumTerm> {
        Some(MinimumTerm {
            unit: self.term_unit?,
            count: self.term_count?,
            exit_kind: self.exit_kind?,
            exit_value: self.exit_value?,
        })
    }

    /// Whether a service of this plan logs in over RADIUS.
    pub fn has_network_access(&self) -> bool {
        self.kind != PlanKind::Addon
    }
}
