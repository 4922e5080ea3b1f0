use std::sync::Arc;

use crate::kernel::actor::{Actor, Permission};
use crate::kernel::db::{PlatformTx, TenantTx};
use crate::kernel::error::Result;

/// Who is signed in.
#[derive(Clone, Debug)]
pub struct Viewer {
    pub actor: Arc<Actor>,
    pub email: Option<String>,
}

impl Viewer {
    /// What an ISP's staff may do. Rights of the others follow from what they are, and have no names.
    pub fn permissions(&self) -> Vec<Permission> {
        match &*self.actor {
            Actor::Staff { permissions, .. } => permissions.iter().collect(),
            _ => Vec::new(),
        }
    }
}

/// The actor of an ISP's transaction, if somebody is signed in.
pub async fn viewer(tx: &TenantTx) -> Result<Option<Viewer>> {
    let email = match tx.actor() {
        Actor::Staff { id, .. } => tx.sql("SELECT email FROM staff WHERE id = $1").bind(*id).scalar().await?,
        Actor::Subscriber { id, .. } => tx
            .sql("SELECT email FROM subscriber WHERE id = $1")
            .bind(*id)
            .scalar::<Option<String>>()
            .await?
            .flatten(),
        _ => return Ok(None),
    };
    let actor = Arc::new(tx.actor().clone());
    Ok(Some(Viewer { actor, email }))
}

/// The actor of a platform transaction, if somebody is signed in.
pub async fn platform_viewer(tx: &PlatformTx) -> Result<Option<Viewer>> {
    let (Actor::PlatformStaff { account, .. } | Actor::Director { account, .. } | Actor::Person { account, .. }) = tx.actor()
    else {
        return Ok(None);
    };
    let email = tx
        .sql("SELECT email FROM platform.account WHERE id = $1")
        .bind(*account)
        .scalar()
        .await?;
    let actor = Arc::new(tx.actor().clone());
    Ok(Some(Viewer { actor, email }))
}
