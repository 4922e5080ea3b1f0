use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::kernel::db::TenantTx;
use crate::kernel::error::Result;
use crate::kernel::ids::ServiceId;
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

/// What RADIUS is told of a service, its user name and password aside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Terms {
    status: &'static str,
    expires_at: Option<DateTime<Utc>>,
    download_kbps: Option<i32>,
    upload_kbps: Option<i32>,
    max_sessions: i32,
}

impl Terms {
    /// `plan` is the service's own version of it.
    pub fn of(service: &Service, plan: &Plan) -> Self {
        Self {
            status: status(&service.state),
            expires_at: service.access_until,
            download_kbps: plan.download_kbps,
            upload_kbps: plan.upload_kbps,
            max_sessions: plan.simultaneous_sessions,
        }
    }
}

/// As [`sync`] without a password, for many services.
pub async fn sync_all(tx: &TenantTx, services: &[(Service, &Plan)]) -> Result<()> {
    #[derive(Serialize)]
    struct Row<'s> {
        service_id: ServiceId,
        username: &'s str,
        version: i32,
        #[serde(flatten)]
        terms: Terms,
    }
    let rows = services.iter().filter_map(|(service, plan)| {
        Some(Row {
            service_id: service.id,
            username: service.username.as_deref()?,
            version: service.version,
            terms: Terms::of(service, plan),
        })
    });
    let rows: Vec<Row> = rows.collect();
    if rows.is_empty() {
        return Ok(());
    }
    let (count, rows) = (rows.len(), serde_json::to_value(rows)?);
    let known: Vec<ServiceId> = tx
        .sql(
            "UPDATE radius.account a SET username = r.username, status = r.status, expires_at = r.expires_at,
                 download_kbps = r.download_kbps, upload_kbps = r.upload_kbps, max_sessions = r.max_sessions, version = r.version
             FROM jsonb_to_recordset($2) AS r(service_id uuid, username text, status text, expires_at timestamptz,
                 download_kbps integer, upload_kbps integer, max_sessions integer, version bigint)
             WHERE a.tenant_id = $1 AND a.service_id = r.service_id AND a.version < r.version RETURNING a.service_id",
        )
        .bind(tx.tenant().number())
        .bind(rows.clone())
        .scalars()
        .await?;
    if known.len() == count {
        return Ok(());
    }
    tx.sql(
        "INSERT INTO radius.account (tenant_id, service_id, username, status, expires_at, download_kbps, upload_kbps,
             max_sessions, version)
         SELECT $1, r.service_id, r.username, r.status, r.expires_at, r.download_kbps, r.upload_kbps, r.max_sessions, r.version
         FROM jsonb_to_recordset($2) AS r(service_id uuid, username text, status text, expires_at timestamptz,
             download_kbps integer, upload_kbps integer, max_sessions integer, version bigint)
         WHERE r.service_id <> ALL($3)
         ON CONFLICT (tenant_id, service_id) DO NOTHING",
    )
    .bind(tx.tenant().number())
    .bind(rows)
    .bind(ServiceId::array(&known))
    .run()
    .await?;
    Ok(())
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
