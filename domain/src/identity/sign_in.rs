use std::sync::Arc;

use chrono::{DateTime, Utc};
use sea_orm::FromQueryResult;

use super::authenticator::{AccountRow, Authenticator, StaffRow, inside};
use super::token::Kind;
use super::viewer::Viewer;
use crate::kernel::actor::Actor;
use crate::kernel::crypto::verify_password;
use crate::kernel::db::Tenant;
use crate::kernel::error::{Error, ErrorCode, Result};
use crate::kernel::ids::SubscriberId;

#[derive(Clone)]
pub struct Credentials {
    /// E-mail address of an account or of staff; a subscriber's account number.
    pub login: String,
    pub password: String,
}

/// Somebody who has just signed in.
#[derive(Clone, Debug)]
pub struct Session {
    pub access_token: String,
    pub expires_at: DateTime<Utc>,
    pub viewer: Viewer,
}

impl Authenticator {
    /// Signs in platform staff or a director (no host: the platform's), or an ISP's staff. Whatever is wrong, the answer and
    /// its time are the same.
    pub async fn session_create(&self, host: Option<&Tenant>, credentials: Credentials) -> Result<Session> {
        match host {
            None => self.account_session(credentials).await,
            Some(tenant) => self.staff_session(tenant, credentials).await,
        }
    }

    /// Signs a subscriber in to an ISP's portal by account number. E-mail addresses and phones will do as well once they can
    /// be verified: until then whoever has one entered could stand in front of its owner, so they do not.
    pub async fn subscriber_session_create(&self, tenant: &Tenant, credentials: Credentials) -> Result<Session> {
        tenant.ensure_open()?;
        let number = credentials.login.trim().to_uppercase();
        let row: Option<SubscriberRow> = inside(&self.0.database, tenant)
            .read(async move |tx| {
                tx.sql("SELECT id, name, email, portal_password_hash FROM subscriber WHERE account_number = $1")
                    .bind(number.as_str())
                    .optional()
                    .await
            })
            .await?;
        let hash = row.as_ref().and_then(|row| row.portal_password_hash.as_deref());
        self.check(&credentials.password, hash).await?;
        let row = row.ok_or_else(refused)?;
        let actor = Actor::Subscriber {
            id: row.id,
            name: row.name,
        };
        self.session(Some(tenant), actor, row.email).await
    }

    async fn account_session(&self, credentials: Credentials) -> Result<Session> {
        let row: Option<AccountRow> = self
            .0
            .database
            .begin_platform(Arc::new(Actor::System))
            .await?
            .sql(
                "SELECT id, kind, director_id, name, email, password_hash FROM platform.account
                 WHERE lower(email) = lower($1) AND disabled_at IS NULL",
            )
            .bind(credentials.login.trim())
            .optional()
            .await?;
        let hash = row.as_ref().map(|row| row.password_hash.as_str());
        self.check(&credentials.password, hash).await?;
        let row = row.ok_or_else(refused)?;
        self.session(None, row.actor()?, Some(row.email)).await
    }

    async fn staff_session(&self, tenant: &Tenant, credentials: Credentials) -> Result<Session> {
        tenant.ensure_open()?;
        let email = credentials.login.trim().to_owned();
        let row: Option<StaffRow> = inside(&self.0.database, tenant)
            .read(async move |tx| {
                tx.sql(
                    "SELECT s.id, s.name, s.email, s.password_hash, r.permissions
                     FROM staff s JOIN role r ON r.code = s.role_code
                     WHERE lower(s.email) = lower($1) AND s.disabled_at IS NULL",
                )
                .bind(email.as_str())
                .optional()
                .await
            })
            .await?;
        let hash = row.as_ref().map(|row| row.password_hash.as_str());
        self.check(&credentials.password, hash).await?;
        let row = row.ok_or_else(refused)?;
        self.session(Some(tenant), row.actor(), Some(row.email)).await
    }

    async fn check(&self, password: &str, hash: Option<&str>) -> Result<()> {
        let _turn = self.0.hashing.acquire().await.map_err(Error::internal)?;
        if verify_password(password, hash).await? {
            Ok(())
        } else {
            Err(refused())
        }
    }

    async fn session(&self, host: Option<&Tenant>, actor: Actor, email: Option<String>) -> Result<Session> {
        let (kind, sub) = match &actor {
            Actor::PlatformStaff { account, .. } => (Kind::PlatformStaff, account.0),
            Actor::Director { account, .. } => (Kind::Director, account.0),
            Actor::Staff { id, .. } => (Kind::TenantStaff, id.0),
            Actor::Subscriber { id, .. } => (Kind::Subscriber, id.0),
            Actor::System | Actor::Anonymous => return Err(Error::internal("nobody can sign in as that")),
        };
        let (access_token, claims) = self.0.issue(host, kind, sub).await?;
        let expires_at = DateTime::from_timestamp(claims.exp, 0).ok_or_else(|| Error::internal("expiry out of range"))?;
        Ok(Session {
            access_token,
            expires_at,
            viewer: Viewer {
                actor: Arc::new(actor),
                email,
            },
        })
    }
}

fn refused() -> Error {
    Error::user(
        ErrorCode::InvalidCredentials,
        "",
        "These credentials are not right, or the account is disabled.",
    )
}

#[derive(FromQueryResult)]
struct SubscriberRow {
    id: SubscriberId,
    name: String,
    email: Option<String>,
    portal_password_hash: Option<String>,
}
