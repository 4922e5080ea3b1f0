use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};
use trunkline_domain::billing::{self, credit_notes};
use trunkline_domain::runs::{self, AddAddon, AddCharge, EndAddon, OrderedAddon};
use trunkline_domain::{Error, Result, addons};

use super::types::Addon;
use crate::graphql::billing::{CreditNote, Invoice};
use crate::graphql::ctx::CtxExt;
use crate::graphql::error::{ApiResult, UserError, payload, settle};
use crate::graphql::ids;
use crate::graphql::plans::types::money;
use crate::graphql::scalars::{Date, DateTime, Decimal, Money, Uuid};

/// An add-on that a service has, from a day to a day.
pub struct ServiceAddon(pub addons::ServiceAddon);

/// An add-on that a service has, from a day to a day.
#[Object]
impl ServiceAddon {
    /// Names it everywhere.
    async fn id(&self) -> ID {
        ids::out(self.0.id)
    }

    /// What it is.
    async fn addon(&self, ctx: &Context<'_>) -> ApiResult<Addon> {
        let found = ctx.rq().loader().load_one(self.0.addon_id).await?;
        Ok(Addon(found.ok_or(Error::Forbidden)?))
    }

    /// How many pieces.
    async fn quantity(&self) -> i32 {
        self.0.quantity
    }

    /// What each piece costs for a full period: as agreed, or what the catalogue asks now.
    async fn unit_price(&self) -> ApiResult<Money> {
        Ok(money(self.0.price, &self.0.currency)?)
    }

    /// Whether the price was agreed for this service, so that the catalogue's does not matter.
    async fn is_price_agreed(&self) -> bool {
        self.0.agreed_price.is_some()
    }

    /// The first day with it.
    async fn starts_on(&self) -> Date {
        Date(self.0.starts_on)
    }

    /// The first day without it; null = no end is planned.
    async fn ends_on(&self) -> Option<Date> {
        self.0.ends_on.map(Date)
    }
}

/// Whether something that is charged once has been.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "addons::ChargeStatus")]
pub enum ChargeStatus {
    /// It goes onto the next invoice of its service.
    Pending,
    /// It stands on an invoice.
    Charged,
    /// It was taken back before.
    Cancelled,
}

/// Something that a service is charged for once: setting up, equipment.
pub struct OneTimeCharge(pub addons::OneTimeCharge);

impl From<addons::OneTimeCharge> for OneTimeCharge {
    fn from(charge: addons::OneTimeCharge) -> Self {
        Self(charge)
    }
}

/// Something that a service is charged for once: setting up, equipment.
#[Object]
impl OneTimeCharge {
    /// Names it everywhere.
    async fn id(&self) -> ID {
        ids::out(self.0.id)
    }

    /// For people; stands on the invoice.
    async fn description(&self) -> &str {
        &self.0.description
    }

    /// How many pieces.
    async fn quantity(&self) -> i32 {
        self.0.quantity
    }

    /// What each piece costs.
    async fn unit_price(&self) -> ApiResult<Money> {
        Ok(money(self.0.unit_price, &self.0.currency)?)
    }

    /// Whether the price already contains tax.
    async fn tax_inclusive(&self) -> bool {
        self.0.tax_inclusive
    }

    /// HSN/SAC or the local equivalent; null = the template's code for internet access.
    async fn tax_code(&self) -> Option<&str> {
        self.0.tax_code.as_deref()
    }

    /// Whether it has been charged.
    async fn status(&self) -> ChargeStatus {
        self.0.status().into()
    }

    /// The invoice that charges it, if there is one. Needs `invoice:read`; a payer sees its own.
    async fn invoice_id(&self) -> Option<ID> {
        self.0.invoice_id.map(ids::out)
    }

    /// When it was entered.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }
}

/// An add-on that is ordered together with a service.
#[derive(InputObject)]
pub struct OrderedAddonInput {
    /// What it is. PER_PERIOD: the service has it from its first day on. ONCE: it goes onto the service's first invoice.
    addon_id: ID,
    /// How many pieces.
    #[graphql(default = 1)]
    quantity: i32,
    /// What each piece costs, agreed for this service, which takes `invoice:write`;
    /// default: what the catalogue asks.
    unit_price: Option<Decimal>,
}

impl OrderedAddonInput {
    pub fn commands(given: Vec<Self>) -> Result<Vec<OrderedAddon>> {
        let all = given.into_iter().enumerate();
        all.map(|(n, one)| {
            Ok(OrderedAddon {
                addon_id: ids::input(&one.addon_id, &format!("addons.{n}.addonId"))?,
                quantity: one.quantity,
                unit_price: one.unit_price.map(|p| p.0),
            })
        })
        .collect()
    }
}

/// An add-on for a service.
#[derive(InputObject)]
pub struct ServiceAddonAddInput {
    /// Which service.
    service_id: ID,
    /// What it gets; charged PER_PERIOD.
    addon_id: ID,
    /// How many pieces.
    #[graphql(default = 1)]
    quantity: i32,
    /// What each piece costs for a full period, agreed for this service, which takes `invoice:write`;
    /// default: what the catalogue asks when it is charged.
    unit_price: Option<Decimal>,
    /// The first day with it; default: today. Not before the period that is being used.
    starts_on: Option<Date>,
    /// The first day without it; default: it stays.
    ends_on: Option<Date>,
    /// Makes a repeated call answer with the first one's result.
    idempotency_key: Uuid,
}

impl ServiceAddonAddInput {
    pub fn command(self) -> Result<AddAddon> {
        Ok(AddAddon {
            service_id: ids::input(&self.service_id, "serviceId")?,
            addon_id: ids::input(&self.addon_id, "addonId")?,
            quantity: self.quantity,
            unit_price: self.unit_price.map(|p| p.0),
            starts_on: self.starts_on.map(|d| d.0),
            ends_on: self.ends_on.map(|d| d.0),
            idempotency_key: self.idempotency_key.0,
        })
    }
}

/// An add-on that a service is not to have any more.
#[derive(InputObject)]
pub struct ServiceAddonEndInput {
    /// Which add-on of which service.
    id: ID,
    /// The first day without it; it is not charged. Default: today. Not before the period that is being used.
    effective_on: Option<Date>,
    /// Makes a repeated call answer with the first one's result.
    idempotency_key: Uuid,
}

impl ServiceAddonEndInput {
    pub fn command(self) -> Result<EndAddon> {
        Ok(EndAddon {
            id: ids::input(&self.id, "id")?,
            effective_on: self.effective_on.map(|d| d.0),
            idempotency_key: self.idempotency_key.0,
        })
    }
}

/// When something that is charged once is charged.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
pub enum WhenCharged {
    /// On an invoice of its own, now.
    AtOnce,
    /// With the next invoice of its service, or when that ends.
    NextInvoice,
}

/// Something to be charged once: an add-on, or anything else by its description and price.
#[derive(InputObject)]
pub struct ServiceChargeAddInput {
    /// Which service.
    service_id: ID,
    /// What it is, out of the catalogue; charged ONCE.
    addon_id: Option<ID>,
    /// For people; stands on the invoice. Default: the add-on's name.
    description: Option<String>,
    /// How many pieces.
    #[graphql(default = 1)]
    quantity: i32,
    /// What each piece costs, which takes `invoice:write`; default: the add-on's price.
    unit_price: Option<Decimal>,
    /// Whether the price already contains tax; default: as the add-on's, or not.
    tax_inclusive: Option<bool>,
    /// HSN/SAC or the local equivalent; default: the add-on's, or the template's code for internet access.
    tax_code: Option<String>,
    /// When it is charged.
    #[graphql(default_with = "WhenCharged::NextInvoice")]
    when: WhenCharged,
    /// Makes a repeated call answer with the first one's result.
    idempotency_key: Uuid,
}

impl ServiceChargeAddInput {
    pub fn command(self) -> Result<AddCharge> {
        Ok(AddCharge {
            service_id: ids::input(&self.service_id, "serviceId")?,
            addon_id: (self.addon_id.as_ref()).map(|id| ids::input(id, "addonId")).transpose()?,
            description: self.description,
            quantity: self.quantity,
            unit_price: self.unit_price.map(|p| p.0),
            tax_inclusive: self.tax_inclusive,
            tax_code: self.tax_code,
            when: match self.when {
                WhenCharged::AtOnce => runs::WhenCharged::AtOnce,
                WhenCharged::NextInvoice => runs::WhenCharged::NextInvoice,
            },
            idempotency_key: self.idempotency_key.0,
        })
    }
}

/// A charge that is not to be made after all.
#[derive(InputObject)]
pub struct ServiceChargeCancelInput {
    /// Which; one that has not been charged.
    pub id: ID,
}

/// What became of the request: the add-on, or why not.
#[derive(SimpleObject)]
pub struct ServiceAddonAddPayload {
    /// As it is now; null when refused.
    pub service_addon: Option<ServiceAddon>,
    /// Over the time that the service is charged for already; null when there is none.
    pub invoice: Option<Invoice>,
    /// Business refusals; empty when it was done.
    pub user_errors: Vec<UserError>,
}

impl ServiceAddonAddPayload {
    pub fn of(result: Result<(addons::ServiceAddon, Option<billing::Invoice>)>) -> ApiResult<Self> {
        let (made, user_errors) = settle(result)?;
        let (addon, invoice) = made.unzip();
        Ok(Self {
            service_addon: addon.map(ServiceAddon),
            invoice: invoice.flatten().map(Invoice),
            user_errors,
        })
    }
}

/// What became of the request: the add-on, or why not.
#[derive(SimpleObject)]
pub struct ServiceAddonEndPayload {
    /// As it is now; null when refused.
    pub service_addon: Option<ServiceAddon>,
    /// Over what was charged and is not given any more; the earliest, if several invoices charged it. Null when there is none.
    pub credit_note: Option<CreditNote>,
    /// Business refusals; empty when it was done.
    pub user_errors: Vec<UserError>,
}

impl ServiceAddonEndPayload {
    pub fn of(result: Result<(addons::ServiceAddon, Option<credit_notes::CreditNote>)>) -> ApiResult<Self> {
        let (ended, user_errors) = settle(result)?;
        let (addon, note) = ended.unzip();
        Ok(Self {
            service_addon: addon.map(ServiceAddon),
            credit_note: note.flatten().map(CreditNote),
            user_errors,
        })
    }
}

/// What became of the request: the charge, or why not.
#[derive(SimpleObject)]
pub struct ServiceChargeAddPayload {
    /// As it is now; null when refused.
    pub charge: Option<OneTimeCharge>,
    /// With AT_ONCE.
    pub invoice: Option<Invoice>,
    /// Business refusals; empty when it was done.
    pub user_errors: Vec<UserError>,
}

impl ServiceChargeAddPayload {
    pub fn of(result: Result<(addons::OneTimeCharge, Option<billing::Invoice>)>) -> ApiResult<Self> {
        let (made, user_errors) = settle(result)?;
        let (charge, invoice) = made.unzip();
        Ok(Self {
            charge: charge.map(OneTimeCharge),
            invoice: invoice.flatten().map(Invoice),
            user_errors,
        })
    }
}

payload!(ServiceChargeCancelPayload { charge: OneTimeCharge });
