use sea_orm::FromQueryResult;

use super::roles::{OWNER, Role};
use crate::kernel::actor::{Actor, Permission};
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, Result};

/// What the actor may give away and whom it may change, as the tables have it now: what the actor itself carries may be some
/// seconds old. While a transaction holds it, nobody else changes staff or roles of this ISP.
pub(super) struct Authority(Giver);

enum Giver {
    /// The product itself.
    Product,
    Staff(Held),
}

#[derive(FromQueryResult)]
struct Held {
    code: String,
    permissions: Vec<String>,
}

impl Authority {
    /// Waits for its turn. FORBIDDEN without the permission.
    pub async fn hold(tx: &TenantTx, permission: Permission) -> Result<Self> {
        tx.require(permission)?;
        serialize(tx).await?;
        let id = match tx.actor() {
            Actor::System => return Ok(Self(Giver::Product)),
            Actor::Staff { id, .. } => *id,
            _ => return Err(Error::Forbidden),
        };
        let held: Option<Held> = tx
            .sql(
                "SELECT r.code, r.permissions FROM staff s JOIN role r ON r.code = s.role_code
                 WHERE s.id = $1 AND s.disabled_at IS NULL",
            )
            .bind(id)
            .optional()
            .await?;
        let needed = permission.to_string();
        match held {
            Some(held) if held.permissions.contains(&needed) => Ok(Self(Giver::Staff(held))),
            _ => Err(Error::Forbidden),
        }
    }

    /// Nobody gives or changes what they lack. Permissions are compared by name and not by what this version knows: a later
    /// one may know more of them.
    pub fn require(&self, role: &Role) -> Result<()> {
        let covered = match &self.0 {
            Giver::Product => true,
            Giver::Staff(held) => reaches(held, &role.code, &role.permissions),
        };
        if covered { Ok(()) } else { Err(Error::Forbidden) }
    }
}

/// Changes of staff and roles of one ISP take turns: two that pass their checks side by side could together do what neither
/// may. The row that every ISP has stands for all of it.
pub(super) async fn serialize(tx: &TenantTx) -> Result<()> {
    tx.sql("SELECT 1 FROM role WHERE code = $1 FOR NO KEY UPDATE")
        .bind(OWNER)
        .run()
        .await?;
    Ok(())
}

/// Owners are made and changed by owners only, whatever other roles may do.
fn reaches(held: &Held, code: &str, permissions: &[String]) -> bool {
    (code != OWNER || held.code == OWNER) && permissions.iter().all(|p| held.permissions.contains(p))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_reaches_beyond_their_own() {
        let held = |code: &str, permissions: &[&str]| Held {
            code: code.into(),
            permissions: permissions.iter().map(|p| (*p).to_owned()).collect(),
        };
        let all = ["staff:write", "plan:read"];
        for (giver, code, permissions, expected) in [
            (held("clerk", &all), "clerk", &all[..], true),
            (held("clerk", &all), "less", &all[1..], true),
            (held("clerk", &all), "nothing", &[][..], true),
            (held("clerk", &all[..1]), "more", &all[..], false),
            (held("clerk", &all), "later", &["plan:read", "unheard:of"][..], false),
            (
                held("clerk", &["plan:read", "unheard:of"]),
                "later",
                &["unheard:of"][..],
                true,
            ),
            // As much as an owner has does not make one.
            (held("admin", &all), "owner", &all[..], false),
            (held("owner", &all), "owner", &all[..], true),
        ] {
            let permissions: Vec<String> = permissions.iter().map(|p| (*p).to_owned()).collect();
            assert_eq!(reaches(&giver, code, &permissions), expected, "{} gives {code}", giver.code);
        }
    }
}
