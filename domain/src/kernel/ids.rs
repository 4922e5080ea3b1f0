//! Typed ids. In the database a UUIDv7; to callers an opaque text that names its kind, such as `plan_01939f…`, so that an
//! id of another kind is refused before any query runs.

use std::fmt;
use std::str::FromStr;

use sea_orm::DeriveValueType;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The text was not an id of the expected kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an id of this kind")]
pub struct MalformedId;

/// An id that callers see.
pub trait GlobalId: Copy + fmt::Display + FromStr<Err = MalformedId> {
    const KIND: &'static str;
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $kind:literal;)+) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, DeriveValueType)]
            #[serde(transparent)]
            pub struct $name(pub Uuid);

            impl $name {
                /// A new id; later ones sort after earlier ones.
                #[must_use]
                #[expect(clippy::new_without_default, reason = "a default id would not be an id")]
                pub fn new() -> Self {
                    Self(Uuid::now_v7())
                }

                /// For `= ANY($n)`.
                pub fn array(ids: &[Self]) -> Vec<Uuid> {
                    ids.iter().map(|id| id.0).collect()
                }
            }

            impl GlobalId for $name {
                const KIND: &'static str = $kind;
            }

            impl fmt::Display for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    write!(f, concat!($kind, "_{}"), self.0.simple())
                }
            }

            impl FromStr for $name {
                type Err = MalformedId;

                fn from_str(text: &str) -> Result<Self, MalformedId> {
                    parse(text, $kind).map(Self)
                }
            }
        )+

        /// The kind that a global id's text names, if any.
        pub fn kind_of(text: &str) -> Option<&'static str> {
            let prefix = text.rsplit_once('_')?.0;
            [$($kind),+].into_iter().find(|k| *k == prefix)
        }

        /// What stands behind the kind, of an id of whatever kind.
        pub fn uuid_of(text: &str) -> Option<Uuid> {
            parse(text, kind_of(text)?).ok()
        }

        /// Every kind of id there is, for tests that must try them all.
        pub const KINDS: &[&str] = &[$($kind),+];
    };
}

ids! {
    /// Platform staff or a director's login on the platform host.
    AccountId = "account";
    DirectorId = "director";
    TenantId = "tenant";
    DomainId = "domain";
    /// A person who works for an ISP.
    StaffId = "staff";
    StaffInvitationId = "invitation";
    /// A person's belonging to an ISP, on the platform.
    MembershipId = "membership";
    PlanId = "plan";
    PlanVersionId = "planversion";
    AddonId = "addon";
    /// An add-on that a service has.
    ServiceAddonId = "serviceaddon";
    /// Something that a service is charged for once.
    OneTimeChargeId = "charge";
    CouponId = "coupon";
    /// A discount that a service has.
    ServiceDiscountId = "discount";
    SubscriberId = "subscriber";
    ServiceId = "service";
    InvoiceId = "invoice";
    /// Of an invoice that is not issued yet, which has another id then.
    InvoiceDraftId = "invoicedraft";
    /// A line of an invoice or of a credit note.
    InvoiceLineId = "line";
    CreditNoteId = "creditnote";
    BillingRunId = "billingrun";
    TaxRegistrationId = "taxreg";
    LedgerAccountId = "ledgeraccount";
    LedgerEntryId = "ledgerentry";
    PaymentId = "payment";
    RefundId = "refund";
    DepositId = "deposit";
    /// Of a promise to pay.
    PromiseId = "promise";
    /// Of a run of dunning that was stopped.
    BrakeId = "brake";
    /// Of a time in which nobody is cut for want of money.
    CollectionHoldId = "hold";
    NasId = "nas";
    RadiusSessionId = "session";
    EventId = "event";
    /// Somebody's being signed in, from sign-in to sign-out; a router's session is a [`RadiusSessionId`].
    UserSessionId = "usersession";
    /// Of a job: its number, which only platform staff see.
    JobId = "job";
}

impl JobId {
    pub fn of(number: i64) -> Self {
        Self(Uuid::from_u64_pair(0, number.cast_unsigned()))
    }

    /// None for an id that no job has.
    pub fn number(self) -> Option<i64> {
        match self.0.as_u64_pair() {
            (0, number) => i64::try_from(number).ok(),
            _ => None,
        }
    }
}

fn parse(text: &str, kind: &str) -> Result<Uuid, MalformedId> {
    let hex = text
        .strip_prefix(kind)
        .and_then(|rest| rest.strip_prefix('_'))
        .ok_or(MalformedId)?;
    let canonical = hex.len() == 32 && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    if !canonical {
        return Err(MalformedId);
    }
    Uuid::try_parse(hex).map_err(|_| MalformedId)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_survives_its_text() {
        let id = PlanId::new();
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(kind_of(&id.to_string()), Some("plan"));
    }

    #[test]
    fn other_kinds_and_other_spellings_are_refused() {
        let id = PlanId::new().to_string();
        for text in [
            "",
            "plan_",
            "plan",
            &id.to_uppercase(),
            &id.replace("plan", "service"),
            &id[..id.len() - 1],
            &format!("{id}0"),
        ] {
            assert_eq!(text.parse::<PlanId>(), Err(MalformedId), "{text}");
        }
    }
}
