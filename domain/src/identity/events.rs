//! What identity tells later modules.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::one_time::SealedToken;
use crate::kernel::event::Event;
use crate::kernel::ids::{StaffId, StaffInvitationId};

macro_rules! events {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident : $ty:ty),* $(,)? })+) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Debug, Serialize, Deserialize)]
            pub struct $name { $($(#[$field_doc])* pub $field: $ty),* }

            impl Event for $name {
                const KIND: &'static str = stringify!($name);
            }
        )+
    };
}

events! {
    RoleCreated { code: String }
    /// What its holders may do has changed.
    RoleUpdated { code: String }
    RoleDeleted { code: String }
    /// Name or role have changed.
    StaffUpdated { staff_id: StaffId }
    StaffDisabled { staff_id: StaffId }
    StaffEnabled { staff_id: StaffId }
    /// May come in from the platform's host from now on.
    StaffLinked { staff_id: StaffId }
    StaffUnlinked { staff_id: StaffId }
    /// Has come in from the platform's host.
    StaffEntered { staff_id: StaffId }
    /// Somebody is to be sent a link with this token, by which they set name and password.
    StaffInvited {
        invitation_id: StaffInvitationId,
        email: String,
        token: SealedToken,
        expires_at: DateTime<Utc>,
    }
    StaffInvitationAccepted { invitation_id: StaffInvitationId, staff_id: StaffId }
    StaffInvitationRevoked { invitation_id: StaffInvitationId }
}
