//! Document numbers without gaps.

use chrono::NaiveDate;

use super::rules::{BillingSettings, FiscalYear, NumberPattern};
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, Result};

/// Which documents are counted together.
pub(super) const INVOICES: &str = "INVOICE";

/// The next number of the series. Locks the series until the transaction ends, so take it last: a rollback takes the
/// number back, and nobody else can have got the next one meanwhile.
pub(super) async fn next(
    tx: &TenantTx,
    series: &'static str,
    pattern: &NumberPattern,
    settings: &BillingSettings,
    date: NaiveDate,
    short_code: Option<&str>,
) -> Result<String> {
    let year = FiscalYear::of(date, settings.fiscal_year_start_month);
    // Where numbers do not name the registration there is one series over all: else two of them would be alike.
    let registration = short_code.filter(|_| pattern.names_registration()).unwrap_or("");
    let sequence: Option<i64> = tx
        .sql(
            "INSERT INTO number_series (series, registration, fiscal_year, next) VALUES ($1, $2, $3, 2)
             ON CONFLICT (series, registration, fiscal_year) DO UPDATE SET next = number_series.next + 1
             RETURNING next - 1",
        )
        .bind(series)
        .bind(registration)
        .bind(year.starts_in())
        .scalar()
        .await?;
    let sequence = sequence.ok_or_else(|| Error::internal("the number series gave no number"))?;
    let sequence = u64::try_from(sequence).map_err(Error::internal)?;
    Ok(pattern.render(sequence, year, registration))
}
