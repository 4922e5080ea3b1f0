use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde::Serialize;
use uuid::Uuid;

use super::held::Held;
use crate::billing::rules::ActivationPolicy;
use crate::billing::{self, Invoice};
use crate::kernel::Permission;
use crate::kernel::calendar::IntervalUnit;
use crate::kernel::check::Checks;
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, Result};
use crate::kernel::ids::{AddonId, InvoiceId, ServiceId};
use crate::ledger;
use crate::plans::{self, BillIn};
use crate::services::{self, CreateService, Service, ServiceState};

/// A new service; with `activate` it is to go on as soon as this ISP's rules let it.
#[derive(Clone, Serialize)]
pub struct ServiceOrder {
    pub service: CreateService,
    pub activate: bool,
    /// What goes with it from its first day, and what is charged once with its first invoice.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub addons: Vec<OrderedAddon>,
    /// Gives a discount from the first charge on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coupon_code: Option<String>,
    pub idempotency_key: Uuid,
}

/// An add-on that is ordered together with a service.
#[derive(Clone, Debug, Serialize)]
pub struct OrderedAddon {
    pub addon_id: AddonId,
    pub quantity: i32,
    /// For each piece; None: what the catalogue asks.
    pub unit_price: Option<Decimal>,
}

#[derive(Clone, Debug, Serialize)]
pub struct ActivateService {
    pub id: ServiceId,
    /// Default: the day that was agreed, if it is still to come, else today.
    pub starts_on: Option<NaiveDate>,
    pub idempotency_key: Uuid,
}

/// Adds a service to a subscriber. Activated, its first period is invoiced, if its plan bills in advance; it is on at once,
/// on its day, or once it is paid.
pub async fn service_create(tx: &TenantTx, cmd: &ServiceOrder) -> Result<(Service, Option<Invoice>)> {
    tx.require(Permission::ServiceWrite)?;
    let id = ServiceId::new();
    if let Some(known) = tx.claim_key("serviceCreate", Some(cmd.idempotency_key), cmd, id.0).await? {
        return as_it_is(tx, ServiceId(known)).await;
    }
    check_open(tx, cmd.service.starts_on).await?;
    let (service, plan) = services::create(tx, id, &cmd.service).await?;
    let mut held = Held::of(tx, service, plan).await?;
    held.order_addons(tx, &cmd.addons).await?;
    held.redeem_at_order(tx, cmd.coupon_code.as_deref()).await?;
    let invoice = if cmd.activate {
        held.begin(tx, cmd.service.starts_on.unwrap_or(tx.today())).await?
    } else {
        None
    };
    let service = held.keep(tx, cmd.service.password.as_deref()).await?;
    tx.audit("serviceCreate", id.0, Detail::of(&service, cmd.activate)).await?;
    Ok((service, billing::get_if_any(tx, invoice).await?))
}

/// Lets a service begin that was added without.
pub async fn service_activate(tx: &TenantTx, cmd: &ActivateService) -> Result<(Service, Option<Invoice>)> {
    tx.require(Permission::ServiceWrite)?;
    if let Some(known) = tx
        .claim_key("serviceActivate", Some(cmd.idempotency_key), cmd, cmd.id.0)
        .await?
    {
        return as_it_is(tx, ServiceId(known)).await;
    }
    let mut held = Held::lock(tx, cmd.id).await?.ok_or_else(|| Error::not_found("id"))?;
    if held.service.state != ServiceState::Pending {
        held.service.state.check_becomes(&ServiceState::Pending)?;
    }
    if held.service.anchor_at.is_some() {
        return Err(Error::state(
            "id",
            "The service has been activated already; it waits for its day or its payment.",
        ));
    }
    let mut checks = Checks::new();
    services::check_start(cmd.starts_on, tx.today(), "startsOn", &mut checks);
    checks.done()?;
    check_open(tx, cmd.starts_on).await?;
    let agreed = held.service.started_on.filter(|day| *day > tx.today());
    let invoice = held.begin(tx, cmd.starts_on.or(agreed).unwrap_or(tx.today())).await?;
    let service = held.keep(tx, None).await?;
    tx.audit("serviceActivate", cmd.id.0, cmd).await?;
    Ok((service, billing::get_if_any(tx, invoice).await?))
}

/// What begins in a closed period would have been charged there.
async fn check_open(tx: &TenantTx, starts_on: Option<NaiveDate>) -> Result<()> {
    match starts_on {
        Some(day) => ledger::require_open(tx, day, "startsOn").await,
        None => Ok(()),
    }
}

/// The present state of what an earlier call made, with the invoice that it issued.
async fn as_it_is(tx: &TenantTx, id: ServiceId) -> Result<(Service, Option<Invoice>)> {
    let service = services::get(tx, id).await?;
    let invoice = match billing::first_invoice_of(tx, id).await? {
        Some(invoice) if service.anchor_at.is_some() => Some(billing::get(tx, invoice).await?),
        _ => None,
    };
    Ok((service, invoice))
}

#[derive(Serialize)]
struct Detail<'a> {
    subscriber_id: crate::kernel::ids::SubscriberId,
    plan_id: crate::kernel::ids::PlanId,
    username: Option<&'a str>,
    starts_on: Option<NaiveDate>,
    activate: bool,
}

impl<'a> Detail<'a> {
    fn of(service: &'a Service, activate: bool) -> Self {
        Self {
            subscriber_id: service.subscriber_id,
            plan_id: service.plan_id,
            username: service.username.as_deref(),
            starts_on: service.started_on,
            activate,
        }
    }
}

impl Held {
    /// Fixes the first day, charges the first period if that is due in advance, and goes on if nothing is to be waited for.
    async fn begin(&mut self, tx: &TenantTx, first_day: NaiveDate) -> Result<Option<InvoiceId>> {
        let sold = plans::on(tx, self.service.plan_id, first_day).await?;
        self.set_plan(sold.clone());
        let start = match self.plan.period_unit {
            IntervalUnit::Hour if first_day == tx.today() => tx.now(),
            _ => self.zone(tx).start_of_day(first_day),
        };
        self.service.started_on = Some(first_day);
        self.service.anchor_at = Some(start);
        if let Some(invoice) = self.begin_trial(tx, first_day).await? {
            self.bind(tx).await?;
            self.settle(tx, false).await?;
            return Ok(Some(invoice));
        }
        self.bind(tx).await?;
        let invoice = match self.plan.bill_in {
            BillIn::Advance => {
                self.service.awaits_payment = self.settings.activation == ActivationPolicy::OnPayment;
                self.charge_in_advance(tx, &sold, false).await?
            }
            BillIn::Arrears => {
                self.use_on_credit(tx).await?;
                None
            }
        };
        self.settle(tx, false).await?;
        Ok(invoice)
    }
}
