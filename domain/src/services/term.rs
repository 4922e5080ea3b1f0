use chrono::NaiveDate;
use rust_decimal::Decimal;
use sea_orm::FromQueryResult;
use uuid::Uuid;

use crate::kernel::calendar::days_between;
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, Result};
use crate::kernel::ids::{PlanVersionId, ServiceId};
use crate::plans::ExitKind;

/// Until when a service is bound, and what its end before costs: as the plan had it that it chose, whatever that one says later.
#[derive(Clone, Debug, PartialEq, FromQueryResult)]
pub struct ServiceTerm {
    pub service_id: ServiceId,
    /// By which it is bound. None: by the one that it has, for it was not written down then.
    pub plan_version_id: Option<PlanVersionId>,
    pub starts_on: NaiveDate,
    /// The first day after it.
    pub ends_on: NaiveDate,
    pub exit_kind: ExitKind,
    /// An amount, or with `Remaining` a percentage.
    pub exit_value: Decimal,
}

impl ServiceTerm {
    /// How many days of it lie among those from `first` to before `until`, if they begin before its end: the rest of them come after
    /// it, which is to end later by them.
    pub fn longer_by(&self, first: NaiveDate, until: NaiveDate) -> u64 {
        let first = first.max(self.starts_on);
        let days = if first < self.ends_on { days_between(first, until) } else { 0 };
        u64::try_from(days).unwrap_or(0)
    }
}

/// Binds a service that begins. Releases before know nothing of bonds, and may end it.
pub async fn bind(tx: &TenantTx, term: &ServiceTerm) -> Result<()> {
    bind_also(tx, term).await?;
    tx.sql(
        "INSERT INTO service_term (service_id, starts_on, ends_on, exit_kind, exit_value)
         SELECT service_id, starts_on, ends_on, exit_kind, exit_value FROM service_bond WHERE service_id = $1
         ON CONFLICT DO NOTHING",
    )
    .bind(term.service_id)
    .run()
    .await?;
    Ok(())
}

/// Binds a service from then on, besides what binds it from before. The caller has locked it.
pub async fn bind_also(tx: &TenantTx, term: &ServiceTerm) -> Result<()> {
    tx.sql(
        "INSERT INTO service_bond (id, service_id, plan_version_id, starts_on, ends_on, exit_kind, exit_value)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(Uuid::now_v7())
    .bind(term.service_id)
    .bind(term.plan_version_id)
    .bind(term.starts_on)
    .bind(term.ends_on)
    .bind(term.exit_kind)
    .bind(term.exit_value)
    .run()
    .await?;
    Ok(())
}

/// What binds a service, as it is by now: what it chose first, and what it changed to since. What was chosen on the day on which
/// something else was to begin, or before, stands in its place. Whoever sees the service sees it.
pub async fn terms_of(tx: &TenantTx, service: ServiceId) -> Result<Vec<ServiceTerm>> {
    tx.sql(
        "WITH written AS (
             SELECT id, service_id, plan_version_id, starts_on, ends_on, exit_kind, exit_value FROM service_bond WHERE service_id = $1
             UNION ALL
             SELECT '00000000-0000-0000-0000-000000000000', service_id, NULL, starts_on, ends_on, exit_kind, exit_value
             FROM service_term WHERE service_id = $1
         ), bond AS (
             SELECT t.id, t.service_id, t.plan_version_id, t.starts_on - c.sooner + p.days AS starts_on,
                 t.ends_on - c.sooner + c.longer + p.days AS ends_on, t.exit_kind, t.exit_value
             FROM written t CROSS JOIN LATERAL (
                 SELECT COALESCE(sum(sooner), 0)::integer AS sooner, COALESCE(sum(longer), 0)::integer AS longer
                 FROM service_term_change WHERE service_id = t.service_id AND id > t.id
             ) AS c CROSS JOIN LATERAL (
                 SELECT COALESCE(sum(days), 0)::integer AS days
                 FROM service_term_put_off WHERE service_id = t.service_id AND id > t.id
             ) AS p
         )
         SELECT t.service_id, t.plan_version_id, t.starts_on, t.ends_on, t.exit_kind, t.exit_value FROM bond t
         WHERE NOT EXISTS (SELECT FROM bond n WHERE n.id > t.id AND n.starts_on <= t.starts_on) ORDER BY t.id",
    )
    .bind(service)
    .all()
    .await
}

/// What binds a service for longest, if something does.
async fn term_of(tx: &TenantTx, service: ServiceId) -> Result<Option<ServiceTerm>> {
    Ok(terms_of(tx, service).await?.into_iter().max_by_key(|term| term.ends_on))
}

/// A term is longer by the days from `first` to before `until`, which are not charged; those before it do not count. The caller
/// has locked the service.
pub async fn extend_term(tx: &TenantTx, service: ServiceId, first: NaiveDate, until: NaiveDate) -> Result<()> {
    match term_of(tx, service).await?.map(|term| term.longer_by(first, until)) {
        Some(days) if days > 0 => change_term(tx, service, 0, i64::try_from(days).map_err(Error::internal)?).await,
        _ => Ok(()),
    }
}

/// A term that was to begin on `first` or later, since it waits for free days or for a payment, begins on that day, if that is
/// later still. The caller has locked the service.
pub async fn put_off_term(tx: &TenantTx, service: ServiceId, first: NaiveDate, day: NaiveDate) -> Result<()> {
    let waits = |term: &ServiceTerm| first <= term.starts_on && term.starts_on < day;
    let Some(term) = term_of(tx, service).await?.filter(waits) else {
        return Ok(());
    };
    tx.sql("INSERT INTO service_term_put_off (id, service_id, days, created_at) VALUES ($1, $2, $3, $4)")
        .bind(Uuid::now_v7())
        .bind(service)
        .bind(i32::try_from(days_between(term.starts_on, day)).map_err(Error::internal)?)
        .bind(tx.now())
        .run()
        .await?;
    Ok(())
}

/// A term that was to begin later, after free days, begins on that day, and is as long as it was. The caller has locked the
/// service.
pub async fn begin_term(tx: &TenantTx, service: ServiceId, day: NaiveDate) -> Result<()> {
    match term_of(tx, service).await? {
        Some(term) if term.starts_on > day => change_term(tx, service, days_between(day, term.starts_on), 0).await,
        _ => Ok(()),
    }
}

async fn change_term(tx: &TenantTx, service: ServiceId, sooner: i64, longer: i64) -> Result<()> {
    let days = |n: i64| i32::try_from(n).map_err(Error::internal);
    tx.sql("INSERT INTO service_term_change (id, service_id, sooner, longer, created_at) VALUES ($1, $2, $3, $4, $5)")
        .bind(Uuid::now_v7())
        .bind(service)
        .bind(days(sooner)?)
        .bind(days(longer)?)
        .bind(tx.now())
        .run()
        .await?;
    Ok(())
}
