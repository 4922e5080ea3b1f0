//! What is charged beside a plan's price.

use chrono_tz::Tz;
use rust_decimal::Decimal;

use super::rules::{DayShare, Discount};
use crate::kernel::calendar::{Period, Zone};
use crate::kernel::ids::{ServiceId, SubscriberId};
use crate::subscribers::Address;

/// The service that a charge is for.
#[derive(Clone, Debug)]
pub struct OfService {
    pub service_id: ServiceId,
    /// Who uses it.
    pub subscriber_id: SubscriberId,
    /// Decides where it is supplied; None: the subscriber's address.
    pub installation: Option<Address>,
}

/// An add-on's price for a period of a service, or for the part of it in which the service has the add-on.
#[derive(Clone, Debug)]
pub struct AddonCharge {
    pub of: OfService,
    /// Under which its time is covered: unlike any other of the service.
    pub charge: String,
    pub name: String,
    pub quantity: u32,
    /// For each piece and full period.
    pub price: Decimal,
    pub tax_inclusive: bool,
    /// None: internet access.
    pub tax_code: Option<String>,
    pub period: Period,
    /// The days charged of the full period's; None: the whole price, as for hours.
    pub share: Option<DayShare>,
    pub discount: Option<Discount>,
}

impl AddonCharge {
    pub(super) fn description(&self, zone: Tz) -> String {
        let span = span(self.period, self.share.is_none(), zone);
        match self.quantity {
            1 => format!("{}, {span}", self.name),
            n => format!("{} × {n}, {span}", self.name),
        }
    }
}

/// A period for people: first and last day; of hours, when it begins and ends.
pub(super) fn span(period: Period, hours: bool, zone: Tz) -> String {
    if hours {
        let (start, end) = (period.start().with_timezone(&zone), period.end().with_timezone(&zone));
        return format!("{} to {}", start.format("%Y-%m-%d %H:%M"), end.format("%Y-%m-%d %H:%M %Z"));
    }
    let zone = Zone::from(zone);
    let first = zone.local_date(period.start());
    let after = zone.local_date(period.end());
    format!("{first} to {}", after.pred_opt().unwrap_or(after))
}
