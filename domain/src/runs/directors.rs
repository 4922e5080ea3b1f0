use std::sync::Arc;

use crate::identity::{self, NewAccount};
use crate::kernel::actor::Actor;
use crate::kernel::check::Checks;
use crate::kernel::db::Database;
use crate::kernel::error::Result;
use crate::tenants::{self, Director};

#[derive(Clone)]
pub struct CreateDirector {
    pub name: String,
    /// Who signs in for it.
    pub account: NewAccount,
}

/// Takes on a director together with its first login.
pub async fn director_create(database: &Database, actor: &Arc<Actor>, cmd: CreateDirector) -> Result<Director> {
    let tx = database.begin_platform(actor.clone()).await?;
    tx.require_platform_staff()?;
    let mut checks = Checks::new();
    let name = tenants::check_director_name(&mut checks, &cmd.name);
    let account = identity::check_account(&mut checks, &cmd.account, "account.");
    checks.done()?;
    let director = tenants::director_insert(&tx, &name).await?;
    identity::insert_director_account(&tx, director.id, &account, "account.email").await?;
    let detail = serde_json::json!({ "name": name, "account": { "name": account.name, "email": account.email } });
    tx.audit("directorCreate", director.id.0, detail).await?;
    tx.commit().await?;
    Ok(director)
}
