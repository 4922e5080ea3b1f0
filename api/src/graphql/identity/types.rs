use async_graphql::{Context, Enum, ID, Object, SimpleObject};
use trunkline_domain::identity;
use trunkline_domain::kernel::actor::Actor;
use trunkline_domain::kernel::db::Tenant;

use crate::graphql::ctx::CtxExt;
use crate::graphql::ids;
use crate::graphql::scalars::CurrencyCode;

/// What sort of caller somebody is.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
pub enum ViewerKind {
    /// Runs the platform.
    PlatformStaff,
    /// Owns tenants.
    Director,
    /// Has an account on the platform and belongs to ISPs, and is neither platform staff nor a director.
    Person,
    /// Works for an ISP.
    TenantStaff,
    /// A customer of an ISP.
    Subscriber,
}

/// Who is signed in.
pub struct Viewer {
    viewer: identity::Viewer,
    /// What sort of caller.
    kind: ViewerKind,
    /// Names them everywhere.
    id: ID,
    /// The name.
    name: String,
}

impl Viewer {
    /// None for who is nobody in particular.
    pub fn of(viewer: identity::Viewer) -> Option<Self> {
        let (kind, id, name) = match &*viewer.actor {
            Actor::System | Actor::Anonymous => return None,
            Actor::PlatformStaff { account, name } => (ViewerKind::PlatformStaff, ids::out(*account), name),
            Actor::Director { account, name, .. } => (ViewerKind::Director, ids::out(*account), name),
            Actor::Person { account, name } => (ViewerKind::Person, ids::out(*account), name),
            Actor::Staff { id, name, .. } => (ViewerKind::TenantStaff, ids::out(*id), name),
            Actor::Subscriber { id, name } => (ViewerKind::Subscriber, ids::out(*id), name),
        };
        let name = name.clone();
        Some(Self { viewer, kind, id, name })
    }
}

/// Who is signed in.
#[Object]
impl Viewer {
    /// Names them everywhere.
    async fn id(&self) -> &ID {
        &self.id
    }

    /// What sort of caller.
    async fn kind(&self) -> ViewerKind {
        self.kind
    }

    /// What they are called.
    async fn name(&self) -> &str {
        &self.name
    }

    /// What they sign in with, where they have one.
    async fn email(&self) -> Option<&str> {
        self.viewer.email.as_deref()
    }

    /// What the viewer may do here, e.g. "invoice:write". Rights of subscribers and of accounts of the platform follow from
    /// their kind; for them the list is empty.
    async fn permissions(&self) -> Vec<String> {
        self.viewer.permissions().iter().map(ToString::to_string).collect()
    }

    /// The tenant that this host serves; null on the platform host.
    async fn tenant(&self, ctx: &Context<'_>) -> Option<TenantProfile> {
        ctx.rq().tenant().map(TenantProfile::from)
    }
}

/// What any visitor of a tenant's host may know of it.
#[derive(SimpleObject)]
pub struct TenantProfile {
    /// Its subdomain.
    slug: String,
    /// What it is called.
    name: String,
    /// ISO 3166-1 alpha-2.
    country: String,
    /// What it bills in.
    currency: CurrencyCode,
    /// Of the IANA database.
    timezone: String,
}

impl From<&Tenant> for TenantProfile {
    fn from(tenant: &Tenant) -> Self {
        Self {
            slug: tenant.slug().to_owned(),
            name: tenant.name().to_owned(),
            country: tenant.country().to_owned(),
            currency: CurrencyCode(tenant.currency()),
            timezone: tenant.timezone().name().to_owned(),
        }
    }
}
