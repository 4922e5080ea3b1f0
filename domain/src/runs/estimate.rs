//! What a change would cost: the use case itself, rehearsed and taken back. No number is used up, nobody hears of it.

use chrono::{Days, NaiveDate};
use rust_decimal::Decimal;
use uuid::Uuid;

use super::access::{ResumeService, SuspendService, service_resume, service_suspend};
use super::activation::{OrderedAddon, ServiceOrder, service_create};
use super::extras::{AddAddon, EndAddon, service_addon_add, service_addon_end};
use super::one_time::{AddCharge, WhenCharged, service_charge_add};
use super::plan_change::{ChangePlan, ChangeTiming, service_change_plan};
use super::termination::{TerminateService, service_terminate};
use crate::addons;
use crate::billing::{self, Document};
use crate::kernel::Permission;
use crate::kernel::calendar::Zone;
use crate::kernel::db::{TenantDb, TenantTx};
use crate::kernel::error::{Error, Result};
use crate::kernel::ids::{AddonId, PlanId, ServiceAddonId, ServiceId, SubscriberId};
use crate::kernel::money::Money;
use crate::plans;
use crate::services::{self, CreateService, Service};
use crate::subscribers::{self, Address};

/// How far ahead one may ask.
const MAX_DAYS: u64 = 366;

/// A change that may be made or not.
#[derive(Clone, Debug)]
pub enum Change {
    Create {
        subscriber_id: SubscriberId,
        plan_id: PlanId,
        installation_address: Option<Address>,
        addons: Vec<OrderedAddon>,
        coupon_code: Option<String>,
    },
    ChangePlan {
        id: ServiceId,
        plan_id: PlanId,
        timing: ChangeTiming,
    },
    Terminate {
        id: ServiceId,
    },
    /// Off on the day, and on again on another.
    Suspend {
        id: ServiceId,
        until: NaiveDate,
    },
    Resume {
        id: ServiceId,
    },
    AddAddon {
        service_id: ServiceId,
        addon_id: AddonId,
        quantity: i32,
        unit_price: Option<Decimal>,
        /// The first day without it again.
        ends_on: Option<NaiveDate>,
    },
    EndAddon {
        id: ServiceAddonId,
    },
    /// Something that is charged once, at once.
    AddCharge {
        service_id: ServiceId,
        addon_id: Option<AddonId>,
        description: Option<String>,
        quantity: i32,
        unit_price: Option<Decimal>,
        tax_inclusive: Option<bool>,
        tax_code: Option<String>,
    },
}

/// What would come of a change.
#[derive(Clone, Debug)]
pub struct Estimate {
    pub on: NaiveDate,
    /// Invoices, then credit notes, in the order of their making.
    pub documents: Vec<Document>,
    /// Invoices less credit notes.
    pub total: Money,
    /// The service afterwards.
    pub service: Service,
}

/// What a change would cost on a day; default: today. On a day to come the service is first brought up to it as the daily run
/// would, without payments that nobody has made yet. On a day that has passed the change is made today and counts from then,
/// where the change itself allows that. Of an end that is to come all is told that is issued from now on until then, since it is
/// known from now on. Refused as the change would be.
pub async fn estimate(db: &TenantDb, on: Option<NaiveDate>, change: Change) -> Result<Estimate> {
    // Of the heap: it holds the futures of five use cases.
    db.rehearse(async move |tx| Box::pin(rehearsed(tx, on, &change)).await).await
}

async fn rehearsed(tx: &TenantTx, on: Option<NaiveDate>, change: &Change) -> Result<Estimate> {
    tx.require(Permission::ServiceWrite)?;
    let on = on.unwrap_or(tx.today());
    let subscriber = change.subscriber(tx).await?;
    let last = tx.today().checked_add_days(Days::new(MAX_DAYS));
    if Some(on) > last {
        return Err(Error::invalid("on", "Must be within a year of today."));
    }
    let locked = subscribers::lock_with_payers(tx, &[subscriber]).await?;
    let of = locked.iter().find(|s| s.id == subscriber);
    let payer = of.ok_or_else(|| Error::not_found("subscriberId"))?.payer();
    let planned = on > tx.today() && matches!(change, Change::Terminate { .. });
    // A service to be is ordered today for that day, and an end is planned today; other services are what they will be by then.
    if let Some(id) = change.service(tx).await?.filter(|_| on > tx.today() && !planned) {
        bring_up_to(tx, id, on).await?;
    }
    // Ids are in the order of their making: what is made from here on is the change's.
    let before = Uuid::now_v7();
    let service = change.carry_out(tx, on).await?;
    if planned {
        bring_up_to(tx, service, on).await?;
    }
    let documents = billing::documents_since(tx, payer, before).await?;
    let total = documents
        .iter()
        .try_fold(Money::zero(tx.tenant().currency()), |sum, document| {
            match document.is_credit {
                true => sum.checked_sub(document.total),
                false => sum.checked_add(document.total),
            }
        });
    Ok(Estimate {
        on,
        documents,
        total: total.map_err(Error::internal)?,
        service: services::get(tx, service).await?,
    })
}

/// The daily runs until that day have done to the service what they do: those that begin and end a pause before it, and its own.
async fn bring_up_to(tx: &TenantTx, service: ServiceId, on: NaiveDate) -> Result<()> {
    let pause = services::get(tx, service).await?.pause;
    let of_pause = pause
        .into_iter()
        .flat_map(|pause| [Some(pause.starts_on), pause.ends_on])
        .flatten();
    let today = tx.today();
    for day in of_pause.filter(|day| today < *day && *day < on).chain([on]) {
        tx.move_clock(Zone::from(tx.tenant().timezone()).start_of_day(day))?;
        super::renewal::alone(tx, service, day, super::renewal::Purpose::Write).await?;
    }
    Ok(())
}

impl Change {
    async fn service(&self, tx: &TenantTx) -> Result<Option<ServiceId>> {
        match self {
            Self::Create { .. } => Ok(None),
            Self::ChangePlan { id, .. } | Self::Terminate { id } | Self::Suspend { id, .. } | Self::Resume { id } => {
                Ok(Some(*id))
            }
            Self::AddAddon { service_id, .. } | Self::AddCharge { service_id, .. } => Ok(Some(*service_id)),
            Self::EndAddon { id } => addons::find_of_service(tx, *id).await.map(|addon| Some(addon.service_id)),
        }
    }

    /// Whose service it is.
    async fn subscriber(&self, tx: &TenantTx) -> Result<SubscriberId> {
        match (self, self.service(tx).await?) {
            (Self::Create { subscriber_id, .. }, _) => Ok(subscribers::get(tx, *subscriber_id).await?.id),
            (_, Some(id)) => Ok(services::get(tx, id).await?.subscriber_id),
            (_, None) => Err(Error::not_found("id")),
        }
    }

    async fn carry_out(&self, tx: &TenantTx, on: NaiveDate) -> Result<ServiceId> {
        let idempotency_key = Uuid::now_v7();
        let reason = "Asked what it would cost".to_owned();
        let past = Some(on).filter(|on| *on < tx.today());
        match self.clone() {
            Self::Create {
                subscriber_id,
                plan_id,
                installation_address,
                addons,
                coupon_code,
            } => {
                let username = login(tx, plan_id).await?;
                let order = ServiceOrder {
                    service: CreateService {
                        subscriber_id,
                        plan_id,
                        password: username.clone(),
                        username,
                        installation_address,
                        starts_on: Some(on),
                    },
                    activate: true,
                    addons,
                    coupon_code,
                    idempotency_key,
                };
                Ok(service_create(tx, &order).await?.0.id)
            }
            Self::ChangePlan { id, plan_id, timing } => {
                let cmd = ChangePlan {
                    id,
                    plan_id,
                    timing,
                    effective_on: past,
                    idempotency_key,
                };
                Ok(service_change_plan(tx, &cmd).await?.service.id)
            }
            Self::Terminate { id } => {
                let cmd = TerminateService {
                    id,
                    reason,
                    effective_on: Some(on),
                    idempotency_key,
                };
                Ok(service_terminate(tx, &cmd).await?.0.id)
            }
            Self::Suspend { id, until } => {
                not_past(past)?;
                if until < on || Some(until) > on.checked_add_days(Days::new(MAX_DAYS)) {
                    return Err(Error::invalid(
                        "until",
                        "Must not be before `on`, nor more than a year after it.",
                    ));
                }
                let cmd = SuspendService {
                    id,
                    reason,
                    idempotency_key,
                };
                service_suspend(tx, &cmd).await?;
                tx.move_clock(Zone::from(tx.tenant().timezone()).start_of_day(until).max(tx.now()))?;
                resume(tx, id).await
            }
            Self::Resume { id } => {
                not_past(past)?;
                resume(tx, id).await
            }
            beside => beside.carry_out_beside(tx, past, idempotency_key).await,
        }
    }

    /// What is charged beside the plan.
    async fn carry_out_beside(self, tx: &TenantTx, past: Option<NaiveDate>, idempotency_key: Uuid) -> Result<ServiceId> {
        match self {
            Self::AddAddon {
                service_id,
                addon_id,
                quantity,
                unit_price,
                ends_on,
            } => {
                let cmd = AddAddon {
                    service_id,
                    addon_id,
                    quantity,
                    unit_price,
                    starts_on: past,
                    ends_on,
                    idempotency_key,
                };
                Ok(service_addon_add(tx, &cmd).await?.0.service_id)
            }
            Self::EndAddon { id } => {
                let cmd = EndAddon {
                    id,
                    effective_on: past,
                    idempotency_key,
                };
                Ok(service_addon_end(tx, &cmd).await?.0.service_id)
            }
            Self::AddCharge {
                service_id,
                addon_id,
                description,
                quantity,
                unit_price,
                tax_inclusive,
                tax_code,
            } => {
                not_past(past)?;
                let cmd = AddCharge {
                    service_id,
                    addon_id,
                    description,
                    quantity,
                    unit_price,
                    tax_inclusive,
                    tax_code,
                    when: WhenCharged::AtOnce,
                    idempotency_key,
                };
                Ok(service_charge_add(tx, &cmd).await?.0.service_id)
            }
            _ => Err(Error::internal("a change of the service itself")),
        }
    }
}

fn not_past(past: Option<NaiveDate>) -> Result<()> {
    match past {
        None => Ok(()),
        Some(_) => Err(Error::invalid("on", "Must not be in the past.")),
    }
}

async fn resume(tx: &TenantTx, id: ServiceId) -> Result<ServiceId> {
    let idempotency_key = Uuid::now_v7();
    Ok(service_resume(tx, &ResumeService { id, idempotency_key }).await?.id)
}

/// A login that is nobody's: it is not asked for, and will not be. None for a plan without network access.
async fn login(tx: &TenantTx, plan_id: PlanId) -> Result<Option<String>> {
    let known = plans::by_ids(tx, &[plan_id]).await?;
    let plan = known.first().ok_or_else(|| Error::not_found("planId"))?;
    Ok(plan
        .has_network_access()
        .then(|| format!("estimate-{}", Uuid::now_v7().simple())))
}
