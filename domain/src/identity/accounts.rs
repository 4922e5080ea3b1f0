use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::kernel::actor::Actor;
use crate::kernel::check::Checks;
use crate::kernel::crypto::hash_password;
use crate::kernel::db::{Database, PlatformTx};
use crate::kernel::error::{Error, ErrorCode, Result};
use crate::kernel::ids::{AccountId, DirectorId};

/// Somebody who is to sign in on the platform's host.
#[derive(Clone)]
pub struct NewAccount {
    pub name: String,
    pub email: String,
    pub password: String,
}

/// Checks name, address and password of an account under `path` ("" or "account."). Returns it trimmed.
pub fn check_account(checks: &mut Checks, account: &NewAccount, path: &str) -> NewAccount {
    let name = checks.line(&account.name, 120, &format!("{path}name"));
    let email = checks.email(&account.email, &format!("{path}email"));
    checks.password(&account.password, &format!("{path}password"));
    NewAccount {
        name,
        email,
        password: account.password.clone(),
    }
}

/// Makes the first platform staff member if there is none yet; later calls change nothing. True when it was made.
pub async fn ensure_first_admin(database: &Database, email: &str, password: &str) -> Result<bool> {
    let tx = database.begin_platform(Arc::new(Actor::System)).await?;
    tx.sql("SELECT pg_advisory_xact_lock(hashtext('trunkline.first_admin'))")
        .run()
        .await?;
    let present: Option<i32> = tx
        .sql("SELECT 1 FROM platform.account WHERE kind = 'PLATFORM_STAFF' LIMIT 1")
        .scalar()
        .await?;
    if present.is_some() {
        return Ok(false);
    }
    let account = NewAccount {
        name: "Administrator".into(),
        email: email.into(),
        password: password.into(),
    };
    let mut checks = Checks::new();
    let account = check_account(&mut checks, &account, "");
    checks.done()?;
    let id = insert(&tx, "PLATFORM_STAFF", None, &account, "email").await?;
    tx.audit("platformStaffCreate", id.0, serde_json::json!({ "email": account.email }))
        .await?;
    tx.commit().await?;
    Ok(true)
}

/// The login of a director. TAKEN when the address is in use on the platform.
pub async fn insert_director_account(
    tx: &PlatformTx,
    director: DirectorId,
    account: &NewAccount,
    field: &str,
) -> Result<AccountId> {
    insert(tx, "DIRECTOR", Some(director), account, field).await
}

/// The account of somebody who is neither platform staff nor a director. TAKEN when the address is in use on the platform.
pub(super) async fn insert_person_account(tx: &PlatformTx, account: &NewAccount) -> Result<AccountId> {
    insert(tx, "PERSON", None, account, "").await
}

async fn insert(
    tx: &PlatformTx,
    kind: &'static str,
    director: Option<DirectorId>,
    account: &NewAccount,
    email_field: &str,
) -> Result<AccountId> {
    let id = AccountId::new();
    let now: DateTime<Utc> = tx.now();
    let inserted = tx
        .sql(
            "INSERT INTO platform.account (id, kind, director_id, name, email, password_hash, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (lower(email)) DO NOTHING",
        )
        .bind(id)
        .bind(kind)
        .bind(director)
        .bind(account.name.as_str())
        .bind(account.email.as_str())
        .bind(hash_password(&account.password).await?)
        .bind(now)
        .run()
        .await?;
    if inserted == 0 {
        return Err(Error::user(
            ErrorCode::Taken,
            email_field,
            "Another account has this address.",
        ));
    }
    Ok(id)
}
