use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::authenticator::{Authenticator, SignedIn};
use super::one_time::{self, Purpose, SealedToken};
use super::principal::Principal;
use super::sessions::{self, Client, EndReason};
use super::side::{Side, both};
use super::throttle::{self, Wrong};
use super::totp::{self, Enrolment, Factor, SecondFactor};
use crate::kernel::actor::Actor;
use crate::kernel::check::Checks;
use crate::kernel::crypto::hash_password;
use crate::kernel::db::Tenant;
use crate::kernel::error::{Error, ErrorCode, Result};
use crate::kernel::event::Event;
use crate::kernel::ids::{AccountId, StaffId};

/// How long a link to reset a password is good.
const RESET_LIFETIME: TimeDelta = TimeDelta::minutes(30);
/// Asked again within this time, nothing new is sent: nobody's mailbox is flooded, and a link has time to be used before
/// another takes its place.
const RESET_PAUSE: TimeDelta = TimeDelta::minutes(5);

/// Somebody said that they forgot their password. Whoever sends messages opens the token and sends it to the address of the
/// account or of the staff member with this id; when there is none (an unknown address was entered), nobody gets anything.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PasswordResetRequested {
    /// Of an account, or of staff in an ISP's outbox.
    pub principal_id: Uuid,
    pub token: SealedToken,
    pub expires_at: DateTime<Utc>,
}

impl Event for PasswordResetRequested {
    const KIND: &'static str = "PasswordResetRequested";
}

impl Authenticator {
    /// Changes one's own password, which is asked for once more. All other sessions end.
    pub async fn password_change(&self, host: Option<&Tenant>, who: &SignedIn, current: &str, new: &str) -> Result<()> {
        let principal = Principal::of(&who.actor).ok_or(Error::Unauthenticated)?;
        let mut checks = Checks::new();
        checks.password(new, "newPassword");
        checks.done()?;
        self.prove_again(host, principal, current, "currentPassword").await?;
        let hash = self.hash(new).await?;
        let session = who.session;
        self.0
            .write(host, who.actor.clone(), async move |side| {
                set_password(side, principal, &hash).await?;
                sessions::end_all(side, principal, Some(session), EndReason::Password).await?;
                one_time::withdraw(side, Purpose::PasswordReset, principal.id()).await?;
                throttle::clear(side, principal.id()).await?;
                side.audit("passwordChange", principal.id(), serde_json::json!({})).await
            })
            .await?;
        self.forget_principal(host, principal);
        Ok(())
    }

    /// Asks for a link to set a new password, for staff or (no host) an account. Known and unknown addresses are treated
    /// alike: the same rows are written for both.
    pub async fn password_reset_request(&self, host: Option<&Tenant>, email: &str, client: &Client) -> Result<()> {
        if let Some(tenant) = host {
            tenant.ensure_open()?;
        }
        self.address_may_try(client).await?;
        self.count_address(client).await?;
        let email = email.trim().to_owned();
        let secret = self.0.database.secret().clone();
        self.0
            .write(host, Arc::new(Actor::System), async move |side| {
                let known = by_email(side, &email).await?;
                let whose = known.unwrap_or_else(|| throttle::nobody(&secret, &email));
                if asked_just_now(side, whose).await? {
                    return Ok(());
                }
                let token = one_time::issue(side, Purpose::PasswordReset, whose, RESET_LIFETIME).await?;
                side.notify(&PasswordResetRequested {
                    principal_id: whose,
                    token: token.seal(&secret)?,
                    expires_at: token.expires_at,
                })
                .await
            })
            .await
    }

    /// Sets a new password with the token that was sent. All sessions end, and a block for wrong attempts with them; a second
    /// factor stays.
    pub async fn password_reset_complete(&self, host: Option<&Tenant>, token: &str, new: &str, client: &Client) -> Result<()> {
        if let Some(tenant) = host {
            tenant.ensure_open()?;
        }
        self.address_may_try(client).await?;
        let mut checks = Checks::new();
        checks.password(new, "newPassword");
        checks.done()?;
        let hash = self.hash(new).await?;
        let token = token.to_owned();
        let reset = self
            .0
            .write(host, Arc::new(Actor::System), async move |side| {
                let Some(id) = one_time::redeem(side, Purpose::PasswordReset, &token).await? else {
                    return Ok(None);
                };
                let principal = match side {
                    Side::Tenant(_) => Principal::Staff(StaffId(id)),
                    Side::Platform(_) => Principal::Account(AccountId(id)),
                };
                if !set_password(side, principal, &hash).await? {
                    return Ok(None);
                }
                sessions::end_all(side, principal, None, EndReason::Password).await?;
                throttle::clear(side, id).await?;
                side.audit("passwordReset", id, serde_json::json!({})).await?;
                Ok(Some(principal))
            })
            .await?;
        let Some(principal) = reset else {
            throttle::failed(Wrong::Link);
            self.count_address(client).await?;
            return Err(Error::user(
                ErrorCode::InvalidCredentials,
                "token",
                "This link is not, or no longer, good; ask for a new one.",
            ));
        };
        self.forget_principal(host, principal);
        Ok(())
    }

    async fn hash(&self, password: &str) -> Result<String> {
        let _turn = self.0.hashing.acquire().await.map_err(Error::internal)?;
        hash_password(password).await
    }
}

/// Two-factor sign-in of whoever is signed in: staff and accounts of the platform.
impl Authenticator {
    pub async fn second_factor(&self, host: Option<&Tenant>, who: &SignedIn) -> Result<SecondFactor> {
        let principal = with_factor(who)?;
        self.0
            .write(host, who.actor.clone(), async move |side| {
                totp::status(side, principal.id()).await
            })
            .await
    }

    /// A secret for an authenticator app. It counts once [`Self::totp_confirm`] has seen a code of it.
    pub async fn totp_enrol(&self, host: Option<&Tenant>, who: &SignedIn, password: &str) -> Result<Enrolment> {
        let principal = with_factor(who)?;
        self.prove_again(host, principal, password, "password").await?;
        let secret = self.0.database.secret().clone();
        let issuer = host.map_or("Trunkline", Tenant::name).to_owned();
        self.0
            .write(host, who.actor.clone(), async move |side| {
                throttle::forgive(side, principal.id()).await?;
                let account = email_of(side, principal).await?;
                totp::enrol(side, &secret, principal.id(), &issuer, &account).await
            })
            .await?
            .ok_or_else(|| Error::state("", "Two-factor sign-in is on already; switch it off first."))
    }

    /// Switches two-factor sign-in on; the recovery codes, shown this once. All other sessions end: they were begun without.
    pub async fn totp_confirm(&self, host: Option<&Tenant>, who: &SignedIn, code: &str) -> Result<Vec<String>> {
        let principal = with_factor(who)?;
        let (secret, code, session) = (self.0.database.secret().clone(), code.to_owned(), who.session);
        let codes = self
            .0
            .write(host, who.actor.clone(), async move |side| {
                let codes = totp::confirm(side, &secret, principal.id(), &code).await?;
                sessions::end_all(side, principal, Some(session), EndReason::Revoked).await?;
                Ok(codes)
            })
            .await?;
        self.forget_principal(host, principal);
        Ok(codes)
    }

    /// Switches two-factor sign-in off; needs the password and a code, or a recovery code.
    pub async fn totp_disable(&self, host: Option<&Tenant>, who: &SignedIn, password: &str, code: &str) -> Result<()> {
        self.with_both_factors(host, who, password, code, async |side, principal| {
            totp::remove(side, principal.id()).await
        })
        .await
    }

    /// Replaces the recovery codes; needs the password and a code.
    pub async fn recovery_codes_renew(
        &self,
        host: Option<&Tenant>,
        who: &SignedIn,
        password: &str,
        code: &str,
    ) -> Result<Vec<String>> {
        self.with_both_factors(host, who, password, code, async |side, principal| {
            side.audit("recoveryCodesRenew", principal.id(), serde_json::json!({}))
                .await?;
            totp::renew_recovery_codes(side, principal.id()).await
        })
        .await
    }

    async fn with_both_factors<T>(
        &self,
        host: Option<&Tenant>,
        who: &SignedIn,
        password: &str,
        code: &str,
        work: impl AsyncFn(Side<'_>, Principal) -> Result<T>,
    ) -> Result<T> {
        let principal = with_factor(who)?;
        self.prove_again(host, principal, password, "password").await?;
        let (secret, code) = (self.0.database.secret().clone(), code.to_owned());
        self.0
            .write(host, who.actor.clone(), async move |side| {
                match totp::check(side, &secret, principal.id(), Some(&code)).await? {
                    Factor::Right => {}
                    Factor::NotAsked => {
                        throttle::forgive(side, principal.id()).await?;
                        return Ok(Err(Error::state("", "Two-factor sign-in is off.")));
                    }
                    Factor::Missing | Factor::Wrong => {
                        throttle::failed(Wrong::Code);
                        return Err(totp::wrong_code("code"));
                    }
                }
                throttle::clear(side, principal.id()).await?;
                work(side, principal).await.map(Ok)
            })
            .await?
    }
}

/// Subscribers have no second factor.
fn with_factor(who: &SignedIn) -> Result<Principal> {
    match Principal::of(&who.actor) {
        Some(principal @ (Principal::Account(_) | Principal::Staff(_))) => Ok(principal),
        Some(Principal::Subscriber(_)) => Err(Error::Forbidden),
        None => Err(Error::Unauthenticated),
    }
}

async fn asked_just_now(side: Side<'_>, principal: Uuid) -> Result<bool> {
    let asked: Option<i32> = both!(side, "SELECT 1 FROM " one_time_token "
         WHERE purpose = $1 AND principal_id = $2 AND used_at IS NULL AND created_at > $3")
    .bind(Purpose::PasswordReset.to_string())
    .bind(principal)
    .bind(side.now() - RESET_PAUSE)
    .scalar()
    .await?;
    Ok(asked.is_some())
}

async fn by_email(side: Side<'_>, email: &str) -> Result<Option<Uuid>> {
    let query = match side {
        Side::Tenant(tx) => tx.sql("SELECT id FROM staff WHERE lower(email) = lower($1) AND disabled_at IS NULL"),
        Side::Platform(tx) => tx.sql("SELECT id FROM platform.account WHERE lower(email) = lower($1) AND disabled_at IS NULL"),
    };
    query.bind(email).scalar().await
}

async fn email_of(side: Side<'_>, principal: Principal) -> Result<String> {
    let query = match side {
        Side::Tenant(tx) => tx.sql("SELECT email FROM staff WHERE id = $1"),
        Side::Platform(tx) => tx.sql("SELECT email FROM platform.account WHERE id = $1"),
    };
    query.bind(principal.id()).scalar().await?.ok_or(Error::Unauthenticated)
}

/// False when whoever it is may no longer sign in.
async fn set_password(side: Side<'_>, principal: Principal, hash: &str) -> Result<bool> {
    let query = match side {
        Side::Platform(tx) => tx.sql("UPDATE platform.account SET password_hash = $2 WHERE id = $1 AND disabled_at IS NULL"),
        Side::Tenant(tx) => match principal {
            Principal::Subscriber(_) => tx.sql("UPDATE subscriber SET portal_password_hash = $2 WHERE id = $1"),
            _ => tx.sql("UPDATE staff SET password_hash = $2 WHERE id = $1 AND disabled_at IS NULL"),
        },
    };
    Ok(query.bind(principal.id()).bind(hash).run().await? == 1)
}
