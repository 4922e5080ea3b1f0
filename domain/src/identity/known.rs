use sea_orm::FromQueryResult;

use super::authenticator::{AccountRow, StaffRow};
use super::principal::Principal;
use super::side::Side;
use crate::kernel::actor::Actor;
use crate::kernel::error::Result;

/// Somebody who may sign in, with their address; none when they may not or are no longer there.
pub(super) async fn by_principal(side: Side<'_>, principal: Principal) -> Result<Option<(Actor, Option<String>)>> {
    match (side, principal) {
        (Side::Platform(tx), _) => {
            let row: Option<AccountRow> = tx
                .sql(
                    "SELECT id, kind, director_id, name, email, password_hash FROM platform.account
                     WHERE id = $1 AND disabled_at IS NULL",
                )
                .bind(principal.id())
                .optional()
                .await?;
            row.map(|row| Ok((row.actor()?, Some(row.email)))).transpose()
        }
        (Side::Tenant(tx), Principal::Subscriber(id)) => {
            let row: Option<SubscriberRow> = tx
                .sql("SELECT name, email FROM subscriber WHERE id = $1 AND portal_password_hash IS NOT NULL")
                .bind(id)
                .optional()
                .await?;
            Ok(row.map(|row| (Actor::Subscriber { id, name: row.name }, row.email)))
        }
        (Side::Tenant(tx), _) => {
            let row: Option<StaffRow> = tx
                .sql(
                    "SELECT s.id, s.name, s.email, s.password_hash, r.permissions
                     FROM staff s JOIN role r ON r.code = s.role_code WHERE s.id = $1 AND s.disabled_at IS NULL",
                )
                .bind(principal.id())
                .optional()
                .await?;
            Ok(row.map(|row| (row.actor(), Some(row.email))))
        }
    }
}

#[derive(FromQueryResult)]
struct SubscriberRow {
    name: String,
    email: Option<String>,
}
