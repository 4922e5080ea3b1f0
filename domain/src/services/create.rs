use chrono::{Days, NaiveDate};
use serde::Serialize;

use super::entity::Service;
use super::{queries, rules};
use crate::kernel::Permission;
use crate::kernel::check::Checks;
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, ErrorCode, Result};
use crate::kernel::ids::{PlanId, ServiceId, SubscriberId};
use crate::plans::{self, Plan};
use crate::subscribers::{self, Address, SubscriberStatus};
use crate::tenants::template::Regions;

/// How far from today a service may begin, either way.
const MAX_DAYS_OFF: u64 = 366;

#[derive(Clone, Serialize)]
pub struct CreateService {
    pub subscriber_id: SubscriberId,
    pub plan_id: PlanId,
    pub username: Option<String>,
    pub password: Option<String>,
    /// Default: the subscriber's own.
    pub installation_address: Option<Address>,
    /// Default: today.
    pub starts_on: Option<NaiveDate>,
}

/// Adds a service that is not yet on, under a lock on its subscriber. TAKEN when another service has the user name,
/// whatever its case. Its password goes to RADIUS alone, which is for the caller to see to.
pub async fn create(tx: &TenantTx, id: ServiceId, cmd: &CreateService) -> Result<(Service, Plan)> {
    tx.require(Permission::ServiceWrite)?;
    let subscriber = subscribers::lock(tx, cmd.subscriber_id)
        .await?
        .ok_or_else(|| Error::not_found("subscriberId"))?;
    if subscriber.status != SubscriberStatus::Active {
        return Err(Error::state("subscriberId", "The subscriber is closed."));
    }
    let plan = plans::get(tx, cmd.plan_id).await?;
    if plan.retired_at.is_some() {
        return Err(Error::state("planId", "The plan is no longer sold."));
    }
    let mut checks = Checks::new();
    let username = rules::check_login(
        plan.has_network_access(),
        cmd.username.as_deref(),
        cmd.password.as_deref(),
        &mut checks,
    );
    let address = cmd.installation_address.clone();
    let address = address
        .map(|a| a.checked("installationAddress", Regions::of(tx.tenant().template()), &mut checks))
        .or(subscriber.address);
    check_start(cmd.starts_on, tx.today(), "startsOn", &mut checks);
    checks.done()?;
    insert(tx, id, cmd, &plan, username, address).await?;
    Ok((queries::get(tx, id).await?, plan))
}

/// A start so far away is a slip of the finger.
pub fn check_start(starts_on: Option<NaiveDate>, today: NaiveDate, field: &str, checks: &mut Checks) {
    let Some(date) = starts_on else { return };
    let near = today.checked_sub_days(Days::new(MAX_DAYS_OFF)) <= Some(date)
        && today.checked_add_days(Days::new(MAX_DAYS_OFF)) >= Some(date);
    checks.ensure(near, field, "Must be within a year of today.");
}

async fn insert(
    tx: &TenantTx,
    id: ServiceId,
    cmd: &CreateService,
    plan: &Plan,
    username: Option<String>,
    address: Option<Address>,
) -> Result<()> {
    let inserted = tx
        .sql(
            "INSERT INTO service (id, subscriber_id, plan_id, plan_version_id, status, username, installation_address, started_on,
                 created_at)
             VALUES ($1, $2, $3, $4, 'PENDING', $5, $6, $7, $8)
             ON CONFLICT (lower(username)) WHERE status <> 'TERMINATED' DO NOTHING",
        )
        .bind(id)
        .bind(cmd.subscriber_id)
        .bind(plan.id)
        .bind(plan.version_id)
        .bind(username)
        .bind(address)
        .bind(cmd.starts_on)
        .bind(tx.now())
        .run()
        .await?;
    if inserted == 0 {
        return Err(Error::user(
            ErrorCode::Taken,
            "username",
            "Another service has this user name.",
        ));
    }
    Ok(())
}
