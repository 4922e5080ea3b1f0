use uuid::Uuid;

use crate::kernel::actor::Actor;
use crate::kernel::ids::{AccountId, StaffId, SubscriberId};

/// Somebody who can sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Principal {
    /// On the platform's host.
    Account(AccountId),
    /// On an ISP's host.
    Staff(StaffId),
    /// On an ISP's host.
    Subscriber(SubscriberId),
}

impl Principal {
    /// None for the product itself and for who has not signed in.
    pub fn of(actor: &Actor) -> Option<Self> {
        match actor {
            Actor::PlatformStaff { account, .. } | Actor::Director { account, .. } | Actor::Person { account, .. } => {
                Some(Self::Account(*account))
            }
            Actor::Staff { id, .. } => Some(Self::Staff(*id)),
            Actor::Subscriber { id, .. } => Some(Self::Subscriber(*id)),
            Actor::System | Actor::Anonymous => None,
        }
    }

    /// `principal_id` of the tables that accounts, staff and subscribers share.
    pub fn id(self) -> Uuid {
        match self {
            Self::Account(id) => id.0,
            Self::Staff(id) => id.0,
            Self::Subscriber(id) => id.0,
        }
    }

    /// `principal_kind` of those tables.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Account(_) => "ACCOUNT",
            Self::Staff(_) => "STAFF",
            Self::Subscriber(_) => "SUBSCRIBER",
        }
    }

    /// The reverse of [`Self::kind`] and [`Self::id`].
    pub(super) fn from_row(kind: &str, id: Uuid) -> Option<Self> {
        match kind {
            "ACCOUNT" => Some(Self::Account(AccountId(id))),
            "STAFF" => Some(Self::Staff(StaffId(id))),
            "SUBSCRIBER" => Some(Self::Subscriber(SubscriberId(id))),
            _ => None,
        }
    }
}
