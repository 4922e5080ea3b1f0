//! What is done on both sides, the platform's and an ISP's. There is no transaction over both: each use case says what is
//! there when it is cut off in the middle.

use std::sync::Arc;

use super::accounts::{NewAccount, check_account, insert_person_account};
use super::authenticator::{Authenticator, inside};
use super::links;
use super::memberships::{self, Membership};
use super::one_time::OneTimeToken;
use super::sessions::Client;
use super::sign_in::Session;
use super::staff::Staff;
use crate::kernel::actor::{Actor, Permissions};
use crate::kernel::check::Checks;
use crate::kernel::db::{Tenant, TenantDb};
use crate::kernel::error::{Error, ErrorCode, Result};
use crate::kernel::ids::{MembershipId, StaffId};

#[derive(Clone)]
pub struct CreatePerson {
    /// Of an invitation, or made by a member of staff for itself.
    pub code: String,
    pub name: String,
    pub password: String,
}

impl Authenticator {
    /// Makes an account on the platform for whoever holds a code of an ISP, under the address that the ISP has for them, and
    /// joins them. Cut off in between: the account is there, and joins by signing in with the code.
    pub async fn person_create(&self, tenant: &Tenant, cmd: CreatePerson) -> Result<Membership> {
        tenant.ensure_open().map_err(|_| links::refused())?;
        let mut checks = Checks::new();
        let name = checks.line(&cmd.name, 120, "name");
        checks.password(&cmd.password, "password");
        checks.done()?;
        // Not committed: joining uses the code up.
        let tx = inside(&self.0.database, tenant).begin(false).await?;
        let email = links::address_of_code(&tx, &cmd.code).await?;
        drop(tx);
        let account = NewAccount {
            name,
            email,
            password: cmd.password,
        };
        let mut checks = Checks::new();
        let account = check_account(&mut checks, &account, "");
        checks.done()?;
        let tx = self.0.database.begin_platform(Arc::new(Actor::System)).await?;
        let id = insert_person_account(&tx, &account).await?;
        tx.audit("personCreate", id.0, serde_json::json!({ "email": account.email }))
            .await?;
        tx.commit().await?;
        let person = Arc::new(Actor::Person {
            account: id,
            name: account.name,
        });
        self.membership_join(tenant, &person, &cmd.code).await
    }

    /// Makes somebody who is signed in on the platform's host a member of an ISP, by a code of it. Cut off in between: doing
    /// it again completes it, though the code is used.
    pub async fn membership_join(&self, tenant: &Tenant, actor: &Arc<Actor>, code: &str) -> Result<Membership> {
        let database = &self.0.database;
        let tx = database.begin_platform(actor.clone()).await?;
        let id = memberships::prepare(&tx, tenant).await?;
        tx.commit().await?;
        let tx = database.begin_platform(actor.clone()).await?;
        let membership = memberships::lock(&tx, id).await?;
        let Some(membership) = membership.filter(|m| m.joined_at.is_none()) else {
            return Err(Error::state("host", "You belong to this provider already."));
        };
        if tenant.ensure_open().is_err() {
            memberships::discard(&tx, id).await?;
            tx.commit().await?;
            return Err(links::refused());
        }
        let (code, name, link) = (code.to_owned(), name_of(actor), membership.link);
        let theirs = inside(database, tenant)
            .write(async move |tx| links::join(tx, &code, link, &name).await)
            .await;
        match theirs {
            Ok(()) => memberships::joined(&tx, id).await?,
            Err(refused @ Error::User(_)) => {
                memberships::discard(&tx, id).await?;
                tx.commit().await?;
                return Err(refused);
            }
            // It may have been written all the same: the link is kept for another try.
            Err(other) => return Err(other),
        }
        let membership = memberships::membership(&tx, id, "host").await?;
        tx.commit().await?;
        Ok(membership)
    }

    /// Ends one's own membership, and with it the sessions in that ISP. Cut off in between: there is no way in any more, and
    /// the ISP still shows the link.
    pub async fn membership_leave(&self, tenant: &Tenant, actor: &Arc<Actor>, id: MembershipId) -> Result<MembershipId> {
        let database = &self.0.database;
        let tx = database.begin_platform(actor.clone()).await?;
        let link = memberships::membership(&tx, id, "id").await?.link;
        memberships::end(&tx, link, "membershipLeave").await?;
        tx.commit().await?;
        let staff = inside(database, tenant)
            .write(async move |tx| links::leave(tx, link).await)
            .await?;
        if let Some(staff) = staff {
            self.forget_staff(tenant, staff).await;
        }
        Ok(id)
    }

    /// As [`links::staff_unlink`], on the platform's side as well. Cut off in between: the person still sees the ISP in its
    /// list until it tries to go there.
    pub async fn staff_unlink(&self, tenant: &Tenant, actor: &Arc<Actor>, id: StaffId) -> Result<Staff> {
        let database = &self.0.database;
        let db = TenantDb::new(database.clone(), tenant.clone(), actor.clone());
        let (staff, link) = db.write(async move |tx| links::staff_unlink(tx, id).await).await?;
        if let Some(link) = link {
            let tx = database.begin_platform(Arc::new(Actor::System)).await?;
            memberships::end(&tx, link, "membershipEnd").await?;
            tx.commit().await?;
        }
        self.forget_staff(tenant, id).await;
        Ok(staff)
    }

    /// A code by which a member comes in on the ISP's host: good once, there, for a minute.
    pub async fn tenant_session_open(&self, tenant: &Tenant, actor: &Arc<Actor>, id: MembershipId) -> Result<OneTimeToken> {
        let database = &self.0.database;
        let field = "membershipId";
        if tenant.ensure_open().is_err() {
            return Err(Error::state(field, "This provider is suspended."));
        }
        let tx = database.begin_platform(actor.clone()).await?;
        let membership = memberships::membership(&tx, id, field).await?;
        let link = membership.link;
        let theirs = inside(database, tenant)
            .read(async move |tx| {
                let Some(linked) = links::by_link(tx, link).await? else {
                    return Ok(None);
                };
                Ok(Some((links::has_second_factor(tx, linked.id).await?, linked)))
            })
            .await?;
        let Some((second_factor, linked)) = theirs else {
            // The ISP has ended it, and we were cut off before we wrote it down.
            memberships::end(&tx, link, "membershipEnd").await?;
            tx.commit().await?;
            return Err(Error::not_found(field));
        };
        if linked.disabled {
            return Err(Error::state(field, "This provider does not let you in at present."));
        }
        if second_factor && !memberships::has_second_factor(&tx, membership.account_id).await? {
            return Err(weaker(field));
        }
        let token = memberships::issue_entry(&tx, &membership).await?;
        tx.commit().await?;
        Ok(token)
    }

    /// Signs a member in on an ISP's host by a code of [`Self::tenant_session_open`], which is used up. Whatever is wrong with
    /// it, the answer is the same.
    pub async fn session_exchange(&self, tenant: &Tenant, code: &str, client: &Client) -> Result<Session> {
        tenant.ensure_open()?;
        let database = &self.0.database;
        let tx = database.begin_platform(Arc::new(Actor::System)).await?;
        let membership = memberships::redeem_entry(&tx, tenant, code).await?;
        let strong = match &membership {
            Some(m) => memberships::has_second_factor(&tx, m.account_id).await?,
            None => false,
        };
        tx.commit().await?;
        let link = membership.ok_or_else(not_exchanged)?.link;
        let theirs = inside(database, tenant)
            .read(async move |tx| match links::by_link(tx, link).await? {
                Some(linked) if !linked.disabled => {
                    let enough = strong || !links::has_second_factor(tx, linked.id).await?;
                    Ok(enough.then_some(linked))
                }
                _ => Ok(None),
            })
            .await?;
        let linked = theirs.ok_or_else(not_exchanged)?;
        let id = linked.id;
        let session = self.session_open(tenant, id, client).await?;
        let member = Arc::new(Actor::Staff {
            id,
            name: linked.name,
            permissions: Arc::new(Permissions::default()),
        });
        TenantDb::new(database.clone(), tenant.clone(), member)
            .write(async move |tx| links::entered(tx, id).await)
            .await?;
        Ok(session)
    }
}

fn name_of(actor: &Actor) -> String {
    match actor {
        Actor::PlatformStaff { name, .. }
        | Actor::Director { name, .. }
        | Actor::Person { name, .. }
        | Actor::Staff { name, .. }
        | Actor::Subscriber { name, .. } => name.clone(),
        Actor::System | Actor::Anonymous => String::new(),
    }
}

/// Who has a second factor in an ISP is not let in there by less.
fn weaker(field: &str) -> Error {
    Error::user(
        ErrorCode::TotpRequired,
        field,
        "You sign in to this provider with a second factor: switch it on for your sign-in here as well.",
    )
}

fn not_exchanged() -> Error {
    Error::user(
        ErrorCode::InvalidCredentials,
        "code",
        "This code is not, or no longer, good here; start again on the platform's host.",
    )
}
