//! Document numbers without gaps.

use std::collections::{BTreeMap, HashMap};

use chrono::NaiveDate;
use sea_orm::FromQueryResult;

use super::entity::InvoiceKind;
use super::rules::{BillingSettings, FiscalYear, NumberPattern};
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, Result};

/// Which documents are counted together.
pub(super) const INVOICES: &str = "INVOICE";
pub(super) const CREDIT_NOTES: &str = "CREDIT_NOTE";
pub(super) const RECEIPTS: &str = "RECEIPT";
pub(super) const DEBIT_NOTES: &str = "DEBIT_NOTE";
/// As `BillingSettings::number_patterns` has their patterns.
pub(super) const SERIES: [&str; 4] = [INVOICES, CREDIT_NOTES, RECEIPTS, DEBIT_NOTES];

/// The next number of the series; see [`take`].
pub(super) async fn next(
    tx: &TenantTx,
    series: &'static str,
    pattern: &NumberPattern,
    settings: &BillingSettings,
    date: NaiveDate,
    short_code: Option<&str>,
) -> Result<String> {
    let number = take(tx, series, pattern, settings, date, &[short_code]).await?.pop();
    number.ok_or_else(no_number)
}

/// The next numbers of the series, one for each document in their order; a document is named by the short code of its
/// registration, or of the ISP's country where it is issued under none. Locks the series until the transaction ends, so take them
/// last: a rollback takes them back, and nobody else can have got later ones meanwhile.
pub(super) async fn take(
    tx: &TenantTx,
    series: &'static str,
    pattern: &NumberPattern,
    settings: &BillingSettings,
    date: NaiveDate,
    documents: &[Option<&str>],
) -> Result<Vec<String>> {
    let year = FiscalYear::of(date, settings.fiscal_year_start_month);
    // Where numbers do not name the registration there is one series over all: else two of them would be alike.
    let registration = |code: &Option<&'_ str>| match pattern.names_registration() {
        true => code.unwrap_or(tx.tenant().country()).to_owned(),
        false => String::new(),
    };
    let registrations: Vec<String> = documents.iter().map(registration).collect();
    let mut wanted: BTreeMap<&str, i64> = BTreeMap::new();
    for registration in &registrations {
        *wanted.entry(registration).or_default() += 1;
    }
    let mut next = sequences(tx, series, year.starts_in(), &wanted).await?;
    let numbers = registrations.iter().map(|registration| {
        let next = next.get_mut(registration).ok_or_else(no_number)?;
        let sequence = u64::try_from(*next).map_err(Error::internal)?;
        *next += 1;
        Ok(pattern.render(sequence, year, registration))
    });
    numbers.collect()
}

/// The next number of an invoice that is no tax invoice. They are the product's own documents: a series for each kind, which
/// never begins anew.
pub(super) async fn next_plain(tx: &TenantTx, kind: InvoiceKind) -> Result<String> {
    let (series, prefix) = match kind {
        InvoiceKind::OpeningBalance => ("OPENING_BALANCE", "OPENING"),
        InvoiceKind::Deposit => ("DEPOSIT", "DEPOSIT"),
        InvoiceKind::Invoice | InvoiceKind::DebitNote => return Err(Error::internal("a tax invoice has a number of the ISP's")),
    };
    let next = sequences(tx, series, 0, &BTreeMap::from([("", 1)])).await?;
    let sequence = next.get("").ok_or_else(no_number)?;
    Ok(format!("{prefix}-{sequence:06}"))
}

fn no_number() -> Error {
    Error::internal("the number series gave no number")
}

/// The first of so many numbers of each registration.
async fn sequences(tx: &TenantTx, series: &'static str, year: i32, wanted: &BTreeMap<&str, i64>) -> Result<HashMap<String, i64>> {
    #[derive(FromQueryResult)]
    struct Row {
        registration: String,
        first: i64,
    }
    let rows: Vec<Row> = tx
        .sql(
            "INSERT INTO number_series (series, registration, fiscal_year, next)
             SELECT $1, w.registration, $2, 1 + w.wanted FROM unnest($3::text[], $4::bigint[]) AS w(registration, wanted)
             ORDER BY w.registration
             ON CONFLICT (series, registration, fiscal_year) DO UPDATE SET next = number_series.next + EXCLUDED.next - 1
             RETURNING registration, next - (SELECT w.wanted FROM unnest($3::text[], $4::bigint[]) AS w(registration, wanted)
                 WHERE w.registration = number_series.registration) AS first",
        )
        .bind(series)
        .bind(year)
        .bind(wanted.keys().map(|r| (*r).to_owned()).collect::<Vec<_>>())
        .bind(wanted.values().copied().collect::<Vec<_>>())
        .all()
        .await?;
    Ok(rows.into_iter().map(|r| (r.registration, r.first)).collect())
}

/// Whether some number that the pattern would give from now on stands on a document already, of whatever series. A series goes on
/// counting when its pattern changes, but one that begins to name the registration, or ceases to, begins another series.
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
                     SELECT number FROM invoice UNION ALL SELECT number FROM credit_note UNION ALL SELECT number FROM receipt
                 ), middle AS (
                     SELECT substr(number, length($4) + 1, length(number) - length($4) - length($5)) AS digits FROM given
                     WHERE length(number) > length($4) + length($5) AND upper(left(number, length($4))) = upper($4)
                         AND upper(right(number, length($5))) = upper($5)
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
