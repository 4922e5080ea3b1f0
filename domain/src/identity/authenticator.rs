use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use moka::future::Cache;
use sea_orm::FromQueryResult;
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::keys::Keyring;
use super::token::{self, Claims, Kind};
use crate::kernel::actor::{Actor, Permissions};
use crate::kernel::db::{Database, Tenant, TenantDb};
use crate::kernel::error::{Error, Result};
use crate::kernel::ids::{AccountId, DirectorId, StaffId, SubscriberId};

/// For how long a change of somebody's rights made elsewhere may go unnoticed.
const MEMORY: Duration = Duration::from_secs(5);
const REMEMBERED: u64 = 50_000;

/// Knows credentials: signs people in and tells from a token who asks. One for the process; cheap to clone.
#[derive(Clone)]
pub struct Authenticator(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub database: Database,
    pub keys: Keyring,
    /// Passwords checked at once: each takes a processor and 19 MiB.
    pub hashing: Semaphore,
    actors: Cache<Principal, Option<Arc<Actor>>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Principal {
    Account(AccountId),
    Staff(i32, StaffId),
    Subscriber(i32, SubscriberId),
}

impl Authenticator {
    pub fn new(database: Database) -> Self {
        let processors = available_parallelism().map_or(2, usize::from);
        Self(Arc::new(Inner {
            keys: Keyring::new(database.clone()),
            hashing: Semaphore::new(processors),
            actors: Cache::builder().max_capacity(REMEMBERED).time_to_live(MEMORY).build(),
            database,
        }))
    }

    /// Who shows this token on this host (none: the platform's). A token of another host, an expired or forged one, an
    /// unknown key, a disabled account, an account whose kind has changed: all are Unauthenticated.
    pub async fn authenticate(&self, host: Option<&Tenant>, token: &str) -> Result<Actor> {
        let inner = &self.0;
        let kid = token::kid(token)?;
        let key = inner.keys.verifying(&kid).await?.ok_or(Error::Unauthenticated)?;
        let issuer = &inner.database.installation().id;
        let now = inner.database.clock().now();
        let claims = token::verify(token, &key, issuer, &token::audience(host), now)?;
        let actor = self.actor(host, &claims).await?;
        if actor.kind() == kind_name(claims.kind) {
            Ok((*actor).clone())
        } else {
            Err(Error::Unauthenticated)
        }
    }

    /// Forgets what it remembers of one ISP's staff member, whose rights have changed.
    pub async fn forget_staff(&self, tenant: &Tenant, id: StaffId) {
        self.0.actors.invalidate(&Principal::Staff(tenant.number(), id)).await;
    }

    async fn actor(&self, host: Option<&Tenant>, claims: &Claims) -> Result<Arc<Actor>> {
        let database = self.0.database.clone();
        let found = match (claims.kind, host) {
            (Kind::PlatformStaff | Kind::Director, None) => {
                let id = AccountId(claims.sub);
                let load = async move { account(&database, id).await };
                self.0.actors.try_get_with(Principal::Account(id), load).await
            }
            (Kind::TenantStaff, Some(tenant)) => {
                let id = StaffId(claims.sub);
                let load = staff(database, tenant.clone(), id);
                self.0.actors.try_get_with(Principal::Staff(tenant.number(), id), load).await
            }
            (Kind::Subscriber, Some(tenant)) => {
                let id = SubscriberId(claims.sub);
                let load = subscriber(database, tenant.clone(), id);
                self.0
                    .actors
                    .try_get_with(Principal::Subscriber(tenant.number(), id), load)
                    .await
            }
            _ => return Err(Error::Unauthenticated),
        };
        found?.ok_or(Error::Unauthenticated)
    }
}

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::PlatformStaff => "PLATFORM_STAFF",
        Kind::Director => "DIRECTOR",
        Kind::TenantStaff => "TENANT_STAFF",
        Kind::Subscriber => "SUBSCRIBER",
    }
}

/// Reads of identity itself, before there is an actor.
pub(super) fn inside(database: &Database, tenant: &Tenant) -> TenantDb {
    TenantDb::new(database.clone(), tenant.clone(), Arc::new(Actor::System))
}

#[derive(FromQueryResult)]
pub(super) struct AccountRow {
    pub id: AccountId,
    pub kind: String,
    pub director_id: Option<DirectorId>,
    pub name: String,
    pub email: String,
    pub password_hash: String,
}

impl AccountRow {
    pub fn actor(&self) -> Result<Actor> {
        let name = self.name.clone();
        match (self.kind.as_str(), self.director_id) {
            ("PLATFORM_STAFF", None) => Ok(Actor::PlatformStaff { account: self.id, name }),
            ("DIRECTOR", Some(director)) => Ok(Actor::Director {
                account: self.id,
                director,
                name,
            }),
            _ => Err(Error::internal(format!("account {} is of no known kind", self.id))),
        }
    }
}

#[derive(FromQueryResult)]
pub(super) struct StaffRow {
    pub id: StaffId,
    pub name: String,
    pub email: String,
    pub password_hash: String,
    pub permissions: Vec<String>,
}

impl StaffRow {
    pub fn actor(&self) -> Actor {
        Actor::Staff {
            id: self.id,
            name: self.name.clone(),
            permissions: Arc::new(Permissions::parse(self.permissions.iter().map(String::as_str))),
        }
    }
}

async fn account(database: &Database, id: AccountId) -> Result<Option<Arc<Actor>>> {
    let row: Option<AccountRow> = database
        .begin_platform(Arc::new(Actor::System))
        .await?
        .sql(
            "SELECT id, kind, director_id, name, email, password_hash FROM platform.account
             WHERE id = $1 AND disabled_at IS NULL",
        )
        .bind(id)
        .optional()
        .await?;
    row.map(|row| row.actor().map(Arc::new)).transpose()
}

async fn staff(database: Database, tenant: Tenant, id: StaffId) -> Result<Option<Arc<Actor>>> {
    let row: Option<StaffRow> = inside(&database, &tenant)
        .read(async move |tx| {
            tx.sql(
                "SELECT s.id, s.name, s.email, s.password_hash, r.permissions
                 FROM staff s JOIN role r ON r.code = s.role_code WHERE s.id = $1 AND s.disabled_at IS NULL",
            )
            .bind(id)
            .optional()
            .await
        })
        .await?;
    Ok(row.map(|row| Arc::new(row.actor())))
}

async fn subscriber(database: Database, tenant: Tenant, id: SubscriberId) -> Result<Option<Arc<Actor>>> {
    let name: Option<String> = inside(&database, &tenant)
        .read(async move |tx| {
            tx.sql("SELECT name FROM subscriber WHERE id = $1 AND portal_password_hash IS NOT NULL")
                .bind(id)
                .scalar()
                .await
        })
        .await?;
    Ok(name.map(|name| Arc::new(Actor::Subscriber { id, name })))
}

/// Signs a token for somebody whose credentials were right.
impl Inner {
    pub async fn issue(&self, host: Option<&Tenant>, kind: Kind, sub: Uuid) -> Result<(String, Claims)> {
        let (kid, key) = self.keys.signing().await?;
        let issuer = &self.database.installation().id;
        let claims = Claims::new(issuer, token::audience(host), kind, sub, self.database.clock().now());
        Ok((token::sign(&claims, &kid, &key)?, claims))
    }
}
