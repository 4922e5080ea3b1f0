//! Add-ons of services: they come and go on a day, and are charged with the periods of the service that has them.

use chrono::{DateTime, Days, NaiveDate, Utc};
use rust_decimal::Decimal;
use serde::Serialize;
use uuid::Uuid;

use super::activation::OrderedAddon;
use super::held::Held;
use super::pricing;
use super::standing::Charge;
use crate::addons::{self, Addon, AddonCharging, NewServiceAddon, ServiceAddon};
use crate::billing::credit_notes::{self, CreditNote};
use crate::billing::rules::TerminationCredit;
use crate::billing::{self, Invoice, NewInvoice, NewLine, OfService};
use crate::discounts;
use crate::kernel::Permission;
use crate::kernel::check::Checks;
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, Result};
use crate::kernel::ids::{AddonId, InvoiceId, OneTimeChargeId, ServiceAddonId, ServiceDiscountId, ServiceId};
use crate::ledger;
use crate::plans::{BillIn, Plan};
use crate::services::ServiceState;

/// How far ahead an add-on may begin or end.
const MAX_DAYS_AHEAD: u64 = 3660;

#[derive(Clone, Debug, Serialize)]
pub struct AddAddon {
    pub service_id: ServiceId,
    pub addon_id: AddonId,
    pub quantity: i32,
    /// For each piece, agreed for good; None: what the catalogue asks.
    pub unit_price: Option<Decimal>,
    /// Default: today, or the service's first day if that is later.
    pub starts_on: Option<NaiveDate>,
    /// The first day without it.
    pub ends_on: Option<NaiveDate>,
    pub idempotency_key: Uuid,
}

#[derive(Clone, Debug, Serialize)]
pub struct EndAddon {
    pub id: ServiceAddonId,
    /// The first day without it; default: today.
    pub effective_on: Option<NaiveDate>,
    pub idempotency_key: Uuid,
}

/// An invoice that is to be issued, with what it charges for good.
pub(super) struct Drawn {
    pub invoice: NewInvoice,
    charges: Vec<OneTimeChargeId>,
    discounts: Vec<ServiceDiscountId>,
    /// Where the full period begins for which these are given.
    given_for: DateTime<Utc>,
}

impl Held {
    /// The invoice over a charge at that plan, with all that the service has beside it.
    pub(super) async fn draw_up(&self, tx: &TenantTx, charge: Charge, plan: &Plan) -> Result<Drawn> {
        let given_for = self.full_period_of(tx, plan, charge.period.start())?;
        let mut extras = self.desk.extras(tx, self.service.id).await?;
        extras.discounts.retain(|d| d.applies(given_for));
        let lines = pricing::lines(&self.as_charged(), plan, charge, &extras, self.zone(tx))?;
        Ok(Drawn {
            invoice: NewInvoice {
                id: InvoiceId::new(),
                subscriber_id: self.service.subscriber_id,
                due_on: self.due_on(tx, plan, charge.period.start()),
                lines,
            },
            charges: extras.charges.iter().map(|one| one.id).collect(),
            discounts: extras.discounts.iter().map(|d| d.id).collect(),
            given_for,
        })
    }

    pub(super) async fn issue_drawn(&mut self, tx: &TenantTx, drawn: Drawn) -> Result<InvoiceId> {
        let invoice = self.issue(tx, drawn.invoice).await?;
        addons::mark_charged(tx, &drawn.charges, invoice).await?;
        let given: Vec<_> = drawn.discounts.into_iter().map(|id| (id, drawn.given_for)).collect();
        self.desk.mark_used(tx, self.service.id, given).await?;
        Ok(invoice)
    }

    pub(super) fn as_charged(&self) -> OfService {
        OfService {
            service_id: self.service.id,
            subscriber_id: self.service.subscriber_id,
            installation: self.service.installation_address.clone(),
        }
    }

    /// A service that is over can get nothing more.
    pub(super) fn check_not_over(&self, field: &str) -> Result<()> {
        match self.service.state {
            ServiceState::Terminated => Err(Error::state(field, "The service is over.")),
            _ => Ok(()),
        }
    }

    /// Whether all that the service has, or will have, goes with a plan.
    pub(super) async fn check_addons_go_with(&self, tx: &TenantTx, plan: &Plan) -> Result<()> {
        let lasting = addons::of_service(tx, self.service.id).await?;
        let lasting: Vec<AddonId> = (lasting.iter())
            .filter(|a| a.ends_on.is_none_or(|end| end > tx.today()))
            .map(|a| a.addon_id)
            .collect();
        let known = addons::by_ids(tx, &lasting).await?;
        match known.iter().find(|addon| !addon.goes_with(plan.id)) {
            None => Ok(()),
            Some(addon) => Err(Error::state(
                "planId",
                format!(
                    "The service has the add-on {}, which does not go with that plan: end it first.",
                    addon.name
                ),
            )),
        }
    }

    /// Whether an add-on may go with the service: with the plan that it has, and with the one that follows.
    pub(super) fn check_goes(&self, addon: &Addon, field: &str) -> Result<()> {
        if addon.retired_at.is_some() {
            return Err(Error::state(field, "The add-on is no longer sold."));
        }
        let pending = self.service.pending_change.map(|p| p.plan_id);
        let plans = [Some(self.service.plan_id), pending];
        match plans.into_iter().flatten().all(|plan| addon.goes_with(plan)) {
            true => Ok(()),
            false => Err(Error::state(field, "The add-on does not go with the service's plan.")),
        }
    }

    /// The first day that can still be charged, or whose charge can be changed.
    fn first_open_day(&self, tx: &TenantTx) -> NaiveDate {
        let zone = self.zone(tx);
        let since = match self.plan.bill_in {
            BillIn::Advance => self.service.period_starts_at,
            BillIn::Arrears => self.service.billed_until.or(self.service.anchor_at),
        };
        since.map_or(tx.today(), |at| zone.local_date(at).min(tx.today()))
    }

    /// What is ordered together with the service that has just been added.
    pub(super) async fn order_addons(&self, tx: &TenantTx, ordered: &[OrderedAddon]) -> Result<()> {
        let first_day = self.service.started_on.unwrap_or(tx.today()).min(tx.today());
        for (n, order) in ordered.iter().enumerate() {
            let at = |field: &str| format!("addons.{n}.{field}");
            let known = addons::by_ids(tx, &[order.addon_id]).await?;
            let addon = known.into_iter().next().ok_or_else(|| Error::not_found(&at("addonId")))?;
            self.check_goes(&addon, &at("addonId"))?;
            let mut checks = Checks::new();
            addons::check_quantity(order.quantity, &at("quantity"), &mut checks);
            require_for_price(tx, order.unit_price)?;
            let price = (order.unit_price).map(|price| addons::check_price(tx, price, &at("unitPrice"), &mut checks));
            checks.done()?;
            match addon.charged {
                AddonCharging::Once => self.charge_later(tx, &addon, order.quantity, price).await.map(|_| ())?,
                AddonCharging::PerPeriod => {
                    let new = NewServiceAddon {
                        id: ServiceAddonId::new(),
                        service_id: self.service.id,
                        addon_id: addon.id,
                        quantity: order.quantity,
                        agreed_price: price,
                        starts_on: first_day,
                        ends_on: None,
                    };
                    addons::insert_of_service(tx, new).await?;
                }
            }
        }
        Ok(())
    }

    /// Invoices an add-on for the time that the service's plan is charged for already.
    async fn charge_beside(&self, tx: &TenantTx, addon: &ServiceAddon) -> Result<Option<Invoice>> {
        let zone = self.zone(tx);
        let from = zone.start_of_day(addon.starts_on);
        let mut lines: Vec<NewLine> = Vec::new();
        let discounts = discounts::of_service(tx, self.service.id).await?;
        for charged in credit_notes::charged_days(tx, self.service.id, from).await? {
            if charged.free_trial {
                continue;
            }
            let charge = Charge {
                period: charged.period,
                share: Some(charged.share),
            };
            let one = std::slice::from_ref(addon);
            let given_for = self.full_period_of(tx, &self.plan, charged.period.start())?;
            let given: Vec<_> = discounts.iter().filter(|d| d.used.contains(&given_for)).cloned().collect();
            lines.extend(pricing::addon_lines(&self.as_charged(), one, &given, charge, zone)?);
        }
        if lines.is_empty() {
            return Ok(None);
        }
        let new = NewInvoice {
            id: InvoiceId::new(),
            subscriber_id: self.service.subscriber_id,
            due_on: self.due_on(tx, &self.plan, from),
            lines,
        };
        let issued = billing::issue(tx, new).await?;
        billing::get(tx, issued.id).await.map(Some)
    }
}

/// Gives a service an add-on from a day on. What is charged in advance already is charged for the add-on at once, by its
/// days; the rest with the service's own invoices.
pub async fn service_addon_add(tx: &TenantTx, cmd: &AddAddon) -> Result<(ServiceAddon, Option<Invoice>)> {
    tx.require(Permission::ServiceWrite)?;
    require_for_price(tx, cmd.unit_price)?;
    let id = ServiceAddonId::new();
    let key = cmd.idempotency_key;
    if let Some(known) = tx.claim_key("serviceAddonAdd", Some(key), cmd, id.0).await? {
        let addon = addons::find_of_service(tx, ServiceAddonId(known)).await?;
        let invoice = billing::made_by(tx, "serviceAddonAdd", addon.service_id, key).await?;
        return Ok((addon, invoice));
    }
    let missing = || Error::not_found("serviceId");
    let mut held = Held::lock(tx, cmd.service_id).await?.ok_or_else(missing)?;
    let addon = addons::get(tx, cmd.addon_id).await?;
    held.check_not_over("serviceId")?;
    held.check_goes(&addon, "addonId")?;
    ledger::require_open(tx, cmd.starts_on.unwrap_or(tx.today()), "startsOn").await?;
    if addon.charged == AddonCharging::Once {
        return Err(Error::invalid("addonId", "It is charged once: use serviceChargeAdd."));
    }
    held.charge_due(tx, tx.today()).await?;
    held.enter_period(tx).await?;
    let new = held.checked(tx, id, cmd)?;
    let added = addons::insert_of_service(tx, new).await?;
    let invoice = match held.plan.bill_in {
        BillIn::Advance => held.charge_beside(tx, &added).await?,
        BillIn::Arrears => None,
    };
    held.settle_if_begun(tx).await?;
    held.keep(tx, None).await?;
    let detail = Detail {
        cmd,
        invoice_id: invoice.as_ref().map(|i| i.id.0),
    };
    tx.audit("serviceAddonAdd", cmd.service_id.0, detail).await?;
    Ok((added, invoice))
}

/// A price of one's own is money, as a discount is: who may not write invoices takes the catalogue's.
pub(super) fn require_for_price(tx: &TenantTx, own: Option<Decimal>) -> Result<()> {
    match own {
        Some(_) => tx.require(Permission::InvoiceWrite),
        None => Ok(()),
    }
}

#[derive(Serialize)]
struct Detail<'a> {
    #[serde(flatten)]
    cmd: &'a AddAddon,
    invoice_id: Option<Uuid>,
}

impl Held {
    /// What was charged meanwhile may have changed until when it is on.
    pub(super) async fn settle_if_begun(&mut self, tx: &TenantTx) -> Result<()> {
        match self.service.anchor_at {
            Some(_) => self.settle(tx, false).await,
            None => Ok(()),
        }
    }

    fn checked(&self, tx: &TenantTx, id: ServiceAddonId, cmd: &AddAddon) -> Result<NewServiceAddon> {
        let mut checks = Checks::new();
        addons::check_quantity(cmd.quantity, "quantity", &mut checks);
        let price = (cmd.unit_price).map(|price| addons::check_price(tx, price, "unitPrice", &mut checks));
        let today = tx.today();
        let starts_on = cmd.starts_on.unwrap_or(today);
        let last = today.checked_add_days(Days::new(MAX_DAYS_AHEAD)).unwrap_or(NaiveDate::MAX);
        checks.ensure(
            starts_on >= self.first_open_day(tx),
            "startsOn",
            "Must not be before the period that is being used.",
        );
        checks.ensure(starts_on <= last, "startsOn", "Must be within ten years.");
        checks.ensure(
            cmd.ends_on.is_none_or(|end| end > starts_on),
            "endsOn",
            "Must be after it starts.",
        );
        checks.ensure(
            cmd.ends_on.is_none_or(|end| end <= last),
            "endsOn",
            "Must be within ten years.",
        );
        let over = self.service.ends_on.is_some_and(|end| starts_on >= end);
        checks.ensure(!over, "startsOn", "The service ends before.");
        checks.done()?;
        Ok(NewServiceAddon {
            id,
            service_id: cmd.service_id,
            addon_id: cmd.addon_id,
            quantity: cmd.quantity,
            agreed_price: price,
            starts_on,
            ends_on: cmd.ends_on,
        })
    }

    fn check_end_of(&self, tx: &TenantTx, addon: &ServiceAddon, day: NaiveDate) -> Result<()> {
        if addon.ends_on.is_some_and(|end| end <= tx.today()) {
            return Err(Error::state("id", "The add-on has ended."));
        }
        if day < addon.starts_on {
            return Err(Error::invalid("effectiveOn", "Must not be before it starts."));
        }
        // What is charged beyond that day has been credited, or was left out: it is not charged again.
        if let Some(end) = addon.ends_on.filter(|end| day > *end) {
            return Err(Error::invalid(
                "effectiveOn",
                format!("It ends on {end} already. It can end sooner, not later: add it anew from that day on."),
            ));
        }
        if day < self.first_open_day(tx).max(addon.starts_on) {
            return Err(Error::invalid(
                "effectiveOn",
                "Must not be before the period that is being used.",
            ));
        }
        let last = tx.today().checked_add_days(Days::new(MAX_DAYS_AHEAD));
        match last.is_none_or(|last| day > last) {
            true => Err(Error::invalid("effectiveOn", "Must be within ten years.")),
            false => Ok(()),
        }
    }

    /// Credits what is charged of an add-on from a day on. As with the service itself, `terminationCredit` may say that the
    /// period under way is kept.
    async fn credit_addon(&self, tx: &TenantTx, addon: &ServiceAddon, day: NaiveDate) -> Result<Vec<CreditNote>> {
        let (id, charge) = (self.service.id, addon.charge());
        let mut from = self.zone(tx).start_of_day(day);
        if self.settings.termination_credit == TerminationCredit::None {
            from = billing::charged_through(tx, id, &charge, from).await?.unwrap_or(from);
        }
        let reason = format!("{} has ended", addon.name);
        credit_notes::credit_charge(tx, id, &charge, from, &reason).await
    }
}

/// Ends an add-on of a service on a day: what is charged of it from then on is credited, what is not charged yet is charged
/// up to then. The first of the credit notes, if there are any.
pub async fn service_addon_end(tx: &TenantTx, cmd: &EndAddon) -> Result<(ServiceAddon, Option<CreditNote>)> {
    tx.require(Permission::ServiceWrite)?;
    let key = cmd.idempotency_key;
    if let Some(known) = tx.claim_key("serviceAddonEnd", Some(key), cmd, cmd.id.0).await? {
        let addon = addons::find_of_service(tx, ServiceAddonId(known)).await?;
        let note = credit_notes::made_by(tx, "serviceAddonEnd", addon.service_id, key).await?;
        return Ok((addon, note));
    }
    let missing = || Error::not_found("id");
    let service = addons::service_of(tx, cmd.id).await?.ok_or_else(missing)?;
    let mut held = Held::lock(tx, service).await?.ok_or_else(missing)?;
    held.check_not_over("id")?;
    held.charge_due(tx, tx.today()).await?;
    held.enter_period(tx).await?;
    let addon = addons::find_of_service(tx, cmd.id).await?;
    let day = cmd.effective_on.unwrap_or(tx.today().max(addon.starts_on));
    held.check_end_of(tx, &addon, day)?;
    ledger::require_open(tx, day, "effectiveOn").await?;
    let notes = held.credit_addon(tx, &addon, day).await?;
    let ended = addons::end_on(tx, &addon, day).await?;
    held.settle_if_begun(tx).await?;
    held.keep(tx, None).await?;
    let note = notes.into_iter().next();
    let detail = serde_json::json!({
        "id": cmd.id, "effectiveOn": day, "idempotency_key": key, "credit_note_id": note.as_ref().map(|n| n.id.0),
    });
    tx.audit("serviceAddonEnd", service.0, detail).await?;
    Ok((ended, note))
}
