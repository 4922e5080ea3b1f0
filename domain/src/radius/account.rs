use crate::kernel::db::TenantTx;
use crate::kernel::error::Result;
use crate::plans::Plan;
use crate::services::{Service, ServiceState, SuspensionCause};

/// The upsert of an account; the password is named only when it is new, since nobody may read it, not even to keep it.
macro_rules! upsert {
    ($column:literal, $value:literal, $set:literal) => {
        concat!(
            "INSERT INTO radius.account (tenant_id, service_id, username, status, expires_at, download_kbps, upload_kbps,
                 max_sessions, version",
            $column,
            ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9",
            $value,
            ") ON CONFLICT (tenant_id, service_id) DO UPDATE SET username = EXCLUDED.username, status = EXCLUDED.status,
                 expires_at = EXCLUDED.expires_at, download_kbps = EXCLUDED.download_kbps, upload_kbps = EXCLUDED.upload_kbps,
                 max_sessions = EXCLUDED.max_sessions, version = EXCLUDED.version",
            $set,
            " WHERE account.version < EXCLUDED.version"
        )
    };
}

/// Tells RADIUS what a service may do from now on; `plan` is the service's own version of it. An older state never
/// overwrites a newer one. `password` is the network password when it is new; None leaves it as it is. A service without a
/// user name has no account.
pub async fn sync(tx: &TenantTx, service: &Service, plan: &Plan, password: Option<&str>) -> Result<()> {
    let Some(username) = service.username.as_deref() else {
        return Ok(());
    };
    let text = match password {
        Some(_) => upsert!(", password", ", $10", ", password = $10"),
        None => upsert!("", "", ""),
    };
    let sql = tx
        .sql(text)
        .bind(tx.tenant().number())
        .bind(service.id)
        .bind(username)
        .bind(status(&service.state))
        .bind(service.access_until)
        .bind(plan.download_kbps)
        .bind(plan.upload_kbps)
        .bind(plan.simultaneous_sessions)
        .bind(i64::from(service.version));
    match password {
        Some(password) => sql.bind(password),
        None => sql,
    }
    .run()
    .await?;
    Ok(())
}

/// The service's state in the words of `radius.account`.
fn status(state: &ServiceState) -> &'static str {
    match state {
        ServiceState::Pending => "pending",
        ServiceState::Active | ServiceState::Grace => "active",
        ServiceState::Suspended(s) => match s.cause {
            SuspensionCause::Expired => "expired",
            SuspensionCause::Arrears | SuspensionCause::Staff | SuspensionCause::Subscriber => "suspended",
        },
        ServiceState::Terminated => "terminated",
    }
}
