use async_graphql::{Enum, ID, InputObject, Object};
use trunkline_domain::kernel::ids::uuid_of;
use trunkline_domain::{Error, Result, audit};

use crate::graphql::page::connection;
use crate::graphql::scalars::{DateTime, Json, Uuid};

/// What sort of caller did something.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "audit::ActorKind")]
pub enum AuditActorKind {
    /// The product itself: a job, or the opening of the ISP.
    System,
    /// Nobody had signed in.
    Anonymous,
    /// Runs the platform.
    PlatformStaff,
    /// Owns ISPs.
    Director,
    /// Has an account on the platform.
    Person,
    /// Works for this ISP.
    TenantStaff,
    /// A customer of this ISP.
    Subscriber,
}

pub struct AuditEntry(audit::AuditEntry);

impl From<audit::AuditEntry> for AuditEntry {
    fn from(entry: audit::AuditEntry) -> Self {
        Self(entry)
    }
}

/// Something that was done. Nobody can change it afterwards.
#[Object]
impl AuditEntry {
    /// When it was done.
    async fn at(&self) -> DateTime {
        DateTime(self.0.at)
    }

    /// What sort of caller did it; null for a sort that this version does not know.
    async fn actor_kind(&self) -> Option<AuditActorKind> {
        self.0.actor_kind.parse::<audit::ActorKind>().ok().map(Into::into)
    }

    /// Who did it: what stands behind the underscore of an id such as `staff_…`; null for the product itself and for who had
    /// not signed in.
    async fn actor_id(&self) -> Option<Uuid> {
        self.0.actor_id.map(Uuid)
    }

    /// What the member of staff or the subscriber who did it is called now.
    async fn actor_name(&self) -> Option<&str> {
        self.0.actor_name.as_deref()
    }

    /// What was done: mostly the name of the mutation, such as `paymentRecord`.
    async fn action(&self) -> &str {
        &self.0.action
    }

    /// What it was done to: what stands behind the underscore of its id.
    async fn target_id(&self) -> Option<Uuid> {
        self.0.target_id.map(Uuid)
    }

    /// What was asked for, without passwords and other secrets. Its shape is that of the day on which it was written.
    async fn detail(&self) -> Json {
        Json(self.0.detail.clone())
    }
}

connection!(AuditEntryConnection, AuditEntryEdge, AuditEntry);

/// Which deeds to list; what is absent does not narrow.
#[derive(InputObject)]
pub struct AuditFilter {
    /// Those of one actor: a member of staff or a subscriber.
    actor_id: Option<ID>,
    /// Those of one sort, such as `paymentRecord`.
    action: Option<String>,
    /// Those that were done to one thing.
    target_id: Option<ID>,
    /// Those from this instant on.
    since: Option<DateTime>,
    /// Those before this instant.
    until: Option<DateTime>,
}

impl AuditFilter {
    pub fn read(self) -> Result<audit::AuditFilter> {
        Ok(audit::AuditFilter {
            actor: self.actor_id.map(|id| any(&id, "actorId")).transpose()?,
            action: self.action,
            target: self.target_id.map(|id| any(&id, "targetId")).transpose()?,
            since: self.since.map(|d| d.0),
            until: self.until.map(|d| d.0),
        })
    }
}

/// An id of whatever kind.
fn any(id: &ID, field: &str) -> Result<uuid::Uuid> {
    uuid_of(id).ok_or_else(|| Error::invalid(field, "Malformed id."))
}
