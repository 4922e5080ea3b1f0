use std::sync::Arc;

use chrono::{DateTime, Utc};
use sea_orm::FromQueryResult;

use super::authenticator::{AccountRow, Authenticator, StaffRow};
use super::known::by_principal;
use super::principal::Principal;
use super::refresh_token::RefreshToken;
use super::sessions::{self, Carried, Client, EndReason};
use super::side::Side;
use super::throttle::{self, Wrong};
use super::token::Kind;
use super::totp::{self, Factor};
use super::viewer::Viewer;
use crate::kernel::actor::Actor;
use crate::kernel::crypto::verify_password;
use crate::kernel::db::Tenant;
use crate::kernel::error::{Error, ErrorCode, Result};
use crate::kernel::ids::{StaffId, SubscriberId, UserSessionId};

#[derive(Clone)]
pub struct Credentials {
    /// E-mail address of an account or of staff; a subscriber's account number.
    pub login: String,
    pub password: String,
    /// Six digits or a recovery code, for whoever has two-factor sign-in on.
    pub totp_code: Option<String>,
}

impl Credentials {
    pub fn new(login: impl Into<String>, password: impl Into<String>) -> Self {
        Self {
            login: login.into(),
            password: password.into(),
            totp_code: None,
        }
    }
}

/// Somebody who has just signed in, or goes on being so.
#[derive(Clone, Debug)]
pub struct Session {
    pub id: UserSessionId,
    pub access_token: String,
    /// Of the access token.
    pub expires_at: DateTime<Utc>,
    pub refresh_token: String,
    /// Of the refresh token.
    pub refresh_expires_at: DateTime<Utc>,
    pub viewer: Viewer,
}

/// Somebody whose name was known.
struct Found {
    principal: Principal,
    password_hash: Option<String>,
    actor: Actor,
    email: Option<String>,
}

/// Which names are looked for on an ISP's host.
#[derive(Clone, Copy)]
enum Door {
    Back,
    Portal,
}

impl Authenticator {
    /// Signs in platform staff or a director (no host: the platform's), or an ISP's staff. Whatever is wrong, the answer and
    /// its time are the same; TOTP_REQUIRED when only the code is missing.
    pub async fn session_create(&self, host: Option<&Tenant>, credentials: Credentials, client: &Client) -> Result<Session> {
        self.sign_in(host, Door::Back, credentials, client).await
    }

    /// Signs a subscriber in to an ISP's portal by account number. E-mail addresses and phones will do as well once they can
    /// be verified: until then whoever has one entered could stand in front of its owner, so they do not.
    pub async fn subscriber_session_create(&self, tenant: &Tenant, credentials: Credentials, client: &Client) -> Result<Session> {
        self.sign_in(Some(tenant), Door::Portal, credentials, client).await
    }

    async fn sign_in(&self, host: Option<&Tenant>, door: Door, credentials: Credentials, client: &Client) -> Result<Session> {
        if let Some(tenant) = host {
            tenant.ensure_open()?;
        }
        self.address_may_try(client).await?;
        let login = credentials.login.trim().to_owned();
        let found = self.prove_password(host, door, &login, &credentials.password).await?;
        let Some(found) = found else {
            throttle::failed(Wrong::Password);
            self.count_address(client).await?;
            return Err(refused());
        };
        let secret = self.0.database.secret().clone();
        let (principal, code, from) = (found.principal, credentials.totp_code, client.clone());
        let signed_in = self
            .0
            .write(host, Arc::new(Actor::System), async move |side| {
                match totp::check(side, &secret, principal.id(), code.as_deref()).await? {
                    Factor::NotAsked | Factor::Right => {
                        throttle::clear(side, principal.id()).await?;
                        Ok(Ok(sessions::open(side, principal, &from).await?))
                    }
                    Factor::Missing => {
                        throttle::forgive(side, principal.id()).await?;
                        Ok(Err(Factor::Missing))
                    }
                    other => Ok(Err(other)),
                }
            })
            .await?;
        match signed_in {
            Ok(carried) => self.session(host, carried, Arc::new(found.actor), found.email).await,
            Err(Factor::Missing) => Err(Error::user(
                ErrorCode::TotpRequired,
                "totpCode",
                "Enter the code of your authenticator app, or a recovery code.",
            )),
            Err(_) => {
                throttle::failed(Wrong::Code);
                self.count_address(client).await?;
                Err(totp::wrong_code("totpCode"))
            }
        }
    }

    /// Looks somebody up, counts the attempt and compares the password. None when any of it fails, after the same work.
    async fn prove_password(&self, host: Option<&Tenant>, door: Door, login: &str, password: &str) -> Result<Option<Found>> {
        let queue = throttle::nobody(self.0.database.secret(), login).as_u128() as usize % self.0.queues.len();
        let _place = self.0.queues[queue].lock().await;
        let _turn = self.0.hashing.acquire().await.map_err(Error::internal)?;
        let name = login.to_owned();
        let stand_in = throttle::nobody(self.0.database.secret(), login);
        let (found, may_try) = self
            .0
            .write(host, Arc::new(Actor::System), async move |side| {
                let found = find(side, door, &name).await?;
                let counted = found.as_ref().map_or(stand_in, |f| f.principal.id());
                let may_try = throttle::reserve(side, counted).await?;
                Ok((found, may_try))
            })
            .await?;
        let hash = found.as_ref().and_then(|f| f.password_hash.as_deref());
        let right = verify_password(password, hash).await?;
        Ok(found.filter(|_| right && may_try))
    }

    /// Checks the password of somebody who is signed in once more, counting the attempt like one to sign in: a stolen session
    /// must not be good for guessing. Whoever calls it clears or forgives the attempt when all else is right too.
    pub(super) async fn prove_again(
        &self,
        host: Option<&Tenant>,
        principal: Principal,
        password: &str,
        field: &str,
    ) -> Result<()> {
        let _turn = self.0.hashing.acquire().await.map_err(Error::internal)?;
        let (hash, may_try) = self
            .0
            .write(host, Arc::new(Actor::System), async move |side| {
                Ok((
                    password_hash(side, principal).await?,
                    throttle::reserve(side, principal.id()).await?,
                ))
            })
            .await?;
        let right = verify_password(password, hash.as_deref()).await?;
        if right && may_try {
            return Ok(());
        }
        throttle::failed(Wrong::Password);
        Err(Error::user(
            ErrorCode::InvalidCredentials,
            field,
            "This password is not right, or there were too many wrong attempts: then wait a while.",
        ))
    }

    /// Trades a refresh token for new tokens. It is good once: when it is shown again the whole session ends.
    pub async fn session_refresh(&self, host: Option<&Tenant>, token: &str, client: &Client) -> Result<Session> {
        if let Some(tenant) = host {
            tenant.ensure_open()?;
        }
        let token = RefreshToken::parse(token).ok_or_else(not_refreshed)?;
        let from = client.clone();
        let refreshed = self
            .0
            .write(host, Arc::new(Actor::System), async move |side| {
                let Some(carried) = sessions::refresh(side, token, &from).await? else {
                    return Ok(None);
                };
                // In this transaction: a second caller with the same token must not come in between.
                match by_principal(side, carried.principal).await? {
                    Some((actor, email)) => Ok(Some((carried, actor, email))),
                    None => {
                        sessions::end(side, token.session, EndReason::Disabled).await?;
                        Ok(None)
                    }
                }
            })
            .await?;
        let Some((carried, actor, email)) = refreshed else {
            self.forget_session(host, token.session);
            throttle::failed(Wrong::RefreshToken);
            return Err(not_refreshed());
        };
        self.session(host, carried, Arc::new(actor), email).await
    }

    /// Signs out: the session that asks, or the one that a refresh token belongs to. None when there is nothing to end.
    pub async fn session_end(
        &self,
        host: Option<&Tenant>,
        current: Option<UserSessionId>,
        token: Option<&str>,
    ) -> Result<Option<UserSessionId>> {
        let token = token.and_then(RefreshToken::parse);
        let ended = self
            .0
            .write(host, Arc::new(Actor::System), async move |side| {
                let of_token = match &token {
                    Some(token) => sessions::of_token(side, token).await?,
                    None => None,
                };
                let mut ended = None;
                for session in of_token.into_iter().chain(current) {
                    if sessions::end(side, session, EndReason::SignedOut).await? {
                        ended = Some(session);
                    }
                }
                Ok(ended)
            })
            .await?;
        for session in ended.into_iter().chain(current) {
            self.forget_session(host, session);
        }
        Ok(ended)
    }

    /// Opens a session for staff of an ISP whose identity was proved elsewhere, such as on the platform's host.
    pub async fn session_open(&self, tenant: &Tenant, staff: StaffId, client: &Client) -> Result<Session> {
        tenant.ensure_open()?;
        let (principal, from) = (Principal::Staff(staff), client.clone());
        let opened = self
            .0
            .write(Some(tenant), Arc::new(Actor::System), async move |side| {
                let Some((actor, email)) = by_principal(side, principal).await? else {
                    return Ok(None);
                };
                Ok(Some((sessions::open(side, principal, &from).await?, actor, email)))
            })
            .await?;
        let (carried, actor, email) = opened.ok_or(Error::Unauthenticated)?;
        self.session(Some(tenant), carried, Arc::new(actor), email).await
    }

    async fn session(
        &self,
        host: Option<&Tenant>,
        carried: Carried,
        actor: Arc<Actor>,
        email: Option<String>,
    ) -> Result<Session> {
        let kind = match &*actor {
            Actor::PlatformStaff { .. } => Kind::PlatformStaff,
            Actor::Director { .. } => Kind::Director,
            Actor::Person { .. } => Kind::Person,
            Actor::Staff { .. } => Kind::TenantStaff,
            Actor::Subscriber { .. } => Kind::Subscriber,
            Actor::System | Actor::Anonymous => return Err(Error::internal("nobody can sign in as that")),
        };
        let (access_token, claims) = self.0.issue(host, kind, &carried).await?;
        let expires_at = DateTime::from_timestamp(claims.exp, 0).ok_or_else(|| Error::internal("expiry out of range"))?;
        Ok(Session {
            id: carried.token.session,
            access_token,
            expires_at,
            refresh_token: carried.token.text(),
            refresh_expires_at: carried.idle_until,
            viewer: Viewer { actor, email },
        })
    }

    /// Refuses an address from which too many wrong attempts came, before any work is done for it.
    pub(super) async fn address_may_try(&self, client: &Client) -> Result<()> {
        let Some(address) = client.address else { return Ok(()) };
        let database = &self.0.database;
        let tx = database.begin_platform(Arc::new(Actor::System)).await?;
        if throttle::address_may_try(&tx, database.secret(), address).await? {
            return Ok(());
        }
        Err(Error::user(
            ErrorCode::LimitExceeded,
            "",
            "Too many wrong attempts came from your network address; try again in a quarter of an hour.",
        ))
    }

    pub(super) async fn count_address(&self, client: &Client) -> Result<()> {
        let Some(address) = client.address else { return Ok(()) };
        let database = &self.0.database;
        let tx = database.begin_platform(Arc::new(Actor::System)).await?;
        throttle::count_address(&tx, database.secret(), address).await?;
        tx.commit().await
    }
}

async fn find(side: Side<'_>, door: Door, login: &str) -> Result<Option<Found>> {
    match (side, door) {
        (Side::Platform(tx), _) => {
            let row: Option<AccountRow> = tx
                .sql(
                    "SELECT id, kind, director_id, name, email, password_hash FROM platform.account
                     WHERE lower(email) = lower($1) AND disabled_at IS NULL",
                )
                .bind(login)
                .optional()
                .await?;
            row.map(|row| {
                Ok(Found {
                    principal: Principal::Account(row.id),
                    actor: row.actor()?,
                    password_hash: Some(row.password_hash),
                    email: Some(row.email),
                })
            })
            .transpose()
        }
        (Side::Tenant(tx), Door::Back) => {
            let row: Option<StaffRow> = tx
                .sql(
                    "SELECT s.id, s.name, s.email, s.password_hash, r.permissions
                     FROM staff s JOIN role r ON r.code = s.role_code
                     WHERE lower(s.email) = lower($1) AND s.disabled_at IS NULL",
                )
                .bind(login)
                .optional()
                .await?;
            Ok(row.map(|row| Found {
                principal: Principal::Staff(row.id),
                actor: row.actor(),
                password_hash: Some(row.password_hash),
                email: Some(row.email),
            }))
        }
        (Side::Tenant(tx), Door::Portal) => {
            let row: Option<SubscriberRow> = tx
                .sql("SELECT id, name, email, portal_password_hash FROM subscriber WHERE account_number = upper($1)")
                .bind(login)
                .optional()
                .await?;
            Ok(row.map(|row| Found {
                principal: Principal::Subscriber(row.id),
                actor: Actor::Subscriber {
                    id: row.id,
                    name: row.name,
                },
                password_hash: row.portal_password_hash,
                email: row.email,
            }))
        }
    }
}

/// The hash of the password that somebody signs in with; none when they may not.
async fn password_hash(side: Side<'_>, principal: Principal) -> Result<Option<String>> {
    let query = match side {
        Side::Platform(tx) => tx.sql("SELECT password_hash FROM platform.account WHERE id = $1 AND disabled_at IS NULL"),
        Side::Tenant(tx) => match principal {
            Principal::Subscriber(_) => tx.sql("SELECT portal_password_hash FROM subscriber WHERE id = $1"),
            _ => tx.sql("SELECT password_hash FROM staff WHERE id = $1 AND disabled_at IS NULL"),
        },
    };
    let hash: Option<Option<String>> = query.bind(principal.id()).scalar().await?;
    Ok(hash.flatten())
}

fn refused() -> Error {
    Error::user(
        ErrorCode::InvalidCredentials,
        "",
        "These credentials are not right, the account is disabled, or there were too many wrong attempts: then wait a while.",
    )
}

fn not_refreshed() -> Error {
    Error::user(
        ErrorCode::InvalidCredentials,
        "refreshToken",
        "This refresh token is not, or no longer, good here; sign in again.",
    )
}

#[derive(FromQueryResult)]
struct SubscriberRow {
    id: SubscriberId,
    name: String,
    email: Option<String>,
    portal_password_hash: Option<String>,
}
