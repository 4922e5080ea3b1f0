use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use sea_orm::FromQueryResult;
use uuid::Uuid;

use crate::kernel::ids::{AddonId, InvoiceId, OneTimeChargeId, PlanId, ServiceAddonId, ServiceId};
use crate::kernel::text_enum;

text_enum! {
    /// PerPeriod: with each period of the service that has it. Once: with one invoice.
    AddonCharging { PerPeriod, Once }
}

/// What is sold beside plans.
#[derive(Clone, Debug, PartialEq, FromQueryResult)]
pub struct Addon {
    pub id: AddonId,
    pub code: String,
    pub name: String,
    pub charged: AddonCharging,
    /// For each piece.
    pub price: Decimal,
    pub currency: String,
    pub tax_inclusive: bool,
    pub tax_code: Option<String>,
    /// The plans that it goes with; empty: all.
    pub plan_ids: Vec<Uuid>,
    pub retired_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    pub version: i32,
}

impl Addon {
    pub fn goes_with(&self, plan: PlanId) -> bool {
        self.plan_ids.is_empty() || self.plan_ids.contains(&plan.0)
    }
}

/// An add-on of a service, from a day to a day.
#[derive(Clone, Debug, PartialEq, FromQueryResult)]
pub struct ServiceAddon {
    pub id: ServiceAddonId,
    pub service_id: ServiceId,
    pub addon_id: AddonId,
    pub name: String,
    pub quantity: i32,
    /// For each piece: what was agreed, or what the catalogue asks now.
    pub price: Decimal,
    pub agreed_price: Option<Decimal>,
    pub currency: String,
    pub tax_inclusive: bool,
    pub tax_code: Option<String>,
    pub starts_on: NaiveDate,
    /// The first day without it.
    pub ends_on: Option<NaiveDate>,
    pub created_at: DateTime<Utc>,
}

impl ServiceAddon {
    /// Under which name `coverage` holds the time for which it is charged.
    pub fn charge(&self) -> String {
        format!("addon {}", self.id.0.simple())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChargeStatus {
    /// Goes onto the next invoice of its service.
    Pending,
    Charged,
    Cancelled,
}

/// Something that a service is charged for once.
#[derive(Clone, Debug, PartialEq, FromQueryResult)]
pub struct OneTimeCharge {
    pub id: OneTimeChargeId,
    pub service_id: ServiceId,
    pub addon_id: Option<AddonId>,
    pub description: String,
    pub quantity: i32,
    /// For each piece.
    pub unit_price: Decimal,
    pub currency: String,
    pub tax_inclusive: bool,
    pub tax_code: Option<String>,
    pub invoice_id: Option<InvoiceId>,
    pub cancelled_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
}

impl OneTimeCharge {
    pub fn status(&self) -> ChargeStatus {
        match (self.invoice_id, self.cancelled_at) {
            (Some(_), _) => ChargeStatus::Charged,
            (None, Some(_)) => ChargeStatus::Cancelled,
            (None, None) => ChargeStatus::Pending,
        }
    }
}
