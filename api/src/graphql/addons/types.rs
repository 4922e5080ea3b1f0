use async_graphql::{Context, Enum, ID, InputObject, MaybeUndefined, Object};
use trunkline_domain::addons::{self, CreateAddon, UpdateAddon};
use trunkline_domain::kernel::ids::{AddonId, PlanId};
use trunkline_domain::kernel::patch::Patch;
use trunkline_domain::{Error, Result};

use crate::graphql::ctx::{CtxExt, lookup};
use crate::graphql::error::{ApiResult, payload};
use crate::graphql::ids;
use crate::graphql::page::connection;
use crate::graphql::plans::Plan;
use crate::graphql::plans::types::money;
use crate::graphql::scalars::{DateTime, Decimal, Money, patch};

/// How often an add-on is charged.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "addons::AddonCharging")]
pub enum AddonCharging {
    /// With each period of the service that has it.
    PerPeriod,
    /// With one invoice and never again: equipment, setting up.
    Once,
}

/// What an ISP sells beside its plans.
#[derive(Clone)]
pub struct Addon(pub addons::Addon);

impl From<addons::Addon> for Addon {
    fn from(addon: addons::Addon) -> Self {
        Self(addon)
    }
}

/// What an ISP sells beside its plans.
#[Object]
impl Addon {
    /// Names it everywhere.
    pub async fn id(&self) -> ID {
        ids::out(self.0.id)
    }

    /// Short name, unique within the tenant.
    async fn code(&self) -> &str {
        &self.0.code
    }

    /// What subscribers see; stands on invoices.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// How often it is charged.
    async fn charged(&self) -> AddonCharging {
        self.0.charged.into()
    }

    /// For each piece; PER_PERIOD: and for one period of the service.
    async fn price(&self) -> ApiResult<Money> {
        Ok(money(self.0.price, &self.0.currency)?)
    }

    /// Whether `price` already contains tax.
    async fn tax_inclusive(&self) -> bool {
        self.0.tax_inclusive
    }

    /// HSN/SAC or the local equivalent; null = the template's code for internet access.
    async fn tax_code(&self) -> Option<&str> {
        self.0.tax_code.as_deref()
    }

    /// The plans that it goes with; null = all.
    #[graphql(complexity = "2 + 2 * child_complexity")]
    async fn plans(&self, ctx: &Context<'_>) -> ApiResult<Option<Vec<Plan>>> {
        if self.0.plan_ids.is_empty() {
            return Ok(None);
        }
        let wanted: Vec<PlanId> = self.0.plan_ids.iter().copied().map(PlanId).collect();
        let mut found = ctx.rq().loader().load_many(wanted.iter().copied()).await?;
        Ok(Some(wanted.iter().filter_map(|id| found.remove(id)).map(Plan).collect()))
    }

    /// Since when it is no longer sold; null while it is.
    async fn retired_at(&self) -> Option<DateTime> {
        self.0.retired_at.map(DateTime)
    }

    /// Pass it as `expectedVersion`.
    async fn version(&self) -> i32 {
        self.0.version
    }
}

connection!(AddonConnection, AddonEdge, Addon);
lookup!(AddonId => addons::Addon, addons::by_ids, |addon| addon.id);

/// A new add-on.
#[derive(InputObject)]
pub struct AddonCreateInput {
    /// Short name, unique within the tenant.
    code: String,
    /// What subscribers see; stands on invoices.
    name: String,
    /// How often it is charged.
    #[graphql(default_with = "AddonCharging::PerPeriod")]
    charged: AddonCharging,
    /// For each piece, in the ISP's currency; PER_PERIOD: and for one period of the service that has it.
    price: Decimal,
    /// Whether `price` already contains tax.
    #[graphql(default = false)]
    tax_inclusive: bool,
    /// HSN/SAC or the local equivalent; null = the template's code for internet access.
    tax_code: Option<String>,
    /// The plans that it goes with; default: all.
    plan_ids: Option<Vec<ID>>,
}

impl AddonCreateInput {
    pub fn command(self) -> Result<CreateAddon> {
        Ok(CreateAddon {
            code: self.code,
            name: self.name,
            charged: self.charged.into(),
            price: self.price.0,
            tax_inclusive: self.tax_inclusive,
            tax_code: self.tax_code,
            plan_ids: plan_ids(&self.plan_ids.unwrap_or_default())?,
        })
    }
}

fn plan_ids(given: &[ID]) -> Result<Vec<PlanId>, Error> {
    let at = |n: usize| format!("planIds.{n}");
    (given.iter().enumerate()).map(|(n, id)| ids::input(id, &at(n))).collect()
}

/// A changed add-on. Services that have it are charged its new price with their next period, save where another was agreed.
#[derive(InputObject)]
pub struct AddonUpdateInput {
    /// Which.
    id: ID,
    /// The `version` that you saw; another one is STALE_VERSION.
    expected_version: i32,
    /// What subscribers see; stands on invoices.
    name: MaybeUndefined<String>,
    /// For each piece, in the ISP's currency.
    price: MaybeUndefined<Decimal>,
    /// Whether `price` already contains tax.
    tax_inclusive: MaybeUndefined<bool>,
    /// HSN/SAC or the local equivalent; null = the template's code for internet access.
    tax_code: MaybeUndefined<String>,
    /// The plans that it goes with; null = all.
    plan_ids: MaybeUndefined<Vec<ID>>,
}

impl AddonUpdateInput {
    pub fn command(self) -> Result<UpdateAddon> {
        Ok(UpdateAddon {
            id: ids::input(&self.id, "id")?,
            expected_version: self.expected_version,
            name: patch(self.name, |v| v),
            price: patch(self.price, |v| v.0),
            tax_inclusive: patch(self.tax_inclusive, |v| v),
            tax_code: patch(self.tax_code, |v| v),
            plan_ids: match patch(self.plan_ids, |v| v) {
                Patch::Keep => Patch::Keep,
                Patch::Clear => Patch::Clear,
                Patch::Set(given) => Patch::Set(plan_ids(&given)?),
            },
        })
    }
}

/// An add-on that is no longer sold; services keep it.
#[derive(InputObject)]
pub struct AddonRetireInput {
    /// Which.
    pub id: ID,
}

payload!(AddonCreatePayload { addon: Addon });
payload!(AddonUpdatePayload { addon: Addon });
payload!(AddonRetirePayload { addon: Addon });
