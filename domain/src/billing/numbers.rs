//! Document numbers without gaps.

use chrono::NaiveDate;

use super::rules::{BillingSettings, FiscalYear, NumberPattern};
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, Result};

/// Which documents are counted together.
pub(super) const INVOICES: &str = "INVOICE";
pub(super) const CREDIT_NOTES: &str = "CREDIT_NOTE";
const OPENING_BALANCES: &str = "OPENING_BALANCE";

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
    let sequence = sequence(tx, series, registration, year.starts_in()).await?;
    Ok(pattern.render(sequence, year, registration))
}

/// The next number of an opening balance. They are the product's own documents, and their series never begins anew.
pub(super) async fn next_opening(tx: &TenantTx) -> Result<String> {
    let sequence = sequence(tx, OPENING_BALANCES, "", 0).await?;
    Ok(format!("OPENING-{sequence:06}"))
}

async fn sequence(tx: &TenantTx, series: &'static str, registration: &str, year: i32) -> Result<u64> {
    let sequence: Option<i64> = tx
        .sql(
            "INSERT INTO number_series (series, registration, fiscal_year, next) VALUES ($1, $2, $3, 2)
             ON CONFLICT (series, registration, fiscal_year) DO UPDATE SET next = number_series.next + 1
             RETURNING next - 1",
        )
        .bind(series)
        .bind(registration)
        .bind(year)
        .scalar()
        .await?;
    let sequence = sequence.ok_or_else(|| Error::internal("the number series gave no number"))?;
    u64::try_from(sequence).map_err(Error::internal)
}

/// Whether some number that the pattern would give from now on stands on a document already. A series goes on counting when
/// its pattern changes, but one that begins to name the registration, or ceases to, begins another series.
pub(super) async fn would_repeat(
    tx: &TenantTx,
    series: &'static str,
    pattern: &NumberPattern,
    year: FiscalYear,
    short_codes: &[&str],
) -> Result<bool> {
    let codes = match pattern.names_registration() && !short_codes.is_empty() {
        true => short_codes,
        false => &[""],
    };
    for code in codes {
        let (before, after) = pattern.around(year, code);
        let found: Option<bool> = tx
            .sql(
                "WITH given AS (
                     SELECT number FROM invoice WHERE $1 = 'INVOICE' UNION ALL SELECT number FROM credit_note WHERE $1 = 'CREDIT_NOTE'
                 ), middle AS (
                     SELECT substr(number, length($4) + 1, length(number) - length($4) - length($5)) AS digits FROM given
                     WHERE length(number) > length($4) + length($5) AND left(number, length($4)) = $4
                         AND right(number, length($5)) = $5
                 ), counted AS (
                     SELECT CASE WHEN digits ~ '^[0-9]{1,18}$' THEN digits::bigint END AS sequence FROM middle
                 )
                 SELECT EXISTS (SELECT FROM counted WHERE sequence >= COALESCE(
                     (SELECT next FROM number_series WHERE series = $1 AND registration = $2 AND fiscal_year = $3), 1))",
            )
            .bind(series)
            .bind(*code)
            .bind(year.starts_in())
            .bind(before)
            .bind(after)
            .scalar()
            .await?;
        if found == Some(true) {
            return Ok(true);
        }
    }
    Ok(false)
}
