use chrono::NaiveDate;
use rust_decimal::Decimal;
use sea_orm::FromQueryResult;
use uuid::Uuid;

use crate::kernel::calendar::days_between;
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, Result};
use crate::kernel::ids::ServiceId;
use crate::plans::ExitKind;

/// Until when a service is bound, and what its end before costs: as its plan had it when it began, whatever the plan says later.
#[derive(Clone, Debug, PartialEq, FromQueryResult)]
pub struct ServiceTerm {
    pub service_id: ServiceId,
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

/// Binds a service that begins.
pub async fn bind(tx: &TenantTx, term: &ServiceTerm) -> Result<()> {
    tx.sql(
        "INSERT INTO service_term (service_id, starts_on, ends_on, exit_kind, exit_value) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT DO NOTHING",
    )
    .bind(term.service_id)
    .bind(term.starts_on)
    .bind(term.ends_on)
    .bind(term.exit_kind)
    .bind(term.exit_value)
    .run()
    .await?;
    Ok(())
}

/// The term of a service, if it has one, as it is by now. Whoever sees the service sees it.
pub async fn term_of(tx: &TenantTx, service: ServiceId) -> Result<Option<ServiceTerm>> {
    tx.sql(
        "SELECT t.service_id, t.starts_on - c.sooner + p.days AS starts_on, t.ends_on - c.sooner + c.longer + p.days AS ends_on,
             t.exit_kind, t.exit_value
         FROM service_term t CROSS JOIN LATERAL (
             SELECT COALESCE(sum(sooner), 0)::integer AS sooner, COALESCE(sum(longer), 0)::integer AS longer
             FROM service_term_change WHERE service_id = t.service_id
         ) AS c CROSS JOIN LATERAL (
             SELECT COALESCE(sum(days), 0)::integer AS days FROM service_term_put_off WHERE service_id = t.service_id
         ) AS p WHERE t.service_id = $1",
    )
    .bind(service)
    .optional()
    .await
}

/// A term is longer by the days from `first` to before `until`, which are not charged; those before it do not count. The caller
/// has locked the service.
pub async fn extend_term(tx: &TenantTx, service: ServiceId, first: NaiveDate, until: NaiveDate) -> Result<()> {
    match term_of(tx, service).await?.map(|term| term.longer_by(first, until)) {
        Some(days) if days > 0 => change_term(tx, service, 0, i64::try_from(days).map_err(Error::internal)?).await,
        _ => Ok(()),
    }
}

/// A term that has not begun, because of free days, begins on that day, if that is later. The caller has locked the service.
pub async fn put_off_term(tx: &TenantTx, service: ServiceId, day: NaiveDate) -> Result<()> {
    let Some(term) = term_of(tx, service).await?.filter(|term| term.starts_on < day) else {
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
