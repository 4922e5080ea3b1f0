//! What is to be invoiced, and how the rules are asked for it.

use rust_decimal::Decimal;

use super::entity::InvoiceLineKind;
use super::extras::{AddonCharge, OfService, span};
use super::rules::{
    BuyerClass, Charge, DayShare, Discount, DraftLine, Place, PlanVersionRef, Registration, TaxError, TaxFacts, TaxRuleSet,
    TaxTreatment,
};
use chrono_tz::Tz;

use crate::kernel::calendar::{Period, Zone};
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, ErrorCode, Result};
use crate::kernel::ids::{InvoiceLineId, PlanId, PlanVersionId, ServiceId, SubscriberId};
use crate::kernel::money::Money;
use crate::plans::{IntervalUnit, PaymentMode, Plan};
use crate::subscribers::{Address, Subscriber, TaxClass};

/// A line of an invoice that is to be issued.
#[derive(Clone, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "an invoice has few lines, and they live as long as its issuing"
)]
pub enum NewLine {
    /// A period of a service; it is covered from then on and cannot be invoiced again.
    Period(ServiceCharge),
    /// An add-on of a service for a period, covered as its own charge.
    Addon(AddonCharge),
    OneTime(OneTimeCharge),
    /// A fee for having been late.
    LateFee(LateFee),
}

/// A plan's price for a period of a service.
#[derive(Clone, Debug)]
pub struct ServiceCharge {
    pub service_id: ServiceId,
    /// Who uses the service; pays it unless another does.
    pub subscriber_id: SubscriberId,
    /// With the version that the service has in that period.
    pub plan: Plan,
    pub period: Period,
    /// The days charged of the full period's; None: the whole price, as for hours.
    pub share: Option<DayShare>,
    /// Where a fixed line is installed decides where it is supplied (IGST Act s.12(11)(a)); None: the subscriber's address.
    pub installation: Option<Address>,
    /// The period is charged already, at another plan's price; the plan's price here is what it costs more.
    pub difference: bool,
    /// The days are free: they come before the first period that is charged. The plan's price here is nothing.
    pub free_trial: bool,
    pub discount: Option<Discount>,
}

/// It is part of the value of the supply that was paid late, hence taxed as that (CGST Act s.15(2)(d)).
#[derive(Clone, Debug)]
pub struct LateFee {
    pub service_id: ServiceId,
    pub subscriber_id: SubscriberId,
    /// The invoice that is late.
    pub number: String,
    /// Tax excluded.
    pub amount: Decimal,
    pub tax_code: Option<String>,
    /// Where that invoice's supply is, and to what sort of buyer.
    pub place: Place,
    pub buyer: Buyer,
}

/// What decides the tax about whom is charged.
#[derive(Clone, Copy, Debug)]
pub struct Buyer {
    pub class: BuyerClass,
    /// Whether it has a tax id.
    pub registered: bool,
}

/// So many units of anything at a price.
#[derive(Clone, Debug)]
pub struct OneTimeCharge {
    /// None: the subscriber's, of no service.
    pub of: Option<OfService>,
    pub description: String,
    pub quantity: Decimal,
    pub unit_price: Decimal,
    /// Whether the price already contains tax.
    pub tax_inclusive: bool,
    /// Off the price.
    pub discount_percent: Option<Decimal>,
    /// None: internet access.
    pub tax_code: Option<String>,
}

/// The charge whose coverage `ServiceCharge` takes: the plan's own price.
pub(super) const PLAN_CHARGE: &str = "plan";

impl NewLine {
    pub(super) fn kind(&self) -> InvoiceLineKind {
        match self {
            Self::Period(charge) if charge.difference => InvoiceLineKind::Adjustment,
            Self::Period(_) | Self::Addon(_) => InvoiceLineKind::Period,
            Self::LateFee(_) => InvoiceLineKind::LateFee,
            Self::OneTime(_) => InvoiceLineKind::OneTime,
        }
    }

    pub(super) fn service(&self) -> Option<ServiceId> {
        match self {
            Self::Period(charge) => Some(charge.service_id),
            Self::LateFee(fee) => Some(fee.service_id),
            Self::Addon(charge) => Some(charge.of.service_id),
            Self::OneTime(charge) => charge.of.as_ref().map(|of| of.service_id),
        }
    }

    pub(super) fn plan(&self) -> Option<PlanId> {
        match self {
            Self::Period(charge) => Some(charge.plan.id),
            Self::Addon(_) | Self::OneTime(_) | Self::LateFee(_) => None,
        }
    }

    pub(super) fn period(&self) -> Option<Period> {
        match self {
            Self::Period(charge) => Some(charge.period),
            Self::Addon(charge) => Some(charge.period),
            Self::OneTime(_) | Self::LateFee(_) => None,
        }
    }

    /// The time of which service it covers with the plan's own price, by which version.
    pub fn covers(&self) -> Option<(ServiceId, Period, PlanVersionId)> {
        match self {
            Self::Period(charge) if !charge.difference => Some((charge.service_id, charge.period, charge.plan.version_id)),
            Self::Period(_) | Self::Addon(_) | Self::OneTime(_) | Self::LateFee(_) => None,
        }
    }

    /// Whether it charges a postpaid plan's time.
    pub(super) fn is_postpaid_time(&self) -> bool {
        matches!(self, Self::Period(charge) if !charge.difference && charge.plan.payment_mode == PaymentMode::Postpaid)
    }

    /// Whether it charges what a service has beside its plan for the same time.
    pub(super) fn is_addon(&self) -> bool {
        matches!(self, Self::Addon(_))
    }

    /// Where it is installed, for a description that stands beside those of other sites.
    pub(super) fn site(&self) -> String {
        let words = self.installation().map(|a| [Some(a.line1.as_str()), a.city.as_deref()]);
        let words = words.map(|words| words.into_iter().flatten().collect::<Vec<_>>().join(", "));
        words.map(|words| format!(", {words}")).unwrap_or_default()
    }

    /// Whom it is for, if that is not whom the invoice is for.
    pub(super) fn subscriber(&self) -> Option<SubscriberId> {
        match self {
            Self::Period(charge) => Some(charge.subscriber_id),
            Self::LateFee(fee) => Some(fee.subscriber_id),
            Self::Addon(charge) => Some(charge.of.subscriber_id),
            Self::OneTime(charge) => charge.of.as_ref().map(|of| of.subscriber_id),
        }
    }

    pub(super) fn installation(&self) -> Option<&Address> {
        match self {
            Self::Period(charge) => charge.installation.as_ref(),
            Self::Addon(charge) => charge.of.installation.as_ref(),
            Self::OneTime(charge) => charge.of.as_ref().and_then(|of| of.installation.as_ref()),
            Self::LateFee(_) => None,
        }
    }

    /// Where it is supplied and to what sort of buyer, if that was decided before, as was who pays for it.
    pub(super) fn decided(&self) -> Option<(&Place, Buyer)> {
        match self {
            Self::LateFee(fee) => Some((&fee.place, fee.buyer)),
            Self::Period(_) | Self::Addon(_) | Self::OneTime(_) => None,
        }
    }

    fn tax_code(&self) -> Option<&String> {
        match self {
            Self::Period(charge) => charge.plan.tax_code.as_ref(),
            Self::Addon(charge) => charge.tax_code.as_ref(),
            Self::OneTime(charge) => charge.tax_code.as_ref(),
            Self::LateFee(fee) => fee.tax_code.as_ref(),
        }
    }

    pub(super) fn description(&self, zone: Tz) -> String {
        match self {
            Self::OneTime(charge) => charge.description.clone(),
            Self::Addon(charge) => charge.description(zone),
            Self::LateFee(fee) => format!("Late payment fee, invoice {}", fee.number),
            Self::Period(charge) if charge.difference => format!("Change to {}, {}", charge.plan.name, charge.span(zone)),
            Self::Period(charge) => format!("{}, {}", charge.plan.name, charge.span(zone)),
        }
    }

    /// Under which charge its period is covered: a service's time is charged once under each. Of differences there may be
    /// several over the same time, each a line of its own.
    pub(super) fn covered_as(&self, line: InvoiceLineId) -> String {
        match self {
            Self::Period(charge) if charge.difference => format!("difference {}", line.0.simple()),
            Self::Addon(charge) => charge.charge.clone(),
            _ => PLAN_CHARGE.to_owned(),
        }
    }

    fn discount(&self) -> Option<Discount> {
        match self {
            Self::OneTime(one) => one.discount_percent.map(|percent| Discount::Percent { percent }),
            Self::Period(charge) => charge.discount.clone(),
            Self::Addon(charge) => charge.discount.clone(),
            Self::LateFee(_) => None,
        }
    }

    /// For the rules to compute.
    pub(super) fn draft(&self, tx: &TenantTx, treatment: TaxTreatment) -> Result<DraftLine> {
        let currency = tx.tenant().currency();
        let (charge, inclusive, zone, plan_version) = match self {
            Self::OneTime(one) => {
                let units = Charge::Units {
                    quantity: one.quantity.normalize(),
                    unit_price: one.unit_price,
                    currency,
                };
                (units, one.tax_inclusive, None, None)
            }
            Self::LateFee(fee) => {
                let units = Charge::Units {
                    quantity: Decimal::ONE,
                    unit_price: fee.amount,
                    currency,
                };
                (units, false, None, None)
            }
            Self::Addon(addon) => {
                let period = Charge::Period {
                    price: Money::new(addon.price, currency).map_err(Error::internal)?,
                    units: addon.quantity,
                    period: addon.period,
                    days: addon.share,
                };
                let zone = Zone::from(tx.tenant().timezone());
                (period, addon.tax_inclusive, Some(zone), None)
            }
            Self::Period(charge) => {
                let currency = charge.plan.currency.parse().map_err(Error::internal)?;
                let period = Charge::Period {
                    price: Money::new(charge.plan.price, currency).map_err(Error::internal)?,
                    units: 1,
                    period: charge.period,
                    days: charge.share,
                };
                let version = PlanVersionRef {
                    id: charge.plan.version_id.to_string(),
                    number: u32::try_from(charge.plan.version_number).map_err(Error::internal)?,
                    free_trial: charge.free_trial,
                };
                let zone = Zone::from(tx.tenant().timezone());
                (period, charge.plan.tax_inclusive, Some(zone), Some(version))
            }
        };
        Ok(DraftLine {
            charge,
            inclusive,
            discount: self.discount(),
            treatment,
            zone,
            plan_version,
        })
    }

    /// Which taxes it bears, so supplied. `position` is where the caller's input has it.
    pub(super) fn treatment(&self, tx: &TenantTx, rules: &TaxRuleSet, supply: Supply, position: usize) -> Result<TaxTreatment> {
        let facts = TaxFacts {
            code: self.tax_code().cloned(),
            date: tx.today(),
            place: supply.place,
            registration: supply.registration,
            buyer: supply.buyer.class,
            registered: supply.buyer.registered,
        };
        rules.treatment(&facts).map_err(|e| match (&e, self) {
            (TaxError::UnknownCode(code), Self::OneTime(_) | Self::LateFee(_)) => Error::invalid(
                &format!("lines.{position}.taxCode"),
                format!("{code:?} is no tax code of this ISP."),
            ),
            (TaxError::UnknownCode(code), Self::Period(charge)) => Error::user(
                ErrorCode::InvalidState,
                "",
                format!(
                    "The plan {} has the tax code {code:?}, which this ISP does not have.",
                    charge.plan.code
                ),
            ),
            (TaxError::UnknownCode(code), Self::Addon(charge)) => Error::user(
                ErrorCode::InvalidState,
                "",
                format!(
                    "The add-on {} has the tax code {code:?}, which this ISP does not have.",
                    charge.name
                ),
            ),
            _ => Error::state("", super::registrations::sentence(&e.to_string())),
        })
    }
}

/// Where a line is supplied, under which registration, and to what sort of buyer: its payer.
pub(super) struct Supply {
    pub place: Place,
    pub registration: Option<Registration>,
    pub buyer: Buyer,
}

impl From<&Subscriber> for Buyer {
    fn from(payer: &Subscriber) -> Self {
        Self {
            class: payer.tax_class.into(),
            registered: payer.tax_id.is_some(),
        }
    }
}

impl From<TaxClass> for BuyerClass {
    fn from(class: TaxClass) -> Self {
        match class {
            TaxClass::Regular => Self::Regular,
            TaxClass::Exempt => Self::Exempt,
            TaxClass::Special => Self::Special,
        }
    }
}

impl ServiceCharge {
    fn span(&self, zone: Tz) -> String {
        span(self.period, self.plan.period_unit == IntervalUnit::Hour, zone)
    }
}

/// Where an address is, for tax. Without one: in the ISP's own country, region unknown.
pub(super) fn place(tx: &TenantTx, address: Option<&Address>) -> Place {
    match address {
        Some(address) => Place {
            country: address.country.clone(),
            region: address.region.clone(),
        },
        None => Place {
            country: tx.tenant().country().to_owned(),
            region: None,
        },
    }
}
