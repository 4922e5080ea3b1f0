use super::principal::Principal;
use super::sessions::{EndReason, end_all};
use super::throttle;
use crate::kernel::actor::Permission;
use crate::kernel::check::Checks;
use crate::kernel::crypto::hash_password;
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, Result};
use crate::kernel::ids::{SubscriberId, UserSessionId};

/// Sets the password with which a subscriber signs in to the portal: its own, or by staff who may change subscribers. The
/// subscriber's sessions end, but for the one that asks.
pub async fn subscriber_password_set(
    tx: &TenantTx,
    id: SubscriberId,
    password: &str,
    current: Option<UserSessionId>,
) -> Result<()> {
    tx.require_for(Permission::SubscriberWrite, id)?;
    let mut checks = Checks::new();
    checks.password(password, "password");
    checks.done()?;
    let hash = hash_password(password).await?;
    let changed = tx
        .sql("UPDATE subscriber SET portal_password_hash = $2 WHERE id = $1")
        .bind(id)
        .bind(hash)
        .run()
        .await?;
    if changed == 0 {
        return Err(Error::not_found("subscriberId"));
    }
    let whose = Principal::Subscriber(id);
    end_all(tx.into(), whose, current, EndReason::Password).await?;
    throttle::clear(tx.into(), id.0).await?;
    tx.audit("subscriberPasswordSet", id.0, serde_json::json!({})).await
}
