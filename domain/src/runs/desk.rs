//! What is known while services are worked on, and where what is done to them goes: one service at a time, each question a
//! statement and each invoice written at once; or many, read beforehand and written afterwards.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use chrono::{DateTime, Utc};

use super::held::Tally;
use super::pricing::Extras;
use crate::addons::{self, ServiceAddon};
use crate::billing::rules::BillingSettings;
use crate::billing::{self, Covered, Issued, Issuing, NewInvoice};
use crate::discounts::{self, ServiceDiscount};
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, Result};
use crate::kernel::ids::{PlanId, PlanVersionId, ServiceDiscountId, ServiceId};
use crate::plans::{self, Plan};
use crate::services::{self, Service};

pub(super) enum Desk {
    Alone,
    Together(Box<Batch>),
}

/// Many services, locked with those who pay for them.
pub(super) struct Batch {
    issuing: Issuing,
    /// All versions of each, in the order in which they begin to count.
    plans: HashMap<PlanId, Vec<Plan>>,
    versions: HashMap<PlanVersionId, Plan>,
    /// What is charged of each service's time, with what is about to be.
    covered: HashMap<ServiceId, Vec<Covered>>,
    addons: HashMap<ServiceId, Vec<ServiceAddon>>,
    /// Services with something that waits to be charged once.
    charged_once: HashSet<ServiceId>,
    discounts: HashMap<ServiceId, Vec<ServiceDiscount>>,
    /// For which periods discounts are about to be given.
    given: Vec<(ServiceDiscountId, DateTime<Utc>)>,
}

/// Something that is done to a service in the middle of deciding about it, in statements of its own.
fn not_together() -> Error {
    Error::internal("this is done to one service at a time")
}

/// Rows by what they belong to, in their order.
pub(super) fn by<K: Eq + Hash, T>(rows: Vec<T>, key: impl Fn(&T) -> K) -> HashMap<K, Vec<T>> {
    let mut all: HashMap<K, Vec<T>> = HashMap::new();
    for row in rows {
        all.entry(key(&row)).or_default().push(row);
    }
    all
}

impl Desk {
    /// Locks these services and all who pay for them, subscribers and then services in the order of their ids, and reads what
    /// decides on them. The services come back in the order in which they were asked for.
    pub async fn together(tx: &TenantTx, ids: &[ServiceId]) -> Result<(Self, Vec<Service>)> {
        let subscribers = services::subscribers_of(tx, ids).await?;
        let issuing = Issuing::prepare(tx, &subscribers).await?;
        let mut locked: HashMap<ServiceId, Service> = services::lock_all(tx, ids).await?.into_iter().map(|s| (s.id, s)).collect();
        let services: Vec<Service> = ids.iter().filter_map(|id| locked.remove(id)).collect();
        let versions = services.iter().flat_map(|s| [Some(s.plan_version_id), s.billed_version_id]);
        let mut versions: Vec<PlanVersionId> = versions.flatten().collect();
        versions.sort_unstable();
        versions.dedup();
        let plans = services
            .iter()
            .flat_map(|s| [Some(s.plan_id), s.pending_change.map(|p| p.plan_id)]);
        let mut plans: Vec<PlanId> = plans.flatten().collect();
        plans.sort_unstable();
        plans.dedup();
        let batch = Batch {
            issuing,
            plans: by(plans::versions_of_all(tx, &plans).await?, |version| version.id),
            versions: (plans::by_version_ids(tx, &versions).await?.into_iter())
                .map(|p| (p.version_id, p))
                .collect(),
            covered: billing::covered_of(tx, ids).await?,
            addons: by(addons::of_services(tx, ids).await?, |addon| addon.service_id),
            charged_once: addons::with_open_charges(tx, ids).await?.into_iter().collect(),
            discounts: by(discounts::of_services(tx, ids).await?, |discount| discount.service_id),
            given: Vec::new(),
        };
        Ok((Self::Together(Box::new(batch)), services))
    }

    /// Fails where services are worked on together, with which the caller's next statements do not go.
    pub fn be_alone(&self) -> Result<()> {
        match self {
            Self::Alone => Ok(()),
            Self::Together(_) => Err(not_together()),
        }
    }

    pub async fn settings(&self, tx: &TenantTx) -> Result<BillingSettings> {
        match self {
            Self::Alone => Ok(billing::settings(tx).await?.settings),
            Self::Together(batch) => Ok(batch.issuing.settings().clone()),
        }
    }

    /// All versions of a plan, in the order in which they begin to count.
    pub async fn versions_of(&self, tx: &TenantTx, plan: PlanId) -> Result<Vec<Plan>> {
        match self {
            Self::Together(batch) if batch.plans.contains_key(&plan) => Ok(batch.plans.get(&plan).cloned().unwrap_or_default()),
            _ => plans::versions_of(tx, plan).await,
        }
    }

    /// What a service has beside its plan. What is charged once is marked in a statement of its own.
    pub async fn extras(&self, tx: &TenantTx, service: ServiceId) -> Result<Extras> {
        match self {
            Self::Alone => Ok(Extras {
                addons: addons::of_service(tx, service).await?,
                charges: addons::open_charges(tx, service).await?,
                discounts: discounts::of_service(tx, service).await?,
            }),
            Self::Together(batch) if batch.charged_once.contains(&service) => Err(not_together()),
            Self::Together(batch) => Ok(Extras {
                addons: batch.addons.get(&service).cloned().unwrap_or_default(),
                charges: Vec::new(),
                discounts: batch.discounts.get(&service).cloned().unwrap_or_default(),
            }),
        }
    }

    /// Notes for which periods a service was given discounts.
    pub async fn mark_used(
        &mut self,
        tx: &TenantTx,
        service: ServiceId,
        given: Vec<(ServiceDiscountId, DateTime<Utc>)>,
    ) -> Result<()> {
        match self {
            Self::Alone => discounts::mark_used(tx, &given).await,
            Self::Together(batch) => {
                batch.give(service, given);
                Ok(())
            }
        }
    }

    pub async fn version(&self, tx: &TenantTx, id: PlanVersionId) -> Result<Plan> {
        match self {
            Self::Together(batch) if batch.versions.contains_key(&id) => {
                batch.versions.get(&id).cloned().ok_or_else(not_together)
            }
            _ => plans::version(tx, id).await,
        }
    }

    /// All that is charged of a service's time, in its order.
    pub async fn covered(&self, tx: &TenantTx, service: ServiceId) -> Result<Vec<Covered>> {
        match self {
            Self::Alone => billing::covered(tx, service).await,
            Self::Together(batch) => Ok(batch.covered.get(&service).cloned().unwrap_or_default()),
        }
    }

    pub async fn covered_by_credit(&self, tx: &TenantTx, new: &NewInvoice) -> Result<bool> {
        match self {
            Self::Alone => billing::covered_by_credit(tx, new).await,
            Self::Together(batch) => batch.issuing.covered_by_credit(tx, new),
        }
    }

    pub async fn issue(&mut self, tx: &TenantTx, new: NewInvoice) -> Result<Issued> {
        match self {
            Self::Alone => billing::issue(tx, new).await,
            Self::Together(batch) => batch.issue(tx, new),
        }
    }

    /// Where [`Self::rewind`] goes back to.
    pub fn mark(&self, service: ServiceId) -> Mark {
        match self {
            Self::Alone => Mark::default(),
            Self::Together(batch) => Mark {
                invoices: batch.issuing.mark(),
                covered: batch.covered.get(&service).cloned(),
                given: batch.given.len(),
                discounts: batch.discounts.get(&service).cloned(),
            },
        }
    }

    /// Forgets what was about to be charged for a service.
    pub fn rewind(&mut self, service: ServiceId, mark: Mark) -> Result<()> {
        if let Self::Together(batch) = self {
            batch.issuing.rewind(mark.invoices)?;
            match mark.covered {
                Some(covered) => batch.covered.insert(service, covered),
                None => batch.covered.remove(&service),
            };
            batch.given.truncate(mark.given);
            if let Some(discounts) = mark.discounts {
                batch.discounts.insert(service, discounts);
            }
        }
        Ok(())
    }

    /// Brings together what one payer pays for several; answers the invoices that are left to be issued.
    pub fn consolidate(&mut self, tx: &TenantTx) -> Result<Tally> {
        match self {
            Self::Alone => Ok(Tally::default()),
            Self::Together(batch) => {
                batch.issuing.consolidate(tx)?;
                let (invoices, total) = batch.issuing.tally();
                let invoices = u32::try_from(invoices).map_err(Error::internal)?;
                Ok(Tally { invoices, total })
            }
        }
    }

    /// Issues the invoices that are left.
    pub async fn close(self, tx: &TenantTx) -> Result<()> {
        match self {
            Self::Alone => Ok(()),
            Self::Together(mut batch) => {
                batch.issuing.write(tx).await?;
                discounts::mark_used(tx, &batch.given).await
            }
        }
    }
}

/// How far a batch had come.
#[derive(Default)]
pub(super) struct Mark {
    invoices: usize,
    covered: Option<Vec<Covered>>,
    given: usize,
    discounts: Option<Vec<ServiceDiscount>>,
}

impl Batch {
    /// The service's next period, in the same run, finds these given.
    fn give(&mut self, service: ServiceId, given: Vec<(ServiceDiscountId, DateTime<Utc>)>) {
        for discount in self.discounts.entry(service).or_default() {
            for (_, period) in given.iter().filter(|(id, _)| *id == discount.id) {
                if !discount.used.contains(period) {
                    discount.used.push(*period);
                }
            }
        }
        self.given.extend(given);
    }

    fn issue(&mut self, tx: &TenantTx, new: NewInvoice) -> Result<Issued> {
        let (due_on, covers) = (
            new.due_on,
            new.lines.iter().filter_map(billing::NewLine::covers).collect::<Vec<_>>(),
        );
        let issued = self.issuing.add(tx, new)?;
        for (service, period, version) in covers {
            let covered = self.covered.entry(service).or_default();
            // What follows is in the order of time; the database is the judge of everything else.
            let after = covered.last().is_none_or(|last| last.ends_at <= period.start());
            if !after {
                return Err(not_together());
            }
            covered.push(Covered {
                starts_at: period.start(),
                ends_at: period.end(),
                paid: issued.paid,
                credited: false,
                written_off_at: None,
                due_on,
                awaited_until: due_on,
                version_id: Some(version),
            });
        }
        Ok(issued)
    }
}
