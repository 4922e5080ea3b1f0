use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use moka::future::Cache;
use sea_orm::FromQueryResult;
use tokio::sync::{Mutex, Semaphore};

use super::keys::{Keyring, PublicKey};
use super::principal::Principal;
use super::sessions::Carried;
use super::side::Side;
use super::token::{self, Claims, Kind};
use super::verified::Verified;
use crate::kernel::actor::{Actor, Permissions};
use crate::kernel::db::{Database, Tenant, TenantDb};
use crate::kernel::error::{Error, Result};
use crate::kernel::ids::{AccountId, DirectorId, StaffId, SubscriberId, UserSessionId};

/// For how long a session that was ended elsewhere, or a change of somebody's rights made elsewhere, may go unnoticed. In the
/// process that makes the change it is noticed at once.
const MEMORY: Duration = Duration::from_secs(5);
const REMEMBERED: u64 = 50_000;
/// Attempts to sign in under one name go one after the other within a process; names share so many queues.
const QUEUES: usize = 64;

/// Knows credentials: signs people in and tells from a token who asks. One for the process; cheap to clone.
#[derive(Clone)]
pub struct Authenticator(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub database: Database,
    pub keys: Keyring,
    /// Passwords checked at once: each takes a processor and 19 MiB.
    pub hashing: Semaphore,
    pub queues: Vec<Mutex<()>>,
    actors: Cache<SignIn, Option<Arc<Actor>>>,
    verified: Verified,
}

/// Who is remembered: somebody in one session on one host (0: the platform's).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct SignIn {
    host: i32,
    principal: Principal,
    session: UserSessionId,
}

/// Who asks, and in which session.
#[derive(Clone, Debug)]
pub struct SignedIn {
    pub actor: Arc<Actor>,
    pub session: UserSessionId,
}

fn number(host: Option<&Tenant>) -> i32 {
    host.map_or(0, Tenant::number)
}

impl Authenticator {
    pub fn new(database: Database) -> Self {
        let processors = available_parallelism().map_or(2, usize::from);
        let actors = Cache::builder()
            .max_capacity(REMEMBERED)
            .time_to_live(MEMORY)
            .support_invalidation_closures();
        Self(Arc::new(Inner {
            keys: Keyring::new(database.clone()),
            hashing: Semaphore::new(processors),
            queues: (0..QUEUES).map(|_| Mutex::new(())).collect(),
            actors: actors.build(),
            verified: Verified::default(),
            database,
        }))
    }

    /// Who shows this token on this host (none: the platform's). A token of another host, an expired or forged one, an
    /// unknown key, an ended session, a disabled account, an account whose kind has changed: all are Unauthenticated.
    pub async fn authenticate(&self, host: Option<&Tenant>, token: &str) -> Result<SignedIn> {
        let inner = &self.0;
        let kid = token::kid(token)?;
        let key = inner.keys.verifying(&kid).await?.ok_or(Error::Unauthenticated)?;
        let issuer = &inner.database.installation().id;
        let now = inner.database.clock().now();
        let claims = inner
            .verified
            .claims(token, &key, issuer, &token::audience(host), now)
            .await?;
        let principal = principal(&claims);
        let actor = self.actor(host, principal, claims.sid).await?;
        if actor.kind() != kind_name(claims.kind) {
            return Err(Error::Unauthenticated);
        }
        Ok(SignedIn {
            actor,
            session: claims.sid,
        })
    }

    /// The keys that our tokens can be verified with.
    pub async fn public_keys(&self) -> Result<Vec<PublicKey>> {
        self.0.keys.public().await
    }

    /// Forgets what it remembers of one ISP's staff member, whose rights have changed.
    pub async fn forget_staff(&self, tenant: &Tenant, id: StaffId) {
        self.forget_principal(Some(tenant), Principal::Staff(id));
    }

    /// Forgets what it remembers of somebody whose rights have changed, or whose sessions were ended.
    pub fn forget_principal(&self, host: Option<&Tenant>, principal: Principal) {
        let host = number(host);
        self.forget(move |known| known.host == host && known.principal == principal);
    }

    /// Forgets a session that was ended.
    pub fn forget_session(&self, host: Option<&Tenant>, session: UserSessionId) {
        let host = number(host);
        self.forget(move |known| known.host == host && known.session == session);
    }

    fn forget(&self, which: impl Fn(&SignIn) -> bool + Send + Sync + 'static) {
        let forgotten = self.0.actors.invalidate_entries_if(move |known, _| which(known));
        if let Err(e) = forgotten {
            tracing::error!(error = %e, "what is remembered of somebody goes by itself in some seconds");
        }
    }

    /// Somebody in a session that is not over.
    pub(super) async fn actor(&self, host: Option<&Tenant>, principal: Principal, session: UserSessionId) -> Result<Arc<Actor>> {
        let database = self.0.database.clone();
        let known = SignIn {
            host: number(host),
            principal,
            session,
        };
        let actors = &self.0.actors;
        let found = match (principal, host.cloned()) {
            (Principal::Account(id), None) => actors.try_get_with(known, account(database, id, session)).await,
            (Principal::Staff(id), Some(tenant)) => actors.try_get_with(known, staff(database, tenant, id, session)).await,
            (Principal::Subscriber(id), Some(tenant)) => {
                actors.try_get_with(known, subscriber(database, tenant, id, session)).await
            }
            _ => return Err(Error::Unauthenticated),
        };
        found?.ok_or(Error::Unauthenticated)
    }
}

fn principal(claims: &Claims) -> Principal {
    match claims.kind {
        Kind::PlatformStaff | Kind::Director | Kind::Person => Principal::Account(AccountId(claims.sub)),
        Kind::TenantStaff => Principal::Staff(StaffId(claims.sub)),
        Kind::Subscriber => Principal::Subscriber(SubscriberId(claims.sub)),
    }
}

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::PlatformStaff => "PLATFORM_STAFF",
        Kind::Director => "DIRECTOR",
        Kind::Person => "PERSON",
        Kind::TenantStaff => "TENANT_STAFF",
        Kind::Subscriber => "SUBSCRIBER",
    }
}

impl Inner {
    /// Signs an access token for somebody whose credentials were right.
    pub async fn issue(&self, host: Option<&Tenant>, kind: Kind, carried: &Carried) -> Result<(String, Claims)> {
        let (kid, key) = self.keys.signing().await?;
        let issuer = &self.database.installation().id;
        let (sub, sid, now) = (carried.principal.id(), carried.token.session, self.database.clock().now());
        let claims = Claims::new(issuer, token::audience(host), kind, sub, sid, now).until(carried.expires_at);
        Ok((token::sign(&claims, &kid, &key)?, claims))
    }

    /// One transaction on the tables of whoever signs in on this host.
    pub async fn write<T>(
        &self,
        host: Option<&Tenant>,
        actor: Arc<Actor>,
        work: impl AsyncFn(Side<'_>) -> Result<T>,
    ) -> Result<T> {
        match host {
            Some(tenant) => {
                let db = TenantDb::new(self.database.clone(), tenant.clone(), actor);
                db.write(async move |tx| work(Side::Tenant(tx)).await).await
            }
            None => {
                let tx = self.database.begin_platform(actor).await?;
                let out = work(Side::Platform(&tx)).await?;
                tx.commit().await?;
                Ok(out)
            }
        }
    }
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
            ("PERSON", None) => Ok(Actor::Person { account: self.id, name }),
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

async fn account(database: Database, id: AccountId, session: UserSessionId) -> Result<Option<Arc<Actor>>> {
    let row: Option<AccountRow> = database
        .begin_platform(Arc::new(Actor::System))
        .await?
        .sql(
            "SELECT a.id, a.kind, a.director_id, a.name, a.email, a.password_hash
             FROM platform.session i JOIN platform.account a ON a.id = i.principal_id
             WHERE i.id = $2 AND a.id = $1 AND i.ended_at IS NULL AND a.disabled_at IS NULL",
        )
        .bind(id)
        .bind(session)
        .optional()
        .await?;
    row.map(|row| row.actor().map(Arc::new)).transpose()
}

/// Reads of identity itself, before there is an actor.
pub(super) fn inside(database: &Database, tenant: &Tenant) -> TenantDb {
    TenantDb::new(database.clone(), tenant.clone(), Arc::new(Actor::System))
}

async fn staff(database: Database, tenant: Tenant, id: StaffId, session: UserSessionId) -> Result<Option<Arc<Actor>>> {
    let row: Option<StaffRow> = inside(&database, &tenant)
        .read(async move |tx| {
            tx.sql(
                "SELECT s.id, s.name, s.email, s.password_hash, r.permissions
                 FROM session i JOIN staff s ON s.id = i.principal_id JOIN role r ON r.code = s.role_code
                 WHERE i.id = $2 AND i.principal_kind = 'STAFF' AND s.id = $1 AND i.ended_at IS NULL AND s.disabled_at IS NULL",
            )
            .bind(id)
            .bind(session)
            .optional()
            .await
        })
        .await?;
    Ok(row.map(|row| Arc::new(row.actor())))
}

async fn subscriber(database: Database, tenant: Tenant, id: SubscriberId, session: UserSessionId) -> Result<Option<Arc<Actor>>> {
    let name: Option<String> = inside(&database, &tenant)
        .read(async move |tx| {
            tx.sql(
                "SELECT s.name FROM session i JOIN subscriber s ON s.id = i.principal_id
                 WHERE i.id = $2 AND i.principal_kind = 'SUBSCRIBER' AND s.id = $1 AND i.ended_at IS NULL
                     AND s.portal_password_hash IS NOT NULL",
            )
            .bind(id)
            .bind(session)
            .scalar()
            .await
        })
        .await?;
    Ok(name.map(|name| Arc::new(Actor::Subscriber { id, name })))
}
