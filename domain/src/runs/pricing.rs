//! What a service is charged for one period: a pure function of what it has. Its plan, its add-ons for the days on which it
//! has them, less the discounts that it has, and what is charged once.

use rust_decimal::Decimal;

use super::discounting::taken_off;
use super::standing::Charge;
use crate::addons::{OneTimeCharge, ServiceAddon};
use crate::billing::rules::PeriodError;
use crate::billing::{self, AddonCharge, NewLine, OfService, ServiceCharge};
use crate::discounts::ServiceDiscount;
use crate::kernel::calendar::{Period, Zone};
use crate::kernel::error::{Error, Result};
use crate::plans::Plan;

/// What a service has beside its plan.
#[derive(Clone, Debug, Default)]
pub(super) struct Extras {
    pub addons: Vec<ServiceAddon>,
    /// Not charged yet.
    pub charges: Vec<OneTimeCharge>,
    /// Given for the period that is charged.
    pub discounts: Vec<ServiceDiscount>,
}

/// The lines of the invoice over a period: the plan's, one for each add-on that the service has on some day of it, and what
/// waits to be charged once.
pub(super) fn lines(of: &OfService, plan: &Plan, charge: Charge, extras: &Extras, zone: Zone) -> Result<Vec<NewLine>> {
    let mut lines = vec![NewLine::Period(ServiceCharge {
        service_id: of.service_id,
        subscriber_id: of.subscriber_id,
        plan: plan.clone(),
        period: charge.period,
        share: charge.share,
        installation: of.installation.clone(),
        difference: false,
        free_trial: false,
        discount: taken_off(&extras.discounts, false)?,
    })];
    lines.extend(addon_lines(of, &extras.addons, &extras.discounts, charge, zone)?);
    lines.extend(extras.charges.iter().map(|one| one_time_line(of, one)));
    Ok(lines)
}

/// The lines of the add-ons alone, for the part of a charge for which the service has each.
pub(super) fn addon_lines(
    of: &OfService,
    addons: &[ServiceAddon],
    discounts: &[ServiceDiscount],
    charge: Charge,
    zone: Zone,
) -> Result<Vec<NewLine>> {
    let mut lines = Vec::new();
    for addon in addons {
        let Some(part) = part_of(addon, charge, zone).map_err(Error::internal)? else {
            continue;
        };
        lines.push(NewLine::Addon(AddonCharge {
            of: of.clone(),
            charge: addon.charge(),
            name: addon.name.clone(),
            quantity: u32::try_from(addon.quantity).unwrap_or(1),
            price: addon.price,
            tax_inclusive: addon.tax_inclusive,
            tax_code: addon.tax_code.clone(),
            period: part.period,
            share: part.share,
            discount: taken_off(discounts, true)?,
        }));
    }
    Ok(lines)
}

/// The days of a charge on which the service has the add-on, as a share of the same full period. Of hours: all of them, or
/// none if the service has it not on the day on which they begin.
fn part_of(addon: &ServiceAddon, charge: Charge, zone: Zone) -> std::result::Result<Option<Charge>, PeriodError> {
    let Some(share) = charge.share else {
        let day = zone.local_date(charge.period.start());
        let has = addon.starts_on <= day && addon.ends_on.is_none_or(|end| day < end);
        return Ok(has.then_some(charge));
    };
    let from = zone.start_of_day(addon.starts_on).max(charge.period.start());
    let until = addon
        .ends_on
        .map_or(charge.period.end(), |end| zone.start_of_day(end).min(charge.period.end()));
    if until <= from {
        return Ok(None);
    }
    let period = Period::new(from, until)?;
    if period == charge.period {
        return Ok(Some(charge));
    }
    // Of a charge that is spread over other days than its own, the same share of each.
    let days = |period| u32::try_from(zone.days_in(period)).map_err(|_| PeriodError::OutsidePeriod);
    let (part, all) = (days(period)?, days(charge.period)?);
    Ok(Some(Charge {
        period,
        share: Some(share.part(part, all)?),
    }))
}

pub(super) fn one_time_line(of: &OfService, one: &OneTimeCharge) -> NewLine {
    NewLine::OneTime(billing::OneTimeCharge {
        of: Some(of.clone()),
        description: one.description.clone(),
        quantity: Decimal::from(one.quantity),
        unit_price: one.unit_price,
        tax_inclusive: one.tax_inclusive,
        discount_percent: None,
        tax_code: one.tax_code.clone(),
    })
}

#[cfg(test)]
#[path = "pricing_tests.rs"]
mod tests;
