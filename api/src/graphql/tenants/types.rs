use std::collections::HashMap;

use async_graphql::dataloader::Loader;
use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};
use trunkline_domain::identity::NewAccount;
use trunkline_domain::kernel::db;
use trunkline_domain::kernel::ids::{DirectorId, TenantId};
use trunkline_domain::runs::CreateDirector;
use trunkline_domain::tenants::{self, OpenTenant, Owner, TenantDetails, TenantFilter};
use trunkline_domain::{Error, Result};

use super::query;
use crate::graphql::ctx::{CtxExt, PlatformLookup};
use crate::graphql::error::{ApiError, ApiResult, UserError, payload, settle};
use crate::graphql::page::connection;
use crate::graphql::scalars::{CurrencyCode, DateTime, Uuid};
use crate::graphql::{ids, page};

/// PROVISIONING: being made. TRIAL, ACTIVE: open. SUSPENDED: nobody of it is served until it is resumed. ARCHIVED: closed.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "db::TenantStatus")]
pub enum TenantStatus {
    /// It is being opened.
    Provisioning,
    /// It is trying the platform out.
    Trial,
    /// It is open.
    Active,
    /// It is off until it is resumed.
    Suspended,
    /// It is gone; its data is kept.
    Archived,
}

/// An ISP as the platform sees it.
#[derive(Clone)]
pub struct Tenant(pub TenantDetails);

impl From<TenantDetails> for Tenant {
    fn from(tenant: TenantDetails) -> Self {
        Self(tenant)
    }
}

/// An ISP as the platform sees it.
#[Object]
impl Tenant {
    /// Names it everywhere.
    pub async fn id(&self) -> ID {
        ids::out(self.0.id)
    }

    /// Its subdomain under the platform's base domain.
    async fn slug(&self) -> &str {
        &self.0.slug
    }

    /// What it is called.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// ISO 3166-1 alpha-2.
    async fn country(&self) -> &str {
        &self.0.country
    }

    /// What it bills in.
    async fn currency(&self) -> ApiResult<CurrencyCode> {
        Ok(CurrencyCode(self.0.currency.parse().map_err(Error::internal)?))
    }

    /// Of the IANA database.
    async fn timezone(&self) -> &str {
        &self.0.timezone
    }

    /// Whether it is served.
    async fn status(&self) -> TenantStatus {
        self.0.status.into()
    }

    /// Why it is suspended.
    async fn suspension_reason(&self) -> Option<&str> {
        self.0.suspension_reason.as_deref()
    }

    /// The folder of tenant-templates/ that it was opened from.
    async fn template(&self) -> &str {
        &self.0.template
    }

    /// Who owns it; null when nobody but the platform does.
    async fn director(&self, ctx: &Context<'_>) -> ApiResult<Option<Director>> {
        let Some(id) = self.0.director_id else { return Ok(None) };
        Ok(ctx.rq().platform_loader().load_one(id).await?.map(Director))
    }

    /// When it was opened.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// Hostnames of its own, in the order in which they were added.
    async fn domains(&self, ctx: &Context<'_>) -> ApiResult<Vec<Domain>> {
        let found = ctx.rq().platform_loader().load_one(self.0.id).await?;
        Ok(found.unwrap_or_default().into_iter().map(Domain).collect())
    }

    /// The version of its own tables.
    async fn schema_version(&self) -> String {
        self.0.schema_version.to_string()
    }
}

connection!(TenantConnection, TenantEdge, Tenant);

/// A holding company, franchise head or provider that owns tenants.
#[derive(Clone)]
pub struct Director(pub tenants::Director);

impl From<tenants::Director> for Director {
    fn from(director: tenants::Director) -> Self {
        Self(director)
    }
}

/// A holding company, franchise head or provider that owns tenants.
#[Object]
impl Director {
    /// Names it everywhere.
    pub async fn id(&self) -> ID {
        ids::out(self.0.id)
    }

    /// What it is called.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// The tenants that it owns, in the order in which they were opened.
    #[graphql(complexity = "page::cost(first, child_complexity)")]
    async fn tenants(
        &self,
        ctx: &Context<'_>,
        #[graphql(default = 20, desc = "How many at most, 0 to 100.")] first: i32,
        #[graphql(desc = "Begins behind the object that this cursor names.")] after: Option<String>,
    ) -> ApiResult<Option<TenantConnection>> {
        let filter = TenantFilter {
            director: Some(self.0.id),
            ..TenantFilter::default()
        };
        Ok(Some(query::page(ctx, first, after, filter).await?))
    }
}

connection!(DirectorConnection, DirectorEdge, Director);

/// A hostname of a tenant's own. It serves once it is verified.
#[derive(Clone)]
pub struct Domain(pub tenants::Domain);

impl From<tenants::Domain> for Domain {
    fn from(domain: tenants::Domain) -> Self {
        Self(domain)
    }
}

/// A hostname of a tenant's own. It serves once it is verified.
#[Object]
impl Domain {
    /// Names it everywhere.
    pub async fn id(&self) -> ID {
        ids::out(self.0.id)
    }

    /// The name, in lower case.
    async fn hostname(&self) -> &str {
        &self.0.hostname
    }

    /// Whether links that the product makes use this one.
    async fn primary(&self) -> bool {
        self.0.is_primary
    }

    /// Since when it serves; null until it is proved.
    async fn verified_at(&self) -> Option<DateTime> {
        self.0.verified_at.map(DateTime)
    }

    /// The DNS TXT record to publish until verified.
    async fn verification(&self) -> Option<DomainVerification> {
        self.0.verified_at.is_none().then(|| DomainVerification {
            record_name: self.0.record_name(),
            record_value: self.0.record_value(),
        })
    }
}

impl Loader<DirectorId> for PlatformLookup {
    type Value = tenants::Director;
    type Error = ApiError;

    async fn load(&self, ids: &[DirectorId]) -> Result<HashMap<DirectorId, Self::Value>, ApiError> {
        let found = tenants::directors_by_ids(&self.begin().await?, ids).await?;
        Ok(found.into_iter().map(|d| (d.id, d)).collect())
    }
}

/// The domains of each tenant.
impl Loader<TenantId> for PlatformLookup {
    type Value = Vec<tenants::Domain>;
    type Error = ApiError;

    async fn load(&self, ids: &[TenantId]) -> Result<HashMap<TenantId, Self::Value>, ApiError> {
        let mut of: HashMap<TenantId, Self::Value> = HashMap::new();
        for domain in tenants::domains_of(&self.begin().await?, ids).await? {
            of.entry(domain.tenant_id).or_default().push(domain);
        }
        Ok(of)
    }
}

/// The DNS record that proves whose name it is.
#[derive(SimpleObject)]
pub struct DomainVerification {
    /// The TXT record's name.
    record_name: String,
    /// What it has to hold.
    record_value: String,
}

/// The tenant's first staff member, with all permissions.
#[derive(InputObject)]
pub struct TenantOwnerInput {
    /// The owner's name.
    name: String,
    /// What the owner signs in with, on the tenant's host.
    email: String,
    /// 10 to 200 characters.
    password: String,
}

/// A new ISP.
#[derive(InputObject)]
pub struct TenantCreateInput {
    /// Lower-case letters, digits and inner hyphens, 3 to 40 characters, not reserved; becomes the subdomain.
    slug: String,
    /// What it is called.
    name: String,
    /// A folder of tenant-templates/, e.g. "in-broadband" or "ke-hotspot".
    template: String,
    /// Default: the template's. Another one leaves the template's starter plans out, whose prices would be wrong.
    currency: Option<CurrencyCode>,
    /// Default: the template's.
    timezone: Option<String>,
    /// Platform staff: any or none; a director: itself, also when absent.
    director_id: Option<ID>,
    /// Its first staff member.
    owner: TenantOwnerInput,
    /// Makes a repeated call answer with the first one's tenant.
    idempotency_key: Option<Uuid>,
}

impl TenantCreateInput {
    pub fn command(self) -> Result<OpenTenant> {
        let director_id = self
            .director_id
            .map(|id| ids::input::<DirectorId>(&id, "directorId"))
            .transpose()?;
        Ok(OpenTenant {
            slug: self.slug,
            name: self.name,
            template: self.template,
            currency: self.currency.map(|c| c.0),
            timezone: self.timezone,
            director_id,
            owner: Owner {
                name: self.owner.name,
                email: self.owner.email,
                password: self.owner.password,
            },
            idempotency_key: self.idempotency_key.map(|k| k.0),
        })
    }
}

/// A tenant that is switched off.
#[derive(InputObject)]
pub struct TenantSuspendInput {
    /// Which.
    pub id: ID,
    /// Why.
    pub reason: String,
}

/// A tenant that goes on again.
#[derive(InputObject)]
pub struct TenantResumeInput {
    /// Which.
    pub id: ID,
}

/// Who signs in for a director on the platform host.
#[derive(InputObject)]
pub struct DirectorAccountInput {
    /// The person's name.
    name: String,
    /// What it signs in with, on the platform's host.
    email: String,
    /// 10 to 200 characters.
    password: String,
}

/// A new director and its first login.
#[derive(InputObject)]
pub struct DirectorCreateInput {
    /// What it is called.
    name: String,
    /// Who signs in for it first.
    account: DirectorAccountInput,
}

impl From<DirectorCreateInput> for CreateDirector {
    fn from(input: DirectorCreateInput) -> Self {
        Self {
            name: input.name,
            account: NewAccount {
                name: input.account.name,
                email: input.account.email,
                password: input.account.password,
            },
        }
    }
}

/// A hostname for a tenant.
#[derive(InputObject)]
pub struct DomainAddInput {
    /// Whose hosts it is to join.
    pub tenant_id: ID,
    /// A name that its owner can add a TXT record to.
    pub hostname: String,
}

/// A hostname whose record was published.
#[derive(InputObject)]
pub struct DomainVerifyInput {
    /// Which.
    pub id: ID,
}

/// A hostname that is given up.
#[derive(InputObject)]
pub struct DomainRemoveInput {
    /// Which.
    pub id: ID,
}

payload!(TenantCreatePayload { tenant: Tenant });
payload!(TenantSuspendPayload { tenant: Tenant });
payload!(TenantResumePayload { tenant: Tenant });
payload!(DirectorCreatePayload { director: Director });
payload!(DomainAddPayload { domain: Domain });
payload!(DomainVerifyPayload { domain: Domain });

/// What became of the request: what was removed, or why not.
#[derive(SimpleObject)]
pub struct DomainRemovePayload {
    /// The id that it had; null when refused.
    pub removed_id: Option<ID>,
    /// Business refusals; empty when it was done.
    pub user_errors: Vec<UserError>,
}

impl DomainRemovePayload {
    pub fn of(result: Result<ID>) -> ApiResult<Self> {
        let (removed_id, user_errors) = settle(result)?;
        Ok(Self { removed_id, user_errors })
    }
}
