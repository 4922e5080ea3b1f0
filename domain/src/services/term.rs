use chrono::NaiveDate;
use rust_decimal::Decimal;
use sea_orm::FromQueryResult;

use crate::kernel::db::TenantTx;
use crate::kernel::error::Result;
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

/// The term of a service, if it has one. Whoever sees the service sees it.
pub async fn term_of(tx: &TenantTx, service: ServiceId) -> Result<Option<ServiceTerm>> {
    tx.sql("SELECT service_id, starts_on, ends_on, exit_kind, exit_value FROM service_term WHERE service_id = $1")
        .bind(service)
        .optional()
        .await
}
