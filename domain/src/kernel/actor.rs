//! Who acts, and what they may do.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use strum::{Display, EnumIter, EnumString, IntoEnumIterator, VariantNames};
use uuid::Uuid;

use super::ids::{AccountId, DirectorId, StaffId, SubscriberId};

/// A right within one ISP, written `resource:action`.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Display, EnumString, EnumIter, VariantNames, Serialize, Deserialize,
)]
pub enum Permission {
    #[strum(serialize = "branding:write")]
    BrandingWrite,
    #[strum(serialize = "plan:read")]
    PlanRead,
    #[strum(serialize = "plan:write")]
    PlanWrite,
    #[strum(serialize = "subscriber:read")]
    SubscriberRead,
    #[strum(serialize = "subscriber:write")]
    SubscriberWrite,
    #[strum(serialize = "service:read")]
    ServiceRead,
    #[strum(serialize = "service:write")]
    ServiceWrite,
    #[strum(serialize = "invoice:read")]
    InvoiceRead,
    #[strum(serialize = "invoice:write")]
    InvoiceWrite,
    #[strum(serialize = "payment:read")]
    PaymentRead,
    #[strum(serialize = "payment:write")]
    PaymentWrite,
    #[strum(serialize = "payment:reverse")]
    PaymentReverse,
    /// Pays credit back, moves it, and returns deposits.
    #[strum(serialize = "credit:write")]
    CreditWrite,
    /// Gives up what is owed.
    #[strum(serialize = "invoice:write-off")]
    InvoiceWriteOff,
    /// The books as a whole: trial balance, accounts, journals.
    #[strum(serialize = "ledger:read")]
    LedgerRead,
    /// Closes periods and brings opening balances in.
    #[strum(serialize = "ledger:write")]
    LedgerWrite,
    /// Takes promises to pay.
    #[strum(serialize = "promise:write")]
    PromiseWrite,
    /// Holds collection, and releases a run that was stopped.
    #[strum(serialize = "dunning:write")]
    DunningWrite,
    #[strum(serialize = "settings:read")]
    SettingsRead,
    #[strum(serialize = "settings:write")]
    SettingsWrite,
    #[strum(serialize = "nas:read")]
    NasRead,
    #[strum(serialize = "nas:write")]
    NasWrite,
    #[strum(serialize = "session:read")]
    SessionRead,
    #[strum(serialize = "audit:read")]
    AuditRead,
    #[strum(serialize = "staff:read")]
    StaffRead,
    #[strum(serialize = "staff:write")]
    StaffWrite,
    /// Makes and changes roles; together with what the role gives.
    #[strum(serialize = "role:write")]
    RoleWrite,
}

impl Permission {
    /// All that this version knows.
    pub fn names() -> &'static [&'static str] {
        Self::VARIANTS
    }
}

/// What one actor may do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Permissions(BTreeSet<Permission>);

impl Permissions {
    pub fn all() -> Self {
        Self(Permission::iter().collect())
    }

    /// Unknown names are dropped: a right that this version does not know gives nothing.
    pub fn parse<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        Self(names.into_iter().filter_map(|n| n.parse().ok()).collect())
    }

    pub fn allows(&self, permission: Permission) -> bool {
        self.0.contains(&permission)
    }

    pub fn iter(&self) -> impl Iterator<Item = Permission> {
        self.0.iter().copied()
    }
}

#[derive(Clone, Debug)]
pub enum Actor {
    /// A job or the product itself.
    System,
    /// Nobody has signed in.
    Anonymous,
    PlatformStaff {
        account: AccountId,
        name: String,
    },
    Director {
        account: AccountId,
        director: DirectorId,
        name: String,
    },
    /// Somebody who has an account on the platform and is neither its staff nor a director: a member of ISPs.
    Person {
        account: AccountId,
        name: String,
    },
    Staff {
        id: StaffId,
        name: String,
        permissions: Arc<Permissions>,
    },
    Subscriber {
        id: SubscriberId,
        name: String,
    },
}

impl Actor {
    pub fn kind(&self) -> &'static str {
        match self {
            Self::System => "SYSTEM",
            Self::Anonymous => "ANONYMOUS",
            Self::PlatformStaff { .. } => "PLATFORM_STAFF",
            Self::Director { .. } => "DIRECTOR",
            Self::Person { .. } => "PERSON",
            Self::Staff { .. } => "TENANT_STAFF",
            Self::Subscriber { .. } => "SUBSCRIBER",
        }
    }

    /// Whose idempotency keys and audit entries these are.
    pub fn principal(&self) -> Option<Uuid> {
        match self {
            Self::System | Self::Anonymous => None,
            Self::PlatformStaff { account, .. } | Self::Director { account, .. } | Self::Person { account, .. } => {
                Some(account.0)
            }
            Self::Staff { id, .. } => Some(id.0),
            Self::Subscriber { id, .. } => Some(id.0),
        }
    }

    pub fn may(&self, permission: Permission) -> bool {
        match self {
            Self::System => true,
            Self::Staff { permissions, .. } => permissions.allows(permission),
            _ => false,
        }
    }

    /// Staff with the permission, or the subscriber itself.
    pub fn may_for(&self, permission: Permission, subscriber: SubscriberId) -> bool {
        self.may(permission) || self.is_subscriber(subscriber)
    }

    pub fn is_subscriber(&self, subscriber: SubscriberId) -> bool {
        matches!(self, Self::Subscriber { id, .. } if *id == subscriber)
    }
}
